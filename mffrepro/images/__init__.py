"""Images, stacks of them, and the result of a fusion.

Reading goes from `files` to `formats`, which picks a decoder (`tiff`, `camera`, `jpeg`, or Pillow) and returns a `picture`:
stored pixels, `orientation` and `metadata`. `joining` brings the pictures of one scene together, `depth` scales them to the
range of their type, and `stack` holds them: in an array, or for a large stack in `frames` that `opening` makes, which decode a
file when it is needed; frames that took work to make lie in a `spool`. `shares` say which source a fused pixel comes from.
`writing` and `tiff_writing` put a result into a file. `checks`, `balance` (in linear `light`) and `hot_pixels` find and mend
faults of a stack; `headers` and `limits` look at a file before it is decoded.
"""

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
from mffrepro.images.frames import Frames
from mffrepro.images.metadata import Metadata
from mffrepro.images.orientation import ORIENTATION
from mffrepro.images.shares import Shares
from mffrepro.images.stack import FocusStack, FusionResult, as_stack, require_side
from mffrepro.images.writing import check_target, write_image

__all__ = [
    "GRAY_WEIGHTS",
    "ORIENTATION",
    "FocusStack",
    "Frames",
    "FusionResult",
    "Image",
    "ImageOrPath",
    "Metadata",
    "Shares",
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
