"""Show how shipped weights were trained, and what recorded studies of trainings say.

A study has a row for each training, so several rows have one name: a seed each.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from mffrepro.data import load_regions
from mffrepro.data.conditions import photograph_of
from mffrepro.errors import OptionError
from mffrepro.models.weights import card
from mffrepro.report.evidence import estimate
from mffrepro.report.figures import loss_curves
from mffrepro.report.interval_chart import numbers
from mffrepro.report.style import Shown
from mffrepro.report.tables import plain
from mffrepro.runtime import Profile
from mffrepro.training.recipes import recipe
from mffrepro.training.studies import table_path
from mffrepro.training.trainer import train

#: What the table of a training shows, in this order.
FACTS = ("data", "device", "date", "seconds", "seed", "parameters", "best_epoch", "note", "licence")
#: Columns of studies that hold whole numbers, some of which may be missing.
WHOLE = ("epochs", "epochs to 99 %", "parameters", "samples")


def training_table(names: Sequence[str], *, caption: str = "") -> Styler:
    """Tabulate how shipped weights were trained.

    Args:
        names: Weights such as ``"tlcnn.default"``, one column each.
        caption: Above the table.
    """
    facts = {}
    for name in names:
        made = card(name)
        facts[name] = {key.replace("_", " "): made[key] for key in FACTS if made.get(key, "") != ""}
        shares = [value for key, value in made["final"].items() if key.startswith("val_") and key.endswith("accuracy")]
        if shares:
            facts[name]["validation accuracy"] = ", ".join(f"{share:.2%}" for share in shares)
    return plain(pd.DataFrame(facts).fillna(""), caption=caption)


def training_curves(name: str, *, alt: str, caption: str = "") -> Shown:
    """Draw the training log of shipped weights.

    Args:
        name: Weights such as ``"tlcnn.default"``.
        alt: Alternative text.
        caption: Caption.
    """
    return Shown(loss_curves(card(name)["log"]), alt=alt, caption=caption)


def retrain(network: str, run: Profile) -> Path:
    """Train a network anew on the embedded photographs.

    A chapter does so where its reader asks for it. The recipe is ``practical``, and ``smoke`` in the quick profile. The run
    folder lies in the working directory.

    Args:
        network: A name of `mffrepro.training.recipes.RECIPES`, such as ``"gacn"``.
        run: Parameters of the chapter.

    Returns:
        The run folder.
    """
    photographs = load_regions("embedded")
    folder = Path(f"retrained-{network}-{time.time_ns()}")
    chosen = recipe(network, run.pick(quick="smoke", full="practical"))
    train(chosen, {"train": photographs, "val": photographs}, folder, seed=run.seed, device=run.device)
    return folder


def first_epoch(values: Sequence[float], level: float) -> float:
    """Find the first epoch whose value reaches a level.

    It is counted from 1, and infinity where no epoch does.
    """
    reached = np.flatnonzero(np.asarray(values, float) >= level)
    return float(reached[0]) + 1 if len(reached) else float("inf")


def read_study(name: str) -> pd.DataFrame:
    """Read the recorded table of a study of trainings.

    Args:
        name: A study of `mffrepro.training.studies`, such as ``"icacs18"``.

    Returns:
        One row per training, indexed by the first column; the trainings of several seeds have one name.
    """
    return pd.read_csv(table_path(name), index_col=0)


def of_same_seeds(study: pd.DataFrame, *rows: str) -> pd.DataFrame:
    """Select kinds of training, and of them the seeds that all have.

    Some kinds of a study may have been trained with more seeds than others.

    Args:
        study: What `read_study` returns.
        rows: Kinds of training.
    """
    kept = study.loc[[*rows]]
    trained = kept.groupby("seed").size()
    return kept[kept["seed"].map(trained) == len(rows)]


def study_files(name: str, kind: str, *columns: str) -> dict[Any, dict[int, pd.DataFrame]]:
    """Read the files that a study recorded for its trainings.

    Args:
        name: A study of `mffrepro.training.studies`, such as ``"overfitting"``.
        kind: Column that holds the paths: ``"curve"``, training logs with a row per epoch, or ``"scores"``, a row per stack.
        columns: Columns that tell the rows of one seed apart, such as ``"change"``.

    Returns:
        By row and seed: the file as a table. A row is named by its value in one column, or by a tuple of those in several.
        Trainings whose file was not recorded are left out.

    Raises:
        OptionError: These columns do not tell the rows of a seed apart.
    """
    path = table_path(name)
    table = pd.read_csv(path, keep_default_na=False)
    if table.duplicated([*columns, "seed"]).any():
        raise OptionError(f"several rows of {path.name} are the same in {', '.join(columns)} and seed; name more columns")
    found: dict[Any, dict[int, pd.DataFrame]] = {}
    for _, row in table.sort_values("seed", kind="stable").iterrows():
        if not row[kind]:
            continue
        key = row[columns[0]] if len(columns) == 1 else tuple(row[list(columns)])
        found.setdefault(key, {})[int(row["seed"])] = pd.read_csv(path.parent / row[kind])
    return found


def on_stacks(metric: str, **chosen: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Make the measure of `paired_by_seed` that reads the score of each photograph.

    Stacks that were made of one photograph give their mean, since they are no independent samples.

    Args:
        metric: Column of the scores.
        chosen: Values of other columns; only rows with these count, such as ``data="real"``.

    Returns:
        From the scores of a training to a series over the photographs; stacks without such a score are left out.
    """

    def measure(scores: pd.DataFrame) -> pd.Series:
        rows = (scores[list(chosen)] == pd.Series(chosen, dtype=object)).all(axis=1)
        found = scores[rows].set_index("stack")[metric].dropna()
        return found.groupby(found.index.map(photograph_of), sort=False).mean()

    return measure


