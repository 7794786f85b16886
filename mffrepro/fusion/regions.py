"""Making a map of winners and cleaning it: the largest measure, a vote of the neighbours, and no islands."""

from collections.abc import Iterable

import cv2
import numpy as np
from scipy import ndimage


def sharpest(measures: Iterable[np.ndarray]) -> np.ndarray:
    """Find the source with the largest measure at each pixel.

    It is the first of equals. The measures (H, W) come one by one.
    """
    best, winner = None, None
    for number, measure in enumerate(measures):
        if best is None:
            best, winner = measure, np.zeros(measure.shape, np.uint16)
            continue
        np.copyto(winner, number, where=measure > best)
        best = np.maximum(best, measure)
    return winner


def majority(labels: np.ndarray, radius: int) -> np.ndarray:
    """Replace each label by the most frequent one in the window around it.

    The window has (2 radius + 1)^2 pixels and is mirrored at the borders; ties go to the lowest label.

    Args:
        labels: (H, W) integers from 0.
        radius: Half width of the window, >= 0.

    References:
        [li1995wavelet], where it is called consistency verification.
    """
    window = (2 * radius + 1,) * 2
    padded = np.pad(labels, radius, mode="symmetric")
    inside = slice(radius, radius + labels.shape[0]), slice(radius, radius + labels.shape[1])
    planes = [(padded == label).astype(np.float32) for label in range(labels.max() + 1)]
    votes = [cv2.boxFilter(plane, -1, window, normalize=False)[inside] for plane in planes]
    return np.argmax(votes, 0)


def remove_small(labels: np.ndarray, smallest: float) -> np.ndarray:
    """Give regions under `smallest` pixels to the nearest region that is not.

    Args:
        labels: (H, W) integers from 0; pixels that touch, corners included, with one label are a region.
        smallest: Least area of a region that stays, pixels. Where none is that large, all stay.
    """
    small = np.zeros(labels.shape, bool)
    for label in np.unique(labels):
        regions, _ = ndimage.label(labels == label, np.ones((3, 3)))
        areas = np.bincount(regions.ravel())
        areas[0] = labels.size  # the other labels
        small |= areas[regions] < smallest
    if small.all() or not small.any():
        return labels
    nearest = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]


def fill_holes(mask: np.ndarray, smallest: float) -> np.ndarray:
    """Fill every hole of a mask under `smallest` pixels, also at the border.

    Args:
        mask: (H, W) bool; unset pixels that share an edge are one hole.
        smallest: Least area of a hole that stays, pixels.
    """
    _, holes, statistics, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = statistics[:, cv2.CC_STAT_AREA] < smallest
    small[0] = False  # the mask itself
    return mask | small[holes]
