"""Text of the command line as the values that options are declared to take, and the files that it names."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from mffrepro.errors import OptionError, unknown


def parse_settings(texts: Iterable[str], kinds: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Read ``name=value`` settings into a dictionary.

    Args:
        texts: As given on the command line.
        kinds: Annotation of every known name.
        what: What a name should be, such as ``"option of lp"``.

    Raises:
        OptionError: Not of that form, an unknown name, or a value of another type.
    """
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(f"{text!r} is no setting; write it as name=value")
        if name not in kinds:
            raise unknown(what, name, kinds)
        settings[name] = convert(name, value, kinds[name])
    return settings


def convert(name: str, text: str, kind: Any) -> Any:
    """Convert a string to the type of an annotation.

    Types are int, float, bool, Literal, str, and None or tuples of these.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if text.lower() == "none" and NoneType in inner:
            return None
        return _first_that_fits(name, text, [one for one in inner if one is not NoneType])
    if origin is Literal:
        by_text = {str(value): value for value in inner}
        return by_text[check_choice(f"value of {name}", text, by_text)]
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return tuple(convert(name, part, inner[0]) for part in text.split(",")) if text else ()
    if kind is bool:
        return {"true": True, "false": False}[check_choice(f"value of {name}", text.lower(), ("true", "false"))]
    return _number(name, text, kind) if kind in (int, float) else text


def check_choice(what: str, value: str, known: Iterable[str]) -> str:
    """Return a value if it is a known one; else raise OptionError with a suggestion."""
    if value not in known:
        raise unknown(what, value, known)
    return value


def check_targets(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    """Raise OptionError where a target is a source, or two targets are one file."""
    taken = {source.resolve() for source in sources}
    for target in targets:
        if target.resolve() in taken:
            raise OptionError(f"{target} is one of the images and would be lost; choose another name")
    for i, target in enumerate(targets):
        if target.resolve() in {other.resolve() for other in targets[:i]}:
            raise OptionError(f"{target} cannot hold two results; choose two names")


def _first_that_fits(name: str, text: str, kinds: Iterable[Any]) -> Any:
    failure = None
    for kind in kinds:
        try:
            return convert(name, text, kind)
        except OptionError as error:
            failure = error
    raise failure


def _number(name: str, text: str, kind: type) -> int | float:
    try:
        value = kind(text)
    except ValueError:
        raise OptionError(f"{name} is {text!r}; give a {'whole number' if kind is int else 'number'}") from None
    if not math.isfinite(value):
        raise OptionError(f"{name} is {text!r}; give a finite number")
    return value
