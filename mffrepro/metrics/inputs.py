"""What a metric sees: gray images and scenes that remember what was computed from them.

Every metric here judges what an 8-bit file would hold: an image of any depth is first brought to 0..255 by its
dtype alone (uint8 as it is, uint16 / 257, float x 255) and rounded half up. Then one of two gray conversions:

* ``matlab``: MATLAB's rgb2gray, rounded, 0..255. What nearly all published metric code was written for.
* ``skimage``: scikit-image's rgb2gray, not rounded. What [ma2022gacn] measured with; there, the values of a colour image
  stay in [0, 1] while gray images keep 0..255, which
  `GrayImage.protocol_range` reproduces for the two metrics that it matters to.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any

import numpy as np

from mffrepro.errors import ImageError, OptionError
from mffrepro.images import (
    GRAY_WEIGHTS,
    FocusStack,
    Image,
    ImageOrPath,
    as_stack,
    check_image,
    check_same_size,
    read_image,
    to_255,
)

GRAYS = ("matlab", "skimage")


class Remembering:
    """Computes each feature of itself once, whatever thread asks first; the memory lives as long as the object."""

    def __init__(self) -> None:
        self._memory: dict[tuple, Future] = {}
        self._lock = Lock()

    def get(self, feature: Callable, *options: Any) -> Any:
        """``feature(self, *options)``, from memory where it was asked for before."""
        key = (feature, *options)
        with self._lock:
            first = key not in self._memory
            known = self._memory.setdefault(key, Future())
        if first:
            try:
                known.set_result(feature(self, *options))
            except BaseException as error:
                known.set_exception(error)
        return known.result()


class GrayImage(Remembering):
    """One gray image and its features.

    Attributes:
        values: (H, W) float64, 0..255.
        protocol_range: The same image in the range in which the published protocol has it; this object itself for ``matlab``.
        full: The image before the gray conversion and before rounding, float64, 0..255, (H, W) or (H, W, 3).
        decision: (N, H, W), the share of each source per pixel, where it is known.
    """

    def __init__(self, values: np.ndarray, full: Image | None = None, decision: np.ndarray | None = None) -> None:
        super().__init__()
        self.values = values
        self.full = values if full is None else full
        self.decision = decision
        self.protocol_range = self


class FusionInputs(Remembering):
    """The sources of a fusion and all that is known about them.

    Attributes:
        sources: One GrayImage per source, N >= 2.
        reference: The all-in-focus image, where it is known.
        decision: The true (N, H, W) share of each source per pixel, where it is known.
        gray: Name of the gray conversion.
    """

    def __init__(
        self,
        sources: FocusStack | Sequence[ImageOrPath],
        *,
        reference: ImageOrPath | None = None,
        decision: np.ndarray | None = None,
        gray: str = "matlab",
    ) -> None:
        super().__init__()
        if gray not in GRAYS:
            raise OptionError(f"no gray conversion {gray!r}; use {' or '.join(map(repr, GRAYS))}")
        stack = as_stack(sources)
        self.gray = gray
        self.shape = stack.images.shape[1:]
        self.sources = [as_gray(image, gray) for image in stack.images]
        self.reference = None if reference is None else self._look_at(reference, "the reference")
        self.decision = None if decision is None else self._share(decision, "the true decision map")

    def fused(self, image: ImageOrPath, decision: np.ndarray | None = None) -> GrayImage:
        """A fused image of this scene, ready to be scored.

        Raises:
            ImageError: It cannot be used, or is not as large and as colourful as the sources.
        """
        fused = self._look_at(image, "the fused image")
        if decision is not None:
            fused.decision = self._share(decision, "the decision map")
        return fused

    def _look_at(self, image: ImageOrPath, name: str) -> GrayImage:
        array = check_image(image if isinstance(image, np.ndarray) else read_image(image), name)
        sources = np.broadcast_to(np.zeros((), array.dtype), self.shape)  # depths may differ, sizes and channels may not
        check_same_size([sources, array], ["the first source", name])
        return as_gray(array, self.gray)

    def _share(self, decision: np.ndarray, name: str) -> np.ndarray:
        decision = np.asarray(decision)
        wanted = (len(self.sources), *self.shape[:2])
        if decision.shape != wanted:
            raise ImageError(f"{name} has shape {decision.shape}; {wanted} is needed, one map per source")
        if not np.all(np.isfinite(decision)):
            raise ImageError(f"{name} contains NaN or infinite values; replace them first")
        return decision


def as_gray(image: Image, gray: str = "matlab") -> GrayImage:
    """A checked image as a GrayImage; see the module's text for what ``gray`` does."""
    full = to_255(image)
    rounded = np.floor(full + 0.5)
    if image.ndim == 2:
        return GrayImage(rounded, full)
    if gray == "matlab":
        return GrayImage(np.floor(rounded @ np.array(GRAY_WEIGHTS["matlab"]) + 0.5), full)
    unit = (rounded * (1 / 255)) @ np.array(GRAY_WEIGHTS["skimage"])  # the reciprocal: as scikit-image, to the last bit
    converted = GrayImage(unit * 255, full)
    converted.protocol_range = GrayImage(unit)
    return converted
