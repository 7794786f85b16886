"""Hard pairs of patches: each kind by its closed form, and the counts of wrong answers to them."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import ndimage
from scipy.stats import binomtest

from mffrepro.data import LabelledImage, hard_patches, load_regions
from mffrepro.data.hard_patches import KINDS, LEVEL_VARIANCE, OUTSIDE, SIDE, WHOLE, hard_pairs, middle
from mffrepro.data.lens import disc_blur
from mffrepro.data.synthetic import blur_levels, gaussian_blur
from mffrepro.errors import ImageError, OptionError
from mffrepro.training.recipes import recipe
from mffrepro.training.studies import patch_errors

COUNT = 12


@pytest.fixture(scope="module")
def photographs():
    return load_regions("embedded")


@pytest.fixture
def part():
    return np.random.default_rng(0).integers(0, 256, (WHOLE, WHOLE), np.uint8)


def made(kind: str, part: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return KINDS[kind].make(part, np.random.default_rng(seed))


def level_of(seed: int) -> int:
    """Read the first draw of every kind with levels."""
    return int(np.random.default_rng(seed).integers(1, 6))


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_the_same_whenever_they_are_made(kind: str, photographs) -> None:
    pairs = hard_pairs(photographs, kind, COUNT)
    assert (pairs.shape, pairs.dtype) == ((COUNT, 2, SIDE, SIDE), np.uint8)
    assert np.array_equal(pairs, hard_pairs(photographs, kind, COUNT))
    assert np.array_equal(pairs[:4], hard_pairs(photographs, kind, COUNT)[:4])
    assert all((pair[0] != pair[1]).any() for pair in middle(pairs, 16)), "there is an answer to each"


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_is_the_sharper_one_in_the_middle(kind: str, photographs) -> None:
    """By the differences of neighbours, which tell nearly all pairs apart."""
    side, least = {"across a border": (4, 0.8), "noisy": (16, 0.8)}.get(kind, (16, 0.9))
    small = middle(hard_pairs(photographs, kind, 200), side).astype(float)
    rough = np.abs(np.diff(small, axis=-1)).sum((2, 3))
    assert np.mean(rough[:, 0] > rough[:, 1]) > least


def test_kinds_show_the_same_places(photographs) -> None:
    plain = hard_pairs(photographs, "plain", COUNT)
    for kind in ("disc", *OUTSIDE):
        assert np.array_equal(hard_pairs(photographs, kind, COUNT)[:, 0], plain[:, 0])


def test_places_vary_as_their_kind_says(photographs) -> None:
    for kind in ("plain", "flat"):
        least, most = KINDS[kind].variance
        variances = middle(hard_pairs(photographs, kind, 50), 16)[:, 0].var((1, 2))
        assert variances.min() >= least
        assert variances.max() <= most
    assert KINDS["flat"].variance[1] < recipe("cnn_fuse").variance == KINDS["plain"].variance[0]


def test_without_a_fitting_place_the_nearest_is_taken() -> None:
    gray = np.random.default_rng(0).normal(128, 30, (130, 120)).clip(0, 255).astype(np.uint8)
    variances = hard_patches._variances(gray)
    assert variances.shape == (130 - WHOLE + 1, 120 - WHOLE + 1)
    start = (WHOLE - 16) // 2
    brute = [[gray[r + start :, c + start :][:16, :16].var() for c in range(9)] for r in range(19)]
    assert np.allclose(variances, brute)
    found = hard_patches._corner(variances, np.random.default_rng(0), 1.0, 25.0)
    assert variances[found] == variances.min()


@pytest.mark.parametrize("seed", range(5))
def test_plain_pairs_are_those_of_the_training(part, seed: int) -> None:
    sharp, blurred = made("plain", part, seed)
    assert np.array_equal(sharp, part)
    assert np.array_equal(blurred, blur_levels(part)[level_of(seed) - 1])


@pytest.mark.parametrize("seed", range(8))
def test_a_border_passes_near_the_middle_and_both_sides_change_places(part, seed: int) -> None:
    first, second = made("across a border", part, seed)
    blurred = blur_levels(part)[level_of(seed) - 1]
    sharp_here = first == part
    assert np.array_equal(np.where(sharp_here, second, first), blurred)
    assert (first + second.astype(int) == part + blurred.astype(int)).all()
    y, x = np.mgrid[:WHOLE, :WHOLE] - (WHOLE - 1) / 2
    distance = np.hypot(x, y)[~sharp_here & (blurred != part)].min()
    assert 2 <= distance < 6 + np.sqrt(0.5) + 1
    assert sharp_here[WHOLE // 2 - 1 : WHOLE // 2 + 1, WHOLE // 2 - 1 : WHOLE // 2 + 1].all()
    half = sharp_here.mean()
    assert 0.5 < half < 0.5 + 8 / WHOLE


@pytest.mark.parametrize("seed", range(5))
def test_a_disc_has_the_variance_of_its_level(part, seed: int) -> None:
    level = level_of(seed)
    assert np.array_equal(made("disc", part, seed)[1], disc_blur(part, 2 * np.sqrt(LEVEL_VARIANCE * level)))
    point = np.zeros((65, 65))
    point[32, 32] = 1
    x = np.arange(65) - 32
    variances = [
        (spot * x**2).sum()
        for spot in (gaussian_blur(point, 2.0, size=7, times=level), disc_blur(point, 2 * np.sqrt(LEVEL_VARIANCE * level)))
    ]
    assert variances[0] == pytest.approx(level * LEVEL_VARIANCE, rel=1e-3)
    assert variances[1] == pytest.approx(variances[0], rel=0.1)


def test_a_disc_is_a_convolution(part) -> None:
    y, x = np.mgrid[-4:5, -4:5]
    kernel = np.clip(3.5 + 0.5 - np.hypot(x, y), 0, 1)
    whole = ndimage.convolve(part.astype(float), kernel / kernel.sum(), mode="reflect")
    assert np.abs(disc_blur(part, 3.5) - whole)[5:-5, 5:-5].max() <= 0.51


def test_noise_has_its_deviation_and_is_not_shared() -> None:
    even = np.full((WHOLE, WHOLE), 128, np.uint8)
    first, second = (image.astype(float) - 128 for image in made("noisy", even, 1))
    for noise in (first, second):
        assert noise.std() == pytest.approx(10, rel=0.05)
        assert abs(noise.mean()) < 0.4
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05


def test_one_of_two_is_moved_by_a_pixel(part) -> None:
    seen = set()
    for seed in range(60):
        pair, moved = made("plain", part, seed), made("shifted", part, seed)
        steps = [
            (which, axis, step)
            for which in (0, 1)
            for axis in (0, 1)
            for step in (-1, 1)
            if np.array_equal(moved[which], np.roll(pair[which], step, axis))
            and np.array_equal(moved[1 - which], pair[1 - which])
        ]
        assert len(steps) == 1
        seen.update(steps)
    assert len(seen) == 8, "either image, in four directions"


def test_compressed_pairs_are_jpeg_files(part) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        rng.integers(1, 6)
        top, left = rng.integers(8, size=2)
        for image, found in zip(made("plain", part, seed), made("jpeg", part, seed), strict=True):
            data = cv2.imencode(".jpg", image[top:, left:], [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
            assert np.array_equal(found[top:, left:], cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
            assert found.shape == image.shape


@pytest.mark.parametrize("kind", OUTSIDE)
def test_blurs_beyond_the_training(kind: str, part) -> None:
    sigma = float(kind.removeprefix("sigma "))
    assert np.array_equal(made(kind, part, 0)[1], gaussian_blur(part, sigma))
    assert not np.sqrt(LEVEL_VARIANCE) <= sigma <= np.sqrt(5 * LEVEL_VARIANCE), "not one of the five levels, nor between them"


def test_pairs_are_cut_around_their_middle() -> None:
    pairs = np.arange(SIDE**2).reshape(1, 1, SIDE, SIDE)
    assert np.array_equal(middle(pairs, 2)[0, 0], pairs[0, 0, 31:33, 31:33])
    assert np.array_equal(middle(pairs, SIDE), pairs)
    for side in (15, 66, 0):
        with pytest.raises(OptionError, match=f"side is {side}"):
            middle(pairs, side)


def test_small_photographs_are_refused() -> None:
    small = LabelledImage("small", lambda: np.zeros((111, 200, 3), np.uint8), lambda: ())
    with pytest.raises(ImageError, match="small has 111 x 200 pixels"):
        hard_pairs([small], "plain", 1)


# ---------------------------------------------------------------------------------------------- wrong answers


class Rougher(torch.nn.Module):
    """Says first where its first input is the rougher one; `stubborn` says first to everything."""

    def __init__(self, stubborn: bool = False) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))
        self.stubborn = stubborn

    def in_both_orders(self, a, b):
        rough = [x.diff(dim=-1).abs().sum((1, 2, 3)) for x in (a, b)]
        first = torch.ones(len(a)) if self.stubborn else torch.sign(rough[0] - rough[1])
        second = torch.ones(len(a)) if self.stubborn else -first
        return [torch.stack([-x, x], 1)[:, :, None, None] for x in (first, second)]


@pytest.fixture
def of_embedded(monkeypatch, photographs):
    patch_errors._pairs.cache_clear()
    monkeypatch.setattr(patch_errors, "load_regions", lambda name, split: photographs if split == "val" else None)
    yield
    patch_errors._pairs.cache_clear()


def test_wrong_answers_are_counted_by_kind(of_embedded, photographs) -> None:
    made = recipe("cnn_fuse", "smoke")
    table = patch_errors.errors_by_kind(made, Rougher(), "any", 30)
    assert list(table["kind"]) == list(KINDS)
    for kind, wrong in zip(table["kind"], table["wrong"], strict=True):
        shown = middle(hard_pairs(photographs, kind, 30), made.crop_side()).astype(float)
        rough = np.abs(np.diff(shown, axis=-1)).sum((2, 3))
        assert wrong == 2 * (rough[:, 0] < rough[:, 1]).sum()
    stubborn = patch_errors.errors_by_kind(made, Rougher(stubborn=True), "any", 30)
    assert set(zip(stubborn["wrong"], stubborn["answers"], stubborn["error"], strict=True)) == {(30, 60, 0.5)}


@pytest.mark.parametrize("network", ["icacs18", "cnn_fuse", "cnnwt"])
def test_every_recipe_is_asked_about_the_same_pairs(network: str, of_embedded) -> None:
    made = recipe(network, "smoke")
    torch.manual_seed(0)
    model = made.model().eval()
    table = patch_errors.errors_by_kind(made, model, "any", 6)
    shown = list(made.classifiers(model))
    assert list(table["shown"]) == shown * len(KINDS)
    assert shown == (["low", "high"] if network == "cnnwt" else ["gray"])
    assert set(patch_errors.mean_errors(table)) == {f"error, {kind}" for kind in KINDS}


def test_the_interval_of_a_difference_covers_it_as_often_as_it_says() -> None:
    """Also where both are wrong on the same pairs, which makes the difference surer than the interval assumes."""
    rng = np.random.default_rng(5)
    for shared, least in ((False, 0.93), (True, 0.99)):
        hits = 0
        for _ in range(400):
            hard = rng.random(1000)
            first, second = hard < 0.05, (hard if shared else rng.random(1000)) < 0.03
            low, high = patch_errors.paired_interval(first.mean(), second.mean(), 1000)
            hits += low < 0.02 < high
        assert hits / 400 > least
    assert patch_errors.paired_interval(0, 0, 1000) == pytest.approx((-0.002766, 0.002766), abs=1e-6)
    one, other = patch_errors.paired_interval(0.05, 0.03, 1000), patch_errors.paired_interval(0.03, 0.05, 1000)
    assert one == (-other[1], -other[0])


@pytest.mark.parametrize(("wrong", "count"), [(0, 100), (1, 100), (37, 100), (100, 100), (3, 1000)])
def test_wilsons_interval(wrong: int, count: int) -> None:
    expected = binomtest(wrong, count).proportion_ci(0.95, method="wilson")
    assert patch_errors.wilson(wrong / count, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_errors_are_averaged_over_the_bands() -> None:
    table = pd.DataFrame({"kind": ["a", "a", "b"], "shown": ["low", "high", "low"], "error": [0.1, 0.3, 0.5]})
    assert patch_errors.mean_errors(table) == pytest.approx({"error, a": 0.2, "error, b": 0.5})
