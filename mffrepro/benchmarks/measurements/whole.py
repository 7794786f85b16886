"""Measure methods on whole stacks of known depth: what the number of frames, noise and gaps change.

Chapter: 09_leaderboard.
"""

import time
from collections.abc import Iterator

import numpy as np

from mffrepro.benchmarks.grid import every_method
from mffrepro.benchmarks.handheld import depth_errors
from mffrepro.benchmarks.measurements import Measurement
from mffrepro.data.conditions import CONDITIONS, DepthStack, depth_stacks
from mffrepro.images import FusionResult, Shares
from mffrepro.methods import fuse, parse
from mffrepro.metrics.scoring import Scorer

#: Seconds that a pair of 520x520 may take: slower methods would need hours.
LIMIT = 2


def all_stacks() -> Iterator[DepthStack]:
    """Make every scene under every condition."""
    for condition in CONDITIONS:
        yield from depth_stacks(condition)


def stacks(made: DepthStack) -> dict[str, dict[str, float]]:
    """Score all methods that are fast enough on a stack.

    Returns:
        Method -> ``psnr``, ``ssim``; ``seconds`` of processor time, which other work on the machine hardly changes; and of
        methods that choose frames ``depth``, the median error in frames, which is not finite for the others.
    """
    scorer = Scorer(made.stack, metrics=["psnr", "ssim"])
    found = {}
    for name in (name for name in every_method() if parse(name)[0].seconds <= LIMIT):
        started = time.process_time()
        result = fuse(made.stack, name)
        seconds = time.process_time() - started
        depth = depth_of(result, len(made.stack))
        error = np.nan if depth is None else depth_errors(depth, made.depth)["median error"].iloc[0]
        found[name] = scorer(result.image) | {"depth": float(error), "seconds": seconds}
    return found


def depth_of(result: FusionResult, count: int) -> np.ndarray | None:
    """Return the depth (H, W) in frames that a result implies.

    Without a depth of its own it is the mean number of the sources by their shares; None without a decision.
    """
    if result.depth is not None or result.shares is None:
        return result.depth
    if isinstance(result.shares, Shares):
        return result.shares.weighted(range(count))
    return np.tensordot(np.arange(count), result.shares, 1)


MEASURED = {"stacks": Measurement(stacks, all_stacks)}
