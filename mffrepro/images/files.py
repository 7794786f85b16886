"""Read and write image files: every common format and depth, upright, whole or not at all."""

import io
import os
import struct
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mffrepro.errors import ImageError
from mffrepro.images.arrays import check_image, from_unit
from mffrepro.images.jpeg import decode_dct_chroma

if TYPE_CHECKING:
    from filelock import BaseFileLock

#: How the chroma of a JPEG file becomes as large as its luma.
Chroma = Literal["interpolated", "dct"]


def read_image(path: str | os.PathLike, *, chroma: Chroma = "interpolated") -> np.ndarray:
    """Read an image file as (H, W) or (H, W, 3), uint8, uint16 or float.

    PNG, JPEG, TIFF, WebP, BMP and others.

    EXIF orientation is applied; palettes, CMYK and 1-bit images are expanded; alpha is dropped with a warning.

    Args:
        path: The file.
        chroma: How chroma of half size is enlarged: ``"interpolated"`` as libjpeg-turbo does, or ``"dct"`` as the older
            libjpeg 9 does, for results that were published with it. It concerns JPEG files only.

    Raises:
        ImageError: The file is missing, not an image, truncated, or of a kind that cannot be read.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); check the path") from None
    if not data:
        raise ImageError(f"{path} is an empty file; copy it again")
    image = _decode(data, str(path), chroma)
    return np.ascontiguousarray(check_image(image, str(path)))


def _decode(data: bytes, name: str, chroma: Chroma) -> np.ndarray:
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with Pillow.open(io.BytesIO(data)) as picture:
            pages = getattr(picture, "n_frames", 1) if picture.format in ("GIF", "TIFF") else 1
            deep = _is_deep(picture, data)
            orientation = picture.getexif().get(ORIENTATION, 1)
            upright = None if deep else _load(picture)
            repeated = decode_dct_chroma(data) if chroma == "dct" and picture.format == "JPEG" else None
    except UnidentifiedImageError:
        if (image := _decode_deep(data, name, missing_ok=True)) is not None:  # 16-bit RGB TIFF: Pillow knows no such mode
            return image
        raise ImageError(f"{name} is not an image that can be read; use PNG, JPEG, TIFF, WebP or BMP") from None
    except (MemoryError, Pillow.DecompressionBombError):
        raise _too_large(name) from None
    except Exception as error:  # parsers refuse damaged files by errors of many kinds
        reason = str(error).split("\n")[0].rstrip(".") or type(error).__name__
        raise ImageError(f"{name} is damaged or truncated ({reason}); copy it again") from None
    if pages > 1:
        warnings.warn(f"{name}: only the first of its {pages} pages is used", stacklevel=4)
    if repeated is not None:
        return _orient(repeated, orientation)
    return _decode_deep(data, name, orientation) if deep else np.asarray(_plain_mode(upright, name))


def _too_large(name: str) -> ImageError:
    return ImageError(f"{name} says that it has more pixels than can be read; crop it, or copy it again if it is damaged")


def _load(picture):
    """Decode a picture of Pillow and turn it upright; the copy outlives the file."""
    from PIL import ImageOps

    picture.load()
    return ImageOps.exif_transpose(picture)


def _is_deep(picture, data: bytes) -> bool:
    """Tell whether several channels have 16 bits a sample, of which Pillow would silently keep eight."""
    png_depth = data[24] if picture.format == "PNG" and len(data) > 25 else 0
    tiff_bits = picture.tag_v2.get(258, (8,)) if picture.format == "TIFF" else (8,)
    return (png_depth == 16 and picture.mode not in ("I", "I;16")) or (len(tiff_bits) > 1 and max(tiff_bits) > 8)


def _decode_deep(data: bytes, name: str, orientation: int = 1, *, missing_ok: bool = False) -> np.ndarray | None:
    import cv2

    try:
        if data[:2] in (b"II", b"MM"):
            data, orientation = _lay_flat(data, name)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except ImageError:
        raise
    except Exception:  # a damaged file is refused by parsers with errors of many kinds
        image = None
    if image is None:
        if missing_ok:
            return None
        raise ImageError(f"{name} is damaged or truncated; copy it again")
    if image.ndim == 3 and image.shape[2] == 4:
        warnings.warn(f"{name}: the alpha channel is dropped", stacklevel=5)
    return _orient(image[..., 2::-1] if image.ndim == 3 else image, orientation)  # OpenCV keeps blue first


def _lay_flat(tiff: bytes, name: str) -> tuple[bytes, int]:
    """Set the orientation tag of a TIFF to 1 and return its value: OpenCV obeys some values and ignores others."""
    from PIL import Image as Pillow
    from tifffile import TiffFile

    with TiffFile(io.BytesIO(tiff)) as file:
        page = file.pages[0]
        if page.imagewidth * page.imagelength > 2 * Pillow.MAX_IMAGE_PIXELS:  # OpenCV's own limit is six times as high
            raise _too_large(name)
        tag = page.tags.get(ORIENTATION)
        if tag is None:
            return tiff, 1
        one = struct.pack(f"{file.byteorder}H", 1)
        return tiff[: tag.valueoffset] + one + tiff[tag.valueoffset + 2 :], int(tag.value)


def _plain_mode(picture, name: str):
    """Convert to gray or RGB with the depth that the image has."""
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or (picture.mode == "P" and "transparency" in picture.info):
        warnings.warn(f"{name}: the alpha channel is dropped", stacklevel=5)
        return picture.convert("L" if picture.mode in ("LA", "La") else "RGBA" if picture.mode == "P" else "RGB").convert(
            "L" if picture.mode in ("LA", "La") else "RGB"
        )
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode in ("L", "RGB", "F"):
        return picture
    if picture.mode.startswith("I"):
        return np.asarray(picture).astype(np.uint16)
    return picture.convert("RGB")


#: Tag of the orientation in EXIF and in TIFF.
ORIENTATION = 0x0112
#: EXIF orientation -> (transpose, flip rows, flip columns), applied in that order.
_ORIENTATIONS = {2: (0, 0, 1), 3: (0, 1, 1), 4: (0, 1, 0), 5: (1, 0, 0), 6: (1, 0, 1), 7: (1, 1, 1), 8: (1, 1, 0)}


def _orient(image: np.ndarray, orientation: int) -> np.ndarray:
    transpose, rows, columns = _ORIENTATIONS.get(orientation, (0, 0, 0))
    image = image.swapaxes(0, 1) if transpose else image
    return image[:: -1 if rows else 1, :: -1 if columns else 1]


def check_target(path: str | os.PathLike, dtype: np.dtype | type) -> Path:
    """Check before long work that `write_image` can write an image of a dtype.

    Returns the path.

    Raises:
        ImageError: Unknown suffix, a format that cannot hold the depth, or a folder that does not exist.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp", ".bmp"):
        raise ImageError(f"{path} has the suffix {suffix or 'none'}; write to .png, .tif, .jpg, .webp or .bmp")
    if dtype == np.uint16 and suffix not in (".png", ".tif", ".tiff"):
        raise ImageError(f"{path} cannot hold 16 bits a sample; write to .png or .tif")
    if path.is_dir() or not path.parent.is_dir():
        reason = "it is a folder" if path.is_dir() else "its folder does not exist"
        raise ImageError(f"{path} cannot be written ({reason}); choose another place")
    return path


