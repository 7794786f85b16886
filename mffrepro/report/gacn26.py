"""Gather scores on the 26 pairs of GACN, ours and those of its authors."""

from collections.abc import Mapping, Sequence

import pandas as pd
from pandas.io.formats.style import Styler

from mffrepro.benchmarks import computed_or_recorded
from mffrepro.benchmarks.measurements import by_pair
from mffrepro.report.tables import PRINTED_NAMES, beside, means, method_names, reported, reported_folder
from mffrepro.training.studies.gacn_scores import METRICS as COMPUTED

#: The six metrics of the paper. Q_y is computed with the additional stabiliser of the authors' code, ``qy.gacn``.
METRICS = tuple(name.partition(".")[0] for name in COMPUTED)
#: Metric -> its column in the authors' records.
COLUMNS = {"qg": "Qg", "qy": "Qy", "qncie": "Qncie", "qcb": "Qcb", "fmi_edge": "FMI_EDGE", "fmi_dct": "FMI_DCT"}


def scores(compute: Sequence[str] = ()) -> pd.DataFrame:
    """Read the scores of all methods on the 26 pairs, or compute some anew.

    Args:
        compute: Names of the methods to compute, where the pairs have been fetched.

    Returns:
        As `mffrepro.benchmarks.computed_or_recorded`, for the six metrics of the paper and without empty cells.
    """
    return as_printed(computed_or_recorded("all", "gacn26", COMPUTED, gray="skimage", compute=list(compute)))


