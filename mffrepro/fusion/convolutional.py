"""Convolutional sparse codes: a whole image as a sum of sparse maps, each convolved with a small filter.

In torch, whose Fourier transforms of planes take half the time of SciPy's, and they are most of the work.
"""

import numpy as np
import torch
from scipy import fft
from torch import Tensor
from torch.nn import functional as F

from mffrepro.threads import in_threads

#: Over-relaxation of the iteration; how far its two residuals may drift apart, and how fast the penalty may follow.
RELAXATION, DRIFT, PACE = 1.8, 1.2, 100.0
#: Iterations, counted from 0, after which the penalty may change. The program of [wohlberg2016] leaves it as it is after the
#: first; with a penalty that changes for ever, the iteration need not converge.
ADAPTING = range(1, 200)


def low_pass(image: np.ndarray, smoothness: float, margin: int = 16) -> np.ndarray:
    """Smooth an image by Tikhonov regularisation.

    The result is near `image` and has small differences between neighbours.

    Args:
        image: (H, W), float.
        smoothness: Weight of the squared differences against the squared error.
        margin: The image is extended by reflection this far, pixels; the transform joins its borders otherwise.
    """
    padded = np.pad(image, margin, mode="symmetric")
    rows, columns = (4 * np.sin(np.pi * np.arange(n) / n) ** 2 for n in padded.shape)
    gain = 1 / (1 + smoothness * (rows[:, None] + columns[: padded.shape[1] // 2 + 1]))
    smooth = fft.irfft2(fft.rfft2(padded) * gain, padded.shape)
    return smooth[margin : margin + image.shape[0], margin : margin + image.shape[1]]


def synthesise(maps: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Sum sparse maps (M, H, W), each convolved with its filter (M, h, w).

    Borders wrap around.
    """
    shape = maps.shape[1:]
    return fft.irfft2((_spectrum(filters, shape) * _spectrum(maps, shape)).sum(0), shape)


def code(image: np.ndarray, filters: np.ndarray, *, sparsity: float, tolerance: float = 1e-3, most: int = 500) -> np.ndarray:
    """Find sparse maps whose convolution with the filters is near the image.

    This is basis pursuit denoising.

    Minimises half the squared error plus `sparsity` times the sum of magnitudes by the alternating direction method of
    multipliers. For each frequency the least-squares step is one rank-one system [wohlberg2016]; its solution is what came in
    and the filters' share of what that leaves of the image. One map at a time: all steps find it in the processor's cache.

    Args:
        image: (H, W) in [0, 1], high-pass; its dtype is that of the computation.
        filters: (M, h, w).
        sparsity: Weight of the sum of magnitudes.
        tolerance: Stops when primal and dual residual are both below, relative to what they are residuals of.
        most: Largest number of iterations.

    Returns:
        (M, H, W), mostly zeros.

    References:
        [wohlberg2016].
    """
    shape, kind = image.shape, image.dtype
    spectra = _spectrum(filters.astype(kind), shape)
    energy = torch.from_numpy((np.abs(spectra) ** 2).sum(0))
    atoms, target = torch.from_numpy(spectra), torch.from_numpy(_spectrum(image, shape))
    penalty, aim = 100 * sparsity + 0.5, 1 + 18.3 ** (np.log10(sparsity) + 1)
    sparse = torch.zeros((len(filters), *shape), dtype=target.real.dtype)
    dual, incoming = torch.zeros_like(sparse), torch.zeros_like(sparse)
    for iteration in range(most):
        explained = torch.zeros_like(target)
        for m, atom in enumerate(atoms):
            torch.sub(sparse[m], dual[m], out=incoming[m])
            explained.addcmul_(atom, torch.fft.rfft2(incoming[m]))
        missing = (target - explained) / (energy + penalty)
        moved = torch.zeros(5, dtype=torch.float64)
        for m, atom in enumerate(atoms):
            dense = torch.fft.irfft2(atom.conj() * missing, s=shape).add_(incoming[m])
            moved += _step(dense, sparse[m], dual[m], sparsity / penalty)
        gap, norm_dense, norm_sparse, change, norm_dual = moved.sqrt().tolist()
        primal, drift = _ratio(gap, max(norm_dense, norm_sparse)), _ratio(change, norm_dual)
        if primal < tolerance and drift < tolerance:
            break
        balance = primal / (aim * drift) if drift else PACE
        if iteration in ADAPTING and not 1 / DRIFT <= balance <= DRIFT:
            factor = float(np.clip(np.sqrt(balance), 1 / PACE, PACE))
            penalty *= factor
            dual /= factor
    return sparse.numpy()


def code_each(images: np.ndarray, filters: np.ndarray, *, sparsity: float, tolerance: float) -> list[np.ndarray]:
    """Code each of several images (N, H, W) by `code`, on several cores.

    While they run, torch starts no threads beside them.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return in_threads(lambda image: code(image, filters, sparsity=sparsity, tolerance=tolerance), images)
    finally:
        torch.set_num_threads(before)


def _step(dense: Tensor, sparse: Tensor, dual: Tensor, threshold: float) -> Tensor:
    """Shrink one map and update its dual variable, both in place; the squares that the residuals are made of."""
    dual.add_(dense, alpha=RELAXATION).add_(sparse, alpha=1 - RELAXATION)
    shrunk = F.softshrink(dual, threshold)
    dual.sub_(shrunk)
    squares = [_square(dense - shrunk), _square(dense), _square(shrunk), _square(sparse.sub_(shrunk)), _square(dual)]
    sparse.copy_(shrunk)
    return torch.stack(squares).double()


def _square(x: Tensor) -> Tensor:
    return torch.dot(x.flatten(), x.flatten())


def _spectrum(images: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return fft.rfft2(images, shape, workers=-1)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
