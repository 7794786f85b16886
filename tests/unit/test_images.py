"""Reading, checking, converting and writing images, and every way in which a file or an array can be bad."""

import errno
import io
import os
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

import mffrepro as mff
from mffrepro.errors import ImageError, first_line
from mffrepro.images import (
    FocusStack,
    as_stack,
    check_image,
    check_target,
    files,
    from_unit,
    read_image,
    require_side,
    to_gray,
    to_unit,
    write_image,
    writing,
)
from mffrepro.images.maps import write_map

RAMP = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3) * 3


def complaint(function, *arguments, **options):
    """The sentence a call ends with: one sentence, one line, with something to do after the semicolon."""
    with pytest.raises(ImageError) as caught:
        function(*arguments, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert "; " in text, text
    assert not text.endswith(".")
    return text


# ------------------------------------------------------------------------------------------------ reading


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *[("1", ".png"), ("1", ".tif"), ("L", ".png"), ("L", ".tif"), ("L", ".jpg"), ("P", ".png"), ("P", ".tif")],
        *[("RGB", ".png"), ("RGB", ".tif"), ("RGB", ".jpg"), ("CMYK", ".tif"), ("CMYK", ".jpg")],
    ],
)
def test_modes_become_gray_or_rgb(tmp_path, mode, suffix):
    path = tmp_path / f"image{suffix}"
    Pillow.fromarray(RAMP).convert(mode).save(path)
    image = read_image(path)
    assert image.dtype == np.uint8
    with Pillow.open(path) as picture:
        np.testing.assert_array_equal(image, np.asarray(picture.convert("L" if mode in "1L" else "RGB")))


@pytest.mark.parametrize(("mode", "ndim"), [("RGBA", 3), ("LA", 2)])
def test_alpha_is_dropped_with_a_warning(tmp_path, mode, ndim):
    picture = Pillow.fromarray(RAMP).convert(mode)
    picture.putalpha(7)
    picture.save(tmp_path / "alpha.png")
    with pytest.warns(UserWarning, match=r"alpha\.png: the alpha channel is dropped"):
        image = read_image(tmp_path / "alpha.png")
    assert image.ndim == ndim
    np.testing.assert_array_equal(image, RAMP if ndim == 3 else np.asarray(Pillow.fromarray(RAMP).convert("L")))


def test_a_palette_with_transparency_is_rgb(tmp_path):
    Pillow.fromarray(RAMP).quantize(4).save(tmp_path / "p.png", transparency=0)
    with pytest.warns(UserWarning, match="alpha"):
        assert read_image(tmp_path / "p.png").shape == RAMP.shape


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_sixteen_bits_written_by_another_program_keep_all_their_bits(tmp_path, suffix, shape):
    image = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), image[..., ::-1] if image.ndim == 3 else image)
    read = read_image(tmp_path / f"deep{suffix}")
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, image)


def test_sixteen_bits_with_alpha(tmp_path):
    image = np.random.default_rng(0).integers(0, 65536, (5, 7, 4), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), image)
    with pytest.warns(UserWarning, match="alpha"):
        np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), image[..., 2::-1])


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_float_tiffs_keep_their_digits(tmp_path, shape):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    plain = (cv2.IMWRITE_TIFF_COMPRESSION, 1)  # older versions of OpenCV store colours as LogLuv, which loses digits
    cv2.imwrite(str(tmp_path / "f.tif"), image[..., ::-1] if image.ndim == 3 else image, plain)
    read = read_image(tmp_path / "f.tif")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, image)


