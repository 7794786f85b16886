"""Multi-scale weighted gradient fusion: weights from sharpness at two scales, and an image with the gradients they choose.

At a large scale the map of the sharper source is sure but coarse; at a small scale it is fine but noisy. The first decides
where it can, the second in the band between. The weighted gradients of both sources make one field, and the fused image is
the one whose gradients are nearest to it.
"""

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage

from mffrepro.baselines.channels import gray_levels
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack, to_unit

#: Weight of the difference between the two eigenvalues in the saliency.
ANISOTROPY = 0.5
#: The larger scale decides only where its saliencies differ by this much, gray on 0..255.
MARGIN = 0.8
#: Radius of the disk that closes gaps in the region, pixels.
GAP = 9
#: Standard deviation, in pixels of a quarter of the size, of the saliency that says whose region is mapped.
OVERVIEW = 6.0
#: How steeply a weight in the band grows with saliency.
STEEPNESS = 5.0
#: Step of the descent.
RATE = 0.1
#: Farther from a whole gray level than rounding of floats explains.
WHOLE = 1e-6
#: Keeps quotients finite.
EPS = np.finfo(float).eps

#: Differences to the left and to the upper pixel.
Gradient = tuple[np.ndarray, np.ndarray]


def fuse(
    stack: FocusStack, *, large: float = 4.0, small: float = 0.5, iterations: int = 500, as_published: bool = True
) -> tuple[np.ndarray, None]:
    """Fuse gradients weighted by saliency at two scales, and rebuild the image.

    The weights are computed on gray.

    Args:
        stack: N >= 2 images, sides at least 3 pixels; gray or colour.
        large: Standard deviation of the larger scale, pixels, over 0.
        small: Standard deviation of the smaller scale, pixels, over 0.
        iterations: Steps of gradient descent towards the image of the fused gradients, >= 0.
        as_published: As the authors' program does, the outermost frame has no gradients, which blurs some pixels around it; and
            where all sources are in whole gray levels, 8 bits, so is the image that each step of the descent sees. False does
            neither.

    Returns:
        The fused image; no decision map, since it is rebuilt from gradients.

    Raises:
        OptionError: An option out of range.
    Deviations:
        More than two sources are fused one after the other. Equal sources come back as they are, without the blur of the border.

    References:
        [zhou2014mwg] and its authors' program, results compared: [liu2020survey], [zhang2020mfifb].
    Chapter: 02_baselines
    """
    if min(large, small) <= 0:
        raise OptionError(f"the scales are {large} and {small}; use numbers over 0")
    if iterations < 0:
        raise OptionError(f"iterations is {iterations}; use 0 or more")
    images = 255 * to_unit(stack.images, np.float64)
    whole = as_published and all(np.abs(image - np.rint(image)).max() < WHOLE for image in images)
    gray = np.stack(list(gray_levels(stack)))
    if whole:
        images, gray = np.rint(images), to_whole(gray)
    fused = images[0]
    seen = gray[0]
    for image, other in zip(images[1:], gray[1:], strict=True):
        if (fused == image).all():
            continue
        weight = weigh_pair(seen, other, large, small)
        fused = _fuse_pair(fused, image, weight, iterations, frame=not as_published, whole=whole)
        seen = weight * seen + (1 - weight) * other
    return fused / 255, None


# ------------------------------------------------------------------------------------------------- weights


def saliency(field: Gradient, sigma: float) -> np.ndarray:
    """Measure gradient strength by the eigenvalues of the smoothed structure tensor."""
    across, down = field
    side = int(np.ceil(6 * sigma)) // 2 * 2 + 1
    xx, xy, yy = (
        cv2.GaussianBlur(product, (side, side), sigma, borderType=cv2.BORDER_REFLECT)
        for product in (across * across, across * down, down * down)
    )
    total = xx + yy
    spread = np.sqrt(np.maximum(total**2 - 4 * (xx * yy - xy * xy), 0))
    major, minor = (np.sqrt(np.abs(total + sign * spread) / 2) for sign in (1, -1))
    return np.sqrt((major + minor) ** 2 + ANISOTROPY * (major - minor) ** 2)


def gradient(image: np.ndarray, *, frame: bool = False) -> Gradient:
    """Compute differences to the left and upper pixel.

    They are zero where there is no such pixel and, without `frame`, in the outermost frame.
    """
    across, down = np.diff(image, axis=1, prepend=image[:, :1]), np.diff(image, axis=0, prepend=image[:1])
    for difference in (across, down) if not frame else ():
        difference[[0, -1]] = difference[:, [0, -1]] = 0
    return across, down


def weigh_pair(first: np.ndarray, second: np.ndarray, large: float, small: float) -> np.ndarray:
    """Weight (H, W) of the first source; the second has the rest.

    The region is mapped of the source that is less often the more salient one.
    """
    gradients = [gradient(image) for image in (first, second)]
    overview = [saliency((_quarter(across), _quarter(down)), OVERVIEW) for across, down in gradients]
    if (overview[0] > overview[1]).mean() > 0.5:
        weight = 1 - _weight_by_region(gradients[::-1], large, small)
    else:
        weight = _weight_by_region(gradients, large, small)
    return ndimage.median_filter(weight, 3, mode="constant")


def _quarter(values: np.ndarray) -> np.ndarray:
    """Shrink to a quarter of the size by a bicubic kernel as wide as the reduction."""
    height, width = values.shape
    size = -(-width // 4), -(-height // 4)
    return np.array(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BICUBIC), np.float64)