def paired_by_seed(
    first: Mapping[int, pd.DataFrame], second: Mapping[int, pd.DataFrame], measure: Callable[[pd.DataFrame], float | pd.Series]
) -> tuple[list[int], np.ndarray]:
    """Subtract what one training shows from what another shows, seed by seed.

    Args:
        first: Logs, or scores, of one kind of training by seed.
        second: Those of the other.
        measure: From a log to a number, or from scores to a series over photographs, as of `on_stacks`.

    Returns:
        The seeds that both have, and second minus first: (seeds, 1), or (seeds, photographs) with NaN where one lacks one.
    """
    seeds = [seed for seed in first if seed in second]
    return seeds, np.array([np.atleast_1d(measure(second[seed]) - measure(first[seed])) for seed in seeds])


def epochs_until(values: Sequence[float], level: float) -> float:
    """Count the epochs until a level is reached.

    It is one more than there are where the level never is.
    """
    return min(first_epoch(values, level), len(values) + 1)


def later_to_share(
    first: Mapping[int, pd.DataFrame], second: Mapping[int, pd.DataFrame], share: float = 0.9
) -> tuple[list[int], np.ndarray]:
    """Count how many epochs later one training reaches a share of the best overlap.

    Each seed has its own level, because it has its own validation pairs: the share of the best overlap of its two trainings.

    Args:
        first: Logs of one kind of training by seed.
        second: Logs of the other.
        share: Share of the best overlap, 0 to 1.

    Returns:
        The seeds that both have, and epochs of the second minus those of the first, as `epochs_until` counts them, (seeds, 1).
    """
    seeds = [seed for seed in first if seed in second]
    overlaps = [(first[seed]["val_iou"], second[seed]["val_iou"]) for seed in seeds]
    levels = [share * max(one.max(), other.max()) for one, other in overlaps]
    waits = [[epochs_until(b, level) - epochs_until(a, level)] for (a, b), level in zip(overlaps, levels, strict=True)]
    return seeds, np.array(waits, dtype=float)


