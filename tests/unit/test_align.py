"""Alignment of focal stacks whose true transforms are known."""

import re

import cv2
import numpy as np
import pytest
from aligned import MARGIN, SIZE, moved_stack, photograph, residual, view, zoom

import mffrepro as mff
from mffrepro import alignment
from mffrepro.alignment import geometry
from mffrepro.errors import ImageError, OptionError

BREATHING = [zoom(1 + 0.02 * step, 4 * step, -3 * step) for step in (-0.5, 0, 0.5)]
SHIFTED = [zoom(x=-6.25), zoom(y=3.5), zoom(x=5, y=-4.75)]


@pytest.fixture(scope="module")
def shifted() -> np.ndarray:
    return moved_stack(photograph(colour=True), SHIFTED)


# ------------------------------------------------------------------------------------------------ what is recovered


@pytest.mark.parametrize("magnification", [0.001, 0.01, 0.05])
def test_breathing_is_recovered_to_a_tenth_of_a_pixel(magnification):
    truth = [zoom(1 + magnification * step, 4 * step, -3 * step) for step in (-0.5, 0, 0.5)]
    assert residual(alignment.estimate(moved_stack(photograph(), truth)), truth) < 0.1


@pytest.mark.parametrize("name", ["astronaut", "camera"])
def test_shifts_of_fifty_pixels_and_a_turn_are_recovered_to_a_tenth_of_a_pixel(name):
    truth = [zoom(), zoom(1.003, 50, -37.3, degrees=1), zoom(0.99, -12.6, 41.8, degrees=-1)]
    assert residual(alignment.estimate(moved_stack(photograph(name), truth, noise=0.01)), truth) < 0.1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("colour", [True, False])
def test_depth_and_colour_change_no_transform_and_are_kept(dtype, colour):
    frames = moved_stack(photograph(colour=colour), BREATHING)
    if np.issubdtype(dtype, np.floating):
        frames = frames.astype(dtype) / dtype(255)
    elif dtype == np.uint16:
        frames = frames.astype(dtype) * dtype(16)  # the 12 bits of a camera
    assert residual(alignment.estimate(frames), BREATHING) < 0.1
    aligned = mff.align(frames).images
    assert aligned.dtype == dtype
    assert aligned.shape[3:] == frames.shape[3:]
    assert 0 <= aligned.min() <= aligned.max() <= (1 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max)


def test_a_strong_blur_of_half_the_frame_moves_nothing():
    near, far = mff.load("embedded", kind="composite", levels=[4])["astronaut_blur4"].images
    assert geometry.offset(_between(alignment.estimate([near, far])), near.shape) < 0.1


@pytest.mark.parametrize("sigma", [1, 2, 3])
def test_halves_in_focus_are_aligned_to_a_fiftieth_of_a_pixel(sigma):
    """Every place is blurred in one of the two frames."""
    scene, share = photograph(), np.clip((np.arange(512) - 236) / 40, 0, 1).astype(np.float32)
    soft = cv2.GaussianBlur(scene, (0, 0), sigma)
    truth = [zoom(), zoom(1.05, 50, -20, degrees=1)]
    near, far = (moved_stack(scene * one + soft * (1 - one), truth, blur=0.1)[n] for n, one in enumerate((share, 1 - share)))
    assert residual(alignment.estimate([near, far]), truth) < 0.02


def test_exposure_does_not_matter():
    frames = moved_stack(photograph(), BREATHING)
    frames[1] = np.rint(frames[1] * 0.8)
    assert residual(alignment.estimate(frames), BREATHING) < 0.1


def test_a_tilted_camera_needs_a_homography():
    tilt = np.array([[1, 0, 0], [0, 1, 0], [4e-5, -3e-5, 1]])
    truth = [zoom(), zoom(1.002, 3, 2) @ tilt]
    frames = moved_stack(photograph(), truth)
    assert residual(alignment.estimate(frames, model="homography"), truth) < 0.15
    assert residual(alignment.estimate(frames), truth) > 0.5


@pytest.mark.slow
def test_thirty_six_frames_are_chained_to_a_tenth_of_a_pixel():
    truth = [zoom(1 + 0.0015 * n, np.sin(n), 0.5 * np.cos(2 * n), degrees=0.03 * n) for n in range(-18, 18)]
    assert residual(alignment.estimate(moved_stack(photograph(), truth, noise=0.005)), truth) < 0.1


@pytest.mark.slow
def test_a_lens_that_blurs_by_depth_misleads_by_less_than_a_tenth_of_a_pixel():
    stack = mff.load("embedded")["motorcycle_lens"]
    transforms = alignment.estimate(stack)
    assert max(geometry.offset(transform, stack.images.shape[1:3]) for transform in transforms) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("magnification", [0.001, 0.05])
def test_breathing_is_recovered_where_a_lens_blurs_by_depth(magnification):
    """Check it where near blur covers what is far, so that edges are not where they were."""
    stack = mff.load("embedded")["motorcycle_lens"].images.astype(np.float32)
    truth = [zoom(1 + magnification * step, 6 * step, -4 * step) for step in np.linspace(-0.5, 0.5, len(stack))]
    frames = [view(frame, transform, (96, 12)) for frame, transform in zip(stack, truth, strict=True)]
    assert residual(alignment.estimate(np.uint8(np.clip(np.rint(frames), 0, 255))), truth) < 0.1


