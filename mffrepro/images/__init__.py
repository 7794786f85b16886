"""Images, stacks of them, and the result of a fusion."""

from mffrepro.images.arrays import (
    GRAY_WEIGHTS,
    Image,
    ImageOrPath,
    check_image,
    check_same_shape,
    check_same_size,
    from_unit,
    to_255,
    to_gray,
    to_unit,
)
from mffrepro.images.files import locked, read_image, write_atomically
from mffrepro.images.metadata import Metadata
from mffrepro.images.orientation import ORIENTATION
from mffrepro.images.stack import FocusStack, FusionResult, as_stack, require_side
from mffrepro.images.writing import check_target, write_image

__all__ = [
    "GRAY_WEIGHTS",
    "ORIENTATION",
    "FocusStack",
    "FusionResult",
    "Image",
    "ImageOrPath",
    "Metadata",
    "as_stack",
    "check_image",
    "check_same_shape",
    "check_same_size",
    "check_target",
    "from_unit",
    "read_image",
    "require_side",
    "to_255",
    "to_gray",
    "to_unit",
    "locked",
    "write_atomically",
    "write_image",
]
