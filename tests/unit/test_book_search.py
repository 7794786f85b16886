"""Check what can be found in the built book: sections, terms, API entries and claims, each with its own words."""

import json

import pytest

from mffrepro.book.search import SCRIPTS, add_search, read_entries

pytest.importorskip("bs4")

PAGE = """<html><body><nav><h1>Not this</h1></nav><article>
<section id="top"><h1>Guided filters<a class="headerlink" href="#top">#</a></h1><p>Of the page.</p>
<div class="highlight"><pre>code = "hidden"</pre></div>
<section id="inner"><h2>Of <em>edges</em></h2><p>Of the <b>section</b>.</p><div class="math">\\[x\\]</div>
<div class="mff-box" id="c4-8"><b>C4.8</b> A claim.</div>
<figure id="figure-1"><img alt="picture"><figcaption>A curve.</figcaption></figure></section>
<dl class="py function"><dt class="sig py" id="pkg.fuse">fuse(stack)</dt><dd><p>Fuse a stack.</p></dd></dl>
<dl class="glossary"><dt id="term-a">stack</dt><dt id="term-b">focal stack</dt><dd><p>Photographs of one scene.</p></dd></dl>
<p id="a4-1"><strong>A4.1 The loss</strong></p><ul><li>Open: all.</li></ul>
<section id="empty"><h2>1</h2></section></section></article></body></html>"""
SEARCH = """<html><head><script src="_static/searchtools.js"></script>
<script src="_static/language_data.js"></script><script src="searchindex.js?v=1"></script></head><body></body></html>"""


def test_each_entry_has_its_own_words():
    assert read_entries(PAGE) == [
        ("top", "Guided filters", "Guided filters", "Of the page."),
        ("inner", "Guided filters", "Of edges", "Of the section ."),
        ("c4-8", "Guided filters", "C4.8", "A claim."),
        ("figure-1", "Guided filters", "A curve.", ""),
        ("pkg.fuse", "Guided filters", "pkg.fuse", "Fuse a stack."),
        ("term-a", "Guided filters", "stack", ""),
        ("term-b", "Guided filters", "focal stack", "Photographs of one scene."),
        ("a4-1", "Guided filters", "A4.1 The loss", "Open: all."),
    ]


def test_a_page_without_text_has_no_entries():
    assert read_entries("<html><body>nothing</body></html>") == []


def test_the_search_page_loads_the_entries_of_all_pages(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_static").mkdir()
    for name in ("one", "notebooks/two", "genindex"):
        (tmp_path / f"{name}.html").write_text(PAGE.replace("Photographs", "Фотографии"))
    (tmp_path / "search.html").write_text(SEARCH)
    assert add_search(tmp_path) == 16
    text = (tmp_path / "_static" / "sections.js").read_text(encoding="utf-8")
    entries = json.loads(text.removeprefix("window.mffSections=").removesuffix(";\n"))
    assert {entry[0] for entry in entries} == {"one.html", "notebooks/two.html"}
    assert ["one.html", "term-b", "Guided filters", "focal stack", "Фотографии of one scene."] in entries
    page = (tmp_path / "search.html").read_text()
    assert not SCRIPTS.search(page)
    assert page.count("sections.js") == 1
    assert page.index("sections.js") < page.index("</head>")
