"""Yang's measure as a loss: against the metric it is one minus of, and against numerical gradients."""

import numpy as np
import pytest
import torch

from mffrepro.losses import qy_loss
from mffrepro.metrics import qy


def photograph(seed: int, side: int = 40) -> torch.Tensor:
    """A textured image on the 8-bit grid, (1, 1, side, side) double in [0, 1]; no window is flat."""
    rng = np.random.default_rng(seed)
    x = torch.nn.functional.avg_pool2d(torch.from_numpy(rng.random((1, 1, side, side))), 3, 1, 1)
    return torch.round(x * 255) / 255


def to_uint8(batch: torch.Tensor) -> np.ndarray:
    return torch.round(batch[0, 0] * 255).numpy().astype(np.uint8)


@pytest.mark.parametrize("similar", [0.05, 1.0])
def test_it_is_one_minus_the_metric(similar):
    """Sources that agree and sources that do not; the stabiliser moves the eighth digit at most."""
    base = photograph(1)
    near, far = base, torch.round(((1 - similar) * base + similar * photograph(2)) * 255) / 255
    fused = torch.round((0.6 * near + 0.4 * far) * 255) / 255
    metric = qy([to_uint8(near), to_uint8(far)], to_uint8(fused))
    assert 1 - qy_loss((near, far), fused).item() == pytest.approx(metric, abs=1e-5)
    assert 1 - qy_loss((near, far), fused, stabiliser=2e-16 / 255**2).item() == pytest.approx(metric, abs=1e-9)
    assert 1 - qy_loss((near.float(), far.float()), fused.float()).item() == pytest.approx(metric, abs=1e-4)


def test_a_copy_loses_nothing_and_a_batch_is_a_mean():
    one, other = photograph(3), photograph(4)
    assert qy_loss((one, one), one).item() == pytest.approx(0, abs=1e-12)
    alone = [qy_loss((one, other), x).item() for x in (one, (one + other) / 2)]
    both = qy_loss((torch.cat([one, one]), torch.cat([other, other])), torch.cat([one, (one + other) / 2]))
    assert both.item() == pytest.approx(np.mean(alone))


def test_flat_windows_are_perfect_and_have_finite_gradients():
    flat = torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64, requires_grad=True)
    loss = qy_loss((flat.detach(), flat.detach()), flat)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert torch.isfinite(flat.grad).all()


def test_gradients_are_the_numerical_ones():
    near, far = photograph(5, 10), photograph(6, 10)
    fused = ((near + far) / 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda f: qy_loss((near, far), f), fused, eps=1e-6, atol=1e-5)


def test_descent_restores_a_blurred_image():
    sharp = photograph(7)
    image = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1).requires_grad_()
    before = qy_loss((sharp, sharp), image).item()
    optimiser = torch.optim.Adam([image], lr=0.01)
    for _ in range(30):
        optimiser.zero_grad()
        qy_loss((sharp, sharp), image).backward()
        optimiser.step()
    assert qy_loss((sharp, sharp), image).item() < 0.3 * before
