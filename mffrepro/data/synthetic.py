"""Multi-focus pairs made from one all-in-focus photograph and a mask, by the recipes of the papers.

Two models of what lies outside the focus: `composite` blurs one side of the mask and keeps the outline hard, as tlcnn,
tlcolor, icacs18 and cnnwt do; `defocus_spread` lets the blurred foreground spread over its outline, as a lens does and as
gacn does.
"""

import numpy as np

from mffrepro.errors import ImageError, OptionError
from mffrepro.images import check_image, from_unit, to_unit


def gaussian_blur(image: np.ndarray, sigma: float = 2.0, *, size: int | None = None, times: int = 1) -> np.ndarray:
    """Blur with a truncated, normalised Gaussian kernel; the border is mirrored.

    Args:
        image: (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1].
        sigma: Standard deviation in pixels; 0 returns a copy.
        size: Side of the kernel, odd; without it wide enough to hold three standard deviations.
        times: How often the kernel is applied. Intermediate results are not rounded.

    Returns:
        Same shape and dtype.

    Raises:
        OptionError: Negative sigma or times, or an even size.
    """
    import cv2

    if sigma < 0 or times < 0 or (size is not None and (size < 1 or size % 2 == 0)):
        raise OptionError(f"sigma={sigma:g}, size={size}, times={times} cannot blur; give sigma and times >= 0 and an odd size")
    blurred = to_unit(check_image(image))
    if sigma > 0:
        side = size or 2 * int(np.ceil(3 * sigma)) + 1
        for _ in range(times):
            blurred = cv2.GaussianBlur(blurred, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)
    return from_unit(blurred, image.dtype) if blurred.dtype != image.dtype else np.array(blurred)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Compress as a JPEG file, and open it again.

    Args:
        image: (H, W) or (H, W, 3), uint8, or float in [0, 1], which is rounded to 8 bits.
        quality: Of 100, as libjpeg counts.

    Returns:
        Same shape and dtype.
    """
    import cv2

    pixels = from_unit(to_unit(image), np.dtype(np.uint8))
    blue_first = pixels[..., ::-1] if image.ndim == 3 else pixels
    _, data = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])
    opened = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    opened = opened[..., ::-1] if image.ndim == 3 else opened
    return opened if image.dtype == np.uint8 else to_unit(opened).astype(image.dtype)


def blur_levels(image: np.ndarray, levels: int = 5, *, sigma: float = 2.0, size: int = 7) -> np.ndarray:
    """Blur an image 1, 2 ... `levels` times by one kernel: (levels, H, W[, 3]).

    Sigma 2 in 7x7 is the recipe of icacs18 and cnnwt (effective sigma 1.64, 2.32, 2.84, 3.28, 3.67 pixels), in 3x3 that of tlcnn
    and tlcolor (0.80, 1.13, 1.38, 1.60, 1.79).
    """
    return np.stack([gaussian_blur(image, sigma, size=size, times=level) for level in range(1, levels + 1)])


def composite(image: np.ndarray, mask: np.ndarray, sigma: float = 2.0, *, size: int | None = None, level: int = 1) -> np.ndarray:
    r"""Make a pair with a hard outline: first sharp inside the mask, second outside.

    .. math:: A = G I + (1 - G) B, \qquad B' = (1 - G) I + G B

    Args:
        image: All-in-focus image, (H, W) or (H, W, 3).
        mask: (H, W) bool, or float in [0, 1] for a soft outline; `G` above.
        sigma: Standard deviation of the blur in pixels.
        size: Side of its kernel, see `gaussian_blur`.
        level: How often it is applied, the papers' five blur levels.

    Returns:
        (2, H, W[, 3]) of the image's dtype. The true decision map is (mask, 1 - mask).

    Raises:
        ImageError: The mask is of another size.
    """
    inside = _as_matte(mask, image)
    sharp, blurred = to_unit(image), to_unit(gaussian_blur(image, sigma, size=size, times=level))
    return _pair(inside * sharp + (1 - inside) * blurred, (1 - inside) * sharp + inside * blurred, image)


def defocus_spread(
    image: np.ndarray, mask: np.ndarray, sigma: float = 2.0, spread: float = 8.0, *, size: int | None = None
) -> np.ndarray:
    """Make a pair in which the blurred foreground spreads over its outline.

    This is the alpha-matte model of Ma et al. (2020), which gacn trains on.

    The near-focused image has the hard outline of `composite`. In the far-focused one the matte is the mask blurred by
    `spread`, so the foreground's blur reaches into the background and the background is not sharp there in either image.

    Args:
        image: All-in-focus image, (H, W) or (H, W, 3).
        mask: Foreground, (H, W) bool or float in [0, 1].
        sigma: Standard deviation of the defocus blur in pixels.
        spread: Standard deviation of the blur of the matte, in a kernel of radius 45 as the authors' code has it.
        size: Side of the defocus kernel; GACN's training draws it from 3, 5 ... 15.

    Returns:
        (2, H, W[, 3]) of the image's dtype: near-focused, far-focused.

    Raises:
        ImageError: The mask is of another size.
    """
    inside = _as_matte(mask, image)
    matte = _as_matte(gaussian_blur(inside.reshape(inside.shape[:2]), spread, size=91), image)
    sharp, blurred = to_unit(image), to_unit(gaussian_blur(image, sigma, size=size))
    return _pair(inside * sharp + (1 - inside) * blurred, (1 - matte) * sharp + matte * blurred, image)


def _pair(near: np.ndarray, far: np.ndarray, like: np.ndarray) -> np.ndarray:
    return np.stack([from_unit(near, like.dtype), from_unit(far, like.dtype)])


def _as_matte(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Convert a mask to float32, with a channel axis where the image has one."""
    if mask.shape != image.shape[:2]:
        raise ImageError(f"the mask has shape {mask.shape}, the image {image.shape[:2]}; crop or resize them alike")
    matte = np.asarray(mask, np.float32)
    return matte[..., None] if image.ndim == 3 else matte
