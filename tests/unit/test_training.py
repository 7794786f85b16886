"""The trainer: resumption to the bit, independence of workers, and honest run folders."""

import io
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from schedules import rates

from mffrepro.data import load_regions
from mffrepro.errors import DataError, OptionError
from mffrepro.images import locked
from mffrepro.training.gacn import PRESETS, GacnRecipe
from mffrepro.training.ship import ship
from mffrepro.training.trainer import read_log, train

RECIPE = GacnRecipe(epochs=3, samples=8, batch=4, size=64, crop=48, validation=4, slope_start=10.0, slope_epochs=2, rate=1e-3)


@pytest.fixture(scope="module")
def regions():
    photographs = load_regions("embedded")
    return {"train": photographs, "val": photographs[:2]}


class Killed(Exception):
    pass


def test_one_process_trains_at_one_precision_after_the_other(regions, tmp_path) -> None:
    losses = {}
    for precision in ("no", "bf16", "no"):
        train(RECIPE, regions, tmp_path / f"{precision}{len(losses)}", device="cpu", precision=precision)
        log = read_log(tmp_path / f"{precision}{len(losses)}" / "log.csv")
        losses.setdefault(precision, []).append(log[-1]["train_total"])
    assert losses["no"][0] == losses["no"][1] != losses["bf16"][0] == pytest.approx(losses["no"][0], rel=0.1)


