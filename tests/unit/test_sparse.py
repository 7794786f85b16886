"""Sparse codes, and the methods built on them, against slow twins and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import mffrepro as mff
from mffrepro import methods
from mffrepro.baselines import asr, dsift, mwg
from mffrepro.errors import ImageError, OptionError
from mffrepro.fusion import convolutional, sparse
from mffrepro.images import as_stack


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def atoms(size=16, count=40, seed=0):
    dictionary = noise(size, count, seed=seed)
    return dictionary / np.linalg.norm(dictionary, axis=0)


# ------------------------------------------------------------------------------------------------- pursuit


def slow_pursuit(signal, dictionary, eps, most):
    """The definition: each step solves least squares over all atoms taken."""
    taken, weights, left = [], np.zeros(0), signal
    while np.linalg.norm(left) > eps and len(taken) < most:
        taken.append(int(np.abs(dictionary.T @ left).argmax()))
        weights = np.linalg.lstsq(dictionary[:, taken], signal, rcond=None)[0]
        left = signal - dictionary[:, taken] @ weights
    return taken, weights, left


@given(seed=st.integers(0, 2**32 - 1), eps=st.sampled_from([0.1, 1.0, 3.0]), most=st.sampled_from([1, 4, 16]))
@settings(max_examples=30, deadline=None)
def test_pursuit_is_its_definition(seed, eps, most):
    signals, dictionary = 3 * noise(5, 16, seed=seed), atoms(seed=seed + 1)
    codes = sparse.pursue(signals, dictionary, eps=eps, most=most)
    for n, signal in enumerate(signals):
        taken, weights, left = slow_pursuit(signal, dictionary, eps, most)
        assert codes.atoms[n, : len(taken)].tolist() == taken
        np.testing.assert_allclose(codes.weights[n, : len(taken)], weights, atol=1e-7)
        assert not codes.weights[n, len(taken) :].any()
        np.testing.assert_allclose(codes.residuals[n], left, atol=1e-7)


def test_weighted_atoms_and_residuals_make_the_signals():
    signals, dictionary = noise(300, 16), atoms()
    codes = sparse.pursue(signals, dictionary, eps=0.5)
    made = np.einsum("nk,dnk->nd", codes.weights, dictionary[:, codes.atoms])
    np.testing.assert_allclose(made + codes.residuals, signals, atol=1e-10)
    assert (np.linalg.norm(codes.residuals, axis=1) <= 0.5).all()


def test_zero_signals_and_signals_that_are_atoms():
    dictionary = atoms()
    codes = sparse.pursue(np.stack([np.zeros(16), -2 * dictionary[:, 7]]), dictionary, eps=1e-6)
    assert not codes.weights[0].any()
    assert (codes.atoms[1, 0], codes.weights[1, 0]) == (7, pytest.approx(-2))
    assert not codes.weights[1, 1:].any()


def test_batches_do_not_change_the_codes():
    signals, dictionary = noise(3 * sparse.BATCH + 5, 16), atoms()
    norms, residuals = sparse.activity(signals, dictionary, eps=0.3)
    for n in (0, 17, len(signals) - 1):
        _, weights, left = slow_pursuit(signals[n], dictionary, 0.3, 16)
        assert norms[n] == pytest.approx(np.abs(weights).sum())
        np.testing.assert_allclose(residuals[n], left, atol=1e-8)


# ----------------------------------------------------------------------------------------- patches, fusion


@pytest.mark.parametrize("stride", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [(8, 8), (13, 22), (29, 9)])
def test_fusion_by_codes_is_patch_by_patch(size, stride):
    sources, dictionary = 50 * noise(3, *size), atoms(64, 100)
    total, count = np.zeros(size), np.zeros(size)
    for i in range(0, size[0] - 7, stride):
        for j in range(0, size[1] - 7, stride):
            patches = sources[:, i : i + 8, j : j + 8].reshape(3, 64)
            centred = patches - patches.mean(1, keepdims=True)
            codes = [slow_pursuit(patch, dictionary, 200.0, 64) for patch in centred]
            best = int(np.argmax([np.abs(weights).sum() for _, weights, _ in codes]))
            total[i : i + 8, j : j + 8] += (patches[best] - codes[best][2]).reshape(8, 8)
            count[i : i + 8, j : j + 8] += 1
    expected = np.where(count, total / np.maximum(count, 1), sources.mean(0))
    # What a code leaves of a patch is known in single precision; a patch of the wrong source would be off by tens.
    np.testing.assert_allclose(sparse.fuse_by_codes(sources, dictionary[None], eps=200.0, stride=stride), expected, atol=1e-3)


def test_sums_that_single_precision_cannot_tell_apart_are_compared_in_double():
    """The second source is the first, but for 1e-9 more of one atom: too little for single precision."""
    dictionary = np.eye(64)
    first = 100 * noise(1, 8, 8)[0]
    first[0, 0] = abs(first[0, 0]) + 1
    second = first.copy()
    second[0, 0] += 1e-9
    for sources, expected in (((first, second), second), ((second, first), second)):
        fused = sparse.fuse_by_codes(np.stack(sources), dictionary[None], eps=1e-12, stride=1)
        assert fused[0, 0] == expected[0, 0]


def test_images_smaller_than_a_patch_are_averaged():
    sources = noise(2, 5, 20)
    np.testing.assert_array_equal(sparse.fuse_by_codes(sources, atoms(64)[None], eps=1.0, stride=1), sources.mean(0))


def test_directions_of_gradients():
    """A wave along an angle has its gradient there; columns to the right, rows down."""
    y, x = np.mgrid[:8, :8]
    for number, degrees in enumerate([15, 45, 75, 105, 135, 165], start=1):
        angle = np.radians(degrees)
        wave = np.sin(1.0 * (np.cos(angle) * x + np.sin(angle) * y) + 0.3)
        # The zeros around a patch make edges of their own; a wave of mean zero keeps them small.
        assert asr.direction(wave.reshape(1, 64))[0] == number
    assert asr.direction(np.zeros((1, 64)))[0] == 0


# ------------------------------------------------------------------------------------ convolutional coding


def test_low_pass_solves_its_equation():
    image = np.pad(noise(40, 30), 16)  # far from its borders, where the equation wraps around
    smooth = convolutional.low_pass(image, 5.0)
    laplacian = sum(np.roll(smooth, s, a) for s in (1, -1) for a in (0, 1)) - 4 * smooth
    np.testing.assert_allclose((smooth - 5 * laplacian)[2:-2, 2:-2], image[2:-2, 2:-2], atol=1e-3)


def test_synthesis_is_convolution():
    maps, filters = np.zeros((2, 12, 15)), noise(2, 3, 3)
    maps[0, 4, 5], maps[1, 11, 14] = 2, 1
    image = convolutional.synthesise(maps, filters)
    np.testing.assert_allclose(image[4:7, 5:8], 2 * filters[0], atol=1e-12)
    assert image[0, 0] == pytest.approx(filters[1, 1, 1])  # borders wrap around


def test_codes_are_where_the_lasso_is_optimal():
    """Of the gradient of the squared error, no part exceeds the sparsity, and where a map is not zero it equals it."""
    filters = noise(4, 3, 3)
    filters /= np.linalg.norm(filters, axis=(1, 2), keepdims=True)
    image, sparsity = noise(16, 17, seed=1), 0.2
    maps = convolutional.code(image, filters, sparsity=sparsity, tolerance=1e-8, most=5000)
    left = image - convolutional.synthesise(maps, filters)
    spectra = np.conj(np.fft.fft2(filters, image.shape)) * np.fft.fft2(left)
    gradient = np.fft.ifft2(spectra).real
    assert np.abs(gradient).max() <= sparsity + 1e-5
    np.testing.assert_allclose(gradient[maps != 0], sparsity * np.sign(maps[maps != 0]), atol=1e-5)
    assert 0.05 < (maps != 0).mean() < 0.6


def plain_steps(image, filters, sparsity, steps):
    """The same iteration, every frequency by a solver of linear equations; the penalty stays in the first step, as published."""
    spectra, target = np.moveaxis(np.fft.fft2(filters, image.shape), 0, -1), np.fft.fft2(image)[..., None]
    sparse, dual = np.zeros((2, len(filters), *image.shape))
    penalty, aim = 100 * sparsity + 0.5, 1 + 18.3 ** (np.log10(sparsity) + 1)
    for step in range(steps):
        right = spectra.conj() * target + penalty * np.moveaxis(np.fft.fft2(sparse - dual), 0, -1)
        matrices = spectra.conj()[..., :, None] * spectra[..., None, :] + penalty * np.eye(len(filters))
        dense = np.fft.ifft2(np.moveaxis(np.linalg.solve(matrices, right[..., None])[..., 0], -1, 0)).real
        moved = 1.8 * dense - 0.8 * sparse + dual
        before, sparse = sparse, np.sign(moved) * np.maximum(np.abs(moved) - sparsity / penalty, 0)
        dual = moved - sparse
        primal = np.linalg.norm(dense - sparse) / max(np.linalg.norm(dense), np.linalg.norm(sparse))
        ratio = primal / (aim * np.linalg.norm(before - sparse) / np.linalg.norm(dual))
        if step > 0 and not 1 / 1.2 <= ratio <= 1.2:
            penalty, dual = penalty * np.sqrt(ratio), dual / np.sqrt(ratio)
    return sparse


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_codes_are_those_of_the_plain_iteration(steps):
    filters = noise(4, 3, 3)
    filters /= np.linalg.norm(filters, axis=(1, 2), keepdims=True)
    image = noise(16, 17, seed=1)
    found = convolutional.code(image, filters, sparsity=0.01, tolerance=0, most=steps)
    np.testing.assert_allclose(found, plain_steps(image, filters, 0.01, steps), atol=1e-9)


# ------------------------------------------------------------------------------------------- single methods


def halves(channels=1):
    """A scene, sharp on the left in one image and on the right in the other."""
    from scipy.ndimage import gaussian_filter

    scene = np.random.default_rng(0).random((72, 96, channels))
    blurred = gaussian_filter(scene, (3, 3, 0))
    near, far = scene.copy(), scene.copy()
    near[:, 48:], far[:, :48] = blurred[:, 48:], blurred[:, :48]
    return np.stack([near, far]) if channels > 1 else np.stack([near, far])[..., 0]


@pytest.mark.parametrize("method", ["dsift", "focus_stack"])
def test_decisions_find_the_sharp_half(method):
    decision = mff.fuse(halves(3), method).decision
    assert decision[0, 8:-8, 8:36].mean() > 0.9
    assert decision[1, 8:-8, 60:-8].mean() > 0.9


@pytest.mark.parametrize("method", ["dsift", "sr", "mst_sr", "asr", "csr"])
def test_the_order_of_two_sources_matters_only_for_ties(method):
    images = halves()[:, 16:64, 24:72]
    np.testing.assert_allclose(mff.fuse(images, method).image, mff.fuse(images[::-1], method).image, atol=1e-6)


def test_descriptors_are_their_definition():
    """Cell by cell: every gradient within a cell's reach, weighted by its distance to the middle of the cell along both axes."""
    gray = np.random.default_rng(0).random((9, 10))
    histograms = dsift.describe(gray, 8)
    got = histograms.at(*np.indices(gray.shape).reshape(2, -1)).reshape(*gray.shape, -1)
    np.testing.assert_allclose(histograms.total(), got.sum(-1), rtol=1e-12)
    padded = np.pad(gray, 3 + 2)
    smooth = np.exp(-(np.arange(-2, 3) ** 2) / 2)
    kernel = np.gradient(np.outer(smooth, smooth) / smooth.sum() ** 2, axis=1)
    kernel *= 2 / np.abs(kernel).sum()
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    across, down = (np.einsum("ijkl,kl->ij", windows, k) for k in (kernel, kernel.T))
    strength, angle = np.hypot(across, down), np.arctan2(down, across)
    y, x = 4, 5
    expected = []
    for column, row in np.ndindex(4, 4):
        # in the image padded by 3, a descriptor at (y, x) has its cells' middles at y + 2 row + 1.5 and x + 2 column + 1.5
        rows = np.maximum(1 - np.abs(np.arange(len(angle)) - (y + 2 * row + 1.5)) / 2, 0)
        columns = np.maximum(1 - np.abs(np.arange(angle.shape[1]) - (x + 2 * column + 1.5)) / 2, 0)
        for k in range(8):
            share = strength * np.maximum(np.cos(angle - k * np.pi / 4), 0) ** 9
            expected.append(rows @ share @ columns)
    np.testing.assert_allclose(got[y, x], expected, atol=1e-12)


