"""Measure how sharp an image is at each pixel by its second differences [nayar1994]."""

import cv2
import numpy as np


def modified_laplacian(gray: np.ndarray) -> np.ndarray:
    """Add the magnitudes of the second differences along rows and along columns.

    Args:
        gray: (H, W) float32 or float64; its border is repeated.

    Returns:
        (H, W) of the same type.
    """
    second = np.array([[-1.0, 2.0, -1.0]])
    along_rows, along_columns = (cv2.filter2D(gray, -1, kernel, borderType=cv2.BORDER_REPLICATE) for kernel in (second, second.T))
    return np.abs(along_rows) + np.abs(along_columns)
