"""Work on the sources of a stack one after the other, so that the memory does not grow with their number.

A step that needs only one source at a time is written with `derive`. Of a stack in memory the results are computed at once and
kept; of one that is not, each is computed again whenever it is asked for, which takes more time and little memory.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from mffrepro.fusion.rules import Choice
from mffrepro.images import Frames, to_unit
from mffrepro.progress import portion, steps

#: Bytes from which an array of images is treated as if it were not in memory: what is computed of all images would not be.
LARGE = 2**29


class Derived(Sequence):
    """Apply a function to an item of a sequence whenever it is asked for."""

    def __init__(self, items: Sequence, function: Callable[[Any], Any]) -> None:
        self._items, self._function = items, function

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Any:
        return self._function(self._items[range(len(self))[number]])


def derive(items: Sequence, function: Callable[[Any], Any]) -> Sequence:
    """Apply a function to each item, now or whenever one is asked for.

    Now, unless `items` are themselves derived.
    """
    return Derived(items, function) if isinstance(items, Derived) else [function(item) for item in items]


def is_large(images: np.ndarray | Frames) -> bool:
    """Tell whether images are to be worked on one after the other."""
    return isinstance(images, Frames) or images.nbytes > LARGE


def planes(images: np.ndarray | Frames, channel: int | None = None) -> Sequence[np.ndarray]:
    """Take one channel of each image (H, W), float64 in [0, 1].

    They are in memory where the images are, and not too large.

    Args:
        images: (N, H, W) or (N, H, W, 3).
        channel: Number of the channel, None for gray images.
    """

    def plane(image: np.ndarray) -> np.ndarray:
        return to_unit(image if channel is None else image[..., channel], np.float64)

    return Derived(images, plane) if is_large(images) else np.stack([plane(image) for image in images])


def choose(sources: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Choose the coefficients of each band by Li's rule, as `choose_max` does.

    Args:
        sources: The bands of each source; they are asked for twice.
    """
    choices: list[Choice] = []
    with portion(0, 0.5):
        for number, bands in enumerate(steps(sources)):
            choices = choices or [Choice(len(sources)) for _ in bands]
            for choice, band in zip(choices, bands, strict=True):
                choice.look(number, band)
    for choice in choices:
        choice.vote()
    with portion(0.5, 1):
        for number, bands in enumerate(steps(sources)):
            for choice, band in zip(choices, bands, strict=True):
                choice.take(number, band)
    return [choice.chosen for choice in choices]


def mean(images: Iterable[np.ndarray]) -> np.ndarray:
    """Average images that come one by one."""
    count = total = 0
    for count, image in enumerate(images, 1):
        total = image + total if count == 1 else np.add(total, image, out=total)
    return total / count
