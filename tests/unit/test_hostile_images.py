"""Small files that would take much memory or time, wait for ever, or show what they do not hold."""

import os

import numpy as np
import pytest
import tifffile

import mffrepro as mff
from mffrepro.errors import ImageError
from mffrepro.images import as_stack, tiff, tiff_limits
from mffrepro.images.limits import open_with_pillow

GRAY = np.random.default_rng(0).integers(0, 256, (32, 40), np.uint8)
DEEP = GRAY.astype(np.uint16) * 257
WIDTH, HEIGHT, ROWS_PER_STRIP, SUB_DIRECTORIES, DEPTH = 256, 257, 278, 330, 32997


def change(path, **tags):
    """Overwrite tags of the first directory, named by their names in this file."""
    with tifffile.TiffFile(path, mode="r+") as file:
        for name, value in tags.items():
            file.pages[0].tags[globals()[name]].overwrite(value)


@pytest.mark.parametrize("image", [GRAY, DEEP])
def test_tiles_larger_than_their_image_are_refused(tmp_path, image):
    tifffile.imwrite(tmp_path / "a.tif", image, tile=(4096, 4112), compression="zlib")
    with pytest.raises(ImageError, match=r"a\.tif is damaged \(its tiles of 4112x4096 pixels are larger than its image\); copy"):
        mff.read_image(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", image, tile=(1024, 1024), compression="zlib")
    np.testing.assert_array_equal(mff.read_image(tmp_path / "b.tif"), image)


def test_a_volume_in_one_page_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([DEEP] * 3), volumetric=True, tile=(2, 32, 48), photometric="minisblack")
    for read in (mff.read_image, as_stack):
        with pytest.raises(ImageError, match=r"a\.tif stores a volume in one page; save its slices as pages"):
            read(tmp_path / "a.tif")


def test_only_some_of_many_directories_are_looked_at(tmp_path, monkeypatch):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(DEEP, subifds=1000, metadata=None)
        for _ in range(1000):
            file.write(DEEP[:8, :8], subfiletype=1, metadata=None)
    read, made = [], tifffile.TiffPage.__init__
    monkeypatch.setattr(tifffile.TiffPage, "__init__", lambda page, *a, **k: (read.append(page), made(page, *a, **k))[1])
    np.testing.assert_array_equal(mff.read_image(tmp_path / "a.tif"), DEEP)
    assert len(read) < 5 * tiff.MOST_DIRECTORIES


@pytest.mark.parametrize("compression", ["png", "jpeg2000", "webp"])
def test_a_strip_holds_a_picture_of_its_size_and_no_larger(tmp_path, compression):
    pytest.importorskip("imagecodecs")
    colours = np.stack([GRAY] * 3, -1)
    image = colours if compression == "webp" else DEEP
    options = {"compressionargs": {"lossless": True}} if compression == "webp" else {}
    tifffile.imwrite(tmp_path / "a.tif", image, compression=compression, rowsperstrip=32, **options)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tiff_limits.check_segments(file.pages, file.pages[0], "a.tif")
    change(tmp_path / "a.tif", WIDTH=4)
    with pytest.raises(ImageError, match=r"a\.tif is compressed with \w+ in a way that cannot be checked; save it with deflate"):
        tiff.read_page((tmp_path / "a.tif").read_bytes(), "a.tif")


@pytest.mark.parametrize("compression", ["png", "jpeg2000"])
def test_every_page_of_a_stack_is_looked_at(tmp_path, compression):
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "a.tif", np.stack([DEEP[:8, :8]] * 3), compression=compression, photometric="minisblack")
    np.testing.assert_array_equal(as_stack(tmp_path / "a.tif").images, [DEEP[:8, :8]] * 3)
    tifffile.imwrite(tmp_path / "large.tif", DEEP, compression=compression)
    with tifffile.TiffFile(tmp_path / "large.tif") as file:
        (offset,), (count,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        end = (tmp_path / "a.tif").stat().st_size
        file.pages[2].tags["StripOffsets"].overwrite(end)
        file.pages[2].tags["StripByteCounts"].overwrite(count)
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes() + (tmp_path / "large.tif").read_bytes()[offset:][:count])
    with pytest.raises(ImageError, match="in a way that cannot be checked"):
        as_stack(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_without_imagecodecs_a_strip_unpacks_to_no_more_than_its_image(tmp_path, monkeypatch, compression):
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "a.tif", DEEP, compression=compression)
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((400, 400), np.uint16), compression=compression, rowsperstrip=400)
    change(tmp_path / "b.tif", WIDTH=4, HEIGHT=4)
    monkeypatch.setattr(tiff_limits, "has_imagecodecs", lambda: False)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tiff_limits.check_segments(file.pages, file.pages[0], "a.tif")
    with (
        tifffile.TiffFile(tmp_path / "b.tif") as file,
        pytest.raises(ImageError, match=r"b\.tif is damaged \(its strips hold more than its image\); copy it again"),
    ):
        tiff_limits.check_segments(file.pages, file.pages[0], "b.tif")


def test_a_strip_whose_size_nobody_can_tell_beforehand_is_refused(tmp_path):
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "a.tif", DEEP, compression="jpegxl")
    with pytest.raises(ImageError, match=r"a\.tif is compressed with JPEGXL in a way that cannot be checked"):
        mff.read_image(tmp_path / "a.tif")


def test_very_many_pages_are_no_stack(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "MOST_SLICES", 3)
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        for side in (8, 9, 10, 11):
            file.write(DEEP[:side, :side], metadata=None)
    assert tiff.holds_slices(tmp_path / "b.tif")
    with pytest.raises(ImageError, match=r"b\.tif has more than 3 pages; save the slices of one stack as a file of their own"):
        as_stack(tmp_path / "b.tif")


def test_an_ome_tiff_shows_no_other_file(tmp_path):
    """It names one file only, as it would after it was renamed: what it shows is its own page."""
    (tmp_path / "secret").mkdir()
    tifffile.imwrite(tmp_path / "secret" / "b.ome.tif", np.full((2, 32, 40), 99, np.uint16), metadata={"axes": "ZYX"})
    size = 'DimensionOrder="XYZCT" Type="uint16" SizeX="40" SizeY="32" SizeZ="2" SizeC="1" SizeT="1"'
    parts = '<TiffData FirstZ="0" IFD="0" PlaneCount="2"><UUID FileName="secret/b.ome.tif">urn:uuid:9</UUID></TiffData>'
    xml = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0">'
    xml += f'<Image ID="I:0"><Pixels ID="P:0" {size}><Channel ID="C:0:0" SamplesPerPixel="1"/>{parts}</Pixels></Image></OME>'
    tifffile.imwrite(tmp_path / "a.ome.tif", np.stack([DEEP, DEEP[::-1]]), description=xml, metadata=None)
    np.testing.assert_array_equal(as_stack(tmp_path / "a.ome.tif").images, [DEEP, DEEP[::-1]])


@pytest.mark.skipif(os.name != "posix", reason="makes a pipe")
@pytest.mark.timeout(30)
def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "a.tif"
    os.mkfifo(path)
    for read in (mff.read_image, lambda path: as_stack([path, path])):
        with pytest.raises(ImageError, match="neither a file nor a folder"):
            read(path)
    with pytest.raises(OSError, match="neither a file nor a folder"):
        open_with_pillow(path)
