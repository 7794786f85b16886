"""Learning dictionaries from photographs: K-SVD for patches, alternating least squares for convolutional filters."""

from collections.abc import Callable

import numpy as np
from scipy import fft, linalg

from mffrepro.fusion.convolutional import code
from mffrepro.fusion.sparse import BATCH, pursue


def learn_atoms(
    signals: np.ndarray,
    *,
    atoms: int,
    sparsity: int,
    rounds: int,
    seed: int,
    on_round: Callable[[int, float], None] = lambda number, error: None,
) -> np.ndarray:
    """Learn a dictionary by approximate K-SVD.

    All signals are coded, then the atoms are improved one by one, each for the signals that use it.

    Args:
        signals: (n, d) float64, n >= atoms.
        atoms: Their number.
        sparsity: Atoms for a signal.
        rounds: How often all signals are coded.
        seed: Seed of the signals that the atoms start from.
        on_round: Called after each round with its number from 1 and the root mean square of what the codes leave.

    Returns:
        (d, atoms), columns of length one.

    References:
        [aharon2006ksvd], one power iteration for each atom as in [rubinstein2008].
    """
    rng = np.random.default_rng(seed)
    lengths = np.linalg.norm(signals, axis=1)
    start = rng.choice(np.flatnonzero(lengths), atoms, replace=False)
    rows = signals[start] / lengths[start, None]
    for number in range(1, rounds + 1):
        used, weights, left = _code(signals, rows.T, sparsity)
        users = _users(used, weights, atoms)
        for k in rng.permutation(atoms):
            signal, place = users[k]
            if not len(signal):  # an unused atom becomes the worst coded signal, if any of it is left
                worst = np.einsum("nd,nd->n", left, left).argmax()
                if length := np.linalg.norm(left[worst]):
                    rows[k] = left[worst] / length
                    left[worst] = 0
                continue
            without = left[signal] + weights[signal, place][:, None] * rows[k]
            atom = weights[signal, place] @ without
            rows[k] = atom / np.linalg.norm(atom)
            weights[signal, place] = without @ rows[k]
            left[signal] = without - weights[signal, place][:, None] * rows[k]
        on_round(number, float(np.sqrt(np.square(left).mean())))
    return rows.T


def _code(signals: np.ndarray, dictionary: np.ndarray, sparsity: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    batches = [pursue(signals[i : i + BATCH], dictionary, most=sparsity) for i in range(0, len(signals), BATCH)]
    padded = [[np.pad(a, [(0, 0), (0, sparsity - a.shape[1])]) for a in (c.atoms, c.weights)] for c in batches]
    return *(np.concatenate(part) for part in zip(*padded, strict=True)), np.concatenate([c.residuals for c in batches])


def _users(used: np.ndarray, weights: np.ndarray, atoms: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Find, for each atom, the signals that use it and its place in their codes."""
    signal, place = np.nonzero(weights)
    order = np.argsort(used[signal, place], kind="stable")
    ends = np.searchsorted(used[signal, place][order], np.arange(1, atoms))
    return list(zip(np.split(signal[order], ends), np.split(place[order], ends), strict=True))


def learn_filters(
    images: np.ndarray,
    *,
    filters: int,
    side: int,
    sparsity: float,
    rounds: int,
    seed: int,
    on_round: Callable[[int, float], None] = lambda number, error: None,
) -> np.ndarray:
    """Learn convolutional filters by alternation.

    Sparse maps are found for all images, then the filters by least squares.

    Args:
        images: (n, H, W) float32, high-pass.
        filters: Their number.
        side: Side of the filters, pixels.
        sparsity: Weight of the sum of magnitudes in the coding.
        rounds: How often all images are coded.
        seed: Seed of the noise that the filters start from.
        on_round: See `learn_atoms`.

    Returns:
        (filters, side, side), each of length one.

    References:
        [engan1999mod], for convolutions.
    """
    rng = np.random.default_rng(seed)
    atoms = _of_length_one(rng.standard_normal((filters, side, side)))
    for number in range(1, rounds + 1):
        maps = np.stack([code(image, atoms, sparsity=sparsity, tolerance=1e-2, most=100) for image in images])
        atoms, error = _fit_filters(images, maps, side)
        idle = ~maps.any((0, 2, 3))  # a filter that no map uses starts anew
        atoms[idle] = rng.standard_normal((idle.sum(), side, side))
        atoms = _of_length_one(atoms)
        on_round(number, error)
    return atoms


def _of_length_one(filters: np.ndarray) -> np.ndarray:
    return filters / np.linalg.norm(filters, axis=(1, 2), keepdims=True)


def _fit_filters(images: np.ndarray, maps: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """Fit filters of that side to given maps (n, M, H, W) by least squares; return them and the root mean square error.

    The normal equations hold correlations of the maps at shifts under `side`: one block for each pair of filters.
    """
    count, shape = maps.shape[1], maps.shape[2:]
    # In double precision: with the rounding of single precision the normal matrix may not be positive definite.
    spectra, targets = fft.rfft2(maps.astype(float)), fft.rfft2(images.astype(float))
    shifts = np.arange(side)[:, None] - np.arange(side)
    matrix = np.empty((count, side, side, count, side, side))
    for k in range(count):
        products = (spectra[:, k, None].conj() * spectra).sum(0)
        correlations = fft.irfft2(products, shape)
        # (other filter, row, row of the other, column, column of the other)
        block = correlations[:, shifts[:, :, None, None], shifts[None, None]]
        matrix[k] = block.transpose(1, 3, 0, 2, 4)
    right = fft.irfft2((spectra.conj() * targets[:, None]).sum(0), shape)[:, :side, :side]
    size = count * side * side
    normal = matrix.reshape(size, size)
    normal[np.diag_indices(size)] += 1e-9 * np.trace(normal) / size + np.finfo(float).tiny  # for filters that no map uses
    solution = linalg.solve(normal, right.ravel(), assume_a="pos").reshape(count, side, side)
    left = np.square(images, dtype=float).sum() - 2 * (solution * right).sum() + solution.ravel() @ normal @ solution.ravel()
    return solution, float(np.sqrt(max(left, 0) / images.size))
