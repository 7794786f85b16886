"""Made hand-held stacks: their faults are those that were asked for, their truth is where it is said to be, and repairs help."""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.alignment.geometry import move
from mffrepro.benchmarks import handheld
from mffrepro.data.handheld import NONE, Faults, take_shots
from mffrepro.errors import ImageError, OptionError
from mffrepro.images import FocusStack
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate


@pytest.fixture(scope="module")
def shots():
    return take_shots(size=400)


@pytest.fixture(scope="module")
def whole(shots):
    return handheld.prepare(shots)


def psnr(first, second):
    return 10 * np.log10(255**2 / max(np.mean((first.astype(float) - second) ** 2), 1e-9))


def test_a_camera_on_a_tripod_sees_the_scene_where_it_is_sharp():
    still = take_shots(NONE, size=256)
    stack = still.with_truth(FocusStack("still", still.images))
    np.testing.assert_array_equal(stack.reference, still.scene[32:-32, 32:-32])
    depth = still.true_depth(stack.reference.shape[:2])
    for n in (0, 3, 7):
        near = np.abs(depth - n) < 0.05
        far = np.abs(depth - n) > 3
        assert psnr(still.images[n][near], stack.reference[near]) > psnr(still.images[n][far], stack.reference[far]) + 6


def test_each_fault_is_there(shots):
    assert shots.images[5].mean() < 0.4 * shots.images[4].mean()
    assert shots.hot.sum() == 60
    assert (shots.images[:, shots.hot] == 255).all()
    assert shots.gains[[0, 1, 5]].tolist() == [1, 1.15, 0.05]
    growth = np.sqrt(np.linalg.det(shots.poses[:, :2, :2]))
    np.testing.assert_allclose(growth[:-1] / growth[1:], 1.006)
    middle = (np.array(shots.images.shape[2:0:-1]) - 1) / 2
    assert 1 < (move_all(shots.poses, middle) - middle - 32).std() < 6


def move_all(poses, point):
    return np.stack([move(pose, point[None])[0] for pose in poses])


def test_the_same_seed_gives_the_same_shots():
    first, second, other = (take_shots(size=192, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.images, second.images)
    assert (first.images != other.images).any()


@pytest.mark.parametrize("wrong", [{"frames": 1}, {"size": 100}, {"frames": 4}])
def test_impossible_shots_are_refused(wrong):
    with pytest.raises(OptionError, match="give 2 frames or more"):
        take_shots(**wrong)


def test_transforms_must_fit_the_frames(shots):
    with pytest.raises(ImageError, match="3 transforms for 8 frames"):
        shots.pose(np.stack([np.eye(3)] * 3))


def test_alignment_brings_the_frames_to_one_place(shots, whole):
    assert whole.frames == (0, 1, 2, 3, 4, 6, 7)
    assert handheld.placement_errors(shots).max() > 2
    assert handheld.placement_errors(shots, whole.transforms, whole.frames).max() < 0.1


def test_the_truth_lies_where_the_frames_were_aligned_to(shots, whole):
    """A reference that is moved by a pixel is farther from every frame."""
    fused = fuse(whole.stack, "lp").image[4:-4, 4:-4]
    at_home = psnr(fused, whole.stack.reference[4:-4, 4:-4])
    for rows, columns in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        assert psnr(fused, np.roll(whole.stack.reference, (rows, columns), (0, 1))[4:-4, 4:-4]) < at_home - 2


def test_true_depth_is_counted_among_the_frames_that_were_kept(shots):
    shape = shots.images.shape[1:3]
    every = shots.true_depth(shape)
    kept = shots.true_depth(shape, np.stack([np.linalg.inv(shots.pose()) @ pose for pose in shots.poses])[:4], range(4))
    assert 6.5 < every.max() <= 7
    assert kept.max() == 3
    inner = every < 3
    np.testing.assert_allclose(np.median(np.abs(every - kept)[inner]), 0, atol=1e-6)


def test_every_step_is_worth_something(shots):
    table = handheld.score_steps(shots, ["lp"])["lp"]
    assert list(table.index) == [*handheld.one_by_one(), *handheld.without_one()]
    assert table["+ balance"] > table["as shot"] + 10
    for label in handheld.without_one():
        assert table[label] < table["+ balance"], label
    assert table["without: balance"] == table["+ alignment"]


def test_frames_that_cannot_be_aligned_have_no_score(monkeypatch, shots):
    def refuse(*_, **__):
        raise ImageError("frame 2 cannot be aligned with frame 1")

    monkeypatch.setattr(handheld.alignment, "estimate", refuse)
    table = handheld.score_steps(shots, ["average"])["average"]
    assert table.isna().sum() == sum("align" in steps for steps in {**handheld.one_by_one(), **handheld.without_one()}.values())


def test_pictures_without_a_step_show_one_part(shots):
    pictures = handheld.fuse_without(shots, "average")
    assert len({picture.shape for picture in pictures.values()}) == 1
    assert list(pictures) == ["truth", "every step", *handheld.without_one()]
    scores = {name: psnr(picture, pictures["truth"]) for name, picture in pictures.items() if name != "truth"}
    assert max(scores, key=scores.get) == "every step"


def test_a_sound_stack_is_hardly_changed_by_the_steps():
    still = take_shots(NONE, size=400)
    scores = []
    for steps in ((), tuple(handheld.STEPS)):
        prepared = handheld.prepare(still, steps)
        scores.append(evaluate(prepared.stack, fuse(prepared.stack, "lp"), ["psnr"])["psnr"])
    assert abs(scores[0] - scores[1]) < 0.5


def test_faults_can_be_switched_off():
    shots = take_shots(Faults(dark_frame=None, hot_pixels=0, light=0), frames=3, size=192)
    assert (shots.gains == 1).all()
    assert not shots.hot.any()


def test_errors_of_depth_by_confidence():
    truth = np.zeros((4, 4))
    depth = np.repeat([[2.0], [1.0], [0.25], [0.0]], 4, 1)
    table = handheld.depth_errors(depth, truth, confidence=np.arange(16).reshape(4, 4) / 16)
    assert table["median error"].tolist() == [0.625, 2, 1, 0.25, 0]
    assert table["within half a frame"].tolist() == [0.5, 0, 0, 1, 1]
    assert table.loc["all pixels", "mean error"] == pytest.approx(13 / 16)
    assert len(handheld.depth_errors(depth, truth)) == 1


def test_depth_of_the_prepared_stack_is_near_the_truth(shots, whole):
    """Counted among the frames that are left, which are not evenly spread: one was left out."""
    depth = mff.depth(whole.stack).depth
    truth = shots.true_depth(depth.shape, whole.transforms, whole.frames)
    assert handheld.depth_errors(depth, truth).loc["all pixels", "median error"] < 0.3
    beyond = truth > 4.5  # frame 6 was left out: counted among all frames, the truth is one more here
    assert handheld.depth_errors(depth[beyond], truth[beyond]).iloc[0, 0] < 0.5
    assert handheld.depth_errors(depth[beyond], truth[beyond] + 1).iloc[0, 0] > 0.5
