"""Depth from focus against rendered scenes, and the average of flat areas against noise of known strength."""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.data.embedded import focus_settings, stereo_scene
from mffrepro.data.lens import focal_stack, sharpest_slice
from mffrepro.fusion.flat import average_flat
from mffrepro.fusion.noise import noise_variance
from mffrepro.images import to_unit

FRAMES = 7


def textured(height=160, width=240, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def plane():
    """A textured plane that is tilted so that each column has its own depth in frames."""
    depth = np.broadcast_to(np.linspace(0, FRAMES - 1, 240, dtype=np.float32), (160, 240))
    return focal_stack(textured(), depth, range(FRAMES), 3.0, layers=96), depth


def noisy(count, deviation, seed=0):
    values = 128 + np.random.default_rng(seed).normal(0, deviation, (count, 160, 160))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def test_a_tilted_plane_to_an_eighth_of_a_frame(plane):
    images, truth = plane
    found = mff.depth(images, radius=0)
    inner = np.s_[:, 30:-30]
    assert np.abs(found.depth - truth)[inner].mean() < 0.125
    whole_frames = np.abs(sharpest_slice(truth, range(FRAMES)).argmax(0) - truth)[inner].mean()
    assert np.abs(found.depth - truth)[inner].mean() < whole_frames / 2  # the true nearest frame is not as good


def test_the_other_way_round(plane):
    images, _ = plane
    there, back = mff.depth(images), mff.depth(images[::-1])
    np.testing.assert_allclose(FRAMES - 1 - back.depth, there.depth, atol=1e-3)
    np.testing.assert_allclose(back.confidence, there.confidence, atol=1e-5)


@pytest.mark.parametrize("convert", ["gray", "16 bits", "floats"])
def test_types_agree(plane, convert):
    images, _ = plane
    same = {
        "gray": lambda: np.stack([np.repeat(image[..., :1], 3, 2) for image in images]),
        "16 bits": lambda: images.astype(np.uint16) * 257,
        "floats": lambda: to_unit(images),
    }[convert]()
    expected = mff.depth(same[..., 0]) if convert == "gray" else mff.depth(images)
    np.testing.assert_allclose(mff.depth(same).depth, expected.depth, atol=0.02)


def test_half_of_the_motorcycle_is_right_to_an_eighth_of_a_frame():
    (stack,) = mff.load("embedded", kind="lens")
    images, (_, disparity) = stack.images, stereo_scene(512)
    focuses = focus_settings(disparity, 8)
    truth = np.interp(-disparity, -focuses, np.arange(8))
    error = np.abs(mff.depth(images).depth - truth)
    assert np.median(error) < 0.125
    decision = np.tensordot(np.arange(8), mff.fuse(images, "gacn").decision, 1)
    assert np.median(error) < 0.6 * np.median(np.abs(decision - truth))


def test_unsure_pixels_take_the_depth_of_their_surroundings(plane):
    images, truth = (array.copy() for array in plane)
    images[:, 40:120, 80:160] = 128  # nothing to see in any frame
    found, raw = mff.depth(images), mff.depth(images, radius=0)
    hole = np.s_[70:90, 110:130]  # far from what is around
    assert raw.confidence[hole].max() < 0.05
    assert np.abs(found.depth - truth)[hole].max() < 0.6 < np.abs(raw.depth - truth)[hole].max()


@pytest.mark.parametrize("images", [noisy(8, 6), np.full((4, 64, 64), 90, np.uint8)], ids=["noise", "one gray"])
def test_no_confidence_where_nothing_is_sharp(images):
    assert mff.depth(images).confidence.mean() < 0.1


def test_confidence_where_something_is(plane):
    images, _ = plane
    assert np.median(mff.depth(images).confidence) > 0.5


@pytest.mark.parametrize(("option", "value"), [("sigma", 0), ("radius", -1), ("eps", 0)])
def test_settings_out_of_range(plane, option, value):
    with pytest.raises(mff.OptionError, match=f"{option}={value}"):
        mff.depth(plane[0], **{option: value})


def test_one_frame_has_no_depth():
    with pytest.raises(mff.ImageError, match="at least two"):
        mff.depth([textured()])


def test_a_result_brings_its_depth_on_request(plane):
    images, _ = plane
    assert mff.fuse(images, "average").depth is None
    result = mff.fuse(images, "average", depth=True)
    np.testing.assert_array_equal(result.depth, mff.depth(images).depth)
    np.testing.assert_array_equal(result.confidence, mff.depth(images).confidence)


# ------------------------------------------------------------------------------------------------- flat areas


@pytest.mark.parametrize("count", [3, 8, 20])
@pytest.mark.parametrize("deviation", [2, 6, 12])
def test_noise_is_measured(count, deviation):
    assert 255 * noise_variance(noisy(count, deviation)) ** 0.5 == pytest.approx(deviation, rel=0.06)


def test_what_all_frames_show_is_not_noise(plane):
    still = np.stack([textured()] * 4)
    assert noise_variance(still) ** 0.5 * 255 < 0.3
    assert noise_variance(plane[0]) ** 0.5 * 255 < 60  # everything changes, in every tile


@pytest.mark.parametrize("method", ["lp", "sml", "dsift", "gff", "dtcwt"])
def test_flat_areas_are_as_quiet_as_the_mean(method):
    images = noisy(8, 6)
    result = mff.fuse(images, method, average_flat=True)
    mean = images.mean(0).std()
    assert result.image.std() < 1.1 * mean
    assert mff.fuse(images, method).image.std() > 1.3 * mean
    assert result.averaged > 0.95


def test_only_flat_areas_change(plane):
    images, _ = plane
    images = images.copy()
    images[:, :, 120:] = noisy(FRAMES, 4)[:, :, :120, None]
    images[:, :, :120] = np.clip(images[:, :, :120] + np.random.default_rng(1).normal(0, 4, images[:, :, :120].shape), 0, 255)
    before, after = mff.fuse(images, "lp"), mff.fuse(images, "lp", average_flat=True)
    np.testing.assert_array_equal(after.image[:, :110], before.image[:, :110])
    assert after.image[:, 150:].std() < before.image[:, 150:].std() / 2


def test_nothing_is_averaged_where_the_light_differs():
    images = noisy(6, 4)
    part = images.shape[2] // 3
    images[2, :, :part] = np.clip(images[2, :, :part].astype(int) + 25, 0, 255)  # so spills what is bright and out of focus
    fused = mff.fuse(images, "lp").image
    averaged, share = average_flat(fused, images)
    np.testing.assert_array_equal(averaged[:, : part - 10], fused[:, : part - 10])
    assert 0.2 < share < 0.7


@pytest.mark.parametrize("drift", [0.004, 0.01, 0.03])
def test_noise_is_averaged_under_a_lamp_that_warms_up(drift):
    images = np.rint(noisy(8, 4) * (1 + drift * np.arange(8))[:, None, None] * 0.7).astype(np.uint8)
    image, share = average_flat(mff.fuse(images, "lp").image, images)
    assert share > 0.95
    assert image.std() < 1.1 * np.std(images.astype(float).mean(0))
    assert image.mean() == pytest.approx(images.mean(), abs=0.5)


@pytest.mark.parametrize("images", [np.full((3, 64, 64), 90, np.uint8), np.stack([textured()] * 3)], ids=["gray", "sharp"])
def test_nothing_is_averaged_without_noise(images):
    image, share = average_flat(images[0], images)
    assert share == 0
    np.testing.assert_array_equal(image, images[0])


def test_a_picture_comes_nearer_to_the_truth():
    image = mff.load("embedded")["coffee_blur2"].reference
    height, width = image.shape[:2]
    disparity = np.broadcast_to(np.linspace(0, 5, width, dtype=np.float32), (height, width))
    images = focal_stack(image, disparity, range(6), 2.0)
    images = np.clip(images + np.random.default_rng(0).normal(0, 4, images.shape), 0, 255).astype(np.uint8)
    scores = [
        mff.evaluate(images, mff.fuse(images, "lp", average_flat=on).image, ["psnr"], reference=image) for on in (False, True)
    ]
    assert scores[1]["psnr"] > scores[0]["psnr"] + 0.5
