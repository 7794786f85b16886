"""Links that the book makes: the right words become links, all others stay, and what leads nowhere is reported."""

import pytest

nodes = pytest.importorskip("docutils.nodes")
new_document = pytest.importorskip("docutils.utils").new_document

from mffrepro.book.links import (  # noqa: E402
    Link,
    Place,
    Targets,
    definitions,
    find_links,
    find_terms,
    link_html,
    link_page,
)

A, C, KEY, CHAPTER = (
    Place("ambiguities", "a4-11"),
    Place("ledger", "c4-8"),
    Place("bibliography", "he2013guided"),
    Place("07_gacn"),
)
TERMS = {"decision map": Place("glossary", "term-1"), "initial decision map": Place("glossary", "term-2")}
TERMS |= {"seed": Place("glossary", "term-3", "A number."), "loss": Place("glossary", "term-4")}
TARGETS = Targets({"A4.11": A, "C4.8": C}, {"he2013guided": KEY, "tlcnn": KEY}, {"07_gacn": CHAPTER}, TERMS)


def address(place: Place) -> str:
    return f"{place.page}.html#{place.anchor}"


def silent(sentence: str) -> None:
    raise AssertionError(sentence)


def links_in(text: str) -> dict[str, Place]:
    return dict(part for part in find_links(text, TARGETS, silent) if isinstance(part, Link))


# ------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("as printed (A4.11)", {"A4.11": A}),
        ("see A4.11, C4.8.", {"A4.11": A, "C4.8": C}),
        ("[he2013guided], section 3.1", {"he2013guided": KEY}),
        ("[tlcnn, he2013guided] and tlcnn", {"tlcnn": KEY, "he2013guided": KEY}),
        ("Chapter: 07_gacn.", {"07_gacn": CHAPTER}),
        ("in [0, 1], [near, far], 07_gacn, A4, BA4.11, C4.8a", {}),
    ],
)
def test_ids_keys_and_chapters_become_links(text, links):
    parts = find_links(text, TARGETS, silent)
    assert links_in(text) == links
    assert "".join(part if isinstance(part, str) else part.words for part in parts) == text


@pytest.mark.parametrize("text", ["A4.12", "C0.1", "[ma2022gacn]", "[he2013guided, li1999x]", "Chapter: 08_gacn"])
def test_what_does_not_exist_is_reported(text):
    complaints = []
    find_links(text, TARGETS, complaints.append)
    (complaint,) = complaints
    assert complaint.startswith("no ")


def test_brackets_mean_nothing_in_a_book_without_a_bibliography():
    assert find_links("[ma2022gacn]", Targets(), silent) == ["[ma2022gacn]"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Two seeds, one seed.", ["seeds"]),
        ("Decision\nmaps and losses", ["Decision\nmaps", "losses"]),
        ("the initial decision map and the decision map", ["initial decision map", "decision map"]),
        ("seeded, reseed, seed-like, decision mapping", []),
    ],
)
def test_the_first_use_of_a_term_becomes_a_link(text, words):
    seen = set()
    assert [part.words for part in find_terms(text, TERMS, seen) if isinstance(part, Link)] == words
    assert not any(isinstance(part, Link) for part in find_terms(text, TERMS, seen))


# -------------------------------------------------------------------------------------------------- html


@pytest.mark.parametrize(
    ("source", "linked"),
    [
        ("<b>C4.8</b> saves", '<b><a href="ledger.html#c4-8">C4.8</a></b> saves'),
        ("1 &lt; 2 (A4.11)", '1 &lt; 2 (<a href="ambiguities.html#a4-11">A4.11</a>)'),
        ('<img alt="x > C4.8"> C4.8', '<img alt="x > C4.8"> <a href="ledger.html#c4-8">C4.8</a>'),
        (
            "<td title='A4.11 \"q\"'>Chapter: 07_gacn</td>",
            '<td title=\'A4.11 "q"\'>Chapter: <a href="07_gacn.html#">07_gacn</a></td>',
        ),
    ],
)
def test_html_is_linked_between_its_tags(source, linked):
    assert link_html(source, TARGETS, address, silent) == linked


@pytest.mark.parametrize(
    "source",
    [
        "<script>let rows = ['C4.8', 'a < b'];</script>",
        "<style>.A4.11 {}</style>",
        "<code>A4.11</code>",
        "<PRE class=x>\nC4.8\n</PRE>",
        '<a href="#">C4.8</a>',
        "<svg><text>A4.11</text></svg>",
        "<!-- C4.8 -->",
        '<div id="C4.8"></div>',
        "no id at all [he2013guided]",
    ],
)
def test_html_that_is_no_running_text_stays(source):
    assert link_html(source, TARGETS, address, silent) == source


# ------------------------------------------------------------------------------------------------- pages


def page(*children: nodes.Node) -> nodes.document:
    made = new_document("page")
    made += children
    return made


def linked(document: nodes.document, *, terms: bool = True) -> list[tuple[str, str]]:
    link_page(document, TARGETS, address, lambda sentence, node: silent(sentence), terms=terms)
    return [(node.astext(), node["refuri"]) for node in document.findall(nodes.reference)]


