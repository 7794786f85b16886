"""Blur and pairs against SciPy, and against the numbers the papers give."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mffrepro.data.synthetic import blur_levels, composite, defocus_spread, gaussian_blur, jpeg
from mffrepro.errors import ImageError, OptionError


def kernel(sigma, size):
    x = np.arange(size) - size // 2
    taps = np.exp(-(x**2) / (2 * sigma**2))
    return np.outer(taps, taps) / taps.sum() ** 2


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (24, 31, 3), dtype=np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((24, 31), bool)
    mask[6:18, 8:20] = True
    return mask


@pytest.mark.parametrize(("sigma", "size"), [(2.0, 7), (2.0, 3), (0.7, None), (2.0, 15)])
def test_blur_is_a_truncated_gaussian_with_mirrored_border(image, sigma, size):
    ours = gaussian_blur(image[..., 0] / 255, sigma, size=size)
    theirs = ndimage.correlate(image[..., 0] / 255, kernel(sigma, size or 2 * int(np.ceil(3 * sigma)) + 1), mode="mirror")
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(("size", "sigmas"), [(7, (1.64, 2.32, 2.84, 3.28, 3.67)), (3, (0.80, 1.13, 1.38, 1.60, 1.79))])
def test_five_levels_have_the_width_of_the_papers(size, sigmas):
    point = np.zeros((61, 61))
    point[30, 30] = 1
    for level, sigma in zip(blur_levels(point, sigma=2, size=size), sigmas, strict=True):
        width = np.sqrt(((np.arange(61) - 30) ** 2 * level.sum(axis=0)).sum())
        assert width == pytest.approx(sigma, abs=0.006)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_dtype_is_kept(image, mask, dtype):
    image = image.astype(dtype) if dtype in (np.uint8, np.uint16) else (image / 255).astype(dtype)
    assert gaussian_blur(image).dtype == composite(image, mask).dtype == defocus_spread(image, mask).dtype == dtype


def test_no_blur_is_a_copy(image):
    for same in (gaussian_blur(image, 0), gaussian_blur(image, times=0)):
        assert (same == image).all()
        assert not np.shares_memory(same, image)
    floats = image / 255
    assert not np.shares_memory(gaussian_blur(floats, 0), floats)


def test_composite_is_sharp_on_its_side_and_blurred_on_the_other(image, mask):
    near, far = composite(image, mask, 2, size=7, level=3)
    blurred = gaussian_blur(image, 2, size=7, times=3)
    assert (near[mask] == image[mask]).all()
    assert (far[~mask] == image[~mask]).all()
    assert (near[~mask] == blurred[~mask]).all()
    assert (far[mask] == blurred[mask]).all()


def test_a_soft_mask_mixes(image):
    near, far = composite(image, np.full(image.shape[:2], 0.5))
    mean = (image / 255 + gaussian_blur(image) / 255) / 2
    assert np.abs(near / 255 - mean).max() < 0.51 / 255
    assert (near == far).all()


def test_defocus_spread_is_the_published_formula(image, mask):
    gray = image[..., 0] / 255
    matte = ndimage.correlate(mask.astype(float), kernel(8, 91), mode="mirror")
    blurred = ndimage.correlate(gray, kernel(2, 7), mode="mirror")
    near, far = defocus_spread(gray, mask, 2, 8, size=7)
    np.testing.assert_allclose(near, np.where(mask, gray, blurred), atol=1e-6)
    np.testing.assert_allclose(far, gray * (1 - matte) + matte * blurred, atol=1e-5)


def test_blur_reaches_over_the_outline_only_with_spread(image, mask):
    just_outside = np.zeros_like(mask)
    just_outside[6:18, 20:22] = True
    assert (composite(image, mask)[1][just_outside] == image[just_outside]).all()
    assert (defocus_spread(image, mask)[1][just_outside] != image[just_outside]).any()


def test_a_mask_of_another_size_is_refused(image, mask):
    for make in (composite, defocus_spread):
        with pytest.raises(ImageError, match="mask has shape"):
            make(image, mask[1:])


@pytest.mark.parametrize("options", [{"sigma": -1}, {"size": 4}, {"size": 0}, {"times": -1}])
def test_impossible_blurs_are_refused(image, options):
    with pytest.raises(OptionError, match="odd size"):
        gaussian_blur(image, **options)


@pytest.mark.parametrize("quality", [30, 90])
def test_jpeg_is_what_pillow_makes_of_it(quality):
    """Gray, where neither subsamples chroma; and a red that stays red."""
    smooth = gaussian_blur(np.random.default_rng(0).integers(0, 256, (48, 40), dtype=np.uint8), 2.0)
    file = io.BytesIO()
    Image.fromarray(smooth).save(file, "JPEG", quality=quality)
    np.testing.assert_allclose(jpeg(smooth, quality).astype(int), np.asarray(Image.open(file)).astype(int), atol=2)
    unit = jpeg(smooth.astype(np.float32) / 255, quality)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(255 * unit, jpeg(smooth, quality), atol=1e-3)
    assert jpeg(np.full((16, 16, 3), (255, 0, 0), np.uint8), 90)[8, 8].astype(int) == pytest.approx((255, 0, 0), abs=6)
