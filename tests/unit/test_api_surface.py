"""The public names and signatures are those of ``tests/api_surface.json``.

Whoever changes one on purpose runs ``python tests/unit/test_api_surface.py``, which writes the file anew; the difference is then
part of the review.
"""

import importlib
import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import mffrepro
from mffrepro import methods, metrics

FILE = Path(__file__).parents[1] / "api_surface.json"
MODULES = [f"mffrepro.{info.name}" for info in pkgutil.iter_modules(mffrepro.__path__) if info.name != "__main__"]


def describe(thing: Any) -> str | dict[str, str]:
    """What a caller can rely on: arguments and their defaults, but not how a Python version prints annotations."""
    if inspect.isclass(thing):
        inherited = set(dir(Exception)) if issubclass(thing, Exception) else set()
        public = {name: getattr(thing, name) for name in set(dir(thing)) - inherited if not name.startswith("_")}
        members = {name: _signature(member) if callable(member) else "attribute" for name, member in sorted(public.items())}
        return {"": _signature(thing)} | members
    if inspect.ismodule(thing):
        return "module"
    return _signature(thing) if callable(thing) else type(thing).__name__


def _signature(function: Any) -> str:
    try:
        signature = inspect.signature(function)
    except ValueError:  # an exception that takes whatever BaseException takes
        return "(...)"
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=signature.empty))


def surface() -> dict[str, dict[str, Any]]:
    found = {}
    for name in ["mffrepro", *MODULES]:
        module = importlib.import_module(name)
        if hasattr(module, "__all__"):
            found[name] = {public: describe(getattr(module, public)) for public in sorted(module.__all__)}
    found["methods"] = {name: _signature(card.function()) for name, card in sorted(methods.CARDS.items())}
    found["metrics"] = {name: _signature(metrics.public_function(name)) for name in sorted(metrics.names())}
    found["metric variants"] = {card.name: "" for card in sorted(metrics.CARDS, key=lambda card: card.name) if card.variant_of}
    return found


@pytest.mark.parametrize("part", sorted(json.loads(FILE.read_text())) if FILE.exists() else [])
def test_public_names_are_the_recorded_ones(part):
    recorded = json.loads(FILE.read_text())[part]
    assert surface().get(part) == recorded, (
        f"a public name of {part} changed; if that is meant, run python tests/unit/{Path(__file__).name}"
    )


def test_nothing_public_is_unrecorded():
    assert set(surface()) == set(json.loads(FILE.read_text()))


def test_what_is_listed_can_be_imported():
    missing = [name for name in mffrepro.__all__ if not hasattr(mffrepro, name)]
    assert missing == []
    assert set(mffrepro.__all__) <= set(dir(mffrepro))


def test_no_public_function_has_the_name_of_a_module():
    """Importing ``mffrepro.x`` binds the name ``x`` in the package, and would replace a function of that name."""
    recorded = json.loads(FILE.read_text())["mffrepro"]
    functions = {name for name, text in recorded.items() if text != "module"}
    assert functions
    assert not functions & {name.removeprefix("mffrepro.") for name in MODULES}


def test_no_module_can_be_called():
    assert [name for name in MODULES if callable(importlib.import_module(name))] == []


if __name__ == "__main__":
    FILE.write_text(json.dumps(surface(), indent=1, ensure_ascii=False) + "\n")
