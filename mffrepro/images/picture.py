"""One decoded picture with what its file says about it, before it is turned upright."""

from dataclasses import dataclass, replace

import numpy as np

from mffrepro.images.metadata import Metadata
from mffrepro.images.orientation import orient


@dataclass(frozen=True, eq=False)
class Picture:
    """Hold a decoded picture as it is stored.

    Attributes:
        pixels: (H, W) or (H, W, 3), not turned.
        alpha: (H, W) of the same dtype, not turned; None without one.
        orientation: EXIF orientation.
        metadata: Profile, EXIF and resolution; None for an array that was not read from a file.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    orientation: int = 1
    metadata: Metadata | None = None

    def upright(self) -> "Picture":
        """Turn pixels and alpha upright."""
        if self.orientation == 1:
            return self
        alpha = None if self.alpha is None else orient(self.alpha, self.orientation)
        return Picture(orient(self.pixels, self.orientation), alpha, 1, self.metadata)

    def outline(self) -> "Picture":
        """Return the same picture without its values."""
        alpha = None if self.alpha is None else blank(self.alpha.shape, self.alpha.dtype)
        return replace(self, pixels=blank(self.pixels.shape, self.pixels.dtype), alpha=alpha)


def blank(shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """Return an array of zeros that takes no memory, and must not be changed."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def split_alpha(image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Split an image of 2 or 4 channels into gray or colour and alpha.

    Others have no alpha.

    Args:
        image: (H, W) or (H, W, C).
    """
    if image.ndim == 3 and image.shape[2] in (2, 4):
        colour = image[..., 0] if image.shape[2] == 2 else image[..., :3]
        return colour, image[..., -1]
    return image, None
