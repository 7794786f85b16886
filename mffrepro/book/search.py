"""Let readers search the built book by section: prose, tables' words, claims and terms, and not code.

Sphinx lists pages, counts the words of code cells, and shows no words around a hit when a page is opened from disk. Here every
section, API entry, claim and term is one entry of a script that the search page loads, so that it also works without a server.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mffrepro.images import write_atomically

if TYPE_CHECKING:
    from bs4 import Tag

TARGET = Path("_static/sections.js")
PAGE = "search.html"
#: Pages of Sphinx that hold nothing of their own.
LISTS = ("index.html", PAGE, "genindex.html", "py-modindex.html")
#: What is not read: code, formulas, drawings, settings of sliders, and signs that serve the page.
SILENT = "script, style, svg, div.highlight, .math, .headerlink, .mff-state"
#: What can be found, each with an anchor of its own.
PLACES = "section[id], dt.sig[id], dl.glossary dt[id], p[id], .citation[id], .mff-box[id], figure[id]"
#: Entries that stand before their words, and the element that holds these.
HEADS = {"dt": "dd", "p": "ul"}
#: Where the title of an entry stands in it; the others are their own title.
TITLES = {"section": ["h1", "h2", "h3", "h4"], "figure": "figcaption", "div": "b"}
TITLE_LENGTH, WORD = 160, re.compile(r"[^\W\d_]{2,}")
#: Scripts of Sphinx's own search, whose places ours take.
SCRIPTS = re.compile(r'<script src="(?:_static/searchtools|_static/language_data|searchindex)\.js[^"]*"></script>\s*')
OURS = '<script src="_static/sections.js"></script>'


def add_search(html: Path) -> int:
    """Write the entries of all pages, and let the search page use them.

    Args:
        html: Folder of the built book.

    Returns:
        Number of entries.
    """
    entries = []
    for path in sorted(html.rglob("*.html")):
        name = path.relative_to(html).as_posix()
        if name not in LISTS and not name.startswith("_"):
            entries += [[name, *entry] for entry in read_entries(path.read_text(encoding="utf-8"))]
    packed = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    write_atomically(html / TARGET, f"window.mffSections={packed};\n".encode())
    page = SCRIPTS.sub("", (html / PAGE).read_text(encoding="utf-8"))
    write_atomically(html / PAGE, page.replace("</head>", OURS + "</head>", 1).encode())
    return len(entries)


def read_entries(page: str) -> list[tuple[str, str, str, str]]:
    """Read what can be found on a page.

    Args:
        page: Its HTML.

    Returns:
        Anchor, title of the page, title of the entry, and its words without those of entries inside it; in their order.
    """
    from bs4 import BeautifulSoup

    article = BeautifulSoup(page, "html.parser").find("article")
    if article is None or article.find("h1") is None:
        return []
    for silent in article.select(SILENT):
        silent.decompose()
    whole, entries = _words(article.find("h1")), []
    for place in reversed(article.select(PLACES)):  # inner ones first: their words are theirs alone
        title, body = _title(place), _body(place)
        words = _words(body) if body is not None else ""
        place.extract()
        if body is not None:
            body.extract()
        if WORD.search(title + words):
            entries.append((place["id"], whole, title, words.removeprefix(title).strip()))
    return entries[::-1]


def _title(place: "Tag") -> str:
    if {"sig", "citation"} & set(place.get("class", ())):
        return place["id"]
    heading = place.find(TITLES[place.name]) if place.name in TITLES else None
    return _words(heading or place)[:TITLE_LENGTH]


def _body(place: "Tag") -> "Tag | None":
    """Return the element that holds an entry's words; None for a term that shares its definition with the next one."""
    if place.name not in HEADS:
        return place
    below = place.find_next_sibling()
    return below if below is not None and below.name == HEADS[place.name] else None


def _words(part: "Tag") -> str:
    return " ".join(part.get_text(" ").split())
