"""The archive of the site: what pages use, the same bytes each time."""

import os
import zipfile

import pytest

from mffrepro.book.layout import Book, BookError
from mffrepro.book.take_along import pack

FILES = {
    "index.html": '<a href="notebooks/00_first.html">on</a>',
    "notebooks/00_first.html": '<a href="../_sources/notebooks/00_first.ipynb" download>source</a>',
    "_sources/notebooks/00_first.ipynb": "{}",
    "_sources/unlinked.md": "# nobody links this",
    "_static/style.css": "p {}",
    "_static/script.js.map": "{}",
    "_static/locales/fr/messages.po": "",
    "objects.inv": "",
    ".buildinfo": "",
    ".doctrees/intro.doctree": "",
    "mffrepro-book.pdf": "another form of the book",
}


@pytest.fixture
def site(tmp_path):
    book = Book(tmp_path)
    for name, text in FILES.items():
        path = book.html / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return book


def test_the_archive_holds_what_pages_use(site):
    with zipfile.ZipFile(pack(site)) as packed:
        assert packed.namelist() == [
            "mffrepro-book/_sources/notebooks/00_first.ipynb",
            "mffrepro-book/_static/style.css",
            "mffrepro-book/index.html",
            "mffrepro-book/notebooks/00_first.html",
        ]
        assert packed.read("mffrepro-book/index.html").decode() == FILES["index.html"]


def test_the_same_pages_give_the_same_bytes(site):
    first = pack(site).read_bytes()
    for path in site.html.rglob("*"):
        os.utime(path, (1, 1))
    assert pack(site).read_bytes() == first
    (site.html / "index.html").write_text("another")
    assert pack(site).read_bytes() != first


def test_a_book_that_is_not_built_is_not_packed(tmp_path):
    with pytest.raises(BookError, match="not built, so it cannot be packed; run make book first"):
        pack(Book(tmp_path))
