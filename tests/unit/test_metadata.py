"""Colour profile, EXIF and resolution go from the first source to the fused image, in every format that holds them."""

import io
import warnings
from datetime import datetime

import numpy as np
import pytest
from camera_files import exif_of_a_camera, jpeg_with_thumbnail
from PIL import Image as Pillow
from PIL import ImageCms
from PIL.ExifTags import IFD

import mffrepro as mff
from mffrepro.errors import ImageError, OptionError
from mffrepro.images import Metadata, as_stack, check_target, write_image
from mffrepro.images.files import read_picture
from mffrepro.images.headers import read_header
from mffrepro.images.metadata import SOFTWARE, profile_for, time_taken
from mffrepro.images.tiff_writing import encode_tiff

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 30, 40, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
EVERY = [".png", ".jpg", ".tif", ".webp"]


@pytest.fixture
def sources(tmp_path):
    """Three JPEG files of a camera, in a folder."""
    return [jpeg_with_thumbnail(image, tmp_path / f"{i}.jpg", icc_profile=SRGB, dpi=(240, 240)) for i, image in enumerate(IMAGES)]


def fused(sources, path, **options):
    return write_image(path, mff.fuse(sources, "average"), **options)


def test_the_sources_have_what_must_not_be_kept(sources):
    with Pillow.open(sources[0]) as picture:
        exif = picture.getexif()
        assert exif.get_ifd(IFD.IFD1)
        assert 0x927C in exif.get_ifd(0x8769)


@pytest.mark.parametrize("suffix", EVERY)
def test_profile_exif_and_resolution_are_kept(sources, tmp_path, suffix):
    path = fused(sources, tmp_path / f"fused{suffix}")
    with Pillow.open(path) as picture:
        exif, info = picture.getexif(), picture.info
        assert info["icc_profile"] == SRGB
        assert [exif[tag] for tag in (0x0112, 271, 272, 33432, 305)] == [1, "Maker", "Model 1", "© somebody", SOFTWARE]
        details = exif.get_ifd(0x8769)
        assert details[0x9003] == "2024:05:06 07:08:09"
        assert details[0x829A] == pytest.approx(0.01)
        assert (details.get(0xA002), details.get(0xA003)) == ((None, None) if suffix == ".tif" else (40, 30))
        assert 0x927C not in details
        assert exif.get_ifd(0x8825)[1] == "N"
        assert not exif.get_ifd(IFD.IFD1)
        assert (exif[282], exif[283], exif[296]) == (240, 240, 2)
        assert info.get("dpi", (240, 240)) == pytest.approx((240, 240), rel=1e-3)
    assert read_picture(path).metadata.icc == SRGB


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_keep_their_metadata(sources, tmp_path, suffix, channels):
    metadata = mff.fuse(sources, "average").metadata
    image = RNG.integers(0, 65536, (30, 40, 3), dtype=np.uint16)
    image = image if channels == 3 else image[..., 0]
    path = write_image(tmp_path / f"deep{suffix}", image, metadata=metadata)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, image)
    assert picture.metadata.icc == (SRGB if channels == 3 else None)
    assert b"Model 1" in picture.metadata.exif
    assert picture.metadata.dpi == pytest.approx((240, 240), rel=1e-3)
    assert read_header(path).is_result


def test_metadata_survive_a_second_fusion(sources, tmp_path):
    for suffix in EVERY:
        once = [fused(sources, tmp_path / f"{name}{suffix}") for name in ("once", "again")]
        stack = as_stack(once)
        assert stack.metadata.icc == SRGB
        assert b"Model 1" in stack.metadata.exif


@pytest.mark.parametrize("orientation", [3, 6])
def test_the_result_of_turned_sources_is_upright(tmp_path, orientation):
    for i, image in enumerate(IMAGES):
        Pillow.fromarray(image).save(tmp_path / f"{i}.png", exif=exif_of_a_camera(orientation))
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    expected = mff.fuse(paths, "average").image
    for suffix in (".png", ".tif", ".webp"):
        path = fused(paths, tmp_path / f"fused{suffix}")
        np.testing.assert_array_equal(mff.read_image(path), expected)
        with Pillow.open(path) as picture:
            assert picture.getexif()[0x0112] == 1


