"""Errors of the patch classifiers by kind of patch: read, summarised, drawn, and what the chapters say of them."""

import math

import numpy as np
import pandas as pd
import pytest

from mffrepro.data.hard_patches import KINDS
from mffrepro.report import study_errors
from mffrepro.report.samples import hard_rows
from mffrepro.report.trainings import read_study
from mffrepro.training.studies.patches import STUDIES

MADE = pd.DataFrame(
    [
        {"network": network, "seed": seed, "kind": kind, "error": error, "answers": 200}
        for network, kind, errors in (
            ("a", "plain", (0.0, 0.0)), ("a", "flat", (0.1, 0.3)), ("b", "plain", (0.001, 0.001)), ("b", "flat", (0.0, 0.0))
        )
        for seed, error in enumerate(errors)
    ]
)  # fmt: skip


@pytest.mark.parametrize("name", ["icacs18", "cnn_fuse", "cnnwt"])
def test_the_errors_of_a_study_are_those_of_its_table(name):
    errors, study = study_errors.read_errors(name), read_study(name)
    assert list(errors["kind"].unique()) == list(KINDS)
    by_row = errors.assign(row=errors["network"].str.replace(", (low|high)$", "", regex=True))
    assert list(by_row["row"].unique()) == list(STUDIES[name].changes), "in the order of the study"
    assert len(errors) == len(study) * len(KINDS) * (2 if name == "cnnwt" else 1)
    means = by_row.groupby(["row", "seed", "kind"])["error"].mean()
    for row, values in study.iterrows():
        for kind in KINDS:
            assert means[row, values["seed"], kind] == pytest.approx(values[f"error, {kind}"], abs=1e-6)


def test_errors_of_several_seeds_have_a_range_and_wilsons_interval():
    found = study_errors.over_seeds(MADE)
    assert list(found.index) == [("plain", "a"), ("plain", "b"), ("flat", "a"), ("flat", "b")]
    flat = found.loc["flat", "a"]
    assert (flat["error"], flat["least"], flat["most"]) == (pytest.approx(0.2), 0.1, 0.3)
    z = 1.959964  # a hundred pairs: both answers to a pair count as one
    half = z * math.sqrt(0.2 * 0.8 / 100 + z**2 / (4 * 100**2))
    ends = [(0.2 + z**2 / 200 + sign * half) / (1 + z**2 / 100) for sign in (-1, 1)]
    assert [flat["low"], flat["high"]] == pytest.approx(ends, abs=1e-9)
    assert study_errors.telling_kinds(found) == ["flat"]
    assert study_errors.telling_kinds(found, least=0.001) == ["plain", "flat"]


def test_errors_are_drawn_and_tabulated_in_per_cent():
    found = study_errors.over_seeds(MADE)
    panels = study_errors.error_points(found, ["flat"], alt="errors").figure.axes
    assert [axes.axison for axes in panels] == [True, False]
    drawn = panels[0]
    assert drawn.get_title() == "flat"
    assert drawn.lines[0].get_xdata() == pytest.approx([20, 0])
    assert [label.get_text() for label in drawn.get_yticklabels()] == ["a", "b"]
    widths = [
        100 * (found.loc["flat", "a"][high] - found.loc["flat", "a"][low]) for low, high in (("low", "high"), ("least", "most"))
    ]
    assert [np.ptp(lines.get_segments()[0][:, 0]) for lines in drawn.collections] == pytest.approx(widths)
    table = study_errors.error_table(found, ["flat"], caption="Errors").data
    assert table.loc[("flat", "a"), ["wrong", "best seed", "worst seed"]].tolist() == pytest.approx([20, 10, 30])


def test_hard_pairs_stand_above_each_other():
    rows = hard_rows(["plain", "across a border"], count=3, side=16, enlarge=2)
    assert {kind: image.shape for kind, image in rows.items()} == {kind: (64, 96) for kind in rows}
    above, below = rows["plain"][:32].astype(float), rows["plain"][32:].astype(float)
    assert np.abs(np.diff(above[::2, ::2])).sum() > np.abs(np.diff(below[::2, ::2])).sum(), "the sharper ones are above"


def test_what_chapter_05_says_of_hard_patches_is_recorded():
    found = study_errors.over_seeds(study_errors.read_errors("icacs18"))
    assert study_errors.telling_kinds(found) == ["across a border", "flat", "noisy", "jpeg"]
    base, zeros = "16x16, three max poolings", "zeros around patches"
    border, flat, noisy = (found.loc[kind] for kind in ("across a border", "flat", "noisy"))
    others = found.drop(index="across a border", level="kind")["error"].drop(index=zeros, level="network")
    assert (border["error"].drop(zeros) - others.groupby("network").max()).min() > 0, "most errors lie across a border"
    assert border.loc["32x32", "least"] > border.loc[base, "most"]
    assert border.loc["one pooling", "most"] < border.loc[base, "least"]
    assert border.loc[zeros, "most"] < border.loc[base, "least"]
    assert noisy.loc[zeros, "least"] > noisy.loc[base, "most"]
    assert flat.loc["mean pooling", "least"] > flat.loc[base, "most"]
    assert border.loc["mean pooling", "most"] < border.loc[base, "least"]


def test_what_chapter_06_says_of_hard_patches_is_recorded():
    errors = pd.concat([study_errors.read_errors(name) for name in ("cnn_fuse", "cnnwt")])
    found = study_errors.over_seeds(errors)
    border = found.loc["across a border"]
    pixels, bands = border.loc[list(STUDIES["cnn_fuse"].changes)], border.drop(index=list(STUDIES["cnn_fuse"].changes))
    assert (bands["low"] > pixels["high"].max()).sum() == 3, "most networks on sub-bands, beyond the choice of the patches"
    for other in ("three levels", "half of them real"):
        apart = found.xs(other, level="network")["error"] - found.xs("five levels", level="network")["error"]
        assert apart.abs().max() < 0.005
    weak = errors[(errors["network"] == "2-channel") & (errors["kind"] == "sigma 0.5")]["error"]
    assert (weak > 0.1).sum() == 1, "one of three trainings"
