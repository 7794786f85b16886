"""Everything the manifests name, read from the mirror folder that MFFREPRO_MIRROR gives."""

import os
from pathlib import Path

import numpy as np
import pytest

from mffrepro.data import cards, dictionary_file, load, load_regions, verify, weight_arrays, weight_file
from mffrepro.data.fetch import find_in_mirror
from mffrepro.data.manifests import manifest

pytestmark = pytest.mark.skipif("MFFREPRO_MIRROR" not in os.environ, reason="MFFREPRO_MIRROR names no mirror folder")
MIRRORED = ("bsds500", "dictionaries", "gacn26", "lytro", "networks", "v4stack")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(cache))


def test_the_mirror_lists_every_file():
    entries = [entry for name in MIRRORED for entry in manifest(name).files if entry.package is None]
    missing = [entry.name for entry in entries if find_in_mirror(entry) is None]
    assert missing == []
    assert {card.name for card in cards() if card.available} >= {"bsds500", "gacn26", "lytro", "v4stack"}


@pytest.mark.parametrize("name", ["gacn26", "lytro", "v4stack"])
def test_stacks_load(name):
    for stack in load(name):
        assert len(stack) == (17 if name == "v4stack" else 2)
        assert stack.images.dtype == np.uint8
        assert stack.is_colour != stack.name.startswith(("mwg_clock", "mwg_lab"))
    assert set(verify(name).values()) == {"ok"}


@pytest.mark.parametrize("name", ["gray10", "gray19", "lytro_triples", "mffw", "mffw3", "mfi_whu", "mfifb", "pcb"])
def test_further_stacks_load_where_the_mirror_has_them(name):
    if not next(card.available for card in cards() if card.name == name):
        pytest.skip(f"the mirror lacks {name}")
    for stack in load(name):
        assert stack.images.dtype == np.uint8
        assert stack.is_colour != name.startswith("gray") or name == "mfifb"
        assert min(stack.images.shape[1:3]) >= 134
    assert set(verify(name).values()) == {"ok"}


@pytest.mark.slow
@pytest.mark.parametrize(("split", "number"), [("train", 200), ("val", 100)])
def test_photographs_and_label_maps_agree(split, number):
    items = load_regions("bsds500", split=split)
    assert len(items) == number
    for item in items:
        maps = item.labels
        assert 4 <= len(maps) <= 9
        assert {labels.shape for labels in maps} == {item.image.shape[:2]}
        assert min(labels.min() for labels in maps) == 1


def test_weights_and_dictionaries_are_there():
    for entry in manifest("networks").files:
        assert weight_file(entry.name).stat().st_size == entry.bytes
    for entry in manifest("dictionaries").files:
        assert dictionary_file(entry.name).stat().st_size == entry.bytes


@pytest.mark.parametrize(
    ("name", "converted"),
    [
        ("mff_gan.published", "MFF-GAN/MFF-GAN_Lytro.npz"),
        ("mff_gan.published.mfi_whu", "MFF-GAN/MFF-GAN_MFI-WHU.npz"),
        ("pmgi.published", "PMGI/PMGI_Multi-focus.npz"),
        ("u2fusion.published", "U2Fusion/U2Fusion.npz"),
    ],
)
def test_checkpoints_are_what_tensorflow_reads(name, converted):
    file = Path(os.environ["MFFREPRO_MIRROR"]) / "weights" / converted
    if not file.exists():
        pytest.skip(f"the mirror lacks {converted}, made with TensorFlow")
    ours = weight_arrays(name)
    with np.load(file) as theirs:
        assert set(ours) == set(theirs.files)
        assert all((ours[key] == theirs[key]).all() for key in ours)