def test_only_the_first_page_is_read_and_said_so(tmp_path):
    pages = [Pillow.fromarray(RAMP + i) for i in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.warns(UserWarning, match="only the first of its pages"):
        np.testing.assert_array_equal(read_image(tmp_path / "pages.tif"), RAMP)


#: What each EXIF orientation asks of the stored array, by the table of the standard: where row 0 and column 0 are seen.
UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


def with_exif(png: bytes, orientation: int) -> bytes:
    """A PNG with an eXIf chunk after its header."""
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    return png[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + png[33:]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
def test_exif_orientation_of_png(tmp_path, orientation, depth, colour):
    image = np.random.default_rng(1).integers(0, np.iinfo(depth).max, (5, 7, 3) if colour else (5, 7), dtype=depth)
    png = cv2.imencode(".png", image[..., ::-1] if colour else image)[1].tobytes()
    (tmp_path / "turned.png").write_bytes(with_exif(png, orientation))
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), UPRIGHT[orientation](image))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".webp"])
def test_exif_orientation_of_other_formats(tmp_path, orientation, suffix):
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(RAMP).save(tmp_path / f"turned{suffix}", exif=exif)
    Pillow.fromarray(RAMP).save(tmp_path / f"plain{suffix}")
    expected = UPRIGHT[orientation](read_image(tmp_path / f"plain{suffix}"))
    np.testing.assert_array_equal(read_image(tmp_path / f"turned{suffix}"), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_deep_colour_tiff(tmp_path, orientation):
    image = np.random.default_rng(1).integers(0, 65535, (5, 7, 3), dtype=np.uint16)
    path = tmp_path / "deep.tif"
    cv2.imwrite(str(path), image[..., ::-1])
    path.write_bytes(with_orientation_tag(path.read_bytes(), orientation))
    np.testing.assert_array_equal(read_image(path), UPRIGHT[orientation](image))


def with_orientation_tag(tiff: bytes, orientation: int) -> bytes:
    """A little-endian TIFF whose first directory is copied to the end with the tag 274 in its place."""
    assert tiff[:4] == b"II*\0"
    start = struct.unpack_from("<I", tiff, 4)[0]
    count = struct.unpack_from("<H", tiff, start)[0]
    entries = [tiff[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    entries = [entry for entry in entries if struct.unpack_from("<H", entry)[0] != 274]
    entries.append(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    body = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
    padded = tiff + b"\0" * (len(tiff) % 2)
    return padded[:4] + struct.pack("<I", len(padded)) + padded[8:] + body


# ---------------------------------------------------------------------------------------------- bad files


def png_of(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 10)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def encoded(kind, size=64):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    Pillow.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file; copy it again"),
        (b"this is text\n" * 20, "is not an image that can be read; use PNG"),
        (encoded("PNG")[:2000], "is damaged or truncated"),
        (encoded("JPEG")[:1000], "is damaged or truncated"),
        (encoded("TIFF")[:2000], "is damaged or truncated"),
        (encoded("PNG")[:20], "; "),
        (cv2.imencode(".png", np.zeros((64, 64, 3), np.uint16))[1].tobytes()[:60], "is damaged or truncated"),
        (png_of(60_000, 60_000), "; "),
        (png_of(0, 5), "; "),
    ],
    ids=["empty", "text", "png", "jpeg", "tiff", "header", "deep-png", "bomb", "no-pixels"],
)
def test_bad_files_are_named_with_a_remedy(tmp_path, content, message):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = complaint(read_image, path)
    assert str(path) in text
    assert message in text


def test_a_large_header_is_no_reason_to_fill_the_memory(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(60_000, 60_000))
    assert "pixels" in complaint(read_image, path)


def test_a_tiff_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "bomb.tif"
    data = bytearray(cv2.imencode(".tif", np.zeros((8, 8, 3), np.uint16))[1].tobytes())
    (offset,) = struct.unpack("<I", data[4:8])
    for row in range(offset + 2, len(data) - 11, 12):
        tag, kind = struct.unpack("<HH", data[row : row + 4])
        if tag in (256, 257):  # width and height
            assert kind == 3
            data[row + 8 : row + 10] = struct.pack("<H", 60_000)
    path.write_bytes(data)
    assert "more pixels than can be read" in complaint(read_image, path)


def test_a_tiff_whose_second_page_has_no_size_is_damaged(tmp_path):
    path = tmp_path / "two.tif"
    Pillow.fromarray(np.zeros((8, 8), np.uint8)).save(
        path, save_all=True, append_images=[Pillow.fromarray(np.ones((8, 8), np.uint8))]
    )
    data = path.read_bytes()
    second = (
        data.rindex(struct.pack("<HH", 256, 4)) if struct.pack("<HH", 256, 4) in data else data.rindex(struct.pack("<HH", 256, 3))
    )
    path.write_bytes(data[:second] + struct.pack("<H", 60_000) + data[second + 2 :])
    assert "is damaged or truncated" in complaint(read_image, path)


def test_missing_files_and_folders(tmp_path):
    assert "No such file" in complaint(read_image, tmp_path / "none.png")
    assert "is a folder; give photographs, or one folder alone" in complaint(read_image, tmp_path)


@pytest.mark.parametrize("suffix", ["png", "tif", "heic"])
def test_a_path_with_a_nul_character_is_refused(tmp_path, suffix):
    there, bad = tmp_path / "there.png", str(tmp_path / f"a\0.{suffix}")
    write_image(there, RAMP)
    for function, argument in ((read_image, bad), (as_stack, bad), (as_stack, [there, bad])):
        assert "cannot be read (its path holds a NUL character); check the path" in complaint(function, argument)


@pytest.mark.parametrize("write", [write_image, write_map])
@pytest.mark.parametrize(("name", "reason"), [("a\0", "NUL character"), ("a" * 300, "too long"), ("a" * 300 + "/a", "too long")])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, write, name, reason, suffix):
    assert reason in complaint(write, str(tmp_path / name) + suffix, np.zeros((6, 6), np.float32))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read(tmp_path):  # pragma: no cover
    path = tmp_path / "secret.png"
    path.write_bytes(encoded("PNG"))
    path.chmod(0)
    assert "Permission denied" in complaint(read_image, path)


# --------------------------------------------------------------------------------------------- bad arrays

GRAY = np.zeros((5, 7), np.uint8)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((0, 7), np.uint8), "7x0 pixels"),
        (np.zeros((5, 0, 3), np.uint8), "0x5 pixels"),
        (np.full((5, 7), np.nan), "NaN"),
        (np.full((5, 7), np.inf), "infinite"),
        (np.array([[0.5, -np.inf]]), "infinite"),
        (np.full((5, 7), 128.0), "scale it to [0, 1]"),
        (np.full((5, 7), -0.1), "values in [-0.1, -0.1]"),
        (np.zeros((5, 7), bool), "dtype bool"),
        (np.zeros((5, 7), np.int32), "dtype int32"),
        (np.zeros((5, 7), complex), "dtype complex"),
        (np.zeros((5, 7), object), "dtype object"),
        (np.array([["a", "b"]]), "dtype <U1"),
        (np.zeros((5, 7, 2), np.uint8), "shape (5, 7, 2)"),
        (np.zeros((5, 7, 5), np.uint8), "shape (5, 7, 5)"),
        (np.zeros(5, np.uint8), "shape (5,)"),
        (np.zeros((2, 5, 7, 3), np.uint8), "shape (2, 5, 7, 3)"),
    ],
)
def test_bad_arrays_are_named_with_a_remedy(image, message):
    text = complaint(as_stack, [image, image])
    assert text.startswith("image 1 ")
    assert message in text
    assert complaint(check_image, image, "the guide").startswith("the guide ")


