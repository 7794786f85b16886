"""Measurements: how tables are made, kept and read, and what the small parts of them compute."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import label

from mffrepro.benchmarks import measurements
from mffrepro.benchmarks.contrast import PROPORTIONAL, fit_contrast, with_contrast
from mffrepro.benchmarks.measurements import gacn, patches, stacks
from mffrepro.data import load_regions
from mffrepro.data.synthetic import composite
from mffrepro.errors import OptionError
from mffrepro.fusion.decision import fuse_by_decision
from mffrepro.images import FocusStack, to_gray, to_unit
from mffrepro.losses import qg_loss
from mffrepro.metrics import diagnostics


def pair(name: str, shift: int = 0) -> FocusStack:
    rng = np.random.default_rng(shift)
    sharp, flat = rng.integers(0, 256, (40, 48, 3), np.uint8), np.full((40, 48, 3), 128, np.uint8)
    left = np.arange(48)[None, :, None] < 24
    truth = np.broadcast_to(left[..., 0], (40, 48)).astype(np.float32)
    images = np.stack([np.where(left, sharp, flat), np.where(left, flat, sharp)])
    return FocusStack(name, images, reference=sharp, decision=np.stack([truth, 1 - truth]))


@pytest.mark.parametrize("name", measurements.MEASUREMENTS)
def test_every_measurement_has_a_function_and_a_table(name: str) -> None:
    assert callable(measurements.get(name).measure)
    table = measurements.recorded(name)
    assert list(table.columns[:2]) == ["stack", "variant"]
    assert list(table.columns[-3:]) == ["commit", "device", "date"]
    assert not table.duplicated(["stack", "variant"]).any()
    assert table["variant"].map(type).eq(str).all(), "numbers are names here"


def test_tables_grow_pair_by_pair_and_replace_what_is_made_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(measurements, "path_of", lambda name: tmp_path / "made" / f"{name}.csv")
    made = {"value": 1.0}
    one = measurements.Measurement(lambda stack: {"10": made, "5": made | {"more": 2.0}}, lambda: [pair("b"), pair("7")])
    monkeypatch.setattr(measurements, "get", lambda name: one)
    seen = []
    measurements.measure("gacn_maps", "a machine", progress=seen.append)
    made["value"] = 3.0
    measurements.measure("gacn_maps", "a machine", progress=seen.append)
    table = measurements.recorded("gacn_maps")
    assert seen == ["b", "7"] * 2
    assert table[["stack", "variant"]].to_numpy().tolist() == [["7", "10"], ["7", "5"], ["b", "10"], ["b", "5"]]
    assert (table["value"] == 3.0).all()
    assert measurements.source_of(table).endswith(", a machine")
    assert measurements.gains(table, "5", "10", ["value"])["value"].tolist() == [0.0, 0.0]


def test_unknown_measurements_are_named() -> None:
    for read in (measurements.get, measurements.recorded):
        with pytest.raises(OptionError, match="no measurement 'gacn_map'"):
            read("gacn_map")


# -------------------------------------------------------------------------------------------------- the contrast


def scores(contrasts: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"stack": stack, "method": method, "metric": metric, "value": base / factor}
        for stack, factor in contrasts.items()
        for method, base in (("dwt", 4.0), ("lp", 5.0))
        for metric in PROPORTIONAL
    ]
    return pd.DataFrame(rows)


def test_one_factor_explains_the_scene_and_not_another() -> None:
    printed = pd.DataFrame({name: [4.0, 5.0] for name in PROPORTIONAL}, index=["dwt", "lp"])
    rows = scores({"same": 0.5, "other": 1.0})
    rows.loc[(rows["stack"] == "other") & (rows["metric"] == "sd"), "value"] *= 1.2
    table = fit_contrast(printed, rows)
    assert list(table.index) == ["same", "other"]
    assert table.loc["same"].to_numpy() == pytest.approx([0.5, 0.0, np.log(2)])
    assert table.loc["other", "left"] > 0.05


def test_contrast_scales_the_gray_values() -> None:
    dimmed = with_contrast(pair("x"), 0.5)
    assert dimmed.images.dtype == np.uint8
    assert np.abs(dimmed.images - pair("x").images / 2).max() <= 0.5
    assert dimmed.name == "x at contrast 0.50"


# ------------------------------------------------------------------------------------------------------ parts


def test_layers_go_from_the_lower_border_upwards() -> None:
    labels = np.repeat(np.arange(8), 5)[:, None] * np.ones((1, 30), int)
    layer = stacks.layers(labels)
    assert layer[-1, 0] == 0
    assert layer[0, 0] == stacks.LAYERS - 1
    assert (np.diff(layer[:, 0]) <= 0).all()
    assert np.bincount(layer.ravel()).tolist() == [300] * 4


def test_errors_near_the_border_are_in_gray_levels() -> None:
    stack = pair("x")
    wrong = stack.reference.copy()
    wrong[:, 24] = np.where(wrong[:, 24] > 128, wrong[:, 24] - 16, wrong[:, 24] + 16)
    found = diagnostics.border_errors(stack, wrong)
    assert found["error near the border"] == pytest.approx(16 / (2 * diagnostics.NEAR))
    assert found["rms near the border"] == pytest.approx(16 / np.sqrt(2 * diagnostics.NEAR))
    assert diagnostics.border_errors(stack, stack.reference) == {"error near the border": 0, "rms near the border": 0}


def test_the_smooth_metric_comes_near_the_exact_one() -> None:
    grays = [to_gray(to_unit(image, np.float64)) for image in pair("x").images]
    gaps = gacn.steepness_gaps(grays, np.mean(grays, 0))
    a, b = (torch.from_numpy(gray)[None, None] for gray in grays)
    exact, smooth = (float(qg_loss((a, b), (a + b) / 2, steepness=k)) for k in (1e9, 10))
    assert gaps[10] == pytest.approx(abs(smooth - exact)) != 0
    assert gaps[1000] < gaps[10]


def test_the_smooth_metric_of_the_published_network_comes_near_the_exact_one(mirror) -> None:
    found = gacn.steepness(pair("x"))
    assert list(found) == ["10", "100", "1000", "10000", "100000"]
    assert found["10"]["gap"] > found["1000"]["gap"]


def test_bands_of_the_boundary_are_scored_beside_none_for_every_training() -> None:
    found = gacn.bands(pair("x"))
    assert list(found) == [f"{band}, {name}" for name in gacn.SEEDS for band in (*gacn.BANDS, "none")]
    assert set(found["none, seed2"]) == {"qg", "qg near", "variation near"}


def test_a_map_is_rough_where_its_neighbours_differ() -> None:
    stack = pair("x")
    share = stack.decision[0]
    near = np.zeros(share.shape, bool)
    near[:, 20:28] = True
    assert gacn.near_boundary(stack, share, near)["variation near"] == pytest.approx(1 / 8), "one step in eight columns"
    assert gacn.near_boundary(stack, np.full(share.shape, 0.5), near)["variation near"] == 0


def test_the_copy_by_the_true_decision_is_the_reference() -> None:
    rng = np.random.default_rng(0)
    photograph, mask = rng.integers(0, 256, (40, 48, 3), np.uint8), np.arange(48) < np.full((40, 1), 20)
    images = composite(photograph, mask, 2.0, size=7, level=patches.LEVEL)
    stack = FocusStack("x", images, reference=photograph, decision=np.stack([mask, ~mask]).astype(np.float32))
    assert diagnostics.border_errors(stack, fuse_by_decision(stack, stack.decision).image)["error near the border"] == 0


def test_more_cleaning_follows_the_printed_one() -> None:
    found = patches.enough(pair("x"))
    assert list(found) == ["pre-decision", "as printed", "by default", "printed and both sides"]
    assert all(0.5 < values["mask_accuracy"] <= 1 for values in found.values())
    assert found["pre-decision"]["regions behind"] == 1


def test_layers_are_described_by_a_quantile_of_their_maps() -> None:
    found = patches.layers(pair("x"))
    assert list(found) == ["conv 1", "conv 2", "conv 3"]
    assert found["conv 3"]["maps"] > found["conv 1"]["maps"]
    assert found["conv 3"]["likeness"] > found["conv 1"]["likeness"]


def test_pairs_may_have_several_regions(monkeypatch) -> None:
    monkeypatch.setattr(patches, "load_regions", lambda *args, **kinds: load_regions("embedded"))
    one, any_ = (list(patches.made_pairs(3, one_region=kind)) for kind in (True, False))
    assert [stack.name for stack in any_] == [photograph.name for photograph in load_regions("embedded")][:3]
    for stack in one:
        assert label(stack.decision[0])[1] == label(stack.decision[1])[1] == 1
