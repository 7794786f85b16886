"""Frames of one stack that disagree about orientation, colour, size or alpha are brought together where one way is right."""

import warnings

import numpy as np
import pytest
from PIL import Image as Pillow

import mffrepro as mff
from mffrepro.errors import ImageError
from mffrepro.images import FocusStack, as_stack, write_image

RNG = np.random.default_rng(0)
WIDE = RNG.integers(0, 256, (2, 30, 40, 3), dtype=np.uint8)


def save(path, image, orientation=1):
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(image).save(path, exif=exif, lossless=True)
    return path


def notes_of(call):
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        result = call()
    return result, [str(note.message) for note in notes]


# ----------------------------------------------------------------------------------------------- orientation


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("turns", [(1, 3), (1, 6), (8, 1), (6, 8), (3, 1)])
def test_the_sensor_wins_where_orientations_differ(tmp_path, suffix, turns):
    paths = [save(tmp_path / f"{i}{suffix}", image, turn) for i, (image, turn) in enumerate(zip(WIDE, turns, strict=True))]
    stack, notes = notes_of(lambda: as_stack(paths))
    np.testing.assert_array_equal(stack.images, WIDE)
    (note,) = notes
    low, high = sorted(turns)
    assert f"EXIF orientations differ ({low} and {high})" in note


def test_orientations_that_agree_turn_the_stack(tmp_path):
    paths = [save(tmp_path / f"{i}.png", image, 6) for i, image in enumerate(WIDE)]
    stack, notes = notes_of(lambda: as_stack(paths))
    np.testing.assert_array_equal(stack.images, np.rot90(WIDE, -1, (1, 2)))
    assert notes == []


def test_a_frame_that_was_turned_by_a_program_is_used_upright(tmp_path):
    """Its stored size differs, so it is not as the sensor left it."""
    paths = [save(tmp_path / "a.png", WIDE[0], 6), save(tmp_path / "b.png", np.rot90(WIDE[1], -1))]
    stack, notes = notes_of(lambda: as_stack(paths))
    np.testing.assert_array_equal(stack.images, np.rot90(WIDE, -1, (1, 2)))
    assert notes == []


def test_orientations_that_do_not_exist_are_none(tmp_path):
    paths = [save(tmp_path / f"{i}.png", image, turn) for i, (image, turn) in enumerate(zip(WIDE, (0, 9), strict=True))]
    stack, notes = notes_of(lambda: as_stack(paths))
    np.testing.assert_array_equal(stack.images, WIDE)
    assert notes == []


def test_square_frames_turn_as_the_sensor_too(tmp_path):
    square = WIDE[:, :, :30]
    paths = [save(tmp_path / f"{i}.png", image, turn) for i, (image, turn) in enumerate(zip(square, (1, 6), strict=True))]
    stack, _ = notes_of(lambda: as_stack(paths))
    np.testing.assert_array_equal(stack.images, square)


# ------------------------------------------------------------------------------------------- colour and size


def test_a_gray_frame_among_colour_ones_becomes_colour(tmp_path):
    paths = [write_image(tmp_path / "a.png", WIDE[0]), write_image(tmp_path / "b.png", WIDE[1, ..., 0])]
    for given in (paths, [WIDE[0], WIDE[1, ..., 0]], [WIDE[1, ..., 0], WIDE[0]]):
        stack, notes = notes_of(lambda given=given: as_stack(given))
        assert stack.images.shape == WIDE.shape
        (note,) = notes
        assert note.endswith(": gray among colour images, converted to colour")
    assert np.ptp(stack.images[0], axis=-1).max() == 0


def test_sizes_that_differ_are_refused_or_cropped_around_the_centre():
    images = [WIDE[0], WIDE[1, 1:-1, 2:-1], WIDE[0, :, :-1]]
    with pytest.raises(ImageError, match=r"image 2 is 37x28 pixels but image 1 is 40x30; register and crop them"):
        as_stack(images)
    stack, notes = notes_of(lambda: as_stack(images, crop=True))
    assert stack.images.shape == (3, 28, 37, 3)
    np.testing.assert_array_equal(stack.images[0], WIDE[0, 1:-1, 1:-2])
    np.testing.assert_array_equal(stack.images[1], images[1])
    assert notes == ["image 1 and 1 more: cropped to 37x28 pixels, which all images have"]


def test_one_pixel_is_cut_off_at_the_far_side():
    stack, _ = notes_of(lambda: as_stack([WIDE[0], WIDE[1, :-1, :-1]], crop=True))
    np.testing.assert_array_equal(stack.images, WIDE[:, :-1, :-1])


