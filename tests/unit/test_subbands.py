"""The mapping of sub-bands: Haar's transform, symmetry, identity, and a training that beats the fixed rule."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import pywt
import torch

import mffrepro as mff
from mffrepro import tiling
from mffrepro.data import load_regions
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack, from_unit
from mffrepro.models import subbands, weights
from mffrepro.training import recipes, studies
from mffrepro.training.ship import ship
from mffrepro.training.studies import Options, runner
from mffrepro.training.studies import subbands as study
from mffrepro.training.subbands import PRESETS
from mffrepro.training.trainer import go_on, read_log, train

DOMAINS = list(subbands.MAPS)


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


def stirred(domain: str = "wavelet", seed: int = 0) -> subbands.Subbands:
    """A network whose corrections are as large as its bands."""
    torch.manual_seed(seed)
    network = subbands.Subbands(domain=domain, width=0.125)
    for mapping in network.mappings.values():
        torch.nn.init.normal_(mapping.body[-1].weight, std=0.2)
        torch.nn.init.normal_(mapping.body[-1].bias, std=0.2)
    return network.eval()


def fused(stack: FocusStack, network: subbands.Subbands, **options) -> np.ndarray:
    return from_unit(subbands.fuse(stack, network, **options)[0], stack.images.dtype)


@pytest.fixture(scope="module")
def regions():
    photographs = load_regions("embedded")
    return {"train": photographs, "val": photographs[:2]}


# ------------------------------------------------------------------------------------------------ transform


def test_the_transform_is_that_of_pywavelets() -> None:
    image = rand(1, 1, 1, 12, 18)
    low, details = pywt.dwt2(image[0, 0].numpy(), "haar", "periodization")
    bands = subbands.split(image)
    np.testing.assert_allclose(2 * bands["low"][0, 0], low, atol=1e-6)
    np.testing.assert_allclose(bands["high"][0], np.stack(details), atol=1e-6)
    torch.testing.assert_close(subbands.join(bands), image)


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_can_be_inverted(domain: str) -> None:
    network, image = stirred(domain), rand(2, 2, 1, 8, 6)
    torch.testing.assert_close(network.join(network.split(image)), image)


def test_an_untrained_network_is_the_fixed_rule() -> None:
    pair = [rand(seed, 1, 1, 10, 14) for seed in (1, 2)]
    (low_a, high_a), (low_b, high_b) = (pywt.dwt2(x[0, 0].double().numpy(), "haar") for x in pair)
    details = [np.where(np.abs(a) >= np.abs(b), a, b) for a, b in zip(high_a, high_b, strict=True)]
    expected = pywt.idwt2(((low_a + low_b) / 2, details), "haar")
    np.testing.assert_allclose(subbands.Subbands(width=0.125)(*pair).detach()[0, 0], expected, atol=1e-6)
    for options in ({"domain": "blocks"}, {"domain": "image"}, {"details": "mean"}):
        torch.testing.assert_close(subbands.Subbands(**options, width=0.125)(*pair), (pair[0] + pair[1]) / 2)


# ------------------------------------------------------------------------------------------------- networks


def test_sizes_of_the_networks() -> None:
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in subbands.Subbands().mappings.items()}
    assert sizes == {"low": 149_505, "high": 152_963}
    for domain in ("blocks", "image"):
        control = sum(p.numel() for p in subbands.Subbands(domain=domain).parameters())
        assert control == pytest.approx(sum(sizes.values()), rel=0.005), "as large as both together"


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_order_of_two_sources_does_not_matter(domain: str) -> None:
    network, a, b = stirred(domain), rand(1, 1, 1, 21, 18), rand(2, 1, 1, 21, 18)
    with torch.inference_mode():
        torch.testing.assert_close(network(a, b), network(b, a), atol=1e-5, rtol=0)
        one = network.mappings[next(iter(network.mappings))]
        first, second = (network.split(x[..., :20, :])[next(iter(network.mappings))] for x in (a, b))
        assert (one(first, second) - one(second, first)).abs().max() > 0.01, "one order alone is not symmetric"


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(23, 32), (3, 5, 3), (40, 31, 3)])
def test_equal_images_come_back(domain: str, dtype, shape: tuple[int, ...]) -> None:
    image = from_unit(np.random.default_rng(4).random(shape), np.dtype(dtype))
    stack = FocusStack("same", np.stack([image] * 3))
    for colour in ("luma", "channels"):
        result = fused(stack, stirred(domain), colour=colour)
        assert (result.dtype, result.shape) == (image.dtype, image.shape)
        if dtype == np.uint8:
            np.testing.assert_array_equal(result, image)
        np.testing.assert_allclose(result.astype(float), image.astype(float), atol=1e-5 * (65535 if dtype == np.uint16 else 1))


def test_corrections_stay_within_the_differences_nearby() -> None:
    network, a = stirred(), rand(1, 1, 1, 32, 32)
    b = a.clone()
    b[..., 12:16, 12:16] = 1 - b[..., 12:16, 12:16]
    changed = (network(a, b) - a).abs().detach() > 1e-6
    assert changed[..., 10:18, 10:18].any()
    changed[..., 10:18, 10:18] = False  # one coefficient around them
    assert not changed.any()


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("height", [150, 151])
def test_strips_give_what_the_whole_image_gives(domain: str, height: int, monkeypatch) -> None:
    network, pair = stirred(domain), [rand(seed, 1, 1, height, 37) for seed in (1, 2)]
    with torch.inference_mode():
        whole = network(*pair)
    monkeypatch.setitem(tiling.NETWORK_PIXELS, "cpu", 1)
    monkeypatch.setattr(tiling, "HALO_RATIO", 2)
    assert len(list(tiling.strips(height, 37, 2 * 37 * network.reach, network.reach))) > 2
    torch.testing.assert_close(tiling.map_network(network, pair, network.reach), whole, atol=2e-5, rtol=0)


def test_colour_is_fused_by_luma_or_channel_by_channel() -> None:
    images = np.random.default_rng(1).random((2, 24, 22, 3), np.float32)
    stack, network = FocusStack("colour", images), stirred()
    red = FocusStack("red", np.ascontiguousarray(images[..., 0]))
    np.testing.assert_allclose(
        subbands.fuse(stack, network, colour="channels")[0][..., 0], subbands.fuse(red, network)[0], atol=1e-6
    )
    lumas = FocusStack("luma", (images @ np.float32([0.299, 0.587, 0.114])).astype(np.float32))
    luma = subbands.fuse(stack, network)[0] @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(luma, subbands.fuse(lumas, network)[0], atol=1e-5)
    with pytest.raises(OptionError, match="no colour 'lume'"):
        subbands.fuse(stack, network, colour="lume")


def test_more_than_two_are_fused_in_turn() -> None:
    images, network = np.random.default_rng(1).random((3, 24, 22), np.float32), stirred()
    two = subbands.fuse(FocusStack("two", images[:2]), network)[0].astype(np.float32)
    again = subbands.fuse(FocusStack("again", np.stack([two, images[2]])), network)[0]
    np.testing.assert_allclose(subbands.fuse(FocusStack("three", images), network)[0], again, atol=1e-6)


def test_an_unknown_domain_is_named() -> None:
    with pytest.raises(OptionError, match="no domain 'wavelets'; did you mean 'wavelet'"):
        subbands.Subbands(domain="wavelets")
    with pytest.raises(OptionError, match="no details 'largest'; did you mean 'larger'"):
        subbands.Subbands(details="largest")


# ------------------------------------------------------------------------------------------------- training


def test_pairs_are_complementary_and_of_the_five_levels(regions) -> None:
    data = recipes.recipe("subbands", "practical").data(regions["train"], split="train", seed=1)
    for sample in (data[i] for i in range(8)):
        a, b, original = (sample[name] for name in ("a", "b", "original"))
        blurred = (a + b - original)[0].numpy()
        levels = mff.data.synthetic.blur_levels(original[0].numpy())
        inside = np.s_[16:-16, 16:-16]  # the levels here mirror the border of the crop as the pairs do
        assert min(np.abs(blurred - level)[inside].max() for level in levels) < 1e-5


def batch_of(recipe, regions) -> dict[str, torch.Tensor]:
    data = recipe.data(regions["train"], split="train", seed=3)
    samples = [data[i] for i in range(4)]
    return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}


@torch.inference_mode()
def test_the_log_tells_the_error_of_the_fixed_rule(regions) -> None:
    recipe = PRESETS["smoke"]
    batch, model = batch_of(recipe, regions), recipe.model()
    losses = {name: float(loss) for name, loss in recipe.losses(model, batch).items()}
    assert losses["total"] == pytest.approx(losses["rule"]), "an untrained network is the rule"
    assert losses["low"] + losses["high"] == pytest.approx(losses["total"])
    assert losses["low_rule"] + losses["high_rule"] == pytest.approx(losses["rule"])
    gap = (model(batch["a"], batch["b"]) - batch["original"]).abs().mean()
    assert losses["error"] == pytest.approx(float(gap), abs=1e-6)


@torch.inference_mode()
def test_the_first_epochs_minimise_root_mean_squares_and_are_validated_by_the_absolute_error(regions) -> None:
    recipe, model = PRESETS["smoke"], stirred()
    batch = batch_of(recipe, regions)
    recipe.begin_epoch(model, 0)
    early = {name: float(loss) for name, loss in recipe.losses(model, batch).items()}
    a, b, truth = (model.split(batch[name]) for name in ("a", "b", "original"))
    gaps = [mapping(a[name], b[name]) - truth[name] for name, mapping in model.mappings.items()]
    assert early["total"] == pytest.approx(sum(float(gap.square().mean().sqrt()) for gap in gaps), rel=1e-4)
    recipe.begin_epoch(model, recipe.epochs)
    late = {name: float(loss) for name, loss in recipe.losses(model, batch).items()}
    assert late["total"] == pytest.approx(late["low"] + late["high"])
    assert {name: value for name, value in early.items() if name != "total"} == {n: v for n, v in late.items() if n != "total"}


def test_a_root_of_no_error_has_a_finite_slope(regions) -> None:
    recipe, model = PRESETS["smoke"], PRESETS["smoke"].model()
    batch = batch_of(recipe, regions)
    recipe.begin_epoch(model, 0)
    recipe.losses(model, batch | {"a": batch["original"], "b": batch["original"]})["total"].backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_training_beats_the_fixed_rule(regions, tmp_path) -> None:
    recipe = replace(PRESETS["smoke"], width=0.25, epochs=6, samples=64, batch=8, rate=0.003, validation=16)
    train(recipe, regions, tmp_path / "run", device="cpu")
    last = read_log(tmp_path / "run" / "log.csv")[-1]
    assert last["val_total"] < last["val_rule"]


@pytest.mark.parametrize("domain", DOMAINS)
def test_bfloat16_rounds_the_corrections_only(regions, domain: str) -> None:
    recipe, network = PRESETS["smoke"], stirred(domain)
    batch = batch_of(recipe, regions)
    exact = recipe.losses(network, batch)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = recipe.losses(network, batch)
    assert torch.equal(rounded["rule"], exact["rule"])
    for name, loss in rounded.items():
        assert loss.dtype == torch.float32
        assert float(loss.detach()) == pytest.approx(float(exact[name].detach()), rel=0.02)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_trained_network_ships_and_fuses(regions, tmp_path, domain: str) -> None:
    recipe = replace(PRESETS["smoke"], epochs=1, domain=domain)
    network = train(recipe, regions, tmp_path / "run", device="cpu")
    path = ship(tmp_path / "run", "subbands.trial", data="embedded", device="a test", folder=tmp_path)
    again = weights.load(subbands.SOURCE, "subbands", str(path), "cpu")
    assert again.options == network.options == {"domain": domain, "details": "larger", "width": 0.125}
    stack = FocusStack("pair", mff.load("embedded")["coffee_blur3"].images[:, :47, :40])
    assert np.abs(fused(stack, again).astype(int) - fused(stack, network)).max() <= 1


def test_shipped_weights_of_full_size_are_small() -> None:
    from mffrepro.models.weights import to_bytes

    for domain in DOMAINS:
        network = subbands.Subbands(domain=domain)
        assert len(to_bytes(network, network.options, half=True)) < 1.5e6


# ---------------------------------------------------------------------------------------------------- study


def test_a_study_records_scores_pair_by_pair(regions, tmp_path, monkeypatch) -> None:
    pairs = [mff.load("embedded", size=96)[name] for name in ("coffee_blur3", "chelsea_blur3")]
    real = [FocusStack(pair.name, pair.images) for pair in pairs]
    monkeypatch.setattr(study, "PRESETS", {"practical": PRESETS["smoke"]})
    monkeypatch.setattr(study, "load_regions", lambda name, split: regions[split])
    monkeypatch.setattr(study, "load", lambda name, **_: pairs if name == "embedded" else real)
    monkeypatch.setattr(studies, "manifest_folder", lambda: tmp_path)
    monkeypatch.setattr(runner, "origin", lambda machine: {"commit": "abc", "device": machine, "date": "2026-01-01"})
    runner.run("subbands", Options(machine="a test", data="embedded", device="cpu"), tmp_path / "runs", report=lambda _: None)
    table = runner.read("subbands")
    assert table[["domain", "details"]].to_dict("records") == list(study.ROWS)
    assert set(table["domain"]) == set(DOMAINS)
    for _, row in table.iterrows():
        scores = pd.read_csv(runner.table_path("subbands").parent / row["scores"]).set_index(["data", "stack"])
        assert len(scores) == 4
        assert scores.loc["real", list(study.METRICS)].notna().all(axis=None)
        known = ["psnr", "error near the border", "rms near the border"]
        assert scores.loc["embedded", known].notna().all(axis=None)
        for name in (*study.METRICS, *known):
            assert row[name] == pytest.approx(scores[name].mean(), rel=1e-4)
        assert (row["parameters"], row["epochs"]) == (_parameters(row["domain"]), PRESETS["smoke"].epochs)
        assert row["val_rule"] > 0


def _parameters(domain: str) -> int:
    return sum(p.numel() for p in subbands.Subbands(domain=domain, width=PRESETS["smoke"].width).parameters())


def test_a_network_that_is_measured_is_that_of_its_run(regions, tmp_path) -> None:
    recipe = replace(PRESETS["smoke"], epochs=1)
    network = go_on(recipe, regions, tmp_path / "run", device="cpu")
    pair = mff.load("embedded", size=96)["coffee_blur3"]
    row = study.measure(network, recipe, tmp_path / "run", {"embedded": [pair]})
    assert row["psnr"] == pytest.approx(mff.evaluate(pair, fused(pair, network), ["psnr"])["psnr"])
