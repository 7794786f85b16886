"""Write images with their metadata, at the depth that the format holds, whole or not at all."""

import io
import os
import warnings
from pathlib import Path

import numpy as np

from mffrepro.errors import ImageError, OptionError
from mffrepro.images.arrays import check_image, from_unit, to_unit
from mffrepro.images.depth import check_white
from mffrepro.images.files import write_atomically
from mffrepro.images.limits import real_path
from mffrepro.images.metadata import Metadata, exif_bytes, marked_bmp, profile_for, result_exif
from mffrepro.images.stack import FusionResult
from mffrepro.images.tiff_writing import encode_tiff

#: Suffix -> (format, bits it can hold, longest side in pixels, whether it holds alpha).
_FORMATS = {
    ".png": ("PNG", (8, 16), 2**31 - 1, True),
    ".tif": ("TIFF", (8, 16, 32), 2**31 - 1, True),
    ".tiff": ("TIFF", (8, 16, 32), 2**31 - 1, True),
    ".jpg": ("JPEG", (8,), 65535, False),
    ".jpeg": ("JPEG", (8,), 65535, False),
    ".webp": ("WebP", (8,), 16383, True),
    ".bmp": ("BMP", (8,), 2**31 - 1, False),
}
_SIXTEEN = np.dtype(np.uint16)
#: How hard PNG is compressed, 0 to 9. Pillow's default, 6, takes three times as long on a photograph and saves 3 %.
PNG_LEVEL = 3


