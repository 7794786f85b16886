"""p-CNN: a whole image against its patches one by one, scores, and the patches that it learns from."""

import numpy as np
import pytest
import torch

import mffrepro as mff
from mffrepro import tiling
from mffrepro.data import load_regions
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack
from mffrepro.models import pixel_cnn
from mffrepro.models.pixel_cnn import PixelCNN, log_odds, score_image
from mffrepro.training.pixel_cnn import DEFOCUSED, FOCUSED, UNKNOWN, draw_focus, label_of
from mffrepro.training.recipes import recipe


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def network(width: float = 0.2) -> PixelCNN:
    torch.manual_seed(1)
    return PixelCNN(width=width).eval()


# ------------------------------------------------------------------------------------------------- the network


def test_full_width_has_the_layers_of_the_reading() -> None:
    """Kernels of 3, 3, 3, 3, 5 and 1; each map has a bias."""
    kernels = [(1, 32, 3), (32, 32, 3), (32, 64, 3), (64, 64, 3), (64, 128, 5), (128, 3, 1)]
    expected = sum(a * b * side**2 + b for a, b, side in kernels)
    assert sum(p.numel() for p in PixelCNN().parameters()) == expected == 270_307


def test_a_patch_has_one_place_and_needs_all_its_pixels() -> None:
    patch = torch.from_numpy(noise(1, 1, 32, 32)).requires_grad_()
    outputs = network()(patch)
    assert outputs.shape == (1, 3, 1, 1)
    # All paths through all poolings: the mean over many patches sees every row and column.
    total = sum(network()(torch.from_numpy(noise(8, 1, 32, 32, seed=s)) + 0 * patch + patch).square().sum() for s in range(4))
    total.backward()
    seen = patch.grad[0, 0] != 0
    assert seen.any(0).all()
    assert seen.any(1).all()
    with pytest.raises(RuntimeError):
        network()(patch[..., :31])


@torch.inference_mode()
def test_a_whole_image_gets_the_outputs_of_its_patches_one_by_one() -> None:
    image = torch.from_numpy(noise(1, 1, 41, 37))
    net = network()
    whole = net(image, everywhere=True)
    assert whole.shape == (1, 3, 10, 6)
    for row, column in np.ndindex(10, 6):
        alone = net(image[..., row : row + 32, column : column + 32])[..., 0, 0]
        torch.testing.assert_close(whole[..., row, column], alone, atol=1e-5, rtol=1e-5)
    assert whole.std((2, 3)).min() > 1e-3
    torch.testing.assert_close(net(image), whole[..., ::4, ::4], atol=1e-5, rtol=1e-5)


def test_every_pixel_has_the_score_of_the_patch_around_it() -> None:
    image, net = noise(23, 40), network()
    scores = score_image(net, image)
    assert scores.shape == image.shape
    padded = np.pad(image, ((16, 15), (16, 15)), mode="reflect")
    for row, column in ((0, 0), (0, 39), (22, 0), (11, 20), (22, 39)):
        patch = torch.from_numpy(padded[row : row + 32, column : column + 32].copy())[None, None]
        with torch.inference_mode():
            shares = torch.softmax(net(patch)[0, :, 0, 0].double(), 0)
        score = float(shares[0] + shares[2] / 2)
        assert scores[row, column] == pytest.approx(np.log(score / (1 - score)), abs=1e-4)


def test_strips_change_nothing(monkeypatch) -> None:
    image, net = noise(150, 37), network()
    whole = score_image(net, image)
    monkeypatch.setitem(tiling.NETWORK_PIXELS, "cpu", 1)
    monkeypatch.setattr(tiling, "HALO_RATIO", 1)
    assert len(list(tiling.strips(150, 37, 37 * 16, 16))) > 2
    np.testing.assert_allclose(score_image(net, image), whole, atol=1e-5)
    monkeypatch.setattr(pixel_cnn, "map_network", lambda function, inputs, halo: tiling.map_network(function, inputs, 8))
    assert np.abs(score_image(net, image) - whole).max() > 1e-3


# --------------------------------------------------------------------------------------------------- the fusion


def test_log_odds_keep_the_order_of_the_scores_beyond_rounding() -> None:
    outputs = torch.tensor([[3.0, -1, 0.5], [2, 2, 5], [-4, 1, 0]])[..., None, None]
    shares = torch.softmax(outputs.double(), 1)
    score = shares[:, :1] + shares[:, 2:] / 2
    torch.testing.assert_close(log_odds(outputs).double(), torch.logit(score), atol=1e-5, rtol=1e-5)
    assert float(log_odds(outputs)[1]) == pytest.approx(0, abs=1e-6)
    sure = torch.tensor([[40.0, -40, -40], [60, -60, -60]])[..., None, None]
    assert float(log_odds(sure)[1]) > float(log_odds(sure)[0])


def test_the_largest_score_of_any_number_of_images_wins(monkeypatch) -> None:
    images = noise(4, 40, 50, 3)
    scores = noise(4, 40, 50, seed=2)
    monkeypatch.setattr(pixel_cnn, "score_image", lambda net, image: scores[np.argmin(np.abs(images - image).sum((1, 2, 3)))])
    fused, shares = pixel_cnn.fuse(FocusStack("four", images), network(), smallest=0)
    winner = scores.argmax(0)
    np.testing.assert_array_equal(fused, np.take_along_axis(images, winner[None, ..., None], 0)[0])
    np.testing.assert_array_equal(shares.dense().argmax(0), winner)


