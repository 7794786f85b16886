"""Combine many images with a method that compares two at a time.

A comparer extracts the features of an image once and decides between the features of two images. The strategies differ in which
images they compare and in how often they extract features:

* ``"serial"`` fuses the first two images, then the result with the third, and so on: 2(N - 1) extractions.
* ``"carry"`` does the same, but blends features instead of extracting those of each intermediate result: N extractions.
* ``"calibration"`` is the decision calibration of [ma2022gacn], Eq. 19: every image is compared with the first only.
* ``"calibration_log"`` gives the same order of clarities from the logits, which do not saturate at 0 and 1 (A4.6).

No strategy keeps more than three sets of features, or all images as floats.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from mffrepro.errors import unknown
from mffrepro.images import to_unit
from mffrepro.images.shares import Shares, SharesInTurn
from mffrepro.progress import steps


class Comparer(Protocol):
    """Decide between two images by features extracted from each one separately."""

    def extract(self, image: np.ndarray) -> Any:
        """Extract the features of one image (H, W[, 3]), float in [0, 1]."""

    def decide(self, first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the final decision map (H, W) and its logit before smoothing.

        The map lies in [0, 1] and is 1 where the first image is sharper.
        """

    def blend(self, first: Any, second: Any, final: np.ndarray) -> Any:
        """Blend two sets of features by a decision map; may reuse `first`.

        The result estimates the features of the fused image.
        """


class ImageComparer:
    """Turn a function for two images into a comparer whose features are the images.

    Args:
        decide: From two images (H, W[, 3]), float in [0, 1], to the share (H, W) of the first.
    """

    def __init__(self, decide: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        self._decide = decide

    def extract(self, image: np.ndarray) -> np.ndarray:
        """Return the image itself."""
        return image

    def decide(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the share (H, W) of the first image and its logit."""
        final = np.clip(self._decide(first, second), 0, 1).astype(np.float32)
        tiny = np.finfo(np.float32).tiny  # keeps the logit of a saturated map finite
        return final, np.log(np.maximum(final, tiny)) - np.log(np.maximum(1 - final, tiny))

    def blend(self, first: np.ndarray, second: np.ndarray, final: np.ndarray) -> np.ndarray:
        """Fuse the two images by their decision map."""
        return mix(first, second, final)


def mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Blend two images, gray or colour, by the share (H, W) of the first."""
    weight = share[..., None] if first.ndim == 3 else share
    return weight * first + (1 - weight) * second


def combine(images: Sequence[np.ndarray], comparer: Comparer, strategy: str = "serial") -> tuple[np.ndarray, Shares]:
    """Fuse any number of images by comparing two at a time.

    Args:
        images: N >= 2 of (H, W) or (H, W, 3), float in [0, 1].
        comparer: Compares two images. Only ``"carry"`` needs its `blend`.
        strategy: One of `STRATEGIES`, see the module. Two images have one comparison, whatever the strategy.

    Returns:
        The fused image, and the decision: the share of each source per pixel. With ``"calibration"`` and
        ``"calibration_log"`` every pixel of more than two images is copied from one source.

    Raises:
        OptionError: There is no such strategy.

    References:
        [ma2022gacn].
    """
    if strategy not in STRATEGIES:
        raise unknown("strategy", strategy, STRATEGIES)
    return (serial if len(images) == 2 else STRATEGIES[strategy])(images, comparer)


def serial(images: Sequence[np.ndarray], comparer: Comparer) -> tuple[np.ndarray, Shares]:
    """Fuse the first two images, then the result with the third, and so on.

    Arguments as for `combine`.
    """
    return _one_after_the_other(images, comparer, lambda best, new, final, fused: comparer.extract(fused))


def carry(images: Sequence[np.ndarray], comparer: Comparer) -> tuple[np.ndarray, Shares]:
    """Fuse one image after the other, blending features instead of extracting them.

    The next image is always compared with the sharpest so far, so that two images that both beat the first are told apart.
    """
    return _one_after_the_other(images, comparer, lambda best, new, final, fused: comparer.blend(best, new, final))


def _one_after_the_other(images: Sequence[np.ndarray], comparer: Comparer, features_of_result) -> tuple[np.ndarray, Shares]:
    fused, best, shares = None, None, None
    for i, image in enumerate(steps(images)):
        if i == 0:
            fused, best = image, comparer.extract(image)
            shares = SharesInTurn(image.shape[:2])
            continue
        new = comparer.extract(image)
        final, _ = comparer.decide(best, new)
        shares.add(final)
        fused = mix(fused, image, final)
        if i + 1 < len(images):
            best = features_of_result(best, new, final, fused)
        del new  # features of large images fill the memory: free them before the next extraction
    return fused, shares.shares()


def calibration(images: Sequence[np.ndarray], comparer: Comparer) -> tuple[np.ndarray, Shares]:
    """Copy each pixel from the clearest image by Eq. 19 of GACN on the final maps.

    Every image is compared with the first.

    The denominator has the 1e-4 of the authors' code. Saturated maps tie, and the earlier image wins.
    """

    def clarity(i: int, final: np.ndarray, logit: np.ndarray, first: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        if i == 1:  # Eq. 19 fixes the clarities of the first two images to sum to 1
            return final, 1 - final
        return first, first * (1 - final) / (final + 1e-4)

    return _compared_with_the_first(images, comparer, clarity)


def calibration_log(images: Sequence[np.ndarray], comparer: Comparer) -> tuple[np.ndarray, Shares]:
    """Copy each pixel from the clearest image by the logarithm of Eq. 19 (A4.6).

    Every image is compared with the first.
    """
    return _compared_with_the_first(images, comparer, lambda i, final, logit, first: (np.zeros_like(logit), -logit))


def _compared_with_the_first(images: Sequence[np.ndarray], comparer: Comparer, clarity) -> tuple[np.ndarray, Shares]:
    """Compare all images with the first; `clarity` yields the clarity of the first, which it is given back, and of image `i`."""
    best, winner, fused, first, reference = None, None, None, None, None
    for i, image in enumerate(steps(images)):
        if i == 0:
            fused, first, winner = image.copy(), comparer.extract(image), np.zeros(image.shape[:2], np.uint16)
            continue
        reference, value = clarity(i, *comparer.decide(first, comparer.extract(image)), reference)
        best = reference.copy() if best is None else best
        better = value > best
        fused[better], winner[better], best[better] = image[better], i, value[better]
    return fused, Shares.of_winner(winner, len(images))


#: Every strategy for more than two images, by name; a method's own strategies are those on its card.
STRATEGIES = {"serial": serial, "carry": carry, "calibration": calibration, "calibration_log": calibration_log}


class UnitImages(Sequence):
    """Convert each image of a stack to floats in [0, 1] when it is asked for.

    Args:
        images: N images of any type.
        dtype: float32 or float64.
    """

    def __init__(self, images: Sequence[np.ndarray], dtype: np.dtype | type = np.float32) -> None:
        self.images, self.dtype = images, dtype

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        return to_unit(self.images[index], self.dtype)
