"""Verdicts: each claim of a paper, what was measured, and whether it holds here.

A chapter hands samples to `judge`, which compares them with the threshold that stands beside the claim in
``data_manifests/papers/claims.csv``. Under ``mffrepro book`` each verdict is also written to a record, and the chapter
``10_claims`` only collects the records.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import OptionError, unknown
from mffrepro.images import write_atomically
from mffrepro.report.evidence import Estimate, estimate, exact, margin, outcome, together
from mffrepro.report.interval_chart import numbers as written
from mffrepro.report.pages import anchor
from mffrepro.report.verdict_box import MARKS, MATERIALS, box, parts_of, sizes, verdict_anchor

#: Where records go; set by the book builder, one folder per chapter.
FOLDER_VARIABLE = "MFFREPRO_RECORDS"

UNTESTABLE, UNTESTED = "cannot be tested", "not tested yet"
#: All outcomes, in the order of tables.
OUTCOMES = tuple(MARKS)
Material = Literal["own", "substitute"]
Samples = np.ndarray | Sequence[float] | float
#: Verdicts of this process, the latest for each claim; `given` lists them.
_GIVEN: dict[str, "Verdict"] = {}


@cache
def all_claims() -> pd.DataFrame:
    """Read the claims of the five papers and our observations on them, by id.

    Columns: paper; kind, ``"claim"`` or ``"observation"``; claim; place in the paper; sample, what the test draws from
    (``"images"``, ``"trainings"`` that saw images, repeated ``"runs"``, or ``"exact"``: nothing is drawn); direction, threshold
    and unit, as for `mffrepro.report.evidence.margin`; test; reported_support, what the paper itself reports.
    """
    return pd.read_csv(manifest_folder() / "papers" / "claims.csv").set_index("id").fillna("")


@dataclass(frozen=True)
class Verdict:
    """Hold the verdict on one claim.

    Args:
        claim: Id.
        paper: Key of the paper.
        text: The claim in words.
        outcome: One of `OUTCOMES`.
        kind: ``"claim"`` or ``"observation"``.
        sample: What the test draws from, see `all_claims`.
        direction: Claimed side of the threshold.
        threshold: In the unit of the effect.
        unit: Unit of the effect.
        place: Page, table or section of the paper.
        test: How the claim is tested here.
        reported: What the paper itself reports.
        effect: Effect of the weakest part; None where nothing was measured.
        interval: Ends of its 95 % interval; None where it is exact, one number, or nothing was measured.
        weakest: Name of the part that decides: of those with the outcome, the one farthest from the claimed side.
        parts: Name -> fields of `mffrepro.report.evidence.Estimate`.
        images: Smallest number of images, or runs, of a part.
        seeds: Seeds of the trainings behind it.
        material: ``"own"`` or ``"substitute"``; empty where nothing was measured.
        numbers: What else was measured, by name.
        note: A limit of the test, or why it cannot be done.
    """

    claim: str
    paper: str
    text: str
    outcome: str
    kind: str
    sample: str
    direction: str
    threshold: float
    unit: str
    place: str
    test: str
    reported: str
    effect: float | None = None
    interval: tuple[float, float] | None = None
    weakest: str = ""
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    images: int = 0
    seeds: list[int] = field(default_factory=list)
    material: str = ""
    numbers: dict[str, float | int | str] = field(default_factory=dict)
    note: str = ""

    def _repr_html_(self) -> str:
        return box(asdict(self), name=verdict_anchor(self.claim))

    def __repr__(self) -> str:
        return f"{self.claim}: {self.outcome}"


def judge(
    claim: str,
    samples: Samples | Mapping[str, Samples] | None,
    *,
    material: Material = "substitute",
    seeds: Sequence[int] = (),
    statistic: Callable[[np.ndarray], float] | None = None,
    numbers: Mapping[str, float | int | str] | None = None,
    note: str = "",
) -> Verdict:
    """Give the verdict on a claim from samples.

    It is recorded where the book is being built.

    Args:
        claim: Id in ``data_manifests/papers/claims.csv``, such as ``"C4.8"``; its direction and threshold stand there.
        samples: Paired differences (images,) or (seeds, images), (seeds, 1) for one number per training, or what `statistic`
            takes; one number where the claim is exact; a mapping of such where the claim has several parts, such as rivals or
            metrics. The claim then holds if every part holds, does not hold if any part surely fails, and is undecided
            otherwise. None: the claim cannot be tested.
        material: ``"own"`` for the paper's own scenes, else ``"substitute"``.
        seeds: Seeds of the trainings behind the samples, one for each row of (seeds, images).
        statistic: As for `mffrepro.report.evidence.estimate`, for all parts.
        numbers: What else was measured, by name.
        note: One sentence: a limit of the test, or why it cannot be done; the latter must be said.

    Raises:
        OptionError: There is no such claim or material, samples do not fit the kind of the claim, or a reason is missing.
    """
    claims = all_claims()
    if claim not in claims.index:
        raise unknown("claim", claim, claims.index)
    if material not in MATERIALS or not material:
        raise unknown("material", material, [name for name in MATERIALS if name])
    row = claims.loc[claim]
    verdict = _blank(claim, row)
    if samples is None:
        if not note:
            raise OptionError(f"{claim} cannot be tested without a reason; say why in note")
        verdict = replace(verdict, outcome=UNTESTABLE, note=note, numbers=_plain(numbers))
    else:
        verdict = replace(verdict, material=material, note=note, numbers=_plain(numbers), seeds=[int(seed) for seed in seeds])
        verdict = _decided(verdict, samples if isinstance(samples, Mapping) else {row["unit"]: samples}, statistic)
    return _recorded(verdict)


def _blank(claim: str, row: pd.Series) -> Verdict:
    same = {name: row[name] for name in ("paper", "kind", "sample", "direction", "unit", "place", "test")}
    return Verdict(
        claim, text=row["claim"], outcome=UNTESTED, threshold=float(row["threshold"]), reported=row["reported_support"], **same
    )


def _decided(verdict: Verdict, samples: Mapping[str, Samples], statistic: Callable | None) -> Verdict:
    """Estimate every part, and decide the claim."""
    if not samples:
        raise OptionError(f"{verdict.claim} has no part; give samples, or None and the reason why it cannot be tested")
    found = {name: _estimate(verdict, part, statistic) for name, part in samples.items()}
    trainings = verdict.sample == "trainings"
    sides = {name: outcome(part, verdict.direction, verdict.threshold, trainings=trainings) for name, part in found.items()}
    said = together(sides)
    deciding = [name for name, side in sides.items() if side == said]
    weakest = min(deciding, key=lambda name: margin(found[name].effect, verdict.direction, verdict.threshold))
    part = found[weakest]
    return replace(
        verdict,
        outcome=said,
        effect=part.effect,
        interval=(part.low, part.high) if part.images > 1 or part.seeds > 1 else None,
        weakest=weakest,
        parts={name: asdict(one) for name, one in found.items()},
        images=min(one.images for one in found.values()),
    )


def _estimate(verdict: Verdict, samples: Samples, statistic: Callable | None) -> Estimate:
    """Estimate one part; a statistic may have the seeds in its columns, so the named seeds count."""
    if verdict.sample == "exact":
        return exact(samples)
    found = estimate(np.asarray(samples, dtype=float), statistic)
    if found.seeds and found.seeds != len(verdict.seeds):
        raise OptionError(
            f"{verdict.claim} has samples of {found.seeds} seeds and names {len(verdict.seeds)}; name each seed once"
        )
    return replace(found, seeds=len(verdict.seeds))


def _plain(numbers: Mapping[str, Any] | None) -> dict[str, float | int | str]:
    return {name: value.item() if hasattr(value, "item") else value for name, value in (numbers or {}).items()}


def _recorded(verdict: Verdict) -> Verdict:
    _GIVEN[verdict.claim] = verdict
    if folder := os.environ.get(FOLDER_VARIABLE):
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_atomically(Path(folder) / f"{verdict.claim}.json", json.dumps(asdict(verdict), indent=1).encode())
    return verdict


def given(paper: str) -> dict[str, Verdict]:
    """Return the verdicts on a paper that this process has given, by claim."""
    return {claim: verdict for claim, verdict in _GIVEN.items() if verdict.paper == paper}


# ------------------------------------------------------------------------------------------------------ ledger


def ledger(folder: str | Path | None = None) -> pd.DataFrame:
    """Collect every claim with its verdict.

    It is ``"not tested yet"`` where no chapter has tested the claim.

    Args:
        folder: Holds the records of all chapters, one folder each; by default the book builder's.

    Returns:
        By id: paper, kind, claim, verdict, effect (with interval and unit, in words), samples, material, place, chapter, and
        record, all fields of the `Verdict`.
    """
    folder = Path(folder or os.environ.get(FOLDER_VARIABLE, ".")).parent if folder is None else Path(folder)
    found, chapters = {}, {}
    for path in sorted(folder.glob("*/*.json")):
        record = json.loads(path.read_text())
        found[record["claim"]], chapters[record["claim"]] = record, path.parent.name
    rows = {}
    for claim, row in all_claims().iterrows():
        record = asdict(_blank(claim, row)) | found.get(claim, {})
        measured = record["effect"] is not None
        rows[claim] = {
            "paper": row["paper"],
            "kind": row["kind"],
            "claim": row["claim"],
            "verdict": record["outcome"],
            "effect": f"{written(parts_of(record)[record['weakest']])} {record['unit']}" if measured else "",
            "samples": sizes(record) if measured else "",
            "material": record["material"],
            "place": row["place"],
            "chapter": chapters.get(claim, ""),
            "record": record,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")


@dataclass(frozen=True)
class Entries:
    """Show a box for each claim of a ledger, with an anchor that pages link to.

    Args:
        ledger: What `ledger` returns.
    """

    ledger: pd.DataFrame

    def _repr_html_(self) -> str:
        return "\n".join(box(row["record"], name=anchor(claim), chapter=row["chapter"]) for claim, row in self.ledger.iterrows())
