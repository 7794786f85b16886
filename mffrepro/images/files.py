"""Read image files, and put files in place whole or not at all."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mffrepro.errors import ImageError
from mffrepro.images.arrays import check_image
from mffrepro.images.depth import check_white, overshoot, scale_to_white
from mffrepro.images.formats import Chroma, decode
from mffrepro.images.limits import real_path
from mffrepro.images.picture import Picture
from mffrepro.images.temporary import temporary_beside

if TYPE_CHECKING:
    from filelock import BaseFileLock


def read_image(path: str | os.PathLike, *, chroma: Chroma = "interpolated", white: float | None = None) -> np.ndarray:
    """Read an image file as (H, W) or (H, W, 3), uint8, uint16 or float.

    PNG, JPEG, TIFF, WebP, BMP and others; with the extra ``[camera]`` also camera RAW and HEIC files.

    EXIF orientation is applied; palettes, CMYK and 1-bit images are expanded; alpha is dropped with a warning.

    Args:
        path: The file.
        chroma: How chroma of half size is enlarged: ``"interpolated"`` as libjpeg-turbo does, or ``"dct"`` as the older
            libjpeg 9 does, for results that were published with it. It concerns JPEG files only.
        white: Value of white in a file of 16 bits or floats, such as 4095 for 12-bit data; values are scaled so that it becomes
            65535 or 1. Floats that overshoot 1 by less than half are divided by their maximum, with a warning.

    Raises:
        ImageError: The file is missing, not an image, truncated, or of a kind that cannot be read.
        OptionError: `white` does not suit the type of the image.
    """
    picture = read_picture(path, chroma=chroma).upright()
    name = os.fspath(path)
    if picture.alpha is not None:
        warnings.warn(f"{name}: the alpha channel is dropped", stacklevel=2)
    pixels = picture.pixels
    check_white(white, pixels.dtype)
    if white is None and np.issubdtype(pixels.dtype, np.floating):
        white = overshoot(pixels.max(initial=0))
    return np.ascontiguousarray(check_image(scale_to_white(pixels, white), name))


def read_picture(path: str | os.PathLike, *, chroma: Chroma = "interpolated") -> Picture:
    """Read an image file as it is stored, with its alpha and its metadata.

    Args:
        path: The file.
        chroma: See `read_image`.

    Raises:
        ImageError: See `read_image`.
    """
    path = Path(path)
    try:
        data = real_path(path).read_bytes()
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder; give photographs, or one folder alone") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); check the path") from None
    if not data:
        raise ImageError(f"{path} is an empty file; copy it again")
    return decode(data, str(path), chroma)


def locked(path: str | os.PathLike, seconds: float = -1) -> "BaseFileLock":
    """Lock a file or folder against other processes of this package.

    Use it in a ``with`` statement. The lock is a hidden file beside it. It ends with its process, however that ends.

    Args:
        path: What is going to be changed.
        seconds: How long to wait for another process; by default as long as it takes.

    Raises:
        OSError: The lock cannot be made.
        filelock.Timeout: Another process still holds it.
    """
    from filelock import FileLock

    path = real_path(path)
    lock = path.with_name(f".{path.name}.lock")
    if path.parent.is_dir() and not lock.exists():
        lock.touch()  # where no file can be made this says so, as in /proc, and the lock would be waited for without end
    return FileLock(lock, timeout=seconds)


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Write bytes whole or not at all: under a temporary name, then renamed.

    What a killed process left of the same file is removed.
    """
    path = real_path(path)
    temporary = temporary_beside(path)
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
