"""Metrics on cases small enough to work out by hand, the register, and errors word by word."""

import doctest
import gc
import inspect
import pickle
import re
import time
import weakref
from math import inf, log2, sqrt
from pathlib import Path

import numpy as np
import pytest

from mffrepro import metrics
from mffrepro.errors import ImageError, OptionError
from mffrepro.images import FocusStack, FusionResult, write_image
from mffrepro.metrics import CARDS, Scorer, evaluate, get, names, public_function, registry, scoring
from mffrepro.metrics.example import decision, far, near, sharp
from mffrepro.metrics.weighted_map import WeightedMap, unweighted

FROM_SOURCES = [card for card in CARDS if card.needs == "sources"]


def gray(*rows) -> np.ndarray:
    return np.array(rows, np.uint8)


# ------------------------------------------------------------------------------------------------------------ by hand


def test_statistics_by_hand():
    fused = gray([0, 3], [4, 7])  # differences: 3 and 3 across, 4 and 4 down
    scores = evaluate([fused, fused], fused, ["sf", "ag", "sd", "api", "en", "sd.mfif"])
    assert scores["sf"] == pytest.approx(sqrt((9 + 9) / 4 + (16 + 16) / 4))
    assert scores["ag"] == pytest.approx((sqrt((9 + 16) / 2) + sqrt(16 / 2) + sqrt(9 / 2)) / 4)
    assert scores["api"] == 3.5
    assert scores["sd"] == pytest.approx(sqrt((3.5**2 + 0.5**2 + 0.5**2 + 3.5**2) / 4))
    assert scores["sd.mfif"] == pytest.approx(sqrt(8))
    assert scores["en"] == 2


def test_mutual_information_by_hand():
    a, b, fused = gray([0, 0, 255, 255]), gray([0, 255, 0, 255]), gray([0, 0, 255, 255])
    scores = evaluate([a, b], fused, ["mi", "qmi", "fs", "qncie"])
    assert scores["mi"] == 1  # all of one bit from a, nothing from b
    assert scores["qmi"] == 1
    assert scores["fs"] == 1.5
    # One bit of eight between a and fused, none elsewhere, and by definition ones on the diagonal.
    shares = [(1 + 1 / 8) / 3, 1 / 3, (1 - 1 / 8) / 3]
    assert scores["qncie"] == pytest.approx(1 + sum(s * log2(s) for s in shares) / 8)


def test_levels_254_and_255_share_a_bin_where_the_source_saturates():
    fused = gray([254, 255])
    assert evaluate([fused, fused], fused, ["en", "en.uint8"]) == {"en": 1, "en.uint8": 0}


def test_qabf_of_a_plain_copy_of_one_source_is_a_weighted_mean():
    flat = np.full((9, 9), 7, np.uint8)
    ramp = np.tile(np.arange(0, 90, 10, dtype=np.uint8), (9, 1))
    kept = metrics.qabf([ramp, ramp], ramp)
    assert kept == pytest.approx(get("qabf").identity)
    assert metrics.labf([flat, ramp], flat) > 0.5
    assert metrics.nabf([flat, flat], ramp) > 0.5


def test_differences_from_a_reference_by_hand():
    reference, fused = gray(*[[10] * 8] * 8), gray(*[[13] * 8] * 8)
    scores = evaluate([reference, reference], fused, reference=reference)
    assert scores["mae"] == 3
    assert scores["psnr"] == pytest.approx(10 * np.log10(255**2 / 9))
    assert evaluate([reference, reference], reference, "psnr", reference=reference) == {"psnr": inf}


@pytest.mark.parametrize("colour", [False, True])
def test_reference_metrics_are_scikit_images(colour):
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    a, b = (np.dstack([i, i.T, 255 - i]) if colour else i for i in (sharp, near))
    scores = evaluate([a, a], b, ["psnr", "ssim"], reference=a)
    assert scores["psnr"] == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), rel=1e-12)
    expected = structural_similarity(a, b, data_range=255, channel_axis=2 if colour else None)
    assert scores["ssim"] == pytest.approx(expected, rel=1e-12)


def maps(*labels) -> np.ndarray:
    labels = np.array(labels)
    return np.stack([labels == i for i in range(3)]).astype(np.float32)


