"""Samples of verdicts from small tables whose differences, distances and ratios are known."""

import numpy as np
import pandas as pd
import pytest

from mffrepro.report import paired

#: Two trainings of one method and two rivals on three images; image "c" lacks a score.
SCORES = {"s1": [1.0, 2.0, 3.0], "s2": [3.0, 4.0, 5.0], "x": [0.5, 1.0, np.nan], "y": [2.0, 8.0, 1.0]}


@pytest.fixture
def rows() -> pd.DataFrame:
    cells = [
        (s, m, k, v * f) for m, vs in SCORES.items() for s, v in zip("abc", vs, strict=True) for k, f in (("k", 1), ("l", 10))
    ]
    return pd.DataFrame(cells, columns=["stack", "method", "metric", "value"]).sample(frac=1, random_state=1)


def test_scores_are_arranged_and_gaps_left_out(rows):
    found = paired.cube(rows, ["y", "x"], ["l", "k"])
    assert found.tolist() == [[[20, 2], [80, 8]], [[5, 0.5], [10, 1]]]
    assert paired.recorded(rows, ["x", "z", "y"]) == ["x", "y"]


def test_differences_stay_on_one_image(rows):
    found = paired.differences(rows, ["s1", "s2"], ["x", "y"], "k")
    assert found["x"].tolist() == [[0.5, 1.0], [2.5, 3.0]]
    assert found["y"].tolist() == [[-1.0, -6.0], [1.0, -4.0]]


def test_the_quartile_spread_is_that_between_the_methods_of_one_image(rows):
    found = paired.quartile_spread(rows, ["s1", "s2", "y"], "l")
    assert found == pytest.approx([(25 - 15) / 20, (60 - 30) / 40, (40 - 20) / 30])


def test_distances_do_not_depend_on_the_unit_of_a_metric(rows):
    one, both = (paired.distances(rows, ["s1"], ["x", "y"], names) for names in (["k"], ["k", "l"]))
    scale = np.std([1.0, 0.5, 2.0])
    assert one["x"][0, 0] == pytest.approx(0.5 / scale)
    assert one["y"][0, 0] == pytest.approx(1.0 / scale)
    np.testing.assert_allclose(one["y"], both["y"])


def test_each_training_stands_beside_the_mean_of_the_others(rows):
    third = rows[rows["method"] == "s1"].assign(method="s3", value=5.0)
    found = paired.with_other_trainings(pd.concat([rows, third]), ["s1", "s2", "s3"], ["y"], "k")
    assert found[0].tolist() == [[1.0, 4.0, 2.0], [2.0, 4.5, 8.0], [3.0, 5.0, 1.0]]
    assert found.shape == (3, 3, 3)


def test_orders_change_where_a_rival_lies_between_a_training_and_the_others():
    table = np.array([[1.0, 3.0, 2.0, 0.0, 4.0, 3.5], [1.0, 3.0, 2.0, 0.0, 4.0, 1.5]])
    assert paired.changed_orders(table) == pytest.approx(2 / 4), "the first and the last rival, whose mean is 2.5"
    assert paired.changed_orders(table[:, [0, 0, 2, 3]]) == 0
