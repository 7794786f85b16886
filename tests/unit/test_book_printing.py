"""The printed book: order, numbers, bookmarks, links, and that nothing is cut."""

import asyncio
import io
import itertools
import re
import shutil
import subprocess
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mffrepro.book import build, chromium
from mffrepro.book.chromium import Heading
from mffrepro.book.joining import Printed, join
from mffrepro.book.layout import HOME, Book, BookError
from mffrepro.book.printing import print_book
from mffrepro.errors import OptionError

pypdf = pytest.importorskip("pypdf")
Link = pytest.importorskip("pypdf.annotations").Link
pytest.importorskip("yaml")

needs_chromium = pytest.mark.skipif(not chromium.installed(), reason="Chromium is not installed")

TOC = "root: intro\nparts:\n  - caption: Reading\n    chapters:\n      - file: notebooks/second\n      - file: first\n"
COLUMNS = [f"metric{number:02}" for number in range(40)]
ROWS = [f"method{number}" for number in range(60)]
TABLE = (
    "<table><caption>A wide table</caption><thead><tr><th></th>"
    + "".join(f"<th>{column}</th>" for column in COLUMNS)
    + "</tr></thead><tbody>"
    + "".join(f"<tr><th>{row}</th>{'<td>0.12345678</td>' * len(COLUMNS)}</tr>" for row in ROWS)
    + "</tbody></table>"
)
#: What MathJax does, later than the page is loaded.
FORMULAS = """window.MathJax = {startup: {promise: new Promise((done) => setTimeout(() => {
  for (const one of document.querySelectorAll(".math")) one.textContent = "E equals m c squared";
  done(); }, 700))}};"""
PAGES = {
    "intro": """<section id="start"><h1>The start</h1>
<p>On to <a href="notebooks/second.html#deep">the deep part</a>.</p></section>""",
    "notebooks/second": f"""<section id="second"><h1>The second<a class="headerlink" href="#second">#</a></h1>
<p>Back to <a href="../first.html">the first page</a>, see <a href="../search.html">search</a>
and <a href="https://example.org/paper">a paper</a>.</p>
<details class="hide"><summary>Code</summary><pre>hidden_code()</pre></details>
<details><summary>Why?</summary><p>Because of the answer.</p></details>
<div class="math">\\[ E = m c^2 \\]</div>{TABLE}
<section id="deep"><h2>The deep part</h2><p>Down here; <a href="#second">up</a>.</p></section></section>""",
    "first": '<section id="first"><h1>The first, which comes last</h1><p>End.</p>'
    '<figure><div style="height: 1500px">Head of the figure</div><figcaption>Foot of the figure</figcaption></figure></section>',
}
LAYOUT = """<!DOCTYPE html><html><head><style>th, td {{ white-space: nowrap; font: 9px sans-serif; }}</style>
<link rel="stylesheet" href="{up}_static/mffrepro.css"><script src="{up}_static/mathjax/tex.js"></script>
<script src="{up}_static/other.js"></script></head><body>
<aside class="bd-header-announcement"><div class="bd-header-announcement__content">Quick profile.</div></aside>
<article>{body}</article></body></html>"""


def made_site(folder) -> Book:
    """A built book of three pages."""
    book = Book(folder)
    (book.html / "_static" / "mathjax").mkdir(parents=True)
    (book.html / "notebooks").mkdir()
    (book.html / "_static" / "mathjax" / "tex.js").write_text(FORMULAS)
    shutil.copy(Path(__file__).parents[2] / "book" / "_static" / "mffrepro.css", book.html / "_static")
    (book.html / "_static" / "other.js").write_text('addEventListener("load", () => document.body.append("scripted"));')
    (book.folder / "_toc.yml").write_text(TOC)
    for name, body in PAGES.items():
        (book.html / f"{name}.html").write_text(LAYOUT.format(up="../" * name.count("/"), body=body))
    return book


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Book:
    return made_site(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def printed(book):
    pytest.importorskip("playwright")
    return pypdf.PdfReader(print_in_jupyter(book))


def print_in_jupyter(book: Book) -> Path:
    """Print where an event loop runs, as it does in each cell of a notebook; in a thread, since one may run here already."""

    async def cell() -> Path:
        return print_book(book)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(cell())).result()


