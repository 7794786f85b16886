"""What the docstring of every registered method and metric must say, and that every example gives what it prints."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import mffrepro
from mffrepro import losses, methods, metrics

ROOT = Path(__file__).parents[2]
PLANNED = {
    "00_quickstart", "01_metrics", "02_baselines", "03_tlcnn", "04_tlcolor", "05_icacs18", "06_cnnwt", "07_gacn", "08_networks",
    "09_leaderboard", "10_claims", "11_lessons", "12_your_own_stack", "13_speed", "14_many_images", "15_gacn_trainings",
}  # fmt: skip
KEY = re.compile(r"[a-z]+(?:19|20)\d\d[a-z0-9]*|tlcnn|tlcolor")
MODULES = sorted(m.name for m in pkgutil.walk_packages(mffrepro.__path__, "mffrepro.") if not m.name.endswith("__main__"))


def bibliography() -> list[str]:
    return re.findall(r"^@\w+\{([^,\s]+),", (ROOT / "book" / "references.bib").read_text(), re.MULTILINE)


def section(text: str, name: str) -> str:
    """The body of a section, which lasts until the next line that is not indented."""
    match = re.search(rf"^{name}: *(.*\n(?:(?: +.*)?\n)*)", text + "\n", re.MULTILINE)
    return match[1] if match else ""


REGISTERED = {f"method {name}": card.function() for name, card in methods.CARDS.items()}
REGISTERED |= {f"metric {name}": metrics.public_function(name) for name in metrics.names()}


@pytest.mark.parametrize("name", REGISTERED)
def test_every_registered_function_says_what_it_does(name):
    text = inspect.getdoc(REGISTERED[name])
    first, _, rest = text.partition("\n")
    assert first.endswith("."), "the summary is one sentence on the first line"
    assert rest.startswith("\n"), "the summary is one sentence on the first line"
    for part in ("Args", "Returns"):
        assert section(text, part).strip(), part
    described = re.findall(r"^ {4}(\w+):", section(text, "Args"), re.MULTILINE)
    assert described == list(inspect.signature(REGISTERED[name]).parameters)


@pytest.mark.parametrize("name", REGISTERED)
def test_every_registered_function_has_a_source_and_a_chapter(name):
    text = inspect.getdoc(REGISTERED[name])
    keys = [key for group in re.findall(r"\[([^\]]+)\]", section(text, "References")) for key in KEY.findall(group)]
    assert keys, "References names no key of the bibliography"
    assert set(keys) <= set(bibliography())
    assert set(section(text, "Chapter").strip().split(", ")) <= PLANNED


@pytest.mark.parametrize("name", metrics.names())
def test_every_metric_says_range_direction_and_scale(name):
    card, text = metrics.get(name), inspect.getdoc(metrics.public_function(name))
    before = text.partition("Args:")[0]
    assert re.search(r"\b(?:Range|From|At most|Unbounded)\b", before), "the range"
    assert {"higher": "higher is better", "lower": "lower is better", None: "neither direction is better"}[card.better] in before
    if card.needs != "decision":
        assert re.search(r"scale|gray|data range|0\.\.255", before, re.IGNORECASE), "the scale or the gray conversion"


MEASURES = {name: getattr(losses, name) for name in losses.__all__} | {
    name: metrics.public_function(name) for name in metrics.names()
}
MEASURES |= {name: getattr(metrics, name) for name in ("evaluate", "evaluate_batch", "quality_map", "weight_map")}


@pytest.mark.parametrize("name", MEASURES)
def test_what_is_returned_is_not_read_as_a_type(name):
    """Sphinx reads what stands before a colon on the first line of Returns as the type."""
    first = section(inspect.getdoc(MEASURES[name]), "Returns").strip().partition("\n")[0]
    assert first
    assert not re.search(r":(\s|$)", first)


# ------------------------------------------------------------------------------------------------- first lines


def public_docstrings() -> dict[str, str]:
    """Collect the docstrings of public functions, classes and methods of the package by their full names."""
    found = {}
    for name in MODULES:
        tree = ast.parse(inspect.getsource(importlib.import_module(name)))
        scopes = [(name, tree)] + [(f"{name}.{n.name}", n) for n in tree.body if isinstance(n, ast.ClassDef)]
        for scope, owner in scopes:
            for node in owner.body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and not f".{scope}.{node.name}".count("._"):
                    found[f"{scope}.{node.name}"] = ast.get_docstring(node) or ""
    return found


DOCSTRINGS = public_docstrings()


def test_first_lines_make_sense_in_a_list():
    """One sentence of at most 80 characters that does not begin in the middle of a thought; ruff holds the imperative."""
    first = {name: text.partition("\n")[0] for name, text in DOCSTRINGS.items()}
    assert len(first) > 500
    assert {name: line for name, line in first.items() if not 10 <= len(line) <= 80} == {}
    assert {name: line for name, line in first.items() if not line.endswith((".", ".)"))} == {}
    assert {
        name: line for name, line in first.items() if re.match(r"(Of|About|As|What|The|Like|From|Whose|Who|It)\b", line)
    } == {}


# ------------------------------------------------------------------------------------------------------- keys


def test_bibliography_is_sorted_and_without_doubles():
    keys = bibliography()
    assert keys == sorted(set(keys))


def test_every_key_exists():
    """Keys in square brackets, of cards and of manifests."""
    known, missing = set(bibliography()), {}
    files = [*(ROOT / "mffrepro").rglob("*.py"), *(ROOT / "data_manifests").rglob("*.toml"), *(ROOT / "book").glob("*.md")]
    for path in [*files, *(ROOT / "notebooks").glob("*.py")]:
        text = path.read_text()
        cited = [key for group in re.findall(rf"\[({KEY.pattern}(?:, *{KEY.pattern})*)\]", text) for key in KEY.findall(group)]
        cited += re.findall(r"(?:bibkey|cite) ?= ?\"(\w+)\"", text)
        if absent := set(cited) - known:
            missing[path.name] = absent
    assert missing == {}


@pytest.mark.parametrize("card", methods.CARDS.values(), ids=lambda card: card.name)
def test_cards_of_methods_point_at_what_exists(card):
    assert card.bibkey in bibliography()
    assert card.chapter in PLANNED


# --------------------------------------------------------------------------------------------------- examples


def has_example(module: str) -> bool:
    return re.search(r"^ *>>> ", inspect.getsource(importlib.import_module(module)), re.MULTILINE) is not None


@pytest.mark.parametrize("name", [name for name in MODULES if has_example(name)])
def test_examples_give_what_they_print(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed
