"""Dictionaries: how they are learned, what ships, and what is refused."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.io import savemat

from mffrepro.data import load_regions
from mffrepro.errors import DataError, OptionError
from mffrepro.fusion import convolutional, dictionaries, learning
from mffrepro.models.weights import card, shipped
from mffrepro.training.dictionaries import PRESETS, DictionaryRecipe, learn_to_folder


def hidden(rng, count=20, size=16, signals=2000, sparsity=2):
    """Atoms, and signals that are sums of a few of them."""
    atoms = rng.standard_normal((size, count))
    atoms /= np.linalg.norm(atoms, axis=0)
    weights = np.zeros((signals, count))
    for row in weights:
        row[rng.choice(count, sparsity, replace=False)] = rng.choice([-1, 1], sparsity) * rng.uniform(1, 2, sparsity)
    return atoms, weights @ atoms.T


def test_k_svd_finds_the_atoms_that_made_the_signals():
    atoms, signals = hidden(np.random.default_rng(0))
    errors = []
    learned = learning.learn_atoms(
        signals, atoms=20, sparsity=2, rounds=30, seed=1, on_round=lambda number, error: errors.append(error)
    )
    np.testing.assert_allclose(np.linalg.norm(learned, axis=0), 1)
    assert (np.abs(atoms.T @ learned).max(1) > 0.9).mean() >= 0.9  # by chance, the nearest of 20 is at 0.5
    assert errors[-1] < 0.5 * errors[0]


def test_an_atom_that_nobody_uses_is_replaced():
    signals = np.concatenate([np.tile([1.0, 0, 0, 0], (50, 1)), np.tile([0, 1.0, 0, 0], (50, 1))])
    learned = learning.learn_atoms(signals, atoms=3, sparsity=1, rounds=3, seed=0)
    np.testing.assert_allclose(np.linalg.norm(learned, axis=0), 1)
    assert np.abs(signals @ learned).max(1).min() > 0.999


def test_filters_fit_by_least_squares_are_those_that_made_the_images():
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((3, 5, 5))
    maps = rng.standard_normal((2, 3, 24, 21)) * (rng.random((2, 3, 24, 21)) < 0.2)
    images = np.stack([convolutional.synthesise(m, filters) for m in maps])
    fitted, error = learning._fit_filters(images, maps, 5)
    np.testing.assert_allclose(fitted, filters, atol=1e-3)
    assert error < 1e-3


def test_learning_filters_lowers_the_error():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((2, 24, 24)).astype(np.float32)
    errors = []
    learned = learning.learn_filters(
        images, filters=4, side=3, sparsity=0.2, rounds=6, seed=0, on_round=lambda number, error: errors.append(error)
    )
    np.testing.assert_allclose(np.linalg.norm(learned, axis=(1, 2)), 1)
    assert errors[-1] < errors[0]


# ---------------------------------------------------------------------------------------------- what ships


@pytest.mark.parametrize("kind", dictionaries.SHAPES)
def test_shipped_dictionaries_have_their_shape_and_atoms_of_length_one(kind):
    atoms = dictionaries.load(kind)
    assert atoms.shape == dictionaries.SHAPES[kind]
    np.testing.assert_allclose(np.square(atoms).sum((1, 2) if kind == "csr" else 1), 1)


def test_the_card_is_that_of_the_shipped_file():
    described = card("dictionaries.default")
    assert described["sha256"] == hashlib.sha256(shipped("dictionaries.default").read_bytes()).hexdigest()
    assert DictionaryRecipe(**described["recipe"]) == PRESETS["practical"]
    assert all(curve[-1] < curve[0] for curve in described["rms"].values())


def test_published_dictionaries_have_their_shape(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path))
    for kind, shape in dictionaries.SHAPES.items():
        assert dictionaries.load(kind, "published").shape == shape


def test_published_atoms_are_read_down_the_columns(mirror, tmp_path, monkeypatch):
    from scipy.io import loadmat

    from mffrepro.data import dictionary_file

    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path))
    columns = loadmat(dictionary_file("asr.6"))["Dn"]
    atom = dictionaries.load("asr", "published")[2, :, 5].reshape(8, 8)
    np.testing.assert_allclose(atom, columns[:, 256 + 5].reshape(8, 8, order="F"), atol=1e-12)


# ------------------------------------------------------------------------------------------------- refused


def test_files_that_are_no_dictionaries_are_refused(tmp_path):
    path = tmp_path / "mine.safetensors"
    with pytest.raises(DataError, match="holds no dictionary 'sr'"):
        dictionaries.load("sr", str(path))
    save_file({"sr": np.ones((1, 64, 10)), "csr": np.ones((5, 7, 8)), "asr": np.zeros((7, 64, 3))}, path)
    assert dictionaries.load("sr", str(path)).shape == (1, 64, 10)
    for kind in ("csr", "asr"):
        with pytest.raises(DataError, match=f"has {kind!r} of shape"):
            dictionaries.load(kind, str(path))


ODD = [np.ones((0, 8, 8)), np.ones((2, 8, 8), np.complex64), np.full((2, 8, 8), 1e300), np.ones((2, 8, 8), bool)]


@pytest.mark.parametrize("atoms", ODD)
def test_atoms_that_cannot_be_are_refused(tmp_path, atoms):
    save_file({"csr": atoms}, tmp_path / "mine.safetensors")
    with pytest.raises(DataError, match=r"has 'csr' of shape .*; it should be"):
        dictionaries.load("csr", str(tmp_path / "mine.safetensors"))


def test_more_atoms_than_memory_has_room_for_are_refused(tmp_path):
    save_file({"sr": np.ones((1, 64, dictionaries.MOST_ATOMS + 1), np.float32)}, tmp_path / "mine.safetensors")
    with pytest.raises(DataError, match="has 4097 atoms; give a dictionary of at most 4096"):
        dictionaries.load("sr", str(tmp_path / "mine.safetensors"))


@pytest.mark.parametrize("dtype", ["F4", "F8_E4M3", "F8_E8M0", "BF16", "X"])
def test_types_that_numpy_lacks_are_refused(tmp_path, dtype):
    count = 2 * 64 * {"F4": 4, "BF16": 16}.get(dtype, 8) // 8
    header = json.dumps({"csr": {"dtype": dtype, "shape": [2, 8, 8], "data_offsets": [0, count]}}).encode()
    (tmp_path / "mine.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(count))
    with pytest.raises(DataError, match=r"mine\.safetensors (has|holds no dictionary) 'csr' .*;"):
        dictionaries.load("csr", str(tmp_path / "mine.safetensors"))


@pytest.mark.parametrize("content", [b"", b"text", {"E": np.ones((64, 256))}, {"D": "text"}, {"D": np.ones((3, 256))}, {"D": 1j}])
def test_published_dictionaries_that_are_damaged_are_named(tmp_path, monkeypatch, content):
    path = tmp_path / "d.mat"
    path.write_bytes(content) if isinstance(content, bytes) else savemat(path, content)
    monkeypatch.setattr(dictionaries, "dictionary_file", lambda name: path)
    for kind in dictionaries.SHAPES:
        with pytest.raises(DataError, match=r"dictionary|d\.mat"):
            dictionaries.load(kind, "published")


@pytest.mark.parametrize("wrong", [{"atoms": 0}, {"patches": 3}, {"crop": 9}])
def test_recipes_that_cannot_be_are_refused(wrong):
    with pytest.raises(OptionError):
        replace(PRESETS["smoke"], **wrong)


def test_learning_writes_dictionaries_that_load_and_their_card(tmp_path):
    photographs = load_regions("embedded")
    heard = []
    options = {"data": "embedded", "seed": 3, "report": lambda *told: heard.append(told[0])}
    path = learn_to_folder(PRESETS["smoke"], photographs, tmp_path / "run", **options)
    assert dictionaries.load("asr", str(path)).shape == (7, 64, 16)
    assert dictionaries.load("csr", str(path)).shape == (4, 8, 8)
    described = json.loads(path.with_suffix(".json").read_text())
    assert described["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(heard) == {"sr", *(f"asr.{k}" for k in range(1, 7)), "csr"} == set(described["rms"])
    again = learn_to_folder(PRESETS["smoke"], photographs, tmp_path / "again", **options)
    assert again.read_bytes() == path.read_bytes()
    with pytest.raises(DataError, match="already holds a run"):
        learn_to_folder(PRESETS["smoke"], photographs, tmp_path / "run", **options)