def test_a_region_under_a_hundredth_of_the_image_is_removed(monkeypatch) -> None:
    first = np.zeros((40, 50), np.float32)
    first[:, :25] = 1
    clean = first.copy()
    first[10:14, 35:39] = 1  # 16 of 2000 pixels
    first[20:25, 35:39] = clean[20:25, 35:39] = 1  # 20 of 2000
    images = np.stack([np.ones((40, 50), np.float32), np.zeros((40, 50), np.float32)])
    monkeypatch.setattr(pixel_cnn, "score_image", lambda net, image: first if image.any() else 1 - first)
    np.testing.assert_array_equal(pixel_cnn.fuse(FocusStack("two", images), network())[0], clean)


@pytest.mark.parametrize("smallest", [-0.1, 1])
def test_smallest_is_a_share(smallest: float) -> None:
    with pytest.raises(OptionError, match=r"use a share of the image|use 0 or more and at most 1"):
        mff.fuse(noise(2, 20, 20), "pixel_cnn", weights="random", smallest=smallest)


# ------------------------------------------------------------------------------------------------- the training


def test_twelve_masks_and_their_labels() -> None:
    """Halves of two directions, quarters of four corners, and the opposite of each; whole patches where the border is outside."""
    rng = np.random.default_rng(0)
    kinds, labels = set(), []
    for _ in range(2000):
        focused = draw_focus(rng)
        labels.append(label_of(focused))
        for mask in (focused, ~focused):
            if mask.any() and not mask.all():
                kinds.add(tuple(bool(mask[row, column]) for row in (0, -1) for column in (0, -1)))
    halves = {(True, True, False, False), (False, False, True, True), (True, False, True, False), (False, True, False, True)}
    quarters = {tuple(i == corner for i in range(4)) for corner in range(4)}
    assert kinds == halves | quarters | {tuple(not x for x in one) for one in quarters}
    shares = np.bincount(labels, minlength=3) / len(labels)
    assert (shares > 0.03).all()


@pytest.mark.parametrize(
    ("place", "expected"), [(13, FOCUSED), (14, FOCUSED), (15, UNKNOWN), (16, UNKNOWN), (18, UNKNOWN), (19, DEFOCUSED)]
)
def test_the_middle_is_unknown_within_two_pixels_of_a_border(place: int, expected: int) -> None:
    """The middle is pixel 16; a border before pixel 14 leaves 14 to 18 on one side."""
    focused = np.zeros((32, 32), bool)
    focused[:, place:] = True
    assert label_of(focused) == label_of(focused.T) == expected
    opposite = {FOCUSED: DEFOCUSED, DEFOCUSED: FOCUSED, UNKNOWN: UNKNOWN}
    assert label_of(~focused) == opposite[expected]


def test_samples_join_a_sharp_and_a_blurred_patch_and_are_drawn_anew() -> None:
    photographs = load_regions("embedded")
    data = recipe("pixel_cnn", "smoke").data(photographs, split="train", seed=3)
    for index in range(12):
        sample, pair = data[index], data.pairs[index]
        both = torch.stack([sample["patch"], sample["opposite"]])
        ends = torch.stack([pair["sharp_gray"], pair["blurred_gray"]])
        torch.testing.assert_close(both.sort(0)[0], ends.sort(0)[0])
        assert sample["patch"].shape == (1, 32, 32)
        if sample["label"] != UNKNOWN:
            middle = pair["sharp_gray" if sample["label"] == FOCUSED else "blurred_gray"][0, 14:19, 14:19]
            torch.testing.assert_close(sample["patch"][0, 14:19, 14:19], middle)
    before = data[0]["patch"]
    assert torch.equal(data[0]["patch"], before)
    data.begin_epoch(1)
    assert not torch.equal(data[0]["patch"], before)


def test_the_loss_counts_both_ways() -> None:
    """A network that is sure and right, then one that takes focused for defocused and knows the unknown."""
    chosen = recipe("pixel_cnn", "smoke")
    batch = {"patch": torch.ones(3, 1, 32, 32), "opposite": torch.zeros(3, 1, 32, 32), "label": torch.tensor([0, 1, 2])}
    right = torch.tensor([[0, 1, 2], [1, 0, 2]]).ravel()
    for swapped, accuracy in ((False, 1), (True, 1 / 3)):
        classes = torch.tensor([1, 0, 2])[right] if swapped else right
        outputs = 50.0 * torch.nn.functional.one_hot(classes, 3)[..., None, None]
        losses = chosen.losses(lambda patches, outputs=outputs: outputs, batch)
        assert losses["accuracy"].item() == pytest.approx(accuracy)
        assert losses["total"].item() == pytest.approx(50 * (1 - accuracy), abs=1e-3)


def test_levels_count_blurs() -> None:
    from dataclasses import replace

    with pytest.raises(OptionError, match="give numbers from 1"):
        replace(recipe("pixel_cnn"), levels=(0, 1))