def as_printed(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop empty cells, and call the metric ``qy.gacn`` as the paper does, ``qy``."""
    return rows.dropna(subset="value").replace({"metric": dict(zip(COMPUTED, METRICS, strict=True))})


def table1(rows: pd.DataFrame) -> Styler:
    """Put Table 1 as it is printed beside our scores.

    Args:
        rows: What `scores` returns.
    """
    found = means(rows)[[*(name for name in METRICS if name in set(rows["metric"])), "seconds"]]
    names = ["gacn.published", *(name for name in found.index if name != "gacn.published")]
    caption = f"Table 1 and ours on {rows['stack'].nunique()} of 26 pairs. gacn is trained here, gacn.published has the authors' "
    printed = method_names(reported("p004_table1"), PRINTED_NAMES, keep=names)
    return beside(printed, found, caption=caption + "weights")


def pair_scores(
    rows: pd.DataFrame, ours: Sequence[str], theirs: Mapping[str, str], metrics: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Put our scores of every pair beside those that the authors of GACN published.

    Args:
        rows: What `scores` returns.
        ours: Methods to take from `rows`.
        theirs: Method in the authors' records -> label in the tables.
        metrics: Names of metrics.

    Returns:
        Metric -> a table of pairs by methods, for `mffrepro.report.figures.pair_curves`.
    """
    records = pd.read_csv(reported_folder() / "p004_authors_records.csv")
    records = records[records["method"].isin(theirs)].replace({"method": dict(theirs)})
    records["stack"] = records["pair"].str.removeprefix("color_").str.removeprefix("gray_")
    found = {}
    for metric in metrics:
        published = records.pivot(index="stack", columns="method", values=COLUMNS[metric])[list(theirs.values())]
        chosen = rows[(rows["metric"] == metric) & rows["method"].isin(ours)]
        own = chosen.pivot(index="stack", columns="method", values="value")
        found[metric] = own.join(published) if len(own) else published
    return found


def places(rows: pd.DataFrame, method: str) -> tuple[dict[str, int], str]:
    """Find the places of a method among all methods that have every score it has.

    Args:
        rows: What `scores` returns.
        method: Name of the method.

    Returns:
        Metric -> place, 1 for the largest mean; and what was compared, in words. Both are empty where the method has no scores.
    """
    table = rows.pivot(index=["stack", "metric"], columns="method", values="value")
    if method not in table:
        return {}, ""
    table = table.dropna(subset=method).dropna(axis="columns")  # a method without a score drops out, not the pair for all others
    places = table.groupby("metric").mean().rank(axis="columns", ascending=False)[method]
    pairs = table.index.get_level_values("stack").nunique()
    return {name: int(places[name]) for name in METRICS if name in places}, f"{table.shape[1]} methods on {pairs} pairs"


def rivals(rows: pd.DataFrame) -> list[str]:
    """List the other methods of Table 1 that have scores.

    They have the names of this package.

    Args:
        rows: What `scores` returns.
    """
    printed = [PRINTED_NAMES[name] for name in reported("p004_table1").index]
    return [name for name in printed if name != "gacn.published" and name in set(rows["method"])]


#: Rows of Table 1 whose means are those of the authors' records of each pair; CNN-Fuse but for its Q_cb (A4.18).
RECORDED = {
    "DSIFT": "dsift", "MWG": "mwg", "Focus-Stack": "focus_stack", "SR": "sr", "NSCT": "nsct", "CVT": "cvt", "DTCWT": "dtcwt",
    "SF": "sf", "DWT": "dwt", "RP": "rp", "LP": "lp", "Dense-Fuse": "dense_fuse_1e3_l1", "CNN-Fuse": "cnn_fuse",
}  # fmt: skip
#: Rows of Table 1 that are not among them and whose networks have published weights.
PUBLISHED = {name: PRINTED_NAMES[name] for name in ("IFCNN", "U2Fusion", "MFF-GAN", "PMGI")}


def rivals_as_printed(rows: pd.DataFrame, maps: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Gather the scores of the rivals of Table 1 as the paper had them, pair by pair.

    Args:
        rows: What `scores` returns.
        maps: The measurement ``gacn_maps``, for SESF-Fuse with the guided filter of its authors.

    Returns:
        Metric -> a table of pairs by rivals: those of the authors' records, and networks with published weights.
    """
    theirs = pair_scores(rows, list(PUBLISHED.values()), {method: name for name, method in RECORDED.items()}, METRICS)
    names = {method: name for name, method in PUBLISHED.items()}
    sesf = by_pair(maps, "sesf, as published", METRICS)
    return {
        metric: table.loc[table.index.isin(rows["stack"])].rename(columns=names).join(sesf[metric].rename("SESF-Fuse"))
        for metric, table in theirs.items()
    }


#: Curves of Fig. 5: label -> method in the record, or variant of the measurement ``gacn_maps``.
CURVES = {
    "GACN": "gacn.published", "IFCNN": "ifcnn.published", "Dense-Fuse": "densefuse.published", "U2Fusion": "u2fusion.published",
    "MFF-GAN": "mff_gan.published", "PMGI": "pmgi.published", "FusionDN": "fusiondn", "DRPL": "drpl",
}  # fmt: skip
WITHOUT = {
    "CNN-Fuse": "cnn_fuse, cleaned", "CNN-Fuse, raw map": "cnn_fuse, raw", "SESF-Fuse": "sesf, as published",
    "SESF-Fuse, raw map": "sesf, raw",
}  # fmt: skip


def figure5(rows: pd.DataFrame, maps: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Gather the curves of Fig. 5: every network on every pair.

    Maps come with and without post-processing.

    Args:
        rows: What `scores` returns.
        maps: The measurement ``gacn_maps``.

    Returns:
        Metric -> a table of pairs by networks, for `mffrepro.report.figures.pair_curves`.
    """
    found = {}
    for metric in METRICS:
        recorded = rows[rows["metric"] == metric].pivot(index="stack", columns="method", values="value")
        cleaned = maps.pivot(index="stack", columns="variant", values=metric)
        columns = {label: recorded[name] for label, name in CURVES.items() if name in recorded}
        columns |= {label: cleaned[name] for label, name in WITHOUT.items()}
        found[metric] = pd.DataFrame(columns)
    return found
