"""Stacks of files that are too large for the memory: decoded when they are asked for, and otherwise as if they were arrays."""

import warnings

import numpy as np
import pytest
from PIL import Image as Pillow

import mffrepro as mff
from mffrepro import alignment
from mffrepro.errors import ImageError
from mffrepro.images import Frames, as_stack, frames, opening, spool, stack, tiff, write_image
from mffrepro.images.balance import balance
from mffrepro.images.hot_pixels import fill_hot_pixels

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (4, 30, 40, 3), dtype=np.uint8)


@pytest.fixture
def nothing_is_small(monkeypatch):
    """Treat every stack of files as a large one."""
    monkeypatch.setattr(frames, "SMALL", -1)
    monkeypatch.setattr(stack, "SMALL", -1)


def save(folder, images=IMAGES, suffix=".jpg"):
    paths = [folder / f"{i}{suffix}" for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Pillow.fromarray(image).save(path)
    return paths


@pytest.fixture
def decoded(monkeypatch):
    """Count how often each file is decoded."""
    found, read = [], opening.read_picture
    monkeypatch.setattr(opening, "read_picture", lambda path, **options: found.append(path) or read(path, **options))
    return found


def array_like():
    return Frames([lambda image=image: image.copy() for image in IMAGES], IMAGES.shape[1:], IMAGES.dtype)


@pytest.mark.parametrize(
    "key",
    [0, -1, np.int64(2), slice(1, 3), slice(None, None, -1), [2, 0], np.array([True, False, True, True]), (1, 4),
     (slice(1, 3), 5), (slice(None), slice(3, 9)), (..., 1), (slice(None), slice(3, 9), slice(2), 0)],
)  # fmt: skip
def test_frames_are_read_like_an_array(key):
    np.testing.assert_array_equal(array_like()[key], IMAGES[key])


def test_frames_know_what_an_array_knows():
    lazy = array_like()
    for name in ("shape", "ndim", "dtype", "nbytes"):
        assert getattr(lazy, name) == getattr(IMAGES, name)
    assert (len(lazy), lazy.min(), lazy.max(initial=0)) == (4, IMAGES.min(), IMAGES.max())
    np.testing.assert_array_equal(list(lazy), IMAGES)
    assert np.asarray(lazy, np.float32).dtype == np.float32
    with pytest.raises(IndexError):
        lazy[4]
    with pytest.raises(ValueError, match="read-only"):
        lazy[0][0, 0, 0] = 1


def test_only_the_last_frames_are_kept(monkeypatch):
    made = []
    lazy = Frames([lambda i=i: made.append(i) or IMAGES[i].copy() for i in range(4)], IMAGES.shape[1:], IMAGES.dtype)
    monkeypatch.setattr(frames, "SMALL", 2 * IMAGES[0].nbytes)
    for number in (0, 1, 0, 1, 2, 2, 1, 0):
        lazy[number]
    assert made == [0, 1, 2, 0]
    monkeypatch.setattr(frames, "SMALL", IMAGES.nbytes)
    for number in (1, 2, 3, 0, 1, 2, 3):
        lazy[number]
    assert made == [0, 1, 2, 0, 2, 3]


def test_a_frame_that_changes_is_named():
    lazy = Frames([lambda: IMAGES[0], lambda: IMAGES[0][:5]], IMAGES.shape[1:], IMAGES.dtype)
    with pytest.raises(ImageError, match="image 2 changed while it was in use"):
        lazy[1]


def test_a_large_stack_of_files_is_decoded_when_it_is_asked_for(tmp_path, nothing_is_small, decoded):
    paths = save(tmp_path)
    made = as_stack(paths)
    assert decoded == []
    assert isinstance(made.images, Frames)
    assert (made.images.shape, len(made), made.is_colour) == (IMAGES.shape, 4, True)
    made.images[2]
    assert decoded == [paths[2]]
    assert as_stack(made) is made


def test_a_small_stack_of_files_and_arrays_are_arrays(tmp_path):
    assert isinstance(as_stack(save(tmp_path)).images, np.ndarray)
    assert isinstance(as_stack(list(IMAGES)).images, np.ndarray)


def test_the_limit_counts_pixels_not_files(tmp_path, monkeypatch):
    paths = save(tmp_path)
    for limit, kind in ((IMAGES.nbytes, np.ndarray), (IMAGES.nbytes - 1, Frames)):
        monkeypatch.setattr(stack, "SMALL", limit)
        assert isinstance(as_stack(paths).images, kind)


def test_sizes_are_refused_by_the_headers(tmp_path, nothing_is_small, decoded):
    paths = save(tmp_path)
    Pillow.fromarray(IMAGES[0][:-3]).save(paths[2])
    with pytest.raises(ImageError, match=r"2\.jpg is 40x27 pixels but .*0\.jpg is 40x30; register and crop them"):
        as_stack(paths)
    assert decoded == []
    with pytest.warns(UserWarning, match="cropped to 40x27"):
        assert as_stack(paths, crop=True).images[0].shape == (27, 40, 3)


def test_a_truncated_file_is_named_when_it_is_reached(tmp_path, nothing_is_small):
    paths = save(tmp_path)
    paths[3].write_bytes(paths[3].read_bytes()[:-400])
    made = as_stack(paths)
    with pytest.raises(ImageError, match=r"3\.jpg is damaged or truncated"):
        mff.fuse(made, "average")


def sixteen(folder):
    return [write_image(folder / f"{i}.tif", image.astype(np.uint16) * 16) for i, image in enumerate(IMAGES)]


def floats(folder):
    return [write_image(folder / f"{i}.tif", (image / 255).astype(np.float32)) for i, image in enumerate(IMAGES)]


def slices(folder, **options):
    import tifffile

    path = folder / "stack.tif"
    tifffile.imwrite(path, IMAGES, photometric="rgb", **options)
    return path


def hyperstack(folder):
    return slices(folder, imagej=True, metadata={"axes": "ZYXS"})


def gray_among_colour(folder):
    return [*save(folder)[:2], write_image(folder / "g.png", IMAGES[0, ..., 0])]


def transparent(folder):
    paths = [folder / f"{i}.webp" for i in range(3)]
    for i, path in enumerate(paths):
        Pillow.fromarray(np.dstack([IMAGES[i], IMAGES[i, ..., 0]])).save(path, lossless=True)
    return paths


def turned(folder):
    paths = save(folder)
    for i, path in enumerate(paths):
        exif = Pillow.Exif()
        exif[0x0112] = (1, 3, 6, 8)[i]
        Pillow.fromarray(IMAGES[i]).save(path, exif=exif, icc_profile=b"x" * 200, dpi=(300, 300))
    return paths


@pytest.mark.parametrize("make", [save, sixteen, floats, gray_among_colour, transparent, turned, slices, hyperstack])
@pytest.mark.parametrize("white", [None, 2047])
def test_large_stacks_are_what_small_ones_are(tmp_path, monkeypatch, make, white):
    if white and make is not sixteen:
        pytest.skip("white is for 16 bits")
    paths, found = make(tmp_path), []
    for limit in (2**27, -1):
        monkeypatch.setattr(stack, "SMALL", limit)
        monkeypatch.setattr(tiff, "SMALL", limit)
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            found.append((as_stack(paths, white=white), [str(note.message) for note in notes]))
    (small, notes), (large, same_notes) = found
    assert isinstance(small.images, np.ndarray)
    assert isinstance(large.images, Frames)
    assert same_notes == notes
    np.testing.assert_array_equal(large.images, small.images)
    assert (large.images.dtype, large.white, large.metadata) == (small.images.dtype, small.white, small.metadata)
    assert (large.alpha is None) == (small.alpha is None)
    if small.alpha is not None:
        np.testing.assert_array_equal(large.alpha, small.alpha)


def test_faults_are_mended_in_frames_as_in_arrays():
    scene = np.clip(np.random.default_rng(1).normal(120, 2, (64, 80, 3)), 40, 200).astype(np.uint8)
    images = np.stack([scene // 2 if i == 3 else scene for i in range(6)])
    images[:, 20, 30] = 255
    lazy = Frames([lambda image=image: image for image in images], images.shape[1:], images.dtype)
    for mend in (balance, fill_hot_pixels):
        (ours, facts), (expected, wanted) = mend(lazy), mend(images)
        assert isinstance(ours, Frames)
        np.testing.assert_array_equal(ours, expected)
        np.testing.assert_array_equal(facts, wanted)
        assert (expected != images).any()


@pytest.mark.parametrize("crop", [True, False])
def test_frames_are_moved_as_arrays_are(crop):
    lazy, moves = array_like(), [(2, 1), (0.5, 0), (0, 0), (-3, -2.5)]
    transforms = np.stack([np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]) for x, y in moves])
    ours = alignment.resample(lazy, transforms, crop=crop)
    assert isinstance(ours, Frames)
    np.testing.assert_array_equal(ours, alignment.resample(IMAGES, transforms, crop=crop))


def test_some_rows_are_read_back_alone(monkeypatch):
    kept = spool.Spool().keep(IMAGES[1][::-1])
    np.testing.assert_array_equal(kept(), IMAGES[1][::-1])
    read, file = [], kept.spool.file

    class Counting:
        seek, close = file.seek, file.close

        def readinto(self, room):
            read.append(len(room))
            return file.readinto(room)

    monkeypatch.setattr(kept.spool, "_file", Counting())
    lazy = Frames([kept, kept], IMAGES.shape[1:], IMAGES.dtype)
    np.testing.assert_array_equal(lazy[:, 4:9], np.stack([IMAGES[1][::-1][4:9]] * 2))
    assert read == [5 * 40 * 3] * 2


def test_a_full_disk_is_one_sentence(monkeypatch):
    kept = spool.Spool()

    class Full:
        def seek(self, *_):
            return 0

        def write(self, _):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(kept, "_file", Full())
    with pytest.raises(ImageError, match=r"cannot hold the frames of this stack \(No space left on device\); set TMPDIR"):
        kept.keep(IMAGES[0])


def test_temporary_files_have_no_name(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(spool.tempfile, "tempdir", None)
    kept = spool.Spool().keep(IMAGES[0])
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(kept(), IMAGES[0])


def test_frames_can_be_fused_as_they_are():
    assert isinstance(as_stack(array_like()).images, Frames)
    np.testing.assert_array_equal(mff.fuse(array_like(), "lp").image, mff.fuse(IMAGES, "lp").image)
    with pytest.raises(ImageError, match="image 1 of stack is 40x30 pixels; at least 99x99 are needed"):
        as_stack(array_like(), min_side=99)


def test_large_stacks_of_files_can_be_scored(tmp_path, nothing_is_small):
    paths = save(tmp_path, suffix=".png")
    assert mff.evaluate(paths, IMAGES[0], ["qabf", "mi"]) == mff.evaluate(IMAGES, IMAGES[0], ["qabf", "mi"])
