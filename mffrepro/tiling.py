"""Images in pieces: strips of rows that fit into the processor's cache, and pieces on several cores at once."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np


def in_threads(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """``[function(item) for item in items]``, in that order, on up to four cores: NumPy, OpenCV and SciPy let go of the
    interpreter lock while they compute. What ``np.errstate`` says here holds there too."""
    context = copy_context()
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda item: context.copy().run(function, item), items))


class Strip(NamedTuple):
    """Rows of an image, and the rows around them that they depend on."""

    rows: slice
    with_halo: slice

    def inner(self, x: Any) -> Any:
        """Of a result (..., rows, W) on `with_halo` the part that is right, which is that on `rows`."""
        start = self.rows.start - self.with_halo.start
        return x[..., start : start + self.rows.stop - self.rows.start, :]


def strips(height: int, width: int, pixels: int, halo: int) -> Iterator[Strip]:
    """Strips of about that many pixels that cover an image from top to bottom; at least 16 rows each, an even start."""
    count = max(1, min(height // 16, round(height * width / pixels)))
    edges = [height * i // count // 2 * 2 for i in range(count)] + [height]
    for top, bottom in pairwise(edges):
        yield Strip(slice(top, bottom), slice(max(0, top - halo), min(height, bottom + halo)))


def in_strips(function: Callable[..., Sequence[np.ndarray]], *images: np.ndarray, rows: int = 16) -> list[np.ndarray]:
    """``function(*images)`` where each pixel asks for itself alone, a few rows at a time: what passes between the steps of
    `function` then stays in the processor's cache, which is several times as fast as whole images."""
    strips = [function(*(image[top : top + rows] for image in images)) for top in range(0, len(images[0]), rows)]
    return [np.concatenate(parts) for parts in zip(*strips, strict=True)]


@cache
def keep_freed_memory() -> None:
    """Let what one strip frees serve the next. glibc hands a block back to the system until it has seen one of its size being
    freed, at most 32 MiB; to fetch them anew took a fifth of GACN's time on a focal stack. Nothing is written here."""
    np.empty(2**25 - 2**16, np.uint8)
