"""Stacks of many or large frames: memory that does not grow with their number, slabs, progress, and an end at any time."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image as Pillow

import mffrepro as mff
from mffrepro import methods, progress, room
from mffrepro.cli import terminal
from mffrepro.cli.terminal import Lines, duration, waiting
from mffrepro.errors import ImageError, OptionError
from mffrepro.fusion import in_turn
from mffrepro.fusion.slabs import fuse_in_slabs, slabs_of
from mffrepro.images import FocusStack, Frames, Shares, from_unit, to_unit

RNG = np.random.default_rng(0)


def focal_stack(count, height=48, width=64, seed=0):
    """Noise of which each frame shows one band of columns sharp, (N, H, W, 3) uint8."""
    import cv2

    sharp = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    frames = np.stack([cv2.GaussianBlur(sharp, (0, 0), 2)] * count)
    for i in range(count):
        band = slice(width * i // count, width * (i + 1) // count)
        frames[i][:, band] = sharp[:, band]
    return frames


def lazily(images):
    return Frames([lambda image=image: image for image in images], images.shape[1:], images.dtype)


# ------------------------------------------------------------------------------------------------ one by one

IN_TURN = [
    "average", "lp", "dwt", "swt", "rp", "dtcwt", "gff", "msvd", "cbf", "sf", "eol", "sml", "contourlet", "nsct", "nsst", "cvt",
    "focus_stack", "dsift", "gacn", "tlcolor",
]  # fmt: skip


@pytest.mark.parametrize("method", IN_TURN)
@pytest.mark.parametrize("colour", [True, False])
def test_frames_one_by_one_give_the_image_of_all_at_once(method, colour):
    images = focal_stack(3) if colour else focal_stack(4)[..., 1]
    expected = mff.fuse(images, method)
    result = mff.fuse(FocusStack("s", lazily(images)), method)
    np.testing.assert_array_equal(result.image, expected.image)
    assert (result.decision is None) == (expected.decision is None)
    if expected.decision is not None:
        np.testing.assert_array_equal(result.decision, expected.decision)


@pytest.mark.parametrize("method", sorted(set(methods.CARDS) - set(IN_TURN) - {"sr", "asr", "csr", "mff_ssim", "zmff"}))
def test_methods_that_need_all_frames_take_them_too(method):
    images = focal_stack(2)
    np.testing.assert_array_equal(mff.fuse(FocusStack("s", lazily(images)), method).image, mff.fuse(images, method).image)


def test_large_images_are_ranked_band_by_band_from_a_temporary_file(monkeypatch):
    from mffrepro.models.gacn import inference, ranking

    images, seen = focal_stack(3), []
    expected = mff.fuse(images, "gacn")
    monkeypatch.setattr(inference, "LARGE", 0)
    monkeypatch.setattr(inference, "BAND_PIXELS", 16 * 64)
    monkeypatch.setattr(ranking, "spooled", lambda given, keep=ranking.spooled: seen.append(keep(given)) or seen[-1])
    result = mff.fuse(FocusStack("s", lazily(images)), "gacn")
    assert seen[0].is_kept
    assert np.abs(result.image.astype(int) - expected.image).mean() < 0.5


def test_a_stack_in_memory_is_worked_on_in_turn_where_it_is_large(monkeypatch):
    images = focal_stack(3)
    assert isinstance(in_turn.planes(images, 0), np.ndarray)
    monkeypatch.setattr(in_turn, "LARGE", images.nbytes - 1)
    assert isinstance(in_turn.planes(images, 0), in_turn.Derived)


PEAK = """
import resource, sys
from mffrepro.images import frames, stack
frames.SMALL = stack.SMALL = -1
import mffrepro as mff
mff.fuse(sys.argv[1:], "lp")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts kilobytes as Linux does")
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    """Twelve more frames of 3 megapixels would be 108 MB as bytes, and 1.7 GB as floats and their pyramids."""
    from scipy import ndimage

    sharp = ndimage.zoom(np.random.default_rng(0).integers(0, 256, (354, 531, 3), dtype=np.uint8), (4, 4, 1), order=1)
    paths = [tmp_path / f"{i}.jpg" for i in range(16)]
    for i, path in enumerate(paths):
        Pillow.fromarray(np.roll(sharp, i, 0)).save(path, quality=80)
    few, many = (
        int(subprocess.run([sys.executable, "-c", PEAK, *map(str, some)], capture_output=True, text=True, check=True).stdout)
        for some in (paths[:4], paths)
    )
    assert many < few + 80


# ------------------------------------------------------------------------------------------------------ room


def test_a_network_that_works_in_bands_needs_less_for_a_large_image_than_for_a_small_one():
    card = methods.get("gacn")
    small, large = (room.need(card, (height, 3000, 3), 5) for height in (2000, 8000))
    assert small == pytest.approx(6e6 * 900)
    assert large < small


