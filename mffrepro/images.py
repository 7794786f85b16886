"""Images, stacks of them, and what comes out of a fusion.

An image is a NumPy array (H, W) or (H, W, 3): uint8, uint16, or float in [0, 1]. Range follows from the dtype
alone, never from the values: guessing it from the values is how one metric gets two rankings.
"""

import io
import os
import struct
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mffrepro.errors import ImageError

Image = np.ndarray
ImageOrPath = np.ndarray | str | os.PathLike

#: Gray weights by name: ``skimage`` is ITU-R BT.709 as in scikit-image, ``matlab`` is MATLAB's rgb2gray.
GRAY_WEIGHTS = {
    "skimage": (0.2125, 0.7154, 0.0721),
    "matlab": (0.298936021293775, 0.587043074451121, 0.114020904255103),
}


@dataclass(frozen=True, eq=False)
class FocusStack:
    """Hold N registered photographs of one scene, each sharp in a different part.

    Attributes:
        name: Short identifier, unique in its data set.
        images: (N, H, W) or (N, H, W, 3), N >= 2; uint8, uint16 or float in [0, 1].
        reference: All-in-focus image of the same size and dtype, where it is known.
        decision: True share of each source per pixel, (N, H, W) float32 summing to 1, where it is known.
    """

    name: str
    images: np.ndarray
    reference: np.ndarray | None = None
    decision: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.images.ndim not in (3, 4) or len(self.images) < 2:
            raise ImageError(f"stack {self.name!r} has shape {self.images.shape}; give at least two images of one size")
        height_width = self.images.shape[1:3]
        for what, array in (("reference", self.reference), ("decision", self.decision)):
            shape = None if array is None else array.shape[-2:] if what == "decision" else array.shape[:2]
            if shape not in (None, height_width):
                sizes = f"size {shape}, its images {height_width}"
                raise ImageError(f"the {what} of stack {self.name!r} has {sizes}; crop them alike")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def is_colour(self) -> bool:
        """Whether the images have three channels."""
        return self.images.ndim == 4


@dataclass(frozen=True, eq=False)
class FusionResult:
    """Hold a fused image and how it was made.

    Attributes:
        image: Same dtype, shape and range as one source.
        decision: (N, H, W) float32, the share of each source per pixel, summing to 1; None where a method has none.
        seconds: Wall-clock time of the fusion itself, without reading files or loading weights.
        method: Name of the method.
    """

    image: np.ndarray
    decision: np.ndarray | None
    seconds: float
    method: str


# ------------------------------------------------------------------------------------------------ checking


def check_image(image: np.ndarray, name: str = "image", min_side: int = 1) -> np.ndarray:
    """Check that an array is a usable image, and return it.

    The module says what a usable image is.

    Raises:
        ImageError: Wrong shape or dtype, empty, a side under `min_side` pixels, NaN, or floats outside [0, 1].
    """
    image = np.asarray(image)
    if image.dtype == bool or not (image.dtype in (np.uint8, np.uint16) or np.issubdtype(image.dtype, np.floating)):
        raise ImageError(f"{name} has dtype {image.dtype}; convert it to uint8, uint16 or float in [0, 1]")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim == 3 and image.shape[2] == 4:
        warnings.warn(f"{name}: the alpha channel is dropped", stacklevel=2)
        image = image[..., :3]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ImageError(f"{name} has shape {image.shape}; give (H, W) gray or (H, W, 3) colour")
    if image.size == 0 or min(image.shape[:2]) < min_side:
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise ImageError(f"{name} is {size} pixels; at least {min_side}x{min_side} are needed, so use a larger image")
    if np.issubdtype(image.dtype, np.floating):
        low, high = image.min(), image.max()  # NaN spreads through both
        if not np.isfinite(low + high):
            raise ImageError(f"{name} contains NaN or infinite values; replace them first")
        if low < 0 or high > 1:
            raise ImageError(f"{name} is float with values in [{low:g}, {high:g}]; scale it to [0, 1] or give uint8 or uint16")
    return image


