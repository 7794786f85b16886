"""The runner of studies: row by row, resumable, nothing lost."""

import inspect
from dataclasses import replace

import pandas as pd
import pytest
from filelock import FileLock

from mffrepro.cli import train as train_command
from mffrepro.data import load_regions
from mffrepro.errors import OptionError
from mffrepro.training import studies
from mffrepro.training.gacn import GacnRecipe
from mffrepro.training.studies import Options, Study, runner
from mffrepro.training.studies import transfer as transfer_study
from mffrepro.training.trainer import go_on, read_log

RECIPE = GacnRecipe(epochs=2, samples=4, batch=4, size=64, crop=48, validation=4, slope_start=10.0, slope_epochs=1)
OPTIONS = Options(machine="a test", data="embedded", seeds=2, device="cpu")


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Let the studies be recorded in a folder of the test, and list which rows were trained."""
    trained = []
    regions = load_regions("embedded")[:2]

    def run(row, options, folder):
        trained.append((row["losses"], row["seed"]))
        go_on(RECIPE, {"train": regions, "val": regions[:1]}, folder, seed=row["seed"], device=options.device)
        if row["losses"] == "fatal" and len(trained) < 5:
            raise KeyboardInterrupt
        return {"score": 0.5, "scores": pd.DataFrame({"stack": ["a"], "qg": [0.25]})}

    kinds = [{"losses": "dice"}, {"losses": "fatal"}]
    monkeypatch.setattr(runner, "find", lambda name: Study(lambda options: kinds, run))
    monkeypatch.setattr(studies, "manifest_folder", lambda: tmp_path)
    monkeypatch.setattr(runner, "origin", lambda machine: {"commit": "abc", "device": machine, "date": "2026-01-01"})
    return trained


def test_rows_are_scored_on_the_photographs_of_the_study_unless_others_are_named(ran, tmp_path, monkeypatch) -> None:
    kept, seen = runner.find("gacn_losses"), []

    def run(row, options, folder):
        seen.append(options.real)
        return kept.run(row, options, folder)

    study = Study(lambda options: [{"losses": "dice"}], run, real="lytro")
    monkeypatch.setattr(runner, "find", lambda name: study)
    for options in (replace(OPTIONS, seeds=1), replace(OPTIONS, real="mffw")):
        runner.run("gacn_losses", options, tmp_path / "runs", report=lambda _: None)
    assert seen == ["lytro", "mffw"]


@pytest.mark.parametrize("name", studies.STUDIES)
def test_all_trainings_of_a_recorded_study_are_scored_on_the_same_stacks(name) -> None:
    path = studies.table_path(name)
    table = pd.read_csv(path)
    if "scores" not in table:
        pytest.skip("its scores are not recorded stack by stack")
    scored = {tuple(sorted(pd.read_csv(path.parent / file)["stack"])) for file in table["scores"].dropna()}
    assert len(scored) == 1


def test_a_study_that_is_stopped_goes_on_and_trains_no_row_twice(ran, tmp_path) -> None:
    said = []
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            runner.run("gacn_losses", OPTIONS, tmp_path / "runs", report=said.append)
        assert len(runner.read("gacn_losses")) == 1, "the finished row is recorded at once"
    assert ran == [("dice", 1), ("fatal", 1), ("fatal", 1)]
    folder = tmp_path / "runs" / "studies" / "gacn_losses" / "fatal-1-practical-embedded"
    assert len(read_log(folder / "log.csv")) == 2, "its training was finished, and is not made again"
    before = (folder / "best.safetensors").stat().st_mtime_ns
    ran.append(("counted", 0))
    path = runner.run("gacn_losses", OPTIONS, tmp_path / "runs", report=said.append)
    assert (folder / "best.safetensors").stat().st_mtime_ns == before
    table = pd.read_csv(path)
    assert table[["losses", "seed"]].to_numpy().tolist() == [["dice", 1], ["fatal", 1], ["dice", 2], ["fatal", 2]]
    assert set(zip(table["device"], table["commit"], table["data"], strict=True)) == {("a test", "abc", "embedded")}
    curve = pd.read_csv(path.parent / table["curve"][1])
    assert list(curve["epoch"]) == [1, 2]
    assert pd.read_csv(path.parent / table["scores"][0]).to_numpy().tolist() == [["a", 0.25]]
    assert not list((tmp_path / "runs").rglob("last.pt"))
    assert said[0] == "0 of 4 rows recorded; now losses dice, seed 1"
    assert said[1].startswith("1 of 4 rows recorded, about ")
    assert said[-1] == f"all rows are recorded in {path}"


def test_more_seeds_add_rows_and_no_minutes_begin_none(ran, tmp_path) -> None:
    said = []
    runner.run("gacn_losses", OPTIONS, tmp_path, minutes=-1, report=said.append)
    assert ran == []
    assert said == ["4 rows are left; run the same command again to go on"]


def test_processes_share_the_rows(ran, tmp_path) -> None:
    folder = tmp_path / "studies" / "gacn_losses"
    folder.mkdir(parents=True)
    said = []
    with FileLock(folder / ".dice-1-practical-embedded.row.lock"), FileLock(folder / ".fatal-1-practical-embedded.row.lock"):
        ran.extend([("counted", 0)] * 5)
        runner.run("gacn_losses", OPTIONS, tmp_path, report=said.append)
    assert ran[5:] == [("dice", 2), ("fatal", 2)]
    assert said[-1] == "other processes train the last 2 rows"
    runner.run("gacn_losses", OPTIONS, tmp_path, report=said.append)
    assert ran[7:] == [("dice", 1), ("fatal", 1)]


def test_a_row_that_another_process_finished_meanwhile_is_not_trained(ran, tmp_path, monkeypatch) -> None:
    listed = runner._Progress.left

    def left(progress):
        rows = listed(progress)
        if not ran:  # after the first list, another process records its first row
            ran.extend([("counted", 0)] * 5)
            runner.run("gacn_losses", replace(OPTIONS, seeds=1), tmp_path, report=lambda text: None)
        return rows

    monkeypatch.setattr(runner._Progress, "left", left)
    runner.run("gacn_losses", replace(OPTIONS, seeds=1), tmp_path, report=lambda text: None)
    assert ran[5:] == [("dice", 1), ("fatal", 1)]
    assert len(runner.read("gacn_losses")) == 2


def test_the_help_of_the_command_names_every_study() -> None:
    assert train_command.STUDIES.replace(" or ", ", ").split(", ") == sorted(studies.STUDIES)
    (name,) = (one for one in inspect.signature(train_command.study).parameters.values() if one.name == "name")
    assert train_command.STUDIES in name.annotation.__metadata__[0].help


def test_an_unknown_study_is_named(tmp_path) -> None:
    with pytest.raises(OptionError, match="no study 'gacn_loses'; did you mean 'gacn_losses'"):
        runner.run("gacn_loses", OPTIONS, tmp_path)


@pytest.mark.parametrize("name", studies.STUDIES)
@pytest.mark.parametrize("size", ["practical", "paper"])
def test_rows_of_a_study_are_told_apart(name, size) -> None:
    rows = [dict(row) for row in studies.find(name).rows(Options(machine="a test", size=size))]
    slugs = [runner.slug(row | {"seed": 1, "size": size, "data": "bsds500"}) for row in rows]
    assert len(set(slugs)) == len(slugs) > 1
    assert all(set(slug) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.=") for slug in slugs)


def test_over_fitting_is_forced_by_few_photographs() -> None:
    few, bare = [transfer_study.recipe_of(row) for row in transfer_study.overfitting(OPTIONS)]
    assert few == replace(bare, bn=True) != bare
    pool = load_regions("embedded")
    split = few.split({"train": pool, "val": pool}, seed=1)
    assert not {image.name for image in split["train"]} & {image.name for image in split["val"]}


def test_rows_of_the_transfer_study_differ_in_one_thing() -> None:
    rows = transfer_study.rows(OPTIONS)
    recipes = [transfer_study.recipe_of(row) for row in rows]
    assert len(set(recipes)) == len(recipes)
    assert {(recipe.epochs, recipe.samples, recipe.batch, recipe.rate) for recipe in recipes} == {
        (transfer_study.BUDGET.epochs, transfer_study.BUDGET.samples, transfer_study.BUDGET.batch, transfer_study.BUDGET.rate)
    }
    paper = [transfer_study.recipe_of(row, "paper") for row in transfer_study.rows(Options(machine="", size="paper"))]
    assert {recipe.transfer for recipe in paper} == {"imagenet", "edges", "none"}
    assert {recipe.width for recipe in paper} == {1.0}
