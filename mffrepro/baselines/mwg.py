"""Multi-scale weighted gradient fusion: weights from sharpness at two scales, and an image with the gradients they choose.

At a large scale the map of the sharper source is sure but coarse; at a small scale it is fine but noisy. The first decides
where it can, the second in the band between. The weighted gradients of both sources make one field, and the fused image is
the one whose gradients are nearest to it.
"""

import cv2
import numpy as np
from scipy import ndimage

from mffrepro.baselines.channels import gray_levels
from mffrepro.errors import OptionError, unknown
from mffrepro.images import FocusStack, to_unit

#: Weight of the difference between the two eigenvalues in the saliency.
ANISOTROPY = 0.5
#: The larger scale decides only where its saliencies differ by this much, gray on 0..255.
MARGIN = 0.8
#: The region of the first source is mapped only where that source is the more salient on at most this share of the pixels, else
#: that of the second. With a half, one of four results in the survey comes out 8 dB further away than with a third.
SHARE = 1 / 3
#: How steeply a weight in the band grows with saliency.
STEEPNESS = 5.0
#: Step of the descent.
RATE = 0.1


def fuse(
    stack: FocusStack, *, large: float = 4.0, small: float = 0.5, iterations: int = 500, border: str = "published"
) -> tuple[np.ndarray, None]:
    """Fuse gradients weighted by saliency at two scales, and rebuild the image.

    The weights are computed on gray.

    Args:
        stack: N >= 2 images, sides at least 3 pixels; gray or colour.
        large: Standard deviation of the larger scale, pixels, over 0.
        small: Standard deviation of the smaller scale, pixels, over 0.
        iterations: Steps of gradient descent towards the image of the fused gradients, >= 0.
        border: ``"published"`` has no gradients in the outermost frame, which blurs some pixels around it; ``"sharp"`` has.

    Returns:
        The fused image; no decision map, since it is rebuilt from gradients.

    Raises:
        OptionError: An option out of range.
    Deviations:
        Which source has its region mapped is not stated; see `SHARE`. The authors' code rounds the image to whole gray levels
        in each step of the descent; here it is not rounded. More than two sources are fused one after the other. Equal sources
        come back as they are, without the blur of the border.

    References:
        [zhou2014mwg], results compared: [liu2020survey].
    Chapter: 02_baselines
    """
    if min(large, small) <= 0:
        raise OptionError(f"the scales are {large} and {small}; use numbers over 0")
    if iterations < 0:
        raise OptionError(f"iterations is {iterations}; use 0 or more")
    if border not in ("published", "sharp"):
        raise unknown("border", border, ("published", "sharp"))
    images = 255 * to_unit(stack.images, np.float64)
    fused, gray = images[0], np.stack(list(gray_levels(stack)))
    seen = gray[0]
    for image, other in zip(images[1:], gray[1:], strict=True):
        if (fused == image).all():
            continue
        weight = weigh_pair(seen, other, large, small)
        fused = _fuse_pair(fused, image, weight, iterations, frame=border == "sharp")
        seen = weight * seen + (1 - weight) * other
    return fused / 255, None


# ------------------------------------------------------------------------------------------------- weights


def saliency(gray: np.ndarray, sigma: float) -> np.ndarray:
    """Measure gradient strength by the eigenvalues of the smoothed structure tensor."""
    across, down = _gradient(gray)
    side = int(np.ceil(6 * sigma)) // 2 * 2 + 1
    xx, xy, yy = (
        cv2.GaussianBlur(product, (side, side), sigma, borderType=cv2.BORDER_REFLECT)
        for product in (across * across, across * down, down * down)
    )
    spread = np.hypot(xx - yy, 2 * xy)
    major, minor = (np.sqrt(np.maximum(xx + yy + sign * spread, 0) / 2) for sign in (1, -1))
    return np.sqrt((major + minor) ** 2 + ANISOTROPY * (major - minor) ** 2)


