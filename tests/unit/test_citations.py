"""Everything that is cited can be opened: ids of ambiguities and claims, and the options that the register names."""

import ast
import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from mffrepro import losses, methods
from mffrepro.report.ambiguities import LABELS, NO_OPTION, all_ambiguities
from mffrepro.report.claims import all_claims
from mffrepro.training.recipes import recipe

ROOT = Path(__file__).parents[2]
REGISTER = all_ambiguities()
PAPERS = ["tlcnn", "tlcolor", "icacs18", "cnnwt", "gacn"]
ID = re.compile(r"\b[AC]\d\.\d+\b")
OPTIONS = [
    pytest.param(one, id=f"{name} {one}")
    for name, row in REGISTER.iterrows()
    if not row["option"].startswith(NO_OPTION)
    for one in row["option"].split("; ")
]
#: Words for sources that nobody can open: working papers, and the copies of the papers that were read.
ABSENT = re.compile(r"\b(?:our (?:notes|text|source text)|dossiers?|texts? at hand|the text this book works from)\b", re.I)
#: Ids in these files lead nowhere on purpose.
WRONG_ON_PURPOSE = {"test_book_links.py"}


def cited_files() -> list[Path]:
    """What a reader meets: the package, chapters, pages, tests and the papers' tables."""
    folders = {"mffrepro": "*.py", "notebooks": "*.py", "tests": "*.py", "data_manifests/papers": "*.csv"}
    found = [path for folder, pattern in folders.items() for path in (ROOT / folder).rglob(pattern)]
    return sorted([*found, *ROOT.glob("*.md"), *(ROOT / "book").glob("*.md"), ROOT / "CITATION.cff"])


def test_every_cited_id_exists():
    known = {*REGISTER.index, *all_claims().index}
    missing = {path.name: set(ID.findall(path.read_text())) - known for path in cited_files()}
    assert {name: ids for name, ids in missing.items() if ids and name not in WRONG_ON_PURPOSE} == {}


def test_nothing_cites_what_is_not_in_the_project():
    found = {str(path.relative_to(ROOT)): ABSENT.findall(path.read_text()) for path in cited_files()}
    allowed = {
        str(Path(__file__).relative_to(ROOT)),
        "data_manifests/papers/reported/inline_numbers.csv",
    }  # its papers are numbered
    assert {name: phrases for name, phrases in found.items() if phrases and name not in allowed} == {}


# ------------------------------------------------------------------------------------------------ the register


def test_ids_are_numbered_without_gaps_and_belong_to_their_paper():
    for number, paper in enumerate(PAPERS):
        rows = REGISTER[REGISTER["paper"] == paper]
        assert list(rows.index) == [f"A{number}.{i}" for i in range(1, len(rows) + 1)]
    assert set(REGISTER["paper"]) == set(PAPERS)


@pytest.mark.parametrize("name", REGISTER.index)
def test_every_field_is_filled_with_sentences(name):
    row = REGISTER.loc[name]
    for field in ("subject", *LABELS):
        assert isinstance(row[field], str), field
        assert row[field] == row[field].strip() != "", field
    for field in ("open", "choice", "reason"):
        assert re.fullmatch(rf"(?:[A-Z0-9]|{'|'.join(PAPERS)}).*\.", row[field]), field
    assert len(row["option"]) > len(NO_OPTION)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_named_exists(option):
    """``fuse NAME: option=value`` of a method, ``train NAME: option=value`` of a recipe, ``LOSS: option=value`` of a loss."""
    place, _, setting = option.partition(": ")
    kind, _, name = place.rpartition(" ")
    kinds = {"fuse": fuse_options, "train": recipe_options, "": loss_options}[kind](name)
    if setting:
        keyword, _, value = setting.partition("=")
        assert keyword in kinds
        if value:
            assert_fits(ast.literal_eval(value), kinds[keyword])


def fuse_options(name: str) -> dict[str, Any]:
    card = methods.get(name)
    known = get_type_hints(card.function())
    offered = {*card.weights, *card.ablations}
    return {option: known[option] for option in inspect.signature(card.function()).parameters} | {"weights": Literal[*offered]}


def recipe_options(name: str) -> dict[str, Any]:
    made = recipe(name, "paper")
    hints = get_type_hints(type(made))
    return {field.name: hints[field.name] for field in dataclasses.fields(made)}


def loss_options(name: str) -> dict[str, Any]:
    function = getattr(losses, name)
    return get_type_hints(function)


def assert_fits(value: Any, kind: Any) -> None:
    """The value is one of those that the annotation allows, or of its type."""
    kinds = list(_alternatives(kind))
    choices = [choice for one in kinds if get_origin(one) is Literal for choice in get_args(one)]
    types = tuple(get_origin(one) or one for one in kinds if get_origin(one) is not Literal)
    assert value in choices or (types and isinstance(value, types)), f"{value!r} is not allowed by {kind}"


def _alternatives(kind: Any):
    """The parts of a union, and those of literals inside literals."""
    arguments = get_args(kind)
    if arguments and get_origin(kind) is not Literal and get_origin(kind) not in (tuple, list):
        for one in arguments:
            yield from _alternatives(one)
    else:
        yield kind