def test_one_pixel_is_an_image_but_too_small_for_a_window():
    pixel = np.zeros((1, 1), np.uint8)
    assert as_stack([pixel, pixel]).images.shape == (2, 1, 1)
    assert "1x1 pixels; at least 11x11" in complaint(as_stack, [pixel, pixel], min_side=11)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (np.zeros((5, 8), np.uint8), "image 2 is 8x5 pixels but image 1 is 7x5; register and crop"),
        (np.zeros((5, 7), np.uint16), "image 2 is uint16 but image 1 is uint8"),
        (np.zeros((5, 7), np.float32), "image 2 is float32 but image 1 is uint8"),
    ],
)
def test_images_that_do_not_belong_together(second, message):
    assert message in complaint(as_stack, [GRAY, second])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_stack_of_integers_is_not_copied_and_not_written_to(dtype):
    images = np.random.default_rng(0).integers(0, 256, (2, 36, 40, 3)).astype(dtype)
    assert np.shares_memory(as_stack(images).images, images)
    images.flags.writeable = False  # a method that writes to its sources would fail
    for method in mff.methods.within(1):
        mff.fuse(images, method)


def test_a_stack_with_an_axis_too_many_is_read_like_its_images():
    images = np.zeros((2, 5, 6, 1), np.uint8)
    assert as_stack(images).images.shape == (2, 5, 6)
    assert as_stack(np.zeros((2, 5, 6), np.float32)).images.dtype == np.float32


def test_a_stack_needs_several_images(tmp_path):
    assert "at least two images, 1 given" in complaint(as_stack, [GRAY])
    assert "at least two images, 0 given" in complaint(as_stack, [])
    assert "one path" in complaint(as_stack, write_image(tmp_path / "near.png", GRAY))
    assert "none.png cannot be read" in complaint(as_stack, "none.png")
    assert "one path" in complaint(as_stack, tmp_path)
    assert "at least two" in complaint(FocusStack, "one", GRAY[None])


def test_the_truth_must_fit_the_images():
    pair = np.stack([GRAY, GRAY])
    assert "reference of stack 'toy' has size (4, 7)" in complaint(FocusStack, "toy", pair, reference=np.zeros((4, 7), np.uint8))
    assert "decision of stack 'toy'" in complaint(FocusStack, "toy", pair, decision=np.zeros((2, 5, 6), np.float32))


def test_a_stack_is_checked_again():
    stack = FocusStack("toy", np.full((2, 5, 7), 2.0))
    assert "image 1 of toy" in complaint(as_stack, stack)


def test_paths_and_arrays_can_be_mixed_and_paths_are_named(tmp_path):
    write_image(tmp_path / "a.png", GRAY)
    assert as_stack([tmp_path / "a.png", GRAY]).images.shape == (2, 5, 7)
    write_image(tmp_path / "b.png", GRAY[:3])
    assert "b.png is 7x3 pixels but" in complaint(as_stack, [tmp_path / "a.png", str(tmp_path / "b.png")])


