"""The recipes of the deep baselines: what they ask for, and that what they train can be fused with."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from schedules import rates
from skimage.metrics import structural_similarity

import mffrepro as mff
from mffrepro.data import load_regions
from mffrepro.losses import ssim_loss
from mffrepro.training import information, recipes
from mffrepro.training.mff_gan import PRESETS as GAN
from mffrepro.training.mff_gan import detail
from mffrepro.training.pair_recipe import laplacian
from mffrepro.training.ship import ship
from mffrepro.training.trainer import train

NETWORKS = (
    "sesf", "drpl", "ifcnn", "densefuse", "u2fusion", "fusiondn", "mff_gan", "pmgi", "stackmff", "deepfuse", "difnet",
    "pixel_cnn", "lightmff", "focal", "gcf", "mscnn", "unet",
)  # fmt: skip
#: Networks that decide: sixteen bits turn a barely trained decision here and there.
DECIDING = ("drpl", "stackmff", "pixel_cnn", "lightmff", "focal", "gcf", "mscnn")


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


@pytest.fixture(scope="module")
def regions():
    photographs = load_regions("embedded")
    return {"train": photographs, "val": photographs[:2]}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_network_ships_and_fuses(regions, tmp_path, name: str) -> None:
    recipe = replace(recipes.recipe(name, "smoke"), epochs=1, validation=2)
    train(recipe, regions, tmp_path / "run", device="cpu")
    path = ship(tmp_path / "run", f"{name}.trial", data="embedded", device="a test", folder=tmp_path)
    pair = mff.load("embedded")["coffee_blur3"].images[:, :48, :40]
    shipped, best = (mff.fuse(pair, name, weights=str(p)).image for p in (path, tmp_path / "run" / "best.safetensors"))
    assert shipped.shape == pair[0].shape
    if name not in DECIDING:
        assert np.abs(shipped.astype(int) - best).max() <= 2


def test_only_the_generator_is_shipped(regions, tmp_path) -> None:
    from mffrepro.models.weights import read_safetensors

    train(replace(GAN["smoke"], epochs=1), regions, tmp_path / "run", device="cpu")
    path = ship(tmp_path / "run", "mff_gan.trial", data="embedded", device="a test", folder=tmp_path)
    state, _ = read_safetensors(path)
    assert sum(tensor.numel() for tensor in state.values()) == 40_033


def test_gradients_of_the_adversaries_do_not_mix() -> None:
    torch.manual_seed(0)
    recipe = GAN["smoke"]
    model = recipe.model()
    losses = recipe.losses(model, {"a": rand(1, 4, 1, 32, 32), "b": rand(2, 4, 1, 32, 32)})
    for loss, changes, stays in (("generator", "generator", "discriminator"), ("discriminator", "discriminator", "generator")):
        model.zero_grad()
        losses[loss].backward(retain_graph=True)
        moved = {part: max(_size(p.grad) for p in getattr(model, part).parameters()) for part in (changes, stays)}
        assert moved[changes] > 0
        assert moved[stays] == 0


def _size(gradient: torch.Tensor | None) -> float:
    return 0.0 if gradient is None else float(gradient.abs().max())


def test_the_content_of_mff_gan_is_zero_for_the_sharper_source_of_each_pixel() -> None:
    near, blurred = rand(1, 1, 1, 24, 24), torch.full((1, 1, 24, 24), 0.5)
    assert (detail(near) > detail(blurred))[..., 4:-4, 4:-4].float().mean() > 0.9
    recipe = GAN["smoke"]
    assert float(recipe._content(near, near, near)) == 0
    assert float(recipe._content(near, blurred, near)) < 0.1 * float(recipe._content(near, blurred, blurred))


def test_samples_are_sharp_where_their_mask_says(regions) -> None:
    """The photograph itself is one of both everywhere but where a blurred outline spreads."""
    data = recipes.recipe("drpl", "practical").data(regions["train"], split="train", seed=2)
    for sample in (data[i] for i in range(6)):
        a, b, original, mask = (sample[name] for name in ("a", "b", "original", "mask"))
        chosen = torch.where(mask > 0.5, a, b)
        assert float((chosen - original).abs().mean()) < 0.5 * float((a - original).abs().mean() + (b - original).abs().mean())
        assert set(mask.unique().tolist()) <= {0.0, 1.0}


def test_colour_samples_have_three_channels(regions) -> None:
    sample = recipes.recipe("ifcnn", "smoke").data(regions["train"], split="val", seed=1)[0]
    assert {name: tuple(t.shape) for name, t in sample.items()} == {
        "a": (3, 32, 32), "b": (3, 32, 32), "original": (3, 32, 32), "mask": (1, 32, 32)
    }  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_loss_is_that_of_scikit_image(channels: int) -> None:
    x, y = rand(1, 1, channels, 30, 33), rand(2, 1, channels, 30, 33)
    arrays = [t[0].permute(1, 2, 0).double().numpy() for t in (x, y)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, full = structural_similarity(*arrays, channel_axis=-1, full=True, **options)  # its window is 11x11
    assert float(ssim_loss(x, y)) == pytest.approx(1 - full[5:-5, 5:-5].mean(), abs=1e-5)


def test_ssim_loss_of_equal_images_is_nothing() -> None:
    x = rand(1, 3, 1, 20, 20)
    torch.testing.assert_close(ssim_loss(x, x, side=5, pad=True), torch.zeros(3), atol=1e-6, rtol=0)


def test_laplacian_is_the_neighbours_less_the_pixel() -> None:
    image = torch.zeros(1, 1, 5, 5)
    image[..., 2, 2] = 1
    expected = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    assert torch.equal(laplacian(image)[0, 0, 1:4, 1:4], expected)


def test_entropy_counts_gray_levels() -> None:
    four = torch.tensor([0.0, 0.25, 0.5, 0.75]).repeat(64).view(1, 1, 16, 16)
    torch.testing.assert_close(information.entropy(torch.cat([four, torch.zeros_like(four)])), torch.tensor([2.0, 0.0]))


def test_the_sharper_source_counts_more() -> None:
    from mffrepro.data.synthetic import gaussian_blur

    sharp = rand(3, 64, 64)
    blurred = torch.from_numpy(gaussian_blur(sharp.numpy(), 1.5))
    first, second = information.shares(*(information.pyramid_energy(x[None, None]) for x in (sharp, blurred)))
    assert float(first) > 0.7
    assert float(first + second) == pytest.approx(1)


def test_papers_are_quoted() -> None:
    """Schedules and weights that the fact sheets print."""
    sesf, u2, gan, pmgi = (recipes.recipe(name, "paper") for name in ("sesf", "u2fusion", "mff_gan", "pmgi"))
    assert (sesf.epochs, sesf.batch, sesf.ssim_weight) == (30, 48, 1000)
    assert rates(sesf)[:3] == pytest.approx([1e-4, 1e-4, 8e-5])
    assert (u2.batch, u2.crop, u2.mse_weight, u2.temperature, u2.features) == (18, 64, 20, 100, "vgg16")
    steps = u2.optimiser(u2.model()).defaults
    assert [steps[k] for k in ("lr", "alpha", "momentum")] == [1e-4, 0.6, 0.15]
    assert (gan.batch, gan.crop, gan.content_weight, gan.gradient_weight) == (32, 60, 10, 5)
    assert (pmgi.batch, pmgi.crop, pmgi.intensity_weight, pmgi.gradient_weight) == (32, 60, 2, 3)
