"""Build the book: run what changed, refuse what is stale or broken, render the rest.

The tools each have a way to succeed without having done their work: Jupyter Book renders notebooks that never ran, papermill
accepts misspelt parameters, and no cache notices a change in a package. So one key decides whether a chapter is current
(`mffrepro.book.keys`), and the guards read what was executed (`mffrepro.book.guards`).
"""

from pathlib import Path

from filelock import Timeout

from mffrepro.book.execution import PARAMETERS, check_parameters, run_if_changed
from mffrepro.book.guards import check
from mffrepro.book.layout import Book, BookError, find_book
from mffrepro.book.pages import write_pages
from mffrepro.book.rendering import render
from mffrepro.errors import unknown
from mffrepro.images import locked

__all__ = ["PARAMETERS", "Book", "BookError", "build", "check_parameters", "find_book"]


def build(*, profile: str = "quick", only: str | None = None, rebuild: bool = False, device: str = "auto") -> Path:
    """Run the chapters that changed and render the book.

    Args:
        profile: ``"quick"`` for a book in minutes, marked by a banner on every page; ``"full"`` for the published book.
        only: Run just this chapter; the book is then not rendered.
        rebuild: Also run chapters whose key is current.
        device: Passed to the chapters.

    Returns:
        Path of ``index.html``, or of the executed notebook with `only`.

    Raises:
        BookError: A chapter failed, a page is stale, unexecuted or missing, or another process builds this book.
        OptionError: There is no such profile or chapter.
    """
    if profile not in ("quick", "full"):
        raise unknown("profile", profile, ("quick", "full"))
    book = find_book()
    chapters = book.chapters()
    if only is not None and only not in chapters:
        raise unknown("chapter", only, chapters)
    parameters = {"profile": profile, "device": device}
    book.generated.mkdir(parents=True, exist_ok=True)
    try:
        with locked(book.generated, seconds=0):
            return _build(book, chapters, only, parameters, rebuild)
    except Timeout:
        raise BookError(f"another process builds the book in {book.folder}; wait until it has finished") from None


def _build(book: Book, chapters: list[str], only: str | None, parameters: dict[str, str], rebuild: bool) -> Path:
    for chapter in [only] if only else chapters:
        run_if_changed(book, chapter, parameters, rebuild)
    if only:
        return book.executed / f"{only}.ipynb"
    check(book, chapters, parameters)
    write_pages(book, chapters)
    return render(book, parameters["profile"])
