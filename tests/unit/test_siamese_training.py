"""The patches that the classifiers learn from, their recipes, and the study of what they owe to which choice."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from schedules import rates
from scipy import ndimage

import mffrepro as mff
from mffrepro.data import load_regions
from mffrepro.data.hard_patches import KINDS as KINDS_OF_PAIRS
from mffrepro.errors import DataError, OptionError
from mffrepro.images import from_unit, to_unit
from mffrepro.models.siamese_ablation import KINDS
from mffrepro.training import patches, studies
from mffrepro.training.patches import PatchPairs, RealPatches, both_orders, repeated_blur, textured_place
from mffrepro.training.recipes import presets, recipe
from mffrepro.training.ship import ship
from mffrepro.training.studies import patch_errors, runner
from mffrepro.training.studies import patches as patch_study
from mffrepro.training.trainer import load_model, read_log, train

NETWORKS = ("icacs18", "cnn_fuse", "cnnwt")


@pytest.fixture(scope="module")
def photographs():
    return load_regions("embedded")


@pytest.fixture
def small_stacks(monkeypatch) -> list:
    """In place of any set of real photographs."""
    stacks = mff.load("embedded", kind="spread", size=160)
    monkeypatch.setattr(patches, "load", lambda name: stacks)
    return list(stacks)


def pairs_of(photographs, *, levels=(1, 2, 3, 4, 5), seed=3, **options) -> PatchPairs:
    sizes = {"length": 12, "side": 24, "patch": 16}
    return PatchPairs(photographs, lambda crop: {"gray": crop[None]}, levels=levels, seed=seed, **sizes, **options)


# ---------------------------------------------------------------------------------------------------- patches


@pytest.mark.parametrize("level", [1, 3, 5])
def test_a_patch_is_blurred_as_its_photograph_is(photographs, level: int) -> None:
    """Anywhere, the border of the photograph included; by a direct convolution, to the rounding of 8 bits."""
    data = pairs_of(photographs, levels=(level,), variance=0.0)
    gray = data._gray(1)[:60, :70]
    x = np.arange(-3, 4)
    line = np.exp(-(x**2) / 8) / np.exp(-(x**2) / 8).sum()
    whole = gray.astype(float)
    for _ in range(level):
        for axis in (0, 1):
            whole = ndimage.correlate1d(whole, line, axis, mode="mirror")
    found = 0
    for seed in range(60):
        sharp, blurred = data.crops(gray, np.random.default_rng(seed))
        top, left = textured_place(gray, _after_the_level(seed), 24, 16, 0.0)
        assert np.array_equal(sharp, gray[top : top + 24, left : left + 24])
        assert np.abs(blurred - whole[top : top + 24, left : left + 24]).max() <= 0.501
        found += top in (0, 36) or left in (0, 46) or min(top, left) < 3 * level
    assert found, "no patch lay near the border"


def _after_the_level(seed: int) -> np.random.Generator:
    rng = np.random.default_rng(seed)
    rng.integers(1)
    return rng


def test_the_sharp_patch_varies_more_than_the_threshold(photographs) -> None:
    data = pairs_of(photographs, variance=400.0)
    variances = [255**2 * sample["sharp_gray"][0, 4:-4, 4:-4].var(correction=0) for sample in map(data.__getitem__, range(12))]
    assert min(variances) > 400


def test_the_place_that_varies_most_where_none_varies_enough() -> None:
    gray = np.full((60, 60), 90, np.uint8)
    gray[40:, 40:] = 91
    places = {textured_place(gray, np.random.default_rng(seed), 24, 16, 25.0) for seed in range(10)}
    assert sum(gray[t + 4 : t + 20, l + 4 : l + 20].var() > 0 for t, l in places) >= len(places) - 1  # noqa: E741


def test_photographs_smaller_than_a_crop_are_mirrored(photographs) -> None:
    small = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
    assert patches._at_least(small, 24).shape == (24, 30)
    assert np.array_equal(patches._at_least(small, 24)[20:], small[:-5:-1])


def test_any_folder_of_photographs_will_do(tmp_path) -> None:
    rng = np.random.default_rng(0)
    depths = {"a.png": np.uint8, "b.png": np.uint16, "c.tif": np.float32}
    for name, dtype in depths.items():
        image = rng.random((40, 50, 3)) if name != "b.png" else rng.random((40, 50))
        mff.write_image(tmp_path / name, from_unit(image, np.dtype(dtype)))
    found = load_regions("folder", root=tmp_path)
    assert [one.name for one in found] == ["a", "b", "c"]
    assert all((one.image.dtype, one.image.shape) == (np.uint8, (40, 50, 3)) for one in found)
    made = replace(recipe("cnn_fuse", "smoke"), epochs=1)
    train(made, {"train": found, "val": found}, tmp_path / "run", device="cpu")
    with pytest.raises(DataError, match="has no label maps; train a network that learns from patches"):
        _ = found[0].labels


def test_folders_without_photographs_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="holds no photographs"):
        load_regions("folder", root=tmp_path)
    with pytest.raises(OptionError, match="folder needs root="):
        load_regions("folder")


def test_every_photograph_is_visited_equally_often(photographs) -> None:
    data = pairs_of(photographs)
    turns = [data._turn(i) for i in range(15)]
    assert [turns.count(i) for i in range(5)] == [3] * 5
    assert turns[:5] != turns[5:10] or turns[5:10] != turns[10:15]


@pytest.mark.parametrize("network", NETWORKS)
def test_samples_change_with_epoch_and_seed_and_with_nothing_else(photographs, network: str) -> None:
    made = replace(recipe(network, "smoke"))
    data, same, other = (made.data(photographs, split="train", seed=seed) for seed in (3, 3, 4))
    [same[i] for i in range(5)]  # what was asked before does not matter
    assert all(torch.equal(data[7][name], same[7][name]) for name in data[7])
    name = next(iter(data[7]))
    assert not torch.equal(data[7][name], other[7][name])
    before = data[7][name]
    data.begin_epoch(1)
    assert not torch.equal(before, data[7][name])


def test_fixed_pairs_are_those_of_the_first_epoch(photographs) -> None:
    fresh, fixed = pairs_of(photographs), pairs_of(photographs, fixed=True)
    first = [fresh[i] for i in range(12)]
    for epoch in (0, 3):
        fixed.begin_epoch(epoch)
        assert all(torch.equal(fixed[i]["sharp_gray"], first[i]["sharp_gray"]) for i in range(12))
        assert all(torch.equal(fixed[i]["blurred_gray"], first[i]["blurred_gray"]) for i in range(12))
    assert fixed[5] is fixed[5], "made once"
    made = recipe("icacs18", "paper")
    assert made.fixed, "20 000 patch pairs are printed, no stream of them"
    assert 2 * made.samples == 20_000, "in both orders"
    assert not recipe("icacs18", "practical").fixed


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_samples_do_not_depend_on_the_workers(photographs, small_stacks, workers: int) -> None:
    data = replace(recipe("cnnwt", "smoke"), real="embedded").data(photographs, split="train", seed=3)
    expected = [data[i] for i in range(len(data))]
    loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=workers)
    for sample, same in zip(expected, loader, strict=True):
        assert all(torch.equal(sample[name], same[name]) for name in sample)


def test_real_patches_come_from_the_sharpest_image_and_another(small_stacks) -> None:
    real, others = RealPatches("any"), RealPatches("any", held_out=True)
    for kept, stacks in ((real, small_stacks[::2]), (others, small_stacks[1::2])):
        assert [labels.shape for _, labels in kept.stacks] == [stack.images.shape[1:3] for stack in stacks]
        assert all(np.array_equal(one[1], stack.decision.argmax(0)) for one, stack in zip(kept.stacks, stacks, strict=True))
    rng = np.random.default_rng(0)
    detail = [[np.abs(np.diff(crop.astype(float))).mean() for crop in real.crops(rng, 24, 16, 100.0)] for _ in range(40)]
    assert np.mean([sharp > other for sharp, other in detail]) > 0.9


def test_half_of_a_mixed_set_is_real(photographs, small_stacks) -> None:
    mixed = replace(recipe("cnn_fuse", "smoke"), real="embedded")
    data, plain = (one.data(photographs, split="train", seed=3) for one in (mixed, replace(mixed, real="none")))
    equal = [torch.equal(data[i]["sharp_gray"], plain[i]["sharp_gray"]) for i in range(8)]
    assert equal == [True, False] * 4
    assert mixed.data(photographs, split="val", seed=3).real is None


# ---------------------------------------------------------------------------------------------------- recipes


def test_the_printed_schedules() -> None:
    first, second = recipe("icacs18", "paper"), recipe("cnn_fuse", "paper")
    assert (first.rate, first.gamma, first.momentum, first.decay) == (1e-6, 0.5, 0.9, 5e-4)
    assert first.epochs * 2 * first.samples >= 20_000
    assert [rates(second)[epoch] for epoch in (0, 4, 5, 9)] == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5])
    assert (2 * second.samples, second.epochs, second.validation, second.levels) == (2_000_000, 10, 10_000, (1, 2, 3, 4, 5))
    for one in (first, second, recipe("cnnwt", "paper")):
        assert (one.width, one.border, one.patch) == (1.0, "zeros", 16)


def test_biases_learn_twice_as_fast_and_do_not_decay(tmp_path) -> None:
    """The multipliers that icacs18 prints survive the schedule (A2.10)."""
    made = replace(recipe("icacs18", "smoke"), epochs=1)
    weights, biases = made.optimiser(made.model()).param_groups
    assert (weights["weight_decay"], biases["weight_decay"]) == (5e-4, 0)
    train(made, {"train": load_regions("embedded"), "val": load_regions("embedded")}, tmp_path / "run", device="cpu")
    groups = torch.load(tmp_path / "run" / "last.pt", weights_only=True)["optimiser"]["param_groups"]
    assert [group["lr"] for group in groups] == pytest.approx([made.rate, 2 * made.rate])
    cosine = replace(made, schedule="cosine", epochs=4)
    optimiser = cosine.optimiser(cosine.model())
    schedule = cosine.scheduler(optimiser)
    optimiser.step()
    schedule.step()
    expected = made.rate * (1 + math.cos(math.pi / 4)) / 2
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([expected, 2 * expected])


def test_one_step_is_the_printed_update() -> None:
    """v = 0.9 v - 0.0005 a w - a dL/dw; w = w + v, twice."""
    made = replace(recipe("cnn_fuse", "smoke"), rate=0.1)
    torch.manual_seed(0)
    model = made.model()
    optimiser, layer = made.optimiser(model), model.branch[0]
    weight, speed = layer.weight.detach().clone(), torch.zeros_like(layer.weight)
    pair = torch.rand(2, 4, 1, 16, 16)
    for _ in range(2):
        optimiser.zero_grad()
        both_orders(model, *pair)[0].backward()
        speed = 0.9 * speed - 0.0005 * made.rate * weight - made.rate * layer.weight.grad
        weight = weight + speed
        optimiser.step()
    assert torch.allclose(layer.weight, weight, atol=1e-7)


def test_label_one_says_that_the_first_is_sharper() -> None:
    class Sure(torch.nn.Module):
        def in_both_orders(self, sharp, blurred):
            yes = torch.tensor([-9.0, 9.0]).expand(len(sharp), 2)[:, :, None, None]
            return yes, -yes

    loss, accuracy = both_orders(Sure(), torch.zeros(5, 1, 1, 1), torch.zeros(5, 1, 1, 1))
    assert accuracy == 1
    assert loss < 1e-6


@pytest.mark.parametrize("network", NETWORKS)
def test_smoke_presets_train_and_ship(network: str, photographs, tmp_path) -> None:
    seen = {"train": photographs, "val": photographs}
    train(recipe(network, "smoke"), seen, tmp_path / "run", device="cpu")
    path = ship(tmp_path / "run", f"{network}.trial", data="embedded", device="a test", folder=tmp_path)
    pair = list(np.random.default_rng(0).integers(0, 256, (2, 40, 44), np.uint8))
    assert mff.fuse(pair, network, weights=str(path)).image.shape == (40, 44)
    assert set(presets(network)) == {"paper", "practical", "smoke"}


def test_a_network_of_full_width_runs_and_learns() -> None:
    for network in ("icacs18", "cnn_fuse"):
        made = recipe(network, "paper")
        torch.manual_seed(0)
        model = made.model()
        optimiser = made.optimiser(model)
        pair = torch.rand(2, 2, 1, 16, 16)
        before = [p.clone() for p in model.parameters()]
        both_orders(model, *pair)[0].backward()
        optimiser.step()
        assert all(not torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True) if p.ndim > 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rate": 0.0}, "rate is 0.0; use a number over 0"), ({"batch": 64}, "batch is 64"), ({"levels": (0, 1)}, "numbers from 1")],
)
def test_wrong_recipes_are_one_sentence(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        replace(recipe("cnn_fuse", "smoke"), **options)


def test_patches_must_fit_the_poolings() -> None:
    with pytest.raises(OptionError, match="patch is 12; give a multiple of 8"):
        replace(recipe("icacs18", "smoke"), patch=12).model()


# ----------------------------------------------------------------------------------------------------- study


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_network_answer_in_both_orders(kind: str) -> None:
    net = KINDS[kind](width=0.0625, hidden=4).eval()
    a, b = torch.rand(2, 3, 1, 24, 24)
    for got, expected in zip(net.in_both_orders(a, b), (net(a, b), net(b, a)), strict=True):
        assert torch.allclose(got, expected, atol=1e-6)
    assert net(a, b).shape == (3, 2, 1, 1)


def test_pseudo_siamese_branches_learn_apart() -> None:
    net = KINDS["pseudo-siamese"](width=0.0625, hidden=4)
    a, b = torch.rand(2, 3, 1, 24, 24)
    assert torch.allclose(net(a, b), net.compare(net.features(a), net.features(b)))  # they start alike
    with torch.no_grad():
        net.other[0].weight += 1
    assert not torch.allclose(net(a, b), net.compare(net.features(a), net.features(b)))


def test_borders_on_the_grid_are_counted() -> None:
    decision = np.zeros((32, 32))
    decision[:, 16:] = 1
    assert patch_study.on_grid(decision) == 1
    decision[:, 16:19] = 0
    assert patch_study.on_grid(decision) == 0
    assert patch_study.on_grid(np.zeros((32, 32))) == 0


def test_accuracy_counts_both_orders(photographs) -> None:
    class Detail(torch.nn.Module):
        """Says first wherever its first input is the rougher; with `stubborn` always."""

        def __init__(self, stubborn: bool) -> None:
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(1))
            self.stubborn = stubborn

        def in_both_orders(self, a, b):
            rough = [x.diff(dim=-1).abs().mean((1, 2, 3)) for x in (a, b)]
            first = torch.ones(len(a)) if self.stubborn else torch.sign(rough[0] - rough[1])
            second = torch.ones(len(a)) if self.stubborn else -first
            return [torch.stack([-x, x], 1)[:, :, None, None] for x in (first, second)]

    data = pairs_of(photographs, levels=(3,))
    assert patch_study.accuracy(Detail(stubborn=False), data, batch=5) == 1
    assert patch_study.accuracy(Detail(stubborn=True), data, batch=5) == 0.5


SMALL = {"width": 0.0625, "epochs": 1, "samples": 64, "validation": 10}


@pytest.mark.parametrize(("method", "change"), [("cnn_fuse", {}), ("cnn_fuse", {"kind": "2-channel"}), ("cnnwt", {})])
def test_a_training_of_a_study_is_measured(method, change, photographs, small_stacks, tmp_path) -> None:
    small = replace(patch_study.STUDIES[method].recipe, **SMALL)
    small = patch_study.changed(small, change, "practical")
    seen = {"train": photographs, "val": photographs}
    stacks = list(mff.load("embedded", kind="composite", levels=(3,), size=64))[:1]
    row = patch_study.measure(method, small, seen, stacks, tmp_path / "run", device="cpu")
    log = read_log(tmp_path / "run" / "log.csv")[-1]
    columns = ("val_low_accuracy", "val_high_accuracy") if method == "cnnwt" else ("val_accuracy",)
    assert row["accuracy"] == np.mean([log[name] for name in columns])
    assert 0 <= row["accuracy anywhere"] <= 1
    assert {"qabf", "mask_iou", "on grid"} <= row.keys() or change, "only a siamese network can fuse"
    network = load_model(small.model(), tmp_path / "run" / "best.safetensors").eval()
    assert 0 <= patch_study.real_accuracy(small, network, "any") <= 1


def test_changes_keep_their_proportion_at_the_size_of_the_paper() -> None:
    study = patch_study.STUDIES["icacs18"]
    paper = recipe("icacs18", "paper")
    longer = patch_study.changed(study.recipe, {"epochs": 3 * study.recipe.epochs}, "paper")
    assert longer == replace(paper, epochs=3 * paper.epochs)
    slower = patch_study.changed(study.recipe, {"poolings": 1, "rate": 0.3 * study.recipe.rate}, "paper")
    assert slower.rate == pytest.approx(0.3 * paper.rate)
    assert replace(slower, rate=paper.rate) == replace(paper, poolings=1)


@pytest.mark.parametrize("name", patch_study.STUDIES)
def test_a_study_is_recorded_and_goes_on(name, photographs, small_stacks, monkeypatch, tmp_path) -> None:
    """At a tiny size, two seeds in two calls, with the wrong answers of each row in a table of its own."""
    chosen = patch_study.STUDIES[name]
    changes = dict(list(chosen.changes.items())[:2])
    small = replace(chosen, recipe=replace(chosen.recipe, **SMALL), changes=changes)
    stacks = list(mff.load("embedded", kind="composite", levels=(3,), size=64))[:1]
    monkeypatch.setitem(patch_study.STUDIES, name, small)
    monkeypatch.setattr(patch_study, "PAIRS", 6)
    monkeypatch.setattr(patch_study, "load", lambda *_, **__: stacks)
    for module in (patch_study, patch_errors):
        monkeypatch.setattr(module, "load_regions", lambda name, split: photographs)
    monkeypatch.setattr(studies, "manifest_folder", lambda: tmp_path)
    monkeypatch.setattr(runner, "origin", lambda machine: {"commit": "abc", "device": machine, "date": "2026-01-01"})
    said = []
    for seeds in (1, 2):
        options = studies.Options(machine="a test", data="embedded", real="any", seeds=seeds, device="cpu")
        path = runner.run(name, options, tmp_path / "runs", report=said.append)
    assert [line.partition(" rows")[0] for line in said if "recorded;" in line or "recorded," in line] == [
        "0 of 2", "1 of 2", "2 of 4", "3 of 4",
    ]  # fmt: skip
    table = pd.read_csv(path)
    assert list(zip(table["network"], table["seed"], strict=True)) == [(row, seed) for seed in (1, 2) for row in changes]
    for _, row in table.iterrows():
        errors = pd.read_csv(path.parent / row["errors"])
        assert list(errors["kind"].unique()) == list(KINDS_OF_PAIRS)
        assert set(errors["answers"]) == {12}
        assert (errors["low"] <= errors["error"]).all()
        assert (errors["error"] <= errors["high"]).all()
        means = errors.groupby("kind")["error"].mean()
        assert all(row[f"error, {kind}"] == pytest.approx(means[kind], abs=1e-5) for kind in KINDS_OF_PAIRS)


def test_recorded_studies_are_complete() -> None:
    """Recorded are the recipes that stand here, each network with the first seeds, three or more."""
    for name, study in patch_study.STUDIES.items():
        trained = dict(list(runner.read(name).groupby("network")))
        assert trained.keys() == study.changes.keys()
        for network, rows in trained.items():
            assert sorted(rows["seed"]) == [1, 2, 3, 4, 5][: max(3, len(rows))]
            assert set(rows["epochs"]) == {replace(study.recipe, **study.changes[network]).epochs}
            assert set(rows["samples"]) == {study.recipe.samples}
        assert (trained[next(iter(study.changes))]["accuracy"] > 0.9).all()


def test_blur_of_a_level_is_that_of_the_embedded_set(photographs) -> None:
    image = photographs[0].image[:64, :64, 0]
    assert np.array_equal(repeated_blur(image, 2), mff.data.synthetic.blur_levels(image, 2)[1])
    assert to_unit(image).max() <= 1
