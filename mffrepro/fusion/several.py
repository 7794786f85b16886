"""From a network that judges two images to the fusion of many: one after the other, or all against the first.

A judge looks at an image once (`look`) and compares two looks (`compare`). Serial fusion looks at 2(N - 1) images,
decision calibration at N [ma2022gacn, section 3.4]; both compare N - 1 times.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np

Calibration = Literal["log", "literal"]


class Judge(Protocol):
    """A decision network for two images."""

    def look(self, image: np.ndarray) -> Any:
        """All that a comparison needs to know of one image (H, W[, 3]), float in [0, 1]."""

    def compare(self, first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
        """Final map (H, W) in [0, 1], 1 where the first is sharper, and the logit (H, W) of the map before smoothing."""


def serial(images: Sequence[np.ndarray], judge: Judge) -> tuple[np.ndarray, np.ndarray]:
    """Fuse the first two, then the result with the third, and so on.

    Args:
        images: N >= 2 of (H, W) or (H, W, 3), float in [0, 1].
        judge: The decision network.
    Returns:
        The fused image, and the decision (N, H, W), which is the share each source kept to the end.
    """
    fused = images[0]
    shares = np.zeros((len(images), *fused.shape[:2]), np.float32)
    shares[0] = 1
    for i, image in enumerate(images[1:], start=1):
        final, _ = judge.compare(judge.look(fused), judge.look(image))
        shares[:i] *= final
        shares[i] = 1 - final
        weight = final[..., None] if fused.ndim == 3 else final
        fused = weight * fused + (1 - weight) * image
    return fused, shares


def calibrated(images: Sequence[np.ndarray], judge: Judge, *, form: Calibration = "log") -> tuple[np.ndarray, np.ndarray]:
    """Compare every image with the first and let the relative clarities decide, Eq. 19 of GACN.

    Args:
        images: As for `serial`.
        judge: The decision network.
        form: ``"literal"`` is Eq. 19 on the final maps with the authors' 1e-4 in the denominator; saturated maps tie, and
            the earlier image wins. ``"log"`` is the same order of clarities taken from the logits, which do not
            saturate at 0 and 1 (A4.6).
    Returns:
        The fused image, every pixel copied from one source, and the decision (N, H, W), 0 or 1.
    """
    first = judge.look(images[0])
    best, winner = None, np.zeros(images[0].shape[:2], np.intp)
    for i, image in enumerate(images[1:], start=1):
        final, logit = judge.compare(first, judge.look(image))
        if form == "log":
            value, start = -logit, np.zeros_like(logit)  # log clarity of image i over that of the first
        elif i == 1:
            value, start, reference = 1 - final, final, final  # Eq. 19 fixes the clarities of the first two to sum to 1
        else:
            value = reference * (1 - final) / (final + 1e-4)
        best = start if best is None else best
        winner[value > best] = i
        best = np.maximum(best, value)
    decision = (winner == np.arange(len(images))[:, None, None]).astype(np.float32)
    index = winner[None, ..., None] if images[0].ndim == 3 else winner[None]
    return np.take_along_axis(np.asarray(images), index, 0)[0], decision
