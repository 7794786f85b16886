"""Read TIFF files of every depth and layout: one page, or a stack of slices in pages, ImageJ's hyperstacks or OME."""

import io
import logging
import os
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from mffrepro.errors import ImageError, first_line
from mffrepro.images.depth import expand_bits, to_usable
from mffrepro.images.frames import SMALL, Frames
from mffrepro.images.limits import check_pixels, open_with_pillow, real_path, too_large
from mffrepro.images.metadata import Metadata, parse_exif, read_metadata, read_orientation
from mffrepro.images.orientation import ORIENTATION
from mffrepro.images.picture import Picture
from mffrepro.images.tiff_limits import check_segments, has_imagecodecs

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

#: A file that the XML of an OME-TIFF names.
_OME_FILE = re.compile(r'FileName="([^"]+)"')
#: Photometric interpretations (tag 262).
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK = 0, 1, 2, 3, 5
_SENSOR = {32803: "a colour filter mosaic", 34892: "linear RAW"}
_OTHERS = {PALETTE: "a palette", 4: "a transparency mask", 6: "YCbCr", 8: "CIELAB", 9: "ICC LAB", 10: "ITU LAB"}
_OTHERS |= {32844: "LogL", 32845: "LogLuv"}
#: Axes over which a stack may run: depth, pages, or unnamed.
_DEPTH_AXES = "ZIQR"
#: Directories among which the photograph is looked for, and slices of one stack: a hostile file has very many.
MOST_DIRECTORIES, MOST_SLICES = 32, 10_000
_AXIS_NAMES = {"T": "points in time", "C": "channels", "S": "samples"}


def read_page(data: bytes, name: str) -> Picture:
    """Read the photograph in a TIFF file at its full depth.

    Args:
        data: The whole file.
        name: Its name, for errors.

    Raises:
        ImageError: The file is damaged, or stores its values in a way that cannot be converted.
    """
    with _opened(io.BytesIO(data), name) as file:
        page = photograph(file.pages)
        check_pixels(page.imagewidth, page.imagelength, name, _pixel_size(page))
        _check_kind(page, name)
        check_segments([page], page, name)
        if any(start + count > len(data) for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)):
            raise ImageError(f"{name} is damaged or truncated (its pixels end beyond the file); copy it again")
        samples = _samples(page, data, name)
        pixels, alpha = _convert(samples, page, name)
    exif = parse_exif(data)
    return Picture(pixels, alpha, read_orientation(exif), read_metadata(exif))


def sensor_data(data: bytes) -> str | None:
    """Name the kind of sensor data that a TIFF file stores, None for a picture.

    DNG and NEF files are laid out so.
    """
    try:
        with _opened(io.BytesIO(data), "") as file:
            return _SENSOR.get(int(photograph(file.pages).photometric))
    except ImageError:
        return None


def has_hidden_photograph(data: bytes) -> bool:
    """Tell whether the first directory holds only a preview.

    The photograph is then in a sub-directory.
    """
    try:
        with _opened(io.BytesIO(data), "") as file:
            return photograph(file.pages) is not file.pages[0]
    except ImageError:
        return False


def photograph(pages) -> "TiffPage":
    """Return the page with the photograph.

    It is the largest image that does not call itself a preview: among the first page and its sub-directories, and among the pages
    after it where it is a preview itself.
    """
    first = pages[0]
    if not first.subifds and not first.is_reduced:
        return first
    below, after = (islice(some, MOST_DIRECTORIES) for some in (first.pages or (), islice(pages, 1, None)))
    others = [*below, *(after if first.is_reduced else ())]
    whole = [page for page in (first, *others) if not page.is_reduced]
    return max(whole, key=lambda page: page.imagewidth * page.imagelength, default=first)


# -------------------------------------------------------------------------------------------------- stacks


