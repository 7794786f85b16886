"""Ranks: who wins how often, how sure that is, and what a method costs.

Scores of different metrics cannot be averaged, ranks can. In each stack every metric ranks the methods, the mean of these ranks
is ranked again, and these are the blocks of Friedman's test: whether a single stack prefers one method says little, whether many
stacks agree can be tested [demsar2006].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from scipy import stats

from mffrepro import metrics as quality
from mffrepro.report.style import ACCENT, PAGE, SECOND, Shown, styled


def oriented(results: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Turn values so that more is better: a row per stack and metric.

    There is one column per method.

    Methods without any value are left out, and so are rows that then lack one: means over different stacks compare nothing.

    Args:
        results: What `mffrepro.benchmark` returns.
        metrics: Names; each must have a direction.
    """
    chosen = results[results["metric"].isin(metrics)]
    table = chosen.pivot(index=["stack", "metric"], columns="method", values="value")[list(chosen["method"].unique())]
    signs = {name: -1.0 if quality.get(name).better == "lower" else 1.0 for name in metrics}
    return table.mul(table.index.get_level_values("metric").map(signs), axis=0).dropna(axis=1, how="all").dropna()


def stack_ranks(results: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Rank every method in every stack by its mean rank over the metrics; 1 is best.

    Args:
        results: What `mffrepro.benchmark` returns.
        metrics: Names; each counts once.

    Returns:
        Stacks by methods; equal methods share the mean of their ranks. Stacks that lack a value somewhere are left out.
    """
    ranked = oriented(results, metrics).rank(axis=1, ascending=False).groupby("stack", sort=False)
    complete = ranked.size() == len(metrics)
    return ranked.mean()[complete].round(9).rank(axis=1)  # 2/3 + 1/3 must equal 1/3 + 2/3


@dataclass(frozen=True)
class Friedman:
    """Hold Friedman's test that all methods are alike, and Nemenyi's difference.

    Nemenyi's test gives the smallest significant gap between two mean ranks.
    """

    stacks: int
    methods: int
    statistic: float
    p: float
    critical: float


def friedman(ranks: pd.DataFrame, alpha: float = 0.05) -> Friedman:
    """Test whether the stacks agree on an order, and how far apart methods must be.

    Args:
        ranks: Stacks by methods, as of `stack_ranks`; at least two stacks and three methods.
        alpha: Probability of a false alarm, over all comparisons of two methods together.

    References:
        [demsar2006]
    """
    stacks, methods = ranks.shape
    statistic, p = stats.friedmanchisquare(*ranks.to_numpy().T)
    spread = stats.studentized_range.ppf(1 - alpha, methods, np.inf) / np.sqrt(2)
    return Friedman(stacks, methods, float(statistic), float(p), float(spread * np.sqrt(methods * (methods + 1) / (6 * stacks))))


def intervals(table: pd.DataFrame, *, seed: int, level: float = 0.95, repetitions: int = 2000) -> pd.DataFrame:
    """Mean of every column and its bootstrap interval over the rows.

    Args:
        table: Stacks by methods.
        seed: Seed of the draws.
        level: Share of the bootstrap means between the two ends.
        repetitions: How many draws of as many rows, with replacement.

    Returns:
        mean, low, high, one row per column of the table.
    """
    values = table.to_numpy()
    draws = np.random.default_rng(seed).integers(len(values), size=(repetitions, len(values)))
    ends = np.quantile(values[draws].mean(axis=1), ((1 - level) / 2, (1 + level) / 2), axis=0)
    return pd.DataFrame({"mean": values.mean(axis=0), "low": ends[0], "high": ends[1]}, index=table.columns)


def rank_chart(spread: pd.DataFrame, critical: float, *, alt: str, caption: str = "") -> Shown:
    """Draw mean ranks with their intervals, best on top.

    A matrix beside them marks the methods that cannot be told apart.

    Args:
        spread: mean, low and high per method, as of `intervals`.
        critical: The difference that counts, as of `friedman`.
        alt: Alternative text.
        caption: Caption.
    """
    spread = spread.sort_values("mean")
    mean = spread["mean"].to_numpy()
    alike = np.abs(mean[:, None] - mean) < critical
    with styled():
        figure = Figure(figsize=(PAGE, 0.23 * len(spread) + 1.0))
        axes, matrix = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        whiskers = mean - spread["low"], spread["high"] - mean
        axes.errorbar(mean, range(len(spread)), xerr=whiskers, fmt="o", color=SECOND, capsize=2)
        axes.set_yticks(range(len(spread)), spread.index)
        axes.set(xlabel="mean rank, 1 is best")
        matrix.imshow(alike, cmap=ListedColormap(["#e6e6e6", ACCENT]), aspect="auto", vmin=0, vmax=1)
        matrix.set(xticks=[], xlabel="orange: not told apart")
        matrix.tick_params(length=0)
        matrix.grid(visible=False)
        axes.set_ylim(len(spread) - 0.5, -0.5)
    return Shown(figure, alt=alt, caption=caption)


# --------------------------------------------------------------------------------------------- quality and time


def pareto(cost: Mapping[str, float], rank: Mapping[str, float]) -> list[str]:
    """List the methods that no other one beats in both cost and rank, cheapest first."""
    front: list[str] = []
    for name in sorted(cost, key=lambda name: (cost[name], rank[name])):
        if not front or rank[name] < rank[front[-1]]:
            front.append(name)
    return front


def price_chart(seconds: Mapping[str, float], rank: Mapping[str, float], *, alt: str, caption: str = "") -> Shown:
    """Draw mean rank against seconds, with a line through the Pareto front.

    Better ranks stand higher; only methods of the front bear their names.

    Args:
        seconds: Per method.
        rank: Per method.
        alt: Alternative text.
        caption: Caption.
    """
    front = pareto(seconds, rank)
    with styled():
        figure = Figure(figsize=(PAGE, 0.6 * PAGE))
        axes = figure.subplots()
        axes.scatter(list(seconds.values()), [rank[name] for name in seconds], color=SECOND, alpha=0.6)
        axes.plot([seconds[name] for name in front], [rank[name] for name in front], "o-", color=ACCENT)
        for i, name in enumerate(front):  # above and below in turn: neighbours on the front may be close
            axes.annotate(name, (seconds[name], rank[name]), (4, (7, -15)[i % 2]), textcoords="offset points")
        axes.set_xscale("log")
        axes.invert_yaxis()
        axes.margins(x=0.15, y=0.12)
        axes.set(xlabel="seconds per fusion", ylabel="mean rank")
    return Shown(figure, alt=alt, caption=caption)


# ------------------------------------------------------------------------------------------------- agreement


def shared_ranks(results: Mapping[str, pd.DataFrame], metrics: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Rank the methods that all data sets have, in every stack of each.

    Args:
        results: What `mffrepro.benchmark` returns, by the name of the data set.
        metrics: Names; each counts once.

    Returns:
        By the name of the data set, stacks by methods, as of `stack_ranks`.
    """
    there = [set(frame.dropna(subset="value")["method"]) for frame in results.values()]
    shared = set.intersection(*there)
    return {name: stack_ranks(frame[frame["method"].isin(shared)], metrics) for name, frame in results.items()}


def carry_over(blocks: Mapping[str, pd.DataFrame], *, seed: int, level: float = 0.95, repetitions: int = 500) -> pd.DataFrame:
    """Correlate the mean ranks of each two data sets, and of two halves of each.

    It is Kendall's tau over the methods. The halves say how well an order repeats among pictures of one kind: two sets whose
    correlation is below that order the methods differently. A half has fewer stacks than a set, which lowers its tau.

    Args:
        blocks: As of `shared_ranks`; at least two stacks each.
        seed: Seed of the draws.
        level: Share of the draws between the two ends.
        repetitions: How many draws: of the stacks of both sets with replacement, or of halves.

    Returns:
        first, second, tau, low, high; a row for each two sets, then one for each set, whose names are equal and whose tau is the
        mean over the draws.
    """
    rng = np.random.default_rng(seed)
    tables = {name: block.to_numpy() for name, block in blocks.items()}
    ends = ((1 - level) / 2, (1 + level) / 2)
    rows = []
    for first, second in combinations(tables, 2):
        a, b = tables[first], tables[second]
        drawn = [_tau(a[rng.integers(len(a), size=len(a))], b[rng.integers(len(b), size=len(b))]) for _ in range(repetitions)]
        rows.append((first, second, _tau(a, b), *np.quantile(drawn, ends)))
    for name, table in tables.items():
        orders = [rng.permutation(len(table)) for _ in range(repetitions)]
        halves = [_tau(table[order[::2]], table[order[1::2]]) for order in orders]
        rows.append((name, name, np.mean(halves), *np.quantile(halves, ends)))
    return pd.DataFrame(rows, columns=["first", "second", "tau", "low", "high"])


def _tau(a: np.ndarray, b: np.ndarray) -> float:
    return float(stats.kendalltau(a.mean(axis=0), b.mean(axis=0)).statistic)


def agreement(results: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Correlate each two metrics over the methods of a stack, averaged over stacks.

    It is Spearman's correlation, by the direction of each metric.

    Args:
        results: What `mffrepro.benchmark` returns.
        metrics: Names; each must have a direction.

    Returns:
        Metrics by metrics, 1 where they order the methods alike, -1 where one reverses the other.
    """
    ranks = oriented(results, metrics).rank(axis=1)
    tables = [block.droplevel("stack").T.corr() for _, block in ranks.groupby("stack", sort=False)]
    return (sum(table.fillna(0) for table in tables) / len(tables)).reindex(index=metrics, columns=metrics)


def lowest(table: pd.DataFrame, count: int = 5) -> pd.Series:
    """List the pairs with the lowest values of a symmetric table.

    Args:
        table: As of `agreement`.
        count: How many pairs.

    Returns:
        Values by pairs of names, lowest first.
    """
    return table.where(np.triu(np.ones(table.shape, bool), 1)).stack().sort_values().head(count)


def contradicted(printed: pd.DataFrame) -> pd.Series:
    """Mark printed ranks that the printed values contradict.

    Args:
        printed: Rows with ``dataset``, ``metric``, ``value``, of which higher is better, and ``rank``, of which 1 is best.

    Returns:
        Whether another row of the same data set and metric has a better rank and a worse value, or the opposite.
    """

    def of_group(group: pd.DataFrame) -> pd.Series:
        value, rank = (group[name].to_numpy() for name in ("value", "rank"))
        crossed = np.subtract.outer(value, value) * np.subtract.outer(rank, rank) > 0
        return pd.Series(crossed.any(axis=1), index=group.index)

    groups = printed.groupby(["dataset", "metric"], sort=False)
    return pd.concat([of_group(group) for _, group in groups]).reindex(printed.index)
