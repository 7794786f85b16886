"""GCF: its size and layers against a plain twin, its losses against loops, its map, and its recipe."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

import mffrepro as mff
from mffrepro.errors import ImageError, OptionError
from mffrepro.losses import regions
from mffrepro.models import gcf
from mffrepro.models.gcf import MaskNet
from mffrepro.training.gcf import PRESETS


def rand(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


def random_network(**options: float) -> MaskNet:
    torch.manual_seed(3)
    network = MaskNet(**options).eval()
    for name, parameter in network.named_parameters():
        if ".norm." in name:  # scales and shifts that show whether they are used
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return network


def test_size() -> None:
    """The numbers are those of the authors' checkpoint."""
    sizes = {name: p.numel() for name, p in MaskNet().named_parameters()}
    assert sum(sizes.values()) == 754_287
    assert sum(size for name, size in sizes.items() if ".norm." in name) == 1156


@torch.inference_mode()
def test_layers_are_those_of_the_authors_one_after_the_other() -> None:
    network = random_network(width=0.125)
    state = network.state_dict()
    a, b = rand(1, 2, 1, 13, 10), rand(2, 2, 1, 13, 10)

    def layer(x: Tensor, name: str) -> Tensor:
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), state[f"{name}.conv.weight"], state[f"{name}.conv.bias"])
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
        scale, shift = (state[f"{name}.norm.{which}"].reshape(1, -1, 1, 1) for which in ("weight", "bias"))
        return (x - mean) / (variance + 1e-3).sqrt() * scale + shift

    def leaky(x: Tensor) -> Tensor:
        return torch.maximum(x, 0.2 * x)

    x = leaky(layer(torch.cat([a, b], 1), "first"))
    for i in range(3):
        x = torch.cat([leaky(layer(x, f"dense.{i}")), x], 1)
    for i in range(4):
        x = leaky(layer(x, f"decoder.{i}"))
    torch.testing.assert_close(network(a, b), torch.tanh(layer(x, "last")) / 2 + 0.5)


@torch.inference_mode()
def test_the_numbers_of_every_image_have_mean_0_and_variance_1_before_they_are_cut() -> None:
    torch.manual_seed(1)
    share = MaskNet(width=0.125).eval()(rand(3, 1, 1, 40, 40), rand(4, 1, 1, 40, 40)).double()
    numbers = torch.atanh((2 * share - 1).clamp(-1 + 1e-7, 1 - 1e-7))
    assert abs(float(numbers.mean())) < 0.01
    assert abs(float(numbers.var()) - 1) < 0.05  # small variances give way to what keeps the division finite


def test_small_regions_go_first_those_of_the_second_image() -> None:
    def without_small(mask: np.ndarray) -> np.ndarray:
        labels, count = ndimage.label(mask)
        kept = [i for i in range(1, count + 1) if (labels == i).sum() >= mask.size / 60]
        return np.isin(labels, kept)

    noise = np.random.default_rng(1).normal(size=(60, 50))
    changed = 0
    for sigma in (0.5, 1, 2, 4):
        mask = ndimage.gaussian_filter(noise, sigma) > 0
        expected = without_small(~without_small(~mask))
        np.testing.assert_array_equal(gcf.clean(mask), expected)
        changed += (expected != mask).sum()
    assert changed > 100


@pytest.mark.parametrize("shape", [(2, 3), (40, 61), (64, 48, 3)])
def test_every_pixel_comes_from_one_image(shape) -> None:
    images = list(rand(5, 2, *shape).numpy())
    result = mff.fuse(images, "gcf", weights="random")
    assert set(np.unique(result.decision)) <= {0, 1}
    share = result.decision[0] if len(shape) == 2 else result.decision[0][..., None]
    np.testing.assert_array_equal(result.image, np.where(share == 1, *images))


def test_an_image_of_one_row_is_refused() -> None:
    with pytest.raises(ImageError, match="at least 2"):
        mff.fuse(list(rand(6, 2, 1, 9).numpy()), "gcf", weights="random")


# ----------------------------------------------------------------------------------------------------- losses


def loops(mask: np.ndarray, threshold: float) -> int:
    """Count by the definition, pixel by pixel."""
    padded, count = np.pad(mask, 1), 0
    for y, x in np.ndindex(mask.shape):
        around = (padded[y, x], padded[y, x + 1], padded[y, x + 2], padded[y + 1, x])
        count += np.tanh(sum(abs(float(mask[y, x]) - float(other)) for other in around) / 4) > threshold
    return count


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_region_starts_are_counted(threshold: float) -> None:
    masks = rand(7, 3, 1, 12, 15).round()
    found = regions.region_starts(masks, threshold)
    assert found.tolist() == [loops(mask[0].numpy(), threshold) for mask in masks]
    assert found.min() > 3


def test_a_square_is_one_region_and_the_authors_threshold_counts_nothing() -> None:
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., 5:9, 4:12] = 1
    mask[..., 14, 14] = 1
    assert regions.region_starts(mask, 0.7).tolist() == [2]
    assert regions.region_starts(rand(8, 1, 1, 30, 30).round(), 0.9).tolist() == [0]


def test_gradients_pass_the_step_as_a_line() -> None:
    x = torch.tensor([-1.5, -1.0, -0.2, 0.0, 0.4, 1.0, 1.1], requires_grad=True)
    y = regions.step(x)
    assert y.tolist() == [0, 0, 0, 0.5, 1, 1, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 0.5, 0.5, 0.5, 0.5, 0.5, 0]


def test_the_authors_threshold_still_pulls_at_borders_and_nowhere_else() -> None:
    mask = torch.zeros(1, 1, 12, 12)
    mask[..., 6:] = 1
    mask.requires_grad_()
    regions.region_starts(mask, 0.9).sum().backward()
    columns = mask.grad[0, 0, 2:-2].abs().sum(0)
    assert columns[5] > 0
    assert columns[6] > 0
    assert columns[1:5].sum() == columns[7:-1].sum() == 0


def test_the_larger_gradient_differs_more_from_its_neighbours() -> None:
    a, b = rand(9, 1, 1, 15, 12), rand(10, 1, 1, 15, 12)
    kernel = np.full((3, 3), -1 / 8)
    kernel[1, 1] = 1
    # the authors' kernel, whose sum is 0, against ours, which differs by the constant factor 9/8
    first, second = (np.abs(ndimage.convolve(x[0, 0].double().numpy(), kernel, mode="constant")) for x in (a, b))
    np.testing.assert_array_equal(regions.larger_gradient(a, b)[0, 0].numpy(), first > second)
    assert not regions.larger_gradient(a, a).any()


def test_the_loss_adds_both_terms() -> None:
    recipe = replace(PRESETS["smoke"], threshold=0.7, region_weight=0.01, second=0.5)
    network = random_network(width=0.125)
    batch = {"a": rand(11, 3, 1, 32, 32), "b": rand(12, 3, 1, 32, 32), "mask": rand(13, 3, 1, 32, 32).round()}
    losses = recipe.losses(network, batch)
    share = network(batch["a"], batch["b"]).detach()
    mask = (share > 0.5).float().numpy()
    counts = [loops(m[0], 0.7) + 0.5 * loops(1 - m[0], 0.7) for m in mask]
    gradient = (share - regions.larger_gradient(batch["a"], batch["b"])).square().mean()
    torch.testing.assert_close(losses["total"].detach(), gradient + 0.01 * float(np.mean(counts)))
    losses["total"].backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("wrong", [{"threshold": 1.0}, {"region_weight": -1.0}, {"second": -0.1}, {"width": 0.0}])
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(wrong))):
        replace(PRESETS["smoke"], **wrong)
