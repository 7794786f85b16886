"""LightMFF: its size as published, its inputs against plain sums, its map, and its recipe."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

import mffrepro as mff
from mffrepro.losses import dice_loss, focal_loss
from mffrepro.methods import load_network
from mffrepro.models import lightmff
from mffrepro.models.lightmff import LightMFF
from mffrepro.training.lightmff import PRESETS


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


def test_size() -> None:
    network = LightMFF()
    assert sum(p.numel() for p in network.parameters()) == 15_717
    assert len(network.state_dict()) == 98


def test_the_initial_map_compares_sums_over_windows_and_colours() -> None:
    a, b = rand(1, 1, 3, 20, 24), rand(2, 1, 3, 20, 24)

    def measure(image: np.ndarray) -> np.ndarray:
        total = np.zeros(image.shape[1:])
        for plane in image.astype(np.float64):
            padded = np.pad(plane, ((1, 0), (1, 0)))
            changes = (plane - padded[1:, :-1]) ** 2 + (plane - padded[:-1, 1:]) ** 2
            total += 121 * ndimage.uniform_filter(changes, 11, mode="constant")
        return total

    expected = measure(a[0].numpy()) > measure(b[0].numpy())
    np.testing.assert_array_equal(lightmff.initial_map(a, b)[0, 0].numpy(), expected)
    assert not lightmff.initial_map(a, a).any()  # ties go to the second


def test_edges_have_one_scale_for_the_whole_batch() -> None:
    batch = rand(3, 2, 3, 16, 16)
    batch[1] *= 0.25
    found = lightmff.edges(batch)
    assert float(found.max()) == 1
    assert float(found[1].max()) < 0.3
    grays = (batch.numpy().astype(np.float64) * np.array([0.2989, 0.587, 0.1140]).reshape(3, 1, 1)).sum(1)
    lengths = np.stack([np.hypot(*(ndimage.sobel(gray, axis, mode="constant") for axis in (0, 1))) for gray in grays])
    np.testing.assert_allclose(found[:, 0].numpy(), lengths / lengths.max(), atol=1e-5)


def test_a_constant_image_has_no_edges() -> None:
    assert not lightmff.edges(torch.full((1, 3, 8, 8), 0.5))[..., 1:-1, 1:-1].any()
    assert torch.isfinite(lightmff.edges(torch.zeros(1, 3, 8, 8))).all()


@pytest.mark.parametrize("shape", [(40, 300), (7, 5), (256, 256)])
def test_every_pixel_comes_from_one_image_of_any_size(shape) -> None:
    images = list(rand(4, 2, *shape, 3).numpy())
    result = mff.fuse(images, "lightmff", weights="random")
    assert set(np.unique(result.decision)) <= {0, 1}
    np.testing.assert_array_equal(result.image, np.where(result.decision[0][..., None] == 1, *images))


def test_the_published_result_is_cut_off() -> None:
    images = list(rand(5, 2, 40, 50, 3).numpy())
    image = mff.fuse(images, "lightmff", weights="random", as_published=True).image
    levels = 255 * image.astype(np.float64)
    np.testing.assert_allclose(levels, levels.round(), atol=1e-4)
    exact = mff.fuse(images, "lightmff", weights="random").image
    assert (exact - image).min() >= -1e-6
    assert (exact - image).max() <= 1 / 255


def test_gray_images_of_16_bits_are_decided_as_8_bits() -> None:
    gray = [(65535 * x).astype(np.uint16) for x in rand(6, 2, 64, 64).numpy()]
    colour = [np.repeat((x / 257).round().astype(np.uint8)[..., None], 3, -1) for x in gray]
    decisions = [mff.fuse(pair, "lightmff", weights="random").decision for pair in (gray, colour)]
    np.testing.assert_array_equal(*decisions)


def test_the_loss_weighs_focal_loss_and_overlap() -> None:
    recipe = PRESETS["smoke"]
    network = load_network("lightmff.random", device="cpu")
    batch = {"a": rand(7, 2, 3, 32, 32), "b": rand(8, 2, 3, 32, 32), "mask": rand(9, 2, 1, 32, 32).round()}
    losses = recipe.losses(network, batch)
    share = torch.sigmoid(network(batch["a"], batch["b"]))
    expected = 15 * focal_loss(share, batch["mask"], alpha=0.25) + dice_loss(share, batch["mask"])
    torch.testing.assert_close(losses["total"], expected)


def test_pairs_are_blurred_inside_or_outside_of_the_mask() -> None:
    recipe = replace(PRESETS["smoke"], size=64, crop=64)
    image = rand(10, 64, 64, 3).numpy()
    mask = np.zeros((64, 64), bool)
    mask[:, :32] = True
    a, b = recipe.defocus(image, mask, np.random.default_rng(1))
    np.testing.assert_array_equal(a[mask], image[mask])
    np.testing.assert_array_equal(b[~mask], image[~mask])
    np.testing.assert_allclose(a[~mask].mean(), b[mask].mean(), atol=0.05)
    assert a[~mask].std() < 0.5 * image.std()
