"""Check before a fusion that the memory holds it, so that a sentence comes instead of the end of the process."""

import numpy as np

from mffrepro.errors import ImageError
from mffrepro.images import FocusStack
from mffrepro.images.limits import LARGE, free_memory
from mffrepro.methods_table import MethodCard

#: Values in a pixel whose need the cards state: colour.
_COLOUR = 3


def need(card: MethodCard, shape: tuple[int, ...], frames: int) -> float:
    """Estimate the bytes that a method takes at its peak.

    What the program itself takes comes on top.

    Args:
        card: The method.
        shape: (H, W) or (H, W, 3) of one image.
        frames: How many are fused at once.
    """
    pixels, (fixed, each), (most, at_once) = shape[0] * shape[1], card.memory, card.whole
    if pixels <= most:
        return pixels * at_once
    values = _COLOUR if len(shape) == 3 else max(1.5, _COLOUR / 2)  # gray saves about half: maps of decisions stay
    return pixels * (fixed + each * frames) * values / _COLOUR


def check_memory(card: MethodCard, stack: FocusStack, frames: int) -> None:
    """Raise ImageError where a method needs more memory than is free.

    Args:
        card: The method.
        stack: What it is going to fuse.
        frames: How many images it fuses at once.
    """
    needed = need(card, stack.images.shape[1:], frames)
    if needed < LARGE or needed <= (free := free_memory()):
        return
    height, width = stack.images.shape[1:3]
    _, each = card.memory
    remedy = "use method lp"
    if each and frames > 2:
        remedy = f"use --slabs {max(2, _most_frames(card, stack, free))}, or method lp"
    elif card.name == "lp":
        remedy = "close other programs, or fuse smaller images"
    what = f"{card.name} needs about {_gigabytes(needed)} for {frames} images of {width}x{height}"
    raise ImageError(f"{what}, and {_gigabytes(free)} are free; {remedy}")


def _most_frames(card: MethodCard, stack: FocusStack, free: float) -> int:
    one, two = (need(card, stack.images.shape[1:], frames) for frames in (1, 2))
    return int((free - 2 * one + two) // (two - one)) if two > one else 2


def _gigabytes(size: float) -> str:
    return f"{size / np.float64(1e9):.1f} GB"
