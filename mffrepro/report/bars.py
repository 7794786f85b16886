"""Compare a method with bars that were set before it was trained: better than every other method, or as good as one of them.

Chapter: 11_lessons.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from mffrepro.data.conditions import CONDITIONS
from mffrepro.report.evidence import Estimate, estimate
from mffrepro.report.interval_chart import numbers
from mffrepro.report.paired import cube
from mffrepro.report.tables import plain
from mffrepro.report.whole_stacks import wide


@dataclass(frozen=True)
class Bar:
    """Hold a bar, and how far a method is from it.

    Attributes:
        what: What is measured, and on what.
        rival: The method that is compared with.
        lead: Lead over the rival, more being better.
        allowed: By how much the lead may fall short of 0.
        surely: Whether the whole interval must lie above the bar, or the mean alone.
    """

    what: str
    rival: str
    lead: Estimate
    allowed: float = 0.0
    surely: bool = True

    @property
    def reached(self) -> bool:
        """Tell whether the bar is reached."""
        return (self.lead.low if self.surely else self.lead.effect) > -self.allowed


def above_all(table: pd.DataFrame, ours: str, quantity: str, conditions: Sequence[str] = tuple(CONDITIONS)) -> list[Bar]:
    """Compare a method with the best other one on whole stacks of each condition.

    Its own variants, such as ``focal.crisp``, are no rivals.

    Args:
        table: The measurement ``whole_stacks``.
        ours: Method.
        quantity: ``"psnr"`` or ``"ssim"``.
        conditions: Keys of `mffrepro.data.conditions.CONDITIONS`.
    """
    arranged, bars = wide(table, quantity), []
    for condition in conditions:
        scores = arranged[condition].unstack("scene").dropna()
        others = [name for name in scores.index if name.partition(".")[0] != ours]
        rival = scores.loc[others].mean(axis=1).idxmax()
        lead = estimate((scores.loc[ours] - scores.loc[rival]).to_numpy())
        bars.append(Bar(f"{quantity.upper()}, {CONDITIONS[condition].title}", rival, lead))
    return bars


def as_good_as(rows: pd.DataFrame, ours: str, rival: str, metrics: Sequence[str], allowed: float, where: str) -> list[Bar]:
    """Compare a method with another one on pairs, metric by metric.

    Args:
        rows: Long format with the columns stack, method, metric and value.
        ours: Method.
        rival: Method.
        metrics: Names of metrics of which more is better.
        allowed: By how much the mean may be lower.
        where: Name of the pairs.
    """
    scores = cube(rows, [ours, rival], metrics)
    leads = (scores[0] - scores[1]).T
    named = zip(metrics, leads, strict=True)
    return [Bar(f"{name} on {where}, {ours}", rival, estimate(one), allowed, surely=False) for name, one in named]


def share_of_error(errors: pd.Series, ours: str, share: float, what: str) -> Bar:
    """Compare an error with a share of that of the best other method.

    Args:
        errors: Method -> error of one stack.
        ours: Method.
        share: Share that is asked for.
        what: What is measured.
    """
    rival = errors.drop(ours).idxmin()
    lead = float(share * errors[rival] - errors[ours])
    return Bar(what, rival, Estimate(lead, lead, lead), surely=False)


def bar_table(bars: Sequence[Bar], *, caption: str) -> Styler:
    """Tabulate bars, and whether they are reached."""
    rows = [
        {"bar": bar.what, "against": bar.rival, "lead": numbers(bar.lead)}
        | {"asked for": f"{'interval' if bar.surely else 'mean'} above {0 - bar.allowed:g}"}
        | {"reached": "yes" if bar.reached else "no"}
        for bar in bars
    ]
    return plain(pd.DataFrame(rows).set_index("bar"), caption=caption)


def beyond_sources(fused: np.ndarray, sources: np.ndarray) -> int:
    """Compute by how many levels a fused image leaves the range of its sources.

    Args:
        fused: (H, W[, 3]) uint8.
        sources: (N, H, W[, 3]) uint8.

    Returns:
        The largest distance of any value.
    """
    fused, low, high = (x.astype(int) for x in (fused, sources.min(0), sources.max(0)))
    return int(max((low - fused).max(), (fused - high).max(), 0))
