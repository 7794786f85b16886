"""What must hold for any image: order of sources, depth, identity, ranges."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mffrepro.metrics import CARDS, evaluate, get, names

SIDE = 48
FROM_SOURCES = [card.name for card in CARDS if card.needs == "sources"]
#: Their smallest gain of two equal ones is that of the last source.
TIES_GO_TO_THE_LAST = {"viff"}
#: Zeros of the fused gradient change between sources; rounding errors as in their source.
NEARLY_SYMMETRIC = {"qabf": 1e-5, "labf": 1e-5, "nabf": 1e-5, "qg": 1e-5}
KEEP_ROUNDING_ERRORS = {"qy.mfif", "qy.zl", "qc.zl"}

few = settings(max_examples=8, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def scene(seed: int, count: int = 2, colour: bool = False) -> list[np.ndarray]:
    """Images of smooth texture, noise, a flat patch and a saturated one; the last is the fused image."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    base = 120 + 60 * np.sin(x / random.uniform(1, 5)) * np.cos(y / random.uniform(1, 5))
    images = []
    for _ in range(count + 1):
        image = base + random.normal(0, random.uniform(2, 25), base.shape)
        image[5:20, 5:20] = random.integers(256)
        image[25:40, 28:44] += 200
        images.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    return [np.stack([i, i.T, 255 - i], axis=-1) for i in images] if colour else images


def same(a: dict, b: dict, tolerance: dict[str, float] | None = None) -> dict:
    tolerance = tolerance or {}
    return {
        n: (a[n], b[n])
        for n in a
        if a[n] != pytest.approx(b[n], rel=tolerance.get(n, 1e-9), abs=tolerance.get(n, 1e-12), nan_ok=True)
    }


@few
@given(seeds)
def test_order_of_two_sources(seed):
    near, far, fused = scene(seed)
    symmetric = [n for n in FROM_SOURCES if n not in TIES_GO_TO_THE_LAST | KEEP_ROUNDING_ERRORS]
    assert not same(evaluate([near, far], fused, symmetric), evaluate([far, near], fused, symmetric), NEARLY_SYMMETRIC)


@few
@given(seeds)
def test_order_of_three_sources(seed):
    *sources, fused = scene(seed, 3)
    symmetric = [n for n in FROM_SOURCES if get(n).max_sources is None and n not in TIES_GO_TO_THE_LAST]
    assert not same(evaluate(sources, fused, symmetric), evaluate(sources[::-1], fused, symmetric), NEARLY_SYMMETRIC)


@few
@given(seeds, st.booleans(), st.sampled_from(["matlab", "skimage"]))
def test_depth_does_not_matter(seed, colour, gray):
    """Also the guard against [0, 1] being taken for 0..255."""
    images = scene(seed, colour=colour)
    expected = evaluate(images[:2], images[2], FROM_SOURCES, gray=gray)
    forms = (
        [i.astype(np.uint16) * 257 for i in images],
        [i / 255 for i in images],
        [i.astype(np.float32) / np.float32(255) for i in images],
    )
    for form in forms:
        assert not same(evaluate(form[:2], form[2], FROM_SOURCES, gray=gray), expected)


@few
@given(seeds, st.booleans())
def test_depth_does_not_matter_with_a_reference(seed, colour):
    near, _, fused = scene(seed, colour=colour)
    names = ["psnr", "ssim", "mae"]
    expected = evaluate([near, near], fused, names, reference=near)
    for form in (lambda i: i.astype(np.uint16) * 257, lambda i: i / 255):
        assert not same(evaluate([form(near)] * 2, form(fused), names, reference=form(near)), expected)


@few
@given(seeds, st.integers(2, 3))
def test_identity(seed, count):
    image = scene(seed)[0]
    maps = np.stack([image > 100, image <= 100, np.zeros_like(image, bool)][:count]).astype(np.float32)
    scores = evaluate([image] * count, image, "everything", reference=image, decision=maps, true_decision=maps)
    expected = {n: get(n).identity for n in scores if get(n).identity is not None}
    assert not same({n: scores[n] for n in expected}, expected)


@few
@given(seeds)
def test_ranges(seed):
    near, far, fused = scene(seed)
    for name, value in evaluate([near, far], fused, reference=near).items():
        card = get(name)
        assert card.low is None or value >= card.low - 1e-9, name
        assert card.high is None or value <= card.high + 1e-9, name


@few
@given(st.integers(0, 255), st.integers(0, 255))
def test_constant_images_do_not_crash(level, other):
    """A deliberate number or NaN, never a warning or infinity (but for equal images' PSNR)."""
    a, b = (np.full((SIDE, SIDE), v, np.uint8) for v in (level, other))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = evaluate([a, a], b, FROM_SOURCES)
    assert not [n for n, v in scores.items() if np.isinf(v)]
    assert scores["en"] == 0
    assert scores["api"] == other


def test_everything_covers_every_card():
    near, far, fused = scene(0)
    maps = np.stack([near > 100, near <= 100]).astype(np.float32)
    scores = evaluate([near, far], fused, "everything", reference=near, decision=maps, true_decision=maps)
    assert list(scores) == names(variants=True)
    assert list(evaluate([near, far], fused)) == [n for n in names() if get(n).needs == "sources"]
