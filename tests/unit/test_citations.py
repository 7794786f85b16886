"""Everything that is cited can be opened: ids of ambiguities and claims, and the options that the register names."""

import ast
import re
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from mffrepro import losses, methods
from mffrepro.report.ambiguities import LABELS, NO_OPTION, all_ambiguities
from mffrepro.report.claims import all_claims
from mffrepro.training.recipes import option_kinds, recipe

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
    return sorted([*found, *ROOT.glob("*.md"), *(ROOT / "book").glob("*.*"), ROOT / "CITATION.cff"])


def test_every_cited_id_exists():
    known = {*REGISTER.index, *all_claims().index}
    missing = {path.name: set(ID.findall(path.read_text())) - known for path in cited_files()}
    assert {name: ids for name, ids in missing.items() if ids and name not in WRONG_ON_PURPOSE} == {}


def test_nothing_cites_what_is_not_in_the_project():
    found = {str(path.relative_to(ROOT)): ABSENT.findall(path.read_text()) for path in cited_files()}
    assert {name: phrases for name, phrases in found.items() if phrases and not name.endswith(Path(__file__).name)} == {}


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
    keyword, _, value = setting.partition("=")
    values = [ast.literal_eval(value)] if value else []
    if kind == "fuse":
        card, _ = methods.check_options(name, dict.fromkeys([keyword], *values) if keyword else {})
        allowed = {option: parameter.annotation for option, parameter in card.options().items()}
        allowed |= dict.fromkeys(methods.COMMON, Any)  # checked by the call above
    elif kind == "train":
        allowed = option_kinds(recipe(name, "paper"))
    else:
        allowed = get_type_hints(getattr(losses, name))
    assert not keyword or keyword in allowed
    for one in values:
        assert_fits(one, allowed[keyword])


def assert_fits(value: Any, kind: Any) -> None:
    """The value is one of those that the annotation allows, or of its type."""
    kinds = list(_alternatives(kind))
    choices = [choice for one in kinds if get_origin(one) is Literal for choice in get_args(one)]
    types = [get_origin(one) or one for one in kinds if get_origin(one) is not Literal]
    assert value in choices or any(one is Any or isinstance(value, one) for one in types), f"{value!r} is not one of {kind}"


def _alternatives(kind: Any):
    """The members of a union, however deep; any other annotation is its only alternative."""
    if get_origin(kind) in (Union, UnionType):
        for one in get_args(kind):
            yield from _alternatives(one)
    else:
        yield kind