def test_normalised_descriptors_have_length_one_and_no_peaks():
    descriptors = np.abs(noise(4, 3, 128))
    descriptors[0, 0] *= 1e-3
    faint = descriptors[0, 0].copy()
    normalised = dsift.normalise(descriptors)
    np.testing.assert_array_equal(normalised[0, 0], faint)  # what is short stays
    np.testing.assert_allclose(np.linalg.norm(normalised[1:], axis=-1), 1)


def test_the_mean_of_a_patch_is_that_of_the_winner_or_the_average():
    """The first source has the texture everywhere; the second is flat."""
    texture = 100 + 20 * np.sin(np.arange(24 * 24).reshape(24, 24) / 3)
    sources = [texture.astype(np.uint8), np.full((24, 24), 60, np.uint8)]
    assert mff.fuse(sources, "asr", stride=4).image.mean() == pytest.approx(sources[0].mean(), abs=0.5)
    average = mff.fuse(sources, "asr", stride=4, means="average").image
    assert average.mean() == pytest.approx((sources[0].mean() + 60) / 2, abs=0.5)
    assert average.std() == pytest.approx(sources[0].std(), rel=0.05)


def test_saliency_of_a_ramp_is_known():
    """One gradient of length g everywhere: eigenvalues g^2 and 0, so the saliency is g sqrt(1 + 1/2)."""
    y, x = np.mgrid[:60, :60]
    gray = 3.0 * x + 4.0 * y
    np.testing.assert_allclose(mwg.saliency(mwg.gradient(gray), 2.0)[20:-20, 20:-20], 5 * np.sqrt(1.5))


