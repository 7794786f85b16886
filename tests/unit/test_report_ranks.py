"""Ranks against closed forms, tables that statisticians print, and plain loops."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from mffrepro.report import board, ranks


def frame(values, metric="qabf"):
    """A benchmark from {method: [value per stack]}."""
    rows = [
        {"stack": f"s{i}", "method": method, "metric": metric, "value": value}
        for method, column in values.items()
        for i, value in enumerate(column)
    ]
    return pd.DataFrame(rows)


def some(stacks=12, methods=5, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.random((stacks, methods)), columns=list("abcde"[:methods])).rank(axis=1)


# --------------------------------------------------------------------------------------------------------- ranks


def test_ranks_follow_the_direction_of_each_metric():
    higher, lower = frame({"a": [0.9], "b": [0.5]}), frame({"a": [0.3], "b": [0.1]}, "nabf")
    assert ranks.stack_ranks(higher, ["qabf"]).loc["s0"].to_dict() == {"a": 1, "b": 2}
    assert ranks.stack_ranks(lower, ["nabf"]).loc["s0"].to_dict() == {"a": 2, "b": 1}
    assert ranks.stack_ranks(pd.concat([higher, lower]), ["qabf", "nabf"]).loc["s0"].to_dict() == {"a": 1.5, "b": 1.5}


def test_every_metric_has_one_vote():
    """Metric by metric a, b, c are 1, 2, 3 and 1, 3, 2 and 3, 2, 1: means 5/3, 7/3, 2."""
    votes = {"qabf": [3, 2, 1], "mi": [3, 1, 2], "qcv": [3, 2, 1]}
    results = pd.concat(frame(dict(zip("abc", ([v] for v in values), strict=True)), name) for name, values in votes.items())
    assert ranks.stack_ranks(results, list(votes)).loc["s0"].to_dict() == {"a": 1, "b": 3, "c": 2}


def test_stacks_that_lack_a_value_do_not_count_and_methods_without_any_do_not_run():
    results = frame({"a": [1, 2, 3], "b": [3, np.nan, 1], "none": [np.nan] * 3})
    found = ranks.stack_ranks(results, ["qabf"])
    assert list(found.index) == ["s0", "s2"]
    assert list(found.columns) == ["a", "b"]
    more = pd.concat([results, frame({"a": [1, 1], "b": [2, 2]}, "mi")])
    assert list(ranks.stack_ranks(more, ["qabf", "mi"]).index) == ["s0"]


# ----------------------------------------------------------------------------------------------------- the tests


def test_critical_differences_are_demsar_s():
    """Table 5 of the paper: q at 0.05 is 1.960, 2.343, 2.569, 2.728 for two to five classifiers, 3.164 for ten."""
    for methods, q in ((3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)):
        table = pd.DataFrame(np.random.default_rng(1).random((14, methods))).rank(axis=1)
        expected = q * np.sqrt(methods * (methods + 1) / (6 * 14))
        assert ranks.friedman(table).critical == pytest.approx(expected, abs=2e-3)


def test_friedman_is_the_textbook_s_sum():
    table = some()
    stacks, methods = table.shape
    expected = 12 * stacks / (methods * (methods + 1)) * ((table.mean() ** 2).sum() - methods * (methods + 1) ** 2 / 4)
    found = ranks.friedman(table)
    assert found.statistic == pytest.approx(expected)
    assert (found.stacks, found.methods) == (stacks, methods)


def test_stacks_that_agree_perfectly_give_the_largest_statistic():
    table = pd.DataFrame([[1, 2, 3, 4]] * 10, columns=list("abcd"))
    found = ranks.friedman(table)
    assert found.statistic == pytest.approx(10 * (4 - 1))
    assert found.p < 1e-5


def test_intervals_have_the_width_of_the_standard_error():
    table = pd.DataFrame({"a": np.random.default_rng(3).normal(5, 2, 400), "same": np.full(400, 2.0)})
    found = ranks.intervals(table, seed=1)
    error = table["a"].std(ddof=0) / np.sqrt(400)
    assert found.loc["a", "mean"] == table["a"].mean()
    assert found.loc["a", "high"] - found.loc["a", "low"] == pytest.approx(2 * 1.96 * error, rel=0.08)
    assert found.loc["same"].tolist() == [2, 2, 2]
    pd.testing.assert_frame_equal(found, ranks.intervals(table, seed=1))
    assert not found.equals(ranks.intervals(table, seed=2))


# ------------------------------------------------------------------------------------------ groups, front, matrix


def test_the_matrix_marks_the_methods_that_cannot_be_told_apart():
    spread = pd.DataFrame({"mean": [3.0, 1.0, 1.5], "low": [2.5, 0.5, 1.0], "high": [3.5, 1.5, 2.0]}, index=list("cab"))
    chart = ranks.rank_chart(spread, 1.0, alt="")
    axes, matrix = chart.figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b", "c"]
    assert matrix.images[0].get_array().tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_what_the_page_ranks_again_keeps_the_order_of_the_values():
    results = pd.concat(
        [frame({"lp": [3.0, 1.0], "rp": [2.0, 1.0], "gacn": [1.0, np.nan]}), frame({"lp": [3.0], "rp": [2.0]}, "nabf")]
    )
    packed = board.pack(results, ["qabf", "unknown"], {"lp": 0.12345, "rp": np.nan})
    assert [one["name"] for one in packed["metrics"]] == ["qabf", "nabf"]
    assert packed["ranks"][0] == [[2, 4, 6], [3, 3, None]], "equal ones share their ranks"
    assert packed["ranks"][1][0] == [4, 2, None], "less is better"
    assert [one["seconds"] for one in packed["methods"]] == [0.123, None, None]
    assert [one["kind"] for one in packed["methods"]] == ["classical", "classical", "network"]
    assert packed["chosen"] == ["qabf"]
    assert packed["studentized"] == pytest.approx([1.960, 2.344], abs=1e-3), "Demsar's Table 5"
    page = board.Board(results, [], {})._repr_html_()
    assert json.loads(re.search(r"<script[^>]*>(.*)</script>", page)[1])["stacks"] == packed["stacks"]


def test_the_front_is_whoever_nobody_beats():
    rng = np.random.default_rng(1)
    cost = {f"m{i}": float(value) for i, value in enumerate(rng.integers(1, 8, 30))}
    rank = {name: float(rng.integers(1, 8)) for name in cost}
    front = ranks.pareto(cost, rank)
    pairs = {(cost[name], rank[name]) for name in cost}
    unbeaten = {one for one in pairs if not any(o != one and o[0] <= one[0] and o[1] <= one[1] for o in pairs)}
    assert [(cost[name], rank[name]) for name in front] == sorted(unbeaten)


def test_agreement_is_one_with_itself_and_minus_one_with_its_reverse():
    values = {"a": [1.0, 5.0], "b": [2.0, 1.0], "c": [3.0, 4.0]}
    backwards = {name: [-v for v in column] for name, column in values.items()}
    results = pd.concat([frame(values), frame(backwards, "mi"), frame(values, "nabf")])  # of nabf less is better
    table = ranks.agreement(results, ["qabf", "mi", "nabf"])
    np.testing.assert_allclose(table, [[1, -1, -1], [-1, 1, 1], [-1, 1, 1]])


def test_only_methods_that_all_sets_have_are_ranked():
    one, two = frame({"a": [3.0, 3.0], "b": [2.0, 1.0], "c": [1.0, 2.0]}), frame({"c": [5.0], "a": [1.0], "b": [np.nan]})
    found = ranks.shared_ranks({"one": one, "two": two}, ["qabf"])
    assert {name: sorted(block.columns) for name, block in found.items()} == {"one": ["a", "c"], "two": ["a", "c"]}
    assert found["one"]["a"].tolist() == [1, 1]
    assert found["two"][["c", "a"]].to_numpy().tolist() == [[1, 2]]


def test_an_order_carries_over_or_turns():
    same = pd.DataFrame([[1, 2, 3, 4, 5]] * 8, columns=list("abcde"))
    turned = same.iloc[:, ::-1].set_axis(same.columns, axis=1)
    found = ranks.carry_over({"same": same, "again": same, "turned": turned}, seed=1).set_index(["first", "second"])
    assert found.loc[("same", "again")].tolist() == pytest.approx([1, 1, 1])
    assert found.loc[("same", "turned")].tolist() == pytest.approx([-1, -1, -1])
    assert found.loc[("turned", "turned")].tolist() == pytest.approx([1, 1, 1])


def test_halves_of_noise_agree_in_nothing_and_intervals_hold_the_truth():
    rng = np.random.default_rng(5)
    noise = pd.DataFrame(rng.random((40, 30))).rank(axis=1)
    strength = np.arange(30) / 10

    def drawn(stacks):
        return pd.DataFrame(strength + rng.normal(size=(stacks, 30))).rank(axis=1)

    found = ranks.carry_over({"noise": noise, "one": drawn(20), "two": drawn(20)}, seed=2).set_index(["first", "second"])
    assert abs(found.loc[("noise", "noise"), "tau"]) < 0.2
    assert found.loc[("noise", "one"), "low"] < 0 < found.loc[("noise", "one"), "high"]
    assert found.loc[("one", "two"), "low"] > 0.5
    assert found.loc[("one", "two"), "low"] < found.loc[("one", "two"), "tau"] + 0.02


def test_the_same_seed_draws_the_same():
    blocks = {"one": some(seed=1), "two": some(seed=2)}
    found = ranks.carry_over(blocks, seed=3, repetitions=20)
    pd.testing.assert_frame_equal(found, ranks.carry_over(blocks, seed=3, repetitions=20))
    assert not found.equals(ranks.carry_over(blocks, seed=4, repetitions=20))


# -------------------------------------------------------------------------------------------------------- charts


def test_charts_carry_their_text():
    spread = ranks.intervals(some(), seed=1)
    chart = ranks.rank_chart(spread, 1.0, alt="who is first", caption="so many stacks")
    assert 'alt="who is first"' in chart._repr_html_()
    assert "so many stacks" in chart._repr_html_()
    names = [label.get_text() for label in chart.figure.axes[0].get_yticklabels()]
    assert names == list(spread.sort_values("mean").index)
    price = ranks.price_chart({"a": 0.1, "b": 1.0, "c": 2.0}, {"a": 3.0, "b": 2.0, "c": 2.5}, alt="cost", caption="")
    assert [text.get_text() for text in price.figure.axes[0].texts] == ["a", "b"]
    assert 'alt="cost"' in price._repr_html_()
