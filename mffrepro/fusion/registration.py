"""Registration as the program behind published scores of `focus_stack` does it: every image onto the first, by a homography.

`mffrepro.alignment` aligns better; this is kept to repeat those scores.
"""

import cv2
import numpy as np

from mffrepro.errors import ImageError
from mffrepro.images import from_unit, to_gray, to_unit

#: A match counts if its descriptor is this much nearer than the second nearest [lowe2004].
RATIO = 0.7
#: The nearest matches that vote for a homography, and how far off a vote may be, in pixels.
MATCHES, TOLERANCE = 128, 2.0


def register(images: np.ndarray) -> np.ndarray:
    """Warp images onto the first of them as published, black where one does not reach.

    Args:
        images: (N, H, W) or (N, H, W, 3), uint8, uint16 or float in [0, 1].

    Returns:
        As `images`; the first is untouched.

    Raises:
        ImageError: An image has too little in common with the first.
    """
    return np.stack([images[0], *(_drawn_over(images[0], image, number) for number, image in enumerate(images[1:], 2))])


def _drawn_over(first: np.ndarray, image: np.ndarray, number: int) -> np.ndarray:
    homography = _homography(*(_features(x) for x in (image, first)))
    if homography is None:
        raise ImageError(f"image {number} has too few details in common with the first to be registered; leave registration out")
    return cv2.warpPerspective(image, homography, image.shape[1::-1], flags=cv2.INTER_LINEAR)


def _features(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detect places (K, 2), x and y, and describe them (K, 128)."""
    unit = to_unit(image)
    gray = from_unit(to_gray(unit, "matlab") if unit.ndim == 3 else unit, np.dtype(np.uint8))
    points, descriptors = cv2.SIFT_create().detectAndCompute(gray, None)
    if not points:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    return np.float32([point.pt for point in points]), descriptors


def _homography(source: tuple[np.ndarray, np.ndarray], target: tuple[np.ndarray, np.ndarray]) -> np.ndarray | None:
    if min(len(source[0]), len(target[0])) < 2:
        return None
    pairs = cv2.BFMatcher().knnMatch(source[1], target[1], k=2)
    clear = sorted((best for best, second in pairs if best.distance < RATIO * second.distance), key=lambda match: match.distance)
    if len(clear) < 4:  # a homography has eight unknowns
        return None
    points = source[0][[match.queryIdx for match in clear[:MATCHES]]], target[0][[match.trainIdx for match in clear[:MATCHES]]]
    return cv2.findHomography(*points, cv2.RANSAC, TOLERANCE)[0]
