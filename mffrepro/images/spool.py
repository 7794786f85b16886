"""Keep frames that took time to make, such as aligned ones, in a temporary file instead of in memory.

Making an aligned frame again takes about a second, and without cropping it needs its neighbours; reading it back takes a tenth of
that. The file has no name on Linux and macOS, so that nothing is left of it however the program ends.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np

from mffrepro.errors import ImageError
from mffrepro.images.frames import Frames
from mffrepro.progress import steps


def folder() -> str:
    """Return the folder for large temporary files.

    It is what ``TMPDIR`` says, else ``/var/tmp``, which unlike ``/tmp`` lies on a disk everywhere, else the system's.
    """
    large = "/var/tmp"
    usable = "TMPDIR" not in os.environ and Path(large).is_dir() and os.access(large, os.W_OK)
    return large if usable else tempfile.gettempdir()


def has_room(size: int) -> bool:
    """Tell whether a temporary file of so many bytes leaves some disk free."""
    return shutil.disk_usage(folder()).free > 1.1 * size


class Spool:
    """Hold arrays in a temporary file.

    It lasts as long as the spool or any of its arrays is in use.
    """

    def __init__(self) -> None:
        self.lock, self._file = Lock(), None

    @property
    def file(self) -> BinaryIO:
        """Open the file on first use."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=folder(), prefix="mffrepro-", buffering=0)  # noqa: SIM115 - see __del__
        return self._file

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def keep(self, image: np.ndarray) -> "Kept":
        """Write an array, and return what reads it back.

        Raises:
            ImageError: The disk is full.
        """
        image = np.ascontiguousarray(image)
        with self.lock:
            start = self.file.seek(0, os.SEEK_END)
            _all_bytes(image, lambda part: self.file.write(part))
        return Kept(self, start, image.shape, image.dtype)


@dataclass(frozen=True)
class Kept:
    """Read one array back from a spool.

    Attributes:
        spool: Where it is.
        start: Its first byte.
        shape: (H, W) or (H, W, 3).
        dtype: Its type.
    """

    spool: Spool
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def __call__(self) -> np.ndarray:
        """Read the whole array."""
        return self.rows(slice(None))

    def rows(self, rows: slice) -> np.ndarray:
        """Read some rows."""
        first, last, _ = rows.indices(self.shape[0])
        image = np.empty((max(0, last - first), *self.shape[1:]), self.dtype)
        row = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        with self.spool.lock:
            self.spool.file.seek(self.start + first * row)
            _all_bytes(image, self.spool.file.readinto)
        return image


def spooled(images: np.ndarray | Frames) -> np.ndarray | Frames:
    """Decode frames once into a temporary file.

    It is for work that reads some rows of all of them again and again. Arrays are returned as they are; so are frames for which
    the disk has no room, which are then decoded each time.
    """
    if not isinstance(images, Frames) or images.is_kept or not has_room(images.nbytes):
        return images
    spool = Spool()
    return Frames([spool.keep(image) for image in steps(images, "reading")], images.shape[1:], images.dtype)


def _all_bytes(image: np.ndarray, move: Callable[[memoryview], int]) -> None:
    """Write or read all bytes of an array; the system moves at most 2 GB at once."""
    data, done = memoryview(image.reshape(-1).view(np.uint8)), 0
    try:
        while done < len(data):
            done += move(data[done : done + 2**30])
    except OSError as error:
        place = f"{folder()} cannot hold the frames of this stack ({error.strerror})"
        raise ImageError(f"{place}; set TMPDIR to a folder with more room") from None
