"""Readings of one metric that give different numbers."""

import numpy as np
import pandas as pd
import pytest
from skimage import data

import mffrepro as mff
from mffrepro import metrics
from mffrepro.report import fidelity, readings, tables


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    sharp = data.astronaut()[100:229, 150:280]
    soft = np.stack([sharp // 2 + np.roll(sharp, shift, 1) // 2 for shift in (0, 2)])
    pair, reference = [readings.awkward(image) for image in soft], readings.awkward(sharp)
    fused = readings.awkward(mff.fuse(pair, "lp").image, light=234)
    return readings.differing_readings(pair, fused, reference)


def test_every_variant_of_the_package_that_differs_has_a_row(table):
    variants = [card.name for card in metrics.CARDS if card.variant_of]
    shown = " ".join(table["other reading"])
    assert variants
    assert sum(f"`{name}`" in shown for name in variants) >= len(variants) / 2


def test_values_differ(table):
    assert (table["value"] != table["its value"]).all()


def test_the_slip_of_a_program_shows_on_the_unit_scale(table):
    row = table[table["other reading"] == "`analysis_Qabf.m`, levels 0..1"].iloc[0]
    assert row["its value"] < row["value"] - 0.01
    ours = table.loc[table["reading"] == "lossless file", "value"].iloc[0]
    assert row["value"] == pytest.approx(ours, abs=0.01), "on levels 0..255 the slip hardly shows"
    rows, columns = np.mgrid[:32, :32]
    image = (4 * rows + 3 * columns).astype(float)[1:-1]  # a slope: gradients of tens of gray levels
    perfect = 0.9994 * 0.9879 / (1 + np.exp(-22 * 0.2))
    assert readings.circulated_qabf([image, image], image) == pytest.approx(perfect, abs=1e-3)
    assert readings.circulated_qabf([image / 255, image / 255], image / 255) < 0.7


def test_an_awkward_photograph_has_odd_sides_and_flat_corners():
    image = readings.awkward(np.full((100, 101, 3), 100, np.uint8))
    assert image.shape == (99, 101, 3)
    assert (image[0, 0] == 0).all()
    assert (image[0, -1] == 255).all()
    assert (image[-1, -1] == 235).all()
    assert (image[-1, 0] == 100).all()


def test_jpeg_loses_more_at_lower_quality():
    image = data.astronaut()[:128, :128]
    errors = [np.abs(readings.as_jpeg(image, level).astype(int) - image).mean() for level in (95, 50)]
    assert 0 < errors[0] < errors[1]


def test_differences_are_readable():
    row = {"quantity": "x", "reading": "a", "other reading": "b"}
    rows = [row | {"value": one, "its value": other} for one, other in ((1.0, 1.5), (1.0, 1.00001), (1.0, np.nan))]
    shown = readings.readable(pd.DataFrame(rows))
    assert list(shown["difference"]) == ["+0.5000", "+1e-05", "undefined"]
    assert list(shown["its value"]) == ["1.5000", "1.0000", "–"]


def test_parity_compares_every_metric_with_its_source():
    table = fidelity.parity_table()
    errors = table["images by formula", "error"].astype(float)
    assert len(table) > 40
    assert errors.max() < 1e-3
    assert set(table.index) <= {card.name for card in metrics.CARDS}


def test_facts_of_metrics_are_those_of_the_registry():
    facts = tables.metric_facts([metrics.get("psnr"), metrics.get("qabf"), metrics.get("sf")])
    assert facts.loc["psnr", "identity"] == "∞"
    assert facts.loc["psnr", "better"] == "↑"
    assert facts.loc["qabf", "symbol"] == "Q<sup>AB/F</sup>"
    assert facts.loc["sf", "identity"] == ""
