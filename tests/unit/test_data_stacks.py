"""The manifests of test sets that are fetched: made files take the place of the photographs, under the same names."""

import hashlib
import io
import re

import numpy as np
import pytest
from PIL import Image

from mffrepro.data import cards, load, manifests
from mffrepro.data.fetch import fetch
from mffrepro.data.manifests import manifest, manifest_folder
from mffrepro.errors import DataError

#: Manifest -> number of stacks, and their lengths where these are not 2.
SETS = {
    "gray10": (10, {}),
    "gray19": (19, {"toy": 3}),
    "lytro_triples": (4, dict.fromkeys([f"lytro_triple_{i:02d}" for i in range(1, 5)], 3)),
    "mffw": (13, {}),
    "mffw3": (6, {f"mffw3_{i:02d}": frames for i, frames in enumerate((3, 6, 3, 3, 3, 4), 1)}),
    "mfi_whu": (30, {}),
    "mfifb": (105, {}),
    "pcb": (2, {"pcb": 7, "pcb_depth": 10}),
}
KINDS = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".bmp": "BMP"}
#: Files whose content is not what their name says.
DISGUISED = {"corner1.bmp", "corner2.bmp", "wine1.bmp", "wine2.bmp"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MFFREPRO_MIRROR", raising=False)


def made_file(number: int, name: str) -> bytes:
    """A flat image of 8x6 pixels whose gray level is its number in the manifest, in the format of its name."""
    kind = "TIFF" if name in DISGUISED else KINDS["." + name.rpartition(".")[2]]
    data = io.BytesIO()
    Image.fromarray(np.full((6, 8), number, np.uint8)).save(data, kind, **({"quality": 100} if kind == "JPEG" else {}))
    return data.getvalue()


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Make a mirror of small files for a manifest, which gets their sizes and hashes and is otherwise as it is."""

    def make(name: str) -> None:
        text, sums = (manifest_folder() / "datasets" / f"{name}.toml").read_text(), []
        (tmp_path / "datasets").mkdir()
        (tmp_path / "mirror").mkdir()
        for number, entry in enumerate(manifest(name).files):
            data = made_file(number, entry.name)
            (tmp_path / "mirror" / str(number)).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            sums.append(f"{digest}  {number}")
            head = f'name = "{entry.name}"\n'
            known = f'{head}bytes = {entry.bytes}\nsha256 = "{entry.sha256}"'
            assert text.count(known) == 1
            text = text.replace(known, f'{head}bytes = {len(data)}\nsha256 = "{digest}"')
        (tmp_path / "datasets" / f"{name}.toml").write_text(text)
        (tmp_path / "mirror" / "SHA256SUMS").write_text("\n".join(sums))
        monkeypatch.setenv("MFFREPRO_MIRROR", str(tmp_path / "mirror"))
        monkeypatch.setattr(manifests, "manifest_folder", lambda: tmp_path)

    return make


@pytest.mark.parametrize("name", SETS)
def test_stacks_come_together_in_order(made, name):
    made(name)
    data, (stacks, lengths) = load(name), SETS[name]
    assert len(data) == manifest(name).stacks == stacks
    levels = []
    for stack in data:
        assert len(stack) == lengths.get(stack.name, 2)
        levels += [round(float(frame.mean())) for frame in stack.images]
    assert levels == list(range(len(levels))), "the frames of a stack stand together, in the order of their names"
    assert len(levels) == len(manifest(name).files)
    assert next(card for card in cards() if card.name == name).available


@pytest.mark.parametrize("name", SETS)
def test_other_bytes_are_refused(tmp_path, monkeypatch, name):
    entry = manifest(name).files[0]
    (tmp_path / "photograph").write_bytes(made_file(0, entry.name))
    (tmp_path / "SHA256SUMS").write_text(f"{entry.sha256}  photograph\n")
    monkeypatch.setenv("MFFREPRO_MIRROR", str(tmp_path))
    with pytest.raises(DataError, match=f"{entry.name}.*in the mirror has sha256"):
        fetch(entry)
    with pytest.raises(DataError, match="in the mirror has sha256"):
        load(name)[0]


@pytest.mark.parametrize("name", SETS)
def test_names_of_frames_follow_those_of_their_stack(name):
    for entry in manifest(name).files:
        assert re.fullmatch(rf"{entry.stack}_?(?:\d+|[ABC])\.\w+", entry.name)
        assert entry.file == f"{name}/{entry.name}"


def test_a_pair_that_stands_twice_in_mfifb_is_named():
    hashes = {}
    for entry in manifest("mfifb").files:
        hashes.setdefault(entry.sha256, []).append(entry.stack)
    assert {tuple(stacks) for stacks in hashes.values() if len(stacks) > 1} == {("savic_18", "tsai_12")}
    assert "savic_18 and tsai_12 are the same pair" in manifest("mfifb").description
