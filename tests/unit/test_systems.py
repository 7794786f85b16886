"""The register of systems: every printed name is in it, and nothing is called rebuilt that is not there."""

import importlib
import re
from pathlib import Path

import pandas as pd
import pytest

import mffrepro as mff
from mffrepro import methods
from mffrepro.data.manifests import manifest, manifest_folder
from mffrepro.report import systems
from mffrepro.training.recipes import RECIPES
from mffrepro.training.studies import STUDIES

ROOT = Path(__file__).parents[2]
PAPERS = ["tlcnn", "tlcolor", "icacs18", "cnnwt", "gacn"]
SYSTEMS = systems.all_systems()
REBUILT = ("rebuilt exactly", "rebuilt as a reading", "taken from a library")
BY_NAME = [pytest.param(row, id=str(name)) for name, row in SYSTEMS.iterrows()]


KNOWN = {
    "fuse": set(mff.list_methods().index),
    "evaluate": set(mff.list_metrics().index),
    "load": set(mff.list_datasets().index),
    "train": set(RECIPES),
    "study": set(STUDIES),
}


def exists(token: str) -> bool:
    """Tell whether what a token of the column `here` names is in the package."""
    verb, _, name = token.partition(" ")
    if verb == "fuse":
        card, weights, variant = methods.parse(name)
        known = card.weights + card.extra_weights or ("default",)
        return card.name in KNOWN["fuse"] and weights in known and variant in ("", *card.variants)
    if verb in KNOWN:
        return name in KNOWN[verb]
    module, _, attribute = token.rpartition(".")
    return hasattr(importlib.import_module(module), attribute)


def is_compared(token: str) -> bool:
    """Tell whether it is recorded or tested against what its authors published."""
    verb, _, name = token.partition(" ")
    fidelity = manifest_folder() / "fidelity"
    if verb == "fuse":
        card = methods.parse(name)[0]
        images = pd.read_csv(fidelity / "images.csv")
        return "published" in card.weights or images.loc[images["method"] == card.name, "equal"].max() >= 0.99
    if verb == "evaluate":
        return name in set(pd.read_csv(fidelity / "metrics_synthetic.csv")["name"])
    return verb == "load" and all(entry.sha256 for entry in manifest(name).files)


def test_the_register_is_complete_and_in_order():
    assert SYSTEMS.index.is_unique
    assert set(SYSTEMS["status"]) == set(systems.STATUSES)
    assert list(SYSTEMS["kind"].unique()) == list(systems.KINDS)
    for row in SYSTEMS.itertuples():
        assert [paper for paper in PAPERS if paper in systems.listed(row.papers)] == systems.listed(row.papers), row.Index


@pytest.mark.parametrize("row", BY_NAME)
def test_what_is_called_rebuilt_is_there(row):
    tokens = systems.listed(row["here"])
    assert bool(tokens) == (row["status"] in REBUILT), "something stands for it, or it is not rebuilt"
    assert [token for token in tokens if not exists(token)] == []


@pytest.mark.parametrize("row", [one for one in BY_NAME if one.values[0]["status"] == "rebuilt exactly"])
def test_what_is_called_exact_is_compared(row):
    assert any(is_compared(token) for token in systems.listed(row["here"]))


@pytest.mark.parametrize("row", [one for one in BY_NAME if one.values[0]["status"] not in REBUILT])
def test_what_is_not_rebuilt_has_a_reason_and_no_method(row):
    assert len(row["reason"]) > 20
    name = re.sub(r"[^a-z0-9]+", "_", str(row.name).partition(" (")[0].lower())
    assert name not in KNOWN["fuse"], "it is a method by now: change its status"
    if row["status"] != "only cited":
        papers = {card.bibkey for card in methods.CARDS.values()}
        assert not papers & set(systems.KEY.findall(row["reference"])), "a method follows its paper by now: change its status"


def test_every_printed_name_is_in_the_register():
    known = {name for printed in SYSTEMS["printed"] for name in systems.listed(printed)}
    folder = manifest_folder() / "papers" / "reported"
    tables = [pd.read_csv(path) for path in sorted(folder.glob("p00*.csv"))]
    names = {name for table in tables for column in ("method", "metric") if column in table for name in table[column]}
    assert len(names) > 50
    assert names - known == set()
    assert known - names == set(), "a name that no table prints"


def test_references_are_keys_of_the_bibliography():
    keys = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(), re.MULTILINE))
    cited = {key for reference in SYSTEMS["reference"] for key in re.findall(r"\[(\w+)\]", reference)}
    assert len(cited) > 40
    assert cited <= keys


def test_the_page_has_a_box_for_every_system_and_counts_them():
    page = systems.as_markdown()
    names = re.findall(r"^\*\*(.+?)\*\* · ", page, re.MULTILINE)
    assert names == list(SYSTEMS.index)
    assert page.count("<div") == page.count("</div>") == len(names) + 1
    counts = [int(cell) for line in page.splitlines() if line.startswith("| ") for cell in re.findall(r"\| (\d+) (?=\|)", line)]
    assert sum(counts) == len(SYSTEMS)
    assert "{cite}`ma2022gacn`" in page
    assert "[ma2022gacn]" not in page


def test_an_exact_method_names_the_published_images_that_differ():
    images = pd.read_csv(manifest_folder() / "fidelity" / "images.csv")
    for name, row in SYSTEMS[SYSTEMS["status"] == "rebuilt exactly"].iterrows():
        for method in (token.removeprefix("fuse ") for token in systems.listed(row["here"]) if token.startswith("fuse ")):
            equal = images.loc[images["method"] == method, "equal"]
            if (equal < 0.99).any():
                assert re.search("differ|the worst of|not equal", row["reason"]), name
            if told := re.search(r"Of (\d+) published images, (\d+) differ", row["reason"]):
                assert (len(equal), (equal < 0.99).sum()) == tuple(map(int, told.groups())), name
