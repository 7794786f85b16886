"""The U-Net: its size, images of any size, its four scales, and its loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import mffrepro as mff
from mffrepro.errors import OptionError
from mffrepro.losses import ssim_loss
from mffrepro.models.unet import UNet
from mffrepro.training.unet import PRESETS


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


def test_size() -> None:
    down = sum(9 * a * b + b + 9 * b * b + b for a, b in ((2, 16), (16, 32), (32, 64), (64, 128)))
    up = sum(9 * (a + b) * b + b + 9 * b * b + b for a, b in ((128, 64), (64, 32), (32, 16)))
    assert sum(p.numel() for p in UNet().parameters()) == down + up + 17 == 487_153


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(1, 1), (8, 16), (13, 30)])
def test_images_of_any_size_are_filled_up_at_their_end(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    network = UNet().eval()
    a, b = rand(1, 1, 1, *shape), rand(2, 1, 1, *shape)
    found = network(a, b)
    assert found.shape == a.shape
    filled = [F.pad(x, (0, -shape[1] % 8, 0, -shape[0] % 8), mode="replicate") for x in (a, b)]
    torch.testing.assert_close(found, network(*filled)[..., : shape[0], : shape[1]])


@torch.inference_mode()
def test_a_pixel_sees_as_far_as_four_scales_let_it() -> None:
    torch.manual_seed(2)
    network = UNet().eval().double()
    a = rand(3, 1, 1, 8, 256).double()
    changed = a.clone()
    changed[..., 128] += 1
    seen = (network(changed, a) != network(a, a))[0, 0].any(0).nonzero().ravel()
    assert 48 < int(seen.max() - seen.min()) < 160  # without the smaller scales it would be 9 pixels


def test_gray_and_colour_images_keep_their_kind() -> None:
    for shape in ((20, 31), (20, 31, 3)):
        images = [(255 * x).astype(np.uint8) for x in rand(4, 3, *shape).numpy()]
        result = mff.fuse(images, "unet", weights="random")
        assert result.image.shape == shape
        assert result.image.dtype == np.uint8


def test_the_loss_compares_with_the_photograph() -> None:
    recipe = replace(PRESETS["smoke"], ssim_weight=0.5)
    torch.manual_seed(3)
    network = UNet()
    batch = {name: rand(seed, 2, 1, 32, 32) for name, seed in (("a", 5), ("b", 6), ("original", 7))}
    losses = recipe.losses(network, batch)
    fused = network(batch["a"], batch["b"])
    expected = (fused - batch["original"]).abs().mean() + 0.5 * ssim_loss(fused, batch["original"]).mean()
    torch.testing.assert_close(losses["total"], expected)
    with pytest.raises(OptionError, match="ssim_weight"):
        replace(recipe, ssim_weight=-0.1)
