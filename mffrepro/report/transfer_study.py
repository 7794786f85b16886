"""Read and show the study of transfer: trainings of the network of tlcnn and tlcolor that differ in one thing, seed by seed.

``mffrepro train study transfer`` records it; `mffrepro.training.studies.transfer` says what its rows are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from mffrepro.benchmarks.scores import directions
from mffrepro.report.evidence import HOLDS, estimate, outcome
from mffrepro.report.figures import banded_panels
from mffrepro.report.style import Shown
from mffrepro.report.tables import plain
from mffrepro.report.trainings import on_stacks, paired_by_seed, study_files, study_origin
from mffrepro.training.studies import table_path
from mffrepro.training.studies.transfer import METRICS, REACHED

#: Features, whether the convolutions are frozen, and the change, as in the table of the study.
Row = tuple[str, str, str]
COLUMNS = ("features", "frozen", "change")
#: Convolutions that learned something before, and random ones of the same shape, all trained further: full width, then slim.
EDGES, RANDOM = ("edges", "no", ""), ("random, full width", "no", "")
TEXTURES, RANDOM_SLIM = ("textures", "no", ""), ("random, slim", "no", "")
#: The papers' five metrics -> 1, or -1 where less is better.
SIGNS: Mapping[str, int] = directions(METRICS).to_dict()
#: Data of the scores: the pairs of Lytro, without a true decision, and made pairs with one.
REAL, MADE = "real", "embedded"


def changed(change: str) -> Row:
    """Name the row of a single change of the slim network that begins with textures."""
    return (TEXTURES[0], TEXTURES[1], change)


def frozen(row: Row) -> Row:
    """Name the row whose first convolutions stay as they begin."""
    return (row[0], "yes", row[2])


def label(row: Row) -> str:
    """Name a row in words."""
    return row[2] or row[0] + ", frozen" * (row[1] == "yes")


@dataclass(frozen=True)
class TransferStudy:
    """Hold what the study recorded, for the seeds that all of its rows have.

    Attributes:
        seeds: These seeds.
        logs: By row and seed, a row per epoch with ``train_`` and ``val_`` losses.
        scores: By row and seed, a row per stack: ``stack``, ``data`` (`REAL` or `MADE`) and metrics.
        described: When and on what it was run, in words.
    """

    seeds: list[int]
    logs: Mapping[Row, Mapping[int, pd.DataFrame]]
    scores: Mapping[Row, Mapping[int, pd.DataFrame]]
    described: str

    def lead(self, row: Row, over: Row, metric: str, data: str = REAL) -> np.ndarray:
        """Compute how much better one row is than another on each pair.

        Args:
            row: The row.
            over: The row that it is compared with.
            metric: A key of `SIGNS`, or ``"mask_iou"`` on made pairs.
            data: `REAL` or `MADE`.

        Returns:
            (seeds, pairs); turned so that more is better.
        """
        _, apart = paired_by_seed(self.scores[over], self.scores[row], on_stacks(metric, data=data))
        return SIGNS.get(metric, 1) * apart

    def leads(self, row: Row, over: Row) -> dict[str, np.ndarray]:
        """Compute `lead` in the five metrics on real pairs, and in overlap on made ones."""
        return {name: self.lead(row, over, name) for name in SIGNS} | {"mask_iou": self.lead(row, over, "mask_iou", MADE)}

    def curves(self, rows: Sequence[Row], column: str) -> dict[str, np.ndarray]:
        """Return a column of the logs by the labels of rows, (seeds, epochs)."""
        return {label(row): np.array([self.logs[row][seed][column] for seed in self.seeds]) for row in rows}


def read_transfer() -> TransferStudy:
    """Read the recorded study of transfer."""
    logs, scores = (study_files("transfer", kind, *COLUMNS) for kind in ("curve", "scores"))
    seeds = sorted(set.intersection(*(set(found) for found in scores.values())))
    logs, scores = ({row: {seed: by_seed[seed] for seed in seeds} for row, by_seed in found.items()} for found in (logs, scores))
    rows = pd.read_csv(table_path("transfer"))
    return TransferStudy(seeds, logs, scores, study_origin(rows[rows["seed"].isin(seeds)]))


def summary_table(study: TransferStudy, rows: Sequence[Row], *, caption: str) -> Styler:
    """Tabulate rows of the study: mean, lowest and highest seed.

    Args:
        study: What `read_transfer` returns.
        rows: The rows.
        caption: Above the table.
    """
    shown = {}
    for row in rows:
        tables, logs = ([found[row][seed] for seed in study.seeds] for found in (study.scores, study.logs))
        reached = [np.flatnonzero(log["val_iou"] >= REACHED) for log in logs]
        shown[label(row)] = {
            "Q_ABF on Lytro": _span([on_stacks("qabf", data=REAL)(table).mean() for table in tables], 4),
            "overlap with the true map, made pairs": _span([on_stacks("mask_iou", data=MADE)(table).mean() for table in tables]),
            "best validation overlap": _span([log["val_iou"].max() for log in logs]),
            "lowest validation loss": _span([log["val_total"].min() for log in logs]),
            f"epochs to an overlap of {REACHED}": ", ".join(str(found[0] + 1) if len(found) else "never" for found in reached),
        }
    return plain(pd.DataFrame(shown).T, caption=caption)


def _span(values: Sequence[float], digits: int = 3) -> str:
    return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def sign(samples: np.ndarray) -> str:
    """Say whether a lead is better, worse or undecided.

    The rule is that of the verdicts.

    Args:
        samples: (seeds, pairs), more is better.
    """
    for word, turned in (("better", samples), ("worse", -samples)):
        if outcome(estimate(turned), "greater", 0, trainings=True) == HOLDS:
            return word
    return "undecided"


def in_words(leads: Mapping[str, np.ndarray]) -> str:
    """List leads by their `sign`.

    The text is like ``"better in qabf, ag; undecided in mi"``, or ``"undecided in all metrics"``.

    Args:
        leads: Name to (seeds, pairs), more is better.
    """
    signs = {name: sign(samples) for name, samples in leads.items()}
    if len(signs) > 1 and len(set(signs.values())) == 1:
        return f"{next(iter(signs.values()))} in all metrics"
    said = {one: ", ".join(name for name in signs if signs[name] == one) for one in ("better", "worse", "undecided")}
    return "; ".join(f"{one} in {names}" for one, names in said.items() if names)


def effect_table(leads: Mapping[str, np.ndarray], *, caption: str) -> Styler:
    """Tabulate leads with their 95 % intervals and the spread of the seeds.

    Args:
        leads: Name to (seeds, pairs), more is better, as of `TransferStudy.leads`.
        caption: Above the table.
    """
    rows = {}
    for name, samples in leads.items():
        found, means = estimate(samples), samples.mean(axis=1)
        rows[name] = {"mean lead": found.effect, "low": found.low, "high": found.high}
        rows[name] |= {"lowest seed": means.min(), "highest seed": means.max(), "result": sign(samples)}
    table = pd.DataFrame(rows).T
    return plain(table.astype({name: float for name in table if name != "result"}), caption=caption)


def learning_curves(study: TransferStudy, panels: Mapping[str, Sequence[Row]], column: str, *, ylabel: str, alt: str) -> Shown:
    """Draw a column of the training logs by epoch, as means within bands.

    Args:
        study: What `read_transfer` returns.
        panels: Title of a panel to the rows in it.
        column: Column of the logs, such as ``"val_iou"``.
        ylabel: What it measures.
        alt: Alternative text.
    """
    lines = {title: study.curves(rows, column) for title, rows in panels.items()}
    epochs = next(iter(next(iter(lines.values())).values())).shape[1]
    caption = f"Not in the paper; {study.described}. Lines are means over the seeds, bands reach from the lowest to the highest."
    return banded_panels(range(1, epochs + 1), lines, xlabel="epoch", ylabel=ylabel, alt=alt, caption=caption)
