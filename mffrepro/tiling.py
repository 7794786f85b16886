"""Work on images piece by piece, in strips of rows that fit into the processor's cache."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

#: Pixels of a strip of a network: on a CPU its feature maps should stay in the cache, on a GPU they should fill the cores.
NETWORK_PIXELS = {"cpu": 2**15, "cuda": 2**21}
#: Minimum ratio of a strip's height to its halo on one side: lower strips compute too many rows twice.
HALO_RATIO = 6
#: By how much `smaller_strips` divides the pixels of a strip.
SMALLER = 16

_divisor: ContextVar[int] = ContextVar("divisor", default=1)


@contextmanager
def smaller_strips() -> Iterator[None]:
    """Let `map_network` use strips of a sixteenth of their usual pixels.

    This is slower and needs so much less memory.
    """
    token = _divisor.set(SMALLER)
    try:
        yield
    finally:
        _divisor.reset(token)


class Strip(NamedTuple):
    """Hold rows of an image, and the same rows with those that they depend on."""

    rows: slice
    with_halo: slice

    def crop(self, x: Any) -> Any:
        """Crop a result (..., rows, W) on `with_halo` to `rows`."""
        start = self.rows.start - self.with_halo.start
        return x[..., start : start + self.rows.stop - self.rows.start, :]


def strips(height: int, width: int, pixels: int, halo: int) -> Iterator[Strip]:
    """Split an image into strips of about `pixels` pixels from top to bottom.

    Each strip has 16 rows or more and an even start.
    """
    count = max(1, min(height // 16, round(height * width / pixels)))
    edges = [height * i // count // 2 * 2 for i in range(count)] + [height]
    for top, bottom in pairwise(edges):
        yield Strip(slice(top, bottom), slice(max(0, top - halo), min(height, bottom + halo)))


def spans(length: int, each: int) -> Iterator[range]:
    """Split ``range(length)`` into ranges of `each` numbers; the last may be shorter."""
    for start in range(0, length, each):
        yield range(start, min(length, start + each))


def map_pixels(function: Callable[..., Sequence[np.ndarray]], *images: np.ndarray, rows: int = 16) -> list[np.ndarray]:
    """Apply a function of single pixels to arrays a few rows at a time.

    What passes between the steps of `function` then stays in the processor's cache: several times as fast as whole images.
    """
    parts = [function(*(image[span.start : span.stop] for image in images)) for span in spans(len(images[0]), rows)]
    return [np.concatenate(results) for results in zip(*parts, strict=True)]


def map_network(network: "Callable[..., Tensor]", inputs: "Sequence[Tensor]", halo: int) -> "Tensor":
    """Apply a network to images a strip of rows at a time.

    This bounds the memory and keeps the network's maps in the cache.

    Args:
        network: Returns one batch of the inputs' height and width, in which no pixel depends on rows further than `halo` away.
        inputs: Batches (B, C, H, W) of one size.
        halo: Rows.
    """
    import torch

    images, _, height, width = inputs[0].shape
    share = _divisor.get()
    pixels = max(NETWORK_PIXELS[inputs[0].device.type] // images, HALO_RATIO * halo * width) // share
    parts = []
    with torch.inference_mode():
        for strip in strips(height, width, pixels, halo):
            rows = [x[..., strip.with_halo, :].contiguous(memory_format=torch.channels_last) for x in inputs]
            parts.append(strip.crop(network(*rows)))
        return torch.cat(parts, 2)