@pytest.fixture(scope="module")
def texts(printed) -> list[str]:
    return [unicodedata.normalize("NFKC", page.extract_text()) for page in printed.pages]  # without ligatures


def sheet_of(texts: list[str], words: str) -> int:
    """Index of the last sheet that holds these words; the contents hold titles too."""
    return max(number for number, text in enumerate(texts) if words in text)


def links(printed) -> list[tuple[int, str | int]]:
    """Sheet of each link -> sheet or address that it leads to."""
    numbers = {page.indirect_reference.idnum: number for number, page in enumerate(printed.pages)}
    found = []
    for number, page in enumerate(printed.pages):
        ours = [reference.get_object() for reference in page.get("/Annots") or ()]
        found += [(number, link["/A"]["/URI"] if "/A" in link else numbers[link["/Dest"][0].idnum]) for link in ours]
    return found


# ------------------------------------------------------------------------------------------------ the whole book


@needs_chromium
@pytest.mark.slow
def test_pages_come_in_the_order_of_the_contents(texts):
    found = [sheet_of(texts, words) for words in ("On to", "Back to", "Down here", "End.")]
    assert found == sorted(found)
    assert "Quick profile." in texts[0]
    assert "Contents" in texts[1]


@needs_chromium
@pytest.mark.slow
def test_sheets_are_numbered_and_the_contents_name_these_numbers(printed, texts):
    front = sheet_of(texts, "Contents") + 1
    assert printed.page_labels[:front] == ["i", "ii"]
    assert printed.page_labels[front:] == [str(number) for number in range(1, len(texts) - front + 1)]
    for number, text in enumerate(texts[front:], 1):
        assert str(number) in text.split("\n"), text
    for title, words in (("The second", "Back to"), ("The deep part", "Down here"), ("The first, which comes last", "End.")):
        stated = int(re.search(rf"{title}\s*(\d+)", texts[1])[1])
        assert stated == sheet_of(texts, words) - front + 1


@needs_chromium
@pytest.mark.slow
def test_bookmarks_hold_parts_pages_and_sections(printed, texts):
    def tree(items):
        for item, after in itertools.pairwise([*items, None]):
            if not isinstance(item, list):
                yield item.title, list(tree(after)) if isinstance(after, list) else []

    assert list(tree(printed.outline)) == [
        ("Contents", []),
        ("The start", []),
        ("Reading", [("The second", [("The deep part", [])]), ("The first, which comes last", [])]),
    ]
    reading = printed.outline[3]
    assert printed.get_destination_page_number(reading[1][0]) == sheet_of(texts, "Down here")


@needs_chromium
@pytest.mark.slow
def test_links_lead_within_the_file_or_to_the_web(printed, texts):
    found = links(printed)
    assert (sheet_of(texts, "On to"), sheet_of(texts, "Down here")) in found
    assert (sheet_of(texts, "Back to"), sheet_of(texts, "End.")) in found
    assert (sheet_of(texts, "Down here"), sheet_of(texts, "Back to")) in found
    assert {target for _, target in found if isinstance(target, str)} == {
        f"{HOME}", f"{HOME}/search.html", "https://example.org/paper",
    }  # fmt: skip


@needs_chromium
@pytest.mark.slow
def test_paper_has_what_can_be_read_and_nothing_to_press(texts):
    whole = "\n".join(texts)
    assert "E equals m c squared" in whole
    assert "Because of the answer." in whole
    for absent in ("hidden_code", "scripted", "#"):
        assert absent not in whole
    assert whole.count("Quick profile.") == 1