def test_without_metadata_nothing_is_written_but_the_image(tmp_path):
    for suffix in EVERY:
        path = write_image(tmp_path / f"x{suffix}", IMAGES[0])
        with Pillow.open(path) as picture:
            assert "icc_profile" not in picture.info
            assert 305 not in picture.getexif()
        assert not read_header(path).is_result


def test_arrays_have_no_metadata_but_a_file_beside_them_does(sources):
    assert mff.fuse(list(IMAGES), "average").metadata is None
    assert mff.fuse([IMAGES[0], sources[1]], "average").metadata.icc == SRGB


def test_profiles_that_differ_are_noted_once(tmp_path):
    for name, profile in (("a", SRGB), ("b", LAB), ("c", LAB)):
        Pillow.fromarray(IMAGES[0]).save(tmp_path / f"{name}.png", icc_profile=profile)
    with pytest.warns(UserWarning, match="colour profiles differ") as notes:
        as_stack([tmp_path / f"{name}.png" for name in "abc"])
    (note,) = (str(note.message) for note in notes)
    assert "a.png has sRGB" in note
    assert "b.png has Lab" in note


def test_one_profile_is_not_noted(sources):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_stack(sources)


def test_a_profile_of_other_channels_is_not_written():
    assert profile_for(Metadata(SRGB), is_colour=True) == SRGB
    assert profile_for(Metadata(SRGB), is_colour=False) is None
    assert profile_for(Metadata(LAB), is_colour=True) is None


def test_exif_too_long_for_a_jpeg_leaves_the_software_tag(tmp_path):
    exif = exif_of_a_camera()
    exif.get_ifd(0x8769)[0x9286] = b"x" * 70_000
    metadata = Metadata(exif=exif.tobytes())
    for suffix in (".jpg", ".png"):
        assert read_header(write_image(tmp_path / f"x{suffix}", IMAGES[0], metadata=metadata)).is_result
    assert len(read_picture(tmp_path / "x.png").metadata.exif) > 70_000


def test_damaged_exif_does_not_matter(tmp_path):
    Pillow.fromarray(IMAGES[0]).save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert mff.read_image(tmp_path / "x.jpg").shape == IMAGES[0].shape


def test_the_layout_that_a_microscope_describes_is_not_kept(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "stack.tif", IMAGES[..., 0], imagej=True, metadata={"axes": "ZYX"})
    result = mff.fuse(tmp_path / "stack.tif", "average")
    path = write_image(tmp_path / "fused.tif", result.image, metadata=result.metadata)
    with tifffile.TiffFile(path) as file:
        assert not file.is_imagej
        assert file.series[0].shape == (30, 40)


def test_the_time_is_read_to_the_fraction():
    exif = exif_of_a_camera(taken="2024:05:06 07:08:09")
    exif.get_ifd(0x8769)[0x9291] = "25"
    assert time_taken(exif) == datetime(2024, 5, 6, 7, 8, 9, 250_000)
    assert time_taken(exif_of_a_camera(taken="yesterday")) is None


# -------------------------------------------------------------------------------------------- formats and depth


def test_alpha_is_kept_where_the_format_has_it(tmp_path):
    alpha = RNG.integers(0, 256, (30, 40), dtype=np.uint8)
    for suffix in (".png", ".tif", ".webp"):
        for image in (IMAGES[0], IMAGES[0, ..., 0]):
            path = write_image(tmp_path / f"x{suffix}", image, alpha=alpha, metadata=Metadata())
            np.testing.assert_array_equal(read_picture(path).alpha, alpha)
        deep = write_image(tmp_path / "deep.tif", IMAGES[0].astype(np.uint16) * 257, alpha=alpha.astype(np.uint16) * 257)
        np.testing.assert_array_equal(read_picture(deep).alpha, alpha.astype(np.uint16) * 257)
    for suffix in (".jpg", ".bmp"):
        with pytest.warns(UserWarning, match="the format holds no alpha channel"):
            write_image(tmp_path / f"x{suffix}", IMAGES[0], alpha=alpha)


