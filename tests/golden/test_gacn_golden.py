"""GACN with the published weights against what the authors' code made with them."""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.images import FocusStack, to_gray, to_unit
from mffrepro.methods import load_network
from mffrepro.models.gacn import GacnComparer

PAIRS = [f"lytro_{i:02d}" for i in range(1, 6)]


def share_equal(fused: np.ndarray, golden: np.ndarray, levels: int) -> float:
    return float((np.abs(fused.astype(int) - golden) <= levels).mean())


@pytest.mark.parametrize("pair", PAIRS)
def test_fused_image(mirror, goldens, pair: str) -> None:
    fused = mff.fuse(mff.load("gacn26")[pair], "gacn", weights="published").image
    golden = mff.read_image(goldens / "networks" / "GACN" / f"color_{pair}.png")
    assert share_equal(fused, golden, levels=1) >= 0.999
    assert share_equal(fused, golden, levels=0) >= 0.9999  # float64 against float32 differs in none, so a port should not


def test_maps_before_rounding(mirror, goldens) -> None:
    """Float32 against float64 differs by 3e-3 on the initial map and 5e-4 on the final one; a port that adds up the same products
    in another order may do twice as much."""
    stored = np.load(goldens / "networks" / "GACN" / "color_lytro_01_dm_float32.npz")
    comparer = GacnComparer(load_network("gacn.published", device="cpu"))
    first, second = (comparer.extract(to_unit(image)) for image in mff.load("gacn26")["lytro_01"].images)
    import torch

    with torch.inference_mode():
        _, initial, final = comparer.network.decide(first.gray, second.gray, first.activity, second.activity)
    assert np.abs(initial.numpy().squeeze() - stored["initial"].squeeze()).max() < 5e-3
    assert np.abs(final.numpy().squeeze() - stored["final"].squeeze()).max() < 2e-3


def test_gray_conversion_is_that_of_the_published_code(mirror) -> None:
    image = mff.load("gacn26")["lytro_01"].images[0]
    assert to_gray(to_unit(image, np.float64))[0, 0] == pytest.approx(image[0, 0] @ [0.2125, 0.7154, 0.0721] / 255)


@pytest.mark.slow
def test_serial_fusion_of_a_stack(mirror, goldens) -> None:
    """Seventeen frames one after the other. Two slopes of 1000 in a row magnify rounding, and each step starts from the last:
    0.9984 to 0.9991 of the values were within a level, depending on the number of threads alone."""
    frames = mff.load("v4stack")[0].images[:, 300:900, 400:1200]
    fused = mff.fuse(FocusStack("crop", frames), "gacn", weights="published", strategy="serial").image
    golden = mff.read_image(goldens / "networks" / "GACN" / "v4stack_17_crop800x600_serial.png")
    assert share_equal(fused, golden, levels=1) >= 0.998


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["default", "published"])
def test_ranking_a_stack_scores_no_less_than_serial_fusion(mirror, weights: str) -> None:
    frames = mff.load("v4stack")[0].images[:, 300:900, 400:1200]
    one_by_one, ranked = (
        mff.evaluate(frames, mff.fuse(frames, "gacn", weights=weights, strategy=way), ["qg", "sf"]) for way in ("serial", "rank")
    )
    assert ranked["qg"] >= one_by_one["qg"]
    assert ranked["sf"] >= one_by_one["sf"]
