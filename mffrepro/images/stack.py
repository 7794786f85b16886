"""Hold a stack of images, and the result of its fusion."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mffrepro.errors import ImageError
from mffrepro.images.arrays import ImageOrPath, check_image
from mffrepro.images.depth import check_white, overshoot, scale_to_white
from mffrepro.images.files import read_picture
from mffrepro.images.formats import Chroma
from mffrepro.images.frames import SMALL, Frames
from mffrepro.images.joining import join
from mffrepro.images.metadata import Metadata
from mffrepro.images.opening import decoded_size, open_frames
from mffrepro.images.picture import Picture, blank, split_alpha
from mffrepro.images.shares import Shares
from mffrepro.images.tiff import is_tiff, read_slices


@dataclass(frozen=True, eq=False)
class FocusStack:
    """Hold N registered photographs of one scene, each sharp in a different part.

    Attributes:
        name: Short identifier, unique in its data set.
        images: (N, H, W) or (N, H, W, 3), N >= 2; uint8, uint16 or float in [0, 1]. An array, or for a stack of files that is
            large the `mffrepro.images.Frames`, which decode an image when it is asked for and are read like an array.
        reference: All-in-focus image of the same size and dtype, where it is known.
        decision: True share of each source per pixel, (N, H, W) float32 summing to 1, where it is known.
        metadata: Colour profile, EXIF and resolution of the first source that was read from a file; None for arrays.
        alpha: Opacity of each source, (N, H, W) of the same dtype, where all have one; frames where the images are.
        white: Value of white in the sources, where it was not that of their type; `images` are scaled from it.
    """

    name: str
    images: np.ndarray | Frames
    reference: np.ndarray | None = None
    decision: np.ndarray | None = None
    metadata: Metadata | None = None
    alpha: np.ndarray | Frames | None = None
    white: float | None = None

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
        shares: The decision as it was made: an array (N, H, W), or `mffrepro.images.Shares`, which take little memory.
        decision: (N, H, W) float32, the share of each source per pixel, summing to 1; None where a method has none. It is made
            of `shares` when it is asked for, and then kept.
        seconds: Wall-clock time of the fusion itself, without reading files or loading weights.
        method: Name of the method.
        metadata: Colour profile, EXIF and resolution of the first source, for `mffrepro.write_image`; None for arrays.
        alpha: Opacity (H, W) where all sources have one, else None.
        white: Value of white in the image, where it is not that of its type.
        averaged: Share of the pixels that are the mean of all sources, since none is sharp there.
        depth: (H, W) float32, the number of the sharpest source with fractions, 0 for the first; None unless asked for or found
            by the method itself.
        confidence: (H, W) float32 in [0, 1], how far that source stands out; None unless asked for or found
            by the method itself.
    """

    image: np.ndarray
    shares: np.ndarray | Shares | None
    seconds: float
    method: str
    metadata: Metadata | None = None
    alpha: np.ndarray | None = None
    white: float | None = None
    averaged: float = 0.0
    depth: np.ndarray | None = None
    confidence: np.ndarray | None = None

    @cached_property
    def decision(self) -> np.ndarray | None:
        """Return the shares (N, H, W) float32, None where a method has none."""
        return self.shares.dense() if isinstance(self.shares, Shares) else self.shares


