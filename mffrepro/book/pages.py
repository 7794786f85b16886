"""Write the pieces of Markdown that the prose pages include: status, API entries, memory, registers, how to cite, licences."""

from collections.abc import Callable

from mffrepro.book.cite import citation, licences
from mffrepro.book.layout import Book
from mffrepro.images import write_atomically


def write_pages(book: Book, chapters: list[str]) -> None:
    """Write all generated pieces.

    Args:
        book: The checkout.
        chapters: Names of the executed chapters, in order.
    """
    from mffrepro.report import ambiguities, systems

    pieces = {"status": _status(book, chapters), "memory": _memory(), "datasets": _datasets()} | _api()
    pieces |= {"ambiguities": ambiguities.as_markdown(), "systems": systems.as_markdown()}
    pieces |= {"citation": citation(book.root), "licences": licences(book.root / "mffrepro" / "weights")}
    for name, piece in pieces.items():
        write_atomically(book.generated / f"{name}.md", piece.encode())


def _status(book: Book, chapters: list[str]) -> str:
    """Write the table of what ran, when, and on what."""
    lines = ["| chapter | profile | seconds | peak memory | date | device |", "|---|---|---:|---:|---|---|"]
    for chapter in chapters:
        run = book.read_note(chapter)
        link = f"[{chapter}](notebooks/{chapter})"
        lines.append(
            f"| {link} | {run['profile']} | {run['seconds']:.0f} | {run['peak_mb']:.0f} MB | {run['date']} | {run['device']} |"
        )
    versions = book.read_note(chapters[-1])["versions"]
    lines += ["", "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + "."]
    return "\n".join(lines) + "\n"


def _memory() -> str:
    """Write the table of the memory that each method takes."""
    from mffrepro import methods

    lines = ["| method | MB a megapixel | and MB a megapixel and image |", "|---|---:|---:|"]
    for card in methods.CARDS.values():
        fixed, each = card.memory
        lines.append(f"| `{card.name}` | {fixed:.0f} | {f'{each:.0f}' if each else 'none'} |")
    return "\n".join(lines) + "\n"


def _datasets() -> str:
    """Write the list of the data sets that are fetched."""
    from mffrepro.data import cards

    lines = []
    for card in cards():
        if card.bytes:
            count = (
                f"{card.stacks} {'stack' if card.kind == 'stacks' else 'photograph'}{'s' * (card.stacks > 1)}, "
                if card.stacks
                else ""
            )
            lines.append(f"- `{card.name}`: {card.title}; {count}{card.bytes / 1e6:,.1f} MB. Licence: {card.licence}.")
    return "\n".join(lines) + "\n"


def _api() -> dict[str, str]:
    """Write the API entries of everything registered, so that a new method or metric appears without touching a page."""
    from mffrepro import methods, metrics

    functions = {
        "api_methods": dict.fromkeys(card.function() for card in methods.CARDS.values()),
        "api_metrics": [metrics.public_function(name) for name in metrics.names() if "." not in name],
    }
    return {name: "\n".join(["```{eval-rst}", *map(_entry, ones), "```"]) + "\n" for name, ones in functions.items()}


def _entry(function: Callable) -> str:
    return f".. autofunction:: {function.__module__}.{function.__qualname__}"
