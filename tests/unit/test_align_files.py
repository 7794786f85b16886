"""Transforms kept in files, and alignment on the command line."""

import json

import numpy as np
import pytest
from aligned import moved_stack, photograph, zoom
from PIL import Image

import mffrepro as mff
from mffrepro import alignment
from mffrepro.cli import main
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.errors import ImageError

TRUTH = [zoom(1.005, -6.25, 2), zoom(), zoom(0.995, 5, -4.75)]


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return moved_stack(photograph(colour=True), TRUTH)


@pytest.fixture
def paths(tmp_path, frames) -> list[str]:
    return [str(mff.write_image(tmp_path / f"shot_{n}.png", frame)) for n, frame in enumerate(frames)]


def file_of(tmp_path, **changes) -> str:
    content = {"format": "mffrepro transforms 1", "width": 320, "height": 320, "transforms": [np.eye(3).tolist()] * 3} | changes
    path = tmp_path / "t.json"
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    return str(path)


# ------------------------------------------------------------------------------------------------ files


def test_saved_transforms_come_back_to_the_last_digit(tmp_path, frames):
    transforms = alignment.estimate(frames)
    path = alignment.save_transforms(tmp_path / "t.json", transforms, frames.shape[1:])
    loaded = alignment.load_transforms(path, 3, frames.shape[1:])
    np.testing.assert_array_equal(loaded, transforms)
    np.testing.assert_array_equal(mff.align(frames, transforms=loaded).images, mff.align(frames).images)


HOSTILE = {
    "no JSON": b"{",
    "empty": b"",
    "no text": b"\xff\xfe\x00",
    "a list": b"[]",
    "a number": b"1",
    "NaN": b'{"format": "mffrepro transforms 1", "width": NaN, "height": 1, "transforms": []}',
    "deep": b"[" * 100_000,
    "long number": b'{"format": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "t.json"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"t\.json is no file of transforms; write one with --save-transforms$"):
        alignment.load_transforms(path, 3, (320, 320))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "mffrepro transforms 2"}, "is no file of transforms"),
        ({"width": None}, "is no file of transforms"),
        ({"more": 1}, "is no file of transforms"),
        ({"width": "320"}, "gives no size"),
        ({"width": True}, "gives no size"),
        ({"width": 640}, "is for frames of 640x320 pixels, not 320x320"),
        ({"transforms": []}, "must hold 3x3 matrices"),
        ({"transforms": {"a": 1}}, "must hold 3x3 matrices"),
        ({"transforms": [[[1, 0, 0], [0, 1, 0]]] * 3}, "must hold 3x3 matrices"),
        ({"transforms": [[[1, 0, 0], [0, 1], [0, 0, 1]]] * 3}, "must hold 3x3 matrices"),
        ({"transforms": [[["1", 0, 0], [0, 1, 0], [0, 0, 1]]] * 3}, "must hold 3x3 matrices"),
        ({"transforms": [[["x" * 1000, "", ""]] * 3] * 3}, "must hold 3x3 matrices"),
        ({"transforms": json.loads("[" * 900 + "]" * 900)}, "must hold 3x3 matrices"),
        ({"transforms": [[[True, False, False], [False, True, False], [False, False, True]]] * 3}, "must hold 3x3 matrices"),
        ({"transforms": [[[10**400, 0, 0], [0, 1, 0], [0, 0, 1]]] * 3}, "must hold 3x3 matrices"),
        ({"transforms": [np.eye(3).tolist()] * 2}, "holds 2 transforms but there are 3 frames"),
        ({"transforms": [np.eye(3).tolist()] * 2 + [np.zeros((3, 3)).tolist()]}, "transform 3 is none that aligns a frame"),
        ({"transforms": [np.eye(3).tolist(), np.diag([5, 5, 1]).tolist(), np.eye(3).tolist()]}, "transform 2 is none"),
        ({"transforms": [np.diag([2, 2, 2]).tolist()] * 3}, "transform 1 is none"),
    ],
)
def test_transforms_that_cannot_be_are_refused(tmp_path, changes, message):
    with pytest.raises(ImageError, match=message):
        alignment.load_transforms(file_of(tmp_path, **changes), 3, (320, 320))


