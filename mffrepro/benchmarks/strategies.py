"""Measure what the strategies for many images ask of a comparer.

A strategy extracts features of single images and decides between the features of two. `Traced` records these calls, so that
their number is observed and not assumed. What a strategy saves is compared with what its number of calls predicts (A4.20).

References: [ma2022gacn], section 3.6. Chapter: 14_many_images.
"""

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from mffrepro.fusion.multi_image import Comparer, UnitImages, combine
from mffrepro.images import FocusStack, FusionResult, from_unit, to_unit
from mffrepro.metrics import evaluate
from mffrepro.models.gacn import GacnComparer
from mffrepro.models.gacn.ranking import rank, winners

KINDS = ("extract", "decide")


@dataclass(frozen=True)
class Call:
    """Record one call of a comparer.

    Attributes:
        kind: ``"extract"`` or ``"decide"``.
        text: For an extraction, the number of the source from 1, or ``"fused"``.
        inputs: Numbers of the calls whose results it needed.
        seconds: How long it took.
    """

    kind: str
    text: str
    inputs: tuple[int, ...]
    seconds: float


class Traced:
    """Record what a strategy asks of a comparer, and how long each call takes.

    Args:
        comparer: The `mffrepro.fusion.multi_image.Comparer` that answers.
        images: The sources, the very arrays that will be fused.
    """

    def __init__(self, comparer: Comparer, images: Sequence[np.ndarray]) -> None:
        self._comparer, self.images = comparer, images
        self._calls: list[Call] = []
        self._origins: list[tuple[weakref.ref, int]] = []  # an array of each set of features, and the call that made it

    def __getattr__(self, name: str) -> Any:
        """Answer everything else, such as options, as the comparer does."""
        return getattr(self._comparer, name)

    def extract(self, image: np.ndarray) -> Any:
        """Extract features, and record it.

        An image that is no source was fused by the decision before.
        """
        number = next((i + 1 for i, source in enumerate(self.images) if source is image), None)
        features = self._timed("extract", str(number or "fused"), () if number else (len(self._calls) - 1,), image)
        self._remember(features)
        return features

    def decide(self, first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
        """Decide between two sets of features, and record it."""
        inputs = [call for features in (first, second) for call in self._calls_of(features)]
        return self._timed("decide", "", tuple(dict.fromkeys(inputs)), first, second)

    def blend(self, first: Any, second: Any, final: np.ndarray) -> Any:
        """Blend two sets of features; the result stems from the last decision."""
        features = self._comparer.blend(first, second, final)
        self._remember(features)
        return features

    @property
    def calls(self) -> list[Call]:
        """All calls, in their order.

        Extractions that no decision names were merged into what the last decision was given.
        """
        used = {i for call in self._calls for i in call.inputs}
        merged = [i for i, call in enumerate(self._calls) if call.kind == "extract" and i not in used]
        *before, last = self._calls
        return [*before, replace(last, inputs=tuple(sorted({*last.inputs, *merged})))] if last.kind == "decide" else self._calls

    def count(self, kind: str) -> int:
        """Count the calls of one kind."""
        return sum(call.kind == kind for call in self._calls)

    def seconds(self, kind: str) -> float:
        """Return the median time of the calls of one kind: the first ones are slower."""
        return float(np.median([call.seconds for call in self._calls if call.kind == kind]))

    def _timed(self, kind: str, text: str, inputs: tuple[int, ...], *arguments: Any) -> Any:
        started = time.perf_counter()
        answer = getattr(self._comparer, kind)(*arguments)
        self._calls.append(Call(kind, text, inputs, time.perf_counter() - started))
        return answer

    def _remember(self, features: Any) -> None:
        self._origins.append((weakref.ref(_array_of(features)), len(self._calls) - 1))

    def _calls_of(self, features: Any) -> list[int]:
        return [call for reference, call in self._origins if reference() is _array_of(features)][-1:]


def _array_of(features: Any) -> Any:
    """Return the first array of a set of features, which identifies it."""
    return features[0] if isinstance(features, tuple) else features


# ---------------------------------------------------------------------------------------------------- measuring


class Attempt(NamedTuple):
    """Hold the result of a fusion and the calls that made it."""

    result: FusionResult
    trace: Traced


def strategies_of(comparer: Comparer) -> list[str]:
    """List the strategies that a comparer can follow.

    Only some comparers blend features, and only GACN ranks images.
    """
    names = ["serial", "calibration"]
    names += ["carry"] * hasattr(comparer, "blend")
    return names + ["rank"] * isinstance(comparer, GacnComparer)


def attempt(stack: FocusStack, comparer: Comparer, strategy: str) -> Attempt:
    """Fuse a stack by one strategy and record every call of the comparer.

    Args:
        stack: N >= 2 images.
        comparer: Compares two images.
        strategy: A name in `mffrepro.fusion.multi_image.STRATEGIES`, or ``"rank"``, which only GACN can follow.

    Raises:
        OptionError: There is no such strategy.
    """
    images = [to_unit(image) for image in stack.images]
    trace = Traced(comparer, images)
    started = time.perf_counter()
    fused, decision = rank(images, trace) if strategy == "rank" else combine(images, trace, strategy)
    seconds = time.perf_counter() - started
    trace.images = ()  # only the calls are kept
    return Attempt(FusionResult(from_unit(fused, stack.images.dtype), decision, seconds, strategy), trace)


def compare_strategies(
    stack: FocusStack, comparers: Mapping[str, Comparer], *, repeats: int = 2
) -> dict[tuple[str, str], Attempt]:
    """Fuse a stack with every comparer by every strategy that it can follow.

    Args:
        stack: N >= 3 images.
        comparers: Name -> comparer.
        repeats: How often to fuse; the fastest counts.

    Returns:
        (name, strategy) -> result and calls; serial fusion is the first of each name.
    """
    keys = [(name, strategy) for name, comparer in comparers.items() for strategy in strategies_of(comparer)]
    rounds = [  # all strategies in turn, so that a machine that is busy for a while slows all of them
        {(name, strategy): attempt(stack, comparers[name], strategy) for name, strategy in keys} for _ in range(repeats)
    ]
    return {key: min((made[key] for made in rounds), key=lambda one: one.result.seconds) for key in keys}


class Sloped:
    """Decide by the logits of another comparer at another slope.

    Nothing smooths the maps.

    Args:
        comparer: Its logits decide.
        slope: Factor k of the logits before the sigmoid, > 0.
    """

    def __init__(self, comparer: Comparer, slope: float) -> None:
        self._comparer, self.slope = comparer, slope
        self.extract, self.blend = comparer.extract, comparer.blend

    def decide(self, first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the map (H, W) of the slope, and the logit."""
        _, logit = self._comparer.decide(first, second)
        return expit(self.slope * logit), logit


def choices(images: Sequence[np.ndarray], comparer: GacnComparer, slopes: Sequence[float]) -> dict[float, dict[str, np.ndarray]]:
    """Choose an image at each pixel by Eq. 19 of GACN, and by ranking.

    Args:
        images: N >= 3 of (H, W) or (H, W, 3), any depth.
        comparer: GACN.
        slopes: Slopes of the maps in Eq. 19.

    Returns:
        Slope -> ``"ranking"``, the same for all, and ``"Eq. 19"``: numbers (H, W) of images, from 1.
    """
    images = UnitImages(images)
    ranked = winners(map(comparer.extract, images), comparer) + 1
    by_slope = {}
    for slope in slopes:
        _, shares = combine(images, Sloped(comparer, slope), "calibration")
        by_slope[slope] = {"ranking": ranked, "Eq. 19": shares.main + 1}
    return by_slope


def saved_runs(
    stack: FocusStack,
    comparers: Mapping[str, Comparer],
    strategy: str = "calibration",
    *,
    runs: int = 5,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, np.ndarray]:
    """Time a strategy and serial fusion in turn, several times.

    Args:
        stack: N >= 3 images.
        comparers: Name -> comparer.
        strategy: As for `attempt`.
        runs: Pairs of runs, after one that warms up.
        clock: Returns seconds. Processor time hardly depends on what else a machine does; on a GPU take `time.perf_counter`.

    Returns:
        Name -> share of the time of serial fusion that was saved, (runs,).
    """
    saved: dict[str, list[float]] = {name: [] for name in comparers}
    for _ in range(runs + 1):
        for name, comparer in comparers.items():
            spent = {}
            for way in ("serial", strategy):
                started = clock()
                attempt(stack, comparer, way)
                spent[way] = clock() - started
            saved[name].append(1 - spent[strategy] / spent["serial"])
    return {name: np.array(shares[1:]) for name, shares in saved.items()}


def share_saved(trace: Traced, serial: Traced, cost: Mapping[str, float]) -> float:
    """Compute the share of the cost of serial fusion that fewer calls save.

    Args:
        trace: The calls of the strategy.
        serial: The calls of serial fusion.
        cost: Cost of one call of each kind, ``"extract"`` and ``"decide"``: seconds, or operations.
    """
    spent, before = (sum(calls.count(kind) * cost[kind] for kind in KINDS) for calls in (trace, serial))
    return 1 - spent / before


def tabulate_strategies(
    stack: FocusStack, attempts: Mapping[tuple[str, str], Attempt], metrics: Sequence[str] = ("qg", "sf", "psnr")
) -> pd.DataFrame:
    """Tabulate time, calls, saving and scores of every strategy.

    Args:
        stack: The stack that was fused.
        attempts: What `compare_strategies` returns.
        metrics: Names of metrics.

    Returns:
        A row per comparer and strategy: ``seconds`` per image, the calls of each kind, ``saved``: share of the time of serial
        fusion that was saved, ``predicted``: the same by the number of calls and the median time of a call in serial fusion
        (A4.20), and the metrics.
    """
    rows = {}
    for (name, strategy), (result, trace) in attempts.items():
        serial = attempts[name, "serial"]
        cost = {kind: serial.trace.seconds(kind) for kind in KINDS}
        rows[name, strategy] = {
            "seconds": result.seconds / len(stack),
            "extractions": trace.count("extract"),
            "decisions": trace.count("decide"),
            "saved": 1 - result.seconds / serial.result.seconds,
            "predicted": share_saved(trace, serial.trace, cost),
            **evaluate(stack, result, list(metrics)),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def compare_orders(stack: FocusStack, forward: Mapping[str, Attempt], comparer: Comparer) -> pd.DataFrame:
    """Compare fusing a stack from its first image with fusing it from its last.

    Args:
        stack: The stack that was fused, with a reference.
        forward: Strategy -> fusion from the first image.
        comparer: The comparer that made these fusions.

    Returns:
        A row per strategy: PSNR of both fusions against the reference, and of one against the other, infinite where they are
        equal.
    """
    reversed_stack = replace(stack, images=stack.images[::-1], decision=None)
    rows = {}
    for strategy, made in forward.items():
        first, last = made.result.image, attempt(reversed_stack, comparer, strategy).result.image
        rows[strategy] = {
            "from the first": evaluate(stack, first, ["psnr"])["psnr"],
            "from the last": evaluate(stack, last, ["psnr"])["psnr"],
            "one against the other": evaluate(stack, last, ["psnr"], reference=first)["psnr"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")