@needs_chromium
@pytest.mark.slow
def test_a_wide_table_is_not_cut(printed, texts):
    whole = "\n".join(texts)
    assert len(re.findall(r"0\.12345678", whole)) == len(ROWS) * len(COLUMNS)
    assert all(column in whole for column in COLUMNS)
    blocks = whole.count("A wide table")
    assert blocks > 1
    assert whole.count("(continued)") == blocks - 1
    assert min(whole.count(row) for row in ROWS) >= blocks  # each block names its rows
    for page in printed.pages:
        assert [round(float(side)) for side in page.mediabox] == [0, 0, 595, 842]


@needs_chromium
@pytest.mark.slow
def test_a_figure_taller_than_a_sheet_is_not_broken(texts):
    assert sheet_of(texts, "Head of the figure") == sheet_of(texts, "Foot of the figure")


@needs_chromium
@pytest.mark.slow
def test_margins_are_white(printed, book, tmp_path):
    """Nothing reaches into the margin: text that is cut off there would still be extracted."""
    if not shutil.which("pdftoppm"):
        pytest.skip("pdftoppm is not installed")
    import numpy as np
    from PIL import Image

    command = ["pdftoppm", "-r", "50", "-gray", "-png", str(book.html / "mffrepro-book.pdf"), str(tmp_path / "sheet")]
    subprocess.run(command, check=True)
    sheets = sorted(tmp_path.glob("sheet*.png"))
    assert len(sheets) == len(printed.pages)
    for sheet in sheets:
        pixels = np.asarray(Image.open(sheet))
        margin = round(13 / 25.4 * 50)
        assert pixels.min() < 128, "a sheet is empty"
        assert pixels[:, :margin].min() == pixels[:, -margin:].min() == 255, sheet.name


# --------------------------------------------------------------------------------------------- without Chromium


def sheets(count: int, *, names: dict[str, tuple[int, float]], addresses: tuple[str, ...] = ()) -> bytes:
    """A PDF of empty sheets with named places, and with links on its first sheet."""
    writer = pypdf.PdfWriter()
    for _ in range(count):
        writer.add_blank_page(595, 842)
    for name, (number, top) in names.items():
        place = pypdf.generic.Destination(name, writer.pages[number].indirect_reference, pypdf.generic.Fit.xyz(top=top))
        writer.add_named_destination_object(place)
    for number, address in enumerate(addresses):
        box = (10, 10 + 20 * number, 100, 25 + 20 * number)
        writer.add_annotation(0, Link(rect=box, url=address))
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def test_joined_links_find_their_places():
    site = "file:///site"
    first = sheets(2, names={}, addresses=(f"{site}/b.html#there", f"{site}/b.html#gone", f"{site}/c.html", "https://x.org/"))
    second = sheets(3, names={"there": (1, 500.0)})
    pages = [
        Printed(f"{site}/a.html", [Heading(1, "A", "")], first),
        Printed(f"{site}/b.html", [Heading(1, "B", ""), Heading(2, "There", "there")], second),
    ]
    joined = pypdf.PdfReader(io.BytesIO(join(pages, site, "https://web.org", {"/Title": "Both"})))
    assert [target for _, target in links(joined)] == [3, 2, "https://web.org/c.html", "https://x.org/"]
    assert joined.pages[0]["/Annots"][0].get_object()["/Dest"][3] == 500
    assert joined.page_labels == ["i", "ii", "1", "2", "3"]
    assert joined.metadata.title == "Both"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "pfd"}, "no format 'pfd'; did you mean 'pdf'"),
        ({"format": "pdf", "only": "07_gacn"}, "one chapter cannot become pdf"),
    ],
)
def test_formats_that_cannot_be_made_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        build(**options)


def test_a_page_that_is_not_built_is_named(tmp_path):
    book = made_site(tmp_path)
    (book.html / "first.html").unlink()
    with pytest.raises(BookError, match="the page first is not built, so the book cannot be printed; run make book first"):
        print_book(book)


def test_a_machine_without_chromium_is_told_how_to_get_it(tmp_path, monkeypatch):
    pytest.importorskip("playwright")
    monkeypatch.setattr(chromium, "NAMES", ("no-such-browser",))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    with pytest.raises(BookError, match=r"no Chromium is installed; install Chromium \(apt install chromium"):
        print_in_jupyter(made_site(tmp_path / "book"))
