"""Effects and intervals against closed forms and a bootstrap written out by hand; outcomes from samples that must give them."""

from dataclasses import replace

import numpy as np
import pytest

from mffrepro.errors import OptionError
from mffrepro.report import evidence
from mffrepro.report.evidence import Estimate, estimate, exact, outcome, together, widened


def normal(shape, mean: float = 0.0, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, shape)


# ------------------------------------------------------------------------------------------------------ estimates


def test_the_interval_of_a_normal_mean_is_the_textbook_s():
    values = normal(400, 0.2)
    found = estimate(values)
    half = 1.959964 * values.std() / np.sqrt(400)  # the bootstrap's variance has n in the denominator
    assert found.effect == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.006)
    assert found.high == pytest.approx(values.mean() + half, abs=0.006)
    assert (found.images, found.seeds, found.spread) == (400, 0, 0.0)


def test_two_values_have_an_interval_that_can_be_counted():
    """Of two images, a quarter of the draws takes the first twice and a quarter the second twice: more than one in forty."""
    found = estimate(np.array([1.0, 3.0]))
    assert (found.effect, found.low, found.high) == (2.0, 1.0, 3.0)


def test_equal_values_have_no_width():
    found = estimate(np.full(7, 0.25))
    assert (found.effect, found.low, found.high) == (0.25, 0.25, 0.25)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    hits = [found.low < 0 < found.high for found in (estimate(normal(30, seed=i)) for i in range(200))]
    assert 0.89 < np.mean(hits) < 0.99


def test_the_variance_over_seeds_and_images_is_the_sum_of_the_crossed_parts():
    """With additive seeds and images the variance of a drawn mean is that of the seeds plus that of the images."""
    seeds, images = normal(8, seed=1), normal(50, seed=2)
    found = estimate(seeds[:, None] + images)
    sd = np.sqrt(seeds.var() / 8 + images.var() / 50)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * sd, rel=0.05)
    assert (found.images, found.seeds) == (50, 8)
    assert found.spread == pytest.approx(np.ptp(seeds))


@pytest.mark.parametrize("shape", [(12,), (4, 12)])
def test_a_bootstrap_written_out_agrees(shape):
    values = np.atleast_2d(normal(shape, 0.5))
    rng = np.random.default_rng(99)
    drawn = []
    for _ in range(8000):
        rows = [int(i) for i in rng.integers(values.shape[1], size=values.shape[1])]
        lines = [int(i) for i in rng.integers(values.shape[0], size=values.shape[0])]
        drawn.append(sum(values[line][row] for line in lines for row in rows) / values.size)
    drawn.sort()
    found = estimate(normal(shape, 0.5))
    assert found.low == pytest.approx(drawn[200], abs=0.04)
    assert found.high == pytest.approx(drawn[7800], abs=0.04)


@pytest.mark.parametrize("shape", [(15,), (3, 15)])
def test_the_mean_as_a_statistic_gives_the_same_interval(shape):
    plain = estimate(normal(shape))
    by_statistic = estimate(normal(shape)[..., None], lambda table: table[:, 0].mean())
    assert by_statistic.effect == pytest.approx(plain.effect)
    assert by_statistic.low == pytest.approx(plain.low, abs=0.03)
    assert by_statistic.high == pytest.approx(plain.high, abs=0.03)
    assert by_statistic.spread == pytest.approx(plain.spread)


def test_a_statistic_sees_whole_rows():
    columns = np.stack([np.arange(20.0), 2 * np.arange(20.0)], axis=1)
    found = estimate(columns, lambda table: np.corrcoef(table.T)[0, 1])
    assert (found.effect, found.low, found.high) == pytest.approx((1, 1, 1))


def test_the_same_samples_give_the_same_interval():
    assert estimate(normal((3, 9))) == estimate(normal((3, 9)))


