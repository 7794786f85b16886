"""Check lessons and bars: worked out by hand on made tables, and complete on the recorded ones."""

import numpy as np
import pandas as pd
import pytest

from mffrepro.report import bars
from mffrepro.report.evidence import estimate
from mffrepro.report.lessons import Lesson, all_lessons, lesson_table, output_kinds


def lesson(samples) -> Lesson:
    return Lesson("idea", "with, without", "dB", np.asarray(samples, float), "00_none")


@pytest.mark.parametrize(
    ("samples", "finding"),
    [
        ([1.0, 1.2, 0.9, 1.1, 1.0], "helps"),
        ([-1.0, -1.2, -0.9, -1.1, -1.0], "hurts"),
        ([1.0, -1.2, 0.9, -1.1, 1.0], "undecided"),
        ([1.0, 1.2], "undecided"),  # too few images
        ([[5.0] * 8], "undecided"),  # one training
        ([[5.0] * 8, [5.1] * 8, [4.9] * 8], "undecided"),  # three trainings
        ([[5.0] * 8, [5.1] * 8, [4.9] * 8, [5.0] * 8, [5.0] * 8], "helps"),
        ([[5.0] * 8, [1.0] * 8, [0.1] * 8], "undecided"),  # the seeds differ by more than the effect
    ],
)
def test_findings(samples, finding: str) -> None:
    assert lesson(samples).finding == finding


def test_every_recorded_lesson_has_a_finding_and_a_row() -> None:
    lessons = all_lessons()
    assert all(one.samples.size and np.isfinite(one.samples).all() for one in lessons)
    assert {one.finding for one in lessons} == {"helps", "hurts", "undecided"}
    shown = lesson_table(lessons, caption="What single ideas are worth")
    assert "What single ideas are worth" in shown.to_html()
    table = shown.data
    assert len(table) == len(lessons)
    assert (table["finding"] == [one.finding for one in lessons]).all()


def test_decision_maps_are_compared_with_decoders_of_the_same_pairs() -> None:
    first = all_lessons()[0]
    assert len(first.samples) == 26
    assert first.finding == "helps"


# --------------------------------------------------------------------------------------------------------- bars


def whole(scores: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {"stack": f"scene{n}_frames8", "variant": name, "psnr": value}
        for name, values in scores.items()
        for n, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_the_rival_is_the_best_other_method() -> None:
    table = whole({"ours": [31, 32, 33.5], "ours.crisp": [40, 40, 40], "best": [30, 31, 32], "worse": [33, 20, 20]})
    (bar,) = bars.above_all(table, "ours", "psnr", ["frames8"])
    assert (bar.what, bar.rival) == ("PSNR, 8 frames", "best")
    assert bar.lead == estimate(np.array([1, 1, 1.5]))
    assert bar.reached
    (bar,) = bars.above_all(table, "worse", "psnr", ["frames8"])
    assert (bar.rival, bar.reached) == ("ours.crisp", False)


def test_a_mean_may_fall_short_by_what_is_allowed() -> None:
    rows = pd.DataFrame(
        [
            {"stack": stack, "method": method, "metric": "qg", "value": value}
            for method, values in {"ours": (0.5, 0.6), "theirs": (0.504, 0.6)}.items()
            for stack, value in zip("ab", values, strict=True)
        ]
    )
    for allowed, reached in ((0.003, True), (0.001, False)):
        (bar,) = bars.as_good_as(rows, "ours", "theirs", ["qg"], allowed, "pairs")
        assert bar.what == "qg on pairs, ours"
        assert bar.lead.effect == pytest.approx(-0.002)
        assert bar.reached is reached


def test_a_share_of_an_error() -> None:
    errors = pd.Series({"ours": 0.1, "best": 0.3, "worse": 0.5})
    bar = bars.share_of_error(errors, "ours", 0.5, "depth")
    assert (bar.rival, bar.reached) == ("best", True)
    assert bar.lead.effect == pytest.approx(0.05)
    assert not bars.share_of_error(errors, "ours", 0.3, "depth").reached
    table = bars.bar_table([bar], caption="Bars").data
    assert table.loc["depth", "reached"] == "yes"


def test_levels_beyond_the_sources() -> None:
    sources = np.array([[[10, 20]], [[30, 40]]], np.uint8)
    for fused, beyond in (([[10, 40]], 0), ([[7, 41]], 3), ([[30, 45]], 5)):
        assert bars.beyond_sources(np.array(fused, np.uint8), sources) == beyond


def test_the_kinds_of_output_are_counted_network_by_network() -> None:
    table = output_kinds()
    assert list(table.index.get_level_values("kind")) == ["decoders", "decision maps"] * 2
    assert (table["lowest"] <= table["median"]).all()
    assert (table["median"] <= table["highest"]).all()
    lead = table["median"].xs("decision maps", level="kind") - table["median"].xs("decoders", level="kind")
    assert (lead > 0).all()