def test_too_little_memory_is_a_sentence_and_not_a_kill(monkeypatch):
    monkeypatch.setattr(room, "free_memory", lambda: 1e9)
    stack = FocusStack("s", Frames([lambda: pytest.fail("decoded")] * 9, (4000, 6000, 3), np.dtype(np.uint8)))
    card = replace(methods.get("sr"), memory=(10, 20))
    with pytest.raises(ImageError) as error:
        room.check_memory(card, stack, 9)
    assert str(error.value) == (
        "sr needs about 4.6 GB for 9 images of 6000x4000, and 1.0 GB are free; use --slabs 2, or method lp"
    )
    room.check_memory(replace(card, memory=(10, 0.1)), stack, 9)
    for name, remedy in (("gacn", "use method lp"), ("lp", "close other programs, or fuse smaller images")):
        with pytest.raises(ImageError, match=rf"^{name} needs about .* are free; {remedy}$"):
            room.check_memory(replace(methods.get(name), memory=(90, 0)), stack, 9)


def test_the_remedy_is_one(monkeypatch):
    card, stack = replace(methods.get("sr"), memory=(10, 20)), FocusStack("s", np.zeros((9, 4000, 6000, 3), np.uint8))
    monkeypatch.setattr(room, "free_memory", lambda: 2.2e9)
    with pytest.raises(ImageError, match="use --slabs 4"):
        room.check_memory(card, stack, 9)
    room.check_memory(card, stack, 4)
    with pytest.raises(ImageError):
        room.check_memory(card, stack, 5)


def test_memory_is_checked_before_the_work(monkeypatch):
    monkeypatch.setattr(room, "free_memory", lambda: 0)
    monkeypatch.setattr(room, "LARGE", 0)
    for method in ("lp", "sr", "gacn"):
        with pytest.raises(ImageError, match=f"{method} needs about 0.0 GB for 3 images of 64x48"):
            mff.fuse(focal_stack(3), method, **({"device": "cpu"} if method == "gacn" else {}))


def test_every_card_says_what_memory_its_method_takes():
    for card in methods.CARDS.values():
        fixed, each = card.memory
        assert fixed > 0
        assert each >= 0
        assert each == 0 or card.name not in {"lp", "gacn"}
    assert room.need(methods.get("lp"), (4000, 6000, 3), 100) + 1e9 < 6e9
    assert room.need(methods.get("gacn"), (4000, 6000, 3), 100) + 1e9 < 6e9


# ------------------------------------------------------------------------------------------------------ slabs