def test_matlabs_disk_of_three_is_a_square_and_of_nine_an_octagon():
    np.testing.assert_array_equal(mwg.disk(3), np.ones((5, 5)))
    assert mwg.disk(9).shape == (17, 17)
    assert mwg.disk(9).sum(1).tolist() == [9, 11, 13, 15, *[17] * 9, 15, 13, 11, 9]


@pytest.mark.parametrize("whole", [False, True])
def test_an_image_is_rebuilt_from_its_own_gradients(whole):
    image = mwg.to_whole(255 * np.random.default_rng(0).random((30, 31)))
    fused = mwg._fuse_pair(image, image[::-1], np.ones_like(image), 50, frame=True, whole=whole)
    np.testing.assert_allclose(fused, image, atol=1e-9)
    half = np.full_like(image, 0.5)
    across, down = mwg._fused_gradient(image, np.zeros_like(image), half, frame=True)
    np.testing.assert_allclose([across, down], np.stack(mwg.gradient(image, frame=True)) / 2, atol=1e-9)


def test_only_sources_in_whole_gray_levels_are_seen_so(monkeypatch):
    """Else sources of 16 bits would be fused to 256 levels."""

    def whole(levels):
        raise AssertionError("rounded")

    monkeypatch.setattr(mwg, "to_whole", whole)
    rng = np.random.default_rng(0)
    pair = [rng.integers(0, 256, (20, 30), dtype=np.uint8) for _ in range(2)]
    for sources, options in ((pair, {"as_published": False}), ([256 * i.astype(np.uint16) for i in pair], {})):
        mff.fuse(sources, "mwg", iterations=1, **options)
    for sources in (pair, [257 * i.astype(np.uint16) for i in pair], [i / 255 for i in pair]):
        with pytest.raises(AssertionError, match="rounded"):
            mff.fuse(sources, "mwg", iterations=1)