def _gradient(image: np.ndarray, *, frame: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Compute differences to the left and upper pixel, zero where there is none and, without `frame`, at the frame."""
    across, down = np.diff(image, axis=1, prepend=image[:, :1]), np.diff(image, axis=0, prepend=image[:1])
    for difference in (across, down) if not frame else ():
        difference[[0, -1]] = difference[:, [0, -1]] = 0
    return across, down


def weigh_pair(first: np.ndarray, second: np.ndarray, large: float, small: float) -> np.ndarray:
    """Weight (H, W) of the first source; the second has the rest."""
    coarse = [saliency(image, large) for image in (first, second)]
    if (coarse[0] > coarse[1])[::4, ::4].mean() > SHARE:
        return 1 - _weight_by_region(second, first, coarse[::-1], large, small)
    return _weight_by_region(first, second, coarse, large, small)


def _weight_by_region(first: np.ndarray, second: np.ndarray, coarse: list[np.ndarray], large: float, small: float) -> np.ndarray:
    mask = _largest_region(cv2.morphologyEx((coarse[0] > coarse[1] + MARGIN).astype(np.uint8), cv2.MORPH_CLOSE, disk(9)))
    mask = _without_thin_edges(mask, int(3 * large) + 1)
    sure = cv2.erode(mask, np.ones((round(1.5 * large),) * 2, np.uint8), anchor=((round(1.5 * large) - 1) // 2,) * 2) > 0
    possible = cv2.dilate(mask, np.ones((int(np.ceil(2.1 * large)),) * 2, np.uint8)) > 0
    band = possible & ~sure
    weight = sure.astype(np.float64)
    fine = [saliency(image, small) for image in (first, second)]
    thresholds = [_median(fine[0][~possible]), _median(fine[1][sure])]
    weight[band] = _soft_weight(*(s[band] for s in fine), *thresholds)
    return ndimage.median_filter(weight, 3, mode="constant")


def _median(values: np.ndarray) -> float:
    return max(float(np.median(values)) if values.size else 0.0, np.finfo(float).eps)


def _soft_weight(first: np.ndarray, second: np.ndarray, of_first: float, of_second: float) -> np.ndarray:
    """Weight between 0 and 1 by how much more salient the first is, and by how far the winner exceeds its blurred trace."""
    winner, loser = np.maximum(first, second), np.minimum(first, second)
    threshold = np.where(first >= second, of_first, of_second)
    trust = 1 + np.exp(np.minimum(STEEPNESS * (winner - threshold) / threshold, 700))
    total = first + second
    contrast = np.divide(loser - winner, total, out=np.zeros_like(total), where=total > 0)
    share = trust / (trust + np.exp(contrast))
    return np.where(first >= second, share, 1 - share)


def _largest_region(mask: np.ndarray) -> np.ndarray:
    """Keep the largest region of the mask, corners touching, with all its holes filled."""
    for value in (1, 0):
        regions, count = ndimage.label(mask == value, np.ones((3, 3)))
        if count:
            largest = 1 + np.bincount(regions.ravel())[1:].argmax()
            mask = np.where(regions == largest, value, 1 - value)
    return mask.astype(np.uint8)


def _without_thin_edges(mask: np.ndarray, width: int) -> np.ndarray:
    """Give runs shorter than `width` at a border the value next to them: there saliency lacks half its window."""
    mask = mask.copy()
    for turned in (mask, mask[::-1], mask.T, mask.T[::-1]):
        changed = np.cumsum(turned[:width] != turned[0], 0) > 0
        strip = turned[:width]
        strip[~changed & changed.any(0)] ^= 1
    return mask


def disk(radius: int) -> np.ndarray:
    """Build MATLAB's flat disk, (2 radius - 1) pixels wide.

    It is an octagon, made of lines in four directions.
    """
    reach = 2 * radius / (1 / np.tan(np.pi / 8) + 1 / np.sin(np.pi / 8))
    straight, oblique = int(reach), int(reach / np.sqrt(2))
    straight += radius - 1 - (straight + 2 * oblique)
    canvas = np.zeros((2 * radius - 1,) * 2, np.uint8)
    canvas[radius - 1, radius - 1] = 1
    diagonal = np.eye(2 * oblique + 1, dtype=np.uint8)
    line = np.ones((1, 2 * straight + 1), np.uint8)
    for kernel in (line, line.T, diagonal, diagonal[::-1]):
        canvas = cv2.dilate(canvas, kernel)
    return canvas


# ------------------------------------------------------------------------------------------ reconstruction


def _fuse_pair(first: np.ndarray, second: np.ndarray, weight: np.ndarray, iterations: int, *, frame: bool) -> np.ndarray:
    if first.ndim == 3:
        channels = [_fuse_pair(first[..., c], second[..., c], weight, iterations, frame=frame) for c in range(first.shape[2])]
        return np.stack(channels, -1)
    goal = _divergence(*_fused_gradient(first, second, weight, frame=frame))
    fused = weight * first + (1 - weight) * second
    for _ in range(iterations):
        change = cv2.Laplacian(fused, -1, ksize=1, borderType=cv2.BORDER_REPLICATE) - goal
        fused = np.clip(fused + RATE * change, 0, 255)
    return fused


def _fused_gradient(first: np.ndarray, second: np.ndarray, weight: np.ndarray, *, frame: bool) -> tuple[np.ndarray, np.ndarray]:
    """Combine both weighted gradients: along their strongest direction, as long as both together."""
    across, down = (np.stack(parts) for parts in zip(*(_gradient(i, frame=frame) for i in (first, second)), strict=True))
    weights = np.stack([weight, 1 - weight])
    across, down = weights * across, weights * down
    xx, xy, yy = (across**2).sum(0), (across * down).sum(0), (down**2).sum(0)
    length = np.sqrt((xx + yy + np.hypot(xx - yy, 2 * xy)) / 2)
    angle = np.arctan2(2 * xy, xx - yy) / 2
    x, y = length * np.cos(angle), length * np.sin(angle)
    sign = np.where(x * across.sum(0) + y * down.sum(0) < 0, -1, 1)
    return sign * x, sign * y


def _divergence(across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Compute the divergence by differences to the right and lower pixel, so that that of a gradient is the Laplacian."""
    return np.diff(across, axis=1, append=0) + np.diff(down, axis=0, append=0)
