"""What reading, writing and scaling keep for every image."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mffrepro.errors import ImageError
from mffrepro.images import check_image, from_unit, read_image, to_gray, to_unit, write_image

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda hw: st.sampled_from([hw, (*hw, 3)]))
unit_floats = st.floats(0, 1, width=32)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def integer_images(dtype):
    return arrays(dtype, shapes)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".webp"])
@given(image=integer_images(np.uint8))
@quick
def test_eight_bits_come_back_from_every_lossless_format(tmp_path, suffix, image):
    read = read_image(write_image(tmp_path / f"x{suffix}", image))
    if suffix == ".webp" and image.ndim == 2:  # WebP has no gray; the three channels are the gray
        assert (read == read[..., :1]).all()
        read = read[..., 0]
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@given(image=integer_images(np.uint16))
@quick
def test_sixteen_bits_come_back(tmp_path, suffix, image):
    read = read_image(write_image(tmp_path / f"x{suffix}", image))
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("suffix", [".tif", ".tiff"])
@given(image=arrays(np.float32, shapes, elements=unit_floats))
@quick
def test_floats_come_back_from_tiff(tmp_path, suffix, image):
    read = read_image(write_image(tmp_path / f"x{suffix}", image))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
@given(level=st.integers(0, 255), shape=shapes)
@quick
def test_jpeg_keeps_shape_and_nearly_the_values(tmp_path, suffix, level, shape):
    image = np.full(shape, level, np.uint8)
    read = read_image(write_image(tmp_path / f"x{suffix}", image))
    assert read.shape == image.shape
    assert np.abs(read.astype(int) - image).max() <= 2


@given(image=st.one_of(integer_images(np.uint8), integer_images(np.uint16), arrays(np.float64, shapes, elements=unit_floats)))
@quick
def test_scaling_to_unit_and_back_changes_nothing(image):
    unit = to_unit(image, np.float64)
    assert 0 <= unit.min() <= unit.max() <= 1
    np.testing.assert_array_equal(from_unit(unit, image.dtype), image)


@given(image=arrays(np.float64, shapes, elements=st.floats(-3, 4)))
@quick
def test_from_unit_is_monotonous_and_clipped(image):
    levels = from_unit(image, np.dtype(np.uint8)).astype(int)
    np.testing.assert_array_equal(levels, np.clip(np.floor(np.clip(image, 0, 1) * 255 + 0.5), 0, 255))


@given(image=arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)), elements=unit_floats))
@quick
def test_gray_lies_between_the_channels(image):
    for weights in ("skimage", "matlab"):
        gray = to_gray(image, weights)
        assert (image.min(-1) - 1e-9 <= gray).all()
        assert (gray <= image.max(-1) + 1e-9).all()


anything = st.one_of(
    arrays(st.sampled_from([np.uint8, np.uint16, np.int16, np.int64, bool]), st.lists(st.integers(0, 6), max_size=5).map(tuple)),
    arrays(
        np.float64, st.lists(st.integers(0, 5), max_size=4).map(tuple), elements=st.floats(allow_nan=True, allow_infinity=True)
    ),
)


@given(array=anything)
@settings(max_examples=150, deadline=None)
def test_an_array_is_usable_or_refused_in_one_sentence(array):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = check_image(array, "it")
        except ImageError as error:
            refusal = str(error)
        else:
            refusal = ""
    if refusal:
        assert refusal.startswith("it ")
        assert "\n" not in refusal
        return
    assert image.ndim == 2 or image.shape[2:] == (3,)
    assert image.size
    assert image.dtype in (np.uint8, np.uint16) or (image.min() >= 0 and image.max() <= 1)


@given(
    content=st.binary(max_size=300),
    start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0", b"BM", b"RIFF"]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_is_never_a_traceback(tmp_path, content, start):
    path = tmp_path / "noise.png"
    path.write_bytes(start + content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check_image(read_image(path))
        except ImageError as error:
            refusal = str(error)
        else:
            refusal = str(path)
    assert str(path) in refusal
    assert "\n" not in refusal