@pytest.mark.parametrize("count", range(2, 40))
@pytest.mark.parametrize("size", [2, 3, 4, 7, 16])
def test_slabs_cover_the_stack_and_overlap(count, size):
    slabs = slabs_of(count, size)
    assert {frame for slab in slabs for frame in slab} == set(range(count))
    assert all(len(slab) == min(size, count) for slab in slabs)
    for first, second in pairwise(slabs):
        assert len(set(first) & set(second)) >= max(1, size // 4)
        assert second.start > first.start


def test_slabs_are_fused_first_and_then_their_results():
    images, seen = focal_stack(6), []

    def fuse(stack):
        seen.append(len(stack))
        return to_unit(np.asarray(stack.images)).mean(0), None

    fused, shares = fuse_in_slabs(FocusStack("s", images), fuse, 4)
    assert seen == [4, 4, 2]
    halves = [from_unit(to_unit(part).mean(0), np.dtype(np.uint8)) for part in (images[:4], images[2:])]
    np.testing.assert_array_equal(fused, to_unit(np.stack(halves)).mean(0))
    assert shares is None


def test_slabs_of_the_whole_stack_change_nothing():
    images = focal_stack(4)
    np.testing.assert_array_equal(mff.fuse(images, "lp", slabs=4).image, mff.fuse(images, "lp").image)
    np.testing.assert_array_equal(mff.fuse(images, "lp", slabs=100).image, mff.fuse(images, "lp").image)


@pytest.mark.parametrize("lazy", [True, False])
def test_the_decision_goes_through_the_slabs(lazy):
    images = focal_stack(7, width=112)
    result = mff.fuse(FocusStack("s", lazily(images)) if lazy else images, "sml", slabs=3)
    assert isinstance(result.shares, Shares)
    np.testing.assert_array_equal(result.decision.sum(0), 1)
    np.testing.assert_array_equal((result.decision[..., None] * images).sum(0), result.image)
    assert (result.decision == mff.fuse(images, "sml").decision).mean() > 0.9


@pytest.mark.parametrize("slabs", [1, 2.5])
def test_slabs_of_one_are_refused(slabs):
    with pytest.raises(OptionError, match=f"slabs is {slabs}; give the number of frames of a slab, at least 2"):
        mff.fuse(focal_stack(3), "lp", slabs=slabs)


# ---------------------------------------------------------------------------------------------------- progress


@pytest.mark.parametrize(
    ("book", "kernel", "wanted", "hidden"),
    [("", False, True, None), ("", True, True, False), ("no", True, True, True), ("", True, False, True)],
)
def test_bars_are_shown_in_notebooks_and_not_in_the_book(monkeypatch, book, kernel, wanted, hidden):
    monkeypatch.setenv("MFFREPRO_PROGRESS", book)
    monkeypatch.delitem(sys.modules, "ipykernel.kernelapp", raising=False)
    if kernel:
        monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", object())
    assert progress.hidden(wanted) is hidden


def test_a_notebook_sees_how_far_the_work_is(monkeypatch):
    monkeypatch.delenv("MFFREPRO_PROGRESS", raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", object())
    bars = []
    monkeypatch.setattr("tqdm.tqdm", lambda items, **options: bars.append(options) or items)
    assert list(progress.steps([1, 2], "fusing", "frame")) == [1, 2]
    (bar,) = bars
    assert (bar["desc"], bar["unit"], bar["disable"]) == ("fusing", "frame", False)


def heard(work):
    found = []
    with progress.listening(lambda text, done: found.append((text, done))):
        work()
    return found


def test_portions_are_parts_of_portions():
    def work():
        for _ in progress.parts("ab"):
            with progress.portion(0, 0.5):
                list(progress.steps([1, 2], "first"))
            with progress.portion(0.5, 1):
                list(progress.steps([1], "second"))

    assert [done for _, done in heard(work)] == [0, 0.125, 0.25, 0.25, 0.5, 0.5, 0.625, 0.75, 0.75, 1]


@pytest.mark.parametrize("method", ["lp", "average", "gacn", "dwt", "nsct", "tlcolor", "gff"])
def test_methods_tell_how_far_they_are(method):
    found = [done for text, done in heard(lambda: mff.fuse(FocusStack("s", lazily(focal_stack(4))), method)) if text == "fusing"]
    assert found[0] == 0
    assert found[-1] == pytest.approx(1)
    assert len(set(found)) >= 4


def test_the_remaining_time_follows_from_what_is_done():
    now = [0.0]
    clock = progress.Clock(lambda: now[0])
    assert clock.remaining("fusing", 0) is None
    now[0] = 10
    assert clock.remaining("fusing", 0.25) == pytest.approx(30)
    assert clock.remaining("fusing", 0.2) == pytest.approx(30), "work that is done stays done"
    now[0] = 40
    assert clock.remaining("fusing", 1) == 0
    assert clock.remaining("writing", 0) is None


def test_a_pipe_gets_a_line_every_few_seconds(capsys):
    now = [0.0]
    lines = Lines(lambda: now[0])
    for done in range(10):
        lines("fusing", done / 10)
        now[0] += 2
    assert capsys.readouterr().err.splitlines() == [
        "mffrepro: fusing: 30% done, 14 s left", "mffrepro: fusing: 60% done, 8 s left", "mffrepro: fusing: 90% done, 2 s left",
    ]  # fmt: skip


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with waiting("lp: fusing 4 images"):
        for _ in progress.steps(range(4)):
            time.sleep(0.15)
    assert re.search(r"lp: fusing 4 images: fusing", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "unknown time"), (0, "0 s"), (89, "89 s"), (130, "2 min"), (7500, "2 h 5 min")]
)
def test_times_are_short(seconds, text):
    assert duration(seconds) == text


# --------------------------------------------------------------------------------------------------- Control-C


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("method", "more"), [("lp", ()), ("dwt", ("--balance",)), ("lp", ("--slabs", "3"))])
def test_control_c_leaves_nothing_half_made(tmp_path, method, more):
    """The first line on progress says that the work goes on; then comes a real signal."""
    temporary, folder = tmp_path / "temporary", tmp_path / "stack"
    temporary.mkdir()
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        Pillow.fromarray(rng.integers(0, 255, (900, 1200, 3), dtype=np.uint8) // (2 if i == 5 else 1)).save(folder / f"{i}.jpg")
    program = (
        "import sys; from mffrepro.images import frames, stack; frames.SMALL = stack.SMALL = -1; "
        "from mffrepro.cli import main, terminal; terminal.EVERY = 0.2; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "fuse", str(folder), "-m", method, "-o", str(tmp_path / "out.png"), "--no-checks"]
    with subprocess.Popen(
        [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(temporary)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        for line in process.stderr:
            if "fusing" in line and "left" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "mffrepro: stopped"
    assert "Traceback" not in err
    assert out == ""
    assert list(temporary.iterdir()) == []
    assert set(os.listdir(tmp_path)) == {"temporary", "stack"}


def test_lines_are_shown_by_the_command_where_stderr_is_no_terminal(tmp_path, monkeypatch, capsys):
    from mffrepro.cli import main

    monkeypatch.setattr(terminal, "EVERY", 0)
    for i, image in enumerate(focal_stack(4)):
        Pillow.fromarray(image).save(tmp_path / f"{i}.png")
    assert main(["fuse", str(tmp_path), "-m", "average", "-o", str(tmp_path / "out.tif"), "--slabs", "2"]) == 0
    assert re.search(r"mffrepro: fusing: \d+% done, .* left", capsys.readouterr().err)
    assert main(["fuse", str(tmp_path), "-m", "average", "-o", str(tmp_path / "out.tif"), "--slabs", "1"]) == 2
    assert "--slabs is 1; give the number of images of a slab" in capsys.readouterr().err
