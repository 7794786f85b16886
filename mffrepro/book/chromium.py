"""Print pages to PDF by headless Chromium, which the reader of a book has or can get."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mffrepro.book.layout import BookError

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: Without a sandbox, which root in a container cannot have, and without requests of its own.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Text on A4 paper between the margins of `SHEET`: width and height in CSS pixels, of which an inch has 96.
WIDTH, HEIGHT = 680, 990
#: Milliseconds that a page may take to load, to set its formulas, or to be printed.
TIMEOUT = 120_000
#: Only this script of the book runs in print; what a page holds without the others is what belongs on paper.
RUNS = "/mathjax/"
#: Waits for the formulas, and fails where MathJax does.
FORMULAS = """(milliseconds) => Promise.race([window.MathJax?.startup?.promise, new Promise((_, fail) =>
  setTimeout(() => fail(Error("MathJax does not set the formulas")), milliseconds))])"""
PREPARE = Path(__file__).with_name("print.js")
#: The sheet, its running title, and numbers that go on from the page before.
SHEET = """
@page {{ size: A4; margin: 18mm 15mm 17mm; }}
@page {{ @top-left {{ content: "{title}"; {font} }} @bottom-center {{ content: counter(page, {numerals}); {font} }} }}
@page :first {{ counter-set: page {number}; @top-left {{ content: none; }} }}
{extra}
"""
FONT = "font: 8pt 'DejaVu Sans', Arial, sans-serif; color: #555;"


@dataclass(frozen=True)
class Heading:
    """Hold a heading of a page.

    Args:
        level: 1 for the title of the page, up to 3.
        title: Its text.
        id: Anchor in the page; empty where there is none.
    """

    level: int
    title: str
    id: str


class Printer:
    """Print pages one after another in the same browser; made by `open_printer`."""

    def __init__(self, page: "Page") -> None:
        self._page = page

    def open(self, path: Path) -> list[Heading]:
        """Load a page, wait for pictures and formulas, and make it ready for paper.

        Args:
            path: The HTML file.

        Returns:
            The headings that it shows, in order.
        """
        self._page.goto(path.as_uri(), wait_until="load")
        self._page.evaluate(FORMULAS, TIMEOUT)
        return [Heading(**one) for one in self._page.evaluate(f"({PREPARE.read_text(encoding='utf-8').strip()})", HEIGHT)]

    def print(self, *, number: int, title: str, numerals: str = "decimal", extra: str = "") -> bytes:
        """Print the page that is open.

        Args:
            number: Number of its first sheet.
            title: Running title, on all sheets but the first.
            numerals: How the numbers are written, a counter style of CSS.
            extra: More CSS.

        Returns:
            The PDF.
        """
        quoted = title.replace("\\", "\\\\").replace('"', '\\"')
        style = SHEET.format(title=quoted, number=number, numerals=numerals, font=FONT, extra=extra)
        self._page.add_style_tag(content=style)
        return self._page.pdf(prefer_css_page_size=True, print_background=True)


def installed() -> str | None:
    """Find Chromium among the programs of this machine; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def open_printer() -> Iterator[Printer]:
    """Start Chromium and yield what prints.

    Raises:
        BookError: playwright or Chromium is missing, Chromium does not start, or a page takes too long.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError:
        raise BookError("printing the book needs playwright; install it with: pip install 'mffrepro[book]'") from None
    path = installed()
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        except Error as error:
            reason = f"{path} does not start ({error.message.splitlines()[0]})" if path else "no Chromium is installed"
            raise BookError(
                f"the book cannot be printed: {reason}; install Chromium (apt install chromium, or playwright install chromium)"
            ) from None
        try:
            yield Printer(_page(browser))
        except Error as error:
            raise BookError(f"Chromium did not print the book: {error.message.splitlines()[0]}; try again") from None
        finally:
            browser.close()


def _page(browser) -> "Page":
    """Open an empty page as wide as paper, in light colours, without the network."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.set_default_timeout(TIMEOUT)
    page.emulate_media(media="print", color_scheme="light")
    page.route("**/*", _allow)
    return page


def _allow(route) -> None:
    request = route.request
    stray = not request.url.startswith(("file:", "data:"))
    if stray or (request.resource_type == "script" and RUNS not in request.url):
        route.abort()
    else:
        route.continue_()
