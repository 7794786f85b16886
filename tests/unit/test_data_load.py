"""load, datasets, folders of photographs, and the Dataset they come as."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mffrepro.data import Dataset, cards, list_datasets, load, weight_arrays, weight_file
from mffrepro.errors import DataError, OptionError
from mffrepro.images import FocusStack


def save(path, value, size=(8, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, np.uint8)).save(path)


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MFFREPRO_MIRROR", raising=False)


# ------------------------------------------------------------------------------------------------ Dataset


def test_a_data_set_reads_only_what_is_asked_for():
    read = []

    def reader(name):
        return lambda: read.append(name) or FocusStack(name, np.zeros((2, 4, 4), np.uint8))

    data = Dataset("toys", {name: reader(name) for name in "abc"})
    assert (len(data), data.names) == (3, ("a", "b", "c"))
    assert [data[0].name, data[-1].name, data["b"].name] == ["a", "c", "b"]
    assert read == ["a", "c", "b"]
    assert [stack.name for stack in data[1:]] == ["b", "c"]
    with pytest.raises(OptionError, match="no stack in toys 'd'"):
        data["d"]
    with pytest.raises(IndexError):
        data[3]


# ------------------------------------------------------------------------------------------------- folder


def test_sub_folders_and_numbered_files_are_stacks(tmp_path):
    for name, value in {
        "b/1.png": 1,
        "b/10.png": 10,
        "b/2.png": 2,
        "c_1.png": 3,
        "c_2.png": 4,
        "A-x-A.jpg": 5,
        "A-x-B.jpg": 6,
    }.items():
        save(tmp_path / "data" / name, value)
    save(tmp_path / "data" / "alone" / "1.png", 0)
    save(tmp_path / "data" / "other.png", 0)
    (tmp_path / "data" / "c_3.txt").write_text("no image")
    data = load("folder", root=tmp_path / "data")
    assert data.names == ("A-x", "b", "c")
    assert data["b"].images[:, 0, 0].tolist() == [1, 2, 10]
    assert data["c"].images[:, 0, 0].tolist() == [3, 4]


def test_a_folder_without_stacks_says_how_to_make_them(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        load("folder", root=tmp_path / "nowhere")
    save(tmp_path / "one_1.png", 0)
    with pytest.raises(DataError, match="holds no stack"):
        load("folder", root=tmp_path)


# ---------------------------------------------------------------------------------------- names and cards


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lytr", {}, "did you mean 'lytro'"),
        ("networks", {}, "no data set 'networks'"),
        ("bsds500", {}, r"load_regions\('bsds500'\)"),
        ("embedded", {"level": 3}, "did you mean 'levels'"),
        ("lytro", {"root": "."}, "no option of lytro 'root'"),
        ("folder", {}, "folder needs root="),
    ],
)
def test_wrong_names_and_options_are_answered(name, options, message):
    with pytest.raises(OptionError, match=message):
        load(name, **options)


def test_manifests_are_loaded_without_fetching(tmp_path):
    assert (len(load("gacn26")), len(load("lytro")), load("v4stack").names) == (26, 20, ("v4",))
    assert not (tmp_path / "cache").exists()


def test_cards_tell_what_there_is():
    named = {card.name: card for card in cards()}
    assert list(named)[:2] == ["embedded", "folder"]
    assert {"gacn26", "lytro", "v4stack", "bsds500", "voc2012", "coco2017"} < set(named)
    assert not {"networks", "dictionaries"} & set(named)
    assert named["embedded"].available
    assert named["embedded"].has_reference
    assert named["embedded"].stacks == len(load("embedded"))
    assert not named["lytro"].available
    assert named["lytro"].reason == "run `mffrepro data fetch lytro`"
    assert named["voc2012"].reason.endswith("or give root=")
    with pytest.raises(dataclasses.FrozenInstanceError):
        named["lytro"].name = "other"


def test_the_table_of_data_sets_has_a_row_per_card():
    table = list_datasets()
    assert list(table.index) == [card.name for card in cards()]
    assert table.loc["embedded", "available"]


def test_a_broken_mirror_is_a_reason_not_a_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_MIRROR", str(tmp_path))
    card = next(card for card in cards() if card.name == "lytro")
    assert not card.available
    assert "SHA256SUMS cannot be read" in card.reason


def test_weights_are_named():
    with pytest.raises(OptionError, match=r"did you mean 'gacn\.published'"):
        weight_file("gacn.publishd")
    with pytest.raises(OptionError, match=r"gacn\.published\.index"):
        weight_arrays("gacn.published")


def test_importing_is_cheap():
    heavy = "torch pandas matplotlib requests pooch cv2 scipy skimage PIL"
    code = f"import sys, mffrepro.data; print([m for m in '{heavy}'.split() if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
