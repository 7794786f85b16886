"""Registered focal stacks of several kinds of subject, from the embedded photographs, with the sharp image as reference.

Methods err in different places, so which of them to choose depends on the subject. Each photograph becomes each kind of subject
by another relief, number of frames, or light; the lens is `mffrepro.data.lens`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mffrepro.data.dataset import Dataset
from mffrepro.data.embedded import outlined_scene
from mffrepro.data.lens import focal_stack, sharpest_slice
from mffrepro.data.outlines import OUTLINES
from mffrepro.errors import OptionError, unknown
from mffrepro.images import FocusStack, from_unit, to_unit

#: Radius of the largest circle of confusion, as a share of the longer side.
DEFOCUS = 0.025


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Describe a kind of subject.

    Attributes:
        title: What tables call it.
        gap: Depth between the object in front and what is behind it, where 1 is the depth of the whole scene; 0 is one surface.
        frames: Number of frames, evenly spread from near to far.
        noise: Standard deviation of the noise in each frame, in levels of 255.
    """

    title: str
    gap: float
    frames: int
    noise: float = 1.0


SUBJECTS = {
    "surface": Subject(title="tilted surface", gap=0.0, frames=8),
    "object": Subject(title="object before a background", gap=0.5, frames=8),
    "pair": Subject(title="object and background, two frames", gap=1.0, frames=2),
    "sparse": Subject(title="object, too few frames", gap=0.5, frames=3),
    "noisy": Subject(title="object, high ISO", gap=0.5, frames=8, noise=6.0),
}


def subject_stacks(kind: str, *, size: int = 320, seed: int = 1) -> Dataset:
    """Make a data set of one kind of subject.

    It has a stack for each of the five photographs with an outline.

    Args:
        kind: A key of `SUBJECTS`.
        size: Longer side in pixels, at most.
        seed: Of the noise.

    Returns:
        A data set whose stacks have a reference without noise, and the true decision.

    Raises:
        OptionError: An unknown kind, or a size under 64.
    """
    if kind not in SUBJECTS:
        raise unknown("kind of subject", kind, SUBJECTS)
    if size < 64:
        raise OptionError(f"size is {size}; give 64 or more")
    makers: dict[str, Callable[[], FocusStack]] = {
        f"{name}_{kind}": partial(_photograph, name, kind, size, seed + n) for n, name in enumerate(OUTLINES)
    }
    return Dataset(kind, makers)


def relief(inside: np.ndarray, gap: float) -> np.ndarray:
    """Make the disparities (H, W) of a tilted ground and an object before it.

    Args:
        inside: (H, W) bool, the object.
        gap: Step from the ground to the object; the tilt takes the rest of the depth, the bottom being nearer.

    Returns:
        float32 in [0, 1], larger is nearer.
    """
    tilt = np.linspace(0, 1 - gap, len(inside), dtype=np.float32)[:, None]
    return tilt + np.float32(gap) * inside


def _photograph(name: str, kind: str, size: int, seed: int) -> FocusStack:
    subject = SUBJECTS[kind]
    image, inside = outlined_scene(name, size)
    disparity, settings = relief(inside, subject.gap), np.linspace(1, 0, subject.frames)
    images = focal_stack(image, disparity, settings, DEFOCUS * max(image.shape))
    noise = np.random.default_rng(seed).normal(0, subject.noise / 255, images.shape)
    images = from_unit(np.clip(to_unit(images) + noise, 0, 1), images.dtype)
    return FocusStack(f"{name}_{kind}", images, reference=image, decision=sharpest_slice(disparity, settings))