def read_slices(path: str | os.PathLike) -> tuple[np.ndarray | Frames, np.ndarray | Frames | None, Metadata]:
    """Read a focal stack from the slices in one TIFF file.

    Args:
        path: File with several pages, an ImageJ hyperstack, or OME-TIFF.

    Returns:
        Images (N, H, W) or (N, H, W, 3), their alpha (N, H, W) or None, and the metadata of the file. Of more than `SMALL` bytes
        whose slices lie one after the other, images and alpha are frames that are read when they are asked for.

    Raises:
        ImageError: The file holds one image only, or images of several channels or points in time.
    """
    name = os.fspath(path)
    try:
        size = os.path.getsize(real_path(path))
    except OSError as error:
        raise ImageError(f"{name} cannot be read ({error.strerror}); check the path") from None
    with _opened(name, name) as file:
        if not len(file.pages):
            raise ImageError(f"{name} is damaged or truncated (it has no pages); copy it again")
        if len(set(_OME_FILE.findall(file.ome_metadata or ""))) > 1:
            raise ImageError(f"{name} is one file of an OME-TIFF whose slices lie in several; give all of them, or their folder")
        if len(file.pages) > MOST_SLICES:
            raise ImageError(f"{name} has more than {MOST_SLICES} pages; save the slices of one stack as a file of their own")
        series = next((one for one in file.series if _several(one)), None)
        if series is None:
            raise ImageError(f"{name} holds {_count(file)}; give at least two images, or a TIFF of several slices")
        if series.kind == "ome" and (missing := sum(page is None for page in series.pages)):
            raise ImageError(f"{name} lacks {missing} of its {len(series.pages)} slices; save those that it has to a new file")
        sides = _check_axes(series, name)
        axes, page = "".join(sides), series.keyframe
        count = sides[_stack_axis(axes)]
        if min(page.imagewidth, page.imagelength) < 1 or count > size:  # a slice takes a byte or more, however it is compressed
            raise ImageError(f"{name} is damaged or truncated (it says that it has {count} slices); copy it again")
        _check_kind(page, name)
        check_segments(series.pages, page, name)
        in_turn = _lies_in_order(series, axes, count) and _pixel_size(page) * count * page.imagewidth * page.imagelength > SMALL
        check_pixels(page.imagewidth, page.imagelength, name, _pixel_size(page) * (1 if in_turn else count))
        if page.compression == 1 and count * page.imagewidth * page.imagelength * page.bitspersample // 8 > size:
            raise ImageError(f"{name} is damaged or truncated (its slices end beyond the file); copy it again")
        if in_turn:
            return *_slice_frames(name, count, file.series.index(series)), _first_metadata(path)
        samples = _complete(series.asarray, page, name).reshape(tuple(sides.values()))
        order = [axes.index(axis) for axis in (_stack_axis(axes), "Y", "X", *("S" if "S" in axes else ""))]
        images, alpha = _convert(samples.transpose(order), page, name)
    return images, alpha, _first_metadata(path)


def _lies_in_order(series, axes: str, count: int) -> bool:
    """Tell whether slice n is page n of a series, or of the one block that holds all."""
    return axes in (f"{axes[0]}YX", f"{axes[0]}YXS") and axes[0] not in "YXS" and len(series.pages) == count


def _slice_frames(name: str, count: int, number: int) -> tuple[Frames, Frames | None]:
    """Read slices when they are asked for."""

    def read(slice_number: int) -> tuple[np.ndarray, np.ndarray | None]:
        with _opened(name, name) as file:
            series = file.series[number]
            samples = _complete(lambda: series.asarray(key=slice_number), series.keyframe, name)
            return _convert(samples, series.keyframe, name)

    pixels, alpha = read(0)
    images = Frames([lambda i=i: read(i)[0] for i in range(count)], pixels.shape, pixels.dtype)
    if alpha is None:
        return images, None
    return images, Frames([lambda i=i: read(i)[1] for i in range(count)], alpha.shape, alpha.dtype)


