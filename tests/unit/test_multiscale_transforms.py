"""Contourlets, shearlets, curvelets, gradients, pulses: against slow and obvious twins, closed forms, published filters."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import halves, noise
from scipy import ndimage

import mffrepro as mff
from mffrepro.baselines import dchwt, gd, pulses
from mffrepro.errors import ImageError, OptionError
from mffrepro.fusion import atrous, contourlet, curvelet, equalisation, integration, nsct, nsst, pseudopolar

SIZES = [(64, 64), (65, 98), (17, 40), (3, 2), (1, 1), (1, 9)]
any_size = st.tuples(st.integers(1, 48), st.integers(1, 48))
seeds = st.integers(0, 2**32 - 1)


def wave(angle, frequency=0.3, side=64):
    """A wave in the direction of an angle in degrees, whole periods along both axes."""
    fy, fx = np.round(side * frequency * np.array([np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])) / side
    y, x = np.mgrid[:side, :side]
    return np.cos(2 * np.pi * (fy * y + fx * x))


# ------------------------------------------------------------------------------------------------- pyramid

#: Taps from the middle outwards, as the nonsubsampled contourlet toolbox of da Cunha, Zhou and Do tabulates them.
PUBLISHED = {
    ("pyrexc", 0): [[0.3406092167691145, 0.15088834764831843, -0.019416260736238835],
                    [0.15088834764831843, 0.0625, -0.012944173824159223],
                    [-0.019416260736238835, -0.012944173824159223, -0.003236043456039806]],
    ("pyrexc", 1): [[0.8406092167691145, -0.09911165235168155, -0.019416260736238835],
                    [-0.09911165235168155, -0.0625, -0.012944173824159223],
                    [-0.019416260736238835, -0.012944173824159223, -0.003236043456039806]],
    ("maxflat", 0): [[0.3177420190660832, 0.16155815610625748, -0.020904714318069645, -0.01795090623402861],
                     [0.16155815610625748, 0.0791015625, -0.014334661246676327, -0.0087890625]],
    ("maxflat", 3): [[0.8177420190660831, -0.1196918438937425, -0.020904714318069645, 0.01329909376597139],
                     [-0.1196918438937425, -0.0791015625, -0.014334661246676327, 0.0087890625]],
}  # fmt: skip


@pytest.mark.parametrize(("filters", "which"), PUBLISHED)
def test_the_filters_of_the_pyramid_are_the_published_ones(filters, which):
    impulse = np.zeros((65, 65))
    impulse[32, 32] = 1
    response = atrous._responses(impulse.shape, 0, filters)[which]
    taps = atrous.idctn(response * atrous.dctn(impulse))[32:, 32:]
    expected = np.array(PUBLISHED[filters, which])
    np.testing.assert_allclose(taps[: expected.shape[0], : expected.shape[1]], expected, atol=1e-14)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_level_is_a_filter_with_holes_on_the_mirrored_image(level):
    quadrant = np.array(PUBLISHED["pyrexc", 0])
    taps = np.pad(quadrant, ((2, 0), (2, 0)), mode="reflect")
    with_holes = np.zeros((4 * 2**level + 1,) * 2)
    with_holes[:: 2**level, :: 2**level] = taps
    image = noise(23, 34)
    response = atrous._responses(image.shape, level, "pyrexc")[0]
    expected = ndimage.convolve(image, with_holes, mode="reflect")
    np.testing.assert_allclose(atrous.idctn(response * atrous.dctn(image)), expected, atol=1e-12)


@pytest.mark.parametrize("filters", atrous.FILTERS)
@given(size=any_size, levels=st.integers(1, 5), seed=seeds)
@settings(max_examples=20, deadline=None)
def test_the_pyramid_gives_the_image_back(filters, size, levels, seed):
    image = noise(*size, seed=seed)
    details, base = atrous.analyse(image, levels, filters=filters)
    assert {detail.shape for detail in details} == {size}
    assert np.abs(atrous.synthesise(details, base, filters=filters) - image).max() < 1e-10


# --------------------------------------------------------------------------------------------- contourlets


@pytest.mark.parametrize("filters", nsct.FILTERS)
@pytest.mark.parametrize("directions", [(16, 8, 8, 4), (1, 2), (32,)])
@pytest.mark.parametrize("size", SIZES)
def test_contourlets_give_the_image_back(size, directions, filters):
    image = noise(*size)
    details, base = nsct.analyse(image, directions, filters=filters)
    assert [bands.shape for bands in details] == [(count, *size) for count in directions]
    assert np.abs(nsct.synthesise(details, base, filters=filters) - image).max() < 1e-10


def upsampled(taps, matrix):
    """A filter {(row, column): value} whose taps lie where the matrix moves them; it acts on (column, row)."""
    return {tuple((matrix @ (column, row))[::-1]): value for (row, column), value in taps.items()}


def periodic(taps, image):
    return sum(value * np.roll(image, place, (0, 1)) for place, value in taps.items())


def diamond(polynomial):
    """Chebyshev coefficients in one dimension as taps in two: the mean of four neighbours takes the place of the cosine."""
    side = 2 * len(polynomial) + 1
    delta = np.zeros((side, side))
    delta[side // 2, side // 2] = 1
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
    terms = [delta, ndimage.convolve(delta, cross)]
    while len(terms) < len(polynomial):
        terms.append(2 * ndimage.convolve(terms[-1], cross) - terms[-2])
    plane = sum(c * term for c, term in zip(polynomial, terms, strict=False))
    return {tuple(np.array(at) - side // 2): plane[at] for at in zip(*np.nonzero(plane), strict=True)}


@pytest.mark.parametrize("filters", nsct.FILTERS)
def test_eight_directions_are_the_tree_of_filters_laid_out_in_the_plane(filters):
    """The construction of the toolbox: fans, fans on the quincunx lattice, then sheared fans on the lattice of each channel."""
    low, back = (np.array([taps[0], *(2 * tap for tap in taps[1:])]) for taps in nsct.FILTERS[filters])
    pair = [diamond(low), diamond(back * (-1.0) ** np.arange(len(back)))]
    by_rows = [{(r, c): v * (-1.0) ** r for (r, c), v in taps.items()} for taps in pair]
    by_columns = [{(r, c): v * (-1.0) ** c for (r, c), v in taps.items()} for taps in pair]
    shears = [lambda r, c: (r - c, c), lambda r, c: (r + c, c)]
    sheared = [[{shear(*at): v for at, v in taps.items()} for taps in fans]
               for shear, fans in zip(shears, (by_rows, by_columns), strict=True)]  # fmt: skip
    sheared += [[{(c, r): v for (r, c), v in taps.items()} for taps in fans] for fans in sheared]

    image = noise(32, 40)
    bands = [periodic(taps, image) for taps in by_columns]
    bands = [periodic(upsampled(taps, np.array([[1, -1], [1, 1]])), band) for band in bands for taps in by_columns]
    twice = 2 * np.eye(2, dtype=int)
    bands = [periodic(upsampled(taps, twice), band) for k, band in enumerate(bands) for taps in sheared[k]]
    np.testing.assert_allclose(nsct.split(image, 8, filters=filters), bands, atol=1e-12)


@pytest.mark.parametrize("split", [partial(nsct.split, count=8), partial(nsst.split, count=8, size=8)])
def test_directions_follow_the_shifts_of_the_image(split):
    image = noise(33, 48)
    np.testing.assert_allclose(split(np.roll(image, (5, 7), (0, 1))), np.roll(split(image), (5, 7), (1, 2)), atol=1e-12)


@pytest.mark.parametrize(
    ("split", "least"), [(partial(nsct.split, count=8), 0.55), (partial(nsst.split, count=8, size=16), 0.99)]
)
def test_eight_directions_see_eight_directions(split, least):
    shares = [np.square(split(wave(angle))).sum((1, 2)) for angle in np.arange(8) * 22.5 + 11.25]
    assert sorted(share.argmax() for share in shares) == list(range(8))
    assert min(share.max() / share.sum() for share in shares) > least


# ------------------------------------------------------------------------------------ decimated contourlets


@pytest.mark.parametrize(
    ("size", "directions"),
    [
        ((64, 96), (16, 8, 8, 4)),
        ((65, 98), (1, 4)),
        ((17, 40), (32,)),
        ((9, 9), (16, 8, 8, 4)),
        ((3, 4), (4, 8)),
        ((2, 2), (16,)),
    ],
)
def test_decimated_contourlets_give_the_image_back(size, directions):
    image = noise(*size)
    details, base = contourlet.analyse(image, directions)
    assert [len(bands) for bands in details] == list(directions)
    assert np.abs(contourlet.synthesise(details, base, size) - image).max() < 1e-10


@pytest.mark.parametrize("count", [1, 4, 8, 16, 32])
def test_the_directions_of_a_level_have_as_many_samples_as_it_has_pixels(count):
    level = noise(64, 96)
    bands = contourlet.split(level, count)
    assert sum(band.size for band in bands) == level.size
    rows, columns = (count // 2, 2) if count > 1 else (1, 1)
    assert [band.shape for band in bands[: -(-count // 2)]] == [(64 // rows, 96 // columns)] * -(-count // 2)
    changed = [np.zeros_like(band) for band in bands]
    changed[-1][0, 0] = 1  # no sample says what another one says: a basis
    again = contourlet.split(contourlet.join(changed, level.shape), count)
    for band, expected in zip(again, changed, strict=True):
        np.testing.assert_allclose(band, expected, atol=1e-12)


def ladder(p, q):
    """Taps {(row, column): value} between the two halves of a fan: the ladder along (p + q) / 2 times that along (q - p) / 2."""
    taps, p, q = {}, np.array(p), np.array(q)
    for k, first in enumerate(contourlet.LADDER):
        for m, second in enumerate(contourlet.LADDER):
            value = (-1) ** (k + m) * first * second
            for place, sign in (((k - m) * q + (k + m + 1) * p, 1), ((k + m + 1) * q + (k - m) * p, -1)):
                for turned in (tuple(place), tuple(-place)):
                    taps[turned] = taps.get(turned, 0) + sign * value
    return taps


@pytest.mark.parametrize(
    ("number", "steps", "second"),
    [
        (0, [((1, 0), (0, 1)), ((1, -1), (1, 1)), ((2, 0), (-2, 2))], False),
        (7, [((1, 0), (0, 1)), ((1, -1), (1, 1)), ((2, 2), (0, -2))], True),
    ],
)
def test_a_direction_is_the_ladder_of_phoong_in_the_plane(number, steps, second):
    """Each stage predicts the samples of one half from those of the other; worked out by hand for the first and the last."""
    image = noise(32, 40)
    band = image
    for p, q in steps:
        smooth = (band + periodic(ladder(p, q), band)) / 2
        band = band - periodic(ladder(p, q), smooth) if second else smooth
    found = contourlet.split(image, 8)[number]
    start = np.sum([p for p, _ in steps], axis=0) if second else (0, 0)
    rows, columns = (2, 4) if second else (4, 2)
    np.testing.assert_allclose(found, band[start[0] % rows :: rows, start[1] % columns :: columns], atol=1e-12)


@pytest.mark.parametrize(("count", "least"), [(8, 0.9), (16, 0.5)])
def test_decimated_directions_see_their_own_angles(count, least):
    """Wedges of equal spans on the border of the square, so their slopes are equally spaced, not their angles."""
    spans = (np.arange(count // 2) + 0.5) / (count // 4) - 1
    angles = np.rad2deg([*np.arctan(spans), *(np.pi / 2 - np.arctan(spans))])
    shares = [[np.square(band).sum() for band in contourlet.split(wave(angle, side=128), count)] for angle in angles]
    assert sorted(np.argmax(share) for share in shares) == list(range(count))
    assert min(max(share) / sum(share) for share in shares) > least


# ----------------------------------------------------------------------------------------------- shearlets


@pytest.mark.parametrize("size", SIZES)
def test_shearlets_give_the_image_back(size):
    image = noise(*size)
    details, base = nsst.analyse(image, (16, 16, 8, 8), (16, 16, 8, 8))
    assert np.abs(nsst.synthesise(details, base) - image).max() < 1e-10


@given(count=st.integers(1, 9), size=st.integers(2, 24))
@settings(max_examples=30, deadline=None)
def test_windows_of_shearlets_add_up_to_one(count, size):
    windows = nsst._windows(2 * count, size)
    assert windows.min() >= 0
    np.testing.assert_allclose(windows.sum(0), 1)


def test_filters_of_shearlets_are_no_larger_than_they_are_told():
    impulse = np.zeros((64, 65))
    impulse[32, 32] = 1
    bands = nsst.split(impulse, 8, 10)
    inside = bands[:, 27:38, 27:38].copy()
    bands[:, 27:38, 27:38] = 0
    assert np.abs(bands).max() < 1e-14 < np.abs(inside).max()


def test_turns_go_once_around_and_count_even_steps_of_slope():
    y, x = np.array([(-1, 1), (-0.5, 1), (0, 1), (1, 1), (1, 0.5), (1, 0), (1, -0.5), (0, 0)], float).T
    expected = [0, 1 / 8, 1 / 4, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1 / 4]
    np.testing.assert_allclose(pseudopolar.turn(y, x), expected)
    np.testing.assert_allclose(pseudopolar.turn(-y, -x), expected)


# ----------------------------------------------------------------------------------------------- curvelets


@given(size=any_size, scales=st.integers(2, 6), angles=st.sampled_from([8, 12, 16]), seed=seeds)
@settings(max_examples=20, deadline=None)
def test_curvelets_give_the_image_back_and_keep_its_energy(size, scales, angles, seed):
    image = noise(*size, seed=seed) - 0.5
    details, base = curvelet.analyse(image, scales, angles)
    assert np.abs(curvelet.synthesise(details, base, size, angles) - image).max() < 1e-10
    energy = sum(np.square(np.abs(band)).sum() for ring in details for band in ring) + np.square(base).sum()
    assert energy == pytest.approx(np.square(image).sum())


def test_curvelets_have_twice_as_many_wedges_at_every_other_scale():
    details, _ = curvelet.analyse(noise(128, 128))
    assert [2 * len(ring) for ring in details] == [64, 32, 32, 16]
    samples = sum(2 * band.size for ring in details for band in ring)
    assert samples / 128**2 == pytest.approx(7, abs=0.2)  # the redundancy of its authors' is about 7.2


@pytest.mark.parametrize("size", [(64, 64), (65, 98), (40, 17)])
def test_no_two_frequencies_of_a_wedge_meet_when_it_is_wrapped(size):
    rings, base = curvelet._tiles(size, 5, 16)
    for tile in [*(tile for ring in rings for tile in ring), base]:
        assert len(np.unique(tile.places)) == len(tile.places)


def test_a_wave_lights_the_wedge_that_holds_it():
    """In the middle of wedge 11 of 32, where its neighbours end: the slope is 4 (11 + 1/2) / 32 - 1."""
    y, x = np.mgrid[:256, :256]
    details, base = curvelet.analyse(np.cos(2 * np.pi * (35 * y + 80 * x) / 256))
    energy = [np.array([np.square(np.abs(band)).sum() for band in ring]) for ring in details]
    assert energy[0].argmax() == 11
    assert energy[0].max() > 0.95 * (sum(ring.sum() for ring in energy) + np.square(base).sum())


# ---------------------------------------------------------------------------------- gradients and contrast


def differences(image):
    return np.diff(image, axis=1, append=image[:, -1:]), np.diff(image, axis=0, append=image[-1:])


@given(size=any_size, steps=st.integers(0, 4), seed=seeds)
@settings(max_examples=30, deadline=None)
def test_the_differences_of_an_image_integrate_to_it(size, steps, seed):
    image = noise(*size, seed=seed)
    back = integration.integrate(*differences(image), steps=steps)
    np.testing.assert_allclose(back - back.mean(), image - image.mean(), atol=1e-10)


def test_smoothing_steps_lead_towards_the_nearest_image():
    """Of a field that is the gradient of no image."""
    dx, dy = differences(noise(64, 64))[0], differences(noise(64, 64, seed=1))[1]

    def residual(steps):
        x, y = differences(integration.integrate(dx, dy, steps=steps))
        return np.square(x - dx).sum() + np.square(y - dy).sum()

    assert residual(3) < residual(1) < residual(0)


def slow_clip(histogram, limit):
    """The histogram's excess given out bin by bin."""
    bins = [int(count) for count in histogram]
    excess = sum(max(count - limit, 0) for count in bins)
    share = excess // len(bins)
    for k, count in enumerate(bins):
        if count > limit:
            bins[k] = limit
        else:
            given = min(share, limit - count)
            bins[k] += given
            excess -= given
    start = 0
    while excess > 0:
        step = max(len(bins) // excess, 1)
        for k in range(start, len(bins), step):
            if excess > 0 and bins[k] < limit:
                bins[k] += 1
                excess -= 1
        start = (start + 1) % len(bins)
    return bins


@given(seed=seeds, pixels=st.integers(1, 5000), peak=st.floats(0.2, 60))
@settings(max_examples=40, deadline=None)
def test_clipping_a_histogram_loses_no_pixel_and_passes_no_limit(seed, pixels, peak):
    grays = np.random.default_rng(seed).normal(128, peak, pixels).clip(0, 255).astype(int)
    histogram = np.bincount(grays, minlength=256)
    limit = -(-pixels // 256) + pixels // 50
    clipped = equalisation._clip(histogram, limit)
    assert clipped.sum() == pixels
    assert clipped.max() <= limit
    np.testing.assert_array_equal(clipped, slow_clip(histogram, limit))


@pytest.mark.parametrize("whole", [True, False])
def test_equalisation_is_its_definition(whole):
    """Each pixel between the maps of the four tiles whose middles are nearest."""
    image, tile = noise(32, 48), np.array([4, 6])
    got = 255 * equalisation.equalise(image, limit=0.1, whole=whole)
    grays = np.floor(255 * image + 0.5).astype(int)
    for i, j in [(0, 0), (1, 20), (13, 29), (17, 46), (31, 47)]:
        position = (np.array([i, j]) - tile / 2) / tile
        expected = 0
        for corner in np.ndindex(2, 2):
            at = np.floor(position).astype(int) + corner
            weight = np.prod(1 - np.abs(position - at))
            top, left = at.clip(0, 7) * tile
            members = grays[top : top + tile[0], left : left + tile[1]]
            clipped = equalisation._clip(np.bincount(members.ravel(), minlength=256), 1 + int(0.1 * 23 + 0.5))
            level = 255 * clipped[: grays[i, j] + 1].sum() / 24
            expected += weight * (np.floor(level + 0.5) if whole else level)
        assert got[i, j] == pytest.approx(expected)


def test_gradient_domain_rounds_luma_before_and_after_it_is_equalised():
    """As the results that MFIFB stores of colour files, which have only as many grays as luma has levels, 220."""
    pair = np.random.default_rng(4).integers(0, 256, (2, 40, 56), dtype=np.uint8)
    colour = np.repeat(pair[..., None], 3, axis=-1)
    found = mff.fuse(colour, "gd").image
    assert (np.ptp(found, axis=-1) == 0).all()
    luma = np.floor(16 + 219 * (pair / 255) + 0.5)
    dx, dy = (np.diff(luma, axis=axis, append=np.take(luma, [-1], axis)) for axis in (2, 1))
    second = dx[1] ** 2 + dy[1] ** 2 > dx[0] ** 2 + dy[0] ** 2
    integral = integration.integrate(*(np.where(second, d[1], d[0]) for d in (dx, dy)), steps=3)
    unit = ((integral - integral.min()) / np.ptp(integral)) ** (np.log(219) / np.log(np.ptp(integral)))
    equalised = equalisation.equalise(np.floor(219 * unit + 0.5) / 219, limit=0.003, whole=False)
    expected = np.floor(np.floor(16 + 219 * equalised + 0.5) * 255 / 219 - 16 * 255 / 219 + 0.5)
    np.testing.assert_array_equal(found[..., 0], expected)


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (65, 64)])
def test_equalisation_keeps_size_range_and_order_of_grays_within_a_tile(size):
    image = noise(*size)
    out = equalisation.equalise(image, limit=0.5, tiles=1)
    assert out.shape == size
    assert 0 <= out.min() <= out.max() <= 1
    assert (np.diff(out.ravel()[image.ravel().argsort()]) >= -1e-12).all()