def check_same_size(images: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Raise ImageError unless all images agree in size, channels and dtype."""
    for image, name in zip(images[1:], names[1:], strict=True):
        check_same_shape(image.shape, images[0].shape, name, names[0])
        if image.dtype != images[0].dtype:
            raise ImageError(f"{name} is {image.dtype} but {names[0]} is {images[0].dtype}; convert them to one type")


def check_same_shape(shape: tuple[int, ...], wanted: tuple[int, ...], name: str, first: str) -> None:
    """Raise ImageError unless an image has the size and channels of the first."""
    if shape[:2] != wanted[:2]:
        sizes = f"{shape[1]}x{shape[0]} pixels but {first} is {wanted[1]}x{wanted[0]}"
        raise ImageError(f"{name} is {sizes}; register and crop them to one size")
    if len(shape) != len(wanted):
        raise ImageError(f"{name} and {first} are not both gray or both colour; convert one of them")


def as_stack(images: FocusStack | Sequence[ImageOrPath], name: str = "stack", min_side: int = 1) -> FocusStack:
    """Make a checked FocusStack from arrays or paths.

    Args:
        images: Two or more arrays or paths (they may be mixed), or a stack, which is checked again.
        name: Name of the new stack.
        min_side: Smallest height and width that the caller can work with.
    Raises:
        ImageError: Fewer than two images, or one that cannot be used; the sentence names which.
    """
    if isinstance(images, FocusStack):
        for i, image in enumerate(images.images):
            check_image(image, f"image {i + 1} of {images.name}", min_side)
        return images
    if isinstance(images, (str, os.PathLike)):
        raise ImageError(f"{os.fspath(images)} is one path; give at least two images")
    if len(images) < 2:
        raise ImageError(f"fusion needs at least two images, {len(images)} given; add the other focus settings")
    names = [os.fspath(i) if isinstance(i, (str, os.PathLike)) else f"image {n + 1}" for n, i in enumerate(images)]
    if isinstance(images, np.ndarray) and images.dtype in (np.uint8, np.uint16):  # as it lies: large stacks would be held twice
        checked = [check_image(image, called, min_side) for image, called in zip(images, names, strict=True)]
        if checked[0].shape == images.shape[1:]:
            return FocusStack(name, images)
    stacked = None
    for i, (given, called) in enumerate(zip(images, names, strict=True)):
        image = check_image(read_image(given) if isinstance(given, (str, os.PathLike)) else given, called, min_side)
        if stacked is None:
            stacked = np.empty((len(images), *image.shape), np.result_type(image))
        check_same_size([stacked[0], image], [names[0], called])
        stacked[i] = image  # one by one: a list of them beside the stack would take the memory twice
    return FocusStack(name, stacked)


def require_side(stack: FocusStack, side: int) -> None:
    """Raise ImageError unless both sides of a checked stack have that many pixels.

    It is for methods whose options set the least side.
    """
    height, width = stack.images.shape[1:3]
    if min(height, width) < side:
        raise ImageError(f"image 1 is {width}x{height} pixels; at least {side}x{side} are needed, so use a larger image")


# ---------------------------------------------------------------------------------------- range and gray


def to_unit(image: np.ndarray, dtype: np.dtype | type = np.float32) -> np.ndarray:
    """Convert any image to float in [0, 1] by its dtype.

    uint8 / 255, uint16 / 65535, floats as they are.
    """
    if image.dtype == np.uint8:
        return image.astype(dtype) / np.asarray(255, dtype)
    if image.dtype == np.uint16:
        return image.astype(dtype) / np.asarray(65535, dtype)
    return image.astype(dtype, copy=False)


def to_255(image: Image, dtype: type = np.float64) -> np.ndarray:
    """Convert any image to floats in 0..255 by its dtype alone, not rounded."""
    if image.dtype == np.uint8:
        return image.astype(dtype)
    if image.dtype == np.uint16:
        return image.astype(dtype) / np.asarray(257, dtype)
    return image.astype(dtype) * np.asarray(255, dtype)


def from_unit(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert floats near [0, 1] back to a dtype: clipped, rounded half up."""
    image = np.clip(image, 0, 1)
    if np.issubdtype(dtype, np.floating):
        return image.astype(dtype, copy=False)
    image *= np.asarray(np.iinfo(dtype).max, image.dtype)
    image += np.asarray(0.5, image.dtype)
    return np.floor(image, out=image).astype(dtype)


def to_gray(image: np.ndarray, weights: str = "skimage") -> np.ndarray:
    """Weight the channels of a float image (..., H, W, 3) to gray, not rounded.

    It is for networks and guides.
    """
    return image @ np.asarray(GRAY_WEIGHTS[weights], image.dtype)


# ------------------------------------------------------------------------------------- reading and writing


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read an image file as (H, W) or (H, W, 3), uint8, uint16 or float.

    PNG, JPEG, TIFF, WebP, BMP and others.

    EXIF orientation is applied; palettes, CMYK and 1-bit images are expanded; alpha is dropped with a warning.

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
    image = _decode(data, str(path))
    return np.ascontiguousarray(check_image(image, str(path)))


def _decode(data: bytes, name: str) -> np.ndarray:
    from PIL import Image as Pillow
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with Pillow.open(io.BytesIO(data)) as picture:
            if getattr(picture, "n_frames", 1) > 1 and picture.format in ("GIF", "TIFF"):
                warnings.warn(f"{name}: only the first of its {picture.n_frames} pages is used", stacklevel=4)
            if _is_deep(picture, data):
                return _decode_deep(data, name, picture.getexif().get(ORIENTATION, 1))
            picture.load()
            picture = ImageOps.exif_transpose(picture)
            return np.asarray(_plain_mode(picture, name))
    except ImageError:
        raise
    except UnidentifiedImageError:
        if (deep := _decode_deep(data, name, missing_ok=True)) is not None:  # 16-bit RGB TIFF: Pillow knows no such mode
            return deep
        raise ImageError(f"{name} is not an image that can be read; use PNG, JPEG, TIFF, WebP or BMP") from None
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        reason = str(error).split("\n")[0].rstrip(".") or type(error).__name__
        raise ImageError(f"{name} is damaged or truncated ({reason}); copy it again") from None


def _is_deep(picture, data: bytes) -> bool:
    """Tell whether several channels have 16 bits a sample, of which Pillow would silently keep eight."""
    png_depth = data[24] if picture.format == "PNG" and len(data) > 25 else 0
    tiff_bits = picture.tag_v2.get(258, (8,)) if picture.format == "TIFF" else (8,)
    return (png_depth == 16 and picture.mode not in ("I", "I;16")) or (len(tiff_bits) > 1 and max(tiff_bits) > 8)


def _decode_deep(data: bytes, name: str, orientation: int = 1, *, missing_ok: bool = False) -> np.ndarray | None:
    import cv2

    try:
        if data[:2] in (b"II", b"MM"):
            data, orientation = _lay_flat(data)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except Exception:  # a damaged file is refused by parsers with errors of many kinds
        image = None
    if image is None:
        if missing_ok:
            return None
        raise ImageError(f"{name} is damaged or truncated; copy it again")
    if image.ndim == 3 and image.shape[2] == 4:
        warnings.warn(f"{name}: the alpha channel is dropped", stacklevel=5)
    return _orient(image[..., 2::-1] if image.ndim == 3 else image, orientation)  # OpenCV keeps blue first


def _lay_flat(tiff: bytes) -> tuple[bytes, int]:
    """Set the orientation tag of a TIFF to 1 and return its value: OpenCV obeys some values and ignores others."""
    from tifffile import TiffFile

    with TiffFile(io.BytesIO(tiff)) as file:
        tag = file.pages[0].tags.get(ORIENTATION)
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
