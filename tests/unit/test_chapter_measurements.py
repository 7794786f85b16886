"""What chapters measure beside the registered metrics: images of decision maps, parts of a metric, colours, feature maps."""

import numpy as np
import pytest
import torch
from scenes import halves, noise
from skimage.color import deltaE_ciede2000, rgb2lab

import mffrepro as mff
from mffrepro.benchmarks.scores import directions, score_decisions, score_methods
from mffrepro.data.photographs import is_fetched, lytro_or_spread
from mffrepro.errors import ImageError
from mffrepro.fusion.decision import extract_all, fuse_by_decision
from mffrepro.fusion.multi_image import ImageComparer
from mffrepro.images import FocusStack
from mffrepro.metrics.diagnostics import border_band, colour_differences, local_score, local_variance
from mffrepro.models.cnn_fuse import CnnFuse
from mffrepro.models.feature_maps import correlations, feature_maps, shrink_to
from mffrepro.models.rule_steps import RuleSteps, rule_steps


def pair(name="pair", channels=3) -> FocusStack:
    images = np.round(255 * halves(48, 64, channels)).astype(np.uint8)
    left = np.broadcast_to(np.arange(64) < 32, (48, 64)).astype(np.float32)
    return FocusStack(name, images if channels == 3 else images[..., 0], decision=np.stack([left, 1 - left]))


# ------------------------------------------------------------------------------------------------ decision maps


@pytest.mark.parametrize("channels", [1, 3])
def test_a_binary_decision_copies_its_source(channels):
    stack = pair(channels=channels)
    result = fuse_by_decision(stack, stack.decision[0])
    assert result.image.dtype == np.uint8
    assert np.array_equal(result.image[:, :32], stack.images[0][:, :32])
    assert np.array_equal(result.image[:, 32:], stack.images[1][:, 32:])
    assert np.array_equal(result.decision, stack.decision)


def test_shares_of_three_sources_blend_them():
    images = np.stack([np.full((4, 5), value) for value in (0.0, 0.4, 1.0)])
    shares = np.stack([np.full((4, 5), value) for value in (0.5, 0.25, 0.25)])
    assert fuse_by_decision(FocusStack("three", images), shares).image == pytest.approx(np.full((4, 5), 0.35))


@pytest.mark.parametrize("shape", [(48, 63), (3, 48, 64)])
def test_a_decision_of_another_shape_is_refused(shape):
    with pytest.raises(ImageError, match="give one of shape"):
        fuse_by_decision(pair(), np.ones(shape))


def test_features_of_all_sources_are_extracted_from_unit_images():
    stack = pair()
    first, second = extract_all(stack, ImageComparer(lambda a, b: np.ones(a.shape[:2])))
    assert first.dtype == np.float32
    assert np.array_equal(second, stack.images[1].astype(np.float32) / 255)


def test_scores_of_decisions_are_those_of_their_images():
    stacks = [pair("one"), pair("two", channels=1)]
    table = score_decisions(stacks, lambda s: {"true": s.decision[0], "swapped": s.decision[1] > 0.5}, ["qabf", "mask_iou"])
    assert list(table.index) == ["true", "swapped"]
    assert table.loc["true", "mask_iou"] == 1
    assert table.loc["swapped", "mask_iou"] == 0
    by_hand = [mff.evaluate(s, np.where(_as(s, s.decision[0]), s.images[0], s.images[1]), ["qabf"])["qabf"] for s in stacks]
    assert table.loc["true", "qabf"] == pytest.approx(np.mean(by_hand))


def _as(stack: FocusStack, share: np.ndarray) -> np.ndarray:
    chosen = share > 0.5
    return chosen[..., None] if stack.is_colour else chosen


def test_scores_of_methods_are_those_of_evaluate():
    stacks = [pair("one"), pair("two", channels=1)]
    methods = {"mean": ("average", {}), "two levels": ("lp", {"levels": 2}), "map": ("dsift", {})}
    table, results = score_methods(stacks, methods, ["qabf", "mask_iou"])
    assert list(table.index) == [(s.name, label) for s in stacks for label in methods]
    for s in stacks:
        assert np.isnan(table.loc[(s.name, "mean"), "mask_iou"])
        assert np.array_equal(results[s.name, "two levels"].image, mff.fuse(s, "lp", levels=2).image)
        scores = mff.evaluate(s, mff.fuse(s, "dsift"), ["qabf", "mask_iou"])
        assert table.loc[(s.name, "map")].to_dict() == pytest.approx(scores)


def test_directions_are_those_of_the_metrics():
    assert directions(["qabf", "labf", "psnr"]).to_dict() == {"qabf": 1, "labf": -1, "psnr": 1}


# --------------------------------------------------------------------------------------------------- diagnostics


def test_the_band_holds_what_is_near_the_other_region():
    inside = noise(20, 24, seed=3) > 0.8
    inside[:, 14:] = True
    band = border_band(inside.astype(float), 3)
    rows, columns = np.indices(inside.shape)
    for y, x in [(0, 0), (5, 20), (19, 23), (10, 14), (7, 2)]:
        others = inside != inside[y, x]
        nearest = np.sqrt((rows[others] - y) ** 2 + (columns[others] - x) ** 2).min()
        assert band[y, x] == (nearest <= 3)
    assert not border_band(np.ones((5, 5)), 8).any()
    straight = border_band(np.broadcast_to(np.arange(64) < 32, (48, 64)), 8)
    assert straight.sum() == 48 * 16