def test_texts_are_never_made_an_array(tmp_path, monkeypatch):
    """One long text would make all others as long: 50 kB take half a gigabyte."""
    path = file_of(tmp_path, transforms=[[["x" * 1000, "", ""]] * 3] * 3)
    real = np.array

    def array(values, *rest, **more):
        assert not isinstance(values, list), "texts became an array"
        return real(values, *rest, **more)

    monkeypatch.setattr(np, "array", array)
    with pytest.raises(ImageError, match="must hold 3x3 matrices"):
        alignment.load_transforms(path, 3, (320, 320))


def test_infinity_and_files_that_are_not_there_are_refused(tmp_path):
    path = tmp_path / "t.json"
    file_of(tmp_path)
    path.write_text(path.read_text().replace("1.0", "1e999", 1))
    with pytest.raises(ImageError, match="transform 1 is none that aligns a frame"):
        alignment.load_transforms(path, 3, (320, 320))
    with pytest.raises(ImageError, match="cannot be read"):
        alignment.load_transforms(tmp_path / "none.json", 3, (320, 320))
    with pytest.raises(ImageError, match="cannot be read"):
        alignment.load_transforms(tmp_path, 3, (320, 320))
    with pytest.raises(ImageError, match="cannot be written"):
        alignment.save_transforms(tmp_path / "no" / "t.json", np.stack([np.eye(3)] * 2), (320, 320))


