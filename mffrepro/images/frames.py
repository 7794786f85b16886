"""Hold the images of a stack that is too large for the memory: each is made when it is asked for, and a few are kept.

A stack of at most `SMALL` bytes is decoded once and held as an array, since decoding a frame for every step of a fusion would
cost more than the memory is worth. A larger one is decoded whenever a step asks for a frame.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from mffrepro.errors import ImageError

#: Bytes of decoded pixels up to which a stack is held as an array: 14 colour photographs of 3 megapixels. Of a larger stack the
#: last frames of so many bytes stay in memory, at least two, so that a pair of any size is decoded once.
SMALL = 2**27


class Maker(Protocol):
    """Make one image (H, W) or (H, W, 3).

    One that can also make some rows alone has a method ``rows(slice)``.
    """

    def __call__(self) -> np.ndarray:
        """Make the whole image."""


class Frames(Sequence):
    """Hold N images of one shape and type, each made when it is asked for.

    They are read like an array (N, H, W[, 3]): a number as index gives an image, a slice or a list of numbers more such frames, a
    tuple an array of parts of all images, and ``np.asarray(frames)`` all of them. The images must not be changed.

    Args:
        makers: Functions that make the images.
        shape: (H, W) or (H, W, 3).
        dtype: Type of the images.
    """

    def __init__(self, makers: Sequence[Maker], shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._makers, self.shape, self.dtype = list(makers), (len(makers), *shape), np.dtype(dtype)
        self._last: OrderedDict[int, np.ndarray] = OrderedDict()

    @property
    def ndim(self) -> int:
        """Number of axes: 3 for gray images, 4 for colour."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all images have together."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def is_kept(self) -> bool:
        """Whether some rows of each image can be had without making the others."""
        return all(hasattr(make, "rows") for make in self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            return self._parts(*key)
        if isinstance(key, int | np.integer):
            return self._image(range(len(self))[key])
        if isinstance(key, slice):
            return Frames(self._makers[key], self.shape[1:], self.dtype)
        numbers = np.asarray(key)
        numbers = np.flatnonzero(numbers) if numbers.dtype == bool else numbers
        return Frames([self._makers[i] for i in numbers], self.shape[1:], self.dtype)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        images = np.empty(self.shape, self.dtype)
        for image, room in zip(self, images, strict=True):
            room[...] = image
        return images if dtype is None else images.astype(dtype, copy=False)

    def rows(self, number: int, rows: slice) -> np.ndarray:
        """Return some rows of one image, without making the others where that is possible."""
        part = getattr(self._makers[number], "rows", None)
        return self[number][rows] if part is None else part(rows)

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Frames":
        """Apply a function that keeps shape and type to each image, whenever it is made."""
        return Frames([lambda make=make: function(make()) for make in self._makers], self.shape[1:], self.dtype)

    def min(self) -> np.generic:
        """Return the least value of all images."""
        return min(image.min() for image in self)

    def max(self, initial: float | None = None) -> np.generic:
        """Return the largest value of all images."""
        return max(image.max() if initial is None else image.max(initial=initial) for image in self)

    def _parts(self, first: Any, *rest: Any) -> np.ndarray:
        if first is Ellipsis:
            return np.stack([image[(first, *rest)] for image in self])
        if isinstance(first, int | np.integer):
            return self[first][rest]
        chosen = self[first]
        if isinstance(rest[0], slice):
            return np.stack([chosen.rows(i, rest[0])[(slice(None), *rest[1:])] for i in range(len(chosen))])
        return np.stack([image[rest] for image in chosen])

    def _image(self, number: int) -> np.ndarray:
        if number in self._last:
            self._last.move_to_end(number)
            return self._last[number]
        room = max(2, SMALL * len(self) // max(1, self.nbytes))
        while len(self._last) >= room:  # before the next one is made
            self._last.popitem(last=False)
        image = self._makers[number]()
        if image.shape != self.shape[1:] or image.dtype != self.dtype:
            raise ImageError(f"image {number + 1} changed while it was in use; start again")
        image = image.view()
        image.flags.writeable = False
        self._last[number] = image
        return image


def rows_of(images: Sequence[np.ndarray], number: int, rows: slice) -> np.ndarray:
    """Return some rows of one of several images."""
    return images.rows(number, rows) if isinstance(images, Frames) else images[number][rows]


def each(images: np.ndarray | Frames, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray | Frames:
    """Apply a function of single values to an array or to frames.

    Frames are changed one by one when they are asked for.
    """
    return images.map(function) if isinstance(images, Frames) else function(images)


def mean_of(images: np.ndarray | Frames, function: Callable[[np.ndarray], np.ndarray]) -> float:
    """Average a function of single values over an array, or over frames one by one."""
    return float(np.mean([function(image).mean() for image in images] if isinstance(images, Frames) else function(images)))


def stack_of(frames: Iterable[np.ndarray], like: np.ndarray | Frames) -> np.ndarray | Frames:
    """Collect frames that are made one by one.

    They stay in memory if `like` is an array, else they go to a temporary file.

    Args:
        frames: As many as `like` has, of its type, all of one shape.
        like: The stack that they are made of.
    """
    from mffrepro.images.spool import Spool

    if not isinstance(like, Frames):
        return np.stack(list(frames))
    spool, kept, shape = Spool(), [], like.shape[1:]
    for frame in frames:
        kept.append(spool.keep(frame))
        shape = frame.shape
    return Frames(kept, shape, like.dtype)
