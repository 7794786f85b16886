"""Measure what each repair of a hand-held stack is worth, on made shots whose truth is known.

The repairs are those of ``mffrepro fuse``, in its order. Chapter: 12_your_own_stack.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mffrepro import alignment
from mffrepro.alignment.geometry import offset, shift
from mffrepro.data.handheld import Shots
from mffrepro.errors import ImageError
from mffrepro.images import FocusStack
from mffrepro.images.balance import balance
from mffrepro.images.checks import find_outliers
from mffrepro.images.hot_pixels import fill_hot_pixels
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate

#: Repairs in the order in which they are made -> what tables call them.
STEPS = {"checks": "leaving out", "hot": "hot pixels", "align": "alignment", "balance": "balance"}
#: Pixels at the borders of an aligned stack that `fuse_without` does not show: other steps crop a little differently.
INSET = 8


@dataclass(frozen=True, eq=False)
class Prepared:
    """Hold a stack that was repaired, and how to find its truth.

    Attributes:
        stack: The frames, with the sharp scene as reference.
        transforms: (n, 3, 3), from each frame to pixels of the stack; None where nothing was aligned.
        frames: Numbers of the frames that were kept, from 0.
    """

    stack: FocusStack
    transforms: np.ndarray | None
    frames: tuple[int, ...]


def prepare(shots: Shots, steps: Collection[str] = tuple(STEPS)) -> Prepared:
    """Repair a hand-held stack.

    Args:
        shots: Frames and truth.
        steps: Keys of `STEPS`; all by default.

    Raises:
        ImageError: The frames cannot be aligned; the sentence names one.
    """
    frames, images, transforms = tuple(range(len(shots.images))), shots.images, None
    if "checks" in steps:  # a displaced frame belongs to the stack if it is going to be aligned
        outliers = {one.index for one in find_outliers(images, registered="align" not in steps)}
        frames = tuple(n for n in frames if n not in outliers)
        images = images[list(frames)]
    if "hot" in steps:
        images, _ = fill_hot_pixels(images)
    stack = FocusStack("shots", images)
    if "align" in steps:
        found = alignment.estimate(stack, names=[f"frame {n + 1}" for n in frames])
        stack, transforms = alignment.apply(stack, found), cropped(found, images.shape[1:3])
    if "balance" in steps:
        stack = replace(stack, images=balance(stack.images)[0])
    return Prepared(shots.with_truth(stack, transforms, frames), transforms, frames)


def cropped(transforms: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Make transforms to the pixels of a stack that `mffrepro.align` cropped.

    Args:
        transforms: (N, 3, 3) of `mffrepro.alignment.estimate`.
        shape: (H, W) of the frames.
    """
    rows, columns = alignment.common_area(transforms, shape)
    return shift(-columns.start, -rows.start) @ transforms


def placement_errors(shots: Shots, transforms: np.ndarray | None = None, frames: Sequence[int] | None = None) -> np.ndarray:
    """Measure how far each frame of a stack lies off the place where it should be.

    Args:
        shots: Frames and truth.
        transforms: (n, 3, 3), from each frame to the pixels of the stack; None for frames that were left in place.
        frames: Numbers of its frames; all by default.

    Returns:
        (n,) pixels, the root mean square over the frame of its distance from the mean of all.
    """
    back = np.linalg.inv(shots.pose(transforms, frames))
    shape = shots.images.shape[1:3]
    return np.array([offset(back @ one, shape) for one in shots.to_scene(transforms, frames)])


def depth_errors(depth: np.ndarray, truth: np.ndarray, confidence: np.ndarray | None = None) -> pd.DataFrame:
    """Measure how far a depth map lies off the truth, in frames.

    Args:
        depth: (H, W), numbers of the sharpest frame.
        truth: (H, W), of `Shots.true_depth`.
        confidence: (H, W); with it each quarter of the pixels is measured too, from the least confident to the most.

    Returns:
        A row for all pixels and one for each quarter: ``median error``, ``mean error``, and ``within half a frame``, a share.
    """
    errors = np.abs(depth - truth)
    groups = {"all pixels": np.ones(truth.shape, bool)}
    if confidence is not None:
        place = confidence.ravel().argsort(kind="stable").argsort(kind="stable").reshape(truth.shape)
        names = ("least confident quarter", "second quarter", "third quarter", "most confident quarter")
        groups |= {name: place * 4 // truth.size == n for n, name in enumerate(names)}
    rows = {
        name: {
            "median error": np.median(errors[chosen]),
            "mean error": errors[chosen].mean(),
            "within half a frame": (errors[chosen] < 0.5).mean(),
        }
        for name, chosen in groups.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def without_one() -> dict[str, tuple[str, ...]]:
    """List all steps but one: label -> steps."""
    return {f"without: {title}": tuple(other for other in STEPS if other != name) for name, title in STEPS.items()}


def one_by_one() -> dict[str, tuple[str, ...]]:
    """List the steps one after the other: label -> steps so far."""
    names = tuple(STEPS)
    return {"as shot": ()} | {f"+ {STEPS[name]}": names[: n + 1] for n, name in enumerate(names)}


def fuse_without(shots: Shots, method: str) -> dict[str, np.ndarray]:
    """Fuse a hand-held stack with every repair, and without one of them.

    Args:
        shots: Frames and truth.
        method: Name.

    Returns:
        Label -> image of one size: the same part of each, to a pixel. The sharp scene comes first.
    """
    whole = prepare(shots)
    target = shots.pose(whole.transforms, whole.frames)
    height, width = (side - 2 * INSET for side in whole.stack.images.shape[1:3])

    def part(image: np.ndarray, prepared: Prepared) -> np.ndarray:
        corner = np.linalg.inv(shots.pose(prepared.transforms, prepared.frames)) @ target @ [INSET, INSET, 1]
        left, top = np.rint(corner[:2]).astype(int)
        return image[top : top + height, left : left + width]

    pictures = {"truth": part(whole.stack.reference, whole), "every step": part(fuse(whole.stack, method).image, whole)}
    for label, steps in without_one().items():
        prepared = prepare(shots, steps)
        pictures[label] = part(fuse(prepared.stack, method).image, prepared)
    return pictures


def score_steps(shots: Shots, methods: Sequence[str], metric: str = "psnr") -> pd.DataFrame:
    """Score fusions of a hand-held stack after some of its repairs.

    Args:
        shots: Frames and truth.
        methods: Names.
        metric: Name of a metric that needs a reference.

    Returns:
        A row for each entry of `one_by_one` and `without_one`, a column for each method; NaN where the frames cannot be aligned.
    """
    scores = {steps: _score(shots, steps, methods, metric) for steps in {**one_by_one(), **without_one()}.values()}
    return pd.DataFrame({label: scores[steps] for label, steps in {**one_by_one(), **without_one()}.items()}).T


def _score(shots: Shots, steps: Collection[str], methods: Sequence[str], metric: str) -> dict[str, float]:
    try:
        stack = prepare(shots, steps).stack
    except ImageError:
        return dict.fromkeys(methods, np.nan)
    return {name: evaluate(stack, fuse(stack, name), [metric])[metric] for name in methods}
