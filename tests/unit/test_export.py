"""The ONNX file of a network against the network itself, in another runtime."""

import sys

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.cli import main
from mffrepro.images import to_gray, to_unit

onnx = pytest.importorskip("onnx", reason="the extra mffrepro[export] is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "gacn.onnx"
    assert main(["export", "gacn", str(path)]) == 0
    return path


def decide(file, images):
    first, second = (to_gray(to_unit(i)) if i.ndim == 3 else to_unit(i) for i in images)
    return runtime.InferenceSession(file).run(None, {"first": first[None, None], "second": second[None, None]})[0][0, 0]


@pytest.mark.parametrize("name", ["astronaut_blur2", "coffee_spread", "camera_blur2", "rocket_blur3"])
def test_another_runtime_decides_alike(file, name):
    stack = mff.load("embedded")[name]
    ours, theirs = mff.fuse(stack, "gacn").decision[0], decide(file, stack.images)
    assert np.mean(np.abs(ours - theirs) > 1e-4) < 0.005
    assert np.mean(np.abs(ours - theirs) > 0.01) < 1e-4
    assert np.mean((ours > 0.5) != (theirs > 0.5)) < 1e-4


@pytest.mark.parametrize("shape", [(16, 16), (97, 61), (40, 333)])
def test_any_size(file, shape):
    images = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    assert decide(file, images).shape == shape
    assert np.mean(np.abs(decide(file, images) - mff.fuse(images, "gacn").decision[0]) > 0.01) < 0.005


def test_the_file_says_what_it_is_and_nothing_of_its_maker(file):
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    notes = {one.key: one.value for one in model.metadata_props}
    assert notes == {"method": "gacn", "weights": "default", "producer": f"mffrepro {mff.__version__}"}
    assert file.stat().st_size < 500_000
    assert b".py" not in file.read_bytes()


def test_the_same_file_again(file, tmp_path):
    assert main(["export", "gacn", str(tmp_path / "again.onnx")]) == 0
    assert (tmp_path / "again.onnx").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lp", "a.onnx"], "lp cannot be exported; gacn can"),
        (["tlcnn.printed", "a.onnx"], "tlcnn.printed cannot be exported; gacn can"),
        (["gacn", "a.pt"], "a.pt has the suffix .pt; write to .onnx"),
        (["gacn", "nowhere/a.onnx"], "nowhere/a.onnx cannot be written (No such file or directory); choose another folder"),
    ],
)
def test_what_cannot_be_exported(capsys, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert main(["export", *arguments]) == 2
    assert capsys.readouterr().err.strip() == f"mffrepro: {sentence}"
    assert not any(tmp_path.iterdir())


def test_without_the_extra(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", "gacn", str(tmp_path / "a.onnx")]) == 2
    assert "pip install 'mffrepro[export]'" in capsys.readouterr().err
