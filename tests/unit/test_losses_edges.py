"""Edge-preserving and structure-tensor loss against ramps, loops over pixels, and numerical gradients."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from mffrepro.losses import edge_loss, tensor_loss


def image(seed: int, side: int = 9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 1, side, side, generator=generator, dtype=torch.float64)


def ramp(right: float, down: float, side: int = 7) -> torch.Tensor:
    """Rises by `right` per column and by `down` per row: Sobel gives eight times that everywhere."""
    x = torch.arange(side, dtype=torch.float64)
    return (right * x[None, :] + down * x[:, None])[None, None]


def inner(batch: torch.Tensor, axis: int) -> np.ndarray:
    return ndimage.sobel(batch[0, 0].numpy(), axis)[1:-1, 1:-1]


def test_edge_loss_of_ramps() -> None:
    """Gradients 8 (0.03, 0.04) and 0 differ by 0.4 in each of the 25 inner pixels."""
    assert edge_loss(ramp(0.03, 0.04), ramp(0, 0)).item() == pytest.approx(25 * 0.4, rel=1e-5)


def test_edge_loss_is_the_sum_over_inner_pixels() -> None:
    original, fused = image(1), image(2)
    across, down = (inner(fused, axis) - inner(original, axis) for axis in (1, 0))
    assert edge_loss(original, fused).item() == pytest.approx(np.hypot(across, down).sum(), rel=1e-4)


def test_edge_loss_sees_edges_only() -> None:
    original = image(3)
    assert edge_loss(original, original).item() == 0
    assert edge_loss(original, original + 0.2).item() == pytest.approx(0, abs=1e-5)


def test_tensor_loss_of_ramps() -> None:
    """Sources that rise along x and along y by 0.1: tensors diag(0.64, 0) and diag(0, 0.64), the sum 0.64 times identity."""
    sources = ramp(0.1, 0), ramp(0, 0.1)
    flat = tensor_loss(sources, ramp(0, 0)).item()
    assert flat == pytest.approx(25 * 0.64 * math.sqrt(2), rel=1e-4)
    assert tensor_loss(sources, sources[0]).item() == pytest.approx(25 * 0.64, rel=1e-4)
    diagonal = ramp(0.1, 0.1)  # right in both entries of the diagonal, 0.64 beside it, twice
    assert tensor_loss(sources, diagonal).item() == pytest.approx(25 * 0.64 * math.sqrt(2), rel=1e-4)


def test_tensor_loss_pixel_by_pixel() -> None:
    near, far, fused = image(4), image(5), image(6)
    expected = 0.0
    gradients = [np.stack([inner(batch, 1), inner(batch, 0)]) for batch in (near, far, fused)]
    for row, column in np.ndindex(7, 7):
        a, b, f = (np.outer(g[:, row, column], g[:, row, column]) for g in gradients)
        expected += np.linalg.norm(f - a - b)
    assert tensor_loss((near, far), fused).item() == pytest.approx(expected, rel=1e-4)


def test_tensor_loss_does_not_tell_light_from_dark() -> None:
    near, far = image(7), image(8)
    assert tensor_loss((near, far), 1 - near).item() == pytest.approx(tensor_loss((near, far), near).item())
    assert tensor_loss((near, torch.full_like(near, 0.5)), near).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("loss", [edge_loss, lambda sources, fused: tensor_loss((sources, sources.flip(-1)), fused)])
def test_a_batch_is_a_mean_and_gradients_are_the_numerical_ones(loss) -> None:
    first, second, fused = image(9, 6), image(10, 6), image(11, 6)
    alone = [loss(sources, fused).item() for sources in (first, second)]
    both = loss(torch.cat([first, second]), torch.cat([fused, fused])).item()
    assert both == pytest.approx(sum(alone) / 2)
    assert torch.autograd.gradcheck(lambda x: loss(first, x), fused.requires_grad_(), atol=1e-4)


@pytest.mark.parametrize("loss", [edge_loss, lambda source, fused: tensor_loss((source, source), fused)])
def test_gradients_stay_finite_on_flat_images(loss) -> None:
    flat = torch.full((1, 1, 8, 8), 0.5)
    fused = flat.clone().requires_grad_()
    loss(flat, fused).backward()
    assert torch.isfinite(fused.grad).all()
