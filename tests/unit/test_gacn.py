"""The layout of GACN, its activity level against a direct sum, and its inference."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

import mffrepro as mff
from mffrepro.fusion.multi_image import combine
from mffrepro.images import to_gray, to_unit
from mffrepro.methods import load_network
from mffrepro.models import gacn
from mffrepro.models.gacn import ranking


def gray(seed: int, height: int = 40, width: int = 33) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((1, 1, height, width), np.float32))


def test_parameters_are_those_of_the_authors_checkpoint() -> None:
    network = gacn.GACN()
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert count == {"features": 14416, "decision": 54404}
    assert sum(p.numel() for p in network.parameters()) == 68820


def test_maps_have_the_size_of_the_images() -> None:
    maps = gacn.GACN().eval()(gray(1), gray(2))
    assert {tuple(m.shape) for m in maps} == {(1, 1, 40, 33)}


@pytest.mark.parametrize("activity", ["paper", "published"])
def test_spatial_frequency_is_the_sum_written_out(activity: str) -> None:
    network = gacn.GACN(activity=activity)
    features = torch.from_numpy(np.random.default_rng(0).random((1, 2, 9, 13)))
    got = network.spatial_frequency(features)[0].numpy()
    for channel in range(2):
        assert np.allclose(got[channel], _direct(features[0, channel].numpy(), activity), rtol=1e-9)


def _direct(x: np.ndarray, activity: str) -> np.ndarray:
    """Eq. 1-3 pixel by pixel, or the authors' reading: zeros outside, no root, no normalisation."""
    r, (height, width) = 5, x.shape
    squares = np.zeros_like(x)
    for i in range(height):
        for j in range(width):
            outside = 0.0 if activity == "published" else x[i, j]
            left = x[i, j - 1] if j else outside
            up = x[i - 1, j] if i else outside
            squares[i, j] = (x[i, j] - left) ** 2 + (x[i, j] - up) ** 2
    padded = np.pad(squares, r, mode="constant" if activity == "published" else "edge")
    sums = np.array([[padded[i : i + 11, j : j + 11].sum() for j in range(width)] for i in range(height)])
    return sums if activity == "published" else np.sqrt(sums / 121)


def test_boundary_smoothing_changes_only_the_band() -> None:
    """Paper's reading: outside [0.1, 0.8] of the blurred map the initial map stays."""
    network = gacn.GACN(boundary="paper")
    a, b = gray(3, 64, 64), gray(4, 64, 64)
    initial = torch.zeros(1, 1, 64, 64)
    initial[..., :32] = 1
    final = network.smooth_boundary(initial, a, b, "paper")
    assert torch.equal(final[..., :24], initial[..., :24])
    assert torch.equal(final[..., 40:], initial[..., 40:])
    assert not torch.equal(final, initial)


def test_no_boundary_smoothing_leaves_the_initial_map() -> None:
    maps = gacn.GACN(boundary="none").eval()(gray(5), gray(6))
    assert torch.equal(maps.initial, maps.final)


def test_identical_images_give_that_image() -> None:
    image = np.random.default_rng(7).integers(0, 256, (48, 40, 3), np.uint8)
    fused = mff.fuse([image, image], "gacn", weights="random").image
    assert np.abs(fused.astype(int) - image).max() <= 1


def test_default_weights_find_the_sharp_side() -> None:
    stack = mff.load("embedded")["coffee_blur3"]
    result = mff.fuse(stack, "gacn")
    right = (result.decision.argmax(0) == stack.decision.argmax(0)).mean()
    assert right > 0.97
    swapped = mff.fuse([stack.images[1], stack.images[0]], "gacn")
    assert (swapped.decision.argmax(0) != result.decision.argmax(0)).mean() > 0.97


def test_half_precision_weights_lose_nothing_visible(tmp_path) -> None:
    """Weights in single precision, and the same weights as a float16 file, fuse to the same gray levels."""
    from mffrepro.models.weights import to_bytes

    network = copy.deepcopy(load_network("gacn", device="cpu"))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():  # digits that float16 lacks, as a training leaves them
            parameter.mul_(1 + 4e-4 * (torch.rand(parameter.shape, generator=generator) - 0.5))
    stack = mff.load("embedded", size=128)["coffee_blur3"]
    fused = []
    for half in (False, True):
        (tmp_path / f"{half}.safetensors").write_bytes(to_bytes(network, network.options, half=half))
        fused.append(mff.fuse(stack, "gacn", weights=str(tmp_path / f"{half}.safetensors"), device="cpu").image.astype(int))
    single, short = (load_network(f"gacn.{tmp_path}/{name}.safetensors").state_dict() for name in (False, True))
    assert any(not torch.equal(single[name], short[name]) for name in single)
    assert (np.abs(fused[0] - fused[1]) > 1).mean() < 1e-3, "a pixel may change its source where both are equally sharp"
    assert np.abs(fused[0] - fused[1]).mean() < 0.01


