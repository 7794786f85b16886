"""Where the parts of the book lie in a checkout, and what is known of the last run of a chapter."""

import json
from dataclasses import dataclass
from pathlib import Path

from mffrepro.errors import MffError
from mffrepro.images import write_atomically
from mffrepro.runtime import REPOSITORY

#: Address of the published book.
HOME = "https://{}.github.io/{}".format(*REPOSITORY.split("/"))
#: Name of the files that hold the whole book, ``.pdf`` and ``.zip``, beside its pages.
NAME = "mffrepro-book"


class BookError(MffError):
    """Report that the book cannot be built as it stands."""


@dataclass(frozen=True)
class Book:
    """Locate the parts of the book in a checkout.

    Args:
        root: Folder that holds ``book``, ``notebooks`` and ``mffrepro``.
    """

    root: Path

    @property
    def sources(self) -> Path:
        """Folder of the tracked chapters."""
        return self.root / "notebooks"

    @property
    def folder(self) -> Path:
        """Folder of the prose pages and of all that is built."""
        return self.root / "book"

    @property
    def executed(self) -> Path:
        """Folder of the executed chapters."""
        return self.folder / "notebooks"

    @property
    def generated(self) -> Path:
        """Folder of records, generated pages and notes of the runs."""
        return self.folder / "_generated"

    @property
    def html(self) -> Path:
        """Folder of the rendered pages."""
        return self.folder / "_build" / "html"

    def chapters(self) -> list[str]:
        """List the chapters in reading order."""
        return sorted(path.stem for path in self.sources.glob("[0-9][0-9]_*.py"))

    def records(self, chapter: str) -> Path:
        """Return the folder of the verdicts that a chapter records."""
        return self.generated / "records" / chapter

    def pages(self, chapter: str) -> Path:
        """Return the folder of the Markdown that a chapter writes for prose pages."""
        return self.generated / "pages" / chapter

    def read_note(self, chapter: str) -> dict:
        """Read the note of a chapter's last run; it is empty before the first run."""
        path = self._note(chapter)
        return json.loads(path.read_text()) if path.exists() else {}

    def write_note(self, chapter: str, note: dict) -> None:
        """Keep the note of a run: key, seconds, device, versions and files."""
        write_atomically(self._note(chapter), json.dumps(note, indent=1).encode())

    def _note(self, chapter: str) -> Path:
        return self.generated / "runs" / f"{chapter}.json"


def find_book(start: Path | None = None) -> Book:
    """Find the checkout around a folder, or else around this file.

    Args:
        start: Folder to begin with; the working directory by default.

    Returns:
        The book of that checkout.

    Raises:
        BookError: There is no checkout; an installed wheel has no chapters.
    """
    for place in (start or Path.cwd(), Path(__file__).resolve().parent):
        for folder in (place, *place.parents):
            if (folder / "book" / "_config.yml").exists() and (folder / "notebooks").is_dir():
                return Book(folder)
    raise BookError("no book found here; run this in a clone of the repository")


def files_below(folder: Path) -> list[Path]:
    """List all files below a folder in a fixed order, without Python's caches."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