def test_runs_at_a_border_are_removed_where_they_are_short():
    """Up to 11 pixels at the upper and left border and 12 at the others, as in the authors' program."""
    for length, upper, lower in ((11, 0, 0), (12, 12, 0), (13, 13, 13)):
        mask = np.zeros((40, 40), np.uint8)
        mask[:length, 20] = mask[-length:, 25] = 1
        kept = mwg._without_thin_edges(mask, 12)
        assert (kept[:, 20].sum(), kept[:, 25].sum()) == (upper, lower)
        np.testing.assert_array_equal(mwg._without_thin_edges(mask.T, 12), kept.T)
    ones = np.ones((5, 40), np.uint8)
    np.testing.assert_array_equal(mwg._without_thin_edges(ones, 12), ones)  # a run from border to border stays


def test_gaps_are_not_closed_by_what_is_outside_the_image():
    mask = np.zeros((40, 40), bool)
    mask[3:, :] = True
    np.testing.assert_array_equal(mwg._close(mask), mask)
    mask[20, 20] = False
    assert mwg._close(mask)[20, 20] == 1


def test_the_weight_does_not_depend_on_which_source_comes_first():
    rng = np.random.default_rng(1)
    texture = 255 * rng.random((80, 120))
    blurred = ndimage.gaussian_filter(texture, 2.0)
    left = np.arange(120) < 45  # the region of the smaller part is mapped, first or second
    pair = [np.where(left, texture, blurred), np.where(left, blurred, texture)]
    inside = np.s_[2:-2, 2:-2]  # the median sees zeros outside
    weight, swapped = mwg.weigh_pair(*pair, 4.0, 0.5), mwg.weigh_pair(*pair[::-1], 4.0, 0.5)
    np.testing.assert_allclose(weight[inside], 1 - swapped[inside], atol=1e-12)
    assert weight[inside][:, :30].min() == 1
    assert weight[inside][:, 60:].max() == 0


