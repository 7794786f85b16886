"""The losses as options of the recipe, and the study that compares them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mffrepro.data import load, load_regions
from mffrepro.losses import balanced_loss, dice_loss, edge_loss, focal_loss, qg_loss, tensor_loss
from mffrepro.report.trainings import read_study
from mffrepro.training import studies
from mffrepro.training.gacn import PRESETS, GacnRecipe
from mffrepro.training.studies import gacn_losses as loss_study
from mffrepro.training.studies import gacn_scores, gacn_trainings
from mffrepro.training.trainer import train

RECIPE = GacnRecipe(epochs=1, samples=4, batch=4, size=64, crop=48, validation=4, slope_start=10.0, slope_epochs=1)


@pytest.fixture(scope="module")
def regions():
    return load_regions("embedded")


def batch_of(recipe: GacnRecipe, regions, split: str = "train") -> dict[str, torch.Tensor]:
    data = recipe.data(regions, split=split, seed=3)
    samples = [data[i] for i in range(4)]
    return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_original_is_handed_out_where_it_is_needed_and_changes_nothing_else(regions, split) -> None:
    plain, edges = (batch_of(replace(RECIPE, gradient_loss=kind), regions, split) for kind in ("qg", "ep"))
    assert set(plain) == {"a", "b", "mask"}
    assert set(edges) == {"a", "b", "mask", "original"}
    assert all(torch.equal(plain[name], edges[name]) for name in plain)


def test_the_original_is_what_a_right_decision_would_fuse(regions) -> None:
    """Inside the mask, the near-focused image is the original, noise and contrast of the augmentation included."""
    batch = batch_of(replace(RECIPE, gradient_loss="ep", defocus="mask"), regions)
    fused = torch.where(batch["mask"] > 0.5, batch["a"], batch["b"])
    gaps = (fused - batch["original"]).abs().mean((1, 2, 3))
    assert gaps.min() < 1e-6, "without misregistration it is equal"
    worse = (torch.where(batch["mask"] > 0.5, batch["b"], batch["a"]) - batch["original"]).abs().mean((1, 2, 3))
    assert (gaps < worse).all()


def test_defaults_are_dice_and_qg_to_the_bit(regions) -> None:
    torch.manual_seed(0)
    model, batch = RECIPE.model(), batch_of(RECIPE, regions)
    losses, maps = RECIPE.losses(model, batch), model(batch["a"], batch["b"])
    assert list(losses) == ["total", "dice", "qg", "iou"]
    dice, qg = dice_loss(maps.initial, batch["mask"]), qg_loss((batch["a"], batch["b"]), maps.fused)
    assert torch.equal(losses["total"], dice + 1.0 * qg)
    assert torch.equal(losses["dice"], dice)
    assert torch.equal(losses["qg"], qg)


@pytest.mark.parametrize(("mask_loss", "gradient_loss"), loss_study.COMBINATIONS.values())
def test_the_total_is_the_weighted_sum_of_what_was_asked_for(regions, mask_loss, gradient_loss) -> None:
    recipe = replace(RECIPE, mask_loss=mask_loss, gradient_loss=gradient_loss, qg_weight=0.5, edge_weight=1e-3)
    torch.manual_seed(0)
    model, batch = recipe.model(), batch_of(recipe, regions)
    losses, maps = recipe.losses(model, batch), model(batch["a"], batch["b"])
    sources = batch["a"], batch["b"]
    mask = {"dice": dice_loss, "focal": focal_loss, "bce": balanced_loss}[mask_loss](maps.initial, batch["mask"])
    gradient = {
        "none": lambda: torch.zeros(()),
        "qg": lambda: 0.5 * qg_loss(sources, maps.fused),
        "ep": lambda: 1e-3 * edge_loss(batch["original"], maps.fused),
        "st": lambda: 1e-3 * tensor_loss(sources, maps.fused),
    }[gradient_loss]()
    assert losses["total"].item() == pytest.approx((mask + gradient).item(), rel=1e-6)
    losses["total"].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_noise_of_a_map_by_hand() -> None:
    """A cross of one source in the middle of the other: two regions; 12 steps of 1 along 2 * 5 * 4 neighbours."""
    share = np.zeros((5, 5))
    share[2, 1:4] = share[1:4, 2] = 1
    assert gacn_scores.noise(share) == pytest.approx({"regions": 2, "variation": 12 / 20})
    board = np.indices((4, 4)).sum(0) % 2
    assert gacn_scores.noise(board) == pytest.approx({"regions": 16, "variation": 2})


def test_the_study_has_a_row_for_each_combination(regions, tmp_path) -> None:
    two = {name: loss_study.COMBINATIONS[name] for name in ("dice", "dice + ep")}
    stacks = list(load("embedded", kind="composite", levels=(3,), size=96))[:1]
    data = {"train": regions, "val": regions[:1]}
    table = loss_study.loss_study(RECIPE, data, stacks, tmp_path, combinations=two, device="cpu")
    assert list(table.index) == ["dice", "dice + ep"]
    names = {name.partition(".")[0] for name in (*gacn_scores.METRICS, *gacn_scores.TRUTH)}
    assert names | {"regions", "variation", "seconds"} == set(table.columns)
    assert table.notna().all(axis=None)
    assert (tmp_path / "dice + ep" / "best.safetensors").exists()


def test_all_twelve_combinations_of_the_paper_are_recorded() -> None:
    assert len(loss_study.COMBINATIONS) == 12
    recorded = read_study("gacn_losses")
    assert set(recorded.index) == set(loss_study.COMBINATIONS)
    assert not recorded.set_index("seed", append=True).index.has_duplicates


def test_a_finished_training_becomes_a_row(tmp_path, regions) -> None:
    recipe = replace(RECIPE, angle="smooth")
    train(recipe, {"train": regions[:2], "val": regions[:1]}, tmp_path / "run", seed=4, device="cpu")
    stacks = list(load("embedded", kind="composite", levels=(3,), size=96))[:2]
    row = gacn_scores.score_run(recipe, tmp_path / "run", stacks, device="cpu")
    assert row["best_epoch"] == row["epochs"] == 1
    assert {"qg", "qy", "qncie", "qcb", "fmi_edge", "fmi_dct", "regions", "variation", "val_iou"} <= row.keys()
    scores = [gacn_scores.score(stack, tmp_path / "run" / "best.safetensors", "cpu", ["qg"])["qg"] for stack in stacks]
    assert row["qg"] == pytest.approx(np.mean(scores))
    assert list(row["scores"]["qg"]) == scores


def test_a_training_is_named_by_what_differs_from_the_practical_recipe() -> None:
    for name, change in gacn_trainings.CHANGES.items():
        assert name == " ".join(f"{field}={value}" for field, value in change.items())
        assert replace(PRESETS["practical"], **change) != PRESETS["practical"] or not change
    recorded = pd.read_csv(studies.table_path("gacn_trainings"), keep_default_na=False)
    assert set(recorded["changed"]) <= set(gacn_trainings.CHANGES)


def test_without_augmentation_a_sample_is_a_part_of_a_plain_pair(regions) -> None:
    recipe = replace(RECIPE, augmentation=False, defocus="mask")
    batch = batch_of(replace(recipe, gradient_loss="ep"), regions)
    assert batch["a"].shape[-2:] == (48, 48)
    fused = torch.where(batch["mask"] > 0.5, batch["a"], batch["b"])
    assert torch.equal(fused, batch["original"])


def test_scores_of_the_pairs_have_the_means_in_the_table():
    recorded = pd.read_csv(studies.table_path("gacn_trainings"), keep_default_na=False)
    with_scores = recorded[recorded["scores"] != ""]
    assert len(with_scores) >= 8
    for _, row in with_scores.iterrows():
        scores = pd.read_csv(studies.table_path("gacn_trainings").parent / row["scores"])
        assert len(scores) == 26
        means = scores.drop(columns="stack").mean()
        assert means.pop("regions") == pytest.approx(row["regions"], abs=0.5)  # rounding makes or removes regions of one pixel
        assert means.to_dict() == pytest.approx({name: row[name] for name in means.index}, abs=1e-4)
