"""The Laplacian pyramid of Burt and Adelson, with the borders that published fusion results were made with."""

import cv2
import numpy as np

KERNEL = np.array([1, 4, 6, 4, 1]) / 16


def mirror(image: np.ndarray, width: int) -> np.ndarray:
    """Pad by mirroring without repeating the edge.

    The four corner patches stay zero, as in Rockinger's toolbox.
    """
    padded = np.pad(image, width, mode="reflect")
    for rows in (slice(None, width), slice(-width, None)):
        for columns in (slice(None, width), slice(-width, None)):
            padded[rows, columns] = 0
    return padded


def _smooth(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    filtered = cv2.sepFilter2D(mirror(image, 2), -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
    return filtered[2:-2, 2:-2]


def _expand(image: np.ndarray) -> np.ndarray:
    spread = np.zeros((2 * image.shape[0], 2 * image.shape[1]), image.dtype)
    spread[::2, ::2] = image
    return _smooth(spread, 2 * KERNEL)


def reduce(image: np.ndarray) -> np.ndarray:
    """Smooth and halve an image (H, W); an odd side is rounded up."""
    return _smooth(_even(image), KERNEL)[::2, ::2].copy()  # a view would keep the large image in memory


def detail(image: np.ndarray, smaller: np.ndarray) -> np.ndarray:
    """Compute the detail that `reduce` loses.

    It has even sides; where the image's are odd it is mirrored.
    """
    return _even(image) - _expand(smaller)


def detail_strip(strip: np.ndarray, start: int, smaller: np.ndarray) -> np.ndarray:
    """Compute `detail` of some rows of an image alone.

    Args:
        strip: (h, W) rows; an even number of them unless they are the last.
        start: Number of the first, even.
        smaller: `reduce` of the whole image.
    """
    # A row of the expanded image depends on two rows of the smaller one to either side.
    first = max(0, start // 2 - 2)
    last = (start + len(strip) + 1) // 2 + 2
    return _even(strip) - _expand(smaller[first:last])[start - 2 * first :][: len(strip) + len(strip) % 2]


def _even(image: np.ndarray) -> np.ndarray:
    odd = [(0, side % 2) for side in image.shape]
    return np.pad(image, odd, mode="reflect") if any(image.shape[axis] % 2 for axis in (0, 1)) else image


def analyse(image: np.ndarray, levels: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Split an image into details from fine to coarse, and the base.

    Args:
        image: (H, W) float.
        levels: How often the image is halved; each side must stay at least 3 pixels.
    """
    details = []
    for _ in range(levels):
        smaller = reduce(image)
        details.append(detail(image, smaller))
        image = smaller
    return details, image


def synthesise(details: list[np.ndarray], base: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Rebuild the image of size `shape` from its pyramid; inverse of `analyse`."""
    for detail, (height, width) in zip(reversed(details), reversed(sizes(shape, len(details))), strict=True):
        base = (_expand(base) + detail)[:height, :width]
    return base


def sizes(shape: tuple[int, int], levels: int) -> list[tuple[int, int]]:
    """List the sizes of an image and of its halves, one for each level.

    An odd side is rounded up.
    """
    listed = [shape]
    while len(listed) < levels:
        listed.append(tuple((side + 1) // 2 for side in listed[-1]))
    return listed


def smallest_side(levels: int) -> int:
    """Compute the smallest image side that `analyse` can halve `levels` times."""
    side = 3  # mirroring by two needs three samples
    for _ in range(levels - 1):
        side = 2 * side - 1
    return side
