"""Make one PDF of the built book: title page, contents, and all pages in the order of ``book/_toc.yml``."""

import html
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template

from mffrepro.book.chromium import Printer, open_printer
from mffrepro.book.joining import Printed, join, places
from mffrepro.book.layout import HOME, NAME, Book, BookError
from mffrepro.images import write_atomically
from mffrepro.version import __version__

TEMPLATE = Path(__file__).with_name("front.html")
ANNOUNCEMENT = re.compile(r'<div class="bd-header-announcement__content">([^<]+)</div>')


def print_book(book: Book) -> Path:
    """Print the built book.

    Args:
        book: The checkout.

    Returns:
        Path of the PDF, beside ``index.html``.

    Raises:
        BookError: A page is not built, or Chromium is missing or fails.
    """
    files = list(_files(book))
    with ThreadPoolExecutor(1) as thread:  # playwright refuses a thread whose event loop runs, which is Jupyter's main one
        front, *pages = thread.submit(_print_pages, files).result()
    target = book.html / f"{NAME}.pdf"
    facts = {"/Title": pages[0].headings[0].title, "/Author": "The mffrepro authors"}
    write_atomically(target, join([front, *pages], book.html.resolve().as_uri(), HOME, facts))
    print(target, flush=True)
    return target


def _files(book: Book) -> Iterator[tuple[str, Path]]:
    """List the built pages in the order of the contents, each with the caption of the part that it opens."""
    import yaml

    toc = yaml.safe_load((book.folder / "_toc.yml").read_text(encoding="utf-8"))
    names = [("", toc["root"])]
    for part in toc["parts"]:
        captions = [part.get("caption", ""), *[""] * (len(part["chapters"]) - 1)]
        names += zip(captions, (chapter["file"] for chapter in part["chapters"]), strict=True)
    for caption, name in names:
        path = (book.html / f"{name}.html").resolve()
        if not path.exists():
            raise BookError(f"the page {name} is not built, so the book cannot be printed; run make book first")
        yield caption, path


def _print_pages(files: list[tuple[str, Path]]) -> list[Printed]:
    """Print the pages, and before them the contents, which name the sheets of all others."""
    pages: list[Printed] = []
    with open_printer() as printer:
        for part, path in files:
            headings = printer.open(path)
            pdf = printer.print(number=1 + sum(page.sheets for page in pages), title=headings[0].title)
            pages.append(Printed(path.as_uri(), headings, pdf, part))
        return [_print_front(printer, files[0][1], pages), *pages]


def _print_front(printer: Printer, first: Path, pages: list[Printed]) -> Printed:
    """Print the title page and the contents, with the picture and the banner of the first page."""
    banner = ANNOUNCEMENT.search(first.read_text(encoding="utf-8"))
    values = {
        "title": html.escape(pages[0].headings[0].title),
        "picture": (first.parent / "_static" / "hero.webp").as_uri(),
        "version": __version__,
        "home": HOME,
        "note": banner[1].strip() if banner else "",
        "contents": "\n".join(_contents(pages)),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "front.html"
        path.write_text(Template(TEMPLATE.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
        headings = printer.open(path)
        return Printed(path.as_uri(), headings, printer.print(number=1, title="Contents", numerals="lower-roman"))


def _contents(pages: list[Printed]) -> Iterator[str]:
    """Write the lines of the contents: parts, pages and their sections, with the numbers of their sheets."""
    start = 1
    for page in pages:
        known = places(page, start)
        if page.part:
            yield f'<p class="part">{html.escape(page.part)}</p>'
        for heading in page.headings:
            if heading.level < 3:
                address = f"{page.address}#{heading.id}"
                number, _ = known.get(address, known[page.address])
                yield (
                    f'<p class="level{heading.level}"><a href="{html.escape(address)}">{html.escape(heading.title)}</a>'
                    f"<span></span><b>{number}</b></p>"
                )
        start += page.sheets
