"""A Sphinx extension that links ids, citation keys, chapters and glossary terms while a page is written.

The sources of pages and docstrings hold plain words: ``A4.11``, ``C4.8``, ``[ma2022gacn]``, ``Chapter: 07_gacn``, decision map.
They read well in an editor, in Colab and in a terminal. In the book each becomes a link. An id, a key or a chapter that does not
exist is a warning, which fails the build.
"""

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from docutils import nodes

from mffrepro.report.ambiguities import all_ambiguities
from mffrepro.report.claims import all_claims
from mffrepro.report.pages import anchor

AMBIGUITIES, LEDGER = "ambiguities", "notebooks/10_claims"
#: Pages, by the beginnings of their names, on which the first use of a term is linked.
PAGES_WITH_TERMS = ("notebooks/", "intro", "run-it", "why-numbers-differ")
#: Terms that are also everyday words; pages link them by hand.
BY_HAND = frozenset({"mirror", "pair"})

ID = re.compile(r"\b[AC]\d\.\d+\b")
BRACKETS = re.compile(r"\[[^\[\]]*\]")
KEY = re.compile(r"\b[a-z][a-z0-9]*\b")
CHAPTER = re.compile(r"(?<=\bChapter: )\d\d_\w+")
#: A word in brackets that can only be a citation key.
SURELY_A_KEY = re.compile(r"[a-z]+(?:19|20)\d\d[a-z0-9]*")
#: Nodes that are not running text: code, headings, captions and links.
NOT_TEXT = (
    nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment, nodes.title, nodes.caption,
    nodes.rubric, nodes.reference, nodes.target, nodes.term, nodes.citation,
)  # fmt: skip
#: HTML that stays as it is: elements that are not running text, comments, and any other tag with its attributes.
MARKUP = re.compile(
    r"""<(script|style|svg|a|code|pre|title)\b.*?</\1\s*> | <!--.*?--> | <(?:[^<>"']|"[^"]*"|'[^']*')*>""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)


class Place(NamedTuple):
    """Hold a page, an anchor on it, and the definition of a term.

    A pop-up shows the definition.
    """

    page: str
    anchor: str = ""
    definition: str = ""


class Link(NamedTuple):
    """Hold words of a page and the place that they lead to."""

    words: str
    place: Place


@dataclass(frozen=True)
class Targets:
    """Hold everything that can be linked to.

    Args:
        ids: Ambiguities and claims.
        keys: Citation keys; None where the book has no bibliography.
        chapters: Names of chapters.
        terms: Terms of the glossary, in lower case.
    """

    ids: dict[str, Place] = field(default_factory=dict)
    keys: dict[str, Place] | None = None
    chapters: dict[str, Place] = field(default_factory=dict)
    terms: dict[str, Place] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------------- words


def find_links(text: str, targets: Targets, warn: Callable[[str], None]) -> list[str | Link]:
    """Split a text into words that stay and words that become links.

    Args:
        text: Running text.
        targets: What can be linked to.
        warn: Takes a sentence about an id, a key or a chapter that does not exist.

    Returns:
        The parts of the text in order.
    """
    found: list[tuple[int, int, Place]] = []
    for match in ID.finditer(text):
        _add(found, match, targets.ids, warn, "ambiguity or claim", f"the registers in {AMBIGUITIES} and {LEDGER}")
    for match in CHAPTER.finditer(text):
        _add(found, match, targets.chapters, warn, "chapter", "the table of contents")
    for bracket in BRACKETS.finditer(text) if targets.keys is not None else ():
        for match in KEY.finditer(text, *bracket.span()):
            if match[0] in targets.keys or SURELY_A_KEY.fullmatch(match[0]):
                _add(found, match, targets.keys, warn, "citation key", "references.bib")
    return _split(text, found)


def _add(found: list, match: re.Match, known: dict[str, Place], warn: Callable[[str], None], kind: str, where: str) -> None:
    if match[0] in known:
        found.append((*match.span(), known[match[0]]))
    else:
        warn(f"no {kind} {match[0]!r}; correct it or add it to {where}")


def _split(text: str, found: Iterable[tuple[int, int, Place]]) -> list[str | Link]:
    parts, end = [], 0
    for start, stop, place in sorted(found):
        parts += [text[end:start], Link(text[start:stop], place)]
        end = stop
    return [part for part in (*parts, text[end:]) if part]


def find_terms(text: str, terms: dict[str, Place], seen: set[str]) -> list[str | Link]:
    """Split a text at the first use of each term.

    Terms are found in the singular or the plural, in either case.

    Args:
        text: Running text.
        terms: Terms in lower case; a longer one wins over a shorter one inside it.
        seen: Terms that have been linked already; those that are linked now are added.

    Returns:
        The parts of the text in order.
    """
    if not terms:
        return [text]
    found = []
    for match in _any_term(tuple(terms)).finditer(text):
        name = _singular(match[0], terms)
        if name not in seen:
            seen.add(name)
            found.append((*match.span(), terms[name]))
    return _split(text, found)


@cache
def _any_term(terms: tuple[str, ...]) -> re.Pattern:
    longest_first = sorted(terms, key=len, reverse=True)
    words = "|".join(re.escape(term).replace(r"\ ", r"\s+") for term in longest_first)
    return re.compile(rf"(?<![\w-])(?:{words})(?:s|es)?(?![\w-])", re.IGNORECASE)


def _singular(words: str, terms: dict[str, Place]) -> str:
    name = " ".join(words.lower().split())
    return next(one for one in (name, name.removesuffix("s"), name.removesuffix("es")) if one in terms)


def link_html(source: str, targets: Targets, address: Callable[[Place], str], warn: Callable[[str], None]) -> str:
    """Link the words of a piece of HTML.

    Tags, code, scripts and existing links stay as they are.
    """
    if not (ID.search(source) or CHAPTER.search(source)):
        return source
    made, end = [], 0
    for markup in MARKUP.finditer(source):
        made += [_linked(source[end : markup.start()], targets, address, warn), markup[0]]
        end = markup.end()
    return "".join([*made, _linked(source[end:], targets, address, warn)])


def _linked(text: str, targets: Targets, address: Callable[[Place], str], warn: Callable[[str], None]) -> str:
    parts = find_links(text, targets, warn)
    return "".join(
        f'<a href="{html.escape(address(part.place))}">{part.words}</a>' if isinstance(part, Link) else part for part in parts
    )


# ------------------------------------------------------------------------------------------------- pages


def link_page(
    doctree: nodes.document,
    targets: Targets,
    address: Callable[[Place], str],
    warn: Callable[[str, nodes.Node], None],
    *,
    terms: bool,
) -> None:
    """Put links into a page, in place.

    Args:
        doctree: The page, with all other references resolved.
        targets: What can be linked to.
        address: From a place to its address as seen from this page.
        warn: Takes a sentence and the node that it is about.
        terms: Whether the first use of each glossary term is linked.
    """
    seen: set[str] = set()
    for node in list(doctree.findall(nodes.Text)):
        if _is_text(node):
            parts = find_links(node.astext(), targets, lambda sentence, node=node: warn(sentence, node))
            if terms and _in_paragraph(node):
                parts = [one for part in parts for one in _with_terms(part, targets.terms, seen)]
            if any(isinstance(part, Link) for part in parts):
                node.parent.replace(node, [_as_node(part, address) for part in parts])
    for node in list(doctree.findall(nodes.raw)):
        if "html" in node.get("format", "").split():
            linked = link_html(node.astext(), targets, address, lambda sentence, node=node: warn(sentence, node))
            node[:] = [nodes.Text(linked)]


def _with_terms(part: str | Link, terms: dict[str, Place], seen: set[str]) -> list[str | Link]:
    return find_terms(part, terms, seen) if isinstance(part, str) else [part]


def _as_node(part: str | Link, address: Callable[[Place], str]) -> nodes.Node:
    if isinstance(part, str):
        return nodes.Text(part)
    link = nodes.reference("", part.words, refuri=address(part.place), internal=True)
    if part.place.definition:
        link["reftitle"] = part.place.definition
        link["classes"].append("mff-term")
    return link


def _ancestors(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def _is_text(node: nodes.Text) -> bool:
    return not any(isinstance(one, NOT_TEXT) or one.tagname.startswith("desc_sig") for one in _ancestors(node))


def _in_paragraph(node: nodes.Text) -> bool:
    return any(isinstance(one, nodes.paragraph) for one in _ancestors(node))


# ------------------------------------------------------------------------------------------------ sphinx


class Linker:
    """Link what pages cite, when Sphinx is about to write them."""

    def __init__(self) -> None:
        self.targets: Targets | None = None

    def __call__(self, app: Any, doctree: nodes.document, page: str) -> None:
        """Link one page."""
        from sphinx.util import logging

        if app.builder.format != "html":
            return
        if self.targets is None:  # complete only now: every page has been read
            self.targets = collect_targets(app.env)
        logger = logging.getLogger(__name__)
        link_page(
            doctree,
            self.targets,
            lambda place: app.builder.get_relative_uri(page, place.page) + (f"#{place.anchor}" if place.anchor else ""),
            lambda sentence, node: logger.warning(sentence, location=node, type="mffrepro", subtype="links"),
            terms=page.startswith(PAGES_WITH_TERMS),
        )


def collect_targets(env: Any) -> Targets:
    """List what the pages of a book can be linked to.

    Args:
        env: Sphinx's build environment, after all pages have been read.

    Returns:
        Ids whose page is in the book, keys of the bibliography, chapters, and terms of the glossary.
    """
    registers = {AMBIGUITIES: all_ambiguities().index, LEDGER: all_claims().index}
    ids = {name: Place(page, anchor(name)) for page, names in registers.items() if page in env.found_docs for name in names}
    cite = env.domains.get("cite")
    keys = {one.key: Place(one.bibliography_key.docname, one.citation_id) for one in cite.citations} if cite else None
    chapters = {page.partition("/")[2]: Place(page) for page in env.found_docs if page.startswith("notebooks/")}
    objects = list(env.get_domain("std").get_objects())
    meanings = {page: definitions(env.get_doctree(page)) for page in {one[3] for one in objects if one[2] == "term"}}
    terms = {
        name.lower(): Place(page, place, meanings[page][place]) for name, _, kind, page, place, _ in objects if kind == "term"
    }
    return Targets(ids, keys, chapters, {name: place for name, place in terms.items() if name not in BY_HAND})


def definitions(doctree: nodes.document) -> dict[str, str]:
    """List the terms of a glossary: anchor -> definition.

    Terms above one definition share it.
    """
    found = {}
    for item in doctree.findall(nodes.definition_list_item):
        text = " ".join(part.astext() for part in item.findall(nodes.definition))
        found |= {anchor: " ".join(text.split()) for term in item.findall(nodes.term) for anchor in term["ids"]}
    return found


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("doctree-resolved", Linker())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
