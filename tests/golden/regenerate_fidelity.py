"""Write ``data_manifests/fidelity/images.csv`` and ``scores.csv``: how near the classical methods come to published results.

Run as ``MFFREPRO_GOLDENS=folder MFFREPRO_MIRROR=folder MFFREPRO_MFIFB=folder python tests/golden/regenerate_fidelity.py [METHOD
...]`` after a method changed; without names all methods are measured, which takes two hours. Rows of other methods stay as they
are. The last folder is a checkout of https://github.com/xingchenzhang/MFIFB.
"""

import os
import sys
from pathlib import Path

import pandas as pd
from test_baselines_fidelity import (
    CASES,
    IMAGES,
    METRICS,
    RECORDED,
    RECORDS,
    as_text,
    compare,
    recorded_scores,
    scores_as_recorded,
)

import mffrepro as mff


def image_rows(methods: list[str]) -> pd.DataFrame:
    folder, rows = Path(os.environ["MFFREPRO_GOLDENS"]) / "baselines", []
    for case in (case for case in CASES if case.method in methods):
        for pair in case.pairs:
            name = {
                "method": case.method,
                "options": case.options_text,
                "against": case.against,
                "image": f"{pair}_{case.stored}",
            }
            rows.append(name | compare(folder, case, pair))
            print(*rows[-1].values(), flush=True)
    return pd.DataFrame(rows)


def record_rows(methods: list[str]) -> pd.DataFrame:
    theirs, stacks, rows = recorded_scores(), list(mff.load("gacn26")), []
    for method, options in RECORDED:
        if method not in methods:
            continue
        means = pd.DataFrame([scores_as_recorded(stack, method, options) for stack in stacks]).mean()
        row = {"method": method, "options": as_text(options), "pairs": len(stacks)}
        for metric in METRICS.values():
            rows.append(row | {"metric": metric, "recorded": theirs.loc[method, metric].mean(), "measured": means[metric]})
            print(*rows[-1].values(), flush=True)
    return pd.DataFrame(rows)


def merge(path: Path, fresh: pd.DataFrame, order: list[str]) -> None:
    """Replace the rows of the methods that were measured, in the order in which tables show them."""
    kept = pd.read_csv(path, keep_default_na=False) if path.exists() else fresh[:0]
    if len(fresh):
        kept = pd.concat([kept[~kept["method"].isin(fresh["method"])], fresh])
    ranked = kept.assign(rank=[order.index(method) for method in kept["method"]])
    ranked.sort_values("rank", kind="stable").drop(columns="rank").to_csv(path, index=False, float_format="%.6g")


def main(methods: list[str]) -> None:
    for path, rows, order in (
        (IMAGES, image_rows, list(dict.fromkeys(case.method for case in CASES))),
        (RECORDS, record_rows, list(dict.fromkeys(name for name, _ in RECORDED))),
    ):
        merge(path, rows(methods or order), order)


if __name__ == "__main__":
    main(sys.argv[1:])
