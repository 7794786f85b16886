"""Fuse a long stack in slabs: groups of consecutive frames first, then their results, as macro photographers do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from mffrepro.errors import OptionError
from mffrepro.images import FocusStack, Shares, from_unit
from mffrepro.images.frames import stack_of
from mffrepro.progress import portion

#: What a fusion gives: the image, and the shares of the sources or None; of some methods also the depth.
Fused = tuple
#: Share of a slab that it has in common with the next.
OVERLAP = 0.25


def slabs_of(count: int, size: int) -> list[range]:
    """Divide frames into overlapping slabs of one size.

    Args:
        count: Number of frames.
        size: Frames of a slab, at least 2 and under `count`. A quarter of them, at least one, is in the next slab too; the last
            slab reaches back as far as it must.

    Raises:
        OptionError: `size` is no whole number of at least 2.
    """
    if not isinstance(size, (int, np.integer)) or size < 2:
        raise OptionError(f"slabs is {size}; give the number of frames of a slab, at least 2")
    step = size - max(1, int(OVERLAP * size))
    starts = [*range(0, count - size, step), max(0, count - size)]
    return [range(start, min(count, start + size)) for start in starts]


def fuse_in_slabs(stack: FocusStack, fuse: Callable[[FocusStack], Fused], size: int) -> Fused:
    """Fuse each slab of a stack, and then the results.

    Args:
        stack: N images.
        fuse: Fuses a stack.
        size: Frames of a slab; where the stack has no more, it is fused at once.

    Returns:
        The image, and the share of each frame: its share of the slabs, times theirs of the image. Where the stack is fused at
        once, what `fuse` returns.

    Raises:
        OptionError: `size` is no whole number of at least 2.
    """
    slabs = slabs_of(len(stack), size)
    if len(slabs) == 1:
        return fuse(stack)
    found: list[Shares | np.ndarray | None] = []

    def results() -> Iterator[np.ndarray]:
        for number, slab in enumerate(slabs):
            with portion(number / (len(slabs) + 1), (number + 1) / (len(slabs) + 1)):
                image, shares, *_ = fuse(
                    replace(stack, images=stack.images[slab.start : slab.stop], reference=None, decision=None)
                )
            found.append(shares)
            yield from_unit(image, stack.images.dtype)

    fused = replace(stack, images=stack_of(results(), stack.images), reference=None, decision=None)
    with portion(len(slabs) / (len(slabs) + 1), 1):
        image, shares, *_ = fuse(fused)
    return image, None if shares is None else Shares.of_planes(_through(slabs, shares, found, len(stack)))


def _through(slabs: Sequence[range], shares: Sequence[np.ndarray], of_slabs: Sequence, count: int) -> Iterator[np.ndarray]:
    for frame in range(count):
        pairs = zip(slabs, shares, of_slabs, strict=True)
        yield sum(share * inside[frame - slab.start] for slab, share, inside in pairs if frame in slab)
