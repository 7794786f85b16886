"""Separable filters with the borders of MATLAB's filter2 and imfilter.

Images are NumPy arrays (H, W), filtered by OpenCV, or torch tensors (B, H, W) on any device.
"""

import numpy as np

from mffrepro.formulas.arrays import namespace

#: OpenCV's names of the borders; "valid" keeps full windows only. OpenCV is imported late, so that listing metrics stays fast.
_BORDERS = {
    "zero": "BORDER_CONSTANT",
    "replicate": "BORDER_REPLICATE",
    "mirror": "BORDER_REFLECT_101",
    "valid": "BORDER_CONSTANT",
}
#: Torch's names of the borders.
_PADDINGS = {"zero": "constant", "replicate": "replicate", "mirror": "reflect"}

SOBEL = (np.array([1.0, 2.0, 1.0]), np.array([-1.0, 0.0, 1.0]))
PREWITT = (np.array([1.0, 1.0, 1.0]), np.array([-1.0, 0.0, 1.0]))


def correlate(image: np.ndarray, vertical: np.ndarray, horizontal: np.ndarray, border: str = "zero") -> np.ndarray:
    """Correlate an image with the window ``outer(vertical, horizontal)``.

    Args:
        image: (..., H, W) float64.
        vertical: Factor of the window along the row index, of odd length.
        horizontal: Factor of the window along the column index, of odd length.
        border: "zero", "replicate" (border pixel repeated), "mirror" (border pixel not repeated) or "valid" (full windows only,
            so that the result is smaller).
    """
    if not isinstance(image, np.ndarray):
        return _correlate_batch(image, vertical, horizontal, border)
    import cv2

    result = cv2.sepFilter2D(image, cv2.CV_64F, horizontal, vertical, borderType=getattr(cv2, _BORDERS[border]))
    if border != "valid":
        return result
    y, x = len(vertical) // 2, len(horizontal) // 2
    return result[y : image.shape[0] - y, x : image.shape[1] - x]


def _correlate_batch(images, vertical: np.ndarray, horizontal: np.ndarray, border: str):
    from torch.nn import functional as F

    y, x = len(vertical) // 2, len(horizontal) // 2
    planes = images[:, None]
    if border != "valid":
        planes = F.pad(planes, (x, x, y, y), mode=_PADDINGS[border])
    down, across = images.new_tensor(vertical), images.new_tensor(horizontal)
    return F.conv2d(F.conv2d(planes, down.view(1, 1, -1, 1)), across.view(1, 1, 1, -1))[:, 0]


def derivatives(image: np.ndarray, kernels: tuple[np.ndarray, np.ndarray] = SOBEL, border: str = "zero"):
    """Compute the derivatives of an image across columns and across rows.

    A derivative is positive where values grow with the index.

    Args:
        image: (..., H, W).
        kernels: Smoothing and difference kernel, both of odd length.
        border: Border of `correlate`.
    """
    smooth, difference = kernels
    return correlate(image, smooth, difference, border), correlate(image, difference, smooth, border)


def magnitude(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute sqrt(x^2 + y^2), several times as fast as np.hypot."""
    return namespace(x).sqrt(x * x + y * y)


def gaussian(size: int, sigma: float) -> np.ndarray:
    """Compute one factor of MATLAB's fspecial('gaussian', size, sigma); it sums to 1."""
    offsets = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    return weights / weights.sum()


def box8_sum(image: np.ndarray) -> np.ndarray:
    """Sum over each full 8x8 window by doubling, exact for integer-valued images."""
    for step in (1, 2, 4):
        image = image[..., :-step, :] + image[..., step:, :]
    for step in (1, 2, 4):
        image = image[..., :-step] + image[..., step:]
    return image