def gained_by_choice(study: pd.DataFrame, metric: str) -> pd.Series:
    """Compute how much each choice adds to the score of the practical recipe.

    Args:
        study: A row per training: ``changed``, the choice, empty for the practical recipe; ``seed``; and the metric.
        metric: Column of the scores.

    Returns:
        The difference between two trainings of one seed, by choice.
    """
    practical = study[study["changed"] == ""].set_index("seed")[metric]
    others = study[study["changed"] != ""].set_index("changed")
    return others[metric] - others["seed"].map(practical)


def choice_table(
    choices: Mapping[str, Mapping[int, pd.DataFrame]],
    metrics: Sequence[str] | Mapping[str, Callable[[pd.DataFrame], pd.Series]],
    *,
    caption: str,
) -> Styler:
    """Tabulate what each choice adds to the practical recipe, with 95 % intervals.

    Args:
        choices: Scores of each pair by choice and seed, as of `study_files`; the practical recipe has no name.
        metrics: Columns of the scores; or headings, each with a measure such as `on_stacks` makes.
        caption: Above the table.
    """
    measures = metrics if isinstance(metrics, Mapping) else {metric: on_stacks(metric) for metric in metrics}
    rows = {
        changed: {name: numbers(estimate(paired_by_seed(choices[""], trained, measure)[1])) for name, measure in measures.items()}
        for changed, trained in choices.items()
        if changed
    }
    return plain(pd.DataFrame.from_dict(rows, orient="index"), caption=caption)


def final_gap(log: pd.DataFrame) -> float:
    """Compute validation loss minus training loss after the last epoch."""
    return float(log["val_total"].iloc[-1] - log["train_total"].iloc[-1])


def study_origin(study: pd.DataFrame) -> str:
    """Say when, on what, for how long and with which data a study was trained."""
    made = []
    for device, rows in study.groupby("device", sort=False):
        seeds = "seeds" if rows["seed"].nunique() > 1 else "seed"
        made.append(f"{_listed(rows, 'date')} on {device} ({seeds} {_listed(rows, 'seed')})")
    budget = f"{_listed(study, 'epochs')} epochs of {_listed(study, 'samples')} pairs of {_listed(study, 'data')}"
    return f"recorded {' and '.join(made)}, {budget}"


def _listed(rows: pd.DataFrame, column: str) -> str:
    return ", ".join(map(str, sorted(rows[column].unique())))


def study_table(study: pd.DataFrame, columns: Sequence[str], *, caption: str) -> Styler:
    """Tabulate columns of a study, a row for each name.

    The number of trainings has a column of its own where it is not the same for all names.

    Args:
        study: What `read_study` returns.
        columns: Names of columns of numbers.
        caption: Above the table.
    """
    rows = study.groupby(level=0, sort=False)
    table = pd.DataFrame({name: rows[name].agg(mean_text) for name in columns})
    if rows.size().nunique() > 1:
        table.insert(0, "trainings", rows.size())
    return plain(table, caption=caption).set_properties(**{"white-space": "nowrap !important"})


def mean_text(values: pd.Series) -> str:
    """Write the mean over the seeds, and half of their range.

    Args:
        values: One number per seed; its name tells whether they are counts. Seeds without a number are named.

    Returns:
        Such as ``"0.7576 ± 0.0008"``; the number alone where all seeds have the same, and a dash where none has one.
    """
    known = values.dropna()
    if known.empty:
        return "–"
    half, digits = np.ptp(known) / 2, 0 if values.name in WHOLE else 4
    text = f"{known.mean():.{digits}f}" if half == 0 else f"{known.mean():.{max(digits, 1)}f} ± {half:.{max(digits, 1)}f}"
    return text + (f" ({len(known)} of {len(values)} seeds)" if len(known) < len(values) else "")
