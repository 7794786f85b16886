"""Losses against closed forms, against the metric they approximate, and against numerical gradients."""

import numpy as np
import pytest
import torch

from mffrepro.losses import dice_loss, qg_loss


def photograph(seed: int, side: int = 24) -> torch.Tensor:
    """A smooth random image, (1, 1, side, side) double in [0, 1]."""
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.random((1, 1, side, side)))
    return torch.nn.functional.avg_pool2d(x, 3, 1, 1)


def test_dice_of_a_perfect_map_is_zero() -> None:
    mask = torch.zeros(2, 1, 8, 8)
    mask[:, :, :4] = 1
    assert dice_loss(mask, mask).item() == 0


def test_dice_by_hand() -> None:
    prediction, target = torch.full((1, 1, 2, 2), 0.5), torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    assert dice_loss(prediction, target).item() == pytest.approx(1 - (2 * 1 + 1) / (1 + 2 + 1))


def test_dice_is_one_ratio_per_image() -> None:
    """An image that is all wrong counts as much as one that is all right, whatever their sizes."""
    target = torch.zeros(2, 1, 8, 8)
    target[0, 0, 0, 0] = 1
    target[1] = 1
    prediction = target.clone()
    prediction[0] = 0
    wrong_alone = dice_loss(prediction[:1], target[:1])
    assert dice_loss(prediction, target).item() == pytest.approx(wrong_alone.item() / 2)


@pytest.mark.parametrize("angle", ["abs", "smooth", "folded"])
@pytest.mark.parametrize("reduction", ["global", "pixel"])
def test_a_copy_loses_almost_nothing_and_blur_loses_more(angle: str, reduction: str) -> None:
    image = photograph(1)
    blurred = torch.nn.functional.avg_pool2d(image, 5, 1, 2, count_include_pad=False)
    copy = qg_loss((image, image), image, angle=angle, reduction=reduction)
    assert copy.item() < 0.02
    assert qg_loss((image, image), blurred, angle=angle, reduction=reduction).item() > 10 * copy.item()


def test_the_steep_folded_per_pixel_loss_is_one_minus_the_metric() -> None:
    """Same formula as the metric `qg`, up to what either does with a gradient of exactly zero."""
    from mffrepro.metrics import qg

    near, far = photograph(2, 40), photograph(3, 40)
    near, far = (torch.floor(x * 255) / 255 for x in (near, far))
    fused = torch.floor((0.7 * near + 0.3 * far) * 255) / 255
    loss = qg_loss((near, far), fused, angle="folded", reduction="pixel", steepness=1e9)
    sources = [np.round(x[0, 0].numpy() * 255).astype(np.uint8) for x in (near, far, fused)]
    assert 1 - loss.item() == pytest.approx(qg(sources[:2], sources[2]), abs=2e-3)


@pytest.mark.parametrize("angle", ["abs", "smooth", "folded"])
def test_gradient_agrees_with_finite_differences(angle: str) -> None:
    near, far = photograph(4, 6), photograph(5, 6)
    fused = (0.6 * near + 0.4 * far).requires_grad_()
    # a step so gentle that finite differences can see it; the formula is the same at every steepness
    assert torch.autograd.gradcheck(lambda x: qg_loss((near, far), x, angle=angle, steepness=5.0), fused, atol=1e-4)


def test_gradients_stay_finite_on_flat_images() -> None:
    flat = torch.full((1, 1, 12, 12), 0.5)
    fused = flat.clone().requires_grad_()
    qg_loss((flat, flat), fused).backward()
    assert torch.isfinite(fused.grad).all()


def test_smooth_comparison_approaches_the_exact_one() -> None:
    near, far = photograph(6), photograph(7)
    blend = 0.5 * (near + far)
    exact = qg_loss((near, far), blend, steepness=1e9).item()
    gaps = [abs(qg_loss((near, far), blend, steepness=k).item() - exact) for k in (10.0, 100.0, 1000.0)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-3