def _first_metadata(path: str | os.PathLike) -> Metadata:
    """Read the metadata of the first directory of a file, without the pixels of all its slices."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tags of BigTIFF that Pillow does not read
            with open_with_pillow(path) as picture:
                return read_metadata(picture.getexif(), picture.info.get("icc_profile"), picture.info.get("dpi"))
    except Exception:  # Pillow knows no mode for some depths, and refuses damaged directories with errors of many kinds
        return Metadata()


def holds_slices(path: str | os.PathLike) -> bool:
    """Tell whether a file is a TIFF of several slices.

    Reading it says what is wrong with them.
    """
    if not is_tiff(path):
        return False
    name = os.fspath(path)
    try:
        with _opened(name, name) as file:
            return len(file.pages) > MOST_SLICES or any(map(_several, file.series))
    except ImageError:
        return False


def is_tiff(path: str | os.PathLike) -> bool:
    """Tell by its first bytes whether a file is a TIFF."""
    try:
        with open(real_path(path), "rb") as file:
            return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    except OSError:
        return False


def _several(series) -> bool:
    return any(side > 1 for axis, side in zip(series.axes, series.shape, strict=True) if axis not in "YXS")


def _count(file: "TiffFile") -> str:
    return "one image" if len(file.pages) == 1 else f"{len(file.pages)} images of different sizes"


def _stack_axis(axes: str) -> str:
    return next(axis for axis in axes if axis not in "YXS")


def _check_axes(series, name: str) -> dict[str, int]:
    """Return the axes of a series with their lengths, without those of length 1; only one counts images."""
    pairs = [(axis, side) for axis, side in zip(series.axes, series.shape, strict=True) if side > 1 or axis in "YX"]
    others = [(axis, side) for axis, side in pairs if axis not in "YXS"]
    for axis, side in others:
        if axis not in _DEPTH_AXES:
            what = _AXIS_NAMES.get(axis, f"positions along the axis {axis}")
            raise ImageError(f"{name} holds {side} {what} (axes {series.axes}); save the slices of one as a stack of their own")
    if len(others) > 1:
        shape = "x".join(str(side) for _, side in others)
        raise ImageError(f"{name} holds {shape} images along two axes ({series.axes}); save one of them as a stack of its own")
    return dict(pairs)


# ------------------------------------------------------------------------------------------------- samples


@contextmanager
def _opened(source, name: str) -> Iterator["TiffFile"]:
    """Open a TIFF; every way in which its directories can be damaged is one sentence, and none is logged."""
    from tifffile import TiffFile

    logger = logging.getLogger("tifffile")
    disabled, logger.disabled = logger.disabled, True
    try:
        with TiffFile(source, _multifile=False) as file:  # an OME-TIFF may name any file of this machine as its next part
            yield file
    except ImageError:
        raise
    except MemoryError:  # a damaged length
        raise too_large(name) from None
    except Exception as error:  # a damaged file is refused with errors of many kinds
        raise ImageError(f"{name} is damaged or truncated ({first_line(error)}); copy it again") from None
    finally:
        logger.disabled = disabled


def _pixel_size(page: "TiffPage") -> int:
    return max(1, page.samplesperpixel * page.bitspersample // 8)


def _samples(page: "TiffPage", data: bytes, name: str) -> np.ndarray:
    """Decode a page to (H, W) or (H, W, S) as stored."""
    if page.compression not in (1, 8, 32946) and not has_imagecodecs() and page.parent.pages[0] is page:
        decoded = _samples_by_libtiff(data)
        if decoded is not None:
            return decoded
    samples = _complete(page.asarray, page, name)
    if page.planarconfig == 2 and samples.ndim == 3:
        samples = np.moveaxis(samples, 0, -1)
    if samples.ndim not in (2, 3):
        raise ImageError(f"{name} has a page of shape {samples.shape}; save it as gray or colour")
    return samples


def _complete(read, page: "TiffPage", name: str) -> np.ndarray:
    """Read samples, or say which package decodes them."""
    try:
        samples = read()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        kind = getattr(page.compression, "name", page.compression)
        raise ImageError(
            f"{name} is compressed with {kind}, which is read by imagecodecs; install it with: pip install 'mffrepro[camera]'"
        ) from None
    if samples is None:
        raise ImageError(f"{name} is damaged or truncated (it has no pixels); copy it again")
    return samples


def _samples_by_libtiff(data: bytes) -> np.ndarray | None:
    """Decode gray or colour of 16 bits or more through OpenCV's copy of libtiff; None where it cannot."""
    import cv2

    try:
        image = cv2.imdecode(np.frombuffer(_with_orientation_1(data), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if image is None or image.ndim == 2:
        return image
    return image[..., [2, 1, 0, 3][: image.shape[2]]]  # OpenCV keeps blue first


def _with_orientation_1(data: bytes) -> bytes:
    """Set the orientation tag of a TIFF to 1: OpenCV obeys some values and ignores others."""
    from tifffile import TiffFile

    with TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags.get(ORIENTATION)
        if tag is None:
            return data
        one = struct.pack(f"{file.byteorder}H", 1)
        return data[: tag.valueoffset] + one + data[tag.valueoffset + 2 :]


def _convert(samples: np.ndarray, page: "TiffPage", name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Convert stored samples (..., H, W[, S]) to gray or RGB, and alpha."""
    photometric = int(page.photometric)
    if photometric == PALETTE and page.colormap is not None and samples.dtype == np.uint8:
        return np.moveaxis(page.colormap[:, samples] >> 8, 0, -1).astype(np.uint8), None
    if photometric in _OTHERS:
        raise _unconverted(_OTHERS[photometric], page, name)
    values = expand_bits(to_usable(samples, name), page.bitspersample)
    channels = {CMYK: 4, RGB: 3}.get(photometric, 1)
    if page.samplesperpixel < channels or (channels > 1 and values.shape[-1] < channels):
        raise ImageError(f"{name} stores {page.samplesperpixel} samples a pixel; convert it to gray or RGB")
    if page.samplesperpixel == 1:
        colour, alpha = values, None
    else:
        colour, extra = values[..., :channels], values[..., channels:]
        colour = colour[..., 0] if channels == 1 else colour
        alpha = extra[..., 0] if _has_alpha(page) and extra.shape[-1] else None
    if photometric == WHITE_IS_ZERO:
        colour = _white(colour.dtype) - colour
    return (_cmyk_to_rgb(colour) if photometric == CMYK else colour), alpha


def _check_kind(page: "TiffPage", name: str) -> None:
    """Raise ImageError for the data of a sensor, which are not decoded here."""
    if kind := _SENSOR.get(int(page.photometric)):
        raise _unconverted(kind, page, name)


def _unconverted(kind: str, page: "TiffPage", name: str) -> ImageError:
    return ImageError(f"{name} stores {kind} at {page.bitspersample} bits; convert it to gray or RGB")


def _has_alpha(page: "TiffPage") -> bool:
    return bool(page.extrasamples) and int(page.extrasamples[0]) in (1, 2)


def _white(dtype: np.dtype) -> np.generic:
    return np.asarray(1 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max, dtype)[()]


def _cmyk_to_rgb(inks: np.ndarray) -> np.ndarray:
    """Convert inks (..., 4) to RGB without a profile, as Pillow does for eight bits."""
    white = float(_white(inks.dtype))
    paper = 1 - inks.astype(np.float32) / np.float32(white)
    rgb = paper[..., :3] * paper[..., 3:]
    if np.issubdtype(inks.dtype, np.floating):
        return rgb
    return np.floor(rgb * np.float32(white) + np.float32(0.5)).astype(inks.dtype)
