"""TIFF files of every kind that microscopes and cameras write: stacks in one file, and values that are not plain 8 or 16 bits."""

import re
import warnings

import numpy as np
import pytest
import tifffile
from PIL import ImageCms

import mffrepro as mff
from mffrepro.errors import ImageError, OptionError
from mffrepro.images import as_stack

RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65536, (12, 15), dtype=np.uint16)
SLICES = RNG.integers(0, 65536, (5, 21, 23), dtype=np.uint16)
COLOURS = RNG.integers(0, 256, (5, 21, 23, 3), dtype=np.uint8)


@pytest.fixture
def write(tmp_path):
    """Writes a TIFF with tifffile and returns its path."""

    def call(array, name="a.tif", **options):
        tifffile.imwrite(tmp_path / name, array, **options)
        return tmp_path / name

    return call


def refusal(function, *arguments, **options):
    with pytest.raises(ImageError) as caught:
        function(*arguments, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert "; " in text
    return text


# ---------------------------------------------------------------------------------------------- single images


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero_is_inverted_at_sixteen_bits(write, compression):
    path = write(65535 - DEEP, photometric="miniswhite", compression=compression)
    np.testing.assert_array_equal(mff.read_image(path), DEEP)


def test_white_is_zero_is_inverted_at_eight_bits_and_in_floats(write):
    small = (DEEP // 256).astype(np.uint8)
    np.testing.assert_array_equal(mff.read_image(write(255 - small, photometric="miniswhite")), small)
    unit = (DEEP / 65535).astype(np.float32)
    np.testing.assert_allclose(mff.read_image(write(1 - unit, "f.tif", photometric="miniswhite")), unit, atol=1e-6)


def test_wide_integers_are_read_within_sixteen_bits_and_refused_beyond(write):
    for dtype in (np.int32, np.uint32, np.int64):
        np.testing.assert_array_equal(mff.read_image(write(DEEP.astype(dtype), f"{dtype.__name__}.tif")), DEEP)
    image = DEEP.astype(np.int32)
    image[0, :2] = -1, 70_000
    text = refusal(mff.read_image, write(image, "bad.tif"))
    assert "bad.tif holds int32 values from -1 to 70000; scale them to 0...65535" in text


def test_signed_integers_below_zero_are_refused(write):
    image = (DEEP // 4).astype(np.int16)
    image[0, 0] = -7
    assert "holds int16 values from -7 to" in refusal(mff.read_image, write(image))


def test_sixteen_bit_cmyk_becomes_rgb(write):
    inks = RNG.integers(0, 65536, (12, 15, 4), dtype=np.uint16)
    paper = 1 - inks / 65535
    image = mff.read_image(write(inks, photometric="separated"))
    assert image.dtype == np.uint16
    assert np.abs(image - 65535 * paper[..., :3] * paper[..., 3:]).max() <= 1


def test_other_colour_spaces_are_refused_by_their_kind(write):
    path = write(RNG.integers(0, 65536, (12, 15, 3), dtype=np.uint16), photometric="cielab")
    assert "stores CIELAB at 16 bits; convert it to gray or RGB" in refusal(mff.read_image, path)


def test_planes_that_lie_one_after_the_other(write):
    image = RNG.integers(0, 65536, (12, 15, 3), dtype=np.uint16)
    path = write(np.moveaxis(image, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(mff.read_image(path), image)


def test_half_precision_and_booleans(write):
    unit = (DEEP / 65535).astype(np.float16)
    np.testing.assert_array_equal(mff.read_image(write(unit)), unit.astype(np.float32))
    path = write(DEEP > 9999, "b.tif", photometric="minisblack")
    np.testing.assert_array_equal(mff.read_image(path), 255 * (DEEP > 9999))


def test_a_compression_that_needs_another_package_names_it(write, monkeypatch):
    path = write(np.stack([DEEP] * 2), metadata=None)
    monkeypatch.setattr("mffrepro.images.tiff.has_imagecodecs", lambda: False)

    def fail(self, *_, **__):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", fail)
    assert "which is read by imagecodecs; install it with: pip install 'mffrepro[camera]'" in refusal(as_stack, path)


def test_lzw_of_sixteen_bit_colours_needs_no_other_package(tmp_path, monkeypatch):
    import cv2

    image = RNG.integers(0, 65536, (12, 15, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.tif"), image[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    monkeypatch.setattr("mffrepro.images.tiff.has_imagecodecs", lambda: False)
    np.testing.assert_array_equal(mff.read_image(tmp_path / "a.tif"), image)


# ---------------------------------------------------------------------------------------------------- stacks


@pytest.mark.parametrize(
    ("images", "options"),
    [
        (SLICES, {}),
        (SLICES, {"metadata": None}),
        (SLICES, {"imagej": True, "metadata": {"axes": "ZYX"}}),
        (SLICES, {"ome": True, "metadata": {"axes": "ZYX"}}),
        (SLICES, {"compression": "zlib"}),
        (COLOURS, {"photometric": "rgb"}),
        (COLOURS, {"photometric": "rgb", "metadata": None}),
        (COLOURS, {"photometric": "rgb", "imagej": True, "metadata": {"axes": "ZYXS"}}),
        (COLOURS, {"photometric": "rgb", "ome": True, "metadata": {"axes": "ZYXS"}}),
    ],
    ids=["shaped", "pages", "imagej", "ome", "zlib", "rgb", "rgb pages", "rgb imagej", "rgb ome"],
)
def test_the_slices_of_one_file_are_a_stack(write, images, options):
    path = write(images, **options)
    for given in (path, str(path), [path]):
        np.testing.assert_array_equal(as_stack(given).images, images)
    np.testing.assert_array_equal(mff.fuse(path, "average").image, mff.fuse(list(images), "average").image)


def test_a_hyperstack_with_one_directory(write):
    path = write(SLICES, imagej=True, metadata={"axes": "ZYX"}, bigtiff=False)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].offset
    count = int.from_bytes(data[place : place + 2], "little" if data[:2] == b"II" else "big")
    data[place + 2 + 12 * count : place + 6 + 12 * count] = bytes(4)  # no further directory, as ImageJ writes files over 4 GiB
    path.write_bytes(data)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    np.testing.assert_array_equal(as_stack(path).images, SLICES)


def test_the_profile_and_resolution_of_slices_are_kept(write):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = write(COLOURS, photometric="rgb", iccprofile=icc, resolution=(100, 100), resolutionunit="centimeter", metadata=None)
    metadata = as_stack(path).metadata
    assert metadata.icc == icc
    assert metadata.dpi == pytest.approx((254, 254))


def test_slices_with_a_table_of_colours(write):
    table = RNG.integers(0, 256, (3, 256)).astype(np.uint16) * 257
    numbers = RNG.integers(0, 256, (5, 21, 23), dtype=np.uint8)
    path = write(numbers, photometric="palette", colormap=table, metadata=None)
    np.testing.assert_array_equal(as_stack(path).images, np.moveaxis(table[:, numbers] // 257, 0, -1))


def test_slices_are_inverted_where_white_is_zero(write):
    np.testing.assert_array_equal(as_stack(write(65535 - SLICES, photometric="miniswhite")).images, SLICES)


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("TYX", (5, 21, 23), "holds 5 points in time (axes TYX)"),
        ("CYX", (2, 21, 23), "holds 2 channels (axes CYX)"),
        ("ZCYX", (4, 2, 21, 23), "holds 2 channels (axes ZCYX)"),
        ("TZYX", (5, 4, 21, 23), "holds 5 points in time (axes TZYX)"),
    ],
)
@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_time_and_channels_are_refused(write, axes, shape, message, kind):
    text = refusal(as_stack, write(np.zeros(shape, np.uint16), **{kind: True}, metadata={"axes": axes}))
    assert message in text
    assert text.endswith("save the slices of one as a stack of their own")


def test_axes_of_length_one_do_not_matter(write):
    path = write(SLICES[None, :, None], imagej=True, metadata={"axes": "TZCYX"})
    np.testing.assert_array_equal(as_stack(path).images, SLICES)


def test_two_axes_without_names_are_refused(write):
    assert "holds 2x5 images along two axes" in refusal(as_stack, write(np.stack([SLICES] * 2)))


def test_one_image_is_no_stack(write):
    assert "a.tif holds one image; give at least two images, or a TIFF of several slices" in refusal(as_stack, write(DEEP))


def test_a_truncated_stack_is_damaged(write):
    path = write(SLICES)
    path.write_bytes(path.read_bytes()[:4000])
    assert "is damaged or truncated" in refusal(as_stack, path)
    path.write_bytes(b"II*\0" + bytes(100))
    assert "is damaged or truncated" in refusal(as_stack, path)
    assert "cannot be read (No such file or directory)" in refusal(as_stack, path.with_name("none.tif"))


# ------------------------------------------------------------------------------------------------ depth and range

TWELVE = RNG.integers(0, 4096, (3, 40, 44), dtype=np.uint16)


def test_twelve_bits_in_sixteen_are_noted_once(write):
    paths = [write(image, f"{i}.tif") for i, image in enumerate(TWELVE)]
    with pytest.warns(UserWarning, match=r"all values are below 4096, .* add --white 4095 \(white=4095\)") as notes:
        mff.fuse(paths, "average")
    assert len(notes) == 1


@pytest.mark.parametrize("method", ["ifcnn", "gacn", "gff"])
def test_with_white_twelve_bits_are_fused_like_the_whole_range(method):
    whole = np.round(TWELVE * (65535 / 4095)).astype(np.uint16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = mff.fuse(list(TWELVE), method, white=4095)
    expected = mff.fuse(list(whole), method).image
    assert result.image.max() <= 4095
    assert result.white == 4095
    assert np.abs(result.image.astype(float) - expected * (4095 / 65535)).max() <= 0.51


def test_twelve_packed_bits_fill_the_range(write):
    from mffrepro.images.depth import expand_bits

    np.testing.assert_array_equal(expand_bits(np.array([0, 2048, 4095], np.uint16), 12), [0, 32776, 65535])


@pytest.mark.parametrize(
    ("images", "white", "message"),
    [
        (COLOURS, 200, "the images have 8 bits"),
        (TWELVE, 0, "a number above 0"),
        (TWELVE, 70_000, "at most 65535"),
        (TWELVE, np.nan, "a number above 0"),
    ],
)
def test_white_that_cannot_be_is_refused(images, white, message):
    with pytest.raises(OptionError, match=message):
        as_stack(list(images), white=white)


def test_floats_of_any_range_have_a_white():
    images = FLOATS * np.float32(200)
    result = mff.fuse(list(images), "average", white=255)
    np.testing.assert_allclose(result.image, images.mean(0), rtol=1e-5)


def test_one_image_is_read_with_its_white(write):
    path = write(TWELVE[0])
    np.testing.assert_array_equal(mff.read_image(path, white=4095), as_stack(list(TWELVE), white=4095).images[0])
    with pytest.raises(OptionError, match="a number above 0"):
        mff.read_image(path, white=0)


def test_values_beyond_white_are_cut_off_with_a_note():
    with pytest.warns(UserWarning, match=r"of the values exceed white, 2000, and are cut off"):
        stack = as_stack(list(TWELVE), white=2000)
    assert stack.images.max() == 65535


FLOATS = RNG.random((2, 40, 44), dtype=np.float32) * np.float32(1.02)


def test_one_file_of_an_ome_stack_names_the_others(tmp_path):
    slices = np.random.default_rng(0).integers(0, 255, (3, 40, 50), dtype=np.uint8)
    names = [f"s_Z{z}.ome.tif" for z in range(3)]
    parts = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{z}</UUID></TiffData>'
        for z, name in enumerate(names)
    )
    size = 'DimensionOrder="XYZCT" Type="uint8" SizeX="50" SizeY="40" SizeZ="3" SizeC="1" SizeT="1"'
    xml = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0">'
    xml += f'<Image ID="Image:0"><Pixels ID="Pixels:0" {size}>'
    xml += f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{parts}</Pixels></Image></OME>'
    for name, one in zip(names, slices, strict=True):
        tifffile.imwrite(tmp_path / name, one, description=xml, metadata=None)
    with pytest.raises(ImageError, match=r"s_Z0\.ome\.tif is one file of an OME-TIFF whose slices lie in several; give all"):
        as_stack(tmp_path / names[0])
    np.testing.assert_array_equal(as_stack([tmp_path / name for name in names]).images, slices)


def test_floats_that_overshoot_are_scaled_and_come_back(write, tmp_path):
    paths = [write(image, f"{i}.tif") for i, image in enumerate(FLOATS)]
    with pytest.warns(UserWarning, match=r"values reach 1\.02, which is taken for white"):
        result = mff.fuse(paths, "average")
    np.testing.assert_allclose(result.image, FLOATS.mean(0), atol=1e-6)
    np.testing.assert_allclose(result.white, FLOATS.max())
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        stack = as_stack(paths, white=1.1)
    assert notes == []
    np.testing.assert_allclose(stack.images, FLOATS / np.float32(1.1), atol=1e-6)


def test_results_of_floats_that_overshoot_are_written_and_scored(write, tmp_path):
    paths = [write(image, f"{i}.tif") for i, image in enumerate(FLOATS)]
    with pytest.warns(UserWarning, match="taken for white"):
        result = mff.fuse(paths, "average")
    fused = mff.write_image(tmp_path / "fused.tif", result)
    np.testing.assert_array_equal(tifffile.imread(fused), result.image)
    eight = mff.read_image(mff.write_image(tmp_path / "fused.png", result))
    assert np.abs(eight / 255 - result.image / result.white).max() <= 0.51 / 255
    with pytest.warns(UserWarning, match="taken for white"):
        scores = [mff.evaluate(paths, image, ["qabf", "sf"]) for image in (fused, result, tmp_path / "fused.png")]
    assert scores[0] == scores[1] == scores[2]


def test_rounding_errors_of_floats_are_no_matter():
    images = np.stack([np.linspace(-1e-7, 1 + 1e-6, 100, dtype=np.float32).reshape(10, 10)] * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stack = as_stack(list(images))
    assert stack.images.min() == 0
    assert stack.images.max() == 1
    assert stack.white is None


def test_floats_of_another_range_are_refused():
    assert "values in [0, 255]; scale it to [0, 1]" in refusal(as_stack, [np.array([[0.0, 255.0]])] * 2)


# ------------------------------------------------------------------------------------------------ large images


def test_more_pixels_than_pillow_allows_are_read(tmp_path, monkeypatch):
    """As 182 megapixels are: Pillow's limit is set to a tenth of the image."""
    from PIL import Image as Pillow

    image = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    paths = [mff.write_image(tmp_path / f"a.{suffix}", image) for suffix in ("png", "tif", "bmp", "webp")]
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr("mffrepro.images.formats.PILLOW_PIXELS", 100)
    for path in paths:
        np.testing.assert_array_equal(mff.read_image(path), image)
    assert Pillow.MAX_IMAGE_PIXELS == 100


def test_what_is_larger_than_the_memory_is_refused(tmp_path, write, monkeypatch):
    image = mff.write_image(tmp_path / "image.png", np.zeros((40, 50, 3), np.uint8))
    stack = write(SLICES)
    monkeypatch.setattr("mffrepro.images.limits.LARGE", 100)
    monkeypatch.setattr("mffrepro.images.limits.free_memory", lambda: SLICES.nbytes - 1)
    assert "has more pixels than can be read; crop it" in refusal(mff.read_image, image)
    assert "has more pixels than can be read; crop it" in refusal(as_stack, stack)
    monkeypatch.setattr("mffrepro.images.limits.free_memory", lambda: 10**6)
    assert mff.read_image(image).shape == (40, 50, 3)
    np.testing.assert_array_equal(as_stack(stack).images, SLICES)


@pytest.mark.parametrize(("width", "said"), [(0, "images=99999999"), (1, "images=99999999")])
def test_more_slices_than_bytes_are_refused(tmp_path, width, said):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((1, 1), np.uint8), description=f"ImageJ=1.53\n{said}\nslices=99999999\n", metadata=None)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].tags["ImageWidth"].valueoffset
    data[at : at + 2] = width.to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(ImageError):
        as_stack(path)


def test_a_damaged_resolution_is_left_out(tmp_path):
    """Zero by zero, no finite number, and more than a file can hold."""
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    for number, pair in enumerate((((0, 0), (0, 0)), ((2**32 - 1, 1), (2**32 - 1, 1)), ((0, 5), (0, 5)))):
        path = tmp_path / f"{number}.tif"
        tifffile.imwrite(path, image, resolution=((72, 1), (72, 1)), metadata=None)
        with tifffile.TiffFile(path) as file:
            places = [file.pages[0].tags[name].valueoffset for name in ("XResolution", "YResolution")]
        data = bytearray(path.read_bytes())
        for place, (above, below) in zip(places, pair, strict=True):
            data[place : place + 8] = above.to_bytes(4, "little") + below.to_bytes(4, "little")
        path.write_bytes(data)
        result = mff.fuse([path, path], "average")
        assert result.metadata.dpi is None
        for suffix in ("png", "jpg", "tif", "webp", "bmp"):
            assert mff.write_image(tmp_path / f"out.{suffix}", result).exists()


def test_a_tag_of_another_kind_than_text_is_left_out(tmp_path):
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    tifffile.imwrite(tmp_path / "a.tif", image, extratags=[(0x9C9B, "I", 1, 2**31, True)], metadata=None)
    result = mff.fuse([tmp_path / "a.tif"] * 2, "average")
    assert mff.write_image(tmp_path / "out.tif", result).exists()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_slices_that_a_microscope_announced_and_never_wrote_are_no_black_ones(write, compression):
    path = write(SLICES, "a.ome.tif", metadata={"axes": "ZYX"}, compression=compression, ome=True)
    np.testing.assert_array_equal(as_stack(path).images, SLICES)
    path.write_bytes(re.sub(rb'(SizeZ|PlaneCount)="5"', rb'\1="7"', path.read_bytes()))
    assert "a.ome.tif lacks 2 of its 7 slices; save those" in refusal(as_stack, path)