def test_decision_maps_by_hand():
    true, chosen = maps([0, 0, 1, 1]), maps([0, 1, 1, 1])
    assert metrics.mask_accuracy(true, chosen) == 0.75
    assert metrics.mask_iou(true, chosen) == pytest.approx((1 / 2 + 2 / 3) / 2)  # the third source is nowhere, rightly
    assert metrics.boundary_f(true, chosen) == 1  # one pixel off


def test_boundary_beyond_the_tolerance_is_missed():
    true = maps(*[[0] * 4 + [1] * 12] * 5)
    two_off, three_off = maps(*[[0] * 6 + [1] * 10] * 5), maps(*[[0] * 7 + [1] * 9] * 5)
    assert metrics.boundary_f(true, two_off) == 1
    assert metrics.boundary_f(true, three_off) == 0
    assert metrics.boundary_f(true, maps(*[[0] * 16] * 5)) == 0
    assert metrics.boundary_f(maps([0, 0]), maps([1, 1])) == 1


def test_soft_decisions_go_to_the_largest_share():
    soft = np.array([[[0.6, 0.5, 0.1]], [[0.4, 0.5, 0.9]]])
    assert metrics.mask_accuracy(np.array([[[1.0, 1, 0]], [[0, 0, 1]]]), soft) == 1


# ------------------------------------------------------------------------------------------------ FMI, window by window


def fmi_of_a_window(f: np.ndarray, a: np.ndarray) -> float:
    """The definition, cell by cell; f and a are 3x3."""
    if np.array_equal(f, a):
        return 1.0
    f, a = ((w.T.ravel() - w.min()) / (w.max() - w.min()) for w in (f.astype(float), a.astype(float)))
    f, a = f / f.sum(), a / a.sum()
    cf, ca = np.cumsum(f), np.cumsum(a)
    c = np.corrcoef(f, a)[0, 1]
    index = np.arange(1, 10)
    deviations = [sqrt(max(p @ index**2 - (p @ index) ** 2, 0)) for p in (f, a)]
    bound = np.array([[min(x, y) if c >= 0 else max(x + y - 1, 0) for y in ca] for x in cf])
    phi = 0.0
    if deviations[0] > 0 and deviations[1] > 0:
        phi = c / ((bound - np.outer(cf, ca)).sum() / deviations[0] / deviations[1])
    padded = np.pad(bound, [(1, 0), (1, 0)])
    joint = phi * (padded[1:, 1:] - padded[:-1, 1:] - padded[1:, :-1] + padded[:-1, :-1]) + (1 - phi) * np.outer(f, a)

    def bits(p):
        return -sum(x * log2(abs(x)) for x in p.ravel() if abs(x) > 1e-15)

    information = bits(f) + bits(a) - bits(joint)
    return 2 * information / (bits(f) + bits(a)) if abs(information) > 1e-15 else 0.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("top", [2, 5, 256])  # few levels: zeros, ties and single peaks in a window
def test_fmi_is_its_definition_window_by_window(seed, top):
    random = np.random.default_rng(seed)
    a, b, fused = random.integers(0, top, (3, 6, 7)).astype(np.uint8)
    for image in (a, b, fused):
        image[::2, ::2], image[1::2, 1::2] = 1, 0  # no window is constant
    values = [
        fmi_of_a_window(fused[y : y + 3, x : x + 3], source[y : y + 3, x : x + 3])
        for source in (a, b)
        for y in range(4)
        for x in range(5)
    ]
    assert metrics.fmi_pixel([a, b], fused) == pytest.approx(np.mean(values), rel=1e-9, abs=1e-12)


def test_fmi_edge_counts_kinds_of_windows():
    """The same windows, one by one instead of by kind."""
    from mffrepro.metrics import fmi
    from mffrepro.metrics.inputs import as_gray

    a, b, fused = (fmi.windows(as_gray(image).get(fmi.edge_map)) for image in (near, far, sharp))
    one_by_one = np.mean([fmi.similarity(fused, source).mean() for source in (a, b)])
    assert metrics.fmi_edge([near, far], sharp) == pytest.approx(one_by_one, rel=1e-12)


def test_constant_windows_of_fmi():
    from mffrepro.metrics.fmi import similarity

    constant, other, textured = np.full((9, 1), 3.0), np.full((9, 1), 5.0), np.arange(9.0)[:, None]
    assert similarity(constant, other) == 1
    assert similarity(constant, textured) == 0


# --------------------------------------------------------------------------------------------------- flat windows of Qy


