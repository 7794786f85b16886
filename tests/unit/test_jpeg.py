"""Decoding JPEG files with the chroma of libjpeg 9."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps
from scipy.fft import dctn, idctn

from mffrepro.errors import ImageError
from mffrepro.images import as_stack, read_image
from mffrepro.images.jpeg import decode_dct_chroma


def scene(height: int, width: int) -> np.ndarray:
    """A red ramp on blue, whose chroma is inside the range after compression."""
    rows, columns = np.indices((height, width))
    return np.stack([90 + 60 * np.sin(columns / 9), 100 + rows % 7, 120 + 50 * np.cos(rows / 11)], -1).astype(np.uint8)


def file(image: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def pillow(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Pillow.open(io.BytesIO(data)))).astype(int)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (33, 50), (40, 71)])
def test_near_what_pillow_decodes(height: int, width: int) -> None:
    data = file(scene(height, width), subsampling="4:2:0")
    decoded = decode_dct_chroma(data)
    apart = np.abs(decoded - pillow(data))
    assert decoded.shape == (height, width, 3)
    assert decoded.dtype == np.uint8
    assert 0 < apart.mean() < 1.5, "another way to enlarge the chroma, of the same image"


def test_chroma_is_enlarged_in_the_cosine_domain() -> None:
    """Blue minus luma shows the chroma, which must have no frequency of an upper half."""
    decoded = decode_dct_chroma(file(scene(16, 16), subsampling="4:2:0")).astype(float)
    luma = decoded @ (0.299, 0.587, 0.114)
    waves = dctn((decoded[..., 2] - luma) / 1.772, norm="ortho")
    rounding = dctn(np.full((16, 16), 0.5), norm="ortho").max() / 4
    assert np.abs(waves[8:]).max() < rounding
    assert np.abs(waves[:, 8:]).max() < rounding
    assert np.abs(idctn(waves, norm="ortho")).max() > 10, "there is colour"


def test_a_flat_colour_is_the_same_in_both() -> None:
    data = file(np.full((24, 40, 3), (200, 60, 30), np.uint8), subsampling="4:2:0")
    np.testing.assert_array_equal(decode_dct_chroma(data), pillow(data))


@pytest.mark.parametrize("options", [{"subsampling": "4:4:4"}, {"subsampling": "4:2:2"}, {"progressive": True}])
def test_other_files_are_left_to_pillow(options: dict) -> None:
    assert decode_dct_chroma(file(scene(24, 40), **options)) is None
    assert decode_dct_chroma(file(scene(24, 40)[..., 0])) is None


def test_reading_turns_by_exif_and_reaches_stacks(tmp_path) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    paths = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for path in paths:
        path.write_bytes(file(scene(24, 40), subsampling="4:2:0", exif=exif))
    turned = read_image(paths[0], chroma="dct")
    assert turned.shape == (40, 24, 3)
    assert np.abs(turned - pillow(paths[0].read_bytes())).mean() < 1.5
    np.testing.assert_array_equal(as_stack(paths, chroma="dct").images[1], turned)
    assert (as_stack(paths).images[1] != turned).any()


def test_pillow_reads_other_formats(tmp_path) -> None:
    Pillow.fromarray(scene(24, 40)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", chroma="dct"), scene(24, 40))


# ----------------------------------------------------------------------------------------------------- scans


def scans(data: bytes, wanted: int, preview: bytes = b"") -> bytes:
    """A progressive file whose last scan is repeated until there are so many, with a preview in a segment."""
    starts = [i for i in range(len(data)) if data[i : i + 2] == b"\xff\xda"]
    segment = b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview if preview else b""
    return data[:2] + segment + data[2:-2] + data[starts[-1] : -2] * (wanted - len(starts)) + data[-2:]


def test_a_file_of_very_many_scans_is_refused(tmp_path) -> None:
    progressive = file(scene(24, 40), progressive=True)
    (tmp_path / "a.jpg").write_bytes(scans(progressive, 101))
    with pytest.raises(ImageError, match=r"a\.jpg has more than 100 scans"):
        read_image(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(scans(progressive, 100))
    assert read_image(tmp_path / "b.jpg").shape == (24, 40, 3)


def test_scans_of_previews_and_of_films_behind_a_photograph_do_not_count(tmp_path) -> None:
    many = b"\xff\xda" * 1000
    plain = file(scene(24, 40), progressive=True)
    (tmp_path / "a.jpg").write_bytes(scans(plain, 12, preview=many) + many)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), pillow(scans(plain, 12)))


def test_scans_behind_a_marker_without_length_count(tmp_path) -> None:
    """TEM has no length: what follows it is no part of it."""
    data = scans(file(scene(24, 40), progressive=True), 101)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    (tmp_path / "a.jpg").write_bytes(data[:second] + b"\xff\x01" + data[second:])
    with pytest.raises(ImageError, match=r"a\.jpg has more than 100 scans"):
        read_image(tmp_path / "a.jpg")