def test_an_exact_quantity_has_no_interval():
    assert exact(3) == Estimate(3.0, 3.0, 3.0)
    for wrong in ([1.0, 2.0], float("nan")):
        with pytest.raises(OptionError, match="one finite number"):
            exact(wrong)


@pytest.mark.parametrize(
    ("samples", "statistic", "words"),
    [
        (np.zeros((2, 2, 2)), None, "3 axes"),
        (np.zeros(()), None, "0 axes"),
        (np.zeros((2, 2, 2, 2)), np.mean, "4 axes"),
        (np.zeros(0), None, "empty"),
        (np.array([1.0, np.nan]), None, "not finite"),
    ],
)
def test_samples_that_say_nothing_are_refused(samples, statistic, words):
    with pytest.raises(OptionError, match=words):
        estimate(samples, statistic)


# ------------------------------------------------------------------------------------------------------- outcomes


@pytest.mark.parametrize(
    ("low", "high", "direction", "expected"),
    [
        (1.1, 2.0, "greater", "holds"),
        (1.0, 2.0, "greater", "undecided"),
        (0.5, 0.9, "greater", "does not hold"),
        (0.5, 1.0, "greater", "does not hold"),
        (0.5, 1.5, "greater", "undecided"),
        (0.5, 0.9, "less", "holds"),
        (1.1, 2.0, "less", "does not hold"),
        (0.5, 1.5, "less", "undecided"),
        (-0.9, 1.0, "within", "holds"),
        (-3.0, -1.1, "within", "does not hold"),
        (-3.0, 3.0, "within", "undecided"),
        (0.5, 3.0, "within", "undecided"),
    ],
)
def test_the_side_of_the_whole_interval_decides(low, high, direction, expected):
    assert outcome(Estimate((low + high) / 2, low, high, 26), direction, 1.0) == expected


def test_few_images_cannot_decide():
    assert outcome(Estimate(2, 1.5, 2.5, 4), "greater", 0) == "undecided"
    assert outcome(Estimate(2, 1.5, 2.5, 5), "greater", 0) == "holds"


def test_few_seeds_cannot_decide_a_claim_about_trainings():
    for seeds, expected in ((0, "undecided"), (1, "undecided"), (4, "undecided"), (5, "holds")):
        assert outcome(Estimate(2, 1.5, 2.5, 26, seeds), "greater", 0, trainings=True) == expected
        assert outcome(Estimate(2, 1.5, 2.5, 26, seeds), "greater", 0) == "holds"


def test_trainings_may_have_one_number_each():
    assert outcome(Estimate(2, 1.5, 2.5, 1, 5), "greater", 0, trainings=True) == "holds"
    assert outcome(Estimate(2, 1.5, 2.5, 1, 4), "greater", 0, trainings=True) == "undecided"
    assert outcome(Estimate(2, 1.5, 2.5, 1, 5), "greater", 0) == "undecided"


def test_five_trainings_without_an_effect_hardly_ever_decide():
    """Their bootstrap is too narrow, but the rule of the spread makes up for it; with three it would not."""
    decided = {
        seeds: np.mean([abs(one.mean()) > np.ptp(one) for one in normal((4000, seeds))]) for seeds in (3, evidence.MIN_SEEDS)
    }
    assert decided[3] > 0.06
    assert decided[evidence.MIN_SEEDS] < 0.01
    found = [estimate(one[:, None]) for one in normal((400, evidence.MIN_SEEDS))]
    outcomes = [outcome(one, "greater", 0, trainings=True) for one in found]
    assert np.mean([one != "undecided" for one in outcomes]) < 0.025


def test_an_effect_inside_the_spread_of_the_seeds_is_undecided():
    assert outcome(Estimate(2, 1.5, 2.5, 26, 5, spread=2.0), "greater", 0) == "undecided"
    assert outcome(Estimate(2, 1.5, 2.5, 26, 5, spread=1.9), "greater", 0) == "holds"
    assert outcome(Estimate(-2, -2.5, -1.5, 26, 5, spread=2.0), "greater", 0) == "undecided"
    assert outcome(Estimate(0, 0, 0, 26, 5, spread=0.0), "greater", 0) == "does not hold", "all seeds say exactly nothing"


