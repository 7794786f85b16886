"""Show how often patch classifiers are wrong, by kind of patch.

Two things can make an error differ. Another seed gives another network: all trainings of a kind are shown by their range. Other
patches are other questions: the interval of Wilson covers that, for the mean over the seeds, and nothing else.

References: [li2018icacs], [liu2017cnn]. Chapters: 05_icacs18, 06_cnnwt.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from mffrepro.report.style import PAGE, SECOND, Shown, styled
from mffrepro.report.tables import plain
from mffrepro.report.trainings import read_study
from mffrepro.training.studies import table_path
from mffrepro.training.studies.patch_errors import wilson
from mffrepro.training.studies.patches import PAIRS, STUDIES

HOW_READ = (
    "Points are means over the seeds, thick lines reach from the best seed to the worst. Thin lines are Wilson's 95 % intervals, "
    f"which cover the choice of the {PAIRS} pairs and not the seeds."
)


def read_errors(name: str) -> pd.DataFrame:
    """Read the errors of all trainings of a study.

    Args:
        name: A study of patch classifiers: ``"icacs18"``, ``"cnn_fuse"`` or ``"cnnwt"``.

    Returns:
        One row per training, kind of patch and classifier, with the columns of
        `mffrepro.training.studies.patch_errors.errors_by_kind`, ``network`` and ``seed``. A network of two classifiers has two
        names, ``"NAME, SHOWN"``. Networks stand in the order of the study.
    """
    tables = []
    for label, row in read_study(name).loc[list(STUDIES[name].changes)].iterrows():
        table = pd.read_csv(table_path(name).parent / row["errors"])
        names = label if table["shown"].nunique() == 1 else label + ", " + table["shown"]
        tables.append(table.assign(network=names, seed=row["seed"]))
    return pd.concat(tables, ignore_index=True)


def over_seeds(errors: pd.DataFrame) -> pd.DataFrame:
    """Summarise the errors of all seeds.

    Args:
        errors: What `read_errors` returns.

    Returns:
        By kind and network, in the order of `errors`: ``error``, the mean over the seeds; ``least`` and ``most``, its range over
        them; ``low`` and ``high``, Wilson's 95 % interval of the mean, in which a pair counts once. All are shares.
    """
    groups = errors.groupby(["kind", "network"], sort=False)
    found = groups["error"].agg(error="mean", least="min", most="max")
    pairs = groups["answers"].first() // 2
    order = [pd.Index(errors[name].unique(), name=name) for name in ("kind", "network")]
    found, pairs = (table.reindex(pd.MultiIndex.from_product(order)) for table in (found, pairs))
    ends = [wilson(share, count) for share, count in zip(found["error"], pairs, strict=True)]
    return found.assign(low=[low for low, _ in ends], high=[high for _, high in ends])


def telling_kinds(found: pd.DataFrame, *, least: float = 0.002) -> list[str]:
    """Name the kinds of patch that some network gets wrong.

    Args:
        found: What `over_seeds` returns.
        least: Smallest mean error, as a share, that counts.
    """
    worst = found["error"].groupby(level="kind", sort=False).max()
    return list(worst[worst >= least].index)


def error_points(found: pd.DataFrame, kinds: Sequence[str], *, alt: str, caption: str = "") -> Shown:
    """Draw the errors of all networks, a panel per kind of patch.

    A point is the mean over the seeds, a thick line their range, a thin line Wilson's interval.

    Args:
        found: What `over_seeds` returns.
        kinds: Kinds to show.
        alt: Alternative text.
        caption: Caption; how to read the chart is added.
    """
    networks = list(found.index.unique("network"))
    lines = -(-len(kinds) // 2)
    with styled():
        figure = Figure(figsize=(PAGE, (0.24 * len(networks) + 0.9) * lines))
        panels = figure.subplots(lines, 2, sharey=True, squeeze=False).ravel()
        for axes, kind in zip(panels, kinds, strict=False):
            rows, y = 100 * found.loc[kind].reindex(networks), np.arange(len(networks))
            axes.hlines(y, rows["low"], rows["high"], color=SECOND, linewidth=1)
            axes.hlines(y, rows["least"], rows["most"], color=SECOND, linewidth=5, alpha=0.5)
            axes.plot(rows["error"], y, "o", color=SECOND, markersize=5)
            axes.set(title=kind, xlabel="wrong answers in %", yticks=y)
            axes.set_yticklabels(networks, fontsize=9)
            axes.set_xlim(left=0)
        panels[0].invert_yaxis()
        for unused in panels[len(kinds) :]:
            unused.set_axis_off()
    return Shown(figure, alt=alt, caption=f"{caption} {HOW_READ}")


def error_table(found: pd.DataFrame, kinds: Sequence[str], *, caption: str) -> Styler:
    """Tabulate the numbers of `error_points` in per cent.

    Args:
        found: What `over_seeds` returns.
        kinds: Kinds to show.
        caption: Above the table.
    """
    heads = {"error": "wrong", "least": "best seed", "most": "worst seed", "low": "patches, from", "high": "patches, to"}
    return plain((100 * found.loc[list(kinds)]).rename(columns=heads), caption=caption, digits=2)
