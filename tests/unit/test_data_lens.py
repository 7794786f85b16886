"""The thin lens: what must hold whatever the scene, and a scene of two planes that can be worked out by hand."""

import numpy as np
import pytest
from scipy import ndimage

from mffrepro.data.lens import focal_stack, sharpest_slice, thin_lens
from mffrepro.errors import ImageError, OptionError


@pytest.fixture
def image():
    return np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def disc(radius):
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    weights = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
    return weights / weights.sum()


def test_a_pinhole_returns_the_image(image):
    disparity = np.random.default_rng(2).uniform(1, 30, image.shape[:2])
    assert (thin_lens(image, disparity, 5, 0) == image).all()


def test_a_plane_in_focus_returns_the_image(image):
    assert (thin_lens(image, np.full(image.shape[:2], 7.0), 7, 3) == image).all()


def test_a_plane_out_of_focus_is_convolved_with_the_disc(image):
    gray = image[..., 0] / 255
    ours = thin_lens(gray, np.full(gray.shape, 7.0), 5, 2)
    weight = ndimage.correlate(np.ones_like(gray), disc(4), mode="constant")
    np.testing.assert_allclose(ours, ndimage.correlate(gray, disc(4), mode="constant") / weight, atol=1e-5)


@pytest.mark.parametrize("psf", ["disc", "gaussian"])
def test_both_kernels_have_about_the_width_of_the_disc(psf):
    point = np.zeros((41, 41))
    point[20, 20] = 1
    blurred = thin_lens(point, np.full(point.shape, 1.0), 0, 8, psf=psf)
    width = np.sqrt(((np.arange(41) - 20) ** 2 * blurred.sum(axis=0)).sum())
    assert width == pytest.approx(8 / 2, rel=0.15)  # a disc of radius r has standard deviation r / 2 along each axis


def test_a_hexagon_lies_in_the_disc_and_has_six_equal_sides():
    point = np.zeros((81, 81))
    point[40, 40] = 1
    disc_, hexagon = (thin_lens(point, np.full(point.shape, 1.0), 0, 12, psf=psf) for psf in ("disc", "hexagon"))
    assert hexagon[disc_ < 1e-12].max() < 1e-12  # the filter rounds
    area = (hexagon / hexagon.max()).sum()
    assert area == pytest.approx(1.5 * np.sqrt(3) * 12**2, rel=0.01)
    np.testing.assert_allclose(hexagon, hexagon[::-1, ::-1], atol=1e-7)
    turned = ndimage.rotate(hexagon, 60, reshape=False, order=1)
    assert np.abs(turned - hexagon).sum() < 0.1 < np.abs(hexagon.T - hexagon).sum()


@pytest.fixture
def planes():
    """A bright near square before a dark far wall."""
    near = np.zeros((60, 60), bool)
    near[20:40, 20:40] = True
    return near, np.where(near, 0.75, 0.25), np.where(near, 10.0, 2.0)


def test_a_sharp_foreground_does_not_bleed_into_the_blurred_background(planes):
    _, image, disparity = planes
    np.testing.assert_allclose(thin_lens(image, disparity, 10, 0.5), image, atol=1e-6)


def test_a_blurred_foreground_spreads_over_the_sharp_background(planes):
    near, image, disparity = planes
    lens = thin_lens(image, disparity, 2, 0.5)
    opacity = ndimage.correlate(near.astype(float), disc(4), mode="constant")
    np.testing.assert_allclose(lens, 0.25 + 0.5 * opacity, atol=1e-5)


def test_far_things_do_not_cover_near_ones():
    gap = np.ones((60, 60), bool)
    gap[20:40, 20:40] = False
    near_frame = np.where(gap, 0.75, 0.25), np.where(gap, 10.0, 2.0)
    np.testing.assert_allclose(thin_lens(*near_frame, 10, 0.5)[gap], 0.75, atol=1e-6)


def test_a_focal_stack_is_its_slices(image):
    disparity = np.linspace(1, 9, 50)[None].repeat(40, axis=0)
    stack = focal_stack(image, disparity, [2, 8], 1)
    assert (stack[0] == thin_lens(image, disparity, 2, 1)).all()
    assert (stack[1] == thin_lens(image, disparity, 8, 1)).all()


def test_the_sharpest_slice_is_the_nearest_focus():
    decision = sharpest_slice(np.array([[0.0, 2.4, 2.6, 9.0, 2.5]]), [5.0, 0.0])
    assert decision.dtype == np.float32
    assert decision[0].tolist() == [[0, 0, 1, 1, 1]]
    assert (decision.sum(axis=0) == 1).all()


def test_bad_input_is_refused(image):
    disparity = np.ones(image.shape[:2])
    for wrong in (disparity[1:], np.where(disparity > 0, np.inf, 0)):
        with pytest.raises(ImageError, match="disparity map"):
            thin_lens(image, wrong, 1, 1)
    for options in ({"aperture": -1}, {"aperture": 1, "layers": 0}, {"aperture": 1, "psf": "square"}):
        with pytest.raises(OptionError, match="aperture="):
            thin_lens(image, disparity, 1, **options)
