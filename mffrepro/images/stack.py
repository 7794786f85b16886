"""Hold a stack of images, and the result of its fusion."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mffrepro.errors import ImageError
from mffrepro.images.arrays import ImageOrPath, check_image, check_same_size
from mffrepro.images.files import Chroma, read_image


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


def as_stack(
    images: FocusStack | Sequence[ImageOrPath], name: str = "stack", min_side: int = 1, *, chroma: Chroma = "interpolated"
) -> FocusStack:
    """Make a checked FocusStack from arrays or paths.

    Args:
        images: Two or more arrays or paths (they may be mixed), or a stack, which is checked again.
        name: Name of the new stack.
        min_side: Smallest height and width that the caller can work with.
        chroma: How the chroma of JPEG files is enlarged, see `read_image`.

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
        image = read_image(given, chroma=chroma) if isinstance(given, (str, os.PathLike)) else given
        image = check_image(image, called, min_side)
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
