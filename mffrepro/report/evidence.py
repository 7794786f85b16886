"""Estimate effects from samples, with intervals by a paired bootstrap, and compare them with a threshold.

The draws come from a fixed seed, so the same samples give the same interval. References: [efron1993].
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist
from typing import Literal

import numpy as np

from mffrepro.errors import OptionError, unknown

Direction = Literal["greater", "less", "within"]
#: Fewer images, or seeds where trainings are compared, cannot decide a claim.
MIN_IMAGES = MIN_SEEDS = 5
LEVEL, REPETITIONS, SEED = 0.95, 5000, 1
#: Quantile 0.975 of the normal distribution.
NORMAL_QUANTILE = NormalDist().inv_cdf((1 + LEVEL) / 2)
HOLDS, FAILS, UNDECIDED, UNTESTABLE = "holds", "does not hold", "undecided", "cannot be tested"


@dataclass(frozen=True)
class Estimate:
    """Hold an effect, its 95 % interval, and the sizes of the samples behind it.

    Args:
        effect: Mean, or what the statistic returns.
        low: Lower end of the interval; the effect itself where it is exact.
        high: Upper end of the interval; the effect itself where it is exact.
        images: Number of images; 0 for an exact quantity.
        seeds: Number of seeds that were resampled; 0 without an axis of seeds.
        spread: Largest minus smallest effect of one seed, or of one run; 0 without either.
        wide: Ends of the interval at the level 1 - 0.05 / k, which decides whether one of k parts fails; None for one part.
    """

    effect: float
    low: float
    high: float
    images: int = 0
    seeds: int = 0
    spread: float = 0.0
    wide: tuple[float, float] | None = None


def estimate(samples: np.ndarray, statistic: Callable[[np.ndarray], float] | None = None, *, parts: int = 1) -> Estimate:
    """Estimate an effect and its 95 % percentile interval by a paired bootstrap.

    Images are drawn with replacement, each with all of its values, so pairs stay together. Where there are several seeds, the
    seeds are drawn with replacement too. All seeds saw the same images, so one draw of images serves all drawn seeds. With few
    images or seeds, a percentile interval is somewhat too narrow; that is why the smallest samples never decide (`outcome`).

    Args:
        samples: Without a statistic, paired differences: (images,) or (seeds, images). With one, (images,), (images, columns)
            or (seeds, images, columns).
        statistic: From a sample (images[, columns]) to a number; the mean over the images where it is left out. The effect of
            several seeds is the mean of the statistic over the seeds.
        parts: Number of parts of the claim; more than one widens the interval that a part must miss to fail (Bonferroni).

    Returns:
        The estimate; the interval is that of the drawn effects between their quantiles 0.025 and 0.975, and the wide one between
        0.025 / parts and 1 - 0.025 / parts.

    Raises:
        OptionError: The array has another number of axes, is empty, or holds a value that is not finite.
    """
    values = np.asarray(samples, dtype=float)
    by_seed = values.ndim == (2 if statistic is None else 3)
    if not by_seed and values.ndim not in ((1,) if statistic is None else (1, 2)):
        raise OptionError(
            f"samples have {values.ndim} axes; give (images,) or (seeds, images), and columns only with a statistic"
        )
    if not (values.size and np.isfinite(values).all()):
        raise OptionError(f"samples of shape {values.shape} are empty or hold values that are not finite; leave such images out")
    values = values if by_seed else values[None]
    seeds, images = values.shape[:2]
    per_seed = values.mean(axis=1) if statistic is None else np.array([statistic(one) for one in values])
    drawn = _means(values) if statistic is None else _statistics(values, statistic)
    low, high = _ends(drawn)
    wide = _ends(drawn, parts) if parts > 1 else None
    return Estimate(float(per_seed.mean()), low, high, images, seeds if by_seed else 0, float(np.ptp(per_seed)), wide)


def _ends(drawn: np.ndarray, parts: int = 1) -> tuple[float, float]:
    """Compute the ends of an interval that covers the truth of all parts in 95 % of cases."""
    tail = (1 - LEVEL) / 2 / parts
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)


def _means(values: np.ndarray) -> np.ndarray:
    """Draw means (repetitions,) of an array (seeds, images), by how often each seed and image is drawn."""
    rng = np.random.default_rng(SEED)
    counts = [rng.multinomial(n, np.full(n, 1 / n), size=REPETITIONS) for n in values.shape]
    return np.einsum("rs,si,ri->r", counts[0], values, counts[1], optimize=True) / values.size


def _statistics(values: np.ndarray, statistic: Callable[[np.ndarray], float]) -> np.ndarray:
    """Draw effects (repetitions,) of an array (seeds, images, ...)."""
    rng = np.random.default_rng(SEED)
    seeds, images = values.shape[:2]
    drawn = np.empty(REPETITIONS)
    for i in range(REPETITIONS):
        chosen, rows = rng.integers(seeds, size=seeds), rng.integers(images, size=images)
        drawn[i] = np.mean([statistic(values[seed][rows]) for seed in chosen])
    return drawn


def widened(found: Estimate, shared: tuple[float, float], *, parts: int = 1) -> Estimate:
    """Widen an interval over seeds by an error that all trainings share.

    Such is the choice of the patches that all of them were asked: more seeds do not make it smaller. Both errors are taken as
    independent, so their squares add on either side of the effect.

    Args:
        found: What `estimate` returns.
        shared: How far below and above the effect the shared error reaches, at 95 %; neither is negative.
        parts: As for `estimate`.
    """

    def ends(low: float, high: float, times: float) -> tuple[float, float]:
        below, above = (times * end for end in shared)
        return found.effect - np.hypot(found.effect - low, below), found.effect + np.hypot(high - found.effect, above)

    low, high = ends(found.low, found.high, 1.0)
    times = NormalDist().inv_cdf(1 - (1 - LEVEL) / 2 / parts) / NORMAL_QUANTILE
    return replace(found, low=float(low), high=float(high), wide=ends(*found.wide, times) if found.wide else None)


def exact(value: float) -> Estimate:
    """Wrap a quantity that has no distribution.

    That is a count, a size, or a value of one picture that the claim names.

    Args:
        value: The quantity.

    Raises:
        OptionError: It is an array, or not finite.
    """
    if np.ndim(value) or not np.isfinite(value):
        raise OptionError(
            f"an exact quantity is one finite number, and {value!r} is not; give samples to claims about many images"
        )
    return Estimate(float(value), float(value), float(value))


# ---------------------------------------------------------------------------------------------------- outcomes


def margin(value: float, direction: Direction, threshold: float) -> float:
    """Compute how far a value lies on the claimed side of a threshold.

    The margin is negative on the other side.

    Args:
        value: An effect.
        direction: ``"greater"`` or ``"less"`` than the threshold, or ``"within"`` it of zero on either side.
        threshold: In the unit of the effect.

    Raises:
        OptionError: There is no such direction.
    """
    match direction:
        case "greater":
            return value - threshold
        case "less":
            return threshold - value
        case "within":
            return threshold - abs(value)
    raise unknown("direction", direction, ("greater", "less", "within"))


def standing(found: Estimate, direction: Direction, threshold: float) -> float:
    """Compute the margin of an estimate in standard errors.

    Parts with different units can be compared by it.

    The standard error is that of a normal distribution with the same 95 % interval. An exact quantity has none; its margin counts
    in units of the threshold, or in its own where that is zero.
    """
    error = (found.high - found.low) / (2 * NORMAL_QUANTILE)
    return margin(found.effect, direction, threshold) / (error or abs(threshold) or 1.0)


def outcome(found: Estimate, direction: Direction, threshold: float, *, trainings: bool = False) -> str:
    """Decide a claim from an estimate.

    The claim holds where the whole interval lies on the claimed side, and does not hold where none of it does. For one of
    several parts, none of the wide interval may lie there: with many parts, some would fail by chance. Everything else is
    undecided, and so is an effect nearer to the threshold than seeds or runs are to each other, an effect of fewer than 5 images,
    and, for a claim about trainings, one of fewer than 5 seeds. A claim about trainings may rest on one number for each, such
    as epochs, in place of images. An exact quantity is on one side or on the other.

    Args:
        found: The estimate.
        direction: As for `margin`. ``"within"`` includes the threshold, the others do not.
        threshold: In the unit of the effect.
        trainings: Whether the claim is about trainings.

    Returns:
        ``"holds"``, ``"does not hold"`` or ``"undecided"``.
    """
    side = partial(margin, direction=direction, threshold=threshold)
    per_training = trainings and found.images == 1  # such as epochs
    few_images = found.images < MIN_IMAGES and not per_training
    if found.images and (few_images or (trainings and found.seeds < MIN_SEEDS)):
        return UNDECIDED
    if found.spread and abs(side(found.effect)) <= found.spread:
        return UNDECIDED
    worst = min(side(found.low), side(found.high))
    low, high = found.wide or (found.low, found.high)
    best = threshold if direction == "within" and low < 0 < high else max(side(low), side(high))
    reached = np.greater_equal if direction == "within" else np.greater
    if reached(worst, 0):
        return HOLDS
    return UNDECIDED if reached(best, 0) else FAILS


def together(outcomes: Mapping[str, str]) -> str:
    """Decide a claim of several parts, such as several rivals or metrics.

    It does not hold if any part surely fails, which `estimate` makes harder for many parts. Otherwise it holds if every part
    holds, which needs no correction, and cannot be tested if no part can be. All else is undecided, so a part that cannot be
    tested keeps a claim from holding.
    """
    found = set(outcomes.values())
    if FAILS in found:
        return FAILS
    return next(iter(found)) if found in ({HOLDS}, {UNTESTABLE}) else UNDECIDED
