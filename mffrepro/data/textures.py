"""Procedural textures of twelve kinds: a classification task that anyone can train on, without a photograph or a label.

A texture mixes two random colours by a pattern; its scale, direction, phase and contrast are random, its kind is the class.
"""

from collections.abc import Callable

import numpy as np

Pattern = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def texture(kind: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one square texture.

    Args:
        kind: Index into `KINDS`.
        side: Pixels.
        rng: Source of all randomness.

    Returns:
        (side, side, 3) float32 in [0, 1].
    """
    rows, columns = np.indices((side, side)) + rng.uniform(0, 100, 2)[:, None, None]
    angle, period = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(np.log(5), np.log(20)))  # pixels
    x = (np.cos(angle) * columns + np.sin(angle) * rows) / period
    y = (np.cos(angle) * rows - np.sin(angle) * columns) / period
    share = list(KINDS.values())[kind](x, y, rng)[..., None]
    dark, bright = rng.random(3), rng.random(3)
    noise = rng.normal(0, 0.02, (side, side, 3))
    return np.clip(share * bright + (1 - share) * dark + noise, 0, 1).astype(np.float32)


def _stripes(x, y, rng):
    return 0.5 + 0.5 * np.sin(2 * np.pi * x)


def _bars(x, y, rng):
    return (x % 1 < 0.5).astype(float)


def _checks(x, y, rng):
    return ((np.floor(x) + np.floor(y)) % 2).astype(float)


def _dots(x, y, rng):
    return (np.hypot(x % 1 - 0.5, y % 1 - 0.5) < 0.3).astype(float)


def _rings(x, y, rng):
    across, down = x - rng.uniform(x.min(), x.max()), y - rng.uniform(y.min(), y.max())
    return 0.5 + 0.5 * np.sin(2 * np.pi * np.hypot(across, down))


def _bricks(x, y, rng):
    row = np.floor(y)
    return ((y % 1 > 0.15) & ((x / 2 + row / 2) % 1 > 0.08)).astype(float)


def _weave(x, y, rng):
    return 0.25 * (2 + np.sin(2 * np.pi * x) + np.sin(2 * np.pi * y))


def _waves(x, y, rng):
    return (0.5 + 0.5 * np.sin(2 * np.pi * (x + 0.4 * np.sin(2 * np.pi * y / 2)))).round()


def _cells(x, y, rng):
    """Measure the distance to the nearest of some random points, one per cell of a jittered grid."""
    nearest = np.full(x.shape, np.inf)
    jitter = rng.random((2, 17, 17))
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            i, j = np.floor(y).astype(int) + down, np.floor(x).astype(int) + across
            dx, dy = (j + jitter[0][i % 17, j % 17] - x), (i + jitter[1][i % 17, j % 17] - y)
            nearest = np.minimum(nearest, np.hypot(dx, dy))
    return np.clip(nearest, 0, 1)


def _noise(slope: float) -> Pattern:
    """Draw random phases under a spectrum that falls with this power of the frequency."""

    def pattern(x, y, rng):
        side = len(x)
        frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
        frequency[0, 0] = 1
        spectrum = np.fft.rfft2(rng.normal(size=x.shape)) / frequency**slope
        spectrum[0, 0] = 0
        values = np.fft.irfft2(spectrum, x.shape)
        return np.clip(0.5 + values / (4 * values.std()), 0, 1)

    return pattern


KINDS: dict[str, Pattern] = {
    "stripes": _stripes,
    "bars": _bars,
    "checks": _checks,
    "dots": _dots,
    "rings": _rings,
    "bricks": _bricks,
    "weave": _weave,
    "waves": _waves,
    "cells": _cells,
    "white noise": _noise(0),
    "pink noise": _noise(1),
    "clouds": _noise(2),
}