def test_colours_of_gradient_domain_fusion_are_those_of_the_standard():
    white, red = ([255, 255, 255] @ (gd.TO_YCBCR / 255).T + gd.OFFSET, [1, 0, 0] @ gd.TO_YCBCR.T + gd.OFFSET)
    np.testing.assert_allclose(white, [235, 128, 128], atol=1e-9)
    np.testing.assert_allclose(red.round(), [81, 90, 240])


def test_gradient_domain_fusion_takes_the_steepest_gradients():
    """An image of less contrast adds nothing, whatever it shows."""
    image, other = noise(40, 50), ndimage.gaussian_filter(noise(40, 50, seed=1), 2) / 100
    expected = mff.fuse([image, np.zeros_like(image)], "gd").image
    np.testing.assert_array_equal(mff.fuse([image, image / 2 + 0.3], "gd").image, expected)
    assert np.abs(mff.fuse([other, image], "gd").image - expected).mean() < 0.01


def test_flat_sources_of_different_grays_give_their_mean():
    flat = [np.full((20, 20, 3), level) for level in (0.2, 0.6)]
    np.testing.assert_allclose(mff.fuse(flat, "gd").image, 0.4, atol=0.01)  # luma is rounded to whole grays
    np.testing.assert_allclose(mff.fuse([plane[..., 0] for plane in flat], "gd").image, 0.4)


