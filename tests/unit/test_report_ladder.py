"""The ladder of fusions from perfect to poor, and what it says about metrics."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import mffrepro as mff
from mffrepro.report import ladder


@pytest.fixture(scope="module")
def ladders() -> pd.DataFrame:
    data = mff.load("embedded", kind="composite", levels=[3], size=64)
    stacks = [next(s for s in data if s.is_colour), next(s for s in data if not s.is_colour)]
    return ladder.score_ladders(stacks, ["average", "lp"], ["qabf", "nabf", "sf"], np.random.default_rng(0))


def test_right_decision_is_first_and_every_other_differs():
    right = np.zeros((64, 80), bool)
    right[:, 30:] = True
    masks = ladder.decision_rungs(right, np.random.default_rng(0))
    assert next(iter(masks)) == "right"
    assert all((mask != right).any() for name, mask in masks.items() if name != "right")
    assert masks["grown 5"].sum() == right.sum() + 5 * 64
    assert (masks["shrunk 2"] <= right).all()
    assert not masks["shrunk 2"][:, :32].any()


def test_spoiled_references_stay_in_range_and_name_their_fault():
    reference = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    spoiled = dict(ladder.spoiled_rungs(reference, np.random.default_rng(1)))
    assert {kind for kind, _ in spoiled} == set(ladder.FAULTS) - {"decision"}
    assert all(image.min() >= 0 and image.max() <= 1 for image in spoiled.values())


def test_gray_and_colour_stacks_have_the_same_rungs(ladders):
    names = [set(group["rung"].map(str)) for _, group in ladders.groupby("stack")]
    assert len(names) == 2
    assert names[0] == names[1]
    assert {"average", "lp", "right", "holes"} <= names[0]


def test_higher_is_better_in_every_column(ladders):
    right = ladders[ladders["rung"] == "right"]
    assert (right["psnr"].to_numpy() == ladders.groupby("stack", sort=False)["psnr"].max().to_numpy()).all()
    assert (ladders["nabf"] <= 0).all(), "artefacts are counted against"
    assert (right["mask_iou"] == 1).all()


def test_a_reference_metric_agrees_with_itself_only_fully(ladders):
    assert ladder.correlation(ladders, ["psnr"], "psnr").to_numpy() == pytest.approx(1)
    one = ladders[ladders["stack"] == ladders["stack"].iloc[0]]
    expected = spearmanr(one["qabf"], one["psnr"]).statistic
    assert ladder.correlation(ladders, ["qabf"], "psnr").loc["qabf", one["stack"].iloc[0]] == pytest.approx(expected)


def test_a_sharpness_statistic_is_misled_by_noise(ladders):
    trust = ladder.trust(ladders, ["qabf", "sf"])
    assert trust.loc["sf", "noise"] < 0 < trust.loc["qabf", "noise"]
    assert list(trust.columns) == ["all", "worst", *ladder.FAULTS, "SSIM", "IoU"]
    assert (trust["worst"] <= trust["all"]).all()


def test_agreement_is_symmetric_with_ones_on_its_diagonal(ladders):
    table = ladder.agreement(ladders, ["qabf", "nabf", "sf", "psnr"])
    assert set(table.index) == {"qabf", "nabf", "sf", "psnr"}
    assert np.diag(table) == pytest.approx(1)
    assert table.to_numpy() == pytest.approx(table.to_numpy().T)


def test_methods_without_weights_are_left_out_with_a_sentence(capsys, monkeypatch):
    stack = mff.load("embedded", kind="composite", levels=[3], size=64)[0]

    def missing(*args, **options):
        raise mff.MffError("its weights have not been fetched")

    monkeypatch.setattr(mff, "fuse", missing)
    kinds = {kind for (kind, _), _, _ in ladder.rungs(stack, ["sesf.published"], np.random.default_rng(0))}
    assert "method" not in kinds
    assert capsys.readouterr().out == "sesf.published is left out: its weights have not been fetched\n"


def test_rewards_are_shares_of_rungs_above_the_right_fusion():
    rows = [("a", "decision", "right", 1.0, 1.0), ("a", "noise", 2, 2.0, 0.5), ("a", "noise", 5, 0.5, 0.5)]
    rows += [("b", "decision", "right", 3.0, 1.0), ("b", "noise", 2, 2.0, 0.5), ("b", "blur", 1, 4.0, 1.0)]
    table = ladder.rewarded(pd.DataFrame(rows, columns=["stack", "kind", "rung", "one", "other"]), ["other", "one"])
    assert list(table.index) == ["one", "other"]
    assert table.loc["one"].to_dict() == {"blur": 1, "noise": pytest.approx(1 / 3)}
    assert table.loc["other"].to_dict() == {"blur": 0, "noise": 0}


def test_noise_is_rewarded_by_a_sharpness_statistic_alone(ladders):
    table = ladder.rewarded(ladders, ["qabf", "sf"])
    assert table.loc["sf", "noise"] > 0.9
    assert table.loc["qabf", "noise"] == 0