def test_the_order_of_the_frames_does_not_matter():
    truth = [zoom(1 + 0.004 * n, 2.3 * n, -n) for n in range(4)]
    frames = moved_stack(photograph(), truth)
    there, back = alignment.estimate(frames), alignment.estimate(frames[::-1])[::-1]
    assert max(residual(there, truth), residual(back, truth)) < 0.1
    there, back = (np.linalg.inv(found[0]) @ found for found in (there, back))  # all together may move by a fraction of a pixel
    assert max(geometry.offset(np.linalg.inv(one) @ other, (SIZE, SIZE)) for one, other in zip(there, back, strict=True)) < 0.06


# -------------------------------------------------------------------------------------------- what is left as it is


def test_a_registered_stack_is_returned_as_it_is():
    frames = moved_stack(photograph(), [zoom()] * 3)
    np.testing.assert_array_equal(alignment.estimate(frames), [np.eye(3)] * 3)
    np.testing.assert_array_equal(mff.align(frames).images, frames)


def test_the_given_images_are_not_changed(shifted):
    for given in (shifted, mff.FocusStack("mine", shifted), list(shifted)):
        before = shifted.copy()
        mff.align(given)
        np.testing.assert_array_equal(shifted, before)


def test_memory_may_be_reused_where_that_is_asked_for(shifted):
    transforms = alignment.estimate(shifted)
    for crop in (True, False):
        given = shifted.copy()
        aligned = alignment.apply(given, transforms, crop=crop, overwrite=True).images
        assert np.shares_memory(given, aligned)
        np.testing.assert_array_equal(aligned, alignment.apply(shifted, transforms, crop=crop).images)


def test_reference_and_decision_are_left_out_since_they_were_not_moved():
    stack = mff.load("embedded", kind="composite", levels=[1])["coffee_blur1"]
    aligned = mff.align(stack)
    assert (aligned.name, aligned.reference, aligned.decision) == (stack.name, None, None)


# ------------------------------------------------------------------------------------------------ what is refused


def test_frames_that_share_a_patch_only_are_refused_by_name():
    first, second = np.random.default_rng(1).random((2, 256, 256), np.float32)
    second[100:140, 60:100] = first[90:130, 80:120]
    with pytest.raises(ImageError, match=r"^frame 2 cannot be aligned with frame 1: only \d+% of their detail matches"):
        mff.align([first, second])
    with pytest.raises(ImageError, match=r"^b\.png cannot be aligned with a\.png"):
        alignment.estimate([first, second], names=["a.png", "b.png"])


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_frames_are_refused_with_a_remedy(value):
    frames = moved_stack(photograph(), BREATHING)
    frames[2] = value
    with pytest.raises(ImageError, match=r"^frame 3 cannot be aligned with frame 2: they share too little detail; leave"):
        mff.align(frames)


def test_another_magnification_is_refused():
    frames = [zoom(), zoom(0.7)]
    with pytest.raises(ImageError, match="frame 2 cannot be aligned with frame 1"):
        mff.align(moved_stack(photograph(), frames))


def test_frames_with_little_in_common_are_refused():
    far = [np.eye(3), geometry.shift(SIZE * 0.8, 0)]
    with pytest.raises(ImageError, match="the frames share only 64x320 of 320x320 pixels"):
        alignment.apply(moved_stack(photograph(), [zoom()] * 2), far)


def test_an_unknown_model_is_refused():
    with pytest.raises(OptionError, match="no model of alignment 'affin'"):
        mff.align(np.zeros((2, 64, 64), np.uint8), model="affin")


# ------------------------------------------------------------------------------------------------ how it is resampled


def test_an_image_and_itself_half_a_pixel_on_share_by_halves():
    scene = cv2.GaussianBlur(photograph(), (0, 0), 1)
    frames = np.uint8(
        255 * np.stack([cv2.resize(scene[n : n + 480, n : n + 480], (240, 240), interpolation=cv2.INTER_AREA) for n in (0, 1)])
    )
    for decision in (
        mff.fuse(mff.align(frames), "focus_stack").decision,
        mff.fuse(frames, "focus_stack", register=True).decision,
    ):
        assert decision[0].mean() == pytest.approx(0.5, abs=0.04)
    assert mff.fuse(frames, "focus_stack", as_published=True).decision[0].mean() > 0.6


def test_no_frame_of_three_stays_in_place():
    """The middle one would be the sharpest everywhere."""
    truth = [zoom(x=-0.5), zoom(), zoom(x=0.5)]
    transforms = alignment.estimate(moved_stack(photograph(), truth, blur=0.5))
    fractions = np.abs((transforms[:, 0, 2] + 0.5) % 1 - 0.5)
    np.testing.assert_allclose(fractions, 0.25, atol=0.06)