def test_bf16_also_trains_where_the_processor_has_no_fast_convolution_of_16_bits(regions, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("mffrepro.training.trainer._convolves_16_bits", lambda: False)
    network = train(RECIPE, regions, tmp_path / "run", device="cpu", precision="bf16")
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


def test_resuming_gives_the_result_of_an_uninterrupted_run(regions, tmp_path) -> None:
    def kill_after_two(rows):
        if len(rows) == 2:
            raise Killed

    train(RECIPE, regions, tmp_path / "whole", device="cpu")
    with pytest.raises(Killed):
        train(RECIPE, regions, tmp_path / "cut", device="cpu", on_epoch=kill_after_two)
    assert len(read_log(tmp_path / "cut" / "log.csv")) == 2
    train(RECIPE, regions, tmp_path / "cut", device="cpu", resume=True)
    whole, cut = (torch.load(tmp_path / run / "last.pt", weights_only=True)["model"] for run in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    whole, cut = (read_log(tmp_path / run / "log.csv") for run in ("whole", "cut"))
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in whole] == [
        {k: v for k, v in row.items() if k != "seconds"} for row in cut
    ]


def test_a_run_killed_between_its_files_loses_nothing(regions, tmp_path, monkeypatch) -> None:
    """The log is written last; a run that dies just before has finished the epoch all the same."""
    from mffrepro.training import trainer

    train(RECIPE, regions, tmp_path / "whole", device="cpu")
    write, calls = trainer._write_log, []

    def die_at_the_second(path, rows):
        calls.append(len(rows))
        if len(rows) == 2:
            raise Killed
        write(path, rows)

    monkeypatch.setattr(trainer, "_write_log", die_at_the_second)
    with pytest.raises(Killed):
        train(RECIPE, regions, tmp_path / "cut", device="cpu")
    monkeypatch.setattr(trainer, "_write_log", write)
    train(RECIPE, regions, tmp_path / "cut", device="cpu", resume=True)
    rows = [read_log(tmp_path / run / "log.csv") for run in ("whole", "cut")]
    assert calls == [1, 2]
    assert [row["val_total"] for row in rows[0]] == [row["val_total"] for row in rows[1]]


def test_a_run_killed_before_its_last_row_gets_it(regions, tmp_path, monkeypatch) -> None:
    from mffrepro.training import trainer

    write = trainer._write_log
    monkeypatch.setattr(trainer, "_write_log", lambda path, rows: write(path, rows[: max(1, len(rows) - 1)]))
    train(RECIPE, regions, tmp_path / "run", device="cpu")
    monkeypatch.setattr(trainer, "_write_log", write)
    assert len(read_log(tmp_path / "run" / "log.csv")) == 2
    train(RECIPE, regions, tmp_path / "run", device="cpu", resume=True)
    assert len(read_log(tmp_path / "run" / "log.csv")) == 3


def test_a_folder_in_which_another_run_trains_is_refused(regions, tmp_path) -> None:
    with locked(tmp_path / "run"), pytest.raises(DataError, match="another process trains in"):
        train(RECIPE, regions, tmp_path / "run", device="cpu")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["recipe.json"]


def test_training_lowers_the_loss(regions, tmp_path) -> None:
    recipe = replace(RECIPE, epochs=2, samples=48, validation=8, rate=2e-3)
    train(recipe, regions, tmp_path / "run", device="cpu")
    rows = read_log(tmp_path / "run" / "log.csv")
    assert rows[-1]["train_total"] < rows[0]["train_total"]
    assert rows[-1]["train_iou"] > rows[0]["train_iou"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_samples_do_not_depend_on_the_workers(regions, workers: int) -> None:
    data = RECIPE.data(regions["train"], split="train", seed=3)
    data.begin_epoch(1)
    expected = [data[i] for i in range(len(data))]
    loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=workers)
    for sample, same in zip(expected, loader, strict=True):
        assert all(torch.equal(sample[name], same[name]) for name in sample)


def test_samples_change_with_the_epoch_and_the_seed(regions) -> None:
    data, other = (RECIPE.data(regions["train"], split="train", seed=seed) for seed in (3, 4))
    first = data[0]["a"]
    assert not torch.equal(first, other[0]["a"])
    data.begin_epoch(1)
    assert not torch.equal(first, data[0]["a"])


def test_pair_is_sharp_where_the_mask_says() -> None:
    rng = np.random.default_rng(0)
    image = rng.random((64, 64), np.float32)
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    sample = RECIPE.pair(image, mask, rng)
    assert np.array_equal(sample["a"][mask], image[mask])
    assert not np.allclose(sample["a"][~mask], image[~mask])
    assert np.allclose(sample["b"][0, 0], image[0, 0], atol=1e-2)  # the matte has faded at the corner
    middle = np.s_[30:34, 30:34]
    assert np.abs(sample["b"][middle] - image[middle]).mean() > 0.05


def test_slope_grows_from_its_start_to_a_thousand() -> None:
    model = RECIPE.model()
    slopes = []
    for epoch in range(4):
        RECIPE.begin_epoch(model, epoch)
        slopes.append(model.slope)
    assert slopes == pytest.approx([10, 100, 1000, 1000])


def test_paper_schedule() -> None:
    paper = PRESETS["paper"]
    assert rates(paper)[:5] == pytest.approx([1e-4, 1e-4, 8e-5, 8e-5, 6.4e-5])
    assert (paper.epochs, paper.batch, paper.size, paper.crop, paper.slope_start) == (50, 16, 256, 156, 1000.0)


def test_a_run_is_not_overwritten(regions, tmp_path) -> None:
    smoke = PRESETS["smoke"]
    train(smoke, regions, tmp_path / "run", device="cpu")
    with pytest.raises(DataError, match="already holds a run"):
        train(smoke, regions, tmp_path / "run", device="cpu")
    with pytest.raises(DataError, match="describes another run"):
        train(RECIPE, regions, tmp_path / "run", device="cpu", resume=True)
    with pytest.raises(DataError, match="no run to resume"):
        train(smoke, regions, tmp_path / "other", device="cpu", resume=True)


def cut_in_half(path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_changes(**changes):
    return lambda path: torch.save(torch.load(path, weights_only=True) | changes, path)


def packed(data: bytes) -> bytes:
    """Pack the records of a file of torch."""
    copy = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return copy.getvalue()


DAMAGES = {
    "cut": cut_in_half,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no training"),
    "tensors of another program": lambda path: torch.save({"weight": torch.zeros(3)}, path),
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "more than tensors": lambda path: torch.save({"model": pytest.raises}, path),
    "packed records": lambda path: path.write_bytes(packed(path.read_bytes())),
    "another network": with_changes(model={"weight": torch.zeros(3)}),
    "another optimiser": with_changes(optimiser={"state": 1}),
    "another schedule": with_changes(scheduler=5),
    "other rows": with_changes(rows=[5]),
    "uneven rows": with_changes(rows=[{"val_total": 1.0}, {"val_total": 1.0, "x": 2.0}]),
    "rows of texts": with_changes(rows=[{"val_total": "x"}]),
}


@pytest.fixture(scope="module")
def finished(regions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    train(PRESETS["smoke"], regions, folder / "run", device="cpu")
    return folder / "run"


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_state_is_not_resumed_from(regions, finished, tmp_path, damage) -> None:
    shutil.copytree(finished, tmp_path / "run")
    damage(tmp_path / "run" / "last.pt")
    with pytest.raises(DataError, match=r"last\.pt cannot be resumed from .*; delete .* and train again") as caught:
        train(PRESETS["smoke"], regions, tmp_path / "run", device="cpu", resume=True)
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_no_text_is_another_one(regions, finished, tmp_path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "recipe.json").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match=r"recipe\.json describes another run"):
        train(PRESETS["smoke"], regions, tmp_path / "run", device="cpu", resume=True)


def test_an_empty_state_is_no_interruption(finished, tmp_path, capsys) -> None:
    from mffrepro.cli import main

    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "last.pt").write_bytes(b"")
    command = ["train", "gacn", "--preset", "smoke", "--device", "cpu", "--out", str(tmp_path / "run"), "--resume"]
    assert main(command) == 2
    assert "last.pt cannot be resumed from" in capsys.readouterr().err


def test_shipping_writes_weights_that_load_and_a_card(regions, tmp_path) -> None:
    from mffrepro.methods import load_network

    train(PRESETS["smoke"], regions, tmp_path / "run", device="cpu")
    path = ship(tmp_path / "run", "gacn.trial", data="embedded", device="a test", folder=tmp_path)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["parameters"] == 68820
    assert len(card["log"]) == PRESETS["smoke"].epochs
    assert load_network(f"gacn.{path}").activity == "paper"


@pytest.mark.parametrize("name", ["../x", "gacn", "gacn.a/b", "gacn.", "/x.y", "gacn.x\n"])
def test_weights_are_shipped_under_names_of_weights_only(finished, tmp_path, name: str) -> None:
    with pytest.raises(OptionError, match="give a method and a tag"):
        ship(finished, name, data="embedded", device="a test", folder=tmp_path)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"5", b'{"recipe": {"name": "gacn", "x": 1}}', b"\xff\xfe"])
