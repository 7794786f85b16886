"""What the classical methods are made of, against slow and obvious twins, closed forms and the original implementations."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import halves, noise

import mffrepro as mff
from mffrepro import methods
from mffrepro.baselines import cbf, msvd, pca, sf
from mffrepro.errors import ImageError, OptionError
from mffrepro.fusion import boxes, dtcwt, guided, pyramid, regions
from mffrepro.fusion.rules import choose_max
from mffrepro.images import as_stack
from mffrepro.tiling import strips

# --------------------------------------------------------------------------- dual-tree complex wavelets


@pytest.mark.parametrize("first", dtcwt.FIRST_LEVEL)
@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("size", [(64, 64), (520, 40), (17, 19), (65, 98), (22, 31)])
def test_complex_wavelets_give_the_image_back(size, levels, first):
    image = noise(*size)
    details, base = dtcwt.analyse(image, levels, first=first)
    assert np.abs(dtcwt.synthesise(details, base, size, first=first) - image).max() < 1e-10


#: Sum of magnitudes per level and direction of `test_image`, three levels, by the package dtcwt 0.14.0 on NumPy 1.26.
DTCWT_0_14 = {
    "near_sym_a": [
        [267.97072, 293.622189, 264.418622, 298.886174, 219.22869, 240.90519],
        [67.338334, 85.406213, 62.86978, 72.891435, 65.802521, 70.546415],
        [30.881105, 32.218901, 34.172015, 33.030755, 15.588976, 17.976082],
    ],
    "legall": [
        [273.671201, 297.917103, 266.314791, 302.06957, 151.697758, 166.792356],
        [89.942728, 117.544127, 87.081093, 107.544379, 118.185911, 129.252989],
        [34.373746, 35.503841, 37.762167, 36.801413, 19.0432, 23.376722],
    ],
}


@pytest.mark.parametrize("first", DTCWT_0_14)
def test_complex_wavelets_are_those_of_the_package_dtcwt(first):
    """At a size that needs padding: 24 x 20 is halved to 24 x 20, 12 x 10 and, padded to 12 x 12, to 6 x 6."""
    i, j = np.mgrid[:24, :20]
    details, base = dtcwt.analyse(((i * 7 + j * 11 + i * j) % 13).astype(float), 3, first=first)
    for level, expected in zip(details, DTCWT_0_14[first], strict=True):
        np.testing.assert_allclose(np.abs(level).sum((1, 2)), expected, atol=1e-5)
    assert base.shape == (6, 6)
    if first == "near_sym_a":
        assert [base.sum(), np.square(base).sum()] == pytest.approx([776.7138737450033, 17072.83924872843])


def test_a_flat_image_has_no_detail_and_doubles_with_each_later_level():
    details, base = dtcwt.analyse(np.full((48, 64), 0.3), 4)
    assert max(np.abs(level).max() for level in details) < 1e-7  # the published table of filters is exact to 8 digits
    np.testing.assert_allclose(base, 0.3 * 2**3)


def test_the_six_directions_see_six_directions():
    """Waves in the middle of each band of the second octave, which spans [pi / 4, pi / 2] along an axis."""
    y, x = np.mgrid[:64, :64]
    low, high = np.pi / 8, 3 * np.pi / 8
    strongest = []
    for fy, fx in [(low, high), (-low, high), (high, low), (-high, low), (high, high), (-high, high)]:
        energy = np.square(np.abs(dtcwt.analyse(np.cos(fy * y + fx * x), 2)[0][1][:, 4:-4, 4:-4])).sum((1, 2))
        strongest.append(energy.argmax())
        assert energy.max() > 0.8 * energy.sum()
    assert sorted(strongest) == list(range(6))


# ------------------------------------------------------------------------------------ choosing and sharing


@pytest.mark.parametrize("method", ["pca", "dwt", "swt", "rp", "dtcwt", "gff", "mgivf", "msvd", "cbf", "sf", "eol", "sml"])
def test_the_order_of_two_sources_matters_only_for_ties(method):
    images = halves()
    first, second = mff.fuse(images, method), mff.fuse(images[::-1], method)
    np.testing.assert_allclose(first.image, second.image, atol=1e-9)
    if first.decision is not None:
        np.testing.assert_array_equal(first.decision, second.decision[::-1])


@pytest.mark.parametrize("method", ["sf", "eol", "sml"])
def test_decisions_find_the_sharp_half(method):
    decision = mff.fuse(halves(channels=3), method).decision
    assert decision[0, :, :36].mean() > 0.99
    assert decision[1, :, 60:].mean() > 0.99


def test_a_threshold_on_spatial_frequency_shares_what_is_near():
    images = halves()
    assert set(np.unique(mff.fuse(images, "sf").decision)) == {0, 1}
    assert set(np.unique(mff.fuse(images, "sf", threshold=255.0).decision)) == {0.5}


def test_a_threshold_on_themodified_laplacian_silences_weak_detail():
    faint = 0.5 + 0.01 * (np.indices((32, 32)).sum(0) % 2)
    flat = np.full_like(faint, 0.5)
    assert mff.fuse([flat, faint], "sml").decision[1].all()
    assert mff.fuse([flat, faint], "sml", threshold=20.0).decision[0].all()  # 4 x 0.01 x 255 is under it, so all are ties


# --------------------------------------------------------------------------------- windows, guided filter


@pytest.mark.parametrize(("radius", "eps"), [(2, 1e-6), (7, 0.1), (45, 0.3)])
def test_the_guided_filter_is_the_differentiable_one(radius, eps):
    guide, image = noise(31, 40), noise(31, 40, seed=1)
    batch = [torch.from_numpy(plane)[None, None] for plane in (guide, image)]
    expected = boxes.guided_filter(*batch, radius, eps).numpy()[0, 0]
    np.testing.assert_allclose(guided.guided_filter(guide, image, radius=radius, eps=eps), expected, atol=1e-7)


@pytest.mark.parametrize("radius", [0, 2, 30])
def test_box_means_count_only_what_lies_inside(radius):
    image = noise(7, 11)
    expected = np.empty_like(image)
    for i, j in np.ndindex(image.shape):
        expected[i, j] = image[max(0, i - radius) : i + radius + 1, max(0, j - radius) : j + radius + 1].mean()
    np.testing.assert_allclose(guided.box_mean(image, radius), expected)


# ------------------------------------------------------------------------------------------------ regions


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_the_majority_is_the_most_frequent_label_around(radius):
    labels = np.random.default_rng(0).integers(0, 3, (9, 6))
    padded = np.pad(labels, radius, mode="symmetric")
    expected = np.empty_like(labels)
    for i, j in np.ndindex(labels.shape):
        expected[i, j] = np.bincount(padded[i : i + 2 * radius + 1, j : j + 2 * radius + 1].ravel()).argmax()
    np.testing.assert_array_equal(regions.majority(labels, radius), expected)


def test_small_regions_join_the_nearest_large_one():
    labels = np.zeros((8, 12), int)
    labels[:, 6:] = 1
    expected = labels.copy()
    labels[2, 2] = labels[3, 3] = 2  # two pixels that touch by a corner
    labels[5, 10] = 0
    np.testing.assert_array_equal(regions.remove_small(labels, 3), expected)
    np.testing.assert_array_equal(regions.remove_small(labels, 2)[2:4, 2:4], labels[2:4, 2:4])


def test_regions_stay_where_none_is_large_enough():
    labels = np.indices((6, 6)).sum(0) % 2
    np.testing.assert_array_equal(regions.remove_small(labels, 100), labels)


# ------------------------------------------------------------------------------------------- single methods


def test_principal_components_weigh_by_spread():
    """Of x and 3 x the component is (1, 3): the weights are 1/4 and 3/4."""
    variable = noise(100)
    np.testing.assert_allclose(pca.principal_weights(np.stack([variable, 3 * variable])), [0.25, 0.75])


def test_principal_components_of_flat_or_opposite_sources_stay_weights():
    np.testing.assert_array_equal(pca.principal_weights(np.array([[0.1, 0.1], [0.9, 0.9]])), [0.5, 0.5])
    variable = noise(100)
    np.testing.assert_allclose(pca.principal_weights(np.stack([variable, 1 - variable])), [0.5, 0.5])


def test_stationary_wavelets_follow_a_shift_and_decimated_ones_do_not():
    images = halves(128, 128, 1)[..., 0]
    moved = np.roll(images, (3, 5), (1, 2))
    inside = np.s_[40:-40, 40:-40]

    def change(method):
        fused = np.roll(mff.fuse(images, method).image, (3, 5), (0, 1))
        return np.abs(fused - mff.fuse(moved, method).image)[inside].max()

    assert change("swt") < 1e-9
    assert change("dwt") > 1e-3


def test_singular_vectors_decorrelate_the_blocks_strongest_first():
    blocks = msvd.to_blocks(halves()[0, ..., 0])
    basis = msvd.block_bases(blocks[None])[0]
    bands = basis.T @ blocks
    expected = np.linalg.svd(blocks, compute_uv=False)
    np.testing.assert_allclose(bands @ bands.T, np.diag(expected**2), atol=1e-8)


def test_singular_vectors_of_all_sources_point_the_same_way():
    bases = msvd.block_bases(np.stack([msvd.to_blocks(image) for image in halves()[..., 0]]))
    assert ((bases[0] * bases[1]).sum(0) >= 0).all()


@pytest.mark.parametrize("size", [(6, 8), (7, 8), (1, 1)])
def test_blocks_give_the_image_back_and_run_down_the_columns(size):
    image = noise(*size)
    blocks = msvd.to_blocks(image)
    np.testing.assert_array_equal(msvd._from_blocks(blocks, size), image)
    if size == (6, 8):
        np.testing.assert_array_equal(blocks[:, 0], image[:2, :2].ravel("F"))


def test_cross_bilateral_filter_is_its_definition():
    image, guide = 255 * noise(9, 13), 255 * noise(9, 13, seed=1)
    padded, edges = (np.pad(plane, 3, mode="reflect") for plane in (image, guide))
    y, x = np.mgrid[-3:4, -3:4]
    expected = np.empty_like(image)
    for i, j in np.ndindex(image.shape):
        window = np.s_[i : i + 7, j : j + 7]
        weight = np.exp(-(x**2 + y**2) / (2 * 1.8**2) - (edges[window] - guide[i, j]) ** 2 / (2 * 60.0**2))
        expected[i, j] = (weight * padded[window]).sum() / weight.sum()
    got = cbf.cross_bilateral(image, guide, radius=3, spatial_sigma=1.8, range_sigma=60.0)
    np.testing.assert_allclose(got, expected)


def test_strength_of_detail_is_the_sum_of_all_eigenvalues_of_both_covariances():
    detail = noise(8, 7) - 0.5
    padded = np.pad(detail, 2, mode="reflect")
    expected = np.empty_like(detail)
    for i, j in np.ndindex(detail.shape):
        window = padded[i : i + 5, j : j + 5]
        expected[i, j] = sum(np.linalg.eigvalsh(np.cov(w, rowvar=False)).sum() for w in (window, window.T))
    np.testing.assert_allclose(cbf.detail_strength(detail), expected)


def test_spatial_frequency_is_its_definition_also_in_the_last_blocks():
    image = 255 * noise(11, 14)
    got = sf._block_frequency(image, 4)
    assert got.shape == (3, 4)
    for i, j in np.ndindex(got.shape):
        block = image[4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
        squares = np.square(np.diff(block, axis=0)).sum() + np.square(np.diff(block, axis=1)).sum()
        assert got[i, j] == pytest.approx(np.sqrt(squares / block.size))


# ------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        *[(name, {"levels": 0}, "levels is 0; use 1 or more") for name in ("dwt", "swt", "rp", "dtcwt", "mgivf")],
        ("dwt", {"wavelet": "db99"}, "no discrete wavelet 'db99'; did you mean 'db9'"),
        ("dwt", {"mode": "symetric"}, "no extension mode 'symetric'; did you mean 'symmetric'"),
        ("swt", {"wavelet": "har"}, "no discrete wavelet 'har'; did you mean 'haar'"),
        ("dtcwt", {"first": "legal"}, "no filters for the first level 'legal'; did you mean 'legall'"),
        ("sf", {"block": 0}, "block is 0; use 1 or more"),
    ],
)
def test_wrong_options_are_answered(method, options, message):
    with pytest.raises(OptionError, match=message):
        mff.fuse(halves(), method, **options)


@pytest.mark.parametrize(
    ("method", "options", "side"),
    [("dwt", {"levels": 2}, 5), ("rp", {"levels": 2}, 5), ("dtcwt", {"levels": 2}, 5), ("cbf", {"radius": 8}, 9)],
)
def test_images_too_small_for_the_options_are_refused(method, options, side):
    fuse = methods.get(method).function()  # the card asks for the size that the default options need
    assert fuse(as_stack(noise(2, side, side)), **options)[0].shape == (side, side)
    with pytest.raises(ImageError, match=f"at least {side}x{side}"):
        fuse(as_stack(noise(2, side - 1, 30)), **options)


@given(height=st.integers(20, 90), width=st.integers(5, 40), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_details_of_strips_are_the_strips_of_the_details(height, width, seed):
    image = np.random.default_rng(seed).random((height, width))
    smaller = pyramid.reduce(image)
    whole = pyramid.detail(image, smaller)
    for strip in strips(*whole.shape, 16 * width, halo=4):
        rows = strip.with_halo
        np.testing.assert_allclose(
            strip.crop(pyramid.detail_strip(image[rows], rows.start, smaller)), whole[strip.rows], atol=1e-14
        )


def test_a_smaller_level_does_not_keep_the_larger_one_in_memory():
    smaller = pyramid.reduce(np.ones((64, 80)))
    assert smaller.base is None
    assert smaller.flags.c_contiguous


def test_laplacian_fusion_in_strips_is_the_rule_on_whole_levels():
    images = np.random.default_rng(7).integers(0, 256, (3, 601, 333), np.uint8)
    details, bases = zip(*(pyramid.analyse(image.astype(float), 4) for image in images), strict=True)
    fused = [choose_max(level) for level in zip(*details, strict=True)]
    expected = pyramid.synthesise(fused, sum(bases) / 3, images[0].shape)
    ours = mff.fuse(list(images), "lp").image
    assert (ours == np.floor(expected.clip(0, 255) + 0.5)).mean() > 0.9999
