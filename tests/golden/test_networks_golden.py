"""The deep baselines with the published weights against what their authors' code made with them.

Tolerances are those of the README beside the stored outputs. A result that is cut off to 8 bits may move by one gray level where
the sums behind it differ in the seventh digit.
"""

import numpy as np
import pytest
import torch

import mffrepro as mff
from mffrepro.images import from_unit, to_unit
from mffrepro.methods import load_network
from mffrepro.models import sesf
from mffrepro.models.layers import fuse_in_turn, stretched, to_array, to_tensor, with_image_statistics
from mffrepro.models.luma import through_luma, ycbcr_matrix

PAIRS = [f"lytro_{i:02d}" for i in range(1, 6)]
#: Two-input networks, of which the authors' raw output is stored for two pairs, and their folder.
LUMA = {"u2fusion": "U2Fusion", "mff_gan": "MFF-GAN", "pmgi": "PMGI"}


def luma_network(method: str):
    network = load_network(f"{method}.published", device="cpu")
    return with_image_statistics(network, affine=False) if method == "pmgi" else network


def share_off(fused: np.ndarray, golden: np.ndarray, levels: int) -> float:
    """Share of the values that differ by more than that many gray levels."""
    assert fused.shape == golden.shape
    return float((np.abs(fused.astype(int) - golden) > levels).mean())


@pytest.fixture(scope="module")
def stored(goldens):
    return lambda name: mff.read_image(goldens / "networks" / f"{name}.png")


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("method", "folder"), [("ifcnn", "IFCNN"), ("densefuse", "DenseFuse")])
def test_decoders_of_colour_images(mirror, stored, method: str, folder: str, pair: str) -> None:
    golden, images = stored(f"{folder}/color_{pair}"), mff.load("gacn26")[pair].images
    crop = np.s_[:, :260] if method == "densefuse" else np.s_[:]  # the upper half, less what its border reaches
    inside = 260 - 8 if method == "densefuse" else len(golden)
    fused = mff.fuse(images[crop], method, weights="published", as_published=True).image[:inside]
    assert share_off(fused, golden[:inside], levels=1) == 0
    assert share_off(fused, golden[:inside], levels=0) < 1e-4


@pytest.mark.parametrize("pair", PAIRS)
def test_sesf_maps_are_the_authors(mirror, stored, pair: str) -> None:
    comparer = sesf.SesfComparer(load_network("sesf.published", device="cpu"), post_processing="none")
    first, second = (comparer.extract(image) for image in to_unit(mff.load("gacn26")[pair].images, np.float64))
    raw = first.activity > second.activity
    np.testing.assert_array_equal(raw, stored(f"SESF-Fuse/color_{pair}_dm_raw") > 0)
    np.testing.assert_array_equal(sesf.verify(raw), stored(f"SESF-Fuse/color_{pair}_dm_verified") > 0)


@pytest.mark.parametrize("pair", PAIRS)
def test_sesf_fused(mirror, stored, pair: str) -> None:
    fused = mff.fuse(mff.load("gacn26")[pair], "sesf", weights="published", as_published=True).image
    golden = stored(f"SESF-Fuse/color_{pair}")
    assert share_off(fused, golden, levels=1) == 0
    # Where the map is 1 but for its last digit, a value that is cut off may go either way.
    assert share_off(fused, golden, levels=0) < 0.05


@pytest.mark.parametrize("pair", ["lytro_01", "lytro_05"])
@pytest.mark.parametrize("method", LUMA)
def test_raw_luma(mirror, stored, method: str, pair: str) -> None:
    """The lumas are made here as the authors' programs make them, so that the network alone is tested."""
    images = mff.load("gacn26")[pair].images.astype(np.float64)
    if method == "u2fusion":
        lumas, rows = images @ ycbcr_matrix("full")[0] / 255, 200  # the slowest: a strip is enough
    else:  # 8-bit arithmetic rounds every term
        lumas, rows = (np.floor(images * (0.257, 0.504, 0.098) + 0.5).sum(-1) + 16) / 255, 520
    fused = fuse_in_turn(luma_network(method), [luma[:rows] for luma in lumas])
    golden = stored(f"{LUMA[method]}/color_{pair}_Y_u16") / 65535
    inside = rows - 10 if rows < 520 else rows
    assert np.abs(fused - golden[:rows])[:inside].max() < 3e-5
    if method != "u2fusion":
        saved = stored(f"{LUMA[method]}/color_{pair}_Y_official_save")
        assert share_off(np.floor(255 * stretched(fused) + 0.5), saved, levels=1) == 0
        assert share_off(np.floor(255 * stretched(fused) + 0.5), saved, levels=0) < 1e-3


@pytest.mark.parametrize("pair", ["lytro_01", "lytro_05"])
@pytest.mark.parametrize("method", ["mff_gan", "pmgi"])
def test_restored_colour(mirror, stored, method: str, pair: str) -> None:
    network = luma_network(method)  # not stretched, as the stored colours are
    fused = through_luma(mff.load("gacn26")[pair], lambda lumas: fuse_in_turn(network, lumas), levels="video", in_bytes=True)
    fused, golden = from_unit(fused, np.dtype(np.uint8)), stored(f"{LUMA[method]}/color_{pair}_rgb")
    assert share_off(fused, golden, levels=1) < 0.01  # how the stored images came back from luma to colour is not known
    assert share_off(fused, golden, levels=5) == 0


@pytest.mark.parametrize("triple", ["01", "02"])
def test_ifcnn_of_three_jpeg_files(mirror, goldens, stored, triple: str) -> None:
    """The stored results need the JPEG decoder of their time."""
    folder = goldens / "networks" / "IFCNN-triple"
    paths = [folder / f"lytro-{triple}-{name}.jpg" for name in "ABC"]
    golden = stored(f"IFCNN-triple/ref_{triple}")
    fused = mff.fuse(paths, "ifcnn", weights="published", as_published=True).image
    assert share_off(fused, golden, levels=1) == 0
    assert share_off(fused, golden, levels=0) < 0.002
    by_todays = mff.fuse([mff.read_image(path) for path in paths], "ifcnn", weights="published", as_published=True).image
    assert share_off(by_todays, golden, levels=1) > 0.04, "the decoder explains the difference"


@pytest.mark.parametrize("rule", ["sum", "mean"])
def test_every_published_ifcnn_loads_and_fuses(mirror, rule: str) -> None:
    pair = mff.load("gacn26")["lytro_01"].images[:, 100:164, 100:164]
    fused = mff.fuse(pair, f"ifcnn.published.{rule}").image
    assert load_network(f"ifcnn.published.{rule}").fusion == rule
    assert np.abs(fused.astype(float) - pair.mean(0)).mean() < 6  # the same scene, not noise: gray levels


@pytest.mark.parametrize("scene", ["forth4", "montsaint"])
def test_deepfuse_gives_the_stored_luma(mirror, stored, scene: str) -> None:
    """The authors keep the luma of two exposures in the channels of one file; their result is stretched and rounded."""
    network, exposures = load_network("deepfuse.published", device="cpu"), stored(f"DeepFuse/{scene}_input")
    lumas = [to_tensor(to_unit(exposures[..., channel]), torch.device("cpu")) for channel in (0, 2)]
    with torch.inference_mode():
        fused = np.rint(255 * stretched(to_array(network(*lumas))))
    golden = stored(f"DeepFuse/{scene}_output")
    assert np.abs(fused - golden).max() <= 1
    assert share_off(fused, golden, 0) <= 5e-4
