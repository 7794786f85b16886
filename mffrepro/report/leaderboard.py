"""Decide what the leaderboard ranks, and by which metrics, by rules that are written down."""

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from mffrepro import data, methods
from mffrepro import metrics as quality
from mffrepro.data.conditions import photograph_of
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.images import FocusStack, to_unit
from mffrepro.report import ranks
from mffrepro.report.style import Shown

#: Families of metrics that compare the fused image with its sources; each gives one ranking metric.
FAMILIES = ("gradient", "structure", "phase", "perceptual", "information", "fmi")
#: Methods that are another training of a network that is ranked, and the name under which both are ranked.
SAME_NETWORK = {"tlcolor": "tlcnn"}
#: Share of stacks in which a metric must find each fault.
PASS = 0.8


def left_out(names: Iterable[str], seconds: float) -> dict[str, str]:
    """Find the methods that a page cannot run, with the reason.

    Args:
        names: Methods, or methods and weights: ``"gacn.published"``.
        seconds: Longest time that a pair of 520 x 520 may take, by the method's table row.
    """
    files = data.verify("networks")
    reasons = {}
    for name in names:
        card, weights, _ = methods.parse(name)
        parts = [status for file, status in files.items() if file.startswith(name)]  # a checkpoint may be several files
        if card.seconds > seconds:
            reasons[name] = f"takes about {card.seconds:.0f} s for a pair of 520x520; the limit is {seconds:g} s"
        elif weights != "default" and not all(status in ("ok", "in mirror") for status in parts):
            reasons[name] = "its weights have not been fetched: run `mffrepro data fetch networks`"
    return reasons


def faulty(unit: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Spoil an image in three ways that a metric must notice.

    Args:
        unit: (H, W) or (H, W, 3) in [0, 1].
        rng: Generator of the noise.

    Yields:
        The name of the fault and the spoiled image, clipped to [0, 1].
    """
    yield "noise", (unit + rng.normal(0, 5 / 255, unit.shape)).clip(0, 1)
    blurred = gaussian_blur(unit, 1.0)
    yield "blur", blurred.clip(0, 1)
    yield "sharpened", (2 * unit - blurred).clip(0, 1)


def faults_found(stacks: Iterable[FocusStack], *, seed: int) -> pd.DataFrame:
    """Measure how often each metric finds a spoiled reference worse.

    Args:
        stacks: Each with a reference.
        seed: Seed of the noise.

    Returns:
        Metrics by faults: share of the stacks. Only metrics with a direction have a row.
    """
    rng = np.random.default_rng(seed)
    signs = {card.name: -1 if card.better == "lower" else 1 for card in quality.CARDS if card.better}
    found = []
    for stack in stacks:
        scorer = quality.Scorer(stack)
        unit = to_unit(stack.reference, np.float64)
        intact = scorer(unit)
        for fault, image in faulty(unit, rng):
            spoiled = scorer(image)
            found += [(name, fault, signs[name] * (intact[name] - spoiled[name]) > 0) for name in spoiled if name in signs]
    return pd.DataFrame(found, columns=["metric", "fault", "share"]).pivot_table("share", "metric", "fault", sort=False)


def ranking_metrics(found: pd.DataFrame, recorded: Collection[str] = ()) -> list[str]:
    """Choose the first metric of each family that finds every fault.

    Args:
        found: What `faults_found` returns.
        recorded: Metrics that a recorded run has; only these are chosen, unless there are none.
    """
    passed = [name for name in found.index[(found >= PASS).all(axis=1)] if not recorded or name in recorded]
    families = pd.Series(passed, index=[quality.get(name).family for name in passed], dtype=object)
    first = families[~families.index.duplicated()]
    return [first[family] for family in FAMILIES if family in first]


def mean_over_seeds(results: pd.DataFrame) -> pd.DataFrame:
    """Give the trainings of one network one row for each stack and metric: their mean.

    Two seeds of one network are no rivals, and twice the same method changes the ranks of all others.

    Args:
        results: What `mffrepro.benchmark` returns.

    Returns:
        The rows of all other methods as they are. A network of `SAME_NETWORK` has the name that stands for it; what is no number
        comes from its first training.
    """
    seeds = results["method"].isin([*SAME_NETWORK, *SAME_NETWORK.values()])
    if not seeds.any():
        return results
    return pd.concat([_mean(results[seeds].replace({"method": SAME_NETWORK})), results[~seeds]], ignore_index=True)


def mean_over_photographs(results: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of stacks that were made of one photograph.

    They are no independent samples, so a ranking over the stacks would be too sure.

    Args:
        results: What `mffrepro.benchmark` returns.

    Returns:
        The same columns; ``stack`` names the photograph.
    """
    return _mean(results.assign(stack=results["stack"].map(photograph_of)))


def _mean(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the rows of the same method, stack and metric; what is no number comes from the first."""
    keys = ["method", "stack", "metric"]
    how = {name: "mean" if name in ("value", "seconds") else "first" for name in rows.columns.difference(keys)}
    return rows.groupby(keys, as_index=False, sort=False).agg(how)[rows.columns]


def ranking(
    results: pd.DataFrame, metrics: Sequence[str], name: str, *, seed: int, unit: str = "stacks"
) -> tuple[pd.DataFrame, Shown]:
    """Rank the methods of a benchmark, with intervals and Friedman's test.

    Args:
        results: What `mffrepro.benchmark` returns.
        metrics: Ranking metrics.
        name: Name of the data set, for the caption.
        seed: Seed of the bootstrap.
        unit: What a value of ``stack`` stands for, for the caption.

    Returns:
        Mean, low and high of every method, and the chart of them.
    """
    by_stack = ranks.stack_ranks(results, metrics)
    test = ranks.friedman(by_stack)
    spread = ranks.intervals(by_stack, seed=seed)
    order = spread["mean"].sort_values().index
    caption = (
        f"{name}: {test.stacks} {unit}, {test.methods} methods. Friedman's chi-squared {test.statistic:.0f}, "
        f"p = {test.p:.1g}; critical difference of mean ranks {test.critical:.1f}."
    )
    alt = f"Mean ranks of {test.methods} methods on {name} with their intervals; {order[0]} is first, {order[-1]} last."
    return spread, ranks.rank_chart(spread, test.critical, alt=alt, caption=caption)


def rank_against_reference(results: pd.DataFrame, spread: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Compare the mean ranks with the ranks by PSNR against the reference.

    Args:
        results: What `mffrepro.benchmark` returns, with ``psnr``.
        spread: Mean ranks, as of `ranking`.

    Returns:
        Both mean ranks and their difference, largest first, and Spearman's correlation of the two.
    """
    both = pd.DataFrame({"ranking metrics": spread["mean"], "PSNR": ranks.stack_ranks(results, ["psnr"]).mean()}).dropna()
    both["difference"] = both["PSNR"] - both["ranking metrics"]
    correlation = both["ranking metrics"].corr(both["PSNR"], method="spearman")
    return both.sort_values("difference", ascending=False), float(correlation)
