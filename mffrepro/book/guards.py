"""Refuse executed chapters that are stale, incomplete or broken."""

import json
from collections.abc import Iterable
from pathlib import Path

from mffrepro.book.keys import key_of
from mffrepro.book.layout import Book, BookError


def check(book: Book, chapters: Iterable[str], parameters: dict[str, str]) -> None:
    """Make sure that every executed chapter is current and whole.

    Args:
        book: The checkout.
        chapters: Names of the chapters.
        parameters: The parameters that they ran with.

    Raises:
        BookError: A chapter is stale, or has an unexecuted or a failed cell, or one whose value was shown by mistake.
    """
    for chapter in chapters:
        if book.read_note(chapter).get("key") != key_of(book, chapter, parameters):
            raise BookError(f"chapter {chapter} changed while the book was built; run it again")
        if found := faults(book.executed / f"{chapter}.ipynb"):
            raise BookError(f"chapter {chapter} {found}; run it again with --rebuild")


def faults(path: Path) -> str:
    """Say why an executed notebook must not be shown; empty if it may be."""
    if not path.exists():
        return "was never executed"
    count = 0
    for i, cell in enumerate(json.loads(path.read_text())["cells"]):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        count += 1
        if cell["execution_count"] is None:
            return f"has an unexecuted cell (number {i})"
        if cell["execution_count"] != count:
            return f"has cells that ran out of order (number {i})"
        deliberate = "raises-exception" in cell["metadata"].get("tags", ())
        if not deliberate and any(output["output_type"] == "error" for output in cell["outputs"]):
            return f"has a failed cell (number {i})"
        if any(output.get("data", {}).keys() == {"text/plain"} for output in cell["outputs"]):
            return f"has a cell that shows a bare Python value (number {i})"  # neither printed nor a table or picture: forgotten
    return ""
