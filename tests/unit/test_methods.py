"""Every registered method does what every method must do; and the registry answers wrong names and options."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from quick import QUICK

import mffrepro as mff
from mffrepro import methods
from mffrepro.errors import ImageError, OptionError
from mffrepro.images import FocusStack, as_stack, from_unit


def at_hand(card):
    """Weights of a network that need no download: what it ships, else random ones."""
    shipped = Path(mff.__file__).parent / "weights" / f"{card.name}.default.safetensors"
    return "random" if "random" in card.weights and not shipped.exists() else "default"


#: Every card, fused by weights that can be had here.
METHODS = [pytest.param(card, id=card.name) for card in methods.CARDS.values()]


def skip_if_fitted(card):
    """Skip a method whose networks are fitted to the images themselves, for hours."""
    if card.name == "zmff":
        pytest.skip("its networks are fitted to the images, which takes too long here; test_zmff.py fits them for some steps")


def run(card, images, **options):
    return mff.fuse(images, card.name, **{"weights": at_hand(card)} | QUICK.get(card.name, {}) | options)


def paints(card):
    """Networks without a decision map paint every pixel anew: nothing comes back exactly, and less so each time it is painted."""
    return card.kind == "network" and not card.has_decision


#: Mean gray levels by which a network without a decision map changes noise that fills the whole range: in one pass (two images),
#: and in four where it fuses one image after the other (five images). A fifth more than measured.
LOST = {
    "ifcnn": {2: 10.6, 5: 10.6}, "densefuse": {2: 1.5, 5: 1.5}, "u2fusion": {2: 7.3, 5: 13.2}, "fusiondn": {2: 6.3, 5: 11.8},
    "mff_gan": {2: 11.6, 5: 28.1}, "pmgi": {2: 3.5, 5: 6.2}, "deepfuse": {2: 5.3, 5: 5.3},
    "difnet": {2: 12.4, 5: 29.3}, "unet": {2: 12.9, 5: 27.7},
}  # fmt: skip
#: Mean gray levels by which they change three constant images, fused one after the other. A fifth more than measured.
FLAT = {
    "ifcnn": 1.2, "densefuse": 0.5, "u2fusion": 23, "fusiondn": 25, "mff_gan": 18, "pmgi": 15, "deepfuse": 0.5, "difnet": 15.7,
    "unet": 7.2,
}  # fmt: skip


def photographs(count=2, size=(64, 64), *, colour=True, dtype=np.uint8, seed=0):
    """One scene, each image sharp in its own vertical band and blurred elsewhere."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    scene = np.clip(gaussian_filter(rng.random((*size, 3)), (1, 1, 0)) * 2 - 0.5, 0, 1)
    blurred = gaussian_filter(scene, (2.5, 2.5, 0))
    band = np.minimum(np.arange(size[1]) * count // size[1], count - 1)[None, :, None]
    images = np.stack([np.where(band == i, scene, blurred) for i in range(count)])
    return from_unit(images if colour else images[..., 1], np.dtype(dtype))


# -------------------------------------------------------------------------------------------- conformance


@pytest.mark.parametrize("card", METHODS)
@pytest.mark.parametrize("size", [(64, 64), (65, 97)])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_shape_dtype_and_range_are_those_of_the_sources(card, size, colour, dtype):
    images = photographs(size=size, colour=colour, dtype=dtype)
    result = run(card, list(images))
    assert (result.image.shape, result.image.dtype) == (images[0].shape, images.dtype)
    if np.issubdtype(dtype, np.floating):
        assert 0 <= result.image.min() <= result.image.max() <= 1
    assert result.method == card.name
    assert result.seconds > 0
    assert (result.decision is not None) == card.has_decision


@pytest.mark.parametrize("card", METHODS)
@pytest.mark.parametrize("count", [2, 5])
def test_decisions_are_shares(card, count):
    decision = run(card, photographs(count)).decision
    if not card.has_decision:
        assert decision is None
        return
    assert (decision.shape, decision.dtype) == ((count, 64, 64), np.float32)
    assert decision.min() >= 0
    np.testing.assert_allclose(decision.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("card", [p for p in METHODS if p.values[0].colour == "decision"])
@pytest.mark.parametrize("count", [2, 5])
def test_the_decision_is_what_the_image_was_made_by(card, count):
    images = photographs(count, dtype=np.float64)
    result = run(card, images)
    np.testing.assert_allclose((result.decision[..., None] * images).sum(0), result.image, atol=1e-5)


@pytest.mark.parametrize("card", METHODS)
def test_the_same_call_gives_the_same_image(card):
    images = photographs(3)
    np.testing.assert_array_equal(run(card, images).image, run(card, images).image)


@pytest.mark.parametrize("card", METHODS)
def test_the_sources_are_not_changed(card):
    images = photographs(3, dtype=np.float32)
    before = images.copy()
    run(card, images)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("card", METHODS)
@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("colour", [False, True])
def test_equal_images_come_back(card, count, colour):
    skip_if_fitted(card)
    image = photographs(colour=colour)[0]
    gap = np.abs(run(card, [image] * count).image.astype(int) - image)
    if paints(card):
        assert gap.mean() <= LOST[card.name][count]
    else:
        assert gap.max() <= 1


@pytest.mark.parametrize("card", METHODS)
@pytest.mark.parametrize("level", [0, 77, 255])
def test_constant_images_come_back(card, level):
    skip_if_fitted(card)
    flat = np.full((64, 64, 3), level, np.uint8)
    gap = np.abs(run(card, [flat, flat, flat]).image.astype(int) - level)
    if paints(card):
        assert gap.mean() <= FLAT[card.name]
    else:
        assert gap.max() <= 1


@pytest.mark.parametrize("card", METHODS)
@pytest.mark.parametrize("count", [2, 5])
def test_the_fused_image_is_nearer_to_the_scene_than_any_source(card, count):
    """Each source is sharp in its share of the scene alone: that much any method must make of them."""
    skip_if_fitted(card)
    if at_hand(card) == "random":
        pytest.skip("random weights fuse at random")
    if card.name == "gd":
        pytest.skip("its last step changes the contrast, as its authors' does")
    images = photographs(count, size=(96, 97), dtype=np.float64)
    scene = photographs(1, size=(96, 97), dtype=np.float64)[0]
    error = np.square(run(card, images).image - scene).mean()
    assert error < min(np.square(image - scene).mean() for image in images)


@pytest.mark.parametrize("card", METHODS)
def test_too_small_images_are_refused_with_the_size_needed(card):
    if card.min_side == 1:
        assert run(card, [np.zeros((1, 1), np.uint8)] * 2).image.shape == (1, 1)
        return
    side = card.min_side
    assert run(card, [np.zeros((side, side), np.uint8)] * 2).image.shape == (side, side)
    with pytest.raises(ImageError, match=f"at least {side}x{side}"):
        run(card, [np.zeros((side - 1, side + 5), np.uint8)] * 2)


@pytest.mark.parametrize("card", [p for p in METHODS if p.values[0].kind == "network"])
def test_random_weights_are_the_same_every_time(card):
    images = photographs()
    np.testing.assert_array_equal(run(card, images, weights="random").image, run(card, images, weights="random").image)


@pytest.mark.parametrize(("name", "strategy"), [(c.name, s) for c in methods.CARDS.values() for s in c.strategies])
def test_strategies_agree_on_two_images(name, strategy):
    card = methods.get(name)
    images = photographs()
    expected = run(card, images)
    np.testing.assert_array_equal(run(card, images, strategy=strategy).image, expected.image)


@pytest.mark.parametrize("strategy", ["calibration", "calibration_log"])
def test_calibration_against_the_first_copies_each_pixel_from_one_source(strategy):
    images = photographs(5)
    result = run(methods.get("gacn"), images, strategy=strategy)
    assert set(np.unique(result.decision)) <= {0, 1}
    assert (result.image == images).all(-1).any(0).all()


@pytest.mark.skipif("MFFREPRO_MIRROR" not in os.environ, reason="MFFREPRO_MIRROR names no mirror folder")
@pytest.mark.parametrize("card", [p for p in METHODS if "published" in p.values[0].weights])
def test_published_weights_fuse(card, tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path))
    images = photographs(dtype=np.float64)
    long, short = mff.fuse(images, card.name, weights="published"), mff.fuse(images, f"{card.name}.published")
    np.testing.assert_array_equal(long.image, short.image)


# ----------------------------------------------------------------------------------------------- registry


@pytest.mark.parametrize("card", METHODS)
def test_cards_tell_the_truth(card):
    assert card.name.islower()
    assert card.kind in ("network", "classical")
    assert card.colour in ("decision", "luma", "per-channel")
    assert bool(card.weights) == (card.kind == "network")
    assert ("strategy" in card.options()) == bool(card.strategies)
    if card.kind == "network":
        assert list(inspect.signature(card.function()).parameters)[:2] == ["stack", "network"]
    summary, *_ = card.function().__doc__.splitlines()
    assert summary.endswith(".")
    for section in ("Args:", "Returns:", "References:", "Chapter: "):
        assert section in card.function().__doc__
    assert card.chapter in card.function().__doc__.partition("Chapter: ")[2]


@pytest.mark.parametrize("card", METHODS)
def test_every_option_of_a_method_is_documented(card):
    for name in card.options():
        assert f" {name}: " in card.function().__doc__


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("gcan", {}, r"no method 'gcan'; did you mean 'gacn'\? \(see mffrepro list methods\)"),
        ("", {}, r"no method ''"),
        ("gacn.publishd", {}, r"no weights of gacn 'publishd'; did you mean 'published'"),
        ("focal.crispy", {}, r"no weights or variant of focal 'crispy'; did you mean 'crisp'"),
        ("focal", {"weights": "crisp"}, r"'crisp' is a variant of focal and no weights; use the method focal.crisp"),
        ("gacn.default", {"weights": "published"}, r"the method gacn.default and weights='published' disagree"),
        ("gacn.published", {"weights": "random"}, r"the method gacn.published and weights='random' disagree"),
        ("gacn", {"weights": "mine"}, r"no weights of gacn 'mine'; known: default, dice, published, random"),
        ("lp", {"level": 3}, r"no option of lp 'level'; did you mean 'levels'"),
        ("average", {"sharpness": 3}, r"no option of average 'sharpness'; known: none"),
        ("average", {"weights": "published"}, r"average takes no weights; leave weights='published' out"),
        ("lp.published", {}, r"lp takes no weights"),
        ("lp", {"strategy": "calibration"}, r"lp takes no strategy"),
        ("gacn", {"strategy": "cereal"}, r"no strategy of gacn 'cereal'; did you mean 'serial'"),
        ("gacn", {"device": "tpu9"}, r"no device 'tpu9'; use auto, cpu or cuda"),
        ("lp", {"levels": 0}, r"levels is 0; use 1 or more"),
    ],
)
def test_wrong_names_and_options_are_answered(method, options, message):
    with pytest.raises(OptionError, match=message) as caught:
        mff.fuse(photographs(), method, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("card", [pytest.param(card, id=card.name) for card in methods.CARDS.values() if card.variants])
def test_a_variant_is_short_for_its_options(card):
    for variant, options in card.variants.items():
        assert methods.check_options(f"{card.name}.{variant}", {}) == methods.check_options(card.name, options)
        assert methods.parse(f"{card.name}.{variant}") == (card, "default", variant)
        assert methods.parse(f"{card.name}.random.{variant}") == (card, "random", variant)


def test_given_options_go_before_those_of_a_variant():
    assert methods.check_options("tlcnn.printed", {})[1]["select"] == "qabf"
    assert methods.check_options("tlcnn.printed", {"select": "first"})[1]["select"] == "first"


def test_what_every_method_accepts():
    for card in methods.CARDS.values():
        assert run(card, photographs(), device="cpu", strategy="auto").method == card.name


def test_named_weights_are_short_for_the_option():
    card, chosen = methods.check_options("gacn.random", {})
    assert (card.name, chosen["weights"]) == ("gacn", "random")
    assert methods.check_options("gacn.random", {"weights": "default"})[1]["weights"] == "random"


def test_stacks_paths_and_arrays_fuse_alike(tmp_path):
    images = photographs()
    paths = [mff.write_image(tmp_path / f"{i}.png", image) for i, image in enumerate(images)]
    expected = mff.fuse(images, "lp").image
    for given in (list(images), paths, as_stack(images), FocusStack("toy", images)):
        np.testing.assert_array_equal(mff.fuse(given, "lp").image, expected)


def test_the_table_has_a_row_per_card():
    table = mff.list_methods()
    assert list(table.index) == list(methods.CARDS)
    assert table.loc["lp", "options"] == "levels=4"
    assert table.loc["gacn", "weights"] == "default, published, random"


def test_networks_are_loaded_once():
    assert methods.load_network("sesf") is methods.load_network("sesf")
    with pytest.raises(OptionError, match="lp is a classical method without a network"):
        methods.load_network("lp")


def test_random_weights_leave_the_generator_alone():
    import torch

    methods._loaded.cache_clear()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    methods.load_network("gacn.random")
    assert torch.equal(torch.rand(3), expected)


def test_weights_of_another_network_are_one_sentence(tmp_path):
    from mffrepro.models.weights import shipped

    with pytest.raises(mff.DataError, match=r"sesf\.default\.safetensors holds no weights of gacn \(.*\); give a file") as caught:
        mff.fuse(photographs(), "gacn", weights=str(shipped("sesf.default")))
    assert "\n" not in str(caught.value)


def test_listing_imports_no_network():
    code = "import sys, mffrepro.methods; print([m for m in ('torch', 'pandas', 'cv2', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
