"""Focal: tiles against whole frames, any order and number of frames, shares, depth, and its recipe."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import mffrepro as mff
from mffrepro.data import load_regions
from mffrepro.data.conditions import depth_stacks
from mffrepro.data.handheld import NONE, take_shots
from mffrepro.errors import OptionError
from mffrepro.images import Shares
from mffrepro.methods import load_network
from mffrepro.models.focal import REACH, STEP, Exchange, Focal, method
from mffrepro.training import studies
from mffrepro.training.focal import PRESETS, depth_entropy
from mffrepro.training.studies import Options, runner
from mffrepro.training.studies import focal as study


def rand(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.fixture(scope="module")
def network() -> Focal:
    return load_network("focal.random", device="cpu")


@pytest.fixture(scope="module")
def shots():
    return take_shots(NONE, frames=5, size=256)


# ------------------------------------------------------------------------------------------------------ network


def test_an_exchange_convolves_each_frame_and_the_maximum_of_its_stack() -> None:
    exchange = Exchange(2)
    x = torch.from_numpy(rand(1, 6, 2, 8, 8))  # two stacks of three frames
    found = exchange(x, 2)
    for stack, results in ((x[:3], found[:3]), (x[3:], found[3:])):
        best = stack.max(0).values[None]
        together = torch.cat([exchange.own.weight, exchange.best.weight], 1)
        for frame, result in zip(stack, results, strict=True):
            new = torch.conv2d(torch.cat([frame[None], best], 1), together, exchange.own.bias, padding=1)
            torch.testing.assert_close(result, frame + new[0].relu(), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_stacks_of_a_batch_do_not_see_each_other(network) -> None:
    frames = torch.from_numpy(rand(2, 3, 4, 32, 40))
    both = network(frames)
    assert both.shape == (3, 4, 2, 32, 40)
    for one, scores in zip(frames, both, strict=True):
        torch.testing.assert_close(network(one[None])[0], scores, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_no_score_depends_on_pixels_beyond_the_reach(network) -> None:
    frames = torch.from_numpy(rand(3, 1, 2, 16, 2 * REACH + 64))
    changed = frames.clone()
    changed[..., :32] = 1 - changed[..., :32]
    beyond = np.s_[..., 32 + REACH :]
    torch.testing.assert_close(network(frames)[beyond], network(changed)[beyond], atol=1e-6, rtol=0)
    assert not torch.equal(network(frames)[..., 32:], network(changed)[..., 32:])


# ------------------------------------------------------------------------------------------------------- method


@pytest.mark.parametrize("shape", [(300, 200), (37, 301), (5, 6), (1, 1)])
def test_tiles_give_what_whole_frames_give(network, monkeypatch, shape) -> None:
    images = rand(4, 3, *shape)
    whole = method.fuse(mff.images.FocusStack("noise", images), network)
    monkeypatch.setattr(method, "TILE", 1)
    monkeypatch.setattr(method, "LEAST_TILE", 1)
    pieces = method.fuse(mff.images.FocusStack("noise", images), network)
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=2e-3)  # shares of noise turn on rounding


def test_tiles_cover_the_image_once() -> None:
    count = np.zeros((333, 1001), int)
    for rows, columns in method.tiles(333, 1001, 40_000):
        count[rows.rows, columns.rows] += 1
        for strip in (rows, columns):
            assert strip.rows.start % STEP == strip.with_halo.start % STEP == 0
            assert strip.rows.start - strip.with_halo.start in (0, REACH) or strip.with_halo.start == 0
    assert (count == 1).all()


@pytest.mark.parametrize("count", [2, 7])
def test_the_order_of_the_frames_does_not_matter(shots, count: int) -> None:
    frames = take_shots(replace(NONE, noise=2.0), frames=count, size=224).images
    order = np.random.default_rng(5).permutation(count)
    there, other = mff.fuse(frames, "focal"), mff.fuse(frames[order], "focal")
    assert np.abs(there.image.astype(int) - other.image).max() <= 1  # float sums in another order
    assert (there.image == other.image).mean() > 0.999


def test_no_pixel_lies_outside_its_sources(shots) -> None:
    images = shots.images
    fused = mff.fuse(images, "focal").image.astype(int)
    assert (fused >= images.min(0).astype(int) - 1).all()
    assert (fused <= images.max(0).astype(int) + 1).all()


def test_equal_frames_share_alike_and_give_the_frame() -> None:
    image = (255 * rand(6, 64, 48, 3)).astype(np.uint8)
    result = mff.fuse([image] * 3, "focal")
    np.testing.assert_array_equal(result.image, image)
    np.testing.assert_allclose(result.decision, 1 / 3, atol=1e-5)


def test_a_large_sharpness_takes_the_largest_share(shots) -> None:
    soft = np.asarray(mff.fuse(shots.images, "focal").shares)
    crisp = np.asarray(mff.fuse(shots.images, "focal", sharpness=100.0).shares)
    two = np.sort(soft, 0)[-2:]
    clear = two[1] > 1.2 * two[0]
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(crisp.argmax(0)[clear], soft.argmax(0)[clear])
    assert crisp.max(0)[clear].min() == 1
    assert (np.asarray(mff.fuse(shots.images, "focal.crisp").shares).max(0) >= soft.max(0) - 1e-6).all()
    with pytest.raises(OptionError, match="sharpness is 0"):
        mff.fuse(shots.images, "focal", sharpness=0.0)


def test_at_most_four_frames_share_a_pixel_and_shares_add_up_to_one() -> None:
    frames = rand(7, 9, 40, 50)
    shares = np.asarray(mff.fuse(frames, "focal").shares)
    assert (shares > 0).sum(0).max() <= method.SHARED
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-5)


def test_largest_shares_are_the_same_as_planes() -> None:
    random = np.random.default_rng(8)
    planes = random.random((6, 20, 30)).astype(np.float32) ** 8
    order = np.argsort(-planes, 0)[:3]
    kept = np.take_along_axis(planes, order, 0)
    kept /= kept.sum(0)
    kept[:, :10], kept[0, :10] = 0, 1  # some pixels have one source
    full = np.zeros_like(planes)
    np.put_along_axis(full, order, kept, 0)
    found = Shares.of_largest(order.astype(np.uint16), kept, 6)
    np.testing.assert_array_equal(np.asarray(found), full)
    np.testing.assert_array_equal(found.main, order[0])
    assert sum(len(pixels) for pixels, _ in found.mixed) == (full[:, 10:] > 0).sum()


def test_depth_is_the_mean_of_the_frames_beside_the_most_probable() -> None:
    probability = torch.tensor([0.05, 0.1, 0.6, 0.2, 0.05]).reshape(5, 1, 1)
    depth, within = method.place(probability)
    assert float(depth) == pytest.approx((0.1 * 1 + 0.6 * 2 + 0.2 * 3) / 0.9)
    assert float(within) == pytest.approx(0.9)
    first, _ = method.place(torch.tensor([0.7, 0.3]).reshape(2, 1, 1))
    assert float(first) == pytest.approx(0.3)


def test_shipped_weights_find_sharpness_and_depth(shots) -> None:
    """On a rendered scene that the training did not see: better than the pyramid, and than the best constant depth."""
    result = mff.fuse(shots.images, "focal")
    stack = shots.with_truth(mff.images.FocusStack("shots", shots.images))
    error = {name: mff.evaluate(stack, mff.fuse(stack, name).image, ["psnr"])["psnr"] for name in ("focal", "lp")}
    assert error["focal"] > error["lp"]
    truth = shots.true_depth(result.depth.shape)
    assert np.median(np.abs(result.depth - truth)) < 0.3 * np.median(np.abs(truth - np.median(truth)))
    assert result.confidence.min() >= 0
    assert result.confidence.max() <= 1 + 1e-5


# ------------------------------------------------------------------------------------------------------- recipe


def test_depth_entropy_is_least_at_the_true_depth() -> None:
    depth = torch.full((1, 4, 4), 1.25)
    true = torch.tensor([1e-9, 0.75, 0.25, 1e-9]).log().reshape(1, 4, 1, 1).expand(1, 4, 4, 4)
    least = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert float(depth_entropy(true, depth)) == pytest.approx(least, abs=1e-5)
    assert float(depth_entropy(torch.zeros(1, 4, 4, 4), depth)) == pytest.approx(np.log(4))
    last = torch.tensor([1e-9, 1e-9, 1e-9, 1.0]).log().reshape(1, 4, 1, 1).expand(1, 4, 4, 4)
    assert float(depth_entropy(last, torch.full((1, 4, 4), 3.0))) == pytest.approx(0, abs=1e-5)


def test_each_scene_comes_once_an_epoch_and_batches_have_one_number_of_frames() -> None:
    recipe = replace(PRESETS["smoke"], frames=(2, 3, 5), samples=24)
    data = recipe.data(load_regions("embedded"), split="train", seed=1)
    orders = []
    for epoch in range(2):
        data.begin_epoch(epoch)
        orders.append([data._scene(i) for i in range(24)])
        assert sorted(orders[-1]) == list(range(24))
        lengths = [len(data[i]["frames"]) for i in range(24)]
        assert all(len({*lengths[start : start + recipe.batch]}) == 1 for start in range(0, 24, recipe.batch))
    assert orders[0] != orders[1]


def test_the_same_seed_gives_the_same_samples_in_any_order() -> None:
    recipe = PRESETS["smoke"]
    one, other = (recipe.data(load_regions("embedded"), split="train", seed=3) for _ in range(2))
    other[5], other[0]
    for name, value in one[5].items():
        torch.testing.assert_close(value, other[5][name], atol=0, rtol=0)


def test_turns_move_frames_sharp_scene_and_depth_alike() -> None:
    recipe = replace(PRESETS["smoke"], size=96, crop=96, frames=(3,), samples=12)
    data = recipe.data(load_regions("embedded"), split="train", seed=1)
    for i in range(12):
        sample = {name: value.numpy() for name, value in data[i].items()}
        assert np.corrcoef(sample["frames"].mean(0).ravel(), sample["sharp"].ravel())[0, 1] > 0.9
        nearest = np.take_along_axis(sample["frames"], sample["depth"].round().astype(int)[None], 0)[0]
        others = np.abs(sample["frames"] - sample["sharp"]).mean()
        assert np.abs(nearest - sample["sharp"]).mean() < others


@pytest.mark.parametrize("wrong", [{"crop": 20}, {"crop": 400}, {"frames": ()}, {"frames": (1,)}, {"depth": -1.0}])
def test_recipes_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(OptionError, match="give"):
        replace(PRESETS["practical"], **wrong)


# ------------------------------------------------------------------------------------------------------- study


def test_a_study_scores_stacks_with_truth_and_pairs(tmp_path, monkeypatch) -> None:
    pair = mff.load("embedded", size=96)["coffee_blur3"]
    monkeypatch.setattr(study, "PRESETS", {"practical": replace(PRESETS["smoke"], epochs=1)})
    monkeypatch.setattr(study, "load_regions", lambda *_, **__: load_regions("embedded"))
    monkeypatch.setattr(study, "load", lambda name: [mff.images.FocusStack(pair.name, pair.images)])
    made = [one for one, _ in zip(depth_stacks("frames3", size=192), range(2), strict=False)]
    monkeypatch.setattr(study, "depth_stacks", lambda condition: made)
    monkeypatch.setattr(study, "CONDITIONS", ("frames3",))
    monkeypatch.setattr(studies, "manifest_folder", lambda: tmp_path)
    monkeypatch.setattr(runner, "origin", lambda machine: {"commit": "abc", "device": machine, "date": "2026-01-01"})
    runner.run("focal", Options(machine="a test", device="cpu"), tmp_path / "runs", report=lambda _: None)
    table = runner.read("focal")
    assert list(table["changed"]) == list(study.CHANGES)
    for _, row in table.iterrows():
        scores = pd.read_csv(runner.table_path("focal").parent / row["scores"]).set_index("stack")
        truth, measured = scores.loc[[one.name for one in made]], scores.loc[[pair.name]]
        assert truth[["psnr", "ssim", "depth"]].notna().all(axis=None)
        assert measured[list(study.METRICS)].notna().all(axis=None)
        assert measured["psnr"].isna().all()
        assert row["psnr"] == pytest.approx(truth["psnr"].mean(), rel=1e-4)


def test_a_network_that_compares_no_frames_scores_each_alone() -> None:
    network = Focal(compare=False).eval()
    frames = torch.from_numpy(rand(9, 1, 3, 32, 32))
    with torch.inference_mode():
        alone = torch.cat([network(frames[:, n : n + 1]) for n in range(3)], 1)
        torch.testing.assert_close(network(frames), alone, atol=1e-5, rtol=1e-5)
        compared = Focal().eval()
        parts = torch.cat([compared(frames[:, n : n + 1]) for n in range(3)], 1)
        assert (compared(frames) - parts).abs().max() > 1e-3


def test_the_weights_are_those_of_the_median_seed():
    from mffrepro.models.weights import card
    from mffrepro.training.studies.runner import read

    rows = read("focal").query("changed == ''").sort_values("val_psnr")
    assert len(rows) == 5
    assert card("focal.default")["seed"] == rows["seed"].iloc[2]