def test_flat_windows_of_qy_are_exact():
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (7, 7)).astype(np.uint8)
    flat, other = np.full((7, 7), 100, np.uint8), np.full((7, 7), 50, np.uint8)
    assert metrics.qy([flat, flat], flat) == 1
    luminance = 2 * 100 * 50 / (100**2 + 50**2)
    assert metrics.qy([flat, flat], other) == pytest.approx(luminance, rel=1e-12)
    assert abs(metrics.qy([noise, noise], flat)) < 1e-15


# ------------------------------------------------------------------------------------------------- scoring many, by name


def test_a_scorer_gives_what_evaluate_gives():
    scorer = Scorer([near, far], reference=sharp, true_decision=decision)
    for fused in (near, far, sharp):
        expected = evaluate([near, far], fused, reference=sharp, decision=decision, true_decision=decision)
        assert scorer(fused, decision) == pytest.approx(expected, rel=0, abs=0, nan_ok=True)


def test_work_on_the_sources_is_done_once(monkeypatch):
    from mffrepro.metrics import perceptual

    calls = []
    contrast = perceptual.contrast
    monkeypatch.setattr(perceptual, "contrast", lambda image: calls.append(image) or contrast(image))
    scorer = Scorer([near, far], metrics=["qcb"])
    for fused in (near, far, sharp):
        scorer(fused)
    assert len(calls) == 2 + 3  # each source once, each fused image once


def test_stacks_results_and_paths_are_understood(tmp_path):
    stack = FocusStack("pair", np.stack([near, far]), reference=sharp, decision=decision)
    scores = evaluate(stack, FusionResult(sharp, decision, 0.0, "perfect"))
    assert scores["psnr"] == inf
    assert scores["mask_iou"] == 1
    paths = [write_image(tmp_path / f"{i}.png", image) for i, image in enumerate((near, far, sharp))]
    assert evaluate(paths[:2], paths[2], "qabf") == {"qabf": scores["qabf"]}


def test_all_means_what_can_be_computed():
    assert set(evaluate([near, far], sharp)) == {n for n in names() if get(n).needs == "sources"}
    assert "psnr" in evaluate([near, far], sharp, reference=sharp)
    assert "mask_iou" not in evaluate([near, far], sharp, true_decision=decision)
    three = evaluate([near, far, sharp], sharp)
    assert {"qabf", "mi", "fmi_edge", "qcb"} <= set(three)
    assert not {"qy", "qc", "scd", "qte", "fs"} & set(three)
    assert "viff" not in evaluate([near[:20], far[:20]], sharp[:20])


