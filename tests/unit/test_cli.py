"""The command line: what it prints and writes, its exit codes, and one sentence for everything that can go wrong."""

import csv
import functools
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

import mffrepro as mff
from mffrepro import cli
from mffrepro.cli import main
from mffrepro.cli.control_c import notice_control_c
from mffrepro.cli.values import convert
from mffrepro.data import load
from mffrepro.errors import OptionError
from mffrepro.training import recipes

COMMANDS = ["fuse", "align", "evaluate", "benchmark", "train", "book"]
MIRROR = os.environ.get("MFFREPRO_MIRROR")
GROUPS = {"data": ["list", "fetch", "verify", "make-stacks"], "list": ["methods", "metrics", "datasets"]}
ALL = [[name] for name in [*COMMANDS, *GROUPS]] + [[group, name] for group, names in GROUPS.items() for name in names]


@pytest.fixture(scope="module")
def data():
    return load("embedded", kind="composite", levels=[3], size=96)[:2]


@pytest.fixture
def folder(tmp_path, data, monkeypatch):
    """A working folder with ``pairs/NAME_1.png``, ``pairs/NAME_2.png`` and ``truth/NAME.png``."""
    monkeypatch.chdir(tmp_path)
    for name in ("pairs", "truth"):
        Path(name).mkdir()
    for stack in data:
        mff.write_image(f"truth/{stack.name}.png", stack.reference)
        for i, image in enumerate(stack.images, start=1):
            mff.write_image(f"pairs/{stack.name}_{i}.png", image)
    return tmp_path


@pytest.fixture
def pair(folder, data):
    return [f"pairs/{data.names[0]}_{i}.png" for i in (1, 2)]


@pytest.fixture
def run(capsys):
    """Exit code, stdout and stderr of a command."""

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, plain(captured.out), plain(captured.err)

    return call


@pytest.fixture
def refused(run):
    """The one sentence a command is refused with."""

    def call(*arguments):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("mffrepro: ")
        assert err.count("\n") == 1
        return err.removeprefix("mffrepro: ").rstrip("\n")

    return call


