"""Verdicts: each claim of a paper, what was measured, and whether it holds here.

A chapter hands samples to `judge`, which compares them with the threshold that stands beside the claim in
``data_manifests/papers/claims.csv``. Under ``mffrepro book`` each verdict is also written to a record, and the chapter
``10_claims`` only collects the records.
"""

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import OptionError, unknown
from mffrepro.images import write_atomically
from mffrepro.report.evidence import FAILS, UNDECIDED, UNTESTABLE, Estimate, estimate, exact, outcome, standing, together, widened
from mffrepro.report.interval_chart import numbers as written
from mffrepro.report.pages import anchor
from mffrepro.report.verdict_box import MARKS, SCENES, box, parts_of, sizes, verdict_anchor

#: Where records go; set by the book builder, one folder per chapter.
FOLDER_VARIABLE = "MFFREPRO_RECORDS"

UNTESTED = "not tested yet"
#: All outcomes, in the order of tables.
OUTCOMES = tuple(MARKS)
Scenes = Literal["own", "substitute"]
Samples = np.ndarray | Sequence[float] | float
#: Verdicts of this process, the latest for each claim; `given` lists them.
_GIVEN: dict[str, "Verdict"] = {}


@cache
def all_claims() -> pd.DataFrame:
    """Read the claims of the five papers and our observations on them, by id.

    Columns: paper; kind, ``"claim"`` or ``"observation"``; claim; place in the paper; sample, what the test draws from
    (``"images"``, ``"trainings"`` that saw images, repeated ``"runs"``, or ``"exact"``: nothing is drawn); direction, threshold
    and unit, as for `mffrepro.report.evidence.margin`; test; reported_support, what the paper itself reports; weights, whose the
    tested networks are: ``"paper"``, ``"ours"``, or empty where the claim rests on none; part_thresholds, those of single parts
    with a threshold of their own, as ``"part: -0.02; another part: 0.1"``.
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
        threshold: In the unit of the effect; for parts without a threshold of their own.
        unit: Unit of the effect.
        place: Page, table or section of the paper.
        test: How the claim is tested here.
        reported: What the paper itself reports.
        effect: Effect of the weakest part; None where nothing was measured.
        interval: Ends of its 95 % interval; None where it is exact, one number, or nothing was measured.
        weakest: Name of the part that decides: of those with the outcome, the one farthest from the claimed side, in standard
            errors.
        parts: Name -> fields of `mffrepro.report.evidence.Estimate`.
        thresholds: Part -> its own threshold, for parts that have one.
        untested: Parts of the claim that cannot be tested.
        images: Smallest number of images, or runs, of a part.
        seeds: Seeds of the trainings behind it.
        scenes: ``"own"``, the paper's, or ``"substitute"``; empty where nothing was measured.
        weights: Whose weights the tested networks have: ``"paper"``, ``"ours"``, or empty for none, and where the part that
            refutes the claim is independent of them.
        substituted: Whether the claim fails with weights of this project, and is undecided for that reason.
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
    thresholds: dict[str, float] = field(default_factory=dict)
    untested: list[str] = field(default_factory=list)
    images: int = 0
    seeds: list[int] = field(default_factory=list)
    scenes: str = ""
    weights: str = ""
    substituted: bool = False
    numbers: dict[str, float | int | str] = field(default_factory=dict)
    note: str = ""

    def _repr_html_(self) -> str:
        return box(asdict(self), name=verdict_anchor(self.claim))

    def __repr__(self) -> str:
        return f"{self.claim}: {self.outcome}"


def judge(
    claim: str,
    samples: Samples | Mapping[str, Samples | None] | None,
    *,
    scenes: Scenes = "substitute",
    seeds: Sequence[int] = (),
    statistic: Callable[[np.ndarray], float] | None = None,
    independent: Collection[str] = (),
    shared_errors: Mapping[str, tuple[float, float]] | None = None,
    numbers: Mapping[str, float | int | str] | None = None,
    note: str = "",
) -> Verdict:
    """Give the verdict on a claim from samples.

    It is recorded where the book is being built. A claim that fails with weights of this project is undecided: the failure says
    nothing sure about the network of the paper. A part that does not rest on these weights can still refute the claim.

    Args:
        claim: Id in ``data_manifests/papers/claims.csv``, such as ``"C4.8"``; its direction and threshold stand there.
        samples: Paired differences (images,) or (seeds, images), (seeds, 1) for one number per training, or what `statistic`
            takes; one number where the claim is exact; a mapping of such where the claim has several parts, such as rivals or
            metrics. The claim then holds if every part holds, does not hold if any part surely fails, and is undecided
            otherwise. None in place of a part: this part cannot be tested. None: the claim cannot be.
        scenes: ``"own"`` for the paper's own scenes, else ``"substitute"``.
        seeds: Seeds of the trainings behind the samples, one for each row of (seeds, images).
        statistic: As for `mffrepro.report.evidence.estimate`, for all parts.
        independent: Parts without a network of this project, of a claim that rests on its weights in other parts.
        shared_errors: Part -> how far below and above its effect an error reaches that all trainings share, such as that of the
            patches they were asked; see `mffrepro.report.evidence.widened`.
        numbers: What else was measured, by name.
        note: One sentence: a limit of the test, or why it cannot be done; the latter must be said.

    Raises:
        OptionError: There is no such claim, part or kind of scenes, samples do not fit the kind of the claim, or a reason is
            missing.
    """
    claims = all_claims()
    if claim not in claims.index:
        raise unknown("claim", claim, claims.index)
    if scenes not in SCENES or not scenes:
        raise unknown("kind of scenes", scenes, [name for name in SCENES if name])
    row = claims.loc[claim]
    verdict = _blank(claim, row)
    if samples is None:
        if not note:
            raise OptionError(f"{claim} cannot be tested without a reason; say why in note")
        verdict = replace(verdict, outcome=UNTESTABLE, note=note, numbers=_plain(numbers), weights="")
    else:
        verdict = replace(verdict, scenes=scenes, note=note, numbers=_plain(numbers), seeds=[int(seed) for seed in seeds])
        parts = samples if isinstance(samples, Mapping) else {row["unit"]: samples}
        verdict = _decided(verdict, parts, statistic, independent, shared_errors or {})
    return _recorded(verdict)


def _blank(claim: str, row: pd.Series) -> Verdict:
    same = {name: row[name] for name in ("paper", "kind", "sample", "direction", "unit", "place", "test", "weights")}
    return Verdict(
        claim, text=row["claim"], outcome=UNTESTED, threshold=float(row["threshold"]), reported=row["reported_support"], **same
    )


def part_thresholds(text: str) -> dict[str, float]:
    """Read the thresholds of single parts.

    They are written as ``"over ifcnn: -0.02; over sesf: -0.02"``.

    Raises:
        OptionError: A part has no threshold, or one that is no number.
    """
    try:
        pairs = [item.rsplit(":", 1) for item in text.split(";") if item.strip()]
        return {name.strip(): float(value) for name, value in pairs}
    except ValueError:
        raise OptionError(f"thresholds of parts {text!r} cannot be read; write 'part: number; part: number'") from None


def _decided(
    verdict: Verdict, samples: Mapping[str, Samples | None], statistic: Callable | None, independent: Collection[str],
    shared_errors: Mapping[str, tuple[float, float]],
) -> Verdict:  # fmt: skip
    """Estimate every part that can be tested, and decide the claim."""
    measured = {name: part for name, part in samples.items() if part is not None}
    if not measured:
        raise OptionError(f"{verdict.claim} has no part; give samples, or None and the reason why it cannot be tested")
    found = {name: _estimate(verdict, part, statistic, len(samples)) for name, part in measured.items()}
    if strange := set(shared_errors) - set(found):
        raise unknown("part", min(strange), found)
    found |= {name: widened(found[name], shared, parts=len(samples)) for name, shared in shared_errors.items()}
    own = part_thresholds(all_claims().loc[verdict.claim, "part_thresholds"])
    if missing := set(own) - set(samples):
        raise OptionError(f"{verdict.claim} has a threshold for the part {min(missing)!r}, which was not given; give it, or None")
    limits = {name: own.get(name, verdict.threshold) for name in found}
    trainings = verdict.sample == "trainings"
    sides = {name: outcome(part, verdict.direction, limits[name], trainings=trainings) for name, part in found.items()}
    untested = [name for name in samples if name not in measured]
    said = together(sides | dict.fromkeys(untested, UNTESTABLE))
    deciding = [name for name, side in sides.items() if side == said] or list(sides)
    sure = [name for name in deciding if name in independent]
    substituted = said == FAILS and verdict.weights == "ours" and not sure
    deciding = sure if said == FAILS and sure else deciding
    weakest = min(deciding, key=lambda name: standing(found[name], verdict.direction, limits[name]))
    part = found[weakest]
    return replace(
        verdict,
        outcome=UNDECIDED if substituted else said,
        substituted=substituted,
        weights="" if said == FAILS and sure else verdict.weights,
        effect=part.effect,
        interval=(part.low, part.high) if part.images > 1 or part.seeds > 1 else None,
        weakest=weakest,
        parts={name: asdict(one) for name, one in found.items()},
        thresholds={name: value for name, value in own.items() if name in found},
        untested=untested,
        images=min(one.images for one in found.values()),
    )


def _estimate(verdict: Verdict, samples: Samples, statistic: Callable | None, parts: int) -> Estimate:
    """Estimate one of several parts; samples without an axis of seeds count the seeds that are named."""
    if verdict.sample == "exact":
        return exact(samples)
    found = estimate(np.asarray(samples, dtype=float), statistic, parts=parts)
    if found.seeds and found.seeds != len(verdict.seeds):
        raise OptionError(
            f"{verdict.claim} has samples of {found.seeds} seeds and names {len(verdict.seeds)}; name each seed once"
        )
    if verdict.sample == "runs":  # they share the load of one machine, so that their interval alone would be too narrow
        found = replace(found, spread=float(np.ptp(samples)))
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
        By id: paper, kind, claim, verdict, effect (with interval and unit, in words), samples, scenes, weights, place, chapter,
        and record, all fields of the `Verdict`.
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
            "scenes": record["scenes"],
            "weights": record["weights"] if measured else "",
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
        boxes = [box(row["record"], name=anchor(claim), chapter=row["chapter"]) for claim, row in self.ledger.iterrows()]
        opening = (
            '<div class="mff-ledger" data-noun="claims" data-filters="verdict=outcome paper=paper" '
            'data-hint="words in a claim, its test or its place">'
        )
        return opening + "\n".join(boxes) + "</div>"