# -------------------------------------------------------------------------------------------------- pulses


def slow_firings(stimuli, iterations, exchange):
    """The equations of a pulse-coupled network, one after the other."""
    shape = stimuli.shape
    link, threshold, pulses, counts = (np.zeros(shape) for _ in range(4))
    weights = np.array([[1 / np.sqrt(2), 1, 1 / np.sqrt(2)], [1, 0, 1], [1 / np.sqrt(2), 1, 1 / np.sqrt(2)]])
    for _ in range(iterations):
        others = pulses.sum(0) - pulses
        heard = np.stack([ndimage.convolve(plane, weights, mode="constant") for plane in pulses]) + exchange * others
        link = np.exp(-1) * link + heard
        threshold = np.exp(-0.2) * threshold + 20 * pulses
        pulses = (stimuli * (1 + 3 * link) > threshold).astype(float)
        counts += pulses
    return counts


@pytest.mark.parametrize("exchange", [0, 0.5])
def test_firings_are_those_of_the_equations(exchange):
    stimuli = noise(3, 17, 22)
    got = pulses.firings(stimuli, iterations=60, exchange=exchange)
    assert (got == slow_firings(stimuli, 60, exchange)).mean() > 0.99  # single precision decides a tie now and then


def test_a_lonely_neuron_fires_whenever_its_threshold_has_fallen():
    """It first fires at once; the threshold is then 20 and has to fall to the stimulus: ln(20 / 0.5) / 0.2 is 18.4 steps."""
    fired = [int(pulses.firings(np.array([[[0.5]]]), iterations=n)[0, 0, 0]) for n in (1, 20, 21)]
    assert fired == [1, 1, 2]


