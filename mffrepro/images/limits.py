"""Refuse images that the memory cannot hold, and paths that no file can have."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from mffrepro.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

#: Most pixels of one image. The largest photographs and mosaics of slides have some hundred million; a damaged or hostile header
#: says any number.
MAX_PIXELS = 1_000_000_000
#: Formats that Pillow may open. It knows many more, and starts other programs for some, such as Ghostscript for EPS.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "DIB", "GIF", "PPM", "JPEG2000")
#: Pixels from which Pillow warns of a hostile file, unless it is told otherwise.
PILLOW_PIXELS = 2**30 // 12
#: Bytes of decoded pixels from which the free memory is looked at.
LARGE = 2**28
_LOCK = Lock()


def check_pixels(width: int, height: int, name: str, bytes_per_pixel: int = 3) -> None:
    """Raise ImageError where an image is too large to be decoded.

    That is beyond `MAX_PIXELS`, and for large ones beyond the free memory.

    Args:
        width: Width, pixels.
        height: Height, pixels.
        name: The file, for the error.
        bytes_per_pixel: Size of a decoded pixel, in all images of a file that is read at once.
    """
    pixels, size = width * height, width * height * bytes_per_pixel
    if pixels > MAX_PIXELS or (size > LARGE and size > free_memory()):
        raise too_large(name)


def too_large(name: str) -> ImageError:
    """Build the error for a file with too many pixels."""
    return ImageError(f"{name} says that it has more pixels than can be read; crop it, or copy it again if it is damaged")


def free_memory() -> float:
    """Return the bytes of memory that can still be had.

    It is infinity where the system does not say.
    """
    try:
        with open("/proc/meminfo") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return float("inf")


def open_with_pillow(source: Any) -> "Image":
    """Open a picture with Pillow if it has one of `FORMATS`.

    `check_pixels` must follow.

    Args:
        source: A path or a binary file.
    """
    from PIL import Image

    with pillow_without_limit():
        return Image.open(source if hasattr(source, "read") else real_path(source), formats=FORMATS)


@contextmanager
def pillow_without_limit() -> Iterator[None]:
    """Open files with Pillow without its limit of 179 million pixels.

    `check_pixels` must follow.

    Pillow looks at the limit when it opens a file, and again when it loads a TIFF, so the limit is gone for that moment only, and
    for one thread at a time.
    """
    from PIL import Image

    with _LOCK:
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = kept


def real_path(path: str | os.PathLike) -> Path:
    """Return a path that the system can be asked for.

    Raises:
        OSError: It holds a NUL character, which Python answers with another kind of error than all other bad paths; or there is a
            pipe, a socket or a device, which would be waited for, or read, for ever.
    """
    path = Path(path)
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "its path holds a NUL character", str(path))
    if path.exists() and not is_regular(path):
        raise OSError(errno.EINVAL, "it is neither a file nor a folder", str(path))
    return path


def is_regular(path: Path) -> bool:
    """Tell whether there is a file or a folder at a path.

    Pipes, sockets and devices are neither.
    """
    mode = path.stat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def read_at_most(path: str | os.PathLike, limit: int) -> bytes:
    """Read a file whole, unless it is larger than such a file can be.

    Args:
        path: The file.
        limit: Most bytes that it may have.

    Raises:
        OSError: It cannot be read.
        ValueError: It has more bytes.
    """
    with real_path(path).open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it has more than {limit} bytes")
    return data
