"""Write ``data_manifests/fidelity/metrics_photographs.csv``: the largest relative error of each reading on photographs.

Run as ``MFFREPRO_GOLDENS=folder python tests/golden/regenerate_parity.py`` after a metric or a golden changed: some minutes.
``noise`` is the largest relative scatter of the original itself, computed in mathematically identical ways.
"""

from functools import lru_cache
from pathlib import Path

import pandas as pd
from test_metrics_golden import GOLDENS, photograph_noise, photograph_rows

from mffrepro.data.manifests import manifest_folder
from mffrepro.images import read_image
from mffrepro.metrics import Scorer

METHODS = ("CNN", "IFCNN", "DSIFT", "GFF", "MSVD", "ASR", "CBF", "SESF")


def rows() -> list[dict]:
    goldens, noise, found = photograph_rows(*METHODS), photograph_noise(), []
    scorer_of = lru_cache(maxsize=1)(lambda *sources: Scorer(sources, metrics=[]))  # goldens come pair by pair
    for (pair, method), values in goldens.items():
        scorer = scorer_of(*(Path(GOLDENS) / "input" / f"{pair}_{letter}.png" for letter in "AB"))
        scorer.metrics = list(values)
        for name, value in scorer(read_image(Path(GOLDENS) / "fused" / f"{pair}_{method}.png")).items():
            error = abs(value / values[name] - 1)
            found.append({"metric": name, "error": error, "noise": noise[pair, method, name]})
    return found


def main() -> None:
    table = pd.DataFrame(rows()).groupby("metric", sort=False)
    summary = pd.DataFrame({"images": table.size(), "error": table["error"].max(), "noise": table["noise"].max()})
    summary.to_csv(manifest_folder() / "fidelity" / "metrics_photographs.csv", float_format="%.1e")
    print(summary.to_string())


if __name__ == "__main__":
    main()
