"""The ONNX files of networks against the networks themselves, in another runtime."""

import sys

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.cli import main
from mffrepro.images import to_gray, to_unit
from mffrepro.models.focal import STEP

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


@pytest.fixture(scope="module")
def focal(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "focal.onnx"
    assert main(["export", "focal", str(path)]) == 0
    return runtime.InferenceSession(path)


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


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("shape", [(16, 16), (96, 64), (40, 336)])
def test_focal_shares_out_any_number_of_images_of_any_size(focal, count, shape):
    images = np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)
    (shares,) = focal.run(None, {"images": to_unit(images)[None]})
    ours = mff.fuse(images, "focal").decision
    assert shares.shape == (1, count, *shape)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    kept = np.where(shares[0] < 0.01, 0, shares[0])  # as mff.fuse does
    assert np.mean(np.abs(kept / kept.sum(0) - ours) > 1e-3) < 0.005  # a quarter of a gray level; sums in another order differ


def test_focal_shares_photographs_as_python_does(focal):
    images = mff.load("embedded", size=256)["motorcycle_lens"].images[::2]
    height, width = (side // STEP * STEP for side in images.shape[1:3])
    images = images[:, :height, :width]
    grays = np.stack([to_gray(to_unit(image)) for image in images])
    (shares,) = focal.run(None, {"images": grays[None].astype(np.float32)})
    fused = np.einsum("nhw,nhwc->hwc", shares[0], images)
    ours = mff.fuse(images, "focal").image
    assert np.mean(np.abs(fused - ours) < 1.5) > 0.999


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
        (["lp", "a.onnx"], "lp cannot be exported; gacn and focal can"),
        (["tlcnn.printed", "a.onnx"], "tlcnn.printed cannot be exported; gacn and focal can"),
        (["focal.crisp", "a.onnx"], "focal.crisp cannot be exported; gacn and focal can"),
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
