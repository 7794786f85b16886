"""Focal stacks of known depth under conditions that differ in one thing: frames, noise, a breathing lens, or a missing frame.

The scenes are the motorcycle with its measured depth, and five photographs to whose objects and grounds a depth is drawn. A lens
blurs near things over far ones.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mffrepro.data.embedded import embedded_regions, stereo_scene
from mffrepro.data.handheld import NONE, Faults, photograph
from mffrepro.data.layered import draw_disparity
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack

#: Radius of the largest circle of confusion, as a share of the longer side.
DEFOCUS = 0.025
#: A camera on a tripod in good light.
STEADY = replace(NONE, noise=1.0)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Describe how a stack is taken.

    Attributes:
        title: What tables call it.
        frames: Number of frames, evenly spread from near to far.
        faults: Noise, breathing and the like.
        missing: Number of a frame, from 0, that was not taken.
    """

    title: str
    frames: int = 8
    faults: Faults = STEADY
    missing: int | None = None


CONDITIONS = {
    "frames3": Condition(title="3 frames", frames=3),
    "frames8": Condition(title="8 frames"),
    "frames20": Condition(title="20 frames", frames=20),
    "frames40": Condition(title="40 frames", frames=40),
    "noisy": Condition(title="8 frames, noise", faults=replace(STEADY, noise=6.0)),
    "breathing": Condition(title="8 frames, breathing", faults=replace(STEADY, breathing=0.002)),
    "missing": Condition(title="8 frames, one missing", missing=3),
}


#: What the name of a stack adds to that of its photograph.
MADE = re.compile(rf"_(blur\d+|spread|lens|{'|'.join(CONDITIONS)})$")


@dataclass(frozen=True, eq=False)
class DepthStack:
    """Hold a stack and its true depth.

    Attributes:
        name: Scene and condition.
        stack: Frames from near to far, with the sharp scene as reference.
        depth: (H, W) float32, number of the sharpest frame from 0, with fractions.
    """

    name: str
    stack: FocusStack
    depth: np.ndarray


def photograph_of(stack: str) -> str:
    """Return the name of the photograph, or scene, that a stack was made of.

    Several stacks of one photograph are no independent samples.

    Args:
        stack: Name of a stack of the embedded set, or of a scene under a condition; other names come back as they are.
    """
    return MADE.sub("", stack)


def depth_stacks(condition: str, *, size: int = 320, seed: int = 1) -> Iterator[DepthStack]:
    """Make a stack of each of six scenes under a condition.

    Args:
        condition: A key of `CONDITIONS`.
        size: Longer side of the scenes in pixels; frames are 64 pixels smaller.
        seed: Of depths and noise.

    Raises:
        OptionError: An unknown condition, or a size under 192.
    """
    if condition not in CONDITIONS or size < 192:
        raise OptionError(f"condition={condition!r}, size={size}; give one of {', '.join(CONDITIONS)}, and 192 or more")
    chosen = CONDITIONS[condition]
    kept = [n for n in range(chosen.frames) if n != chosen.missing]
    for number, (name, image, disparity) in enumerate(_scenes(size, seed)):
        shots = photograph(image, disparity, chosen.faults, frames=chosen.frames, seed=seed + number, defocus=DEFOCUS)
        stack = shots.with_truth(FocusStack(f"{name}_{condition}", shots.images[kept]), frames=kept)
        yield DepthStack(stack.name, stack, shots.true_depth(stack.images.shape[1:3], frames=kept))


def _scenes(size: int, seed: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield names, photographs (H, W, 3) and disparities (H, W)."""
    yield "motorcycle", *stereo_scene(size)
    for number, photographed in enumerate(embedded_regions(size)):
        image = photographed.image
        yield photographed.name, image, draw_disparity(photographed, np.random.default_rng((seed, number)))
