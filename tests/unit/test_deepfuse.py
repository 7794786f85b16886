"""DeepFuse: its layout, its scale, the authors' contrast, and the loss against a loop over patches."""

import numpy as np
import pytest
import torch

import mffrepro as mff
from mffrepro.losses import exposure_loss
from mffrepro.methods import load_network
from mffrepro.models.deepfuse import REACH, DeepFuse, adjusted, scaled_to


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


def test_layout() -> None:
    assert sum(p.numel() for p in DeepFuse().parameters()) == 316_976
    assert REACH == 1 + 2 + 3 + 2 + 2 + 3


@torch.inference_mode()
def test_brighter_images_give_proportionally_brighter_results() -> None:
    network = load_network("deepfuse.random", device="cpu")
    a, b = rand(1, 1, 1, 40, 30), rand(2, 1, 1, 40, 30)
    torch.testing.assert_close(network(255 * a, 255 * b), 255 * network(a, b), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network(a, b), network(b, a))


def test_the_order_of_many_images_does_not_matter() -> None:
    images = rand(3, 4, 50, 40).numpy()
    there, back = (mff.fuse(list(order), "deepfuse", weights="random").image for order in (images, images[::-1]))
    np.testing.assert_allclose(there, back, atol=1e-5)


def test_the_nearest_scale_and_offset() -> None:
    image, target = rand(4, 20, 30).numpy(), rand(5, 20, 30).numpy()
    found = scaled_to(target, 1e6 * image - 3e5)
    design = np.stack([image.ravel(), np.ones(image.size)], 1)
    expected = design @ np.linalg.lstsq(design, target.ravel(), rcond=None)[0]
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-5)
    np.testing.assert_allclose(scaled_to(target, np.full_like(target, 7)), target.mean(), rtol=1e-6)


def test_contrast_is_adjusted_as_matlab_does() -> None:
    """Of 0 to 255 once each, 1 percent of 256 pixels are two and a half: levels 2 and 253 become black and white."""
    levels = np.arange(256).reshape(16, 16) / 255
    found = adjusted(levels)
    np.testing.assert_allclose(found.ravel()[[0, 2, 253, 255]], [0, 0, 1, 1])
    np.testing.assert_allclose(found.ravel()[100], (100 - 2) / (253 - 2))
    np.testing.assert_array_equal(adjusted(np.full((4, 4), 0.3)), 0.3)


def test_as_published_the_contrast_is_that_of_the_whole_range() -> None:
    images = [0.4 + 0.2 * rand(seed, 60, 60).numpy() for seed in (6, 7)]
    stretched = mff.fuse(images, "deepfuse", weights="random", as_published=True).image
    plain = mff.fuse(images, "deepfuse", weights="random").image
    assert (stretched.min(), stretched.max()) == (0, 1)
    assert plain.mean() == pytest.approx(np.mean(images), abs=1e-3)


# --------------------------------------------------------------------------------------------------------- loss


def test_the_loss_is_that_of_a_loop_over_patches() -> None:
    sources, fused = [rand(seed, 1, 1, 11, 12).double() for seed in (1, 2, 3)], rand(4, 1, 1, 11, 12).double()
    similarities = []
    for row in range(11 - 8 + 1):
        for column in range(12 - 8 + 1):
            cut = np.s_[0, 0, row : row + 8, column : column + 8]
            patches = [x[cut].numpy() - x[cut].numpy().mean() for x in sources]
            norms = [np.linalg.norm(patch) for patch in patches]
            structure = sum(norm * (patch / norm) for norm, patch in zip(norms, patches, strict=True))
            wanted = max(norms) * structure / np.linalg.norm(structure)
            f = fused[cut].numpy() - fused[cut].numpy().mean()
            similarities.append((2 * (wanted * f).mean() + 0.03**2) / ((wanted**2).mean() + (f**2).mean() + 0.03**2))
    assert float(exposure_loss(sources, fused)) == pytest.approx(1 - np.mean(similarities), abs=1e-9)


def test_one_source_twice_is_best_fused_by_itself() -> None:
    source = rand(5, 1, 1, 20, 20).double().requires_grad_()
    assert float(exposure_loss([source, source], source.detach())) == pytest.approx(0, abs=1e-9)
    exposure_loss([source, torch.zeros_like(source)], 0.5 * source).backward()
    assert torch.isfinite(source.grad).all()


def test_flat_sources_have_finite_gradients() -> None:
    flat = torch.full((1, 1, 12, 12), 0.5)
    fused = rand(6, 1, 1, 12, 12).requires_grad_()
    exposure_loss([flat, flat], fused).backward()
    assert torch.isfinite(fused.grad).all()