def check_suffix(path: str | os.PathLike) -> str:
    """Return the suffix of a path in small letters.

    Raises:
        ImageError: No image can be written so.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise ImageError(f"{path} has the suffix {suffix or 'none'}; write to .png, .tif, .jpg, .webp or .bmp")
    return suffix


def check_target(
    path: str | os.PathLike, dtype: np.dtype | type | str, shape: tuple[int, ...] = (), *, bits: int | None = None
) -> Path:
    """Check before long work that `write_image` can write an image.

    Returns the path.

    Args:
        path: Where it will be written.
        dtype: Type of the image.
        shape: (H, W, ...) of the image; not checked where left out.
        bits: Depth to write, see `write_image`.

    Raises:
        ImageError: Unknown suffix, a format that cannot hold the depth or the size, or a folder that does not exist.
    """
    path = Path(path)
    suffix = check_suffix(path)
    kind, depths, longest, _ = _FORMATS[suffix]
    if (bits or (16 if dtype == np.uint16 else 8)) not in depths:
        raise ImageError(f"{path} cannot hold 16 bits a sample; write to .png or .tif, or with 8 bits (bits=8, --bits 8)")
    if max(shape[:2], default=0) > longest:
        size = f"{shape[1]}x{shape[0]}"
        raise ImageError(f"{path} cannot hold {size} pixels, as {kind} ends at {longest} a side; write to .png or .tif")
    reason = _why_not(path)
    if reason:
        raise ImageError(f"{path} cannot be written ({reason}); choose another place")
    return path


def _why_not(path: Path) -> str:
    """Say why no file can be at a path; empty where one can."""
    try:
        if real_path(path).is_dir():
            return "it is a folder"
        return "" if path.parent.is_dir() else "its folder does not exist"
    except OSError as error:  # a name that is too long, for one
        return error.strerror


def write_image(
    path: str | os.PathLike,
    image: np.ndarray | FusionResult,
    *,
    alpha: np.ndarray | None = None,
    metadata: Metadata | None = None,
    white: float | None = None,
    bits: int | None = None,
    quality: int | None = None,
) -> Path:
    """Write an image; the suffix chooses the format.

    uint16 needs PNG or TIFF, or ``bits=8``; floats need TIFF, else they become uint8. TIFF is compressed without loss (deflate).

    The file appears whole or not at all: it is written under another name in the same folder and renamed.

    Args:
        path: Ends in .png, .tif, .jpg, .webp or .bmp.
        image: (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1]; or a result, with its alpha, metadata and white.
        alpha: (H, W) opacity of the same dtype; dropped with a warning where the format holds none.
        metadata: Colour profile, EXIF and resolution, such as ``result.metadata``; the tag "Software" then names this program.
        white: Value of white in the image, where its sources had one of their own (``result.white``).
        bits: 8 or 16 for another depth than the image has.
        quality: 1 to 100 for JPEG (95 by default) and WebP (without loss by default).

    Raises:
        ImageError: Unknown suffix, a format that cannot hold the depth or the size, or a folder that cannot be written.
        OptionError: A quality, depth or white that does not exist.
    """
    if isinstance(image, FusionResult):
        alpha, white = (image.alpha if alpha is None else alpha), (image.white if white is None else white)
        image, metadata = image.image, metadata or image.metadata or Metadata()
    _check_options(bits, quality)
    path = check_target(path, image.dtype, image.shape, bits=bits)
    _, _, _, holds_alpha = _FORMATS[path.suffix.lower()]
    image = _at_depth(image, path, bits, white)
    if alpha is not None and not holds_alpha:
        warnings.warn(f"{path}: the format holds no alpha channel, which is dropped", stacklevel=2)
        alpha = None
    if path.suffix.lower() == ".bmp" and metadata is not None and metadata.icc is not None:
        warnings.warn(f"{path}: the format holds no colour profile, which is dropped", stacklevel=2)
    if alpha is not None:
        alpha = _at_depth(alpha, path, bits, None)
    put_in_place(path, _encode(image, path.suffix.lower(), alpha, metadata, quality))
    return path


def put_in_place(path: Path, data: bytes) -> None:
    """Write the bytes of an image whole or not at all, or raise ImageError."""
    try:
        write_atomically(path, data)
    except OSError as error:
        raise ImageError(f"{path} cannot be written ({error.strerror}); choose another folder") from None


def _check_options(bits: int | None, quality: int | None) -> None:
    if bits not in (None, 8, 16):
        raise OptionError(f"bits is {bits}; give 8 or 16")
    if quality is not None and not 1 <= quality <= 100:
        raise OptionError(f"quality is {quality}; give a number from 1 to 100")


def _at_depth(image: np.ndarray, path: Path, bits: int | None, white: float | None) -> np.ndarray:
    """Convert an image to the type that goes into the file."""
    is_float = np.issubdtype(image.dtype, np.floating)
    if is_float and white is not None:
        if path.suffix.lower() in (".tif", ".tiff") and bits is None:
            return image.astype(np.float32)
        image = np.clip(image / np.asarray(white, image.dtype), 0, 1)
    image = check_image(image, str(path))
    if bits is None and is_float:
        return image.astype(np.float32) if path.suffix.lower() in (".tif", ".tiff") else from_unit(image, np.dtype(np.uint8))
    wanted = image.dtype if bits is None else np.dtype(f"u{bits // 8}")
    if wanted == image.dtype:
        return image
    check_white(white if image.dtype == _SIXTEEN else None, image.dtype)
    unit = to_unit(image)
    if white is not None and image.dtype == _SIXTEEN:
        unit = unit * np.float32(65535 / white)
    return from_unit(unit, wanted)


# ------------------------------------------------------------------------------------------------- formats


def _encode(image: np.ndarray, suffix: str, alpha: np.ndarray | None, metadata: Metadata | None, quality: int | None) -> bytes:
    kind = _FORMATS[suffix][0]
    if kind == "TIFF":
        return encode_tiff(_joined(image, alpha), metadata, has_alpha=alpha is not None)
    if image.dtype == np.uint8:
        return _encode_by_pillow(_joined(image, alpha), kind, metadata, quality)
    return _encode_deep_png(image, alpha, metadata)


def _joined(image: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    return image if alpha is None else np.dstack([image, alpha])


def _encode_by_pillow(image: np.ndarray, kind: str, metadata: Metadata | None, quality: int | None) -> bytes:
    from PIL import Image as Pillow

    lossy = {"JPEG": {"quality": quality or 95, "subsampling": 0}, "WebP": _webp_quality(quality)}
    options = lossy.get(kind, {"compress_level": PNG_LEVEL} if kind == "PNG" else {})
    if metadata is not None and metadata.dpi and kind != "WebP":
        options |= {"dpi": metadata.dpi}
    if metadata is not None and kind != "BMP":
        colour = image.ndim == 3 and image.shape[2] >= 3
        exif = exif_bytes(result_exif(metadata, image.shape[1::-1]))
        options |= {"exif": _within_a_segment(exif, metadata, image) if kind == "JPEG" else exif}
        options |= {"icc_profile": profile_for(metadata, is_colour=colour)}
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, kind, **options)
    return marked_bmp(buffer.getvalue(), metadata.software) if metadata and kind == "BMP" else buffer.getvalue()


def _webp_quality(quality: int | None) -> dict[str, object]:
    return {"lossless": True} if quality is None else {"quality": quality}


def _within_a_segment(exif: bytes, metadata: Metadata, image: np.ndarray) -> bytes:
    """Return EXIF that fits one segment of a JPEG, 64 KiB: the software tag alone where the source's is longer."""
    if len(exif) < 65533:
        return exif
    return exif_bytes(result_exif(Metadata(dpi=metadata.dpi), image.shape[1::-1]))


def _encode_deep_png(image: np.ndarray, alpha: np.ndarray | None, metadata: Metadata | None) -> bytes:
    """Encode 16 bits with OpenCV, as Pillow knows no such colours, and add the chunks of metadata that Pillow writes."""
    import cv2

    if alpha is not None and image.ndim == 2:
        image = np.dstack([image] * 3)  # OpenCV knows no gray with alpha
    blue_first = image[..., ::-1] if image.ndim == 3 else image
    ok, data = cv2.imencode(".png", _joined(blue_first, alpha))
    if not ok:  # pragma: no cover - OpenCV's own encoder for PNG holds both depths
        raise ImageError("this build of OpenCV cannot write PNG; write to .tif")
    png = data.tobytes()
    if metadata is None:
        return png
    model = _encode_by_pillow(np.zeros((1, 1, *image.shape[2:]), np.uint8), "PNG", metadata, None)
    exif = exif_bytes(result_exif(metadata, image.shape[1::-1])).removeprefix(b"Exif\0\0")
    chunks = b"".join(chunk for kind, chunk in _chunks(model) if kind in (b"iCCP", b"pHYs"))
    return png[:33] + chunks + _chunk(b"eXIf", exif) + png[33:]  # the header ends at byte 33


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")
        found.append((png[at + 4 : at + 8], png[at:end]))
        at = end
    return found


def _chunk(kind: bytes, body: bytes) -> bytes:
    import zlib

    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
