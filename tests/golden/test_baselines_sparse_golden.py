"""Sparse coding and spatial methods against fused images that their authors, or a survey of the field, published without loss.

Full images of SR and ASR take minutes, so that a crop is coded: away from its borders it must be the crop of the result.
"""

import numpy as np
import pytest
from outputs import decibels, share_equal, sources

import mffrepro as mff

#: Patches reach this far, pixels.
REACH = 7
#: Where both sources are sharp in part: (row, column) of a crop of 64x64 pixels.
CROPS = {"g_01": (200, 200), "g_02": (230, 180), "c_01": (240, 330), "aymaz_03": (325, 257), "aymaz_10": (8, 319)}


@pytest.fixture(autouse=True)
def own_cache(mirror, tmp_path, monkeypatch):
    """The dictionaries lie in the mirror."""
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path))


@pytest.mark.parametrize("pair", ["g_01", "g_02", "c_01", "c_02"])
def test_dense_sift_is_reproduced(published, pair):
    fused = mff.fuse(sources(published, pair), "dsift").image
    assert share_equal(fused, published(f"{pair}_dsift")) >= 0.999


@pytest.mark.parametrize("method", ["sr", "asr"])
@pytest.mark.parametrize("pair", ["g_01", "g_02", "c_01"])
def test_sparse_codes_are_reproduced(published, method, pair):
    top, left = CROPS[pair]
    crop = np.s_[top : top + 64, left : left + 64]
    images = [image[crop] for image in sources(published, pair)]
    golden = published(f"{pair}_{method}")[crop]
    if golden.ndim == 3:  # each channel is fused on its own, so one will do
        images, golden = [image[..., 1] for image in images], golden[..., 1]
    fused = mff.fuse(images, method, dictionary="published").image
    inside = slice(REACH, -REACH)
    assert share_equal(fused[inside, inside], golden[inside, inside]) >= 0.995


@pytest.mark.parametrize("pair", ["aymaz_03", "aymaz_10"])
def test_sparse_codes_with_average_means_are_reproduced(published, pair):
    """By the program for several kinds of sensors, as in MFIFB; that for several distances makes other images."""
    top, left = CROPS[pair]
    crop, inside = np.s_[top : top + 64, left : left + 64], slice(REACH, -REACH)
    images = [image[crop] for image in sources(published, pair)]
    golden = published(f"{pair}_ASR")[crop][inside, inside]
    fused = {means: mff.fuse(images, "asr", dictionary="published", means=means).image for means in ("average", "winner")}
    assert share_equal(fused["average"][inside, inside], golden) >= 0.99
    assert share_equal(fused["winner"][inside, inside], golden) < 0.9


@pytest.mark.parametrize("pair", ["aymaz_03", "aymaz_10"])
@pytest.mark.parametrize(("transform", "name"), [("lp", "MST_SR"), ("rp", "RP_SR")])
def test_multi_scale_transforms_with_sparse_bases_are_reproduced(published, pair, transform, name):
    fused = mff.fuse(sources(published, pair), "mst_sr", transform=transform, dictionary="published").image
    assert share_equal(fused, published(f"{pair}_{name}")) >= 0.999


def test_convolutional_codes_are_reproduced(published):
    """The whole image, since codes wrap around at its borders."""
    fused = mff.fuse(sources(published, "aymaz_03"), "csr", dictionary="published").image
    assert share_equal(fused, published("aymaz_03_CSR")) >= 0.9995


@pytest.mark.parametrize(("pair", "least"), [("g_01", 0.992), ("g_02", 0.987), ("c_01", 0.999), ("c_02", 0.979)])
def test_weighted_gradients_are_reproduced(published, pair, least):
    """Rounding in each step of the descent magnifies the last bit; 10^-12 in the weights moves 1.7 % of c_02."""
    assert share_equal(mff.fuse(sources(published, pair), "mwg").image, published(f"{pair}_mwgf")) >= least


def test_the_default_dictionary_fuses_nearly_as_the_published_one(published):
    """Another dictionary decides some patches otherwise; the authors' own set of half as many atoms comes to 42.5 dB."""
    top, left = CROPS["g_01"]
    crop = np.s_[top : top + 64, left : left + 64]
    images = [image[crop] for image in sources(published, "g_01")]
    fused = mff.fuse(images, "sr").image[REACH:-REACH, REACH:-REACH]
    assert decibels(fused, published("g_01_sr")[crop][REACH:-REACH, REACH:-REACH]) >= 38
