"""Sparse codes: patches as weighted sums of few atoms of a dictionary, and images chosen patch by patch by those codes."""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from mffrepro.threads import in_threads

#: Signals pursued together: enough to pay for the calls of NumPy, few enough that their bases stay in the processor's cache.
BATCH = 128
#: Rows in one product with the dictionary. A larger product makes the BLAS start threads of its own beside those of `code`,
#: and both together take twice as long.
ROWS = 16
#: Rows of patches that a thread codes at once.
STRIP = 8
#: Codes in single precision take little more than half the time and choose the same source, but where the two largest sums are
#: within this share of each other (one patch in twenty to one in three, by photograph): of those double precision decides.
CLOSE = 0.2


class Codes(NamedTuple):
    """Hold sparse codes of n signals.

    Attributes:
        atoms: (n, k) indices of atoms, in the order they were taken.
        weights: (n, k), the weight of each; zero once a signal is done.
        residuals: (n, d), what the weighted atoms leave of the signals.
    """

    atoms: np.ndarray
    weights: np.ndarray
    residuals: np.ndarray


# ------------------------------------------------------------------------------------------------- pursuit


def pursue(signals: np.ndarray, dictionary: np.ndarray, *, eps: float = 0.0, most: int | None = None) -> Codes:
    """Code signals by orthogonal matching pursuit.

    It takes the atom nearest to the residual, fits all atoms taken so far, and repeats.

    All signals take a step together. Each keeps an orthonormal basis of its atoms, so that a step is one projection; the
    weights of the atoms follow from those in the basis at the end, by back-substitution.

    Args:
        signals: (n, d) float; their dtype is that of the computation. `activity` splits many into batches.
        dictionary: (d, m), columns of length one.
        eps: A signal is done once the length of its residual is at most this.
        most: Largest number of atoms for a signal; all that are independent by default.

    References:
        [pati1993omp].
    """
    (count, size), kind = signals.shape, signals.dtype
    most = min(size, dictionary.shape[1], most or size)
    dictionary = dictionary.astype(kind, copy=False)
    left = np.concatenate([signals, np.zeros((-count % ROWS, size), kind)])
    rows = np.ascontiguousarray(dictionary.T)
    atoms, weights = np.zeros((len(left), most), np.intp), np.zeros((len(left), most), kind)
    basis, mixing = np.empty((len(left), most, size), kind), np.zeros((len(left), most, most), kind)
    unfinished, step = _squares(left) > eps**2, 0
    while step < most and unfinished.any():
        similarity = left.reshape(-1, ROWS, size) @ dictionary
        taken = np.abs(similarity, out=similarity).reshape(len(left), -1).argmax(1)
        known, new = basis[:, :step], rows[taken]
        shares = known @ new[..., None]
        new -= (shares.swapaxes(1, 2) @ known)[:, 0]
        length = np.maximum(np.sqrt(_squares(new)), np.finfo(kind).tiny)
        new /= length[:, None]
        weight = np.einsum("nd,nd->n", new, left) * unfinished
        left -= weight[:, None] * new
        atoms[:, step], weights[:, step], basis[:, step] = taken, weight, new
        mixing[:, step, :step], mixing[:, step, step] = shares[..., 0], length
        unfinished &= _squares(left) > eps**2
        step += 1
    for last in reversed(range(step)):
        weights[:, last] /= mixing[:, last, last]
        weights[:, :last] -= mixing[:, last, :last] * weights[:, last, None]
    return Codes(atoms[:count, :step], weights[:count, :step], left[:count])


def _squares(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", vectors, vectors)


def activity(signals: np.ndarray, dictionary: np.ndarray, *, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Sum the magnitudes of each signal's weights, and compute its residual.

    The sums are (n,), the residuals (n, d), for any number of signals.
    """
    norms, residuals = np.empty(len(signals)), np.empty_like(signals)
    order = np.argsort(_squares(signals), kind="stable")  # signals of like energy need a like number of steps
    for start in range(0, len(signals), BATCH):
        batch = order[start : start + BATCH]
        codes = pursue(signals[batch], dictionary, eps=eps)
        norms[batch], residuals[batch] = np.abs(codes.weights).sum(1), codes.residuals
    return norms, residuals


# -------------------------------------------------------------------------------------------------- fusion


def fuse_by_codes(
    sources: np.ndarray,
    dictionaries: np.ndarray,
    *,
    eps: float,
    stride: int,
    pick: Callable[[np.ndarray], np.ndarray] | None = None,
    average_means: bool = False,
) -> np.ndarray:
    """Take each patch from the source whose code has the largest magnitudes.

    Where patches overlap, they are averaged.

    Args:
        sources: (N, H, W) float64.
        dictionaries: (K, d, m), atoms for square patches of d pixels, row after row.
        eps: Largest length of what a code may leave of a patch.
        stride: Step between patches, pixels.
        pick: From patches (N, n, d) to the dictionary (n,) that all sources share there; the first everywhere by default.
        average_means: Give each patch the average of all sources' means instead of its own.

    Returns:
        (H, W). Ties go to the earlier source. Pixels that no patch covers are the mean of the sources.

    References:
        [yang2010sr].
    """
    side = math.isqrt(dictionaries.shape[1])
    height, width = sources.shape[1:]
    total, count = np.zeros((height, width)), np.zeros((height, width))
    if min(height, width) >= side:
        windows = np.lib.stride_tricks.sliding_window_view(sources, (side, side), (1, 2))[:, ::stride, ::stride]
        starts = range(0, windows.shape[1], STRIP)
        strips = [windows[:, start : start + STRIP] for start in starts]
        for start, fused in zip(
            starts, in_threads(partial(_fuse_strip, dictionaries, eps, pick, average_means), strips), strict=True
        ):
            _add_patches(total[start * stride :], fused, stride)
            _add_patches(count[start * stride :], np.ones_like(fused), stride)
    return np.where(count, total / np.maximum(count, 1), sources.mean(0))


def _fuse_strip(
    dictionaries: np.ndarray, eps: float, pick: Callable | None, average_means: bool, windows: np.ndarray
) -> np.ndarray:
    """Fuse the patches of all sources (N, rows, columns, side, side) to (rows, columns, side, side)."""
    patches = windows.reshape(*windows.shape[:1], -1, dictionaries.shape[1])
    means = patches.mean(-1, keepdims=True)
    details = patches - means
    patches = details + means.mean(0) if average_means else patches
    choice = np.zeros(patches.shape[1], np.intp) if pick is None else pick(patches)
    norms, coded = np.full(patches.shape[:2], -1.0), patches.copy()

    def code(which: np.ndarray, kind: type) -> None:
        for k in np.unique(choice[which.any(0)]):
            here = which & (choice == k)
            norms[here], residuals = activity(details[here].astype(kind), dictionaries[k], eps=eps)
            coded[here] = patches[here] - residuals

    candidates = np.ones(patches.shape[:2], bool)
    candidates[1:] = (patches[1:] != patches[0]).any(-1)  # an equal patch would tie, and ties go to the first source
    code(candidates, np.float32)
    second, best = np.partition(norms, -2, 0)[-2:]
    code(candidates & (second > (1 - CLOSE) * best), np.float64)
    return coded[norms.argmax(0), np.arange(len(choice))].reshape(windows.shape[1:])


def _add_patches(image: np.ndarray, patches: np.ndarray, stride: int) -> None:
    rows, columns, side, _ = patches.shape
    for i, j in np.ndindex(side, side):
        image[i : i + stride * rows : stride, j : j + stride * columns : stride] += patches[..., i, j]