# ------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        *[(name, {"eps": 0.0}, "eps is 0.0; use 1e-12 or more") for name in ("sr", "asr", "mst_sr")],
        *[(name, {"stride": 9}, "stride is 9; use 1 or more and at most 8") for name in ("sr", "asr", "mst_sr")],
        ("asr", {"noise": -1.0}, "noise is -1.0; use 0 or more"),
        ("asr", {"means": "mean"}, "no means 'mean'"),
        ("mst_sr", {"transform": "dtcw"}, "no transform 'dtcw'; did you mean 'dtcwt'"),
        ("mst_sr", {"levels": 0}, "levels is 0; use 1 or more"),
        ("mst_sr", {"levels": 2, "transform": "nsct"}, "levels is 2; use 1 or more, and 4 for 'nsct'"),
        ("csr", {"sparsity": 0.0}, "sparsity is 0.0; use 1e-09 or more"),
        ("csr", {"radius": -1}, "radius is -1; use 0 or more"),
        ("dsift", {"scale": 20}, "scale is 20; use a positive multiple of 8"),
        ("dsift", {"block": 0}, "block is 0; use 1 or more"),
        ("mwg", {"small": 0.0}, "small is 0.0; use 0.001 or more"),
        ("mwg", {"iterations": -1}, "iterations is -1; use 0 or more"),
        ("focus_stack", {"blur": 4}, "blur is 4; use an odd number"),
        ("focus_stack", {"aperture": 33}, "aperture is 33; use 1 or more and at most 31"),
    ],
)
def test_wrong_options_are_answered(method, options, message):
    with pytest.raises(OptionError, match=message):
        mff.fuse(halves(), method, **options)


def test_images_too_small_for_the_levels_are_refused():
    fuse = methods.get("mst_sr").function()
    with pytest.raises(ImageError, match="at least 5x5"):
        fuse(as_stack(np.zeros((2, 4, 30))), levels=2)


@pytest.mark.parametrize("transform", ["lp", "rp", "dtcwt", "nsct"])
def test_every_transform_with_sparse_bases_gives_equal_images_back(transform):
    image = halves()[0]
    np.testing.assert_allclose(mff.fuse([image, image], "mst_sr", transform=transform, stride=4).image, image, atol=1 / 255)