def test_a_paragraph_is_linked_and_reads_the_same():
    text = "The decision map (A4.11), its seed, and every other decision map."
    document = page(nodes.paragraph("", text))
    found = linked(document)
    assert found == [
        ("decision map", "glossary.html#term-1"),
        ("A4.11", "ambiguities.html#a4-11"),
        ("seed", "glossary.html#term-3"),
    ]
    assert document.astext() == text


def test_a_link_to_a_term_carries_its_definition():
    document = page(nodes.paragraph("", "A seed decides (A4.11) over the decision map."))
    linked(document)
    found = {node.astext(): (node.get("reftitle"), node["classes"]) for node in document.findall(nodes.reference)}
    assert found == {"seed": ("A number.", ["mff-term"]), "A4.11": (None, []), "decision map": (None, [])}


def test_terms_above_one_definition_share_it():
    terms = [nodes.term("", "stack", ids=["term-a"]), nodes.term("", "focal stack", ids=["term-b"])]
    item = nodes.definition_list_item("", *terms, nodes.definition("", nodes.paragraph("", "Photographs\nof one scene.")))
    found = definitions(page(nodes.definition_list("", item)))
    assert found == dict.fromkeys(("term-a", "term-b"), "Photographs of one scene.")


def test_terms_are_linked_once_on_a_page_and_only_where_asked():
    def two():
        return page(nodes.paragraph("", "a seed"), nodes.bullet_list("", nodes.list_item("", nodes.paragraph("", "seeds, C4.8"))))

    assert linked(two()) == [("seed", "glossary.html#term-3"), ("C4.8", "ledger.html#c4-8")]
    assert linked(two(), terms=False) == [("C4.8", "ledger.html#c4-8")]


@pytest.mark.parametrize(
    "node",
    [
        nodes.section("", nodes.title("", "The seed, A4.11")),
        nodes.paragraph("", "", nodes.literal("", "seed A4.11")),
        nodes.literal_block("", "seed A4.11 [he2013guided]"),
        nodes.paragraph("", "", nodes.reference("", "seed A4.11", refuri="elsewhere")),
        nodes.figure("", nodes.caption("", "seed A4.11")),
        nodes.paragraph("", "", nodes.math("", "seed A4.11")),
        nodes.raw("", "seed A4.11", format="latex"),
    ],
    ids=lambda node: node.children[0].tagname if len(node.children) else node.tagname,
)
def test_headings_code_captions_and_links_stay(node):
    document = page(node)
    assert [pair for pair in linked(document) if pair[1] != "elsewhere"] == []


def test_html_of_an_output_is_linked():
    document = page(nodes.raw("", "<b>C4.8</b>", format="html"))
    linked(document)
    assert document.children[0].astext() == '<b><a href="ledger.html#c4-8">C4.8</a></b>'


def test_a_complaint_names_its_place():
    found = []
    document = page(nodes.paragraph("", "right C4.8"), nodes.paragraph("", "wrong C4.7"))
    link_page(document, TARGETS, address, lambda sentence, node: found.append((sentence, node.astext())), terms=False)
    ((sentence, place),) = found
    assert "'C4.7'" in sentence
    assert place == "wrong C4.7"


# ------------------------------------------------------------------------------------------------- sphinx


CONFIG = 'extensions = ["myst_parser", "mffrepro.book.links"]\nhtml_theme = "basic"\n'
GLOSSARY = "# Glossary\n\n```{glossary}\nseed\n  The number.\n\nmirror\n  A folder.\n```\n"


def build(folder, chapter: str):
    """A small book of one chapter, a glossary and the ambiguities; the page of the chapter and Sphinx's warnings."""
    import io

    application = pytest.importorskip("sphinx.application")
    pytest.importorskip("myst_parser")
    source, warnings = folder / "source", io.StringIO()
    (source / "notebooks").mkdir(parents=True)
    files = {
        "conf.py": CONFIG,
        "glossary.md": GLOSSARY,
        "notebooks/07_gacn.md": chapter,
        "ambiguities.md": "# A\n\n(a4-11)=\n\nx\n",
    }
    files["index.md"] = "# Index\n\n```{toctree}\nglossary\nambiguities\nnotebooks/07_gacn\n```\n"
    for name, text in files.items():
        (source / name).write_text(text)
    app = application.Sphinx(
        source, source, folder / "html", folder / "trees", "html", status=None, warning=warnings, freshenv=True
    )
    app.build()
    return (folder / "html" / "notebooks" / "07_gacn.html").read_text(), warnings.getvalue()


@pytest.mark.slow
def test_sphinx_links_a_chapter(tmp_path):
    html, warnings = build(tmp_path, "# GACN\n\nOne seed and a mirror (A4.11). Chapter: 07_gacn. [ma2022gacn]\n")
    assert '<a class="mff-term reference internal" href="../glossary.html#term-seed" title="The number.">seed</a>' in html
    assert 'href="../ambiguities.html#a4-11"' in html
    assert "term-mirror" not in html
    assert "[ma2022gacn]" in html
    assert warnings == ""


@pytest.mark.slow
def test_sphinx_warns_of_what_does_not_exist(tmp_path):
    _, warnings = build(tmp_path, "# GACN\n\nA claim whose ledger is not in the book, C4.8. An ambiguity, A4.11.\n")
    assert "no ambiguity or claim 'C4.8'" in warnings
    assert "07_gacn.md:3" in warnings
    assert "A4.11" not in warnings
