"""StackMFF-V2: pieces against whole frames and plain sums, both readings, and its recipe."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import mffrepro as mff
from mffrepro.data import load_regions
from mffrepro.data.handheld import NONE, take_shots
from mffrepro.errors import OptionError
from mffrepro.methods import load_network
from mffrepro.models.stackmff import StackMFF, inference, method, network, stretched
from mffrepro.training.stackmff import PRESETS, FocusStacks


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


@pytest.fixture(scope="module")
def random_network() -> StackMFF:
    return load_network("stackmff.random", device="cpu")


@pytest.fixture(scope="module")
def shots():
    return take_shots(NONE, frames=4, size=256)


def test_parameters() -> None:
    assert sum(p.numel() for p in StackMFF().parameters()) == 51_524


@torch.inference_mode()
def test_the_expectation_is_that_of_a_softmax_over_all_scores(random_network) -> None:
    features = [rand(seed, 1, 8, 12, 10) for seed in range(4)]
    forwards, backwards = [], []
    for found, unit, given in (
        (forwards, random_network.forwards, features),
        (backwards, random_network.backwards, features[::-1]),
    ):
        state = torch.zeros(1, 16, 12, 10)
        for x in given:
            gates = torch.sigmoid(unit.gates(torch.cat([x, state], 1)))
            reset, update = gates[:, :16], gates[:, 16:]
            new = torch.tanh(unit.candidate(torch.cat([x, reset * state], 1)))
            state = (1 - update) * state + update * new
            found.append(state)
    scores = torch.stack([(a + b).amax(1) for a, b in zip(forwards, backwards[::-1], strict=True)])
    expected = (torch.softmax(scores, 0) * torch.arange(4).reshape(4, 1, 1, 1)).sum(0)
    torch.testing.assert_close(random_network.expect(features), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("block", [2**22, 1])
@torch.inference_mode()
def test_blocks_give_what_whole_frames_give(random_network, monkeypatch, block: int) -> None:
    monkeypatch.setattr(inference, "BLOCK", block)
    frames = rand(1, 1, 3, 96, 160)
    found = inference.expected_frame(random_network, inference.half_features(random_network, frames[0].numpy()))
    torch.testing.assert_close(found, random_network(frames), atol=1e-5, rtol=0)


def test_a_part_of_doubled_maps() -> None:
    x = rand(2, 1, 3, 7, 9)
    part = inference.doubled_part(x, slice(5, 12), slice(0, 18))
    torch.testing.assert_close(part, network.doubled(x)[..., 5:12, :], atol=1e-6, rtol=0)


def test_maps_are_resized_as_torch_resizes_by_copying() -> None:
    index = np.arange(96 * 64).reshape(96, 64)
    theirs = F.interpolate(torch.from_numpy(index)[None, None].double(), (70, 65), mode="nearest")[0, 0]
    np.testing.assert_array_equal(inference.to_size(index, (70, 65)), theirs)


def test_stretched() -> None:
    maps = torch.tensor([[[2.0, 3.0], [4.0, 2.5]], [[7.0, 7.0], [7.0, 7.0]]])
    torch.testing.assert_close(stretched(maps), torch.tensor([[[0.0, 0.5], [1.0, 0.25]], [[0.0, 0.0], [0.0, 0.0]]]))


# ----------------------------------------------------------------------------------------------- both readings


def stack_of(shots) -> mff.images.FocusStack:
    return mff.images.FocusStack("shots", shots.images)


def test_depth_is_placed_among_the_frames_by_their_sharpness(shots) -> None:
    """A squeezed and moved copy of the true depth comes back to the frames."""
    truth = torch.from_numpy(shots.true_depth(shots.images.shape[1:3]))[None]
    found = method.placed(1.3 + 0.2 * truth, stack_of(shots))
    assert (found - truth).abs().median() < 0.25
    assert stretched(truth).mul(3).sub(truth).abs().median() < 0.25  # so both readings are near on this stack


def test_depth_that_contradicts_the_sharpness_is_stretched_instead(shots) -> None:
    truth = torch.from_numpy(shots.true_depth(shots.images.shape[1:3]))[None]
    torch.testing.assert_close(method.placed(-truth, stack_of(shots)), stretched(-truth) * 3)


def test_the_repaired_reading_does_not_depend_on_the_direction() -> None:
    images = rand(3, 3, 40, 50).numpy()
    there, back = (mff.fuse(list(order), "stackmff", weights="random").depth for order in (images, images[::-1]))
    np.testing.assert_allclose(there, 2 - back, atol=1e-4)


def test_the_published_reading_uses_all_frames_even_where_they_are_equal() -> None:
    image = rand(4, 40, 50).numpy()
    used = [
        np.unique(mff.fuse([image] * 3, "stackmff", weights="random", as_published=as_published).shares.main).tolist()
        for as_published in (True, False)
    ]
    assert used[0] == [0, 1, 2]
    assert len(used[1]) == 1


def test_depth_is_returned_without_being_asked_for() -> None:
    images = list(rand(5, 3, 40, 50).numpy())
    result = mff.fuse(images, "stackmff", weights="random")
    assert result.depth.shape == (40, 50)
    assert (result.depth.dtype, result.confidence) == (np.float32, None)
    assert 0 <= result.depth.min() <= result.depth.max() <= 2
    asked = mff.fuse(images, "stackmff", weights="random", depth=True)
    np.testing.assert_array_equal(asked.depth, mff.depth(images).depth)
    assert asked.confidence is not None


def test_each_pixel_comes_from_the_frame_at_its_depth(shots) -> None:
    result = mff.fuse(shots.images, "stackmff", as_published=True)
    frame = result.shares.main
    np.testing.assert_array_equal(result.image, np.take_along_axis(shots.images, frame[None, ..., None], 0)[0])


def test_the_shipped_weights_find_depth(shots) -> None:
    """On a rendered scene that the training did not see, against the best constant."""
    result = mff.fuse(shots.images, "stackmff")
    truth = shots.true_depth(result.depth.shape)
    assert np.median(np.abs(result.depth - truth)) < 0.75 * np.median(np.abs(truth - np.median(truth)))


# ------------------------------------------------------------------------------------------------------- recipe


def test_stacks_of_a_batch_have_one_length_and_the_same_seed_gives_the_same_stacks() -> None:
    recipe = replace(PRESETS["smoke"], frames=(2, 3, 5), samples=24)
    data: list[FocusStacks] = [recipe.data(load_regions("embedded"), split="train", seed=1) for _ in range(2)]
    lengths = [len(data[0][i]["frames"]) for i in range(24)]
    assert all(len(set(lengths[start : start + recipe.batch])) == 1 for start in range(0, 24, recipe.batch))
    assert len(set(lengths)) > 1
    for one, other in zip(data[0][5].values(), data[1][5].values(), strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)


def test_the_loss_is_zero_where_the_depth_is_right() -> None:
    depth = rand(6, 2, 8, 9)
    depth = stretched(depth)
    losses = PRESETS["smoke"].losses(lambda frames: 3 + 0.1 * depth, {"frames": rand(7, 2, 5, 8, 9), "depth": depth[:, None]})
    assert float(losses["total"]) < 1e-9
    half = PRESETS["smoke"].losses(lambda frames: depth, {"frames": rand(7, 2, 5, 8, 9), "depth": torch.zeros(2, 1, 8, 9)})
    assert float(half["frames"]) == pytest.approx(4 * float(depth.mean()))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"crop": 100}, "multiple of 32"),
        ({"crop": 128}, "fits into the size"),
        ({"frames": (1, 3)}, "at least 2"),
        ({"frames": ()}, "at least 2"),
        ({"step": (2.0, 1.0)}, "smallest and the largest radius"),
    ],
)
def test_wrong_options_are_refused(wrong: dict, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        replace(PRESETS["smoke"], **wrong)