def test_a_folder_that_describes_no_run_is_not_shipped(finished, tmp_path, text: bytes) -> None:
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "recipe.json").write_bytes(text)
    with pytest.raises(DataError, match=r"recipe\.json describes no run"):
        ship(tmp_path / "run", "gacn.trial", data="embedded", device="a test", folder=tmp_path)


@pytest.mark.parametrize("text", [b"epoch\nx\n", b"a,b\n1\n", b"a\n1,2\n", b"a\n\xff\n", b"a\n" + b"9" * 200_000])
def test_a_log_that_is_none_is_answered(tmp_path, text: bytes) -> None:
    (tmp_path / "log.csv").write_bytes(text)
    with pytest.raises(DataError, match=r"log\.csv is no log of a training"):
        read_log(tmp_path / "log.csv")


def test_a_log_without_epochs_is_not_shipped(finished, tmp_path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "log.csv").write_bytes(b"epoch\n")
    with pytest.raises(DataError, match="lists no finished epoch"):
        ship(tmp_path / "run", "gacn.trial", data="embedded", device="a test", folder=tmp_path)


def test_weights_of_another_network_are_not_resumed_from(regions, finished, tmp_path) -> None:
    from safetensors.torch import save_file

    shutil.copytree(finished, tmp_path / "run")
    save_file({"x": torch.zeros(2)}, tmp_path / "run" / "best.safetensors")
    with pytest.raises(DataError, match="holds the weights of another network"):
        train(PRESETS["smoke"], regions, tmp_path / "run", device="cpu", resume=True)


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path) -> None:
    """What ``accelerate launch`` does on several GPUs, on two processes of a CPU."""
    import os
    import subprocess
    import sys

    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone", "-m", "mffrepro"]
    command += ["train", "gacn", "--preset", "smoke", "--device", "cpu", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(read_log(tmp_path / "run" / "log.csv")) == PRESETS["smoke"].epochs
