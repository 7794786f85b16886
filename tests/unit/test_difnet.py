"""DIF-Net: its size, what its blocks share, its strips, and the loss against closed forms."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from mffrepro import tiling
from mffrepro.images import FocusStack
from mffrepro.losses import tensor_loss
from mffrepro.models import difnet
from mffrepro.models.difnet import DIFNet
from mffrepro.models.weights import load, to_bytes
from mffrepro.training.recipes import recipe

by_squares = partial(tensor_loss, gradient="forward", squared=True)


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


def size(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def ramp(right: float, down: float) -> torch.Tensor:
    x = torch.arange(7, dtype=torch.float64)
    return (right * x[None, :] + down * x[:, None])[None, None]


def test_size_is_that_of_the_program_by_others() -> None:
    """The fact sheet counts 22 465 with shared blocks; each of the three further blocks has two convolutions and a norm."""
    assert size(DIFNet(shared=True)) == 22_465
    block = 2 * (9 * 16 * 16 + 16) + 2 * 16
    assert size(DIFNet()) == 22_465 + 3 * block == 36_481


@torch.inference_mode()
def test_a_shared_block_is_applied_as_often_as_separate_ones() -> None:
    torch.manual_seed(1)
    one, three = difnet.Residuals(3, shared=True).eval(), difnet.Residuals(3, shared=False).eval()
    for block in three.blocks:
        block.load_state_dict(one.blocks[0].state_dict())
    x = rand(8, 1, 16, 9, 8)
    torch.testing.assert_close(one(x), three(x))
    assert (len(one.blocks), len(three.blocks)) == (1, 3)


@pytest.mark.parametrize("shared", [False, True])
def test_weights_and_their_option_come_back_from_a_file(tmp_path, shared: bool) -> None:
    network = DIFNet(shared=shared)
    (tmp_path / "weights.safetensors").write_bytes(to_bytes(network, network.options))
    again = load(difnet.SOURCE, "difnet", str(tmp_path / "weights.safetensors"), "cpu")
    assert again.options == {"shared": shared}
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


@torch.inference_mode()
def test_a_block_without_its_last_convolution_changes_nothing() -> None:
    block = difnet.Residual().eval()
    torch.nn.init.zeros_(block.second.conv.weight)
    torch.nn.init.zeros_(block.second.conv.bias)
    x = rand(1, 1, 16, 9, 8)
    torch.testing.assert_close(block(x), x)


@torch.inference_mode()
def test_strips_give_what_the_whole_image_gives(monkeypatch) -> None:
    torch.manual_seed(3)
    network = DIFNet().eval()
    pair = rand(1, 1, 1, 150, 37), rand(2, 1, 1, 150, 37)
    whole = network(*pair)
    monkeypatch.setitem(tiling.NETWORK_PIXELS, "cpu", 1)
    monkeypatch.setattr(tiling, "HALO_RATIO", 2)
    torch.testing.assert_close(tiling.map_network(network, pair, network.reach), whole, atol=2e-5, rtol=0)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(tiling.map_network(network, pair, 3), whole, atol=2e-5, rtol=0)


def test_luma_is_fused_in_turn_and_chroma_is_kept() -> None:
    class First(DIFNet):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a

    images = rand(4, 3, 20, 30, 3).numpy()
    gray = FocusStack("gray", images[..., 0])
    np.testing.assert_allclose(difnet.fuse(gray, First())[0], images[0, ..., 0], atol=1e-6)
    luma = images @ np.float32([0.299, 0.587, 0.114])
    fused, decision = difnet.fuse(FocusStack("colour", images), First())
    assert decision is None
    np.testing.assert_allclose(fused @ np.float32([0.299, 0.587, 0.114]), luma[0], atol=1e-5)


# ---------------------------------------------------------------------------------------------------------- loss


def test_the_squared_loss_of_ramps() -> None:
    """Slopes of 0.1 along x and y: the tensors differ by diag(0.01, 0.01), whose squared norm is 2e-4 at every pixel."""
    sources = ramp(0.1, 0), ramp(0, 0.1)
    assert by_squares(sources, ramp(0, 0)).item() == pytest.approx(2e-4)
    assert by_squares(sources, sources[0]).item() == pytest.approx(1e-4)


def test_the_squared_loss_pixel_by_pixel() -> None:
    a, b, fused = (rand(seed, 1, 1, 6, 5).double() for seed in (1, 2, 3))
    distances = []
    for row, column in np.ndindex(5, 4):
        tensors = []
        for image in (a, b, fused):
            plane = image[0, 0].numpy()
            here = plane[row, column]
            gradient = np.array([plane[row, column + 1] - here, plane[row + 1, column] - here])
            tensors.append(np.outer(gradient, gradient))
        distances.append(np.square(tensors[2] - tensors[0] - tensors[1]).sum())
    assert by_squares((a, b), fused).item() == pytest.approx(np.mean(distances))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_blurred_source_asks_for_more_contrast_than_the_sharp_one_has(share: float) -> None:
    """With gradients g and b g, the loss is zero at sqrt(1 + b^2) g and nowhere nearer to g."""
    sharp = rand(5, 1, 1, 12, 12).double()
    wanted = math.sqrt(1 + share**2)
    assert by_squares((sharp, share * sharp), wanted * sharp).item() == pytest.approx(0, abs=1e-15)
    assert by_squares((sharp, share * sharp), (wanted - 0.05) * sharp).item() > 1e-5
    assert by_squares((sharp, share * sharp), -wanted * sharp).item() == pytest.approx(0, abs=1e-15)


def test_the_recipe_weighs_intensity_and_contrast() -> None:
    chosen = recipe("difnet", "smoke")
    batch = {"a": rand(6, 2, 1, 32, 32), "b": rand(7, 2, 1, 32, 32)}

    class Mean(torch.nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return (a + b) / 2

    losses = chosen.losses(Mean(), batch)
    assert losses["intensity"].item() == 0
    assert losses["total"].item() == pytest.approx(100 * losses["contrast"].item())
    assert losses["contrast"].item() > 0


@pytest.mark.parametrize(("statistics", "moved"), [("fixed", False), ("batch", True)])
def test_statistics_stay_unless_those_of_the_batch_are_asked_for(statistics: str, moved: bool) -> None:
    chosen = replace(recipe("difnet", "smoke"), statistics=statistics)
    network = chosen.model().train()
    chosen.losses(network, {"a": rand(6, 2, 1, 32, 32), "b": rand(7, 2, 1, 32, 32)})["total"].backward()
    norm = network.extract[1].blocks[0].first.norm
    assert bool(norm.running_mean.any()) == moved
    assert norm.weight.grad.any()