def test_spikes_are_those_of_the_equations():
    stimuli, weights = noise(3, 17, 22), np.array([[0.1091, 0.1409, 0.1091], [0.1409, 0, 0.1409], [0.1091, 0.1409, 0.1091]])
    activity, spikes, counts, threshold = *(np.zeros(stimuli.shape) for _ in range(3)), np.ones(stimuli.shape)
    for _ in range(60):
        heard = np.stack([ndimage.convolve(plane, weights, mode="constant") for plane in spikes])
        activity = 0.2 * activity + stimuli * heard + stimuli
        threshold = 0.9 * threshold + 20 * spikes
        spikes = (1 / (1 + np.exp(threshold - activity)) > 0.5).astype(float)
        counts += spikes
    got = pulses.spikes(stimuli, iterations=60)
    assert counts.max() > 2
    assert (got == counts).mean() > 0.99


def test_a_lonely_neuron_spikes_once_it_is_above_its_threshold():
    """Fed with 0.5 its activity rises to 0.625; the threshold falls below that after five steps, and then has to fall from 20."""
    fired = [int(pulses.spikes(np.array([[[0.5]]]), iterations=n)[0, 0, 0]) for n in (4, 5, 39, 40)]
    assert fired == [0, 1, 1, 2]


def test_spatial_frequency_with_diagonals_is_its_definition():
    plane = noise(8, 11)
    padded = np.pad(plane, ((1, 0), (1, 1)), mode="edge")
    squares = (plane - padded[1:, :-2]) ** 2 + (plane - padded[:-1, 1:-1]) ** 2
    squares += ((plane - padded[:-1, :-2]) ** 2 + (plane - padded[:-1, 2:]) ** 2) / 2
    expected = np.sqrt(ndimage.uniform_filter(squares, 3, mode="nearest"))
    np.testing.assert_allclose(pulses.spatial_frequency(plane, diagonals=True), expected, atol=1e-7)


