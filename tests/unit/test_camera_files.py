"""RAW and HEIC files: developed and decoded with the extra, refused in a sentence without it, and never their preview."""

import sys
import warnings

import numpy as np
import pytest
import tifffile
from camera_files import dng, exif_of_a_camera, smooth_light
from PIL import Image as Pillow

import mffrepro as mff
from mffrepro.data.folder import list_images
from mffrepro.errors import ImageError
from mffrepro.images.files import read_picture


def srgb(light):
    linear = light / 65535
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.fixture
def without_extra(monkeypatch):
    for name in ("rawpy", "pillow_heif"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("name", ["a.dng", "a.nef", "A.NEF", "a.tif"])
def test_a_raw_file_is_developed(tmp_path, name):
    pytest.importorskip("rawpy")
    light = smooth_light()
    (tmp_path / name).write_bytes(dng(light))
    image = mff.read_image(tmp_path / name)
    assert image.dtype == np.uint16
    assert image.shape == light.shape
    inside = np.s_[2:-2, 2:-2]  # interpolation of the mosaic has no neighbours at the border
    assert np.abs(image[inside] / 65535 - srgb(light)[inside]).max() < 0.02


def test_frames_of_one_raw_stack_are_developed_alike(tmp_path):
    pytest.importorskip("rawpy")
    for name, factor in (("a.dng", 1), ("b.dng", 0.5)):
        (tmp_path / name).write_bytes(dng((smooth_light() * factor).astype(np.uint16)))
    bright, dark = (mff.read_image(tmp_path / name) for name in ("a.dng", "b.dng"))
    assert np.abs(dark[5:-5, 5:-5] / 65535 - srgb(smooth_light() * 0.5)[5:-5, 5:-5]).max() < 0.02
    assert dark.mean() < 0.8 * bright.mean()


def test_a_turned_raw_file_stands_upright(tmp_path):
    pytest.importorskip("rawpy")
    (tmp_path / "a.dng").write_bytes(dng(smooth_light()))
    (tmp_path / "b.dng").write_bytes(dng(smooth_light(), orientation=6))
    turned = mff.read_image(tmp_path / "b.dng")
    np.testing.assert_array_equal(turned, np.rot90(mff.read_image(tmp_path / "a.dng"), -1))


@pytest.mark.parametrize(("name", "kind"), [("a.nef", "NEF"), ("a.dng", "DNG"), ("a.tif", "a colour filter mosaic in a TIFF")])
@pytest.mark.usefixtures("without_extra")
def test_without_the_extra_a_raw_file_is_refused_and_no_preview_is_fused(tmp_path, name, kind):
    (tmp_path / name).write_bytes(dng(smooth_light()))
    with pytest.raises(ImageError) as caught:
        mff.fuse([tmp_path / name] * 2)
    text = str(caught.value)
    remedy = "which is read by rawpy; install it with: pip install 'mffrepro[camera]'"
    assert text == f"{tmp_path / name} is a camera RAW file ({kind}), {remedy}"


def test_a_raw_file_that_nothing_can_develop_is_refused(tmp_path):
    pytest.importorskip("rawpy")
    (tmp_path / "a.nef").write_bytes(dng(smooth_light(), sensor=False)[:3000])
    with pytest.raises(ImageError, match=r"a\.nef is a camera RAW file \(NEF\) that LibRaw cannot develop .*; convert it"):
        mff.read_image(tmp_path / "a.nef")


def test_a_photograph_in_a_later_page_is_read_instead_of_a_preview(tmp_path):
    photograph = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(photograph[::8, ::8].copy(), photometric="rgb", subfiletype=1, metadata=None)
        file.write(photograph, photometric="rgb", metadata=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(mff.read_image(path), photograph)


@pytest.mark.parametrize("admits", [True, False])
def test_a_photograph_behind_a_preview_is_read_where_it_is_no_sensor_data(tmp_path, admits):
    (tmp_path / "a.tif").write_bytes(dng(smooth_light(), sensor=False, admits_preview=admits))
    np.testing.assert_array_equal(mff.read_image(tmp_path / "a.tif"), smooth_light())


def test_heic_is_read_with_its_metadata(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    image = (smooth_light() // 256).astype(np.uint8)
    exif = exif_of_a_camera(orientation=6)
    heif.from_pillow(Pillow.fromarray(image)).save(tmp_path / "a.heic", quality=100, exif=exif.tobytes())
    picture = read_picture(tmp_path / "a.heic")
    assert picture.orientation == 6
    assert np.abs(picture.pixels.astype(int) - image).max() <= 4
    assert np.abs(mff.read_image(tmp_path / "a.heic").astype(int) - np.rot90(image, -1)).max() <= 4
    assert b"Model 1" in picture.metadata.exif


@pytest.mark.usefixtures("without_extra")
def test_without_the_extra_heic_is_refused(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(ImageError, match=r"a\.heic is a HEIC file, which is read by pillow-heif; .* 'mffrepro\[camera\]'"):
        mff.read_image(tmp_path / "a.heic")


def test_a_damaged_heic_file_is_one_sentence(tmp_path):
    pytest.importorskip("pillow_heif")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(ImageError, match=r"a\.heic is damaged or truncated .*; copy it again"):
        mff.read_image(tmp_path / "a.heic")


def test_a_folder_lists_what_cameras_write(tmp_path):
    for name in ("a.NEF", "b.heic", "c.dng", "d.CR3", "e.txt", "f.HIF"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in list_images(tmp_path)] == ["a.NEF", "b.heic", "c.dng", "d.CR3", "f.HIF"]