def test_a_variant_is_asked_for_by_its_dotted_name_or_by_option():
    assert evaluate([near, far], sharp, "qabf.kumar")["qabf.kumar"] == metrics.qabf([near, far], sharp, variant="kumar")
    assert public_function("qabf.kumar")([near, far], sharp) == metrics.qabf([near, far], sharp, variant="kumar")


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: evaluate([near, far], sharp, ["qabff"]),
            OptionError,
            "no metric 'qabff'; did you mean 'qabf'? (see mffrepro list metrics)",
        ),
        (
            lambda: metrics.qabf([near, far], sharp, variant="kumr"),
            OptionError,
            "no metric 'qabf.kumr'; did you mean 'qabf.kumar'?",
        ),
        (
            lambda: evaluate([near, far], sharp, "psnr"),
            OptionError,
            "the metric 'psnr' needs reference=; give it or leave the metric out",
        ),
        (lambda: evaluate([near, far], sharp, "mask_iou"), OptionError, "the metric 'mask_iou' needs true_decision=;"),
        (
            lambda: evaluate([near, far], sharp, "mask_iou", true_decision=decision),
            OptionError,
            "the metric 'mask_iou' needs decision=;",
        ),
        (
            lambda: evaluate([near, far, far], sharp, ["qy"]),
            OptionError,
            "the metric 'qy' is defined for 2 sources, 3 were given; leave it out",
        ),
        (
            lambda: metrics.qy([near, far], sharp, gray="rec709"),
            OptionError,
            "no gray conversion 'rec709'; use 'matlab' or 'skimage'",
        ),
        (
            lambda: metrics.viff([near[:, :40], far[:, :40]], sharp[:, :40]),
            ImageError,
            "the metric 'viff' needs at least 41x41 pixels, not 40x64; leave it out",
        ),
        (lambda: evaluate([near, far], sharp[:50]), ImageError, "the fused image is 64x50 pixels but the first source is 64x64;"),
        (lambda: evaluate([near, far[:50]], sharp), ImageError, "image 2 is 64x50 pixels but image 1 is 64x64;"),
        (lambda: evaluate([near, far], sharp * 2.0), ImageError, "the fused image is float with values in"),
        (
            lambda: evaluate([near, far], np.where(sharp > 99, np.nan, 0.5)),
            ImageError,
            "the fused image contains NaN or infinite values;",
        ),
        (lambda: evaluate([near, far], sharp, reference=sharp[1:]), ImageError, "the reference is 64x63 pixels"),
        (
            lambda: evaluate([near, far], sharp, decision=decision[:1]),
            ImageError,
            "the decision map has shape (1, 64, 64); (2, 64, 64) is needed, one map per source",
        ),
        (
            lambda: metrics.mask_iou(decision[0], decision[0]),
            ImageError,
            "the true decision map has shape (64, 64); give (N, H, W), one map per source",
        ),
        (
            lambda: evaluate([near, far], sharp, decision=decision, true_decision=decision * np.nan),
            ImageError,
            "the true decision map contains NaN or infinite values; replace them first",
        ),
    ],
)
def test_errors_say_what_is_wrong_and_what_to_do(call, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        call()


@pytest.mark.parametrize("card", FROM_SOURCES, ids=lambda card: card.name)
def test_smallest_image(card):
    """Works on the size its card gives; one pixel less is refused by name."""
    side = card.min_side
    cut = np.s_[20 : 20 + side, 20 : 20 + side]
    assert set(evaluate([near[cut], far[cut]], sharp[cut], card.name)) == {card.name}
    if side > 1:
        less = np.s_[20 : 20 + side, 20 : 19 + side]
        with pytest.raises(ImageError, match=rf"'{re.escape(card.name)}' needs at least {side}x{side}"):
            evaluate([near[less], far[less]], sharp[less], card.name)


# ------------------------------------------------------------------------------------------------- cards and docstrings


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_cards_are_complete(card):
    assert callable(public_function(card.name))
    assert card.symbol
    assert card.summary
    assert not card.summary.endswith(".")
    assert card.better in ("higher", "lower", None)
    assert (card.variant_of is None) == ("." not in card.name)
    assert card.variant_of is None or get(card.variant_of).family == card.family
    assert card.identity is None or card.low is None or card.low <= card.identity
    assert card.identity is None or card.high is None or card.identity <= card.high


@pytest.mark.parametrize("name", names())
def test_docstrings_say_what_a_reader_needs(name):
    text = public_function(name).__doc__
    for part in ("Args:", "Returns:", "Raises:", "References:", "Chapter: 01_metrics", "Example:", f"[{get(name).bibkey}]"):
        assert part in text, part
    direction = {"higher": "higher is better", "lower": "lower is better", None: "neither direction is better"}
    assert direction[get(name).better] in text
    variants = [card.variant for card in CARDS if card.variant_of == name]
    assert all(f'"{variant}"' in text for variant in variants)
    if get(name).min_side > 1:
        assert f"under {get(name).min_side} pixels" in text


@pytest.mark.parametrize("name", names())
def test_examples_in_docstrings(name):
    """A doctest of the package finds the function, and its example gives what it prints."""
    (example,) = (e for e in doctest.DocTestFinder().find(metrics) if e.name == f"mffrepro.metrics.{name}")
    result = doctest.DocTestRunner().run(example)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("name", names())
def test_public_functions_look_like_written_ones(name):
    function, card = public_function(name), get(name)
    assert getattr(metrics, name) is function
    assert (function.__name__, function.__qualname__, function.__module__) == (name, name, "mffrepro.metrics")
    assert pickle.loads(pickle.dumps(function)) is function
    assert function.__doc__.startswith(inspect.getdoc(card.kernel).partition("\n")[0] + "\n")
    has_variants = any(other.variant_of == name for other in CARDS)
    wanted = {
        "sources": ["sources", "fused", "gray", *(["variant"] if has_variants else [])],
        "reference": ["reference", "fused"],
        "decision": ["true_decision", "decision"],
    }
    assert list(inspect.signature(function).parameters) == wanted[card.needs]


def test_metrics_are_listed_family_by_family():
    assert list(dict.fromkeys(card.family for card in CARDS)) == list(metrics.FAMILIES)
    assert [card.family for card in CARDS] == sorted((card.family for card in CARDS), key=metrics.FAMILIES.index)
    for card in CARDS:
        variants = [c.name for c in CARDS if c.variant_of == card.name]
        place = names(variants=True).index(card.name)
        assert names(variants=True)[place + 1 : place + 1 + len(variants)] == variants


def test_a_name_is_registered_once_and_a_variant_after_its_metric():
    def kernel(inputs, fused) -> float:
        return 0.0

    row = {"symbol": "X", "source": "nobody", "bibkey": "none", "summary": "none"}
    with pytest.raises(ValueError, match=r"two metrics are named 'qabf'; rename the one in .*test_metrics"):
        registry.metric("qabf", **row)(kernel)
    with pytest.raises(ValueError, match=r"the variant 'new\.other' has no default reading 'new' before it"):
        registry.metric("new.other", **row)(kernel)
    with pytest.raises(TypeError, match="lowest"):
        registry.metric("new", **row, lowest=0)(kernel)
    assert registry.cards() == CARDS


def test_a_kernel_that_returns_a_map_is_a_spatial_average(monkeypatch):
    """One decorated function is a whole metric: score, map, public function and docstring."""
    monkeypatch.setattr(registry, "_CARDS", dict(registry._CARDS))

    @registry.metric(
        "bright", symbol="B", low=0, high=255, source="nobody", bibkey="kumar2013", summary="brightness", example=1.0
    )
    def bright(inputs, fused) -> WeightedMap:
        """Measure the brightness."""
        return unweighted(fused.values)

    assert evaluate([near, far], sharp, "bright")["bright"] == pytest.approx(sharp.mean())
    assert np.array_equal(metrics.quality_map("bright", [near, far], sharp), sharp)
    assert public_function("bright")([near, far], sharp) == pytest.approx(sharp.mean())
    assert public_function("bright").__doc__.startswith("Measure the brightness.\n\nRange 0 to 255, higher is better.")


@pytest.mark.parametrize("chosen", ["all", ["qabf", "sf"]])
def test_what_a_metric_needs_is_checked_once(monkeypatch, chosen):
    asked, obstacle = [], scoring.obstacle
    monkeypatch.setattr(scoring, "obstacle", lambda card, inputs: asked.append(card.name) or obstacle(card, inputs))
    evaluate([near, far], sharp, chosen)
    assert len(asked) == len(set(asked))
    assert set(chosen) <= set(asked) or chosen == "all"


def test_other_metrics_of_the_same_scene():
    scorer = Scorer([near, far], metrics=["sf"])
    scorer.metrics = "qabf"
    assert scorer(sharp) == evaluate([near, far], sharp, "qabf")
    with pytest.raises(OptionError, match="needs reference="):
        scorer.metrics = ["psnr"]
    assert scorer.metrics == ["qabf"]
    scorer.metrics = "everything"
    assert "qabf.kumar" in scorer(sharp)


def test_listing_the_cards_loads_nothing_heavy():
    import subprocess
    import sys

    heavy = ("torch", "scipy", "cv2", "skimage", "pywt", "pandas", "matplotlib")
    code = f"import sys, mffrepro.metrics as m; m.names(); print([n for n in {heavy} if n in sys.modules])"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True).stdout == "[]\n"


def test_a_feature_is_computed_once_whichever_thread_asks_first():
    from mffrepro.metrics.inputs import FeatureCache
    from mffrepro.threads import in_threads

    calls = []

    def slow(owner):
        calls.append(owner)
        time.sleep(0.05)
        return object()

    def broken(owner):
        raise ValueError("no")

    owner = FeatureCache()
    assert len({id(got) for got in in_threads(lambda _: owner.get(slow), range(8))}) == 1
    assert calls == [owner]
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            owner.get(broken)


def test_nothing_of_a_scene_stays_in_memory_once_it_was_scored():
    """An image and its features are tens of arrays; in a ring of references they wait for the collector of rings."""
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (64, 70, 3), dtype=np.uint8) for _ in range(2))
    gc.collect()
    gc.disable()
    try:
        for gray in ("matlab", "skimage"):
            scorer = Scorer([first, second], metrics="everything", reference=first, gray=gray)
            scorer(second)
            held = [weakref.ref(part) for part in (scorer.inputs, scorer.inputs.reference, *scorer.inputs.sources)]
            del scorer
            assert [part() for part in held] == [None] * 4
    finally:
        gc.enable()