def test_spatial_frequency_is_its_definition():
    plane = noise(8, 11)
    down, right = np.zeros_like(plane), np.zeros_like(plane)
    down[1:], right[:, 1:] = np.diff(plane, axis=0), np.diff(plane, axis=1)
    got = pulses.spatial_frequency(plane)
    for i, j in [(1, 1), (4, 7), (6, 9)]:
        window = np.s_[i - 1 : i + 2, j - 1 : j + 2]
        assert got[i, j] == pytest.approx(np.sqrt(np.mean(down[window] ** 2 + right[window] ** 2)))


# ---------------------------------------------------------------------------------------- harmonic wavelets


def test_significance_of_harmonic_wavelets_is_its_definition():
    """Two octaves of an 8x8 image, each band and its weights on their own."""
    from scipy.fft import dctn, idctn

    sources = noise(2, 8, 8)
    spectra = [dctn(source, norm="ortho") for source in sources]
    blocks = {(1, 0): (4, 0), (0, 1): (0, 4), (1, 1): (4, 4)}
    expected, of_base = np.empty((8, 8)), 0
    for way, (top, left) in blocks.items():
        fine, coarse = (
            np.stack([idctn(s[top // n : top // n + 4 // n, left // n : left // n + 4 // n], norm="ortho") for s in spectra])
            for n in (1, 2)
        )
        padded = np.pad(fine, ((0, 0), (1, 1), (1, 1)), mode="symmetric")
        energy = np.stack([[[np.square(p[i : i + 3, j : j + 3]).mean() for j in range(4)] for i in range(4)] for p in padded])
        kin = np.abs(coarse) + np.abs(fine).reshape(2, 2, 2, 2, 2).sum((2, 4))
        expected[top : top + 4, left : left + 4] = dctn((energy * fine).sum(0) / energy.sum(0), norm="ortho")
        half = np.s_[2 * way[0] : 2 * way[0] + 2, 2 * way[1] : 2 * way[1] + 2]
        expected[half] = dctn((kin * coarse).sum(0) / kin.sum(0), norm="ortho")
        of_base = of_base + kin
    base = np.stack([idctn(s[:2, :2], norm="ortho") for s in spectra])
    expected[:2, :2] = dctn((of_base * base).sum(0) / of_base.sum(0), norm="ortho")
    np.testing.assert_allclose(dchwt._fuse_channel(sources, 2), idctn(expected, norm="ortho"), atol=1e-12)


# ------------------------------------------------------------------------------------------------- methods


@pytest.mark.parametrize("method", ["contourlet", "nsct", "nsst", "cvt", "gd", "dchwt", "nmei"])
def test_the_order_of_two_sources_matters_only_for_ties(method):
    images = halves()[..., 0] if method == "gd" else halves()  # which has many ties in its rounded luma
    first, second = mff.fuse(images, method), mff.fuse(images[::-1], method)
    np.testing.assert_allclose(first.image, second.image, atol=1e-9)
    if first.decision is not None:
        np.testing.assert_array_equal(first.decision, second.decision[::-1])


@pytest.mark.parametrize("method", ["nsct", "nsst"])
def test_undecimated_directions_follow_a_shift(method):
    images = halves(128, 128, 1)[..., 0]
    moved = np.roll(images, (3, 5), (1, 2))
    fused = np.roll(mff.fuse(images, method).image, (3, 5), (0, 1))
    inside = np.s_[56:-40, 60:-40]  # the coarsest filters reach far; what they see of the seam is faint there
    assert np.abs(fused - mff.fuse(moved, method).image)[inside].max() < 0.02


def test_pulses_that_are_exchanged_find_the_sharp_half():
    decision = mff.fuse(halves(), "nmei").decision
    assert decision[0, :, :36].mean() > 0.99
    assert decision[1, :, 60:].mean() > 0.99


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("nsct", {"directions": ()}, "directions is empty"),
        ("contourlet", {"directions": ()}, "directions is empty"),
        ("contourlet", {"directions": (2,)}, "2 directions cannot be had by halving twice or more"),
        ("pcnn", {"directions": ()}, "directions is empty"),
        ("scm", {"directions": (8, 8)}, "2 directions and 4 sizes"),
        ("nsct", {"directions": (6,)}, "6 directions cannot be had by halving; use a power of two"),
        ("nsct", {"filters": "9-7"}, "no directional filters '9-7'; known: 7-9, vk"),
        ("nsct", {"pyramid": "pyr"}, "no filters of the pyramid 'pyr'; did you mean 'pyrexc'"),
        ("nsst", {"directions": (8, 8)}, "2 directions and 4 sizes"),
        ("nsst", {"directions": (7,), "sizes": (8,)}, "7 directions do not fill two cones"),
        ("nsst", {"directions": (8,), "sizes": (1,)}, "side 1 have no direction"),
        ("cvt", {"scales": 1}, "scales is 1; use 2 or more"),
        ("cvt", {"angles": 10}, "angles is 10; use a multiple of 4"),
        ("dchwt", {"levels": 0}, "levels is 0; use 1 or more"),
    ],
)
def test_wrong_options_are_answered(method, options, message):
    with pytest.raises(OptionError, match=message):
        mff.fuse(halves(32, 32), method, **options)


@pytest.mark.parametrize("method", ["nsct", "nsst"])
def test_an_image_without_neighbours_is_refused(method):
    with pytest.raises(ImageError, match="at least 2x2"):
        mff.fuse(noise(2, 1, 30), method)