def test_a_local_score_over_everything_is_the_metric():
    stack = pair()
    result = mff.fuse(stack, "average")
    whole = mff.evaluate(stack, result, ["qabf"])["qabf"]
    left, right = (np.arange(64) < 32) & np.ones((48, 1), bool), np.s_[:, 32:]
    assert local_score("qabf", stack, result, np.ones((48, 64), bool)) == pytest.approx(whole)
    weight = mff.metrics.weight_map("qabf", stack, result)
    parts = (
        local_score("qabf", stack, result, left) * weight[left].sum()
        + local_score("qabf", stack, result, right) * weight[right].sum()
    )
    assert parts == pytest.approx(whole)


def test_colours_are_compared_with_the_nearer_source():
    flat = [np.full((4, 6, 3), colour, np.float64) for colour in ([0.8, 0.2, 0.1], [0.1, 0.3, 0.9])]
    stack, third = FocusStack("flat", np.stack(flat)), np.full((4, 6, 3), [0.7, 0.2, 0.2])
    found = colour_differences(stack, {"copy": np.where(noise(4, 6, 1) > 0.5, *flat), "third": third})
    apart = [float(deltaE_ciede2000(rgb2lab(third[:1, :1]), rgb2lab(image[:1, :1]))[0, 0]) for image in flat]
    assert found == pytest.approx({"copy": 0, "third": min(apart)})


def test_the_local_variance_is_that_of_the_window():
    image = (255 * noise(20, 24)).astype(np.uint8)
    assert local_variance(image, 5)[10, 12] == pytest.approx(image[8:13, 10:15].var())
    colour = np.repeat(image[..., None], 3, -1)
    assert local_variance(colour, 5) == pytest.approx(local_variance(image, 5), rel=1e-3, abs=1e-3)


# ---------------------------------------------------------------------------------------- the rule of tlcnn, tlcolor


class Fixed:
    """Predicts given maps, one after the other."""

    def __init__(self, *maps):
        self.maps = list(maps)

    def defocus(self, image):
        return self.maps.pop(0)


def steps_of(seed, m3="xor") -> tuple[RuleSteps, FocusStack]:
    stack = pair()
    return rule_steps(Fixed(noise(48, 64, seed=seed), noise(48, 64, seed=seed + 100)), stack, m3), stack


@pytest.mark.parametrize("seed", range(5))
def test_the_and_step_moves_errors_but_keeps_their_mean(seed):
    steps, stack = steps_of(seed)
    right = steps.accuracy(stack.decision)
    assert right["M1"] + right["M2"] == pytest.approx(right["M4"] + right["M5"], abs=1e-12)
    assert right["M1"] != right["M4"]


def test_accuracies_count_pixels():
    steps, stack = steps_of(1)
    second_sharp = stack.decision[1] > 0.5
    counted = [np.mean(steps.initial[0] == second_sharp), np.mean(steps.initial[1] != second_sharp)]
    right = steps.accuracy(stack.decision)
    assert [right["M1"], right["M2"]] == pytest.approx(counted)
    exact = RuleSteps(steps.sources, (second_sharp, ~second_sharp), steps.secondary).accuracy(stack.decision)
    assert (exact["M1"], exact["M2"]) == (1, 1)


def test_the_literal_reading_returns_the_second_source():
    steps, _ = steps_of(2, "literal")
    assert not steps.secondary.second.any()
    assert np.array_equal(steps.choice.candidates[1], steps.sources[1])


# --------------------------------------------------------------------------------------------------- feature maps


def test_feature_maps_end_with_the_features():
    torch.manual_seed(0)
    network = CnnFuse(width=0.05, hidden=4).eval()
    image = noise(24, 30).astype(np.float32)
    maps = feature_maps(network, image)
    assert [len(one) for one in maps] == [layer for layer in network.plan if layer != "pool"]
    from mffrepro.models.siamese import image_features

    assert maps[-1] == pytest.approx(image_features(network, image)[0].numpy(), abs=1e-6)


def test_shrinking_takes_block_means_of_the_middle():
    image = np.arange(8.0 * 12).reshape(8, 12)
    assert np.array_equal(shrink_to(image, (4, 6)), image.reshape(4, 2, 6, 2).mean((1, 3)))
    assert np.array_equal(shrink_to(image, (7, 10)), image[:7, 1:11])
    assert shrink_to(image, (9, 13)).shape == (9, 13)


def test_correlations_are_absolute_and_zero_for_constants():
    maps = np.stack([noise(9, 11), np.full((9, 11), 0.3), noise(9, 11, seed=5)])
    picture = -2 * maps[0] + 1
    expected = abs(np.corrcoef(maps[2].ravel(), picture.ravel())[0, 1])
    assert correlations(maps, picture) == pytest.approx([1, 0, expected])


# ---------------------------------------------------------------------------------------------------- photographs


def test_pairs_with_spread_stand_in_where_lytro_is_not_fetched(monkeypatch, tmp_path):
    monkeypatch.delenv("MFFREPRO_MIRROR", raising=False)
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path))
    assert not is_fetched("lytro")
    assert is_fetched("embedded")
    assert all(name.endswith("_spread") for name in lytro_or_spread(3).names)


def test_lytro_comes_first_where_the_mirror_has_it(mirror):
    assert is_fetched("lytro")
    assert lytro_or_spread(3).names == mff.load("gacn26").names[mff.load("gacn26").names.index("lytro_01") :][:3]
