"""Measure what the two readings of StackMFF-V2 are worth: the authors' and the repaired one, in both orders of the frames."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mffrepro.benchmarks.handheld import depth_errors
from mffrepro.data.conditions import DepthStack
from mffrepro.data.handheld import Shots
from mffrepro.images import FocusStack
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate

#: Label of each reading, and the option that asks for it.
READINGS = {"as published": True, "repaired": False}


class Readings(NamedTuple):
    """Hold scores and depth maps.

    Attributes:
        table: A row per reading and order: ``psnr``, ``ssim``, the columns of `depth_errors`, and ``changed``, the share of the
            pixels that come from another frame than in the order from near to far.
        depth: Depth (H, W) by reading, of the order from near to far.
    """

    table: pd.DataFrame
    depth: dict[str, np.ndarray]


def compare_readings(shots: Shots, *, weights: str = "default", device: str = "auto") -> Readings:
    """Fuse a stack with known depth by both readings, in both orders.

    Args:
        shots: Frames without faults, from near to far.
        weights: Those of stackmff.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        DataError: The weights cannot be fetched.
    """
    last, truth = len(shots.images) - 1, shots.true_depth(shots.images.shape[1:3])
    rows, depths = {}, {}
    for reading, as_published in READINGS.items():
        chosen = None
        for order, step in (("near to far", 1), ("far to near", -1)):
            stack = shots.with_truth(FocusStack(order, np.ascontiguousarray(shots.images[::step])))
            result = fuse(stack, "stackmff", weights=weights, device=device, as_published=as_published)
            frame = result.shares.main if step == 1 else last - result.shares.main.astype(int)
            depth = result.depth if step == 1 else last - result.depth
            chosen = frame if chosen is None else chosen
            scores = evaluate(stack, result, ["psnr", "ssim"])
            rows[reading, order] = scores | depth_errors(depth, truth).iloc[0].to_dict() | {"changed": (frame != chosen).mean()}
            depths.setdefault(reading, depth)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["reading", "order"])
    return Readings(table, depths)


def score_readings(made: Iterable[DepthStack], *, weights: str = "default", device: str = "auto") -> pd.DataFrame:
    """Score both readings on stacks of several scenes.

    Args:
        made: Stacks of known depth.
        weights: Those of stackmff.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Returns:
        A row per reading, a column per stack: PSNR in decibels.
    """
    found = {}
    for one in made:
        results = {
            reading: fuse(one.stack, "stackmff", weights=weights, device=device, as_published=as_published)
            for reading, as_published in READINGS.items()
        }
        found[one.name] = {reading: evaluate(one.stack, result, ["psnr"])["psnr"] for reading, result in results.items()}
    return pd.DataFrame(found)


def frames_used(image: np.ndarray, count: int, *, weights: str = "default", device: str = "auto") -> dict[str, Sequence[int]]:
    """List the frames that each reading takes pixels from if all frames are equal."""
    stack = FocusStack("equal", np.stack([image] * count))
    chosen = {
        reading: fuse(stack, "stackmff", weights=weights, device=device, as_published=as_published).shares.main
        for reading, as_published in READINGS.items()
    }
    return {reading: np.unique(frame).tolist() for reading, frame in chosen.items()}