def plain(text):
    """Without colours, which some continuous integration servers ask for."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def terminal(*arguments, cwd=None, **options):
    """The command as a process of its own."""
    command = [sys.executable, "-m", "mffrepro", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, **options)


# ------------------------------------------------------------------------------------------- help and speed


@pytest.mark.parametrize("command", [[], *ALL], ids=" ".join)
def test_every_command_has_a_summary_and_an_example(run, command):
    code, out, err = run(*command, "--help")
    text = re.sub(r"\s+", " ", out)
    assert (code, err) == (0, "")
    assert f"Example: mffrepro {' '.join(command)}".strip() in text


@pytest.mark.parametrize("command", [[], ["data"], ["list"]], ids=" ".join)
def test_without_a_command_the_help_is_shown(run, command):
    assert run(*command)[:2] == run(*command, "--help")[:2]


def test_version(run):
    assert run("--version") == (0, f"mffrepro {mff.__version__}\n", "")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list", "methods"], ["list", "metrics"], ["list", "datasets"], ["data", "list"]]
)
def test_looking_around_imports_nothing_heavy(arguments):
    code = (
        "import sys; from mffrepro.cli import main; main(sys.argv[1:]); "
        "sys.exit(','.join(m for m in ('torch', 'pandas', 'matplotlib', 'scipy', 'cv2', 'skimage') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fsue"], "No such command 'fsue'"),
        (["data", "fetsch"], "No such command 'fetsch'"),
        (["fuse"], "Missing option '--output'"),
        (["fuse", "a.png", "b.png"], "Missing option '--output'"),
        (["fuse", "a.png", "b.png", "-o", "x.png", "--foo"], "No such option: --foo"),
        (["train"], "Missing command"),
        (["train", "gacn", "--workers", "many"], "Invalid value for '--workers'"),
        (["train", "gacn", "--seed", "-1"], "Invalid value for '--seed'"),
        (["benchmark", "--limit", "0"], "Invalid value for '--limit'"),
        (["list", "methods", "gacn", "lp"], "unexpected extra argument"),
        (["book", "07_gacn"], "unexpected extra argument"),
    ],
)
def test_wrong_arguments_are_answered_in_one_sentence(refused, arguments, message):
    answer = refused(*arguments)
    assert message in answer
    assert re.search(r"; see mffrepro( \w+)* --help$", answer)


# ---------------------------------------------------------------------------------------------------- fuse


def test_fuse_writes_what_python_would(run, pair, data):
    code, out, err = run("fuse", *pair, "-o", "fused.png")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"gacn: 2 images of \d+x\d+ in \d+\.\d\d s -> fused\.png\n", out)
    np.testing.assert_array_equal(mff.read_image("fused.png"), mff.fuse(data[0]).image)


def test_fuse_passes_its_options_on(run, pair, data):
    assert run("fuse", *pair, "-o", "fused.png", "-m", "lp", "--option", "levels=2")[0] == 0
    np.testing.assert_array_equal(mff.read_image("fused.png"), mff.fuse(data[0], "lp", levels=2).image)
    assert (
        run("fuse", *pair, "-o", "fused.png", "--weights", "random", "--option", "smooth_boundary=false", "--device", "cpu")[0]
        == 0
    )
    expected = mff.fuse(data[0], "gacn", weights="random", smooth_boundary=False).image
    np.testing.assert_array_equal(mff.read_image("fused.png"), expected)


def test_a_folder_is_a_stack_in_the_order_of_its_numbers(run, folder, data):
    Path("stack").mkdir()
    for name, image in zip((10, 2, 1), [*data[0].images, data[0].reference], strict=True):
        mff.write_image(f"stack/{name}.png", image)
    code, out, _ = run("fuse", "stack", "-o", "stack/fused.png", "--decision", "stack/map.png")
    assert code == 0
    assert "3 images" in out
    expected = mff.fuse(["stack/1.png", "stack/2.png", "stack/10.png"])
    np.testing.assert_array_equal(mff.read_image("stack/fused.png"), expected.image)
    before = Path("stack/fused.png").read_bytes()
    assert "3 images" in run("fuse", "stack", "-o", "stack/fused.png", "--decision", "stack/map.png")[1]  # not five
    assert Path("stack/fused.png").read_bytes() == before


def test_the_decision_is_white_where_the_first_image_was_taken(run, pair, data):
    assert run("fuse", *pair, "-o", "fused.png", "--decision", "map.png")[0] == 0
    expected = np.floor(mff.fuse(data[0]).decision[0] * 255 + 0.5)
    assert np.abs(mff.read_image("map.png") - expected).max() <= 1


def test_sixteen_bits_stay_sixteen_bits(run, folder):
    image = np.random.default_rng(0).integers(0, 65536, (30, 31, 3), dtype=np.uint16)
    for name in ("a.png", "b.png"):
        mff.write_image(name, image)
    assert run("fuse", "a.png", "b.png", "-o", "fused.tif", "-m", "average")[0] == 0
    np.testing.assert_array_equal(mff.read_image("fused.tif"), image)


def test_a_note_is_one_line_and_no_failure(run, folder):
    image = np.dstack([np.random.default_rng(0).integers(0, 255, (30, 31, 3), dtype=np.uint8), np.full((30, 31), 9, np.uint8)])
    from PIL import Image

    Image.fromarray(image).save("a.png")
    Image.fromarray(image // 2 + 60).save("b.png")
    code, _, err = run("fuse", "a.png", "b.png", "-o", "fused.jpg", "-m", "average")
    assert code == 0
    assert err.splitlines() == ["mffrepro: note: fused.jpg: the format holds no alpha channel, which is dropped"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["A", "none.png", "-o", "x.png"], "none.png cannot be read (No such file or directory); check the path"),
        (["A", "-o", "x.png"], "at least two images, 1 given"),
        (["A", "text.png", "-o", "x.png"], "text.png is not an image"),
        (["A", "small.png", "-o", "x.png", "-m", "average"], "small.png is 5x4 pixels but"),
        (["small.png", "small.png", "-o", "x.png"], "at least 11x11"),
        (["empty", "-o", "x.png"], "empty holds no images"),
        (["A", "B", "-o", "x.gif"], "suffix .gif; write to .png"),
        (["A", "B", "-o", "nowhere/x.png"], "its folder does not exist"),
        (["A", "B", "-o", "empty"], "suffix none"),
        (["A", "B", "-o", "A"], "would be lost; choose another name"),
        (["A", "B", "-o", "x.png", "--decision", "x.png"], "choose two names"),
        (["A", "B", "-o", "x.png", "--decision", "B"], "would be lost"),
        (["A", "B", "-o", "x.png", "--decision", "nowhere/m.png"], "its folder does not exist"),
        (["A", "B", "-o", "x.png", "--decision", "m.png", "-m", "lp"], "lp has no decision map"),
        (["A", "B", "-o", "x.png", "-m", "gcan"], "did you mean 'gacn'"),
        (["A", "B", "-o", "x.png", "-m", "lp", "--option", "level=3"], "did you mean 'levels'"),
        (["A", "B", "-o", "x.png", "-m", "lp", "--option", "levels"], "write it as name=value"),
        (["A", "B", "-o", "x.png", "-m", "lp", "--option", "levels=two"], "levels is 'two'; give a whole number"),
        (["A", "B", "-o", "x.png", "-m", "lp", "--option", "levels=0"], "levels is 0"),
        (["A", "B", "-o", "x.png", "-m", "lp", "--weights", "published"], "lp takes no weights"),
        (["A", "B", "-o", "x.png", "--weights", "none.safetensors"], "none.safetensors is not a readable"),
        (["A", "B", "-o", "x.png", "--weights", "text.safetensors"], "text.safetensors is not a readable"),
        (["A", "B", "-o", "x.png", "--device", "gpu"], "no device 'gpu'"),
        (["A", "B", "-o", "x.png", "--strategy", "cereal"], "did you mean 'serial'"),
        (["A", "B", "-o", "x.png", "--strategy", "ranking"], "did you mean 'rank'"),
    ],
)
def test_fuse_refuses_and_writes_nothing(refused, pair, folder, arguments, message):
    Path("text.png").write_text("not an image")
    Path("text.safetensors").write_text("not weights")
    Path("empty").mkdir()
    mff.write_image("small.png", np.zeros((4, 5, 3), np.uint8))
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    names = {"A": pair[0], "B": pair[1]}
    assert message in refused("fuse", *(names.get(argument, argument) for argument in arguments))
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(refused, pair, folder, monkeypatch):
    Path("fused.png").write_bytes(b"old")
    before = files(folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mffrepro.images.files.os.replace", full)
    assert "fused.png cannot be written (No space left on device)" in refused("fuse", *pair, "-o", "fused.png", "-m", "lp")
    assert files(folder) == before
    assert Path("fused.png").read_bytes() == b"old"


# ------------------------------------------------------------------------------------------------ evaluate


def test_evaluate_prints_each_metric_with_its_direction(run, pair, data):
    code, out, err = run("evaluate", *pair, "-f", f"truth/{data.names[0]}.png")
    expected = mff.evaluate(data[0].images, data[0].reference)
    assert (code, err) == (0, "")
    shown = {line.split()[0]: line.split()[1:3] for line in out.splitlines()[2:]}
    assert list(shown) == list(expected)
    for name, value in expected.items():
        arrow = {"higher": "↑", "lower": "↓", None: None}[mff.metrics.get(name).better]
        assert shown[name][0] == (arrow or f"{value:.4f}")
        assert f"{value:.4f}" in shown[name]


def test_evaluate_as_json_and_csv(run, pair, data):
    truth = f"truth/{data.names[0]}.png"
    wanted = ["--metrics", "qg,ssim", "--reference", truth, "--gray", "skimage"]
    expected = mff.evaluate(data[0].images, data[0].images[0], ["qg", "ssim"], data[0].reference, gray="skimage")
    assert json.loads(run("evaluate", *pair, "-f", pair[0], *wanted, "--json")[1]) == expected
    rows = list(csv.reader(io.StringIO(run("evaluate", *pair, "-f", pair[0], *wanted, "--csv")[1])))
    assert rows[0] == ["metric", "value"]
    assert {name: float(value) for name, value in rows[1:]} == expected


def test_json_stays_json_where_a_value_is_missing(run, folder):
    mff.write_image("flat.png", np.zeros((64, 64), np.uint8))
    arguments = [
        "evaluate",
        "flat.png",
        "flat.png",
        "-f",
        "flat.png",
        "--reference",
        "flat.png",
        "--metrics",
        "qy.zl,psnr",
        "--json",
    ]
    code, out, _ = run(*arguments)
    assert code == 0
    assert json.loads(out, parse_constant=pytest.fail) == {"qy.zl": None, "psnr": "inf"}


def test_evaluate_scores_a_folder_by_name(run, folder, data):
    arguments = ["evaluate", "--pairs", "pairs", "--fused", "truth", "--metrics", "qabf,qcv"]
    rows = {stack.name: mff.evaluate(stack.images, stack.reference, ["qabf", "qcv"]) for stack in data}
    mean = {name: sum(row[name] for row in rows.values()) / 2 for name in ("qabf", "qcv")}
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    printed = json.loads(out)
    assert printed["stacks"] == rows
    assert printed["mean"] == pytest.approx(mean)
    table = run(*arguments)[1].splitlines()
    assert table[0].split() == ["stack", "qabf", "↑", "qcv", "↓"]
    assert [line.split()[0] for line in table[2:]] == [*data.names, "mean"]
    assert [line.split()[0] for line in run(*arguments, "--csv")[1].split("\n")[:1]] == ["stack,qabf,qcv"]
    scored = json.loads(run(*arguments[:-2], "--metrics", "mae", "--reference", "truth", "--json")[1])
    assert scored["mean"] == {"mae": 0.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["A", "B", "-f", "none.png"], "none.png cannot be read"),
        (["A", "B", "-f", "A", "--metrics", "qgg"], "no metric 'qgg'; did you mean"),
        (["A", "B", "-f", "A", "--metrics", ","], "names no metric"),
        (["A", "B", "-f", "A", "--metrics", "ssim"], "'ssim' needs --reference; give it"),
        (["A", "B", "-f", "A", "--metrics", "qabf,mask_iou"], "use mff.evaluate or mffrepro benchmark"),
        (["A", "B", "-f", "A", "--gray", "grey"], "no gray conversion 'grey'"),
        (["A", "B", "-f", "A", "--json", "--csv"], "exclude each other"),
        (["A", "-f", "A"], "at least two images"),
        (["-f", "A"], "either the images that were fused or --pairs"),
        (["A", "B", "--pairs", "pairs", "-f", "truth"], "either the images that were fused or --pairs"),
        (["--pairs", "nowhere", "-f", "truth"], "nowhere is not a folder"),
        (["--pairs", "pairs", "-f", "A"], "is not a folder; with --pairs"),
        (["--pairs", "pairs", "-f", "pairs"], "holds no image of a stack, such as"),
        (["--pairs", "pairs", "-f", "truth", "--reference", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_evaluate_refuses(refused, pair, arguments, message):
    names = {"A": pair[0], "B": pair[1]}
    assert message in refused("evaluate", *(names.get(argument, argument) for argument in arguments))


# ----------------------------------------------------------------------------------------------- benchmark


def test_benchmark_prints_means_and_keeps_values(run, folder, data):
    arguments = ["benchmark", "-m", "lp", "-m", "average", "-d", "pairs", "--metrics", "qg,qcv,mask_iou"]
    code, out, err = run(*arguments, "--store", "r.parquet", "--csv", "r.csv")
    assert code == 0
    expected = {m: np.mean([mff.evaluate(s.images, mff.fuse(s, m), "qg")["qg"] for s in data]) for m in ("lp", "average")}
    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert lines["mean"] == ["mean", "lp", "average"]
    assert lines["qg"] == ["qg", "↑", f"{expected['lp']:.4f}", f"{expected['average']:.4f}"]
    assert list(lines)[2:] == ["qg", "qcv", "seconds"]
    assert "4 of 12 cells have no value" in err
    assert "4 of lp, average: the metric 'mask_iou' needs decision=" in err
    values = pd.read_csv("r.csv")
    assert len(values) == len(pd.read_parquet("r.parquet")) == 12
    assert run(*arguments, "--store", "r.parquet") == (0, out, err)


def test_benchmark_puts_many_methods_down(run):
    code, out, _ = run("benchmark", "-m", "lp", "-m", "average", "-m", "gacn.random", "--limit", "1", "--metrics", "en")
    assert code == 0
    assert out.splitlines()[0].split() == ["method", "en", "↑", "seconds", "↓"]
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["lp", "average", "gacn.random"]


def test_the_best_is_the_highest_or_the_lowest_by_its_card():
    from mffrepro.cli.benchmark import _best

    table = pd.DataFrame({"qg": [0.2, 0.5, np.nan], "qcv": [9.0, 7.0, 7.0], "api": [1, 2, 3], "seconds": [3.0, 2.0, 1.0]})
    assert _best(table) == [(1, 0), (1, 1), (2, 1), (2, 3)]


def test_a_failed_fusion_is_exit_code_1(run, folder, data):
    Path("pairs/broken_1.png").write_text("no image")
    Path("pairs/broken_2.png").write_text("no image")
    code, out, err = run("benchmark", "-m", "average", "-d", "pairs", "--metrics", "en")
    assert code == 1
    assert "en" in out
    assert "broken_1.png is not an image" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "gcan"], "did you mean 'gacn'"),
        (["-d", "lytr"], "did you mean 'lytro'"),
        (["--metrics", "qgg"], "no metric 'qgg'"),
        (["--gray", "grey"], "no gray conversion"),
        (["--csv", "nowhere/r.csv"], "cannot be written"),
        (["--store", "text.txt"], "is not a Parquet file"),
        (["-d", "empty"], "holds no stack"),
    ],
)
def test_benchmark_refuses(refused, folder, arguments, message):
    Path("text.txt").write_text("no table")
    Path("empty").mkdir()
    assert message in refused("benchmark", *arguments)


@pytest.fixture
def clone(monkeypatch, tmp_path_factory):
    """A repository of its own to record in."""
    root = tmp_path_factory.mktemp("clone")
    (root / "pyproject.toml").write_text("")
    (root / "data_manifests").mkdir()
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)
    for module in ("mffrepro.benchmarks.record", "mffrepro.data.checkout"):
        monkeypatch.setattr(f"{module}.manifest_folder", lambda: root / "data_manifests")
    return root


RECORD = ["benchmark", "-m", "average", "--limit", "1", "--metrics", "en,sd", "--record"]


def test_benchmark_records_and_then_says_what_moved(run, clone):
    path = clone / "data_manifests" / "recorded" / "embedded.csv"
    code, _, err = run(*RECORD)
    assert (code, err) == (0, f"mffrepro: recorded in {path}\n")
    table = pd.read_csv(path)
    assert run(*RECORD)[2] == err
    path.write_text(table.assign(sd=table["sd"] * 1.01).to_csv(index=False))
    shown = f"{table['sd'][0] * 1.01:.4f} recorded, {table['sd'][0]:.4f} now"
    said = f"mffrepro: cells whose sd is not as recorded: 1; average on astronaut_blur1: {shown}\n"
    assert run(*RECORD[:-1])[2] == said
    assert run(*RECORD)[2] == said + err
    pd.testing.assert_frame_equal(pd.read_csv(path).drop(columns="seconds"), table.drop(columns="seconds"))


def test_benchmark_refuses_to_record_before_it_runs(refused, clone, folder, monkeypatch):
    monkeypatch.setattr("mffrepro.benchmarks.grid.fuse", None)
    assert "cannot be recorded, because others lack it" in refused(*RECORD, "-d", "pairs")
    (clone / ".git").rename(clone / "git")
    assert "is not a git checkout" in refused(*RECORD)


def test_benchmark_without_its_scheduler(refused, monkeypatch):
    distributed = pytest.importorskip("distributed")

    def nobody(address, timeout):
        raise OSError(f"timed out after {timeout} s")

    monkeypatch.setattr(distributed, "Client", nobody)
    assert "no Dask scheduler answers at tcp://host:8786" in refused("benchmark", "--scheduler", "tcp://host:8786")


def test_benchmark_runs_in_one_place_only(refused, monkeypatch):
    assert "give one of them" in refused("benchmark", "--scheduler", "tcp://host:8786", "--workers", "2")
    assert refused("benchmark", "--workers", "0").startswith("Invalid value for '--workers': ")
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "install it with: pip install 'mffrepro[distributed]'" in refused("benchmark", "--workers", "2")


@pytest.mark.slow
def test_benchmark_workers_give_the_same_table(folder):
    pytest.importorskip("distributed")
    command = ["benchmark", "-m", "lp", "-m", "average", "-d", "pairs", "--metrics", "qabf,en"]
    done = [terminal(*command, "--csv", f"{n}.csv", *more, cwd=folder) for n, more in ((1, ()), (2, ("--workers", "2")))]
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * 2
    alone, shared = (pd.read_csv(folder / f"{n}.csv").drop(columns="seconds") for n in (1, 2))
    assert len(alone) == 8
    pd.testing.assert_frame_equal(alone, shared, check_exact=True)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_workers_are_processes_that_end_with_the_command():
    pytest.importorskip("distributed")
    with cli.benchmark._client(None, 2) as client:
        processes = set(client.run(os.getpid).values())
        assert len(processes - {os.getpid()}) == 2
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


# --------------------------------------------------------------------------------------------------- train

SMALL = ["--set", "size=48", "--set", "crop=32", "--set", "samples=4", "--set", "batch=2", "--set", "validation=2"]


def test_train_logs_every_epoch_and_resumes(run, folder):
    arguments = ["train", "gacn", "--preset", "smoke", "--data", "embedded", *SMALL, "--out", "run", "--device", "cpu"]
    code, out, err = run(*arguments)
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()[:-1]] == ["1/2", "2/2"]
    assert out.splitlines()[-1] == "best weights -> run/best.safetensors"
    assert "its 5 serve for both" in err
    assert {"best.safetensors", "log.csv", "loss.png", "recipe.json"} <= {path.name for path in Path("run").iterdir()}
    assert Path("run/loss.png").read_bytes().startswith(b"\x89PNG")
    recipe = json.loads(Path("run/recipe.json").read_text())["recipe"]
    assert (recipe["size"], recipe["epochs"]) == (48, 2)
    assert run(*arguments)[0] == 2
    assert run(*arguments, "--resume")[0] == 0
    image = np.random.default_rng(0).integers(0, 255, (32, 33), dtype=np.uint8)
    assert mff.fuse([image, image], weights="run/best.safetensors").image.shape == (32, 33)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gcan"], "no recipe 'gcan'; did you mean 'gacn'"),
        (["gacn", "--preset", "papr"], "did you mean 'paper'"),
        (["gacn", "--data", "bsd500"], "did you mean 'bsds500'"),
        (["gacn", "--set", "epoch=2"], "did you mean 'epochs'"),
        (["gacn", "--set", "epochs=two"], "give a whole number"),
        (["gacn", "--set", "epochs=0"], "epochs is 0; use a number over 0"),
        (["gacn", "--set", "rate=nan"], "give a finite number"),
        (["gacn", "--set", "crop=500"], "give a crop that fits"),
        (["gacn", "--set", "samples=1"], "at least one batch"),
        (["gacn", "--set", "defocus=sprd"], "did you mean 'spread'"),
        (["gacn", "--precision", "fp8"], "no precision 'fp8'"),
        (["gacn", "--precision", "fp16", "--device", "cpu"], "fp16 needs a GPU"),
        (["gacn", "--device", "tpu9"], "no device 'tpu9'"),
        (["gacn", "--root", "."], "embedded takes no root"),
        (["gacn", "--resume"], "holds no run to resume"),
        (["gacn", "--data", "voc2012", "--root", "."], "; "),
    ],
)
def test_train_refuses_and_writes_nothing(run, folder, arguments, message):
    before = files(folder)
    code, _, err = run("train", *arguments)
    assert code == 2
    assert message in err.splitlines()[-1]
    assert files(folder) == before
    assert not Path("runs").exists()


@pytest.mark.parametrize("network", list(recipes.RECIPES))
def test_every_recipe_can_be_found_and_set(network):
    unknown = ("ifcnn", "drpl", "difnet", "pixel_cnn", "mscnn", "unet")  # no schedule is printed, or could be read
    printed = set() if network in unknown else {"paper"}
    assert {"practical", "smoke"} | printed <= set(recipes.presets(network))
    for preset in recipes.presets(network):
        made = recipes.recipe(network, preset)
        assert made.name == network
        for name, kind in recipes.option_kinds(made).items():
            value = getattr(made, name)
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)  # as it is typed
            assert convert(name, text, kind) == value


# --------------------------------------------------------------------------------------------- data, list


@pytest.fixture
def nothing_at_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MFFREPRO_MIRROR", raising=False)


def test_data_list_counts_what_is_here(run, nothing_at_hand):
    code, out, _ = run("data", "list")
    assert code == 0
    assert re.search(r"lytro +0 of 40 files +16\.0 MB", out)
    assert re.search(r"networks +0 of \d+ files", out)


@pytest.mark.skipif(MIRROR is None, reason="MFFREPRO_MIRROR names no mirror folder")
def test_data_fetch_takes_from_the_mirror_and_verify_looks_inside(run, tmp_path, monkeypatch, nothing_at_hand):
    from mffrepro.data.manifests import manifest

    monkeypatch.setenv("MFFREPRO_MIRROR", MIRROR)
    code, out, _ = run("data", "fetch", "gacn.published", "embedded")
    assert code == 0
    assert out.splitlines() == [
        f"gacn.published: 1 file, 288.7 kB -> {tmp_path / 'cache'}",
        "embedded: made on the spot, nothing to fetch",
    ]
    assert run("data", "verify")[0] == 0
    (tmp_path / "cache" / manifest("networks").entry("gacn.published").file).write_bytes(b"damaged")
    code, out, _ = run("data", "verify")
    assert code == 1
    assert "  damaged: gacn.published" in out.splitlines()


def test_what_was_never_fetched_fails_only_where_it_is_named(run, nothing_at_hand):
    code, out, _ = run("data", "verify")
    assert code == 0
    assert "lytro: 40 missing" in out.splitlines()
    code, out, _ = run("data", "verify", "lytro")
    assert code == 1
    assert out.count("  missing: ") == 40


def test_data_refuses(refused, nothing_at_hand):
    assert "did you mean 'lytro'" in refused("data", "fetch", "lytr")
    assert "did you mean 'gacn.published'" in refused("data", "fetch", "embedded", "gacn.publishd")
    assert "did you mean 'lytro'" in refused("data", "verify", "lytr")


def test_lists_have_a_row_per_card(run):
    for kind, names in {
        "methods": mff.list_methods().index,
        "metrics": mff.list_metrics().index,
        "datasets": mff.list_datasets().index,
    }.items():
        code, out, err = run("list", kind)
        assert (code, err) == (0, "")
        assert [line.split()[0] for line in out.splitlines()[2:]][: len(names)] == list(names)


def test_list_methods_shows_the_options_of_one(run, refused):
    out = run("list", "methods", "lp")[1]
    assert re.search(r"levels +4 +int, 1 to 30", out)
    assert "order of more than two images changes the result" in out
    out = run("list", "methods", "gacn.published")[1]
    assert "order of more than two images does not matter with the default strategy" in out
    assert "about 1 s for a colour pair of 520x520" in out
    assert re.search(r"strategy +'rank' +'rank' \| 'serial' \| 'carry' \| 'calibration' \| 'calibration_log'", out)
    assert re.search(r"weights +'default' +'default' \| 'published' \| 'random' \| 'smooth'", out)
    assert "focal.crisp has sharpness 8.0" in run("list", "methods", "focal")[1]
    assert re.search(r"sharpness +8\.0 +float", run("list", "methods", "focal.crisp")[1])
    assert "did you mean 'lp'" in refused("list", "methods", "lpp")


def test_the_help_of_a_training_shows_how_it_is_called(run):
    assert re.search(r"mffrepro train +\[OPTIONS\] \{NETWORK\}", run("train", "gacn", "--help")[1])


# ---------------------------------------------------------------------------------------------------- book


def test_book_passes_its_options_on(run, monkeypatch):
    from mffrepro import book

    calls = []
    monkeypatch.setattr(book, "build", lambda **options: calls.append(options))
    assert run("book")[0] == 0
    assert run("book", "--profile", "full", "--only", "07_gacn", "--rebuild")[0] == 0
    assert run("book", "--format", "pdf")[0] == 0
    assert calls == [
        {"profile": "quick", "only": None, "rebuild": False, "format": "html"},
        {"profile": "full", "only": "07_gacn", "rebuild": True, "format": "html"},
        {"profile": "quick", "only": None, "rebuild": False, "format": "pdf"},
    ]


def test_a_chapter_that_fails_is_exit_code_1(run, monkeypatch):
    from mffrepro import book

    def fail(**_):
        raise book.BookError("chapter 07_gacn failed (ValueError: x)")

    monkeypatch.setattr(book, "build", fail)
    assert run("book") == (1, "", "mffrepro: chapter 07_gacn failed (ValueError: x)\n")


# ------------------------------------------------------------------------------------------- rough weather


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MemoryError(), 1, "not enough memory; use smaller or fewer images"),
        (ZeroDivisionError("division\nby zero"), 1, "ZeroDivisionError: division by zero; set MFFREPRO_DEBUG=1 to see where"),
        (KeyboardInterrupt(), 130, "stopped"),
        (
            PermissionError(13, "Permission denied", "a"),
            2,
            "a cannot be used (Permission denied); check the path and your rights to it",
        ),
        (
            OSError(28, "No space left on device"),
            1,
            "OSError: [Errno 28] No space left on device; set MFFREPRO_DEBUG=1 to see where",
        ),
        (EOFError("no more data"), 1, "OSError: a file ends too early (no more data); set MFFREPRO_DEBUG=1 to see where"),
        (ModuleNotFoundError("no", name="accelerate"), 2, "install it with: pip install 'mffrepro[train]'"),
    ],
)
def test_what_nobody_foresaw_is_one_line_too(run, pair, monkeypatch, error, code, message):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("mffrepro.methods.fuse", fail)
    answer = run("fuse", *pair, "-o", "fused.png")
    assert answer[:2] == (code, "")
    assert answer[2].startswith("mffrepro: ")
    assert answer[2].endswith(f"{message}\n")
    assert answer[2].count("\n") == 1
    assert not Path("fused.png").exists()


def test_a_name_cannot_break_the_line_or_command_the_terminal(run):
    code, _, err = run("fuse", "a\nmffrepro: all is well\x1b[31m.png", "b.png", "-o", "fused.png")
    assert code == 2
    assert err.startswith("mffrepro: ")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()


def test_the_traceback_is_there_on_request(run, pair, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("mffrepro.methods.fuse", fail)
    monkeypatch.setenv("MFFREPRO_DEBUG", "1")
    assert "Traceback" in run("fuse", *pair, "-o", "fused.png")[2]


def test_a_missing_module_of_our_own_is_not_hidden(monkeypatch):
    def fail(*_, **__):
        raise ModuleNotFoundError("No module named 'mffrepro.lost'", name="mffrepro.lost")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ModuleNotFoundError):
        main([])


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_closed_pipe_is_quiet():
    command = f"{sys.executable} -m mffrepro list metrics | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert plain(done.stdout).split()[0] == "name"
    assert done.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("seen_as", [None, ImportError("initialization failed"), mff.MffError("a.png cannot be read")])
def test_control_c_is_control_c_whatever_it_breaks(run, pair, monkeypatch, seen_as):
    def press(*_, **__):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise seen_as or KeyboardInterrupt from None

    monkeypatch.setattr("mffrepro.methods.fuse", press)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits a deaf ear
    try:
        assert run("fuse", *pair, "-o", "fused.png") == (130, "", "mffrepro: stopped\n")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert run("list", "nothing")[0] == 2  # the next run in this process has forgotten it
    finally:
        signal.signal(signal.SIGINT, before)


def test_who_does_not_listen_to_control_c_is_left_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with notice_control_c() as pressed:
            signal.raise_signal(signal.SIGINT)
            assert not pressed.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_control_c_ends_the_program_with_one_line_and_exit_code_130(folder):
    command = [sys.executable, "-m", "mffrepro", "train", "gacn", "--preset", "smoke", "--set", "epochs=500", "--out", "run"]
    listen = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a background job inherits a deaf ear
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
        deadline = time.monotonic() + 60
        while not Path("run/log.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:  # Python loses what is raised in a destructor or in the callback of a weak reference
            process.send_signal(signal.SIGINT)  # as people do
            _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "mffrepro: stopped"
    assert "Traceback" not in err


def test_an_encoding_without_arrows_does_not_end_the_program():
    done = terminal("list", "metrics", env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout


def test_a_pipe_gets_whole_lines(folder):
    done = terminal("list", "metrics", env=os.environ | {"COLUMNS": "40"})
    names = [line.split()[0] for line in plain(done.stdout).splitlines()[2:]]
    assert names == list(mff.list_metrics().index)


# -------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3", int, 3),
        ("1e-3", float, 1e-3),
        ("True", bool, True),
        ("false", bool, False),
        ("word", str, "word"),
        ("none", int | None, None),
        ("none", str, "none"),
        ("7", int | None, 7),
        ("paper", Literal["paper", "public"] | None, "paper"),
        ("1,2,3", tuple[int, ...], (1, 2, 3)),
        ("0.5", int | float, 0.5),
    ],
)
def test_text_becomes_what_the_annotation_says(text, kind, value):
    converted = convert("x", text, kind)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("text", "kind"), [("x", int), ("1.5", int), ("inf", float), ("yes", bool), ("c", Literal["a", "b"]), ("x", int | None)]
)
def test_text_of_another_kind_is_refused(text, kind):
    with pytest.raises(OptionError):
        convert("x", text, kind)
