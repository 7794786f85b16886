"""Every chapter in the tiny profile, retraining: all that the full profile does, on little data (``make branches``)."""

import json
from pathlib import Path

import pytest

from mffrepro.book import Book, find_book
from mffrepro.book.execution import run
from mffrepro.book.guards import faults

pytest.importorskip("papermill")

CHECKOUT = find_book(Path(__file__).parent)


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Book:
    """A book of the same chapters that keeps its records apart from those of the checkout."""
    book = Book(tmp_path_factory.mktemp("book"))
    book.folder.mkdir()
    (book.root / "notebooks").symlink_to(CHECKOUT.sources, target_is_directory=True)
    return book


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("chapter", CHECKOUT.chapters())
def test_all_that_the_full_profile_does_runs(book, chapter):
    note = run(book, chapter, {"profile": "tiny", "device": "cpu", "retrain": "yes"})
    print(f"{chapter}: {note['seconds']:.0f} s, {note['peak_mb']:.0f} MB")
    path = book.executed / f"{chapter}.ipynb"
    assert not faults(path)
    sources = ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]
    assert any('profile = "tiny"' in source for source in sources)