def test_ranking_is_what_auto_takes_for_many() -> None:
    images = list(np.random.default_rng(9).integers(0, 256, (3, 32, 32), np.uint8))
    auto = mff.fuse(images, "gacn", weights="random").image
    ranked = mff.fuse(images, "gacn", weights="random", strategy="rank").image
    np.testing.assert_array_equal(auto, ranked)


def test_ranking_is_the_same_in_any_order_of_the_images() -> None:
    images = mff.load("embedded", size=128)["motorcycle_lens"].images
    order = np.random.default_rng(1).permutation(len(images))
    result, mixed = mff.fuse(images, "gacn"), mff.fuse(images[order], "gacn")
    np.testing.assert_array_equal(mixed.image, result.image)
    np.testing.assert_allclose(mixed.decision, result.decision[order], atol=1e-6)  # they are added up in another order


@pytest.mark.parametrize("size", [128, 256])
def test_ranking_is_nearer_to_the_truth_than_serial_fusion(size: int) -> None:
    stack = mff.load("embedded", size=size)["motorcycle_lens"]
    serial, ranked = (mff.evaluate(stack, mff.fuse(stack, "gacn", strategy=way), ["psnr", "sf"]) for way in ("serial", "auto"))
    assert ranked["psnr"] > serial["psnr"]
    assert ranked["sf"] > serial["sf"]


@torch.inference_mode()
def test_ranking_is_a_sort_of_all_activity_levels_and_one_decision() -> None:
    """The twin keeps all features, in single precision."""
    images = [to_unit(image) for image in mff.load("embedded", size=96)["motorcycle_lens"].images]
    network = load_network("gacn", device="cpu")
    grays = [torch.from_numpy(to_gray(image))[None, None] for image in images]
    activities = [network.extract(gray) for gray in grays]
    clarity = [uniform_filter(activity[0].mean(0).numpy(), 7, mode="nearest") for activity in activities]
    order = np.argsort(-np.stack(clarity), axis=0, kind="stable")
    first, second = ([torch.from_numpy(np.choose(rank, [x[0].numpy() for x in maps]))[None] for maps in (grays, activities)]
                     for rank in order[:2])  # fmt: skip
    logit = network.decide(first[0], second[0], first[1], second[1])[0][0, 0].numpy()
    winner = np.where(logit >= 0, *order[:2])
    _, decision = ranking.rank(images, gacn.GacnComparer(network, boundary="none"))
    assert (decision.main == winner).mean() > 0.998  # half precision decides otherwise where two are all but equal


@pytest.mark.parametrize("fuse", [partial(combine, strategy="carry"), ranking.rank])
def test_features_do_not_share_memory_with_the_images(fuse) -> None:
    images = list(np.random.default_rng(2).random((4, 32, 32), np.float32))
    before = [image.copy() for image in images]
    fuse(images, gacn.GacnComparer(load_network("gacn.random", device="cpu")))
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("strategy", ["calibration_log", "calibration"])
def test_calibration_copies_pixels(strategy: str) -> None:
    rng = np.random.default_rng(8)
    images = list(rng.random((4, 32, 32, 3), np.float32))
    fused, decision = combine(images, gacn.GacnComparer(load_network("gacn.random")), strategy)
    assert np.array_equal(decision.dense().sum(0), np.ones((32, 32), np.float32))
    assert np.array_equal(fused, np.take_along_axis(np.stack(images), decision.main[None, ..., None], 0)[0])


def test_weights_from_a_run(tmp_path) -> None:
    from mffrepro.models.weights import to_bytes

    network = gacn.GACN(activity="published")
    (tmp_path / "mine.safetensors").write_bytes(to_bytes(network, network.options))
    loaded = load_network("gacn." + str(tmp_path / "mine.safetensors"))
    assert loaded.activity == "published"
    assert torch.equal(loaded.decision.se[0].conv.weight.cpu().contiguous(), network.decision.se[0].conv.weight)


def test_a_damaged_weight_file_is_one_sentence(tmp_path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"not tensors")
    pair = np.zeros((2, 16, 16), np.uint8)
    with pytest.raises(mff.DataError, match=r"bad\.safetensors is not a readable safetensors file"):
        mff.fuse(list(pair), "gacn", weights=str(bad))


def test_pickled_code_is_not_executed(tmp_path, monkeypatch) -> None:
    import pickle

    from mffrepro.models import weights

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    trap = tmp_path / "trap.pkl"
    trap.write_bytes(pickle.dumps(Evil()))
    monkeypatch.setattr(weights, "weight_file", lambda name: trap)
    with pytest.raises(mff.DataError, match="holds more than tensors"):
        weights.read_published("gacn.published")
    assert not (tmp_path / "executed").exists()