def write_image(path: str | os.PathLike, image: np.ndarray) -> Path:
    """Write an image; the suffix chooses the format.

    uint16 needs PNG or TIFF; floats need TIFF, else they become uint8.

    The file appears whole or not at all: it is written under another name in the same folder and renamed.

    Raises:
        ImageError: Unknown suffix, a format that cannot hold the depth, or a folder that cannot be written.
    """
    path = check_target(path, image.dtype)
    image = check_image(image, str(path))
    suffix = path.suffix.lower()
    if np.issubdtype(image.dtype, np.floating):
        image = image.astype(np.float32) if suffix in (".tif", ".tiff") else from_unit(image, np.dtype(np.uint8))
    data = _encode(image, suffix)
    try:
        write_atomically(path, data)
    except OSError as error:
        raise ImageError(f"{path} cannot be written ({error.strerror}); choose another folder") from None
    return path


def _encode(image: np.ndarray, suffix: str) -> bytes:
    if image.dtype == np.uint8:
        from PIL import Image as Pillow

        buffer = io.BytesIO()
        options = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}
        kind = Pillow.registered_extensions()[suffix]
        Pillow.fromarray(image).save(buffer, kind, **options.get(suffix.replace("jpeg", "jpg"), {}))
        return buffer.getvalue()
    import cv2

    ok, data = cv2.imencode(suffix, image[..., ::-1] if image.ndim == 3 else image)
    if not ok:  # pragma: no cover - OpenCV's own encoders for png and tiff hold both depths
        raise ImageError(f"this build of OpenCV cannot write {suffix}; write to .png")
    return data.tobytes()


def locked(path: str | os.PathLike, seconds: float = -1) -> "BaseFileLock":
    """Lock a file or folder against other processes of this package.

    Use it in a ``with`` statement. The lock is a hidden file beside it. It ends with its process, however that ends.

    Args:
        path: What is going to be changed.
        seconds: How long to wait for another process; by default as long as it takes.

    Raises:
        filelock.Timeout: Another process still holds it.
    """
    from filelock import FileLock

    path = Path(path)
    return FileLock(path.with_name(f".{path.name}.lock"), timeout=seconds)


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Write bytes whole or not at all: under a temporary name, then renamed."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
