"""Links of the built book: each leads to a page and an anchor that are there, and every id in running text is a link."""

import posixpath
import re
from functools import cache
from pathlib import Path

import pytest

bs4 = pytest.importorskip("bs4")

HTML = Path(__file__).parents[2] / "book" / "_build" / "html"
#: Pages with an article; Sphinx's own lists have none worth following.
PAGES = sorted(
    name
    for path in HTML.rglob("*.html")
    if not (name := path.relative_to(HTML).as_posix()).startswith(("_static/", "genindex", "search", "py-modindex", "index"))
)
ID = re.compile(r"\b[AC]\d\.\d+\b")
NOT_TEXT = {"a", "code", "pre", "script", "style", "svg", "h1", "h2", "h3", "h4", "figcaption", "dt"}

pytestmark = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="the book is not built; run make book")


@cache
def page(name: str):
    return bs4.BeautifulSoup((HTML / name).read_text(), "html.parser")


@cache
def anchors(name: str) -> frozenset[str]:
    return frozenset(element["id"] for element in page(name).find_all(id=True))


def article(name: str):
    return page(name).find("article") or page(name)


def targets(name: str) -> list[tuple[str, str]]:
    """Page and anchor of every link inside the book."""
    found = []
    for element in article(name).find_all("a", href=True):
        path, _, anchor = element["href"].partition("#")
        if not re.match(r"[a-z]+:", path):
            found.append((posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name, anchor))
    return found


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_pages_and_anchors(name):
    dead = []
    for target, anchor in targets(name):
        there = (HTML / target).exists()
        if not there or (anchor and target.endswith(".html") and anchor not in anchors(target)):
            dead.append(f"{target}#{anchor}")
    assert dead == []


@pytest.mark.parametrize("name", PAGES)
def test_every_id_in_running_text_is_a_link(name):
    texts = article(name).find_all(string=ID)
    assert [text.strip() for text in texts if not NOT_TEXT & {parent.name for parent in text.parents}] == []


def test_the_registers_are_linked_from_the_chapters_of_the_papers():
    for name in PAGES:
        if re.match(r"notebooks/0[3-7]_", name):
            linked = {target for target, anchor in targets(name) if anchor}
            assert {"ambiguities.html", "notebooks/10_claims.html", "glossary.html"} <= linked, name
