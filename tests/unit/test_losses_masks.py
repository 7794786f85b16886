"""Focal and balanced cross-entropy against closed forms, torch's own, and numerical gradients."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from mffrepro.losses import balanced_loss, focal_loss


def maps(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A soft map and a label, (2, 1, 6, 5), the first label with few ones, the second with many."""
    generator = torch.Generator().manual_seed(seed)
    prediction = 0.05 + 0.9 * torch.rand(2, 1, 6, 5, generator=generator, dtype=torch.float64)
    label = torch.zeros(2, 1, 6, 5, dtype=torch.float64)
    label[0, :, 0], label[1, :, 1:] = 1, 1
    return prediction, label


def test_focal_by_hand() -> None:
    prediction, target = torch.tensor([[[[0.9, 0.2]]]]), torch.tensor([[[[1.0, 0.0]]]])
    expected = -(0.1**2 * math.log(0.9) + 0.2**2 * math.log(0.8)) / 2
    assert focal_loss(prediction, target).item() == pytest.approx(expected, rel=1e-5)
    weighted = -(0.25 * 0.1**2 * math.log(0.9) + 0.75 * 0.2**2 * math.log(0.8)) / 2
    assert focal_loss(prediction, target, alpha=0.25).item() == pytest.approx(weighted, rel=1e-5)


def test_focal_without_focus_is_cross_entropy() -> None:
    prediction, target = maps()
    assert focal_loss(prediction, target, gamma=0).item() == pytest.approx(binary_cross_entropy(prediction, target).item())
    assert focal_loss(prediction, target, gamma=0, alpha=0.5).item() == pytest.approx(
        binary_cross_entropy(prediction, target).item() / 2
    )


def test_focal_turns_away_from_what_is_right() -> None:
    """Of a pixel that is 90 % right, gamma 2 leaves a hundredth, of one that is 50 % right a quarter."""
    one = torch.ones(1, 1, 1, 1)
    for right, share in ((0.9, 0.01), (0.5, 0.25)):
        sure = torch.full_like(one, right)
        assert (focal_loss(sure, one) / focal_loss(sure, one, gamma=0)).item() == pytest.approx(share, rel=1e-4)


def test_balanced_by_hand() -> None:
    """One pixel of four is 1: it weighs three quarters, each of the others a quarter."""
    prediction, target = torch.tensor([[[[0.8, 0.1], [0.3, 0.4]]]]), torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    expected = -(0.75 * math.log(0.8) + 0.25 * (math.log(0.9) + math.log(0.7) + math.log(0.6))) / 4
    assert balanced_loss(prediction, target).item() == pytest.approx(expected, rel=1e-5)


def test_balanced_does_not_care_which_side_is_large() -> None:
    prediction, target = maps()
    assert balanced_loss(prediction, target).item() == pytest.approx(balanced_loss(1 - prediction, 1 - target).item())
    half = torch.zeros_like(target)
    half[..., :3, :] = 1
    plain = binary_cross_entropy(prediction, half).item()
    assert balanced_loss(prediction, half).item() == pytest.approx(plain / 2)


def test_balanced_weighs_each_image_by_itself() -> None:
    prediction, target = maps()
    alone = [balanced_loss(prediction[i : i + 1], target[i : i + 1]).item() for i in range(2)]
    assert balanced_loss(prediction, target).item() == pytest.approx(sum(alone) / 2)


@pytest.mark.parametrize("loss", [focal_loss, balanced_loss])
def test_saturated_maps_have_finite_losses_and_gradients(loss) -> None:
    target = torch.tensor([[[[1.0, 0.0, 1.0, 0.0]]]])
    wrong = (1 - target).requires_grad_()
    value = loss(wrong, target)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(wrong.grad).all()
    assert loss(target, target).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("loss", [focal_loss, balanced_loss, lambda p, g: focal_loss(p, g, gamma=1.5, alpha=0.3)])
def test_gradients_are_the_numerical_ones(loss) -> None:
    prediction, target = maps(1)
    assert torch.autograd.gradcheck(lambda p: loss(p, target), prediction.requires_grad_())
