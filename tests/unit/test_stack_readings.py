"""What is measured of the two readings of StackMFF-V2, and the printed ranks that contradict printed values."""

import numpy as np
import pandas as pd
import pytest

import mffrepro as mff
from mffrepro.benchmarks.stack_readings import READINGS, compare_readings, frames_used, score_readings
from mffrepro.data.conditions import depth_stacks
from mffrepro.data.handheld import NONE, take_shots
from mffrepro.report import tables
from mffrepro.report.ranks import contradicted


@pytest.fixture(scope="module")
def readings():
    shots = take_shots(NONE, frames=4, size=192)
    return shots, compare_readings(shots)


def test_every_reading_and_order_has_a_row(readings) -> None:
    shots, found = readings
    assert list(found.table.index) == [(name, order) for name in READINGS for order in ("near to far", "far to near")]
    assert (found.table.xs("near to far", level="order")["changed"] == 0).all()
    by_hand = mff.fuse(shots.images, "stackmff", as_published=True)
    np.testing.assert_array_equal(found.depth["as published"], by_hand.depth)
    error = np.median(np.abs(by_hand.depth - shots.true_depth(by_hand.depth.shape)))
    assert found.table.loc[("as published", "near to far"), "median error"] == pytest.approx(error)


def test_the_repaired_reading_does_not_depend_on_the_order(readings) -> None:
    rows = readings[1].table.loc["repaired"]
    assert rows.loc["far to near", "changed"] < 0.01 < readings[1].table.loc[("as published", "far to near"), "changed"]
    assert rows.loc["far to near", "psnr"] == pytest.approx(rows.loc["near to far", "psnr"], abs=0.1)


def test_both_readings_are_scored_on_every_scene() -> None:
    made = next(depth_stacks("frames3", size=192))
    found = score_readings([made])
    assert list(found.columns) == ["motorcycle_frames3"]
    for reading, as_published in READINGS.items():
        image = mff.fuse(made.stack, "stackmff", as_published=as_published).image
        assert found.loc[reading, made.name] == pytest.approx(mff.evaluate(made.stack, image, ["psnr"])["psnr"])


def test_equal_frames() -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    used = frames_used(image, 3)
    assert used["as published"] == [0, 1, 2]
    assert len(used["repaired"]) == 1


def test_ranks_that_values_contradict() -> None:
    printed = pd.DataFrame(
        [("a", "x", "SSIM", 0.9, 1), ("b", "x", "SSIM", 0.8, 3), ("c", "x", "SSIM", 0.7, 2), ("a", "y", "SSIM", 0.1, 2)],
        columns=["method", "dataset", "metric", "value", "rank"],
    )
    assert contradicted(printed).tolist() == [False, True, True, False]
    equal = printed.assign(value=0.5)
    assert not contradicted(equal).any()


def test_the_printed_table_of_stackmff() -> None:
    quality = pd.read_csv(tables.reported_folder() / "stackmff_quality.csv")
    assert (len(quality), contradicted(quality).sum()) == (150, 64)