def test_a_path_with_a_nul_character_is_refused(tmp_path):
    path, two = str(tmp_path / "a\0.json"), np.stack([np.eye(3)] * 2)
    with pytest.raises(ImageError, match=r"cannot be read .* NUL character.*; check the path"):
        alignment.load_transforms(path, 2, (60, 80))
    with pytest.raises(ImageError, match=r"cannot be written .* NUL character.*; choose another place"):
        alignment.save_transforms(path, two, (60, 80))


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "t.json"
    with path.open("wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(ImageError, match="is too large"):
        alignment.load_transforms(path, 3, (320, 320))


# ------------------------------------------------------------------------------------------------ command line


def test_fuse_aligns_saves_and_reuses(tmp_path, paths, frames, capsys):
    out, again, kept = (str(tmp_path / name) for name in ("out.png", "again.png", "kept.json"))
    assert main(["fuse", *paths, "-o", out, "-m", "lp", "--align", "--save-transforms", kept]) == 0
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(mff.read_image(out), mff.fuse(mff.align(frames), "lp").image)
    assert main(["fuse", *paths, "-o", again, "-m", "lp", "--align", "--use-transforms", kept]) == 0
    np.testing.assert_array_equal(mff.read_image(out), mff.read_image(again))


def test_fuse_without_cropping_keeps_the_size_and_credits_sources(tmp_path, paths, frames):
    out, decision = str(tmp_path / "out.png"), str(tmp_path / "map.png")
    assert main(["fuse", *paths, "-o", out, "-m", "focus_stack", "--align", "--no-crop", "--decision", decision]) == 0
    assert mff.read_image(out).shape == frames.shape[1:]
    first = ~alignment.covered(alignment.estimate(frames)[0], (320, 320))
    assert mff.read_image(decision)[first].max() < 255  # white is the first image


def test_fuse_notes_a_misaligned_stack(tmp_path, paths, capsys):
    assert main(["fuse", *paths, "-o", str(tmp_path / "out.png"), "-m", "average"]) == 0
    assert "note: frame 3 (shot_2.png) is 6.9 px off frame 2 (shot_1.png); add --align" in capsys.readouterr().err


def test_fuse_notes_nothing_on_a_registered_stack(tmp_path, paths, capsys):
    softer = str(mff.write_image(tmp_path / "softer.png", gaussian_blur(mff.read_image(paths[0]), 1.5)))
    assert main(["fuse", paths[0], softer, "-o", str(tmp_path / "out.png"), "-m", "average"]) == 0
    assert capsys.readouterr().err == ""


def test_options_of_an_alignment_that_is_not_asked_for_are_refused(tmp_path, paths, capsys):
    for option in (["--no-crop"], ["--save-transforms", "t.json"], ["--model", "homography"]):
        assert main(["fuse", *paths, "-o", str(tmp_path / "out.png"), "-m", "average", *option]) == 2
        assert "add --align" in capsys.readouterr().err


def test_align_writes_every_frame_under_its_name(tmp_path, paths, frames):
    folder = tmp_path / "aligned"
    assert main(["align", *paths, "-o", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["shot_0.png", "shot_1.png", "shot_2.png"]
    for image, path in zip(mff.align(frames).images, sorted(folder.iterdir()), strict=True):
        np.testing.assert_array_equal(mff.read_image(path), image)


def test_a_format_that_cannot_be_written_becomes_tiff(tmp_path, frames):
    paths = []
    for n, frame in enumerate(frames):
        paths.append(str(tmp_path / f"{n}.ppm"))
        Image.fromarray(frame).save(paths[-1])
    assert main(["align", *paths, "-o", str(tmp_path / "aligned")]) == 0
    assert sorted(path.name for path in (tmp_path / "aligned").iterdir()) == ["0.tif", "1.tif", "2.tif"]


def test_align_leaves_nothing_behind_where_it_fails(tmp_path, paths, capsys):
    flat = str(mff.write_image(tmp_path / "flat.png", np.full((320, 320, 3), 99, np.uint8)))
    before = sorted(tmp_path.iterdir())
    assert main(["align", *paths, flat, "-o", str(tmp_path / "aligned")]) == 2
    assert "frame 4 (flat.png) cannot be aligned with frame 3 (shot_2.png)" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_align_leaves_no_half_folder_where_writing_fails(tmp_path, paths, monkeypatch):
    def full(path, image, **_):
        raise ImageError(f"{path} cannot be written (no space left on device); choose another folder")

    monkeypatch.setattr("mffrepro.images.write_image", full)
    before = sorted(tmp_path.iterdir())
    assert main(["align", *paths, "-o", str(tmp_path / "aligned")]) == 2
    assert sorted(tmp_path.iterdir()) == before


def test_align_refuses_a_folder_that_holds_something(tmp_path, paths, capsys):
    assert main(["align", *paths, "-o", str(tmp_path)]) == 2
    assert "exists; choose a new folder" in capsys.readouterr().err
    assert main(["align", *paths, paths[0], "-o", str(tmp_path / "new")]) == 2
    assert "two of the aligned images would be called shot_0.png" in capsys.readouterr().err
    assert main(["align", *paths, "-o", str(tmp_path / "no" / "new")]) == 2
    assert "its folder does not exist" in capsys.readouterr().err


def test_aligned_frames_keep_their_colours_and_are_sources_again(tmp_path):
    from PIL import Image, ImageCms

    from mffrepro.cli import main
    from mffrepro.data import load

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (tmp_path / "card").mkdir()
    for name, image in zip("ab", load("embedded")["coffee_blur2"].images, strict=True):
        Image.fromarray(image).save(tmp_path / "card" / f"{name}.png", icc_profile=profile, dpi=(300, 300))
    assert main(["align", str(tmp_path / "card"), "-o", str(tmp_path / "aligned")]) == 0
    with Image.open(tmp_path / "aligned" / "b.png") as frame:
        assert frame.info["icc_profile"] == profile
        assert frame.info["dpi"][0] == pytest.approx(300, abs=0.5)
    assert main(["fuse", str(tmp_path / "aligned"), "-m", "average", "-o", str(tmp_path / "fused.png")]) == 0
