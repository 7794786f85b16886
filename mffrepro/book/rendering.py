"""Render the executed chapters and the prose pages to HTML by Jupyter Book."""

import shutil
import subprocess
import sys
from pathlib import Path

from mffrepro.book.keys import digest
from mffrepro.book.layout import Book, BookError, files_below
from mffrepro.book.lighten import lighten
from mffrepro.book.pictures import extract
from mffrepro.book.search import add_search
from mffrepro.book.try_it import add_runtime
from mffrepro.images import write_atomically

#: Nitpicky, warnings are errors, and all of them are shown at once.
COMMAND = (
    sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "-n", "-W", "--keep-going", "-q",
)  # fmt: skip


def render(book: Book, profile: str) -> Path:
    """Render the book if anything that it shows has changed.

    Args:
        book: The checkout.
        profile: ``"quick"`` puts a banner on every page.

    Returns:
        Path of ``index.html``.

    Raises:
        BookError: Jupyter Book fails or warns, or a page is missing.
    """
    index = book.html / "index.html"
    config = _write_config(book, profile)
    inputs = [path for path in files_below(book.folder) if "_build" not in path.relative_to(book.folder).parts]
    key = digest([*inputs, *files_below(book.root / "mffrepro"), *files_below(book.root / "data_manifests")], book.root)
    stamp = book.folder / "_build" / "key"
    if not (index.exists() and stamp.exists() and stamp.read_text() == key):
        shutil.rmtree(book.folder / "_build", ignore_errors=True)
        result = subprocess.run(
            [*COMMAND, "--config", str(config), str(book.folder)], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise BookError("the book does not render:\n" + _complaints(result.stdout + result.stderr))
        _check_pages(book)
        extract(book.html)
        lighten(book.html)
        add_search(book.html)
        add_runtime(book.html)
        stamp.write_text(key)
    print(index, flush=True)
    return index


def _complaints(log: str) -> str:
    """Return the warnings and errors in Sphinx's log, or its end where there are none."""
    lines = [line for line in log.splitlines() if any(word in line for word in ("WARNING", "ERROR", "Error", "rror:"))]
    return "\n".join(lines or log.splitlines()[-20:])


def _write_config(book: Book, profile: str) -> Path:
    """Write the book's configuration, with a banner where the numbers are not those of the full profile."""
    import yaml

    config = yaml.safe_load((book.folder / "_config.yml").read_text())
    if profile == "quick":
        config["html"]["announcement"] = "Quick profile: fewer stacks and shorter runs than the published book."
    path = book.generated / "_config.yml"
    write_atomically(path, yaml.safe_dump(config, sort_keys=False).encode())
    return path


def _check_pages(book: Book) -> None:
    import yaml

    toc = yaml.safe_load((book.folder / "_toc.yml").read_text())
    files = [toc["root"]] + [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    for file in files:
        if not (book.html / f"{file}.html").exists():
            raise BookError(f"the page {file} is missing from the built book; check book/_toc.yml")