def test_the_cropped_frames_show_the_same(shifted):
    aligned = mff.align(shifted).images.astype(float)
    assert SIZE - 16 < aligned.shape[1] < SIZE
    before, after = (np.abs(np.diff(images.astype(float), axis=0))[:, 8:-8, 8:-8].mean() for images in (shifted, aligned))
    assert after < 0.3 * before


def test_the_common_area_is_what_all_frames_cover():
    transforms = np.stack([zoom(1.01, 3, -7, degrees=0.4), zoom(0.98, -5, 2), zoom()])
    rows, columns = alignment.common_area(transforms, (SIZE, SIZE))
    everywhere = np.all([alignment.covered(transform, (SIZE, SIZE)) for transform in transforms], 0)
    assert everywhere[rows, columns].all()
    assert (rows.stop - rows.start) * (columns.stop - columns.start) > 0.95 * everywhere.sum()


def test_a_frame_repeats_its_neighbour_where_it_does_not_reach(shifted):
    transforms = alignment.estimate(shifted)
    aligned = alignment.apply(shifted, transforms, crop=False).images
    assert aligned.shape == shifted.shape
    for frame in (0, 2):
        outside = ~alignment.covered(transforms[frame], (SIZE, SIZE))
        assert outside.mean() > 0.01
        np.testing.assert_array_equal(aligned[frame][outside], aligned[1][outside])


def test_no_pixel_is_taken_from_a_frame_that_does_not_reach_there(shifted):
    bright = np.where(shifted < 128, 128, shifted)  # the border of a frame without filling would be the strongest edge
    outside = np.stack([~alignment.covered(transform, (SIZE, SIZE)) for transform in alignment.estimate(bright)])
    result = mff.fuse(bright, "focus_stack", register=True)
    assert result.image.shape == bright.shape[1:]
    assert result.decision[outside].max() == 0
    assert result.image.min() > 100


def test_shares_of_repeated_pixels_are_credited_to_the_frame_that_has_them(shifted):
    transforms = alignment.estimate(shifted)
    decision = np.random.default_rng(0).dirichlet([1, 1, 1], (SIZE, SIZE)).transpose(2, 0, 1)
    credited = alignment.credit_source(decision, transforms)
    np.testing.assert_allclose(credited.sum(0), 1)
    inside = np.stack([alignment.covered(transform, (SIZE, SIZE)) for transform in transforms])
    assert credited[0][~inside[0]].max() == 0
    np.testing.assert_array_equal(credited[:, inside.all(0)], decision[:, inside.all(0)])


# ------------------------------------------------------------------------------------------------ geometry, the note


def test_half_a_transform_twice_is_the_whole():
    whole = zoom(1.2, 30, -20, degrees=20) @ np.array([[1, 0, 0], [0, 1, 0], [1e-4, -2e-4, 1]])
    whole = geometry.normalise(whole)
    half = geometry.halve(whole)
    np.testing.assert_allclose(geometry.normalise(half @ half), whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "transform",
    [zoom(0.75), zoom(1.3), np.diag([-1.0, 1, 1]), np.array([[1, 0, 0], [0, 1, 0], [-1 / 200, 0, 1]]), np.full((3, 3), np.nan)],
)
def test_what_no_camera_does_is_not_plausible(transform):
    assert not geometry.is_plausible(transform, (SIZE, SIZE))
    assert geometry.is_plausible(zoom(1.1, MARGIN, degrees=30), (SIZE, SIZE))


def test_a_misaligned_stack_is_measured():
    frames = moved_stack(photograph(), [zoom(), zoom(x=2), zoom(x=2, y=7.2), zoom(x=3, y=7.2)])
    assert alignment.misalignment(frames) == "frame 3 is 7.2 px off frame 2"
    assert alignment.misalignment(frames, names="abcd") == "c is 7.2 px off b"


def test_a_slow_drift_is_measured_against_the_middle():
    frames = moved_stack(photograph(), [zoom(x=1.2 * n) for n in range(9)], blur=1)
    assert alignment.misalignment(frames) in ("frame 1 is 4.8 px off frame 5", "frame 9 is 4.8 px off frame 5")


@pytest.mark.parametrize(("count", "rate"), [(6, 0.006), (7, 0.005)])
def test_a_small_stack_that_breathes_a_little_is_noted(count, rate):
    """The frames are less than 1.5 pixels off their neighbours, but together they cost about five decibels."""
    frames = moved_stack(photograph(), [zoom(1 + rate * (n - (count - 1) / 2)) for n in range(count)], blur=1)
    assert re.fullmatch(r"frame \d is [12]\.\d px off frame \d", alignment.misalignment(frames))


@pytest.mark.parametrize("name", ["astronaut_blur5", "coffee_blur5", "rocket_spread", "motorcycle_lens"])
def test_a_registered_stack_gets_no_note(name):
    assert alignment.misalignment(mff.load("embedded")[name]) is None


def test_frames_that_do_not_match_get_no_note():
    assert alignment.misalignment(np.random.default_rng(0).random((3, 128, 128))) is None
    assert alignment.misalignment(np.zeros((2, 64, 64), np.uint8)) is None


def _between(transforms: np.ndarray) -> np.ndarray:
    return np.linalg.inv(transforms[0]) @ transforms[1]
