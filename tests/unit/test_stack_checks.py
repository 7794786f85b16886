"""Frames that do not belong, light that changes, hot pixels: found, and mended on a stack with known truth."""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.data import load
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.images.balance import balance, exposures
from mffrepro.images.checks import find_outliers, find_strangers
from mffrepro.images.hot_pixels import fill_hot_pixels, find_hot_pixels
from mffrepro.images.light import from_linear, multiply_light, to_linear


@pytest.fixture(scope="module")
def lens():
    (stack,) = load("embedded", kind="lens")
    return stack


def psnr(images, lens, method):
    error = mff.fuse(images, method).image.astype(float) - lens.reference
    return 10 * np.log10(255**2 / np.mean(error**2))


@pytest.fixture(scope="module")
def clean(lens):
    """What each method reaches on the sound stack."""
    return {method: psnr(lens.images, lens, method) for method in ("lp", "gacn")}


# ---------------------------------------------------------------------------------------------------- outliers

HARM = {
    "black": lambda image: np.zeros_like(image),
    "white": lambda image: np.full_like(image, 255),
    "twice as bright": lambda image: np.minimum(image.astype(int) * 2, 255).astype(np.uint8),
    "too dark": lambda image: image // 4,
    "doubled": lambda image: ((image.astype(int) + np.roll(image, (6, 8), (0, 1))) // 2).astype(np.uint8),
    "displaced": lambda image: np.roll(image, (5, -7), (0, 1)),
    "displaced a little": lambda image: np.roll(image, (2, 1), (0, 1)),
    "another scene": lambda image: image[::-1],
}


def harmed(lens, harm, index):
    images = lens.images.copy()
    images[index] = HARM[harm](images[index])
    return images


@pytest.mark.parametrize("index", [0, 3, 7])
@pytest.mark.parametrize("harm", HARM)
def test_a_frame_that_does_not_belong_is_found(lens, harm, index):
    (outlier,) = find_outliers(harmed(lens, harm, index))
    assert outlier.index == index
    assert outlier.reason.startswith(("is ", "repeats "))


@pytest.mark.parametrize(("harm", "reason"), [("black", "is black"), ("white", "is white"), ("too dark", "times as bright")])
def test_the_reason_says_what_it_is(lens, harm, reason):
    (outlier,) = find_outliers(harmed(lens, harm, 4))
    assert reason in outlier.reason


GRAYS = {"luma": (0.299, 0.587, 0.114), "mean": (1 / 3, 1 / 3, 1 / 3), "red": (1, 0, 0), "blue": (0, 0, 1)}


@pytest.mark.parametrize("weights", GRAYS.values(), ids=GRAYS)
def test_a_gray_frame_belongs_to_a_coloured_scene_however_it_was_made(lens, weights):
    """Red is the opposite of green here, so that one channel shows what the luma of the others does not."""
    red = lens.images[..., :1] // 2 + 60
    coloured = np.concatenate([red, 180 - red // 2, lens.images[..., 2:]], -1).astype(np.uint8)
    images = coloured.copy()
    images[5] = (coloured[5] @ np.array(weights)).round().astype(np.uint8)[..., None]
    assert find_outliers(images) == []
    images[5] = np.roll(images[5], (5, -7), (0, 1))
    assert [one.index for one in find_outliers(images)] == [5]


@pytest.mark.parametrize("method", ["lp", "gacn"])
def test_leaving_it_out_restores_the_quality(lens, clean, method):
    """Whatever the harm was, what is left is the same."""
    images = harmed(lens, "displaced", 3)
    (outlier,) = find_outliers(images)
    assert psnr(images, lens, method) < clean[method] - 5
    assert psnr(np.delete(images, outlier.index, 0), lens, method) > clean[method] - 0.3


def test_nothing_is_left_out_of_a_sound_stack(lens):
    assert find_outliers(lens.images) == []
    noise = np.random.default_rng(0).normal(0, 8, lens.images.shape)
    assert find_outliers(np.clip(lens.images + noise, 0, 255).astype(np.uint8)) == []
    for dtype in (np.uint16, np.float32):
        scaled = lens.images.astype(dtype) * dtype(257) if dtype is np.uint16 else lens.images / dtype(255)
        assert find_outliers(scaled) == []
        assert find_outliers(scaled[..., 0]) == []


def test_breathing_and_drift_are_no_outliers(lens):
    import cv2

    height, width = lens.images.shape[1:3]

    def moved(image, i):
        grown = cv2.warpAffine(
            image,
            np.array([[1 + 0.008 * i, 0, -0.004 * i * width + 2 * i], [0, 1 + 0.008 * i, -0.004 * i * height]]),
            (width, height),
        )
        return grown

    images = np.stack([moved(image, i) for i, image in enumerate(lens.images)])[:, 20:-20, 30:-30]
    assert find_outliers(images) == []


def test_what_is_no_stack_or_no_number_is_one_sentence(lens):
    with pytest.raises(mff.ImageError, match="the images are NoneType; give a list"):
        mff.fuse(None)
    with pytest.raises(mff.OptionError, match="white is 'x'; give the value of white in the images, a number"):
        mff.fuse(lens.images, "lp", white="x")


def test_two_or_three_frames_of_different_scenes_are_named():
    import skimage.data

    coffee, astronaut = (image[:400, :512] for image in (skimage.data.coffee(), skimage.data.astronaut()))
    assert find_strangers([coffee, astronaut]) == (0, 1)
    assert find_strangers([coffee, gaussian_blur(coffee, 2), astronaut]) == (1, 2)
    assert find_strangers([coffee, gaussian_blur(coffee, 6)]) is None
    assert find_strangers([coffee, np.roll(coffee, (4, -9), (0, 1))]) is None
    assert find_strangers([coffee, coffee // 2]) is None
    flat = 128 + np.random.default_rng(0).normal(0, 6, (2, 128, 160))
    assert find_strangers(flat.round().astype(np.uint8)) is None


def test_before_a_registration_displaced_frames_belong(lens):
    assert find_outliers(harmed(lens, "displaced", 3), registered=False) == []
    for harm in ("black", "white", "too dark"):
        assert [one.index for one in find_outliers(harmed(lens, harm, 3), registered=False)] == [3]


def test_a_repeated_frame_is_found_and_changes_nothing(lens):
    images = np.insert(lens.images, 5, lens.images[2], 0)
    (outlier,) = find_outliers(images)
    assert (outlier.index, outlier.reason) == (5, "repeats frame 3")
    np.testing.assert_array_equal(np.delete(images, 5, 0), lens.images)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(("level", "reason"), [(0, "is black"), (255, "is white"), (120, "is empty")])
def test_a_frame_that_shows_nothing_is_found_in_any_number(lens, count, level, reason):
    images = lens.images[:count].copy()
    images[1] = level
    assert [(one.index, one.reason) for one in find_outliers(images)] == [(1, reason)]


def test_frames_that_all_show_nothing_are_a_stack():
    assert find_outliers(np.stack([np.full((40, 40), level, np.uint8) for level in (20, 120, 220)])) == []


@pytest.mark.parametrize("order", [[1, 4, 2, 3, 7, 5, 6, 0], [7, 0, 6, 1, 5, 2, 4, 3], [0, 7, 1, 2, 3, 4, 5, 6]])
def test_the_order_of_the_frames_does_not_matter(lens, order):
    assert find_outliers(lens.images[order]) == []
    doubled = lens.images.copy()
    doubled[3] = (doubled[3] // 2 + np.roll(doubled[3], 6, 1) // 2).astype(np.uint8)
    assert [one.index for one in find_outliers(doubled[order])] == [order.index(3)]


def test_two_equal_frames_are_a_stack(lens):
    assert find_outliers(lens.images[[0, 0]]) == []
    assert [one.index for one in find_outliers(lens.images[[0, 0, 0]])] == [1]


def test_where_most_frames_differ_nobody_is_left_out():
    assert find_outliers(np.random.default_rng(0).integers(0, 256, (8, 200, 200), dtype=np.uint8)) == []


# ----------------------------------------------------------------------------------------------------- balance


def brighter(images, factor, *, linear):
    """Every third frame brighter by a factor, of its light or of its values."""
    images = images.copy()
    for i in range(0, len(images), 3):
        if linear:
            images[i] = multiply_light(images[i], np.full(3, factor))
        else:
            images[i] = np.minimum(images[i] * factor + 0.5, 255).astype(np.uint8)
    return images


@pytest.mark.parametrize("method", ["gacn", "lp"])
@pytest.mark.parametrize("linear", [True, False])
def test_balance_restores_the_quality(lens, method, linear):
    images = brighter(lens.images, 1.15, linear=linear)
    balanced, gains = balance(images)
    assert psnr(images, lens, method) < 34.5
    assert psnr(balanced, lens, method) > 35.5
    np.testing.assert_allclose(gains[[1, 2, 4, 5, 7]], 1, atol=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_light_of_each_channel_is_measured(lens, dtype):
    images = {np.uint8: lens.images, np.uint16: lens.images.astype(np.uint16) * 257, np.float32: lens.images / np.float32(255)}[
        dtype
    ]
    images = images.copy()
    factors = np.array([1.1, 0.9, 1.2])
    images[3] = multiply_light(images[3], factors)
    expected = np.ones((8, 3))
    expected[3] = factors
    np.testing.assert_allclose(exposures(images), expected, rtol=0.01)
    assert balance(images)[0].dtype == dtype


def test_a_lamp_that_warms_up_is_balanced(lens):
    images = np.stack([multiply_light(image, np.full(3, 1.03**i)) for i, image in enumerate(lens.images // 2)])
    np.testing.assert_allclose(exposures(images), 1.03 ** (np.arange(8) - 3.5)[:, None] * np.ones(3), rtol=0.01)
    balanced, _ = balance(images)
    np.testing.assert_allclose(exposures(balanced), 1, rtol=0.01)


def test_gray_frames_are_balanced(lens):
    gray = lens.images[..., 1].copy()
    gray[2] = multiply_light(gray[2], np.array([0.8]))
    balanced, gains = balance(gray)
    assert gains.shape == (8, 1)
    assert gains[2, 0] == pytest.approx(1.25, rel=0.01)
    assert np.abs(balanced[2].astype(int) - lens.images[2, ..., 1]).mean() < 1


def test_frames_without_change_stay_as_they_are(lens):
    balanced, gains = balance(lens.images)
    assert (gains == 1).all()
    np.testing.assert_array_equal(balanced, lens.images)


def test_black_frames_have_no_measurable_light():
    assert (exposures(np.zeros((3, 20, 20), np.uint8)) == 1).all()


def test_light_is_converted_there_and_back():
    unit = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(from_linear(to_linear(unit)), unit, atol=1e-7)
    assert to_linear(np.array(0.5)) == pytest.approx(0.2140, abs=1e-4)


# -------------------------------------------------------------------------------------------------- hot pixels


def with_hot_pixels(images, values):
    rng = np.random.default_rng(0)
    places = rng.choice(images[0, ..., 0].size if images.ndim == 4 else images[0].size, 50, replace=False)
    rows, columns = np.unravel_index(places, images.shape[1:3])
    images = images.copy()
    images[:, rows, columns] = values
    hot = np.zeros(images.shape[1:3], bool)
    hot[rows, columns] = True
    return images, hot


@pytest.mark.parametrize("values", [255, (255, 40, 200)])
def test_hot_pixels_are_found_and_filled(lens, values):
    images, hot = with_hot_pixels(lens.images, values)
    found = find_hot_pixels(images).any(-1)
    assert (found & hot).sum() >= 49
    assert (found & ~hot).sum() <= 10  # of 176,640: the finest details of the scene, sharp in most frames
    filled, count = fill_hot_pixels(images)
    assert count == found.sum()
    before, after = (np.abs(one[:, hot].astype(int) - lens.images[:, hot]).mean() for one in (images, filled))
    assert after < 0.15 * before
    np.testing.assert_array_equal(filled[:, ~found], images[:, ~found])


@pytest.mark.parametrize("method", ["lp", "gacn"])
def test_filling_hot_pixels_restores_the_quality(lens, clean, method):
    images, _ = with_hot_pixels(lens.images, 255)
    assert psnr(images, lens, method) < clean[method] - 1
    assert psnr(fill_hot_pixels(images)[0], lens, method) > clean[method] - 0.3


def test_dead_pixels_and_other_types(lens):
    gray = lens.images[..., 1].astype(np.uint16) * 257
    images, hot = with_hot_pixels(gray, 0)
    bright = gray.mean(0)[hot] > 15_000  # a dead pixel in the dark is no fault
    assert find_hot_pixels(images)[hot][bright].mean() > 0.9
    unit = images / np.float64(65535)
    np.testing.assert_array_equal(find_hot_pixels(unit), find_hot_pixels(images))
    assert fill_hot_pixels(unit)[0].dtype == np.float64


def test_noise_is_no_hot_pixel():
    noise = np.random.default_rng(0).integers(0, 256, (8, 60, 60), dtype=np.uint8)
    filled, count = fill_hot_pixels(noise)
    assert count == 0
    assert filled is noise
