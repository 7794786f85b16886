"""Prepare the stack of a command: leave out frames that do not belong, fill hot pixels, align, even out the light, and say so."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mffrepro.cli.align import Alignment, aligned
from mffrepro.errors import ImageError, OptionError

if TYPE_CHECKING:
    import numpy as np

    from mffrepro.images import FocusStack, Shares

#: Change of light from the trend of the stack, as a factor, from which a note suggests to balance.
NOTICEABLE = 1.05


@dataclass(frozen=True)
class Preparation:
    """Say what is done to a stack before it is fused.

    Attributes:
        checks: Leave out frames that do not belong.
        balance: Bring all frames to the same light.
        hot_pixels: Fill pixels that stand out in every frame.
        alignment: How to align the frames; None leaves them where they are.
    """

    checks: bool = True
    balance: bool = False
    hot_pixels: bool = False
    alignment: Alignment | None = None


class Prepared(NamedTuple):
    """Hold a stack that is ready for its fusion.

    Attributes:
        stack: The frames that are left, as they are to be fused.
        credit: Gives the shares of a fusion to the frames that the pixels come from.
        kept: Numbers of the frames that are left, from 0.
    """

    stack: "FocusStack"
    credit: "Callable[[Shares], Shares]"
    kept: Sequence[int]


def prepare(stack: "FocusStack", names: Sequence[str], how: Preparation) -> Prepared:
    """Prepare a stack for its fusion; everything that changes it is a warning.

    Args:
        stack: N images.
        names: What warnings call them.
        how: What to do.

    Raises:
        OptionError: Hot pixels are to be filled in a stack of too few images.
        ImageError: Under two frames show anything, or they cannot be aligned; the sentence names one.
    """
    numbered = [f"frame {n} ({Path(name).name})" for n, name in enumerate(names, 1)]
    kept, given = range(len(stack)), len(stack)
    if how.checks:  # a displaced frame belongs to the stack if it is going to be aligned
        stack, kept = _without_outliers(stack, names, registered=how.alignment is None)
        numbered = [numbered[i] for i in kept]
    if how.hot_pixels:  # before frames move: these pixels belong to the sensor
        stack = _without_hot_pixels(stack)
    credit = _as_it_is
    if how.alignment is not None:
        stack, transforms = aligned(stack, numbered, how.alignment, kept=kept, given=given)
        credit = _as_it_is if how.alignment.crop else partial(_credited, transforms)
    is_one_scene = how.checks and how.alignment is None and _is_one_scene(stack, numbered)
    if is_one_scene:
        _suggest_alignment(stack, numbered)
    if how.balance:
        stack = _balanced(stack)
    elif how.checks and (is_one_scene or how.alignment is not None):
        _suggest_balance(stack)
    return Prepared(stack, credit, kept)


def _is_one_scene(stack: "FocusStack", names: Sequence[str]) -> bool:
    """Warn where so few frames are unlike each other that nobody can say which is wrong, or are equal."""
    from mffrepro.images.checks import LEAST_FRAMES, find_strangers

    if len(stack) >= LEAST_FRAMES:
        return True
    if strangers := find_strangers(stack.images):
        first, second = (names[n] for n in strangers)
        warnings.warn(f"{first} and {second} hardly show the same scene; check the files", stacklevel=4)
    elif len(stack) == 2 and (stack.images[0] == stack.images[1]).all():
        warnings.warn(f"{names[1]} repeats {names[0]}; there is nothing to fuse", stacklevel=4)
    return strangers is None


def _as_it_is(shares: "Shares") -> "Shares":
    return shares


def _credited(transforms: "np.ndarray", shares: "Shares") -> "Shares":
    from mffrepro.alignment import credit_source

    return credit_source(shares, transforms)


def _without_outliers(stack: "FocusStack", names: Sequence[str], *, registered: bool) -> "tuple[FocusStack, Sequence[int]]":
    from mffrepro.images.checks import find_outliers

    outliers = find_outliers(stack.images, registered=registered)
    if not outliers:
        return stack, range(len(stack))
    if len(stack) - len(outliers) < 2:
        reasons = " and ".join(f"{names[one.index]} {one.reason}" for one in outliers)
        raise ImageError(f"{reasons}, and nothing is left to fuse; give two photographs at least (--no-checks keeps all)")
    for one in outliers:
        warnings.warn(f"{names[one.index]} {one.reason}; it is left out (--no-checks keeps it)", stacklevel=4)
    left_out = {one.index for one in outliers}
    kept = [i for i in range(len(stack)) if i not in left_out]
    stack = replace(stack, images=stack.images[kept], alpha=None if stack.alpha is None else stack.alpha[kept])
    return stack, kept


def _without_hot_pixels(stack: "FocusStack") -> "FocusStack":
    from mffrepro.images.hot_pixels import LEAST_FRAMES, fill_hot_pixels

    if len(stack) < LEAST_FRAMES:
        raise OptionError(f"--hot-pixels needs {LEAST_FRAMES} images or more, {len(stack)} are left; leave it out")
    images, count = fill_hot_pixels(stack.images)
    warnings.warn(f"{count} hot pixels found and filled" if count else "no hot pixels found", stacklevel=4)
    return replace(stack, images=images)


def _balanced(stack: "FocusStack") -> "FocusStack":
    import numpy as np

    from mffrepro.images.balance import balance

    images, gains = balance(stack.images)
    changed = int((gains != 1).any(1).sum())
    if changed:
        warnings.warn(
            f"light of {changed} of {len(stack)} frames changed by factors from {np.min(gains):.3g} to {np.max(gains):.3g}",
            stacklevel=4,
        )
    return replace(stack, images=images)


def _suggest_alignment(stack: "FocusStack", names: Sequence[str]) -> None:
    from mffrepro.alignment import misalignment

    if off := misalignment(stack, names=names):
        warnings.warn(f"{off}; add --align", stacklevel=4)


def _suggest_balance(stack: "FocusStack") -> None:
    import numpy as np

    from mffrepro.images.balance import exposures

    logs = np.log(exposures(stack.images))
    most = np.exp(np.abs(logs).max())
    if most > NOTICEABLE:
        count = int((np.abs(logs).max(1) > np.log(NOTICEABLE)).sum())
        how_much = f"up to {most - 1:.0%}" if most < 2 else f"factors up to {most:.1f}"
        warnings.warn(
            f"the light of {count} of {len(stack)} frames differs from the others' by {how_much}; add --balance",
            stacklevel=4,
        )
