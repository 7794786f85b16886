"""Defocus by a thin lens: layers of equal disparity, each blurred by its circle of confusion, from back to front.

A point at disparity d (inverse depth) seen through a lens focused at disparity f is imaged as a disc whose radius is
proportional to |d - f|. Blurring the photograph by that radius pixel by pixel would let sharp foreground bleed into the
blurred background; here each layer carries its own opacity, so near things cover far ones and their blur reaches over
them. What lies hidden behind a layer is continued from the nearest visible pixel at least as far away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mffrepro.errors import ImageError, OptionError
from mffrepro.images import check_image, from_unit, to_unit

#: Shapes of the circle of confusion.
PSFS = ("disc", "hexagon", "gaussian")


@dataclass(frozen=True, eq=False)
class Layer:
    """Hold everything at about one disparity, continued below what hides it.

    Attributes:
        disparity: Mean over the layer's visible pixels.
        rows, columns: The part of the image it occupies.
        paint: (h, w, C + 1) float32: colour times opacity, and opacity.
    """

    disparity: float
    rows: slice
    columns: slice
    paint: np.ndarray


def thin_lens(
    image: np.ndarray, disparity: np.ndarray, focus: float, aperture: float, *, psf: str = "disc", layers: int = 24
) -> np.ndarray:
    """Render the photograph that a lens of finite aperture would take.

    Args:
        image: All-in-focus image, (H, W) or (H, W, 3).
        disparity: (H, W) finite; larger is nearer. For a depth map give ``1 / depth``.
        focus: Disparity in focus.
        aperture: Radius of the circle of confusion in pixels per unit of disparity away from the focus; 0 is a pinhole.
        psf: ``"disc"``; ``"hexagon"`` with its corners on the disc's rim, as six aperture blades make it; or ``"gaussian"`` with
            the standard deviation half the radius, which has the disc's variance.
        layers: How many steps the disparity is cut into.

    Returns:
        Same shape and dtype. Where nothing within reach is out of focus, the image's own values.

    Raises:
        ImageError: The disparity map is of another size or not finite.
        OptionError: A negative aperture, no layer, or an unknown psf.
    """
    return focal_stack(image, disparity, [focus], aperture, psf=psf, layers=layers)[0]


def disc_blur(image: np.ndarray, radius: float) -> np.ndarray:
    """Blur a whole image (H, W[, C]) by a disc, as a lens blurs a plane out of focus.

    The radius is in pixels and need not be whole; up to half a pixel the image stays as it is.
    """
    return thin_lens(image, np.ones(image.shape[:2]), 0.0, radius, layers=1)


def focal_stack(
    image: np.ndarray, disparity: np.ndarray, focuses: Sequence[float], aperture: float, *, psf: str = "disc", layers: int = 24
) -> np.ndarray:
    """Render `thin_lens` at several focus settings, (N, H, W[, 3]).

    The layers are cut once.
    """
    image = check_image(image)
    if disparity.shape != image.shape[:2] or not np.isfinite(disparity).all():
        raise ImageError(
            f"the disparity map has shape {disparity.shape}, the image {image.shape[:2]}; both must agree and all be finite"
        )
    if aperture < 0 or layers < 1 or psf not in PSFS:
        known = ", ".join(PSFS)
        raise OptionError(f"aperture={aperture:g}, layers={layers}, psf={psf!r}; give at least 0, at least 1, and one of {known}")
    cut = cut_layers(image, disparity, layers)
    pictures = [_render(cut, image.shape, focus, aperture, psf) for focus in focuses]
    return np.stack([from_unit(picture.reshape(image.shape), image.dtype) for picture in pictures])


def sharpest_slice(disparity: np.ndarray, focuses: Sequence[float]) -> np.ndarray:
    """Compute the true decision map (N, H, W) from the circles of confusion.

    It is 1 for the slice with the smallest circle, the first of equals; float32.
    """
    distance = np.abs(disparity[None] - np.asarray(focuses).reshape(-1, 1, 1))
    return (np.arange(len(focuses)).reshape(-1, 1, 1) == distance.argmin(axis=0)).astype(np.float32)


def cut_layers(image: np.ndarray, disparity: np.ndarray, layers: int) -> list[Layer]:
    """Cut an image into at most `layers` steps of equal disparity, far to near.

    Each is continued below what hides it.
    """
    from scipy.ndimage import distance_transform_edt

    low, high = float(disparity.min()), float(disparity.max())
    step = (high - low) / layers or 1.0
    level = np.minimum(((disparity - low) / step).astype(int), layers - 1)
    colour = to_unit(image).reshape(*image.shape[:2], -1)
    cut = []
    for n in np.unique(level):
        rows, columns = distance_transform_edt(level > n, return_distances=False, return_indices=True)
        mine = level[rows, columns] == n
        paint = np.concatenate([colour[rows, columns], np.ones((*level.shape, 1), np.float32)], axis=2) * mine[..., None]
        cut.append(_crop(float(disparity[level == n].mean()), mine, paint))
    return cut


def _crop(disparity: float, mine: np.ndarray, paint: np.ndarray) -> Layer:
    rows, columns = (np.flatnonzero(mine.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Layer(disparity, *box, np.ascontiguousarray(paint[box]))


def _render(cut: Sequence[Layer], shape: tuple[int, ...], focus: float, aperture: float, psf: str) -> np.ndarray:
    """Render back to front: what is behind shows as far as the new layer is not opaque; colour is divided by opacity last."""
    height, width = shape[:2]
    channels = cut[0].paint.shape[2]
    margin = int(np.ceil(max(aperture * abs(layer.disparity - focus) for layer in cut))) + 1
    canvas = np.zeros((height + 2 * margin, width + 2 * margin, channels), np.float32)
    for layer in cut:
        radius = aperture * abs(layer.disparity - focus)
        reach = int(np.ceil(radius))
        paint = _blur(np.pad(layer.paint, ((reach, reach), (reach, reach), (0, 0))), radius, psf)
        top, left = layer.rows.start + margin - reach, layer.columns.start + margin - reach
        below = canvas[top : top + paint.shape[0], left : left + paint.shape[1]]
        below *= 1 - paint[..., -1:]
        below += paint
    seen = canvas[margin : margin + height, margin : margin + width]
    return seen[..., :-1] / np.maximum(seen[..., -1:], 1e-6)


def _blur(paint: np.ndarray, radius: float, psf: str) -> np.ndarray:
    import cv2

    if radius <= 0.5:  # within half a pixel the disc is the pixel itself
        return paint
    if psf == "gaussian":
        side = 2 * int(np.ceil(radius)) + 1
        return cv2.GaussianBlur(paint, (side, side), radius / 2, borderType=cv2.BORDER_CONSTANT)
    return cv2.filter2D(paint, -1, _kernel(radius, psf), borderType=cv2.BORDER_CONSTANT)


def _kernel(radius: float, psf: str) -> np.ndarray:
    """Draw a disc of real radius, or the hexagon in it, the rim covered in proportion; it sums to 1."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    if psf == "disc":
        beyond = np.hypot(x, y) - radius
    else:
        beyond = np.max([np.abs(y * np.cos(t) + x * np.sin(t)) for t in np.pi / 3 * np.arange(3)], axis=0) - radius * np.sqrt(
            0.75
        )
    kernel = np.clip(0.5 - beyond, 0, 1).astype(np.float32)
    return kernel / kernel.sum()
