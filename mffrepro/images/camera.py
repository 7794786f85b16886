"""Read what cameras and phones write beside JPEG: develop RAW files with LibRaw, decode HEIC with libheif.

Both libraries come with the extra ``[camera]``. A RAW file also holds small previews, which other libraries take for the
photograph; this module never returns one.
"""

import io
import warnings
from pathlib import PurePath

import numpy as np

from mffrepro.errors import ImageError
from mffrepro.images.limits import check_pixels
from mffrepro.images.metadata import Metadata, parse_exif, read_metadata, read_orientation
from mffrepro.images.orientation import orient, turned_back
from mffrepro.images.picture import Picture, split_alpha

#: Suffixes of RAW files that LibRaw develops.
RAW_SUFFIXES = {
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq",
    ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw",
    ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
}  # fmt: skip
#: Suffixes of HEIC files.
HEIC_SUFFIXES = {".heic", ".heif", ".hif"}
#: LibRaw's flip -> EXIF orientation.
_FLIPS = {0: 1, 3: 3, 5: 8, 6: 6}
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def is_raw(name: str) -> bool:
    """Tell by its name whether a file is a RAW file."""
    return PurePath(name).suffix.lower() in RAW_SUFFIXES


def is_heic(data: bytes) -> bool:
    """Tell by its first bytes whether a file is a HEIC file."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def read_raw(data: bytes, name: str, kind: str) -> Picture:
    """Develop a RAW file to 16-bit sRGB, the same for each frame of a stack.

    The white balance is the camera's, and brightness is not adapted to the frame.

    Args:
        data: The whole file.
        name: Its name, for errors.
        kind: What it is, for errors: ``"NEF"``.

    Raises:
        ImageError: rawpy is missing, or LibRaw cannot develop the file.
    """
    try:
        import rawpy
    except ModuleNotFoundError:
        raise _missing(name, f"a camera RAW file ({kind})", "rawpy") from None
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            check_pixels(raw.sizes.width, raw.sizes.height, name, 6)
            orientation = _FLIPS.get(raw.sizes.flip, 1)
            image = raw.postprocess(
                use_camera_wb=True, no_auto_bright=True, adjust_maximum_thr=0, output_bps=16, user_flip=0, gamma=(2.4, 12.92)
            )
    except (rawpy.LibRawError, ValueError, TypeError) as error:
        reason = _reason(error)
        raise ImageError(
            f"{name} is a camera RAW file ({kind}) that LibRaw cannot develop ({reason}); convert it to a 16-bit TIFF"
        ) from None
    return Picture(image, None, orientation, _raw_metadata(data))


def _raw_metadata(data: bytes) -> Metadata:
    """Read the EXIF of a RAW file that is laid out as a TIFF; others keep none. Its resolution is that of the preview."""
    metadata = read_metadata(parse_exif(data)) if data[:4] in (b"II*\0", b"MM\0*") else Metadata()
    return Metadata(exif=metadata.exif)


def read_heic(data: bytes, name: str) -> Picture:
    """Decode a HEIC file at the depth that it has.

    Raises:
        ImageError: pillow-heif is missing, or the file is damaged.
    """
    try:
        import pillow_heif
    except ModuleNotFoundError:
        raise _missing(name, "a HEIC file", "pillow-heif") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
            check_pixels(*file.size, name, 6)
            pixels, alpha = split_alpha(np.asarray(file))
            exif = parse_exif(file.info.get("exif") or b"")
            metadata = read_metadata(exif, file.info.get("icc_profile"))
            orientation = read_orientation(exif)
    except ImageError:
        raise
    except Exception as error:  # a damaged file is refused with errors of many kinds
        raise ImageError(f"{name} is damaged or truncated ({_reason(error)}); copy it again") from None
    back = turned_back(orientation)  # libheif turns it upright
    return Picture(orient(pixels, back), None if alpha is None else orient(alpha, back), orientation, metadata)


def _reason(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return text.split("\n")[0].rstrip(".") or type(error).__name__


def _missing(name: str, kind: str, package: str) -> ImageError:
    return ImageError(f"{name} is {kind}, which is read by {package}; install it with: pip install 'mffrepro[camera]'")
