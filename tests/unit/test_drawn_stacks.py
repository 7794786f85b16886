"""Drawn stacks: scenes of three kinds, the faults of a camera one by one, and the command that writes them."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

import mffrepro as mff
from mffrepro.cli import main
from mffrepro.data import load_regions
from mffrepro.data.drawn_stacks import FAULTLESS, Camera, Lens, draw_stack, drawn_stack, spoil
from mffrepro.errors import OptionError
from mffrepro.images import read_image

FRAMES = np.random.default_rng(1).random((4, 40, 50), np.float32)


@pytest.fixture(scope="module")
def photographs():
    return load_regions("embedded")


def test_a_camera_without_faults_changes_nothing() -> None:
    for seed in range(6):
        np.testing.assert_array_equal(spoil(FRAMES, FAULTLESS, np.random.default_rng(seed)), FRAMES)


@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [({"noise": 0.05}, 0.001, 0.05), ({"exposure": 0.1}, 0.005, 0.1), ({"shift": 0.4}, 0.01, 0.4), ({"jpeg": 50}, 0.003, 0.2)],
)
def test_each_fault_changes_frames_as_much_as_it_says(fault, least: float, most: float) -> None:
    camera = Camera(**({"noise": 0.0, "exposure": 0.0, "shift": 0.0, "jpeg": 0} | fault))
    changes = [np.abs(spoil(FRAMES, camera, np.random.default_rng(seed)) - FRAMES).mean() for seed in range(30)]
    assert least < max(changes) < most
    if "noise" not in fault:
        assert 5 < sum(change == 0 for change in changes) < 25  # half of the stacks


def test_colour_frames_keep_their_channels() -> None:
    red = np.zeros((2, 16, 16, 3), np.float32)
    red[..., 0] = 0.8
    for seed in range(6):
        spoilt = spoil(red, Camera(noise=0, exposure=0, jpeg=90), np.random.default_rng(seed))
        np.testing.assert_allclose(spoilt, red, atol=0.03)


def test_scenes_of_each_kind(photographs) -> None:
    def depths(lens: Lens) -> list[np.ndarray]:
        image = photographs[0].image / np.float32(255)
        return [draw_stack(image, photographs[0], 2, lens, np.random.default_rng(seed)).depth for seed in range(3)]

    assert all(len(np.unique(depth)) == 2 for depth in depths(Lens(cutouts=1.0, surfaces=0.0)))
    for depth in depths(Lens(cutouts=0.0, surfaces=1.0)):
        assert np.abs(np.diff(depth.astype(float), 2, axis=0)).max() < 1e-5  # one plane
    assert any(len(np.unique(depth)) > 4 for depth in depths(Lens(cutouts=0.0, surfaces=0.0)))


def test_a_drawn_stack_is_sharp_where_its_depth_says(photographs) -> None:
    drawn = drawn_stack(photographs, 0, frames=(3, 3), size=96, lens=Lens(blur=(8, 8)), camera=FAULTLESS)
    assert drawn.stack.images.shape[0] == 3
    assert drawn.depth.max() <= 2
    nearest = drawn.depth.round().astype(int)
    errors = np.abs(drawn.stack.images.astype(float) - drawn.stack.reference).mean(-1)
    assert np.take_along_axis(errors, nearest[None], 0).mean() < 0.5 * errors.mean()


def test_numbers_and_seeds_draw_other_stacks(photographs) -> None:
    one, again, other = (drawn_stack(photographs, 1, size=64, seed=seed).stack.images for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert one.shape != other.shape or (one != other).any()


@pytest.mark.parametrize("wrong", [{"size": 8}, {"frames": (1, 3)}, {"frames": (4, 3)}])
def test_bounds_that_cannot_be_are_refused(photographs, wrong) -> None:
    with pytest.raises(OptionError, match="size="):
        drawn_stack(photographs, 0, **wrong)
    with pytest.raises(OptionError, match="quality"):
        Camera(noise=-1)


# ----------------------------------------------------------------------------------------------------- command


@pytest.fixture
def make(capsys):
    """Exit code, stdout and stderr of the command."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["data", "make-stacks", *map(str, arguments)])
        return code, *capsys.readouterr()

    return call


def files(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_command_writes_stacks_that_can_be_fused_and_scored(make, tmp_path) -> None:
    out = tmp_path / "drawn"
    assert make(out, "--count", 2, "--size", 64, "--frames", 2, 3)[:2] == (0, f"2 stacks -> {out}\n")
    names = sorted(path.stem for path in (out / "sharp").iterdir())
    stacks = mff.load("folder", root=out / "stacks")
    assert [stack.name for stack in stacks] == names
    assert len(names) == 2
    for stack in stacks:
        depth = tifffile.imread(out / "depth" / f"{stack.name}.tif")
        assert 0 < depth.max() <= len(stack) - 1
        assert depth.shape == stack.images.shape[1:3] == read_image(out / "sharp" / f"{stack.name}.png").shape[:2]


def test_a_stopped_run_goes_on_to_the_same_files(make, tmp_path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    make(whole, "--count", 2, "--size", 64)
    make(parts, "--count", 1, "--size", 64)
    next((parts / "depth").iterdir()).unlink()  # killed before the depth of the first stack
    make(parts, "--count", 2, "--size", 64)
    assert files(whole) == files(parts)


def test_other_folders_and_other_options_are_refused(make, tmp_path) -> None:
    mine, drawn = tmp_path / "mine", tmp_path / "drawn"
    mine.mkdir()
    (mine / "notes.txt").write_text("kept")
    assert make(mine)[0] == 2
    assert files(mine) == {Path("notes.txt"): b"kept"}
    make(drawn, "--count", 1, "--size", 64)
    before = files(drawn)
    code, _, sentence = make(drawn, "--count", 1, "--size", 96)
    assert code == 2
    assert "name a new folder" in sentence
    assert files(drawn) == before
