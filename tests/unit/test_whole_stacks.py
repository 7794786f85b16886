"""Stacks under conditions, what is measured on them, and their tables."""

import numpy as np
import pandas as pd
import pytest

import mffrepro as mff
from mffrepro.benchmarks.measurements import get, recorded
from mffrepro.benchmarks.measurements.whole import depth_of, stacks
from mffrepro.data.conditions import CONDITIONS, depth_stacks, photograph_of
from mffrepro.errors import OptionError
from mffrepro.images import FusionResult, Shares
from mffrepro.report import whole_stacks


def test_every_stack_names_its_photograph() -> None:
    made = [name for condition in CONDITIONS for name in (f"coffee_{condition}", f"rocket_{condition}")]
    assert {photograph_of(name) for name in made} == {"coffee", "rocket"}
    embedded = {photograph_of(name) for name in mff.load("embedded", size=64).names}
    assert embedded == {"astronaut", "coffee", "chelsea", "rocket", "camera", "motorcycle"}
    for name in ("lytro_01", "mwg_lab", "101085", "tid_t5"):
        assert photograph_of(name) == name


@pytest.mark.parametrize("condition", ["frames3", "missing"])
def test_pixels_are_sharpest_in_the_frame_that_the_depth_names(condition: str) -> None:
    for made in list(depth_stacks(condition, size=192))[:2]:
        images, reference = made.stack.images.astype(float), made.stack.reference
        assert len(images) == CONDITIONS[condition].frames - (CONDITIONS[condition].missing is not None)
        assert made.depth.min() >= 0
        assert made.depth.max() <= len(images) - 1
        errors = np.abs(images - reference).mean(-1)
        textured = errors.max(0) > 20
        assert textured.mean() > 0.005
        nearest = np.rint(made.depth).astype(int)
        at_depth = np.take_along_axis(errors, nearest[None], 0)[0][textured]
        assert np.median(at_depth) < 0.4 * np.median(errors.mean(0)[textured])


def test_a_missing_frame_is_the_same_stack_without_it() -> None:
    whole, without = next(depth_stacks("frames8", size=192)), next(depth_stacks("missing", size=192))
    kept = [n for n in range(8) if n != CONDITIONS["missing"].missing]
    np.testing.assert_array_equal(without.stack.images, whole.stack.images[kept])
    np.testing.assert_array_equal(without.stack.reference, whole.stack.reference)


def test_breathing_moves_what_lies_far_from_the_middle() -> None:
    still, breathing = (next(depth_stacks(name, size=192)).stack.images.astype(float) for name in ("frames8", "breathing"))
    assert np.abs(still[0] - breathing[0]).mean() > 1.5 * np.abs(still[3] - breathing[3]).mean()


@pytest.mark.parametrize("wrong", [{"condition": "frames9"}, {"condition": "noisy", "size": 100}])
def test_other_conditions_and_sizes_are_refused(wrong: dict) -> None:
    with pytest.raises(OptionError, match="frames40"):
        next(depth_stacks(**wrong))


# ------------------------------------------------------------------------------------------------- measuring


def test_depth_comes_from_the_method_or_from_its_shares() -> None:
    winner = np.array([[0, 2], [1, 1]], np.uint8)
    image = np.zeros((2, 2))
    own = np.full((2, 2), 0.5, np.float32)
    assert depth_of(FusionResult(image, None, 0.0, "lp"), 3) is None
    np.testing.assert_array_equal(depth_of(FusionResult(image, Shares.of_winner(winner, 3), 0.0, "sml"), 3), winner)
    np.testing.assert_array_equal(depth_of(FusionResult(image, Shares.of_winner(winner, 3).dense(), 0.0, "gacn"), 3), winner)
    np.testing.assert_array_equal(depth_of(FusionResult(image, Shares.of_winner(winner, 3), 0.0, "stackmff", depth=own), 3), own)


def test_methods_are_scored_with_what_they_find(monkeypatch) -> None:
    monkeypatch.setattr("mffrepro.benchmarks.measurements.whole.every_method", lambda: ["lp", "sml", "sr"])
    made = next(depth_stacks("frames3", size=192))
    found = stacks(made)
    assert list(found) == ["lp", "sml"]  # sr takes too long
    assert found["lp"]["psnr"] == pytest.approx(mff.evaluate(made.stack, mff.fuse(made.stack, "lp"), ["psnr"])["psnr"])
    assert np.isnan(found["lp"]["depth"])
    assert 0 <= found["sml"]["depth"] < 1
    assert get("whole_stacks").measure is stacks


def test_the_record_holds_every_scene_method_and_condition() -> None:
    arranged = whole_stacks.wide(recorded("whole_stacks"), "psnr")
    assert list(arranged.columns) == list(CONDITIONS)
    assert not arranged.isna().any(axis=None)
    assert arranged.groupby(level="method").size().eq(6).all()
    assert {"gacn", "stackmff", "stackmff.published", "lp", "mff_gan"} <= set(arranged.index.get_level_values("method"))


# ---------------------------------------------------------------------------------------------------- tables


def table() -> pd.DataFrame:
    """Method b loses 1, 2, 3 decibels with 40 frames; method a gains one everywhere."""
    rows = []
    for n, scene in enumerate(("one", "two", "three")):
        for condition, a, b in (("frames3", 30, 30), ("frames8", 31, 31), ("frames20", 32, 30), ("frames40", 32, 30 - n)):
            rows += [
                {"stack": f"{scene}_{condition}", "variant": name, "psnr": value + 5 * n, "depth": np.nan if name == "a" else 0.2}
                for name, value in (("a", a), ("b", b))
            ]
    return pd.DataFrame(rows)


def test_means_by_condition() -> None:
    means = whole_stacks.by_condition(table())
    assert list(means.columns) == ["3 frames", "8 frames", "20 frames", "40 frames"]
    assert means.loc["a", "8 frames"] == 31 + 5
    assert list(whole_stacks.by_condition(table(), "depth").dropna().index) == ["b"]


def test_changes_are_paired_by_scene() -> None:
    found = whole_stacks.change(table(), "frames40")
    assert list(found.index) == ["b", "a"]
    np.testing.assert_allclose(found.loc["a"], 1)
    assert found.loc["b", "change"] == -2
    assert -3 <= found.loc["b", "low"] < -2 < found.loc["b", "high"] <= -1


def test_curves_are_differences_from_the_mean_of_a_scene() -> None:
    frames, lines = whole_stacks.over_frames(table(), ["a", "b"])
    assert frames == [3, 8, 20, 40]
    np.testing.assert_allclose(lines["a"], [[0, 0, 1, 1], [0, 0, 1, 2], [0, 0, 1, 1.5]])  # one, three, two
    np.testing.assert_allclose(lines["a"], -lines["b"])
