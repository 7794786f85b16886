"""Open the images of a stack one by one: what their headers say is checked first, pixels are decoded when they are asked for.

Of JPEG, WebP and BMP files the header says all that matters. Others are decoded once to be known; a developed RAW file and a HEIC
file, which take seconds, are then kept in a temporary file, others are decoded again.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from mffrepro.errors import ImageError
from mffrepro.images.camera import HEIC_SUFFIXES, is_raw
from mffrepro.images.files import read_picture
from mffrepro.images.formats import Chroma, read_outline
from mffrepro.images.frames import Frames
from mffrepro.images.headers import read_header
from mffrepro.images.joining import Agreement, agree
from mffrepro.images.limits import real_path
from mffrepro.images.metadata import Metadata
from mffrepro.images.picture import Picture
from mffrepro.images.spool import Spool

#: Bytes of a decoded pixel where only decoding tells: colour at 16 bits.
_MOST_BYTES = 6


def decoded_size(path: str | os.PathLike) -> int:
    """Estimate how many bytes the pixels of a file take, without decoding it.

    It is 0 where reading the file will say what is wrong.
    """
    outline = read_outline(path)
    if outline is not None:
        return outline.pixels.nbytes
    size = read_header(path).size
    try:
        return size[0] * size[1] * _MOST_BYTES if size else _MOST_BYTES * os.path.getsize(real_path(path))
    except OSError:
        return 0


def open_frames(
    given: Sequence[Picture | str | os.PathLike], names: Sequence[str], *, chroma: Chroma, crop: bool
) -> tuple[Frames, Frames | None, list[Metadata | None]]:
    """Join pictures as `joining.join` does, without decoding all of them.

    Files are decoded when their pixels are asked for.

    Args:
        given: Pictures that are in memory, or paths.
        names: What errors and warnings call them.
        chroma: See `read_image`.
        crop: See `joining.join`.

    Returns:
        Images, their alpha or None, and their metadata.

    Raises:
        ImageError: See `joining.join` and `read_image`.
    """
    spool = Spool()
    opened = [_open(one, chroma, spool) for one in given]
    agreement = agree([outline for outline, _ in opened], names, crop=crop)
    pictures = [_Fitted(read, agreement, name) for (_, read), name in zip(opened, names, strict=True)]
    shape, dtype = agreement.shape, agreement.dtype
    images = Frames([one.pixels for one in pictures], shape, dtype)
    alpha = Frames([one.alpha for one in pictures], shape[:2], dtype) if agreement.has_alpha else None
    return images, alpha, agreement.metadata


def _open(given: Picture | str | os.PathLike, chroma: Chroma, spool: Spool) -> tuple[Picture, Callable[[], Picture]]:
    """Return the outline of a picture, and what reads the picture."""
    if isinstance(given, Picture):
        return given, lambda: given
    outline = read_outline(given)
    if outline is not None:
        return outline, partial(read_picture, given, chroma=chroma)
    picture = read_picture(given, chroma=chroma)
    if is_raw(os.fspath(given)) or os.fspath(given).lower().endswith(tuple(HEIC_SUFFIXES)):
        pixels = spool.keep(picture.pixels)
        alpha = None if picture.alpha is None else spool.keep(picture.alpha)
        outline = picture.outline()
        return outline, lambda: Picture(pixels(), None if alpha is None else alpha(), outline.orientation, outline.metadata)
    return picture.outline(), partial(read_picture, given, chroma=chroma)


class _Fitted:
    """Read one picture of a stack as all agree on it."""

    def __init__(self, read: Callable[[], Picture], agreement: Agreement, name: str) -> None:
        self._read, self._agreement, self._name = read, agreement, name

    def pixels(self) -> np.ndarray:
        """Read the pixels."""
        return self._picture().pixels

    def alpha(self) -> np.ndarray:
        """Read the alpha."""
        return self._picture().alpha

    def _picture(self) -> Picture:
        try:
            return self._agreement.fit(self._read())
        except ValueError as error:
            if isinstance(error, ImageError):
                raise
            raise ImageError(f"{self._name} changed while it was in use; start again") from None