def test_nothing_is_cropped_where_sizes_agree():
    assert notes_of(lambda: as_stack(list(WIDE), crop=True))[1] == []


def test_the_types_of_all_frames_must_agree():
    with pytest.raises(ImageError, match="image 2 is uint16 but image 1 is uint8"):
        as_stack([WIDE[0], WIDE[1].astype(np.uint16)])


# ------------------------------------------------------------------------------------------------------ alpha


def with_alpha(path, image, alpha):
    Pillow.fromarray(np.dstack([image, alpha])).save(path)
    return path


@pytest.fixture
def cut_out(tmp_path):
    """Two RGBA files, and their alpha."""
    alpha = RNG.integers(0, 256, (2, 30, 40), dtype=np.uint8)
    paths = [with_alpha(tmp_path / f"{i}.png", image, one) for i, (image, one) in enumerate(zip(WIDE, alpha, strict=True))]
    return paths, alpha


def test_alpha_of_all_sources_is_fused_along(cut_out):
    paths, alpha = cut_out
    for given in (paths, list(np.concatenate([WIDE, alpha[..., None]], -1)), np.concatenate([WIDE, alpha[..., None]], -1)):
        result, notes = notes_of(lambda given=given: mff.fuse(given, "gacn"))
        assert notes == []
        shares = result.decision
        np.testing.assert_array_equal(result.image, mff.fuse(WIDE, "gacn").image)
        expected = (shares * alpha).sum(0)
        assert np.abs(result.alpha - expected).max() <= 0.51


def test_without_a_decision_the_most_opaque_source_counts(cut_out):
    paths, alpha = cut_out
    np.testing.assert_array_equal(mff.fuse(paths, "average").alpha, alpha.max(0))


def test_alpha_of_some_sources_is_one_note(tmp_path, cut_out):
    paths, _ = cut_out
    plain = write_image(tmp_path / "plain.png", WIDE[0])
    result, notes = notes_of(lambda: mff.fuse([*paths, plain], "average"))
    assert result.alpha is None
    assert notes == [f"{paths[0]} and 1 more: the alpha channel is dropped, as the other images have none"]


# ------------------------------------------------------------------------------------------------------ clamp


@pytest.mark.parametrize("method", ["lp", "dtcwt", "ifcnn"])
def test_clamped_values_lie_between_those_of_the_sources(method):
    from mffrepro.data import load

    (stack,) = load("embedded", kind="lens", size=96)
    free, clamped = (mff.fuse(stack, method, clamp=clamp).image for clamp in (False, True))
    low, high = stack.images.min(0), stack.images.max(0)
    assert ((free < low) | (free > high)).any()
    np.testing.assert_array_equal(clamped, np.clip(free, low, high))


def test_a_stack_keeps_its_metadata_and_white_when_checked_again():
    twelve = RNG.integers(0, 4096, (2, 30, 40), dtype=np.uint16)
    stack = as_stack(list(twelve), white=4095)
    assert as_stack(stack) is stack
    assert as_stack(FocusStack("s", twelve), white=4095).images.max() > 60_000


# -------------------------------------------------------------------------------------------------- evaluation


def test_a_gray_result_of_colour_sources_is_scored_as_gray():
    from skimage.color import rgb2gray

    metrics = ["qabf", "mi", "sf"]
    gray = np.round(rgb2gray(WIDE[0]) * 255).astype(np.uint8)
    scores = mff.evaluate(WIDE, gray, metrics, reference=WIDE[1])
    assert scores == mff.evaluate(WIDE, np.dstack([gray] * 3), metrics, reference=WIDE[1])


def test_gray_is_compared_with_the_gray_of_a_colour_reference():
    weights = np.array([0.2989, 0.5870, 0.1140])
    gray = np.round(WIDE[1] @ weights).astype(np.uint8)
    names = ["psnr", "ssim", "mae"]
    for fused, reference in ((gray, WIDE[1]), (WIDE[1], gray)):
        scores = mff.evaluate(WIDE, fused, names, reference=reference)
        assert scores["mae"] == pytest.approx(np.abs(WIDE[1] @ weights - gray).mean(), abs=0.05)
        assert scores["psnr"] > 50
        assert scores["ssim"] > 0.99
    both = mff.evaluate(WIDE[..., 1], gray, names, reference=WIDE[1])
    assert both["psnr"] > 50


def test_a_colour_result_of_gray_sources_is_scored_as_gray():
    gray = WIDE[..., 1]
    scores = mff.evaluate(gray, np.dstack([gray[0]] * 3), ["qabf", "mi", "sf"])
    assert scores == mff.evaluate(gray, gray[0], ["qabf", "mi", "sf"])
