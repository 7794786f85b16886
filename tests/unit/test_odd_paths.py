"""Paths and names that systems allow but files and tables do not: one sentence each."""

import os

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.benchmarks import record
from mffrepro.benchmarks.store import COLUMNS, Store
from mffrepro.cli import main
from mffrepro.cli.batch import run_each
from mffrepro.data.folder import list_folders, list_images
from mffrepro.errors import DataError, ImageError, OptionError
from mffrepro.images import as_stack
from mffrepro.training.studies import runner

ROW = dict.fromkeys(COLUMNS, "x") | {"value": 1.0, "seconds": 1.0}


def test_seeds_are_those_of_numpy():
    with pytest.raises(OptionError, match="seed is 4294967296; use an integer from 0 to 4294967295"):
        mff.profile(seed=2**32)


def test_a_path_with_a_nul_character_is_no_stack():
    with pytest.raises(ImageError):
        as_stack(["a\0.tif"])


@pytest.mark.parametrize("name", [None, "a.parquet"])
def test_a_store_holds_names_in_utf_8_only(tmp_path, name):
    with pytest.raises(DataError, match="is not a name in UTF-8; rename"):
        Store(name and tmp_path / name).add([ROW | {"stack": os.fsdecode(b"a\xff")}])


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the folder in which no file can be made is Linux's")
def test_a_store_where_no_file_can_be_made_is_answered():
    with pytest.raises(DataError, match="cannot be written"):
        Store("/proc/x.parquet").add([ROW])


def test_a_folder_in_place_of_a_record_is_answered(tmp_path):
    with pytest.raises(DataError, match="is not a record"):
        record._read(tmp_path)


def test_an_empty_table_of_a_study_is_answered(tmp_path, monkeypatch):
    (tmp_path / "a.csv").touch()
    monkeypatch.setattr(runner, "table_path", lambda name: tmp_path / f"{name}.csv")
    with pytest.raises(DataError, match="is not a table"):
        runner.read("a")


@pytest.mark.parametrize("list_some", [list_images, list_folders])
def test_a_folder_that_may_not_be_read_is_answered(tmp_path, monkeypatch, list_some):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\); change its rights"):
        list_some(tmp_path)


@pytest.mark.parametrize("command", [["data", "make-stacks", "x", "--seed", "-1"], ["train", "gacn", "--seed", str(2**63)]])
def test_seeds_that_no_generator_takes_are_refused_by_the_command(command, capsys):
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "--seed" in said
    assert "MFFREPRO_DEBUG" not in said


def test_names_of_folders_cannot_command_the_terminal(capsys):
    run_each({"a\nb\x1b[2J": list}, lambda name, files: f"{name}: done")
    assert capsys.readouterr().out == "a b [2J: done\n"


@pytest.mark.parametrize(
    "command",
    [
        ("data", "make-stacks", "file/new", "--count", "1"),
        ("train", "gacn", "--preset", "smoke", "--out", "file/new"),
        ("train", "study", "overfitting", "--machine", "a core", "--out", "file/new"),
        ("evaluate", "--pairs", "stacks", "--fused", "{stack}" + "x" * 300 + ".png"),
    ],
)
def test_a_path_that_cannot_be_is_one_sentence_of_every_command(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "stacks").mkdir()
    for number in (1, 2):
        mff.write_image(tmp_path / "stacks" / f"a_{number}.png", np.zeros((16, 16), np.uint8))
    assert main(list(command)) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("); check the path and your rights to it")
