"""Build the book: run what changed, refuse what is stale or broken, render the rest.

The tools each have a way to succeed without having done their work: Jupyter Book renders notebooks that never ran, papermill
accepts misspelt parameters, and no cache notices a change in a package. So one key decides whether a chapter is current
(`mffrepro.book.keys`), and the guards read what was executed (`mffrepro.book.guards`).
"""

from pathlib import Path

from filelock import Timeout

from mffrepro.book.execution import PARAMETERS, check_parameters, run_if_changed
from mffrepro.book.guards import check
from mffrepro.book.keys import collects
from mffrepro.book.layout import Book, BookError, find_book
from mffrepro.book.pages import write_pages
from mffrepro.book.printing import print_book
from mffrepro.book.rendering import render
from mffrepro.book.take_along import pack
from mffrepro.errors import OptionError, unknown
from mffrepro.images import locked

#: What the built book is made into, beside its pages.
FORMATS = {"html": None, "pdf": print_book, "zip": pack}

__all__ = ["FORMATS", "PARAMETERS", "Book", "BookError", "build", "check_parameters", "find_book"]


def build(
    *, profile: str = "quick", only: str | None = None, rebuild: bool = False, device: str = "auto", format: str = "html"
) -> Path:
    """Run the chapters that changed, render the book, and print or pack it.

    Args:
        profile: ``"quick"`` for a book in minutes, marked by a banner on every page; ``"full"`` for the published book.
        only: Run just this chapter; the book is then not rendered.
        rebuild: Also run chapters whose key is current.
        device: Passed to the chapters.
        format: ``"pdf"`` also prints the book to one file, and ``"zip"`` also packs its pages into one.

    Returns:
        Path of ``index.html``, of the file that `format` asks for, or of the executed notebook with `only`.

    Raises:
        BookError: A chapter failed, a page is stale, unexecuted or missing, another process builds this book, or Chromium, which
            prints it, is missing.
        OptionError: There is no such profile, chapter or format, or `only` stands beside a format other than ``"html"``.
    """
    if profile not in ("quick", "full"):
        raise unknown("profile", profile, ("quick", "full"))
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if only is not None and format != "html":
        raise OptionError(f"one chapter cannot become {format}, because it is not rendered; leave out --only or --format")
    book = find_book()
    chapters = book.chapters()
    if only is not None and only not in chapters:
        raise unknown("chapter", only, chapters)
    parameters = {"profile": profile, "device": device}
    book.generated.mkdir(parents=True, exist_ok=True)
    try:
        with locked(book.generated, seconds=0):
            index = _build(book, chapters, only, parameters, rebuild)
            return FORMATS[format](book) if FORMATS[format] else index
    except Timeout:
        raise BookError(f"another process builds the book in {book.folder}; wait until it has finished") from None


def _build(book: Book, chapters: list[str], only: str | None, parameters: dict[str, str], rebuild: bool) -> Path:
    for chapter in [only] if only else sorted(chapters, key=collects):
        run_if_changed(book, chapter, parameters, rebuild)
    if only:
        return book.executed / f"{only}.ipynb"
    check(book, chapters, parameters)
    write_pages(book, chapters)
    return render(book, parameters["profile"])