def test_one_channel_is_gray_and_four_lose_the_last():
    assert check_image(GRAY[..., None]).shape == (5, 7)
    with pytest.warns(UserWarning, match="the alpha channel is dropped"):
        assert check_image(np.zeros((5, 7, 4), np.uint8), "x").shape == (5, 7, 3)


# ---------------------------------------------------------------------------------------- range and gray


def test_from_unit_clips_and_rounds_half_up():
    values = np.array([-0.2, 0.0, 0.5, 1.0, 1.7])
    np.testing.assert_array_equal(from_unit(values, np.dtype(np.uint8)), [0, 0, 128, 255, 255])
    np.testing.assert_array_equal(from_unit(values, np.dtype(np.uint16)), [0, 0, 32768, 65535, 65535])
    np.testing.assert_array_equal(from_unit(values, np.dtype(float)), [0, 0, 0.5, 1, 1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("through", [np.float32, np.float64])
def test_every_level_survives_the_way_through_floats(dtype, through):
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    np.testing.assert_array_equal(from_unit(to_unit(levels, through), np.dtype(dtype)), levels)


@pytest.mark.parametrize("weights", ["skimage", "matlab"])
def test_gray_of_gray_is_itself(weights):
    gray = np.linspace(0, 1, 35).reshape(5, 7)
    np.testing.assert_allclose(to_gray(np.dstack([gray] * 3), weights), gray, atol=1e-12)


def test_gray_weights_are_those_of_scikit_image():
    from skimage.color import rgb2gray

    np.testing.assert_allclose(to_gray(to_unit(RAMP, np.float64)), rgb2gray(RAMP), atol=1e-12)


def test_a_stack_smaller_than_an_option_needs_is_refused():
    require_side(as_stack([GRAY, GRAY]), 5)
    with pytest.raises(ImageError, match="image 1 is 7x5 pixels; at least 6x6 are needed"):
        require_side(as_stack([GRAY, GRAY]), 6)


# ------------------------------------------------------------------------------------------------ writing


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("x.gif", GRAY, "suffix .gif; write to .png"),
        ("x", GRAY, "suffix none"),
        ("x.jpg", GRAY.astype(np.uint16), "cannot hold 16 bits"),
        ("x.bmp", GRAY.astype(np.uint16), "cannot hold 16 bits"),
        ("nowhere/x.png", GRAY, "its folder does not exist"),
        ("x.png", np.full((5, 7), 7.0), "scale it to [0, 1]"),
        ("x.png", np.zeros((5, 7, 2), np.uint8), "shape (5, 7, 2)"),
    ],
)
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, name, image, message):
    assert message in complaint(write_image, tmp_path / name, image)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_target(tmp_path):
    (tmp_path / "x.png").mkdir()
    assert "it is a folder" in complaint(check_target, tmp_path / "x.png", np.uint8)


def test_floats_become_eight_bits_where_the_format_has_no_floats(tmp_path):
    write_image(tmp_path / "x.png", np.array([[0, 0.5, 1.0]]))
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), np.array([[0, 128, 255]], np.uint8))


def break_encoder(monkeypatch):
    def fail(*_, **__):
        raise MemoryError("no room to encode")

    monkeypatch.setattr(writing, "_encode", fail)
    return MemoryError


def break_disk(monkeypatch):
    """The disk is full when the bytes are written."""

    class Full:
        def __init__(self, path, mode):
            self.file = open(path, mode)  # noqa: SIM115 - closed below

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, data):
            self.file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "open", Full, raising=False)
    return ImageError


def break_rename(monkeypatch):
    def fail(*_):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files.os, "replace", fail)
    return ImageError


def interrupt(monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", fail)
    return KeyboardInterrupt


@pytest.mark.parametrize("accident", [break_encoder, break_disk, break_rename, interrupt])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, accident):
    path = write_image(tmp_path / "x.png", GRAY)
    before = path.read_bytes()
    with monkeypatch.context() as patch, pytest.raises(accident(patch)) as caught:
        write_image(path, GRAY + 9)
    if isinstance(caught.value, ImageError):
        assert str(path) in str(caught.value)
        assert "choose another folder" in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["x.png"]
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_written_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    path = write_image(tmp_path / "x.png", GRAY)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_pillow_opens_no_format_that_starts_a_program(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(text)
    with pytest.raises(ImageError, match="is not an image that can be read"):
        mff.read_image(tmp_path / "a.png")
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("\n one line.\nanother"), "one line"),
        (ValueError(), "ValueError"),
        (KeyError("k" * 300), "'" + "k" * 116 + "..."),
    ],
)
def test_errors_of_other_packages_become_one_short_line(error, said):
    assert first_line(error) == said
