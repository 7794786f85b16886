"""Kinds of subject with known truth, and which method is recommended for each."""

import numpy as np
import pandas as pd
import pytest

from mffrepro.benchmarks import robustness, subjects
from mffrepro.data.subjects import SUBJECTS, relief, subject_stacks
from mffrepro.errors import OptionError
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate


@pytest.mark.parametrize("kind", SUBJECTS)
def test_stacks_are_what_the_kind_says(kind):
    data = subject_stacks(kind, size=96)
    assert len(data) == 5
    stack = data[1]
    assert len(stack) == SUBJECTS[kind].frames
    assert stack.name.endswith(kind)
    np.testing.assert_allclose(stack.decision.sum(0), 1)
    sharp = np.take_along_axis(stack.images, stack.decision.argmax(0)[None, ..., None], 0)[0]
    error = np.median(np.abs(sharp.astype(float) - stack.reference))
    assert error <= 2 * SUBJECTS[kind].noise


def test_the_noise_is_as_strong_as_it_says():
    calm, noisy = (subject_stacks(kind, size=96)[0] for kind in ("object", "noisy"))
    difference = calm.images.astype(float) - noisy.images
    assert difference.std() == pytest.approx(6 - 1, rel=0.1)  # one seed: the same noise, six times as strong


def test_an_object_stands_out_by_the_gap():
    inside = np.zeros((5, 4), bool)
    inside[1:3, 1:3] = True
    depth = relief(inside, 0.5)
    assert (depth[1, 1] - depth[1, 0], depth[0, 0], depth[-1, 0]) == (0.5, 0, 0.5)


@pytest.mark.parametrize(("kind", "size"), [("objekt", 96), ("object", 63)])
def test_other_kinds_and_sizes_are_refused(kind, size):
    with pytest.raises(OptionError, match=r"object|give 64 or more"):
        subject_stacks(kind, size=size)


def results(scores: dict[str, list[float]], seconds: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"dataset": "object", "stack": n, "method": name, "value": value, "seconds": seconds[name]}
        for name, values in scores.items()
        for n, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_a_method_that_is_ahead_everywhere_by_as_much_is_the_best():
    table = results({"a": [30, 35, 40.1], "b": [29, 34, 39], "c": [33, 30, 41]}, {"a": 3, "b": 1, "c": 2})
    row = subjects.recommend(table).loc[SUBJECTS["object"].title]
    assert (row["best"], row["as good"], row["fastest of these"]) == ("a", "c", "c")
    assert row["mean"] == pytest.approx(35.0333, abs=1e-4)


def test_a_method_without_equals_is_recommended_alone():
    table = results({"a": [30, 35, 40.1], "b": [29, 34, 39]}, {"a": 3, "b": 1})
    row = subjects.recommend(table).iloc[0]
    assert (row["as good"], row["fastest of these"]) == ("none", "a")


def test_scores_of_all_subjects_are_averaged_by_title():
    table = subjects.score_subjects(["average", "lp"], size=96, count=2)
    means = subjects.by_subject(table)
    assert list(means.columns) == [subject.title for subject in SUBJECTS.values()]
    assert (means.loc["lp"] > means.loc["average"]).iloc[:4].all()
    first = table[(table["dataset"] == "surface") & (table["method"] == "lp")]["value"]
    assert means.loc["lp"].iloc[0] == pytest.approx(first.mean())
    assert len(first) == 2
    noisy = subject_stacks("noisy", size=96)[0]
    same = evaluate(noisy, fuse(noisy, "lp", average_flat=True), ["psnr"])["psnr"]
    assert table.set_index(["stack", "method"]).loc[(noisy.name, "lp"), "value"] == same, "as the command line fuses"


# -------------------------------------------------------------------------------------------------- robustness


def test_the_mean_of_eight_frames_has_a_third_of_the_noise():
    flat = robustness.noisy_flat()
    assert flat.images[0].std() == pytest.approx(6, rel=0.05)
    assert robustness.remaining_noise(flat, "average") == pytest.approx(6 / np.sqrt(8), rel=0.1)


def test_the_table_has_the_word_of_the_card_beside_the_measurement():
    flat = robustness.noisy_flat(3, size=40)
    table = robustness.robustness(["average", "lp"], flat)
    assert table["order matters"].tolist() == ["no", "yes"]
    assert table.loc["average", "changed by order"] == 0
    assert table.loc["lp", "noise left"] > 6 > 4 > table.loc["lp", "with average_flat"]
