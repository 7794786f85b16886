"""The package's own errors: one sentence each, naming the thing and the remedy.

The command line prints the sentence and exits with 2; in Python each is a ``ValueError``.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class MffError(ValueError):
    """Report something that the caller can put right; the message says what and how."""


class ImageError(MffError):
    """Report an image or a stack of images that cannot be used as given."""


class DataError(MffError):
    """Report a data set, manifest or weight file that is missing or damaged."""


class OptionError(MffError):
    """Report a name or an option that does not exist."""


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> OptionError:
    """Build the error for an unknown name, with the nearest known one suggested.

    Args:
        kind: What the name should have been, e.g. ``"method"``.
        name: What was asked for.
        known: Every name that would have worked.
        where: How to list them, e.g. ``"mffrepro list methods"``.
    """
    known = sorted(known)
    near = get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    return OptionError(f"no {kind} {name!r}; {hint}" + (f" (see {where})" if where else ""))


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, in at most 120 characters.

    Where it says nothing, that is the name of its type.
    """
    text = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
    return text if len(text) <= 120 else f"{text[:117]}..."


def brief(value: Any) -> str:
    """Return what was given as an error shows it: on one line, at most 60 characters."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "too long a number"
    return text if len(text) <= 60 else f"{text[:57]}..."
