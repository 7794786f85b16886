"""Inputs of the metrics: gray images and scenes that keep their features.

Every metric measures what an 8-bit file would hold: an image of any depth is first brought to 0..255 by its dtype alone (uint8
unchanged, uint16 / 257, float x 255) and rounded half up. Then one of two gray conversions follows:

* ``matlab``: MATLAB's rgb2gray, rounded, 0..255. Nearly all published metric code was written for it.
* ``skimage``: scikit-image's rgb2gray, not rounded. [ma2022gacn] measured with it; there, the values of a colour image stay in
  [0, 1] while gray images keep 0..255. `GrayImage.protocol_range` reproduces this for the metrics whose result depends on it.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any, Self
from weakref import ref

import numpy as np

from mffrepro.errors import ImageError, OptionError
from mffrepro.images import (
    GRAY_WEIGHTS,
    FocusStack,
    Image,
    ImageOrPath,
    Shares,
    as_stack,
    check_image,
    check_same_shape,
    from_unit,
    read_image,
    to_255,
    to_gray,
    to_unit,
)
from mffrepro.images.depth import scale_to_white
from mffrepro.images.files import read_picture

GRAYS = ("matlab", "skimage")


class FeatureCache:
    """Compute each feature of an object once and keep it; safe in threads.

    What a feature was computed with is remembered by weak references: two images that knew each other by their features would
    stay in memory, tens of arrays each, until Python looks for such rings.
    """

    def __init__(self) -> None:
        self._features: dict[tuple, Future] = {}
        self._lock = Lock()

    def get(self, feature: Callable, *options: Any) -> Any:
        """Return ``feature(self, *options)``, computed at the first call only."""
        return self._once((feature, *options), lambda: feature(self, *options))

    def _once(self, key: tuple, compute: Callable[[], Any]) -> Any:
        """Return the value kept for a key, or compute it while other threads wait."""
        key = tuple(ref(part) if isinstance(part, FeatureCache) else part for part in key)
        with self._lock:
            first = key not in self._features
            value = self._features.setdefault(key, Future())
        if first:
            try:
                value.set_result(compute())
            except BaseException as error:
                value.set_exception(error)
        return value.result()


class GrayImage(FeatureCache):
    """Hold one gray image and its features.

    Attributes:
        values: (H, W) float64, 0..255; (B, H, W) for a batch; None where a fusion is known by its decision map alone.
        full: The image before the gray conversion and before rounding, float64, 0..255, (H, W) or (H, W, 3).
        decision: (N, H, W), the share of each source per pixel, where it is known.
        unit: The image in another value range, where the published protocol has one.
    """

    def __init__(self, values: np.ndarray | None, full: Image | None = None, decision: np.ndarray | None = None) -> None:
        super().__init__()
        self.values = values
        self.full = values if full is None else full
        self.decision = decision
        self.unit: GrayImage | None = None

    @property
    def protocol_range(self) -> "GrayImage":
        """Return the same image in the value range of the published protocol.

        For ``matlab`` it is this object itself.
        """
        return self if self.unit is None else self.unit  # not an attribute: an object that holds itself stays in memory

    def get_with(self, inputs: "FusionInputs", feature: Callable, *options: Any) -> Any:
        """Return ``feature(inputs, self, *options)``, computed at the first call only.

        The result is kept with this image.
        """
        return self._once((feature, inputs, *options), lambda: feature(inputs, self, *options))


class FusionInputs(FeatureCache):
    """Hold the sources of a fusion and what is known of the truth.

    Attributes:
        sources: One GrayImage per source; empty where only a reference or a decision map is compared.
        shape: (H, W) or (H, W, 3) of every image.
        reference: The all-in-focus image, where it is known.
        decision: The true (N, H, W) share of each source per pixel, where it is known.
        gray: Name of the gray conversion.
        white: Value of white in the sources and their type, where it is not the white of that type.
    """

    def __init__(
        self,
        sources: Sequence[GrayImage],
        shape: tuple[int, ...],
        *,
        reference: GrayImage | None = None,
        decision: np.ndarray | None = None,
        gray: str = "matlab",
        white: tuple[float, np.dtype] | None = None,
    ) -> None:
        super().__init__()
        self.sources = sources
        self.shape = shape
        self.reference = reference
        self.decision = decision
        self.gray = gray
        self.white = white

    @classmethod
    def read(
        cls,
        sources: FocusStack | Sequence[ImageOrPath],
        *,
        reference: ImageOrPath | None = None,
        decision: np.ndarray | None = None,
        gray: str = "matlab",
    ) -> Self:
        """Read and check the sources, and what is known of the truth.

        Args:
            sources: N >= 2 images of one size, arrays or paths, or a stack.
            reference: The all-in-focus image.
            decision: (N, H, W) true share of each source per pixel.
            gray: Gray conversion, "matlab" or "skimage".

        Raises:
            ImageError: An image or a decision map cannot be used, or sizes differ.
            OptionError: Unknown gray conversion.
        """
        check_gray(gray)
        stack = as_stack(sources)
        images = stack.images
        white = None if stack.white is None else (stack.white, images.dtype)
        inputs = cls([as_gray(image, gray) for image in images], images.shape[1:], gray=gray, white=white)
        if reference is not None:
            inputs.reference = inputs.read_image(reference, "the reference")
        if decision is not None:
            inputs.decision = inputs.check_decision(decision, "the true decision map")
        return inputs

    @classmethod
    def from_reference(cls, reference: ImageOrPath) -> Self:
        """Read and check an all-in-focus image, for metrics that compare nothing else."""
        array = _checked(reference, "the reference")
        return cls([], array.shape, reference=as_gray(array))

    @classmethod
    def from_decision(cls, decision: np.ndarray) -> Self:
        """Check a true decision map, for metrics that compare nothing else."""
        decision = check_decision(decision, None, "the true decision map")
        return cls([], decision.shape[1:], decision=decision)

    def read_fused(self, image: ImageOrPath, decision: np.ndarray | Shares | None = None) -> GrayImage:
        """Read and check a fused image of these sources.

        Args:
            image: Image of the sources' size, or its path; a gray one of colour sources, or a colour one of gray sources, is
                compared as gray.
            decision: (N, H, W) share of each source per pixel that the fusion chose.

        Raises:
            ImageError: The image or its decision map cannot be used, or has another size than the sources.
        """
        fused = self.read_image(image, "the fused image")
        if decision is not None:
            fused.decision = self.check_decision(decision, "the decision map")
        return fused

    def read_image(self, image: ImageOrPath, name: str) -> GrayImage:
        """Read an image, check its size, and convert it to gray."""
        read = _checked(image, name, self.white)
        array = _with_channels(read, len(self.shape))
        check_same_shape(array.shape, self.shape, name, "the first source" if self.sources else "the reference")
        converted = as_gray(array, self.gray)
        if read.ndim < array.ndim:
            converted.full = to_255(read)  # it has no colours to be compared
        return converted

    def check_decision(self, decision: np.ndarray | Shares, name: str) -> np.ndarray | Shares:
        """Return a decision map after checking its shape and values."""
        count = len(self.sources) if self.decision is None else len(self.decision)
        return check_decision(decision, (count, *self.shape[:2]), name)


def _checked(image: ImageOrPath, name: str, white: tuple[float, np.dtype] | None = None) -> Image:
    """Read and check an image; where the sources have a white of their own, an image of their type has the same."""
    if white is None:
        return check_image(image if isinstance(image, np.ndarray) else read_image(image), name)
    pixels = image if isinstance(image, np.ndarray) else read_picture(image).upright().pixels
    return check_image(scale_to_white(pixels, white[0] if pixels.dtype.kind == white[1].kind else None), name)


def _with_channels(image: Image, ndim: int) -> Image:
    """Give a gray image three equal channels, or a colour image one, as the images that it is compared with have."""
    if image.ndim == 2 and ndim == 3:
        return np.repeat(image[..., None], 3, -1)
    if image.ndim == 3 and ndim == 2:
        return from_unit(to_gray(to_unit(image, np.float64), "matlab"), image.dtype)
    return image


def check_decision(decision: np.ndarray | Shares, shape: tuple[int, ...] | None, name: str) -> np.ndarray | Shares:
    """Check the shape and the values of a decision map; lists become arrays.

    Args:
        decision: (N, H, W) share of each source per pixel, or `mffrepro.images.Shares`.
        shape: Shape that it must have; None for two or more maps of any size.
        name: Name for errors.

    Raises:
        ImageError: Another shape, or NaN or infinite values.
    """
    decision = decision if isinstance(decision, Shares) else np.asarray(decision)
    if shape is None and (len(decision.shape) != 3 or len(decision) < 2 or 0 in decision.shape):
        raise ImageError(f"{name} has shape {decision.shape}; give (N, H, W), one map per source, N >= 2")
    if shape is not None and decision.shape != shape:
        raise ImageError(f"{name} has shape {decision.shape}; {shape} is needed, one map per source")
    values = [shares for _, shares in decision.mixed] if isinstance(decision, Shares) else decision
    if not all(np.isfinite(part).all() for part in values):
        raise ImageError(f"{name} contains NaN or infinite values; replace them first")
    return decision


def check_gray(gray: str) -> None:
    """Raise OptionError for an unknown gray conversion."""
    if gray not in GRAYS:
        raise OptionError(f"no gray conversion {gray!r}; use {' or '.join(map(repr, GRAYS))}")


def as_gray(image: Image, gray: str = "matlab") -> GrayImage:
    """Convert a checked image to gray.

    The docstring of this module describes the conversions.
    """
    full = to_255(image)
    rounded = np.floor(full + 0.5)
    if image.ndim == 2:
        return GrayImage(rounded, full)
    if gray == "matlab":
        return GrayImage(np.floor(rounded @ np.array(GRAY_WEIGHTS["matlab"]) + 0.5), full)
    unit = (rounded * (1 / 255)) @ np.array(GRAY_WEIGHTS["skimage"])  # the reciprocal gives scikit-image's result to the last bit
    converted = GrayImage(unit * 255, full)
    converted.unit = GrayImage(unit)
    return converted