def test_exact_quantities_are_on_one_side():
    assert outcome(exact(0), "within", 0) == "holds"
    assert outcome(exact(1), "within", 0) == "does not hold"
    assert outcome(exact(0), "greater", 0) == "does not hold"
    assert outcome(exact(0.1), "greater", 0) == "holds"


def test_a_part_that_surely_fails_decides():
    assert together({"a": "holds", "b": "holds"}) == "holds"
    assert together({"a": "holds", "b": "undecided"}) == "undecided"
    assert together({"a": "undecided", "b": "does not hold"}) == "does not hold"
    assert together({"a": "holds", "b": "cannot be tested"}) == "undecided"
    assert together({"a": "cannot be tested"}) == "cannot be tested"


def test_one_of_many_parts_fails_no_more_often_than_one_alone():
    """With 20 parts whose true effect is just the threshold, 40 % of the claims would fail without a correction."""
    failed, uncorrected = 0, 0
    for i in range(25):
        parts = [estimate(part, parts=20) for part in normal((20, 60), seed=i)]
        failed += "does not hold" in {outcome(part, "greater", 0) for part in parts}
        uncorrected += "does not hold" in {outcome(replace(part, wide=None), "greater", 0) for part in parts}
    assert failed <= 3
    assert uncorrected >= 5


def test_an_error_that_all_trainings_share_widens_the_interval():
    found = estimate(np.array([[1.0], [2.0], [3.0]]), parts=4)
    assert (found.effect, found.low, found.high) == (2, 1, 3), "of three seeds, the range"
    wider = widened(found, (2.0, 0.0), parts=4)
    assert (wider.low, wider.high) == (pytest.approx(2 - np.sqrt(1 + 4)), 3)
    more = 2.497705 / 1.959964  # quantile of the normal distribution at 1 - 0.025 / 4, and at 1 - 0.025
    assert wider.wide == (pytest.approx(2 - np.sqrt(1 + (2 * more) ** 2)), found.wide[1])
    assert outcome(found, "greater", 0.5, trainings=True) == "undecided", "nearer than the seeds to each other"
    sure = estimate(np.full((5, 1), 2.0))
    assert outcome(sure, "greater", 0.5, trainings=True) == "holds"
    assert outcome(widened(sure, (1.6, 0.1)), "greater", 0.5, trainings=True) == "undecided"
    assert widened(sure, (0.0, 0.0)) == sure


def test_the_wide_interval_decides_failing_and_the_narrow_one_holding():
    values = normal(200, seed=5)
    one, forty = estimate(values), estimate(values, parts=40)
    assert one.wide is None
    assert (forty.low, forty.high) == (one.low, one.high)
    assert forty.wide[0] < one.low < one.high < forty.wide[1]
    part = Estimate(-1, -2, -0.1, 26, wide=(-3, 0.2))
    assert outcome(part, "greater", 0) == "undecided"
    assert outcome(part, "less", 0) == "holds"
    assert outcome(Estimate(2, 1.1, 3, 26, wide=(0.9, 4)), "within", 1) == "undecided"


def test_margins_are_compared_in_standard_errors():
    assert evidence.standing(Estimate(1, 1 - 0.1 * 1.959964, 1 + 0.1 * 1.959964, 26), "greater", 0) == pytest.approx(10)
    assert evidence.standing(Estimate(1, 0, 2, 26), "less", 3) == pytest.approx(2 * 1.959964)
    assert evidence.standing(exact(3), "less", 2) == pytest.approx(-0.5)


def test_an_unknown_direction_is_refused():
    with pytest.raises(OptionError, match="did you mean 'greater'"):
        evidence.margin(1.0, "greatr", 0.0)
