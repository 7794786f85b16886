"""The maps are what the metrics average, and a defect shows where it is."""

import numpy as np
import pytest

from mffrepro.errors import ImageError, OptionError
from mffrepro.metrics import CARDS, MAPPED, evaluate, quality_map, weight_map
from mffrepro.metrics.example import far, near, sharp


def scene(height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    """Two sources and a fusion between them, sides no multiple of anything."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    base = 120 + 50 * np.sin(x / 3 + y / 11) * np.cos(y / 5)
    images = [base + rng.normal(0, s, base.shape) for s in (4, 9)]
    images.append(np.where(x < width / 2, *images))
    return [np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in images]


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.parametrize("size", [(61, 83), (96, 64)])
def test_the_weighted_mean_of_a_map_is_the_metric(name, size):
    a, b, fused = scene(*size)
    quality, weight = quality_map(name, [a, b], fused), weight_map(name, [a, b], fused)
    assert quality.shape == weight.shape == size
    assert np.array_equal(np.isnan(quality), weight == 0)
    assert weight.sum() == pytest.approx(1, abs=1e-12)
    assert np.nansum(quality * weight) == pytest.approx(evaluate([a, b], fused, [name])[name], rel=1e-12)


@pytest.mark.parametrize("name", ["qg", "qy", "qc", "qs", "qcb", "fmi_pixel", "fmi_gradient", "fmi_edge", "ag", "ei"])
def test_plain_means_are_plain_means(name):
    a, b, fused = scene(48, 50)
    assert np.nanmean(quality_map(name, [a, b], fused)) == pytest.approx(evaluate([a, b], fused, [name])[name], rel=1e-12)


@pytest.mark.parametrize("name", sorted(set(MAPPED) - {"ag", "ei", "fmi_edge"}))  # the threshold of edges is global
def test_a_defect_shows_in_its_place(name):
    """One patch of a perfect copy spoiled: the map changes around the patch and nowhere far from it."""
    image = scene(96, 112)[0]
    spoiled = image.copy()
    spoiled[60:72, 20:32] = 255 - spoiled[60:72, 20:32]
    good, bad = (np.nan_to_num(quality_map(name, [image, image], fused)) for fused in (image, spoiled))
    change = np.abs(good - bad)
    peak = np.array(np.unravel_index(change.argmax(), change.shape))
    assert np.abs(peak - (65.5, 25.5)).max() < 17
    far_away = change[:, 80:].max()
    assert far_away < 0.05 * change.max()


@pytest.mark.parametrize(("name", "margin"), [("qy", (3, 3)), ("qs", (3, 4)), ("fmi_pixel", (1, 1)), ("qcb", (0, 0))])
def test_windows_lie_at_their_centres(name, margin):
    """Known (not NaN) from half a window inside the image on."""
    a, b, fused = scene(48, 50)
    known = np.flatnonzero(~np.isnan(quality_map(name, [a, b], fused)).all(axis=1))
    assert (known[0], 47 - known[-1]) == margin


def test_stacks_and_results_are_taken_too():
    from mffrepro.images import FocusStack, FusionResult

    stack = FocusStack("example", np.stack([near, far]))
    expected = quality_map("qg", [near, far], sharp)
    assert np.array_equal(quality_map("qg", stack, FusionResult(sharp, None, 0.0, "x")), expected)


def test_what_has_no_map_says_what_has_one():
    for name in {card.name for card in CARDS} - set(MAPPED):
        with pytest.raises(OptionError, match=f"'{name}' is not a spatial average, so it has no quality map; use one of qabf, "):
            quality_map(name, [near, far], sharp)
    with pytest.raises(OptionError, match="did you mean 'qabf'"):
        quality_map("qabff", [near, far], sharp)


def test_too_small_is_an_image_error():
    with pytest.raises(ImageError, match="qy"):
        quality_map("qy", [near[:6], far[:6]], sharp[:6])


def test_undefined_is_nan_everywhere():
    black = np.full((32, 40), 9, np.uint8)
    for name in ("qcb", "qcv"):
        assert np.isnan(quality_map(name, [black, black], black)).all()