def _weight_by_region(gradients: list[Gradient], large: float, small: float) -> np.ndarray:
    coarse, fine = ([saliency(each, sigma) for each in gradients] for sigma in (large, small))
    mask = _largest_region(_close(coarse[0] > coarse[1] + MARGIN))
    mask = _without_thin_edges(mask, int(3 * large))
    side = int(np.ceil(1.5 * large))
    sure = cv2.erode(mask, np.ones((side, side), np.uint8), anchor=((side - 1) // 2,) * 2) > 0
    possible = cv2.dilate(mask, np.ones((int(np.ceil(2.1 * large)),) * 2, np.uint8)) > 0
    band = possible & ~sure
    thresholds = _median(fine[0][(fine[0] > fine[1]) & ~possible]), _median(fine[1][(fine[1] > fine[0]) & sure])
    weight = sure.astype(np.float64)
    weight[band] = _soft_weight(*(s[band] for s in fine), *thresholds)
    return weight


def _median(values: np.ndarray) -> float:
    """Take the upper median of what a blurred source shows where it should show nothing, over 0."""
    return max(float(np.sort(values)[values.size // 2]) if values.size else 0.0, EPS)


def _soft_weight(first: np.ndarray, second: np.ndarray, of_first: float, of_second: float) -> np.ndarray:
    """Weight between 0 and 1 by how much more salient the first is, and by how far the winner exceeds its blurred trace."""
    winner, loser = np.maximum(first, second), np.minimum(first, second)
    threshold = np.where(first >= second, of_first, of_second)
    trust = 1 + np.exp(np.minimum(STEEPNESS * (winner - threshold) / (threshold + EPS), 700))
    contrast = (loser - winner) / (winner + loser + EPS)
    share = trust / (trust + np.exp(contrast))
    return np.where(first >= second, share, 1 - share)


def _close(mask: np.ndarray) -> np.ndarray:
    """Close gaps by a disk, with nothing outside the image.

    So, presumably, do newer versions of MATLAB: 14 of MFIFB's 24 images become equal by it. In the survey's images the outside
    closes gaps at the border.
    """
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), *4 * [2 * GAP], cv2.BORDER_CONSTANT, value=0)
    return cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disk(GAP))[2 * GAP : -2 * GAP, 2 * GAP : -2 * GAP]


def _largest_region(mask: np.ndarray) -> np.ndarray:
    """Keep the largest region of the mask, corners touching, with all its holes filled."""
    for value in (1, 0):
        regions, count = ndimage.label(mask == value, np.ones((3, 3)))
        if count:
            largest = 1 + np.bincount(regions.ravel())[1:].argmax()
            mask = np.where(regions == largest, value, 1 - value)
    return mask.astype(np.uint8)


def _without_thin_edges(mask: np.ndarray, width: int) -> np.ndarray:
    """Remove runs of the mask shorter than `width` that begin at a border: there saliency lacks half its window.

    At the lower and right border runs of just `width` go too, as in the authors' program.
    """
    mask = mask.copy()
    for turned, longest in ((mask, width - 1), (mask[::-1], width), (mask.T, width - 1), (mask.T[::-1], width)):
        run = np.logical_and.accumulate(turned[: longest + 1], axis=0)
        turned[: longest + 1][run & ~run.all(0)] = 0
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


def _fuse_pair(
    first: np.ndarray, second: np.ndarray, weight: np.ndarray, iterations: int, *, frame: bool, whole: bool
) -> np.ndarray:
    if first.ndim == 3:
        planes = zip(np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0), strict=True)
        return np.stack([_fuse_pair(*plane, weight, iterations, frame=frame, whole=whole) for plane in planes], -1)
    goal = _divergence(*_fused_gradient(first, second, weight, frame=frame))
    fused = weight * first + (1 - weight) * second
    for _ in range(iterations):
        change = cv2.Laplacian(to_whole(fused) if whole else fused, -1, ksize=1, borderType=cv2.BORDER_REPLICATE)
        change -= goal  # in place: a fifth less time
        change *= RATE
        fused += change
        np.clip(fused, 0, 255, out=fused)
    return fused


def to_whole(levels: np.ndarray) -> np.ndarray:
    """Round gray levels, 0 or more, to whole ones, halves upwards."""
    above = levels + 0.5
    return np.floor(above, out=above)


def _fused_gradient(first: np.ndarray, second: np.ndarray, weight: np.ndarray, *, frame: bool) -> Gradient:
    """Combine both weighted gradients: along their strongest direction, as long as both together.

    The direction is computed as in the authors' program: whole levels in each step of the descent magnify the last bit. With the
    angle instead of the slope, 98.2 % of the values of a published image (`aymaz_09` of MFIFB) are equal instead of all.
    """
    (x1, y1), (x2, y2) = (
        [share * part for part in gradient(image, frame=frame)] for image, share in ((first, weight), (second, 1 - weight))
    )
    xx, xy, yy = x1**2 + x2**2, x1 * y1 + x2 * y2, y1**2 + y2**2
    spread = np.sqrt((xx - yy) ** 2 + 4 * xy * xy)
    length = np.sqrt((xx + yy + spread) / 2)
    slope = (xx - yy + spread) / (2 * xy + EPS)
    norm = np.sqrt(slope**2 + 1)
    x, y = length * slope / norm, length / norm
    sign = np.where(x * (x1 + x2) + y * (y1 + y2) + EPS < 0, -1, 1)
    return sign * x, sign * y


def _divergence(across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Compute the divergence by differences to the right and lower pixel, so that that of a gradient is the Laplacian."""
    return np.diff(across, axis=1, append=0) + np.diff(down, axis=0, append=0)
