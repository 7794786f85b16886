"""Find roughly how two reduced frames lie over each other: local features that both share vote for a similarity transform."""

import cv2
import numpy as np

#: A match counts if its descriptor is this much nearer than the second nearest [lowe2004].
RATIO = 0.8
#: Features that are kept of a frame, and the least contrast of one: frames out of focus have faint ones only.
FEATURES, CONTRAST = 600, 0.01
#: How far off a match may be that supports a transform, in reduced pixels.
TOLERANCE = 2.0

#: Positions (K, 2), x and y, and descriptors (K, 128).
Features = tuple[np.ndarray, np.ndarray]


def detect(gray: np.ndarray) -> Features:
    """Detect places (K, 2) in a gray uint8 image, and describe them (K, 128)."""
    points, descriptors = cv2.SIFT_create(FEATURES, contrastThreshold=CONTRAST).detectAndCompute(gray, None)
    if not points:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    return np.float32([point.pt for point in points]), descriptors


def rough_similarity(first: Features, second: Features) -> np.ndarray | None:
    """Find the similarity transform from the second to the first by votes.

    Returns:
        (3, 3) in reduced pixels, or None where too few features match.
    """
    if min(len(first[0]), len(second[0])) < 2:
        return None
    pairs = cv2.BFMatcher().knnMatch(second[1], first[1], k=2)
    clear = [nearest for nearest, other in pairs if nearest.distance < RATIO * other.distance]
    if len(clear) < 2:
        return None
    source, target = second[0][[match.queryIdx for match in clear]], first[0][[match.trainIdx for match in clear]]
    found, _ = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=TOLERANCE)
    return None if found is None else np.vstack([found, [0, 0, 1]])
