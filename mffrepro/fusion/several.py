"""From a network that judges two images to the fusion of many.

A judge looks at an image once (`look`) and compares two looks (`compare`). Serial fusion looks at 2(N - 1) images,
decision calibration at N [ma2022gacn, section 3.4]; all forms compare N - 1 times. No form keeps more than two looks, or more
than one image as floats.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from mffrepro.images import to_unit

Calibration = Literal["carry", "log", "literal"]


class Judge(Protocol):
    """A decision network for two images."""

    def look(self, image: np.ndarray) -> Any:
        """All that a comparison needs to know of one image (H, W[, 3]), float in [0, 1]."""

    def compare(self, first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
        """Final map (H, W) in [0, 1], 1 where the first is sharper, and the logit (H, W) of the map before smoothing."""

    def merge(self, first: Any, second: Any, final: np.ndarray) -> Any:
        """About what `look` would see in the image fused by that final map, without looking again; may reuse `first`."""


class MapJudge:
    """Any method that yields a soft decision map for two images, as a judge. It keeps nothing of an image but the image.

    Args:
        decide: From two images (H, W[, 3]), float in [0, 1], to the share (H, W) of the first.
    """

    def __init__(self, decide: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        self.decide = decide

    def look(self, image: np.ndarray) -> np.ndarray:
        return image

    def compare(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        final = np.clip(self.decide(first, second), 0, 1).astype(np.float32)
        tiny = np.finfo(np.float32).tiny  # a saturated map has the largest logit there is, not an infinite one
        return final, np.log(np.maximum(final, tiny)) - np.log(np.maximum(1 - final, tiny))

    def merge(self, first: np.ndarray, second: np.ndarray, final: np.ndarray) -> np.ndarray:
        return mix(first, second, final)


def mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The share (H, W) of the first image and the rest of the second, gray or colour."""
    weight = share[..., None] if first.ndim == 3 else share
    return weight * first + (1 - weight) * second


def serial(images: Sequence[np.ndarray], judge: Judge) -> tuple[np.ndarray, np.ndarray]:
    """Fuse the first two, then the result with the third, and so on.

    Args:
        images: N >= 2 of (H, W) or (H, W, 3), float in [0, 1].
        judge: The decision network; `merge` is not needed.
    Returns:
        The fused image, and the decision (N, H, W), which is the share each source kept to the end.
    """
    return _one_after_the_other(images, judge, lambda best, image, final, fused: judge.look(fused))


def carried(images: Sequence[np.ndarray], judge: Judge) -> tuple[np.ndarray, np.ndarray]:
    """Serial fusion that never looks at its own result: the winner's look is carried along, pixel by pixel.

    Costs what decision calibration costs, and what is compared is always the sharpest seen so far, so that two images that
    both beat the first are told apart.

    Args:
        images: As for `serial`.
        judge: The decision network.
    Returns:
        As `serial`.
    """
    return _one_after_the_other(images, judge, lambda best, image, final, fused: judge.merge(best, image, final))


def _one_after_the_other(images: Sequence[np.ndarray], judge: Judge, look_again) -> tuple[np.ndarray, np.ndarray]:
    fused, best, shares = None, None, None
    for i, image in enumerate(progress(images)):
        if i == 0:
            fused, best = image, judge.look(image)
            shares = np.zeros((len(images), *image.shape[:2]), np.float32)
            shares[0] = 1
            continue
        look = judge.look(image)
        final, _ = judge.compare(best, look)
        shares[:i] *= final
        shares[i] = 1 - final
        fused = mix(fused, image, final)
        if i + 1 < len(images):
            best = look_again(best, look, final, fused)
        del look  # looks at large images fill the memory: let go before the next
    return fused, shares


def calibrated(images: Sequence[np.ndarray], judge: Judge, *, form: Calibration = "carry") -> tuple[np.ndarray, np.ndarray]:
    """Look at every image once, and let their clarities decide.

    Args:
        images: As for `serial`.
        judge: The decision network.
        form: ``"carry"`` is `carried`. The other two compare every image with the first only: ``"literal"`` is Eq. 19 of GACN on
            the final maps with the authors' 1e-4 in the denominator; saturated maps tie, and the earlier image wins. ``"log"`` is
            the same order of clarities taken from the logits, which do not saturate at 0 and 1 (A4.6).
    Returns:
        The fused image and the decision (N, H, W); of ``"literal"`` and ``"log"`` every pixel is copied from one source.
    """
    if form == "carry":
        return carried(images, judge)
    best, winner, fused, first = None, None, None, None
    for i, image in enumerate(progress(images)):
        if i == 0:
            fused, first, winner = image.copy(), judge.look(image), np.zeros(image.shape[:2], np.intp)
            continue
        final, logit = judge.compare(first, judge.look(image))
        if form == "log":
            value, start = -logit, np.zeros_like(logit)  # log clarity of image i over that of the first
        elif i == 1:
            value, start, reference = 1 - final, final, final  # Eq. 19 fixes the clarities of the first two to sum to 1
        else:
            value = reference * (1 - final) / (final + 1e-4)
        best = start.copy() if best is None else best
        better = value > best
        fused[better], winner[better], best[better] = image[better], i, value[better]
    return fused, (winner == np.arange(len(images))[:, None, None]).astype(np.float32)


def progress(images: Sequence[np.ndarray]) -> Iterable[np.ndarray]:
    """The images one by one; on a terminal with a bar once two seconds have passed."""
    from tqdm import tqdm

    return tqdm(images, desc="fusing", unit="image", delay=2, leave=False, disable=None)


class Floats(Sequence):
    """The images of a stack as float32 in [0, 1], each made when it is asked for."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        return to_unit(self.images[index])
