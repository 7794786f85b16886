"""The package's own errors: one sentence each, naming the thing and the remedy.

The command line prints the sentence and exits with 2; in Python each is a ``ValueError``.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MffError(ValueError):
    """Something the caller can put right; the message says what and how."""


class ImageError(MffError):
    """An image or a stack of images cannot be used as given."""


class DataError(MffError):
    """A data set, a manifest or a weight file is missing, damaged or out of reach."""


class OptionError(MffError):
    """A name or an option is not one that exists here."""


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> OptionError:
    """The error for a name nobody knows, with the nearest known one as a suggestion.

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
