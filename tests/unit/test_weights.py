"""What ships with the package: every network's weights fit their card, and their card can be trained again."""

import hashlib
import io
import json
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file

import mffrepro as mff
from mffrepro.data.manifests import manifest
from mffrepro.errors import DataError
from mffrepro.methods import CARDS, load_network
from mffrepro.models.weights import card, read_pickled, read_safetensors, shipped
from mffrepro.training.recipes import rebuild

FOLDER = Path(str(resources.files("mffrepro"))) / "weights"
NETWORKS = sorted(path.stem for path in FOLDER.glob("*.safetensors") if not path.stem.startswith("dictionaries"))


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_those_of_their_card(name: str) -> None:
    made = card(name)
    assert made["name"] == name
    assert hashlib.sha256(shipped(name).read_bytes()).hexdigest() == made["sha256"]
    assert {"data", "seed", "device", "date", "seconds", "licence", "log"} <= made.keys()
    assert made["best_epoch"] == min(made["log"], key=lambda row: row["val_total"])["epoch"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_recipe_on_the_card_makes_a_network_that_takes_them(name: str) -> None:
    state, options = read_safetensors(shipped(name))
    fields = card(name)["recipe"]
    network = rebuild(fields | {"transfer": "none"} if "transfer" in fields else fields).model()
    network = getattr(network, "generator", network)  # of an adversarial training only that part fuses, and ships
    network.load_state_dict(state)
    assert json.loads(json.dumps(network.options)) == options
    assert sum(p.numel() for p in network.parameters()) == card(name)["parameters"]


EXTRA = [f"{card.name}.{name}" for card in CARDS.values() for name in card.extra_weights if "published" not in name]


@pytest.mark.parametrize("name", EXTRA)
def test_weights_asked_for_by_name_are_those_that_fuse(name: str) -> None:
    sources = np.random.default_rng(0).random((2, 40, 40, 3), np.float32)
    method, _, state = name.partition(".")
    images = [mff.fuse(sources, method, weights=weights).image for weights in (state, str(shipped(name)))]
    np.testing.assert_array_equal(*images)
    np.testing.assert_array_equal(images[0], mff.fuse(sources, name).image)


def test_all_weights_that_a_card_promises_are_there() -> None:
    promised = {f"{c.name}.{name}" for c in CARDS.values() for name in (*c.weights, *c.extra_weights)}
    assert {name for name in promised if ".published" not in name and not name.endswith(".random")} <= set(NETWORKS)


def test_all_published_weights_that_a_card_promises_are_in_the_manifest() -> None:
    described = {
        entry.name.removesuffix(".index").removesuffix(".data")
        for entry in manifest("networks").files
        if ".published" in entry.name
    }
    promised = {f"{c.name}.{name}" for c in CARDS.values() for name in (*c.weights, *c.extra_weights)}
    assert {name for name in promised if ".published" in name} == described


# ------------------------------------------------------------------------------------ files of another origin

PAIR = np.zeros((2, 40, 40), np.uint8)


def with_options(method: str, path: Path, text: str | None = None, **changes) -> Path:
    """Write the shipped weights of a method with other options."""
    tensors, options = read_safetensors(shipped(f"{method}.default"))
    save_file(tensors, path, {"options": json.dumps(options | changes) if text is None else text})
    return path


def test_a_path_is_as_good_as_its_text(tmp_path) -> None:
    path = with_options("gacn", tmp_path / "mine.safetensors")
    images = [mff.fuse(PAIR, "gacn", weights=given).image for given in (path, str(path))]
    np.testing.assert_array_equal(*images)


def raw(dtype: str, size: int, metadata: dict[str, str]) -> bytes:
    """Lay out a safetensors file of one tensor of eight zeros, of a type that no library here need know."""
    header = json.dumps({"__metadata__": metadata, "x": {"dtype": dtype, "shape": [8], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


@pytest.mark.parametrize("content", [
    raw("F32", 32, {"options": "[" * 100_000}),
    raw("F32", 32, {"options": "{"}),
    raw("F4", 4, {}),
    raw("F6_E2M3", 6, {}),
    raw("F8_E8M0", 8, {}),
    raw("F128", 128, {}),
    save({"x": torch.full((3,), torch.nan)}),
    save({"x": torch.full((3,), torch.inf)}),
    save({"x": torch.ones(3, dtype=torch.complex64)}),
    save({"x": torch.ones(3)}, {"options": "[]"}),
], ids=range(10))  # fmt: skip
def test_files_that_hold_no_weights_are_one_sentence(tmp_path, content) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.safetensors .*; give ") as caught:
        mff.fuse(PAIR, "gacn", weights=path)
    assert "\n" not in str(caught.value)


ABSURD = [
    ("focal", {"deep": 1_000_000_000}),
    ("focal", {"deep": -1}),
    ("focal", {"deep": True}),
    ("focal", {"deep": 4}),
    ("focal", {"widths": [1_000_000, 24, 32]}),
    ("focal", {"widths": [2000, 2000, 2000]}),
    ("focal", {"widths": "abc"}),
    ("cnn_fuse", {"width": 1e300}),
    ("cnn_fuse", {"width": float("nan")}),
    ("cnn_fuse", {"width": float("inf")}),
    ("cnn_fuse", {"width": 4000.0}),
    ("cnn_fuse", {"hidden": 10**400}),
    ("cnn_fuse", {"channels": None}),
    ("tlcnn", {"dec_convs": [1000] * 1000}),
    ("tlcnn", {"skip": 1}),
    ("gacn", {"unknown": 1}),
    *[("gacn", {name: wrong}) for name in ("activity", "boundary") for wrong in ("x", -1, None, ["paper"], {})],
    ("gacn", {"attention": 1}),
]


@pytest.mark.parametrize(("method", "changes"), ABSURD, ids=[f"{method}-{str(changes)[:40]}" for method, changes in ABSURD])
def test_options_that_cannot_be_are_refused_before_a_network_is_built(tmp_path, method, changes) -> None:
    path = with_options(method, tmp_path / "bad.safetensors", **changes)
    with pytest.raises(DataError, match=rf"bad\.safetensors holds no weights of {method} \(.*\); give a file that was trained"):
        load_network(f"{method}.{path}")


def test_published_batch_norms_without_a_count_of_batches_still_load(mirror, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path))
    assert load_network("pmgi.published").near.layer1.norm.running_var.isfinite().all()


# ------------------------------------------------------------------------------------------------- pickled


def packed_again(method: int, tail: bytes = b"") -> bytes:
    """Return a file of torch whose records are packed, with something after what is pickled."""
    old, new = io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.arange(3.0)}, old)
    with zipfile.ZipFile(old) as file, zipfile.ZipFile(new, "w", method) as other:
        for name in file.namelist():
            other.writestr(name, file.read(name) + (tail if name.endswith("data.pkl") else b""))
    return new.getvalue()


@pytest.mark.parametrize("older", [False, True])
def test_what_torch_has_pickled_is_read(tmp_path, older):
    torch.save({"a": torch.arange(3.0), "b": [torch.ones(2, dtype=torch.float16)]}, tmp_path / "a.pt")
    if older:
        torch.save({"a": torch.arange(3.0)}, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    assert read_pickled(tmp_path / "a.pt")["a"].tolist() == [0, 1, 2]


def test_packed_records_are_not_unpacked(tmp_path, monkeypatch):
    """torch itself would unpack them whole: half a megabyte to half a gigabyte."""
    (tmp_path / "a.pt").write_bytes(packed_again(zipfile.ZIP_STORED))
    assert read_pickled(tmp_path / "a.pt")["a"].tolist() == [0, 1, 2]
    (tmp_path / "a.pt").write_bytes(packed_again(zipfile.ZIP_DEFLATED, bytes(2**20)))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch was asked"))
    with pytest.raises(DataError, match=r"a\.pt holds more than tensors .*; fetch it again"):
        read_pickled(tmp_path / "a.pt")


def test_records_that_share_their_bytes_are_refused(tmp_path):
    data = packed_again(zipfile.ZIP_STORED)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        large = max(file.infolist(), key=lambda record: record.file_size).file_size
    assert large < 1000
    directory = data.index(b"PK\1\2")
    (tmp_path / "a.pt").write_bytes(data[: directory + 24] + (10**6).to_bytes(4, "little") + data[directory + 28 :])
    with pytest.raises(DataError, match="holds more than tensors"):
        read_pickled(tmp_path / "a.pt")
