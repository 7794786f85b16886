"""Measure what should not matter: noise where nothing is to be seen, and the order in which frames are given.

Chapter: 12_your_own_stack.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mffrepro.images import FocusStack
from mffrepro.methods import CARDS, fuse

#: A change of more levels of 255 than this can be seen.
VISIBLE = 2
#: The order matters to a method if it changes more than this share of the values. Measured on eight frames: rounding changes at
#: most 0.00004, a rule that depends on the order at least 0.0026.
LEAST_SHARE = 0.001


def noisy_flat(frames: int = 8, *, size: int = 128, sigma: float = 6.0, seed: int = 1) -> FocusStack:
    """Make frames of an even gray surface that differ in their noise alone.

    Args:
        frames: Number of frames.
        size: Side, pixels.
        sigma: Standard deviation of the noise, levels of 255.
        seed: Of the noise.

    Returns:
        (frames, size, size) uint8, with the surface without noise as reference.
    """
    noise = np.random.default_rng(seed).normal(128, sigma, (frames, size, size))
    return FocusStack("noisy flat", np.uint8(np.clip(np.rint(noise), 0, 255)), reference=np.full((size, size), 128, np.uint8))


def remaining_noise(stack: FocusStack, method: str, **options: Any) -> float:
    """Measure the noise that is left of a flat stack after fusion.

    Args:
        stack: What `noisy_flat` returns.
        method: Name.
        options: Its options.

    Returns:
        Standard deviation, in levels of 255.
    """
    return float(fuse(stack, method, **options).image.std())


def changed_by_order(stack: FocusStack, method: str, **options: Any) -> float:
    """Measure how much of an image changes with the order of its frames.

    Args:
        stack: Two frames or more, uint8.
        method: Name.
        options: Its options.

    Returns:
        Share of values that differ by over two levels of 255 when the frames are given in reverse.
    """
    reverse = replace(stack, images=stack.images[::-1], decision=None)
    first, second = (fuse(one, method, **options).image.astype(int) for one in (stack, reverse))
    return float((np.abs(first - second) > VISIBLE).mean())


def robustness(methods: Sequence[str], stack: FocusStack, options: Mapping[str, Mapping[str, Any]] | None = None):
    """Tabulate both for several methods.

    Args:
        methods: Names.
        stack: For the order.
        options: Name -> options of that method.

    Returns:
        A pandas table, a row per method: ``noise left`` and ``with average_flat``, in levels; ``changed by order``, a share; and
        ``order matters``, the word of the method's card.
    """
    import pandas as pd

    flat, options = noisy_flat(), options or {}
    rows = {
        name: {
            "noise left": remaining_noise(flat, name, **options.get(name, {})),
            "with average_flat": remaining_noise(flat, name, average_flat=True, **options.get(name, {})),
            "changed by order": changed_by_order(stack, name, **options.get(name, {})),
            "order matters": "yes" if CARDS[name].order_matters else "no",
        }
        for name in methods
    }
    return pd.DataFrame.from_dict(rows, orient="index")