def as_stack(
    images: FocusStack | ImageOrPath | Sequence[ImageOrPath],
    name: str = "stack",
    min_side: int = 1,
    *,
    chroma: Chroma = "interpolated",
    white: float | None = None,
    crop: bool = False,
) -> FocusStack:
    """Make a checked FocusStack from arrays or paths.

    Frames that disagree are brought together where one right way is known, with a warning: gray ones become colour where others
    are, and EXIF orientations that differ while the stored sizes agree are ignored.

    Files are decoded once where all together have at most `mffrepro.images.frames.SMALL` bytes of pixels, else whenever an image
    is asked for; arrays stay arrays.

    Args:
        images: Two or more arrays or paths (they may be mixed); the path of one TIFF file that holds a stack; or a stack, which
            is checked again.
        name: Name of the new stack.
        min_side: Smallest height and width that the caller can work with.
        chroma: How the chroma of JPEG files is enlarged, see `read_image`.
        white: Value of white in sources of 16 bits or floats, such as 4095 for 12-bit data. Floats that overshoot 1 by less than
            half have their maximum as white.
        crop: Crop images of different sizes to the largest size that all have, around their centres.

    Raises:
        ImageError: Fewer than two images, or one that cannot be used; the sentence names which.
        OptionError: `white` does not suit the type of the images.
    """
    if isinstance(images, Frames):
        images = FocusStack(name, images)
    if isinstance(images, FocusStack):
        return _checked_again(images, min_side, white)
    if isinstance(images, (str, os.PathLike)):
        return _from_one_file(images, name, min_side, white)
    if not hasattr(images, "__len__"):
        raise ImageError(f"the images are {type(images).__name__}; give a list of two or more arrays or paths")
    if len(images) == 1 and isinstance(images[0], (str, os.PathLike)) and is_tiff(images[0]):
        return _from_one_file(images[0], name, min_side, white)
    if len(images) < 2:
        if len(images) and isinstance(images[0], (str, os.PathLike)) and not os.path.exists(images[0]):
            raise ImageError(f"{os.fspath(images[0])} does not exist; check the path")
        raise ImageError(f"fusion needs at least two images, {len(images)} given; add the other focus settings")
    names = [os.fspath(i) if isinstance(i, (str, os.PathLike)) else f"image {n + 1}" for n, i in enumerate(images)]
    if white is None and _is_plain(images):  # as it lies: large stacks would be held twice
        checked = [check_image(image, called, min_side) for image, called in zip(images, names, strict=True)]
        if checked[0].shape == images.shape[1:]:
            return FocusStack(name, images)
    if sum(map(_size, images)) > SMALL:
        given = [one if isinstance(one, (str, os.PathLike)) else _picture(one, chroma) for one in images]
        joined, alpha, metadata = open_frames(given, names, chroma=chroma, crop=crop)
    else:
        joined, alpha, metadata = join((_picture(given, chroma) for given in images), names, crop=crop)
    first = next((one for one in metadata if one is not None), None)
    return _finish(name, joined, alpha, first, names, min_side, white)


def _is_plain(images: Sequence[ImageOrPath]) -> bool:
    """Tell whether images are one array of integers, gray or RGB."""
    return isinstance(images, np.ndarray) and images.dtype in (np.uint8, np.uint16) and images.shape[3:] in ((), (3,))


def _size(given: ImageOrPath) -> int:
    """Return how many bytes an image that has to be decoded will take; an array is there already."""
    return decoded_size(given) if isinstance(given, (str, os.PathLike)) else 0


def _picture(given: ImageOrPath, chroma: Chroma) -> Picture:
    if isinstance(given, (str, os.PathLike)):
        return read_picture(given, chroma=chroma)
    array = np.asarray(given)
    return Picture(*split_alpha(array)) if array.shape[2:] == (4,) else Picture(array)


def _from_one_file(path: str | os.PathLike, name: str, min_side: int, white: float | None) -> FocusStack:
    if os.path.exists(path) and not is_tiff(path):
        raise ImageError(f"{os.fspath(path)} is one path; give at least two images, or a TIFF of several slices")
    images, alpha, metadata = read_slices(path)
    names = [f"slice {i + 1} of {os.fspath(path)}" for i in range(len(images))]
    return _finish(name, images, alpha, metadata, names, min_side, white)


def _finish(
    name: str,
    images: np.ndarray | Frames,
    alpha: np.ndarray | Frames | None,
    metadata: Metadata | None,
    names: Sequence[str],
    min_side: int,
    white: float | None,
) -> FocusStack:
    """Scale the images to the range of their type and check each of them."""
    check_white(white, images.dtype)
    if white is None and np.issubdtype(images.dtype, np.floating):
        white = overshoot(float(images.max(initial=0)))
    images = scale_to_white(images, white)
    _check_each(images, names, min_side)
    return FocusStack(name, images, metadata=metadata, alpha=alpha, white=white)


def _check_each(images: np.ndarray | Frames, names: Sequence[str], min_side: int) -> None:
    """Check every image; the shape of integers says all, so that no frame is decoded for it."""
    if isinstance(images, Frames) and not np.issubdtype(images.dtype, np.floating):
        check_image(blank(images.shape[1:], images.dtype), names[0], min_side)
        return
    for image, called in zip(images, names, strict=True):
        check_image(image, called, min_side)


def _checked_again(stack: FocusStack, min_side: int, white: float | None) -> FocusStack:
    _check_each(stack.images, [f"image {i + 1} of {stack.name}" for i in range(len(stack))], min_side)
    if white is None or white == stack.white:
        return stack
    check_white(white, stack.images.dtype)
    return FocusStack(
        stack.name, scale_to_white(stack.images, white), stack.reference, stack.decision, stack.metadata, stack.alpha, white
    )


def require_side(stack: FocusStack, side: int) -> None:
    """Raise ImageError unless both sides of a checked stack have that many pixels.

    It is for methods whose options set the least side.
    """
    height, width = stack.images.shape[1:3]
    if min(height, width) < side:
        raise ImageError(f"image 1 is {width}x{height} pixels; at least {side}x{side} are needed, so use a larger image")