def test_bmp_keeps_the_resolution_and_says_that_it_holds_no_profile(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with pytest.warns(UserWarning, match=r"x\.bmp: the format holds no colour profile, which is dropped"):
        path = write_image(tmp_path / "x.bmp", IMAGES[0], metadata=Metadata(icc=profile, dpi=(300, 300)))
    with Pillow.open(path) as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), rel=0.01)
    assert read_header(path).is_result


def test_tiff_is_compressed_so_that_every_program_reads_it(tmp_path):
    import tifffile

    smooth = np.repeat(np.arange(100, dtype=np.uint16)[:, None] * 600, 100, 1)
    for image in (smooth, (smooth // 256).astype(np.uint8), smooth / np.float32(65535)):
        path = write_image(tmp_path / "x.tif", image)
        with tifffile.TiffFile(path) as file:
            assert file.pages[0].compression == 8
        assert path.stat().st_size < image.nbytes / 3
        with Pillow.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), image)


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "JPEG"), (".webp", "WEBP")])
def test_quality_makes_a_file_smaller(tmp_path, suffix, kind):
    smooth = np.cumsum(IMAGES[0].astype(float) - 127, 0)
    image = np.clip(128 + smooth / 10, 0, 255).astype(np.uint8)
    sizes = [write_image(tmp_path / f"x{suffix}", image, quality=q).stat().st_size for q in (20, 80, None)]
    assert sizes[0] < sizes[1] < sizes[2]
    with Pillow.open(io.BytesIO((tmp_path / f"x{suffix}").read_bytes())) as picture:
        assert picture.format == kind


def test_bits_change_the_depth(tmp_path):
    deep = RNG.integers(0, 65536, (30, 40, 3), dtype=np.uint16)
    eight = mff.read_image(write_image(tmp_path / "x.png", deep, bits=8))
    np.testing.assert_array_equal(eight, np.floor(deep / 257 + 0.5))
    np.testing.assert_array_equal(mff.read_image(write_image(tmp_path / "x.png", eight, bits=16)), eight.astype(np.uint16) * 257)
    unit = (deep / 65535).astype(np.float32)
    np.testing.assert_array_equal(mff.read_image(write_image(tmp_path / "x.tif", unit, bits=16)), deep)
    twelve = deep // 16
    np.testing.assert_array_equal(
        mff.read_image(write_image(tmp_path / "x.jpg", np.full((8, 8), 4095, np.uint16), bits=8, white=4095)), 255
    )
    assert mff.read_image(write_image(tmp_path / "x.tif", twelve, white=4095)).max() <= 4095


@pytest.mark.parametrize(("options", "message"), [({"bits": 12}, "bits is 12"), ({"quality": 0}, "quality is 0; give a number")])
def test_options_that_do_not_exist_are_refused(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        write_image(tmp_path / "x.jpg", IMAGES[0], **options)


@pytest.mark.parametrize(
    ("name", "side", "message"),
    [
        ("x.webp", 16384, "cannot hold 5x16384 pixels, as WebP ends at 16383 a side"),
        ("x.jpg", 65536, "as JPEG ends at 65535 a side"),
    ],
)
def test_an_image_too_large_for_its_format_is_refused_before_the_work(tmp_path, name, side, message):
    with pytest.raises(ImageError, match=message):
        check_target(tmp_path / name, np.uint8, (side, 5, 3))
    assert check_target(tmp_path / name, np.uint8, (side - 1, 5)) == tmp_path / name
    assert check_target(tmp_path / "x.png", np.uint8, (side, 5)) == tmp_path / "x.png"


def test_a_directory_that_does_not_fit_its_tags_is_left_out_of_a_tiff(tmp_path, monkeypatch):
    exif = Pillow.Exif()
    exif.get_ifd(0x8769)[0xA001] = 2**40  # more than four bytes, as damaged files hold
    exif.get_ifd(0x8825)[1] = "N"
    monkeypatch.setattr("mffrepro.images.tiff_writing.result_exif", lambda *_: exif)
    (tmp_path / "a.tif").write_bytes(encode_tiff(IMAGES[0], Metadata(), has_alpha=False))
    with Pillow.open(tmp_path / "a.tif") as picture:
        assert not picture.getexif().get_ifd(0x8769)
        assert picture.getexif().get_ifd(0x8825)[1] == "N"
    np.testing.assert_array_equal(mff.read_image(tmp_path / "a.tif"), IMAGES[0])
