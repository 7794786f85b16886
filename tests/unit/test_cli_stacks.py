"""What ``fuse`` and ``evaluate`` do with real folders: own results, odd frames, targets, depths, many stacks at once."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from camera_files import exif_of_a_camera
from PIL import Image as Pillow

import mffrepro as mff
from mffrepro.alignment import save_transforms
from mffrepro.cli import main
from mffrepro.data import load
from mffrepro.images.headers import read_header


@pytest.fixture(scope="module")
def frames():
    (stack,) = load("embedded", kind="lens", size=160)
    return stack.images


@pytest.fixture
def run(capsys):
    """Exit code, stdout, and the lines on stderr without the name of the program."""

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, [line.removeprefix("mffrepro: ") for line in captured.err.splitlines()]

    return call


@pytest.fixture
def folder(tmp_path, frames, monkeypatch):
    """A working folder with ``stack/0.png`` to ``stack/7.png``."""
    monkeypatch.chdir(tmp_path)
    save("stack", frames)
    return tmp_path


def save(folder, images, first=0):
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [mff.write_image(Path(folder) / f"{i}.png", image) for i, image in enumerate(images, start=first)]


LP = ("-m", "lp")


# -------------------------------------------------------------------------------------------------- own results


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_a_second_run_does_not_fuse_the_first_result(run, folder, frames, suffix):
    assert run("fuse", "stack", "-o", f"stack/a{suffix}", *LP)[0] == 0
    code, out, err = run("fuse", "stack", "-o", "stack/b.png", *LP)
    assert code == 0
    assert "8 images" in out
    assert err == [f"note: stack/a{suffix}: written by mffrepro, not taken for a source"]
    np.testing.assert_array_equal(mff.read_image("stack/b.png"), mff.fuse(frames, "lp").image)


def test_decision_maps_are_results_too(run, folder, frames):
    assert run("fuse", "stack", "-o", "stack/a.png", "--decision", "stack/map.png")[0] == 0
    _, out, err = run("fuse", "stack", "-o", "b.png", *LP)
    assert "8 images" in out
    assert err == ["note: stack/a.png and 1 more: written by mffrepro, not taken for a source"]


def test_results_alone_are_sources(run, folder, frames):
    """Slabs of a stack, fused one by one, may be fused in turn."""
    Path("slabs").mkdir()
    for name in "ab":
        assert run("fuse", *(f"stack/{i}.png" for i in ("012" if name == "a" else "345")), "-o", f"slabs/{name}.png", *LP)[0] == 0
    code, out, err = run("fuse", "slabs", "-o", "slabs/all.png", *LP)
    assert (code, err) == (0, [])
    assert "2 images" in out


def test_files_that_are_named_are_sources(run, folder):
    assert run("fuse", "stack", "-o", "a.png", *LP)[0] == 0
    code, out, err = run("fuse", "a.png", "stack/0.png", "-o", "b.png", *LP)
    assert (code, err) == (0, [])
    assert "2 images" in out


@pytest.mark.parametrize("option", ["-o", "--depth", "--confidence", "--decision", "--save-transforms"])
def test_a_photograph_in_the_folder_is_no_target(run, folder, option):
    before = Path("stack/3.png").read_bytes()
    others = ["--align"] if option == "--save-transforms" else []
    code, _, (err,) = run(
        "fuse", "stack", "-m", "gacn", *(["-o", "a.png"] if option != "-o" else []), option, "stack/3.png", *others
    )
    assert (code, err) == (2, "stack/3.png is one of the images and would be lost; choose another name")
    assert Path("stack/3.png").read_bytes() == before
    assert not Path("a.png").exists()


def test_transforms_do_not_replace_the_result(run, folder):
    code, _, (err,) = run("fuse", "stack", "-o", "a.png", *LP, "--align", "--save-transforms", "a.png")
    assert (code, err) == (2, "a.png cannot hold two results; choose two names")
    code, _, (err,) = run("fuse", "stack", "-o", "a.png", *LP, "--align", "--save-transforms", "nowhere/t.json", "--no-checks")
    assert (code, err) == (2, "nowhere/t.json cannot be written (its folder does not exist); choose another place")
    for target in ("stack/3.png", "aligned"):
        code, _, (err,) = run("align", "stack", "-o", "aligned", "--save-transforms", target)
        assert code == 2
        assert err.startswith(f"{target} {'is one of the images' if target != 'aligned' else 'cannot hold two results'}")
    assert read_header("stack/3.png").size == (160, mff.read_image("stack/3.png").shape[0])


def test_transforms_of_all_frames_serve_where_one_is_left_out(run, folder, frames):
    save("six", [*frames[:5], np.zeros_like(frames[0])])
    same = np.tile(np.eye(3), (6, 1, 1))
    same[:, 0, 2] = np.arange(6) / 10
    save_transforms("all.json", same, frames.shape[1:])
    save_transforms("left.json", same[:5], frames.shape[1:])
    save_transforms("few.json", same[:4], frames.shape[1:])
    code, _, err = run("fuse", "stack", "-o", "more.png", *LP, "--align", "--use-transforms", "all.json")
    assert code == 2
    assert "all.json holds 6 transforms but there are 8 frames" in err[-1]
    save("five", frames[:5])
    code, _, err = run("fuse", "five", "-o", "fewer.png", *LP, "--align", "--use-transforms", "all.json")
    assert code == 2
    assert "all.json holds 6 transforms but there are 5 frames" in err[-1]
    for name in ("all", "left"):
        code, _, err = run("fuse", "six", "-o", f"{name}.png", *LP, "--align", "--use-transforms", f"{name}.json")
        assert (code, len(err)) == (0, 1)
    np.testing.assert_array_equal(mff.read_image("all.png"), mff.read_image("left.png"))
    code, _, err = run("fuse", "six", "-o", "few.png", *LP, "--align", "--use-transforms", "few.json")
    assert code == 2
    assert "few.json holds 4 transforms but there are 5 frames" in err[-1]


def test_a_folder_of_one_tiff_of_slices_is_a_stack(run, folder, frames):
    for name in ("a", "b"):
        Path("root", name).mkdir(parents=True)
        tifffile.imwrite(f"root/{name}/z.tif", frames[:3], photometric="rgb")
    assert "3 images" in run("fuse", "root/a", "-o", "one.png", *LP)[1]
    code, out, _ = run("fuse", "--each", "root", "-o", "out/{name}.png", *LP)
    assert (code, len(out.splitlines())) == (0, 2)
    np.testing.assert_array_equal(mff.read_image("out/b.png"), mff.fuse(frames[:3], "lp").image)


def test_slices_are_aligned_into_files_with_numbers(run, folder, frames):
    tifffile.imwrite("z.tif", frames, photometric="rgb")
    code, out, _ = run("align", "z.tif", "-o", "aligned")
    assert code == 0
    assert out.startswith("8 frames of ")
    assert sorted(path.name for path in Path("aligned").iterdir()) == [f"z_{n}.tif" for n in range(1, 9)]


def test_align_crops_sizes_that_differ_by_a_little(run, folder, frames):
    save("odd", [*frames[:4], frames[4, :-1], *frames[5:]])
    code, out, err = run("fuse", "odd", "-o", "a.png", *LP, "--align")
    assert code == 0
    assert "8 images" in out
    assert "cropped to" in err[0]
    assert run("align", "odd", "-o", "aligned")[0] == 0
    code, _, err = run("align", "odd", "-o", "other", "--no-crop")
    assert (code, err[-1][:21]) == (0, "note: odd/4.png: left") or code == 2


def test_what_does_not_exist_is_said_to_be_missing(run, folder):
    code, _, (err,) = run("fuse", "nowhere", "-o", "a.png", *LP)
    assert (code, err) == (2, "nowhere does not exist; check the path")


@pytest.mark.parametrize("level", [0, 255])
def test_of_two_images_one_that_shows_nothing_is_refused(run, folder, frames, level):
    save("two", [frames[0], np.full_like(frames[0], level)])
    code, _, (err,) = run("fuse", "two", "-o", "a.png", *LP)
    kind = "black" if level == 0 else "white"
    assert code == 2
    assert err.startswith(f"two/1.png is {kind}, and nothing is left to fuse; give two photographs at least")
    assert run("fuse", "two", "-o", "a.png", *LP, "--no-checks")[0] == 0


def test_a_pair_of_two_scenes_or_of_one_photograph_has_a_note(run, folder, frames):
    save("two", [frames[0], frames[0][::-1]])
    code, _, err = run("fuse", "two", "-o", "a.png", *LP)
    assert (code, err) == (0, ["note: frame 1 (0.png) and frame 2 (1.png) hardly show the same scene; check the files"])
    save("same", [frames[0], frames[0]])
    _, _, err = run("fuse", "same", "-o", "a.png", *LP)
    assert err == ["note: frame 2 (1.png) repeats frame 1 (0.png); there is nothing to fuse"]


def test_a_note_on_much_darker_frames_gives_the_factor(run, folder, frames):
    save("dark", [*frames[:5], (frames[5] * 0.6).astype(np.uint8)])
    *_, err = run("fuse", "dark", "-o", "a.png", *LP)[2]
    assert re.search(r"differs from the others' by factors up to [23]\.\d; add --balance", err)


def test_images_of_another_size_than_most_are_left_out(run, folder, frames):
    mff.write_image("stack/preview.png", frames[0, :20, :30])
    code, out, err = run("fuse", "stack", "-o", "a.png", *LP)
    assert code == 0
    assert "8 images" in out
    height, width = frames.shape[1:3]
    assert err == [f"note: stack/preview.png: left out, as most images here have {width}x{height} pixels"]


def test_an_image_that_stands_upright_among_others_is_left_out(run, folder, frames):
    mff.write_image("stack/9.png", frames[0].swapaxes(0, 1))
    code, out, err = run("fuse", "stack", "-o", "a.png", *LP)
    assert code == 0
    assert "8 images" in out
    assert err[0].startswith("note: stack/9.png: left out, as most images here have 160x")


@pytest.mark.parametrize("turned", [1, 6])
def test_images_that_exif_turns_alike_are_of_one_size(run, folder, frames, turned):
    """Half of them are stored as the sensor took them, and EXIF turns them to what the others are."""
    for number, frame in enumerate(frames[:6]):
        stored = np.rot90(frame, 1) if number % 2 and turned == 6 else frame
        Pillow.fromarray(np.ascontiguousarray(stored)).save(
            f"stack/{number}.png", exif=exif_of_a_camera(orientation=turned if number % 2 else 1)
        )
    code, out, err = run("fuse", "stack", "-o", "a.png", *LP)
    assert (code, err) == (0, [])
    assert "8 images" in out


def test_with_crop_only_images_of_nearly_that_size_are_kept(run, folder, frames):
    mff.write_image("stack/preview.png", frames[0, :20, :30])
    mff.write_image("stack/3.png", frames[3, 1:-1])
    code, out, err = run("fuse", "stack", "-o", "a.png", *LP, "--crop")
    assert code == 0
    assert f"8 images of 160x{frames.shape[1] - 2}" in out
    assert "stack/preview.png: left out" in err[0]
    assert "cropped to" in err[1]


def test_where_no_size_prevails_the_stack_is_refused(run, folder, frames):
    save("two", [frames[0], frames[1, :-1]])
    code, _, (err,) = run("fuse", "two", "-o", "a.png", *LP)
    assert code == 2
    assert "register and crop them to one size" in err
    code, _, (note,) = run("fuse", "two", "-o", "a.png", *LP, "--crop")
    assert code == 0
    assert f"cropped to {frames.shape[2]}x{frames.shape[1] - 1} pixels" in note
    np.testing.assert_array_equal(mff.read_image("a.png"), mff.fuse(frames[:2, :-1], "lp").image)


def test_one_photograph_in_two_formats_is_a_question(run, folder, frames):
    mff.write_image("stack/3.tif", frames[3])
    code, _, (err,) = run("fuse", "stack", "-o", "a.png", *LP)
    assert code == 2
    assert err == "stack holds 3.png and 3.tif, two files of one name; name the files to fuse, such as stack/*.png"
    save("few", frames[:1])
    mff.write_image("few/0.tif", frames[0])
    assert run("fuse", "few", "-o", "a.png", *LP)[2] == [
        "few holds 0.png and 0.tif, two files of one name; name the files to fuse"
    ]


# ----------------------------------------------------------------------------------------------------- one file


def test_a_tiff_of_slices_is_fused(run, folder, frames):
    tifffile.imwrite("stack.tif", frames, photometric="rgb")
    code, out, err = run("fuse", "stack.tif", "-o", "a.tif", *LP)
    assert (code, err) == (0, [])
    assert "8 images" in out
    np.testing.assert_array_equal(mff.read_image("a.tif"), mff.fuse(frames, "lp").image)


def test_a_tiff_of_channels_is_refused(run, folder):
    tifffile.imwrite("c.tif", np.zeros((2, 20, 20), np.uint16), imagej=True, metadata={"axes": "CYX"})
    code, _, (err,) = run("fuse", "c.tif", "-o", "a.tif", *LP)
    assert code == 2
    assert "holds 2 channels" in err


# ------------------------------------------------------------------------------------------------------ targets


def test_two_targets(run, folder, frames):
    deep = save("deep", frames.astype(np.uint16) * 257)
    code, out, err = run("fuse", *deep, "-o", "a.tif", "-o", "a.jpg", "--quality", "80", *LP)
    assert (code, err) == (0, [])
    assert out.endswith("-> a.tif and a.jpg\n")
    assert mff.read_image("a.tif").dtype == np.uint16
    assert mff.read_image("a.jpg").dtype == np.uint8
    assert np.abs(mff.read_image("a.jpg").astype(float) - mff.read_image("a.tif") / 257).mean() < 6


def test_a_single_jpeg_of_deep_sources_needs_bits(run, folder, frames):
    deep = save("deep", frames.astype(np.uint16) * 257)
    code, _, (err,) = run("fuse", *deep, "-o", "a.jpg", *LP)
    assert code == 2
    assert "a.jpg cannot hold 16 bits a sample; write to .png or .tif, or with 8 bits (bits=8, --bits 8)" in err
    assert run("fuse", *deep, "-o", "a.jpg", "--bits", "8", *LP)[0] == 0
    assert run("fuse", "stack", "-o", "a.png", "--bits", "16", *LP)[0] == 0
    assert mff.read_image("a.png").dtype == np.uint16


def test_white_is_passed_on_and_the_range_comes_back(run, folder, frames):
    twelve = save("deep", frames.astype(np.uint16) * 16)
    code, _, (note,) = run("fuse", *twelve, "-o", "a.tif", *LP)
    assert "add --white 4095" in note
    code, _, err = run("fuse", *twelve, "-o", "a.tif", "-o", "a.png", "--white", "4080", *LP)
    assert (code, err) == (0, [])
    expected = mff.fuse(list(frames.astype(np.uint16) * 16), "lp", white=4080).image
    np.testing.assert_array_equal(mff.read_image("a.tif"), expected)


def test_clamp_is_passed_on(run, folder, frames):
    assert run("fuse", "stack", "-o", "a.png", *LP, "--clamp")[0] == 0
    np.testing.assert_array_equal(mff.read_image("a.png"), mff.fuse(frames, "lp", clamp=True).image)


def test_metadata_and_alpha_go_to_the_target(run, folder, frames):
    Path("alpha").mkdir()
    for i, image in enumerate(frames[:3]):
        rgba = np.dstack([image, np.full(image.shape[:2], 40 * i, np.uint8)])
        Pillow.fromarray(rgba).save(f"alpha/{i}.png", exif=exif_of_a_camera())
    assert run("fuse", "alpha", "-o", "a.png", *LP)[0] == 0
    with Pillow.open("a.png") as picture:
        assert picture.mode == "RGBA"
        assert np.asarray(picture)[..., 3].max() == 80
        assert picture.getexif()[272] == "Model 1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.png", "--quality", "90"], "--quality is for .jpg and .webp"),
        (["-o", "a.jpg", "--quality", "0"], "--quality is 0; give a number from 1 to 100"),
        (["-o", "a.png", "--bits", "12"], "--bits is 12; give 8 or 16"),
        (["-o", "a.png", "-o", "a.png"], "a.png cannot hold two results; choose two names"),
        (["-o", "a.png", "-o", "b.gif"], "suffix .gif"),
        (["-o", "a.png", "--white", "300"], "the images have 8 bits"),
        (["-o", "a.png", "--each", "stack"], "give either the images to fuse or --each"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(run, folder, arguments, message):
    before = sorted(folder.rglob("*"))
    code, out, (err,) = run("fuse", "stack", *LP, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert sorted(folder.rglob("*")) == before


def test_without_images_the_command_says_what_to_give(run, folder):
    code, _, (err,) = run("fuse", "-o", "a.png")
    assert (code, err) == (2, "give either the images to fuse or --each with a folder of stacks")


# ------------------------------------------------------------------------------------------------------- checks


def test_a_black_frame_is_left_out_with_a_note(run, folder, frames):
    mff.write_image("stack/3.png", np.zeros_like(frames[3]))
    code, out, err = run("fuse", "stack", "-o", "a.png", *LP)
    assert code == 0
    assert "7 images" in out
    assert err == ["note: stack/3.png is black; it is left out (--no-checks keeps it)"]
    np.testing.assert_array_equal(mff.read_image("a.png"), mff.fuse(np.delete(frames, 3, 0), "lp").image)
    assert "8 images" in run("fuse", "stack", "-o", "a.png", *LP, "--no-checks")[1]


def test_a_repeated_frame_changes_nothing(run, folder, frames):
    mff.write_image("stack/8.png", frames[2])
    code, _, (note,) = run("fuse", "stack", "-o", "a.png", *LP)
    assert (code, note) == (0, "note: stack/8.png repeats frame 3; it is left out (--no-checks keeps it)")
    np.testing.assert_array_equal(mff.read_image("a.png"), mff.fuse(frames, "lp").image)


def test_changing_light_is_noted_and_balanced(run, folder, frames):
    for i in (0, 3, 6):
        mff.write_image(f"stack/{i}.png", np.minimum(frames[i] * 1.15, 255).astype(np.uint8))
    _, _, (note,) = run("fuse", "stack", "-o", "a.png", *LP)
    assert re.fullmatch(r"note: the light of 3 of 8 frames differs from the others' by up to \d+%; add --balance", note)
    _, _, (note,) = run("fuse", "stack", "-o", "b.png", *LP, "--balance")
    assert re.fullmatch(r"note: light of [3-8] of 8 frames changed by factors from 0\.\d+ to 1(\.\d+)?", note)
    sound = mff.fuse(frames, "lp").image.astype(float)
    errors = [np.abs(mff.read_image(name) - sound).mean() for name in ("a.png", "b.png")]
    assert errors[1] < errors[0] / 3


def test_hot_pixels_are_filled_on_request(run, folder, frames):
    hot = frames.copy()
    hot[:, 30, 40] = hot[:, 50, 70] = 255
    save("stack", hot)
    assert (mff.fuse(hot, "lp").image[30, 40] > 240).all()
    code, _, (note,) = run("fuse", "stack", "-o", "a.png", *LP, "--hot-pixels")
    assert code == 0
    assert re.fullmatch(r"note: \d+ hot pixels found and filled", note)
    assert np.abs(mff.read_image("a.png")[30, 40].astype(int) - mff.fuse(frames, "lp").image[30, 40]).max() < 60
    code, _, (err,) = run("fuse", "stack/0.png", "stack/1.png", "-o", "a.png", *LP, "--hot-pixels")
    assert (code, err) == (2, "--hot-pixels needs 3 images or more, 2 are left; leave it out")


# -------------------------------------------------------------------------------------------------------- batch


def test_each_sub_folder_is_a_stack(run, folder, frames):
    for name, part in (("root/fly", frames[:3]), ("root/beetle", frames[3:6]), ("root/empty", [])):
        save(name, part)
    code, out, err = run("fuse", "--each", "root", "-o", "out/{name}.png", "-o", "out/{name}.jpg", *LP)
    assert (code, err) == (0, [])
    assert [line.split(":")[0] for line in out.splitlines()] == ["beetle", "fly"]
    np.testing.assert_array_equal(mff.read_image("out/fly.png"), mff.fuse(frames[:3], "lp").image)
    np.testing.assert_array_equal(mff.read_image("out/beetle.png"), mff.fuse(frames[3:6], "lp").image)
    assert read_header("out/fly.jpg").is_result


@pytest.mark.parametrize("pattern", ["root/out/{name}.png", "root/{name}/fused.png"])
def test_results_among_the_stacks_are_not_fused_again(run, folder, frames, pattern):
    for name, part in (("root/fly", frames[:3]), ("root/beetle", frames[3:6])):
        save(name, part)
    for _ in range(2):
        code, out, _ = run("fuse", "--each", "root", "-o", pattern, *LP)
        assert code == 0
        assert [line.split(" of ")[0] for line in out.splitlines()] == ["beetle: lp: 3 images", "fly: lp: 3 images"]


def test_a_folder_of_results_is_no_stack_among_others(run, folder, frames):
    for name, part in (("root/fly", frames[:3]), ("root/beetle", frames[3:6])):
        save(name, part)
    assert run("fuse", "--each", "root", "-o", "root/lp/{name}.png", *LP)[0] == 0
    code, out, _ = run("fuse", "--each", "root", "-o", "root/average/{name}.png", "-m", "average")
    assert (code, len(out.splitlines())) == (0, 2)
    assert load("folder", root="root").names == ("beetle", "fly")


def test_an_error_does_not_stop_the_other_stacks(run, folder, frames):
    for name in ("a", "b", "c", "d"):
        save(f"root/{name}", frames[:3])
    Path("root/b/1.png").write_text("no image")
    Path("root/d/1.png").unlink()
    Path("root/d/2.png").unlink()
    code, out, err = run("fuse", "--each", "root", "-o", "out/{name}.png", *LP)
    assert code == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["a", "c"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png", "c.png"]
    assert err[0].startswith("b: root/b/1.png is not an image")
    assert err[1] == "d: root/d holds one image; put at least two photographs of one scene there"
    assert err[2:] == ["2 of 4 stacks failed: b, d"]


def test_notes_come_for_each_stack(run, folder, frames):
    for name in ("a", "b"):
        save(f"root/{name}", [*frames[:5], np.zeros_like(frames[0])])
    _, _, err = run("fuse", "--each", "root", "-o", "{name}.png", *LP)
    assert err == [f"{name}: note: root/{name}/5.png is black; it is left out (--no-checks keeps it)" for name in ("a", "b")]


def test_one_folder_is_split_by_time(run, folder, frames):
    Path("card").mkdir()
    times = ["10:00:00", "10:00:01", "10:00:03", "10:05:00", "10:05:01", "11:00:00"]
    for i, (image, time) in enumerate(zip(frames, times, strict=False)):
        Pillow.fromarray(image).save(f"card/IMG_{i}.png", exif=exif_of_a_camera(taken=f"2024:05:06 {time}"))
    code, out, err = run("fuse", "--each", "card", "-o", "out/{name}.png", *LP)
    assert code == 1
    assert [line.split(" in ")[0] for line in out.splitlines()] == [
        f"{name}: lp: {n} images of 160x{frames.shape[1]}" for name, n in (("IMG_0", 3), ("IMG_3", 2))
    ]
    assert err == [
        "IMG_5: card/IMG_5.png stands alone in time; raise --gap if it belongs to a stack",
        "1 of 3 stacks failed: IMG_5",
    ]
    np.testing.assert_array_equal(mff.read_image("out/IMG_3.png"), mff.fuse(frames[3:5], "lp").image)
    assert "6 images" in run("fuse", "--each", "card", "-o", "out/{name}.png", *LP, "--gap", "4000")[1]


def test_files_without_a_time_do_not_stop_the_others(run, folder, frames):
    Path("card").mkdir()
    for i, image in enumerate(frames[:3]):
        Pillow.fromarray(image).save(f"card/IMG_{i}.png", exif=exif_of_a_camera(taken=f"2024:05:06 10:00:0{i}"))
    mff.write_image("card/IMG_3.png", frames[3])
    Path("card/IMG_4.png").write_bytes(b"no image")
    code, out, err = run("fuse", "--each", "card", "-o", "out/{name}.png", *LP)
    assert code == 1
    assert out.startswith("IMG_0: lp: 3 images")
    assert err[0].startswith("IMG_3: card/IMG_3.png does not say when it was taken")
    assert err[1].startswith("IMG_4: card/IMG_4.png is not an image")
    assert err[2] == "2 of 3 stacks failed: IMG_3, IMG_4"


def test_stacks_two_folders_down_are_noted(run, folder, frames):
    save("card/DCIM/100", frames[:3])
    code, _, (err,) = run("fuse", "--each", "card", "-o", "out/{name}.png", *LP)
    assert (code, err) == (2, "card holds images two folders down; give --each card/DCIM")
    save("card/fly", frames[:3])
    code, out, err = run("fuse", "--each", "card", "-o", "out/{name}.png", *LP)
    assert (code, len(out.splitlines())) == (0, 1)
    assert err == ["note: card/DCIM/100 lies two folders down and is left out; give its parent to --each"]


def test_images_beside_the_stacks_are_noted(run, folder, frames):
    save("root/a", frames[:3])
    save("root", frames[3:5])
    _, out, err = run("fuse", "--each", "root", "-o", "out/{name}.png", *LP)
    assert out.startswith("a: lp: 3 images")
    assert err == ["note: root itself holds 2 images, which are in no stack; only its folders are"]
    save("other/a", frames[:3])
    for _ in range(2):  # results beside the folders are no forgotten photographs
        assert run("fuse", "--each", "other", "-o", "other/{name}.png", *LP)[2] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--each", ".", "-o", "out/{name}.gif"], "out/{name}.gif has the suffix .gif; write to .png, .tif"),
        (["--each", "nowhere", "-o", "{name}.png"], "nowhere is not a folder; give --each the folder that holds the stacks"),
        (["--each", "stack", "-o", "{name}.png"], "does not say when it was taken; put each stack in a sub-folder of its own"),
        (["--each", "stack", "-o", "a.png"], "a.png is one file for many stacks; give a pattern with {name}"),
    ],
)
def test_each_refuses(run, folder, arguments, message):
    code, _, (err,) = run("fuse", *arguments)
    assert code == 2
    assert message in err


# ----------------------------------------------------------------------------------------------------- evaluate


@pytest.fixture
def results(folder, frames):
    """Two stacks of two images, and results of two methods beside each other."""
    for name, part in (("fly", frames[:2]), ("beetle", frames[3:5])):
        save(f"pairs/{name}", part)
        Path("out").mkdir(exist_ok=True)
        for method, image in (("GFF", part[0]), ("LP", part[1])):
            mff.write_image(f"out/{name}_{method}.png", image)
    return "out"


def test_a_pattern_maps_stacks_to_results(run, results, frames):
    code, out, err = run("evaluate", "--pairs", "pairs", "-f", "out/{stack}_GFF.png", "--metrics", "qabf", "--json")
    assert (code, err) == (0, [])
    expected = {name: mff.evaluate(part, part[0], ["qabf"]) for name, part in (("beetle", frames[3:5]), ("fly", frames[:2]))}
    assert json.loads(out)["stacks"] == expected
    code, out, _ = run(
        "evaluate",
        "--pairs",
        "pairs",
        "-f",
        "out/{stack}_LP.png",
        "--reference",
        "out/{stack}_LP.png",
        "--metrics",
        "mae",
        "--json",
    )
    assert json.loads(out)["mean"] == {"mae": 0.0}


def test_a_bad_result_does_not_stop_the_others(run, results, frames):
    Path("out/beetle_GFF.png").write_text("no image")
    code, out, err = run("evaluate", "--pairs", "pairs", "-f", "out/{stack}_GFF.png", "--metrics", "qabf", "--json")
    assert code == 1
    assert list(json.loads(out)["stacks"]) == ["fly"]
    assert err[0].startswith("beetle: out/beetle_GFF.png is not an image")
    assert err[1:] == ["1 of 2 stacks have no scores: beetle"]
    Path("out/beetle_GFF.png").unlink()
    _, _, err = run("evaluate", "--pairs", "pairs", "-f", "out/{stack}_GFF.png", "--metrics", "qabf", "--json")
    assert "beetle_GFF.png cannot be read (No such file or directory)" in err[0]


def test_a_folder_of_one_image_has_a_note(run, results, frames):
    save("pairs/alone", frames[:1])
    code, _, err = run("evaluate", "--pairs", "pairs", "-f", "out/{stack}_GFF.png", "--metrics", "qabf")
    assert (code, err) == (0, ["note: pairs/alone holds one image, which is no stack"])


def test_a_pattern_that_matches_nothing_is_refused(run, results):
    code, _, (err,) = run("evaluate", "--pairs", "pairs", "-f", "out/{stack}_GFK.png")
    assert code == 2
    assert err == "out/{stack}_GFK.png matches no file, such as out/beetle_GFK.png; correct the pattern"


# ------------------------------------------------------------------------------------------------------- depth


def test_depth_and_confidence_are_written(run, folder, frames):
    depth = mff.depth(frames)
    assert run("fuse", "stack", "-o", "f.png", *LP, "--depth", "d.tif", "--step-um", "25", "--confidence", "c.tif")[0] == 0
    np.testing.assert_allclose(tifffile.imread("d.tif"), 25 * depth.depth, atol=1e-3)
    np.testing.assert_allclose(tifffile.imread("c.tif"), depth.confidence, atol=1e-6)
    assert run("fuse", "stack", "-o", "f.png", *LP, "--depth", "stack/d.png")[0] == 0
    picture = mff.read_image("stack/d.png").astype(int)
    near, far = depth.depth < 0.5, depth.depth > 6.5
    assert picture[far][:, 0].mean() > picture[near][:, 0].mean() + 100  # viridis: from dark blue to yellow
    assert "8 images" in run("fuse", "stack", "-o", "g.png", *LP)[1]  # the picture is not a ninth


def test_depth_counts_frames_that_are_left_out(run, folder, frames):
    mff.write_image("stack/1.png", np.zeros_like(frames[0]))
    code, _, err = run("fuse", "stack", "-o", "f.png", *LP, "--depth", "d.tif")
    assert code == 0
    assert "is left out" in err[0]
    others = mff.depth(np.delete(frames, 1, 0)).depth
    np.testing.assert_allclose(tifffile.imread("d.tif"), np.interp(others, range(7), [0, 2, 3, 4, 5, 6, 7]), atol=1e-4)


def test_each_stack_has_a_depth(run, folder, frames):
    save("many/a", frames[:3])
    assert run("fuse", "--each", "many", "-o", "out/{name}.png", "--depth", "out/{name}_d.tif", *LP)[0] == 0
    assert tifffile.imread("out/a_d.tif").shape == frames.shape[1:3]


@pytest.mark.parametrize("arguments", [("--step-um", "5"), ("--depth", "d.tif", "--step-um", "0")])
def test_a_step_needs_a_depth_and_a_length(run, folder, arguments):
    code, _, err = run("fuse", "stack", "-o", "f.png", *arguments)
    assert (code, err) == (2, [f"--step-um is {arguments[-1]}; give micrometres above 0, together with --depth"])


def test_the_decision_of_many_frames_shows_the_largest_share(run, folder, frames):
    assert run("fuse", "stack", "-o", "f.png", "--decision", "d.png", "-m", "dsift")[0] == 0
    index = mff.fuse(frames, "dsift").decision.argmax(0)
    np.testing.assert_array_equal(mff.read_image("d.png"), np.floor(255 * (7 - index) / 7 + 0.5))


# -------------------------------------------------------------------------------------------------- flat areas


def test_flat_noise_is_averaged_with_a_note(run, folder):
    flat = np.clip(np.rint(128 + np.random.default_rng(0).normal(0, 6, (8, 128, 160, 3))), 0, 255).astype(np.uint8)
    save("flat", flat)
    code, _, err = run("fuse", "flat", "-o", "f.png", *LP)
    assert code == 0
    (note,) = err
    assert re.fullmatch(
        r"note: (9\d|100)% of the picture is sharp in no image; the mean of all is taken there \(--no-average-flat .*\)", note
    )
    assert mff.read_image("f.png").std() < 1.1 * flat.mean(0).std()
    assert run("fuse", "flat", "-o", "f.png", *LP, "--no-average-flat")[2] == []
    assert mff.read_image("f.png").std() > 6
    save("two", flat[:2])
    assert run("fuse", "two", "-o", "f.png", *LP)[2] == []  # a pair is what the papers fuse
    assert run("fuse", "two", "-o", "f.png", *LP, "--average-flat")[2] != []
