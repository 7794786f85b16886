"""Pack the built book into one archive that opens from disk: the same bytes for the same pages."""

import re
import zipfile
from io import BytesIO
from pathlib import Path

from mffrepro.book.layout import NAME, Book, BookError, files_below
from mffrepro.images import write_atomically

#: Every file carries this date, the first that the format can hold.
DATE = (1980, 1, 1, 0, 0, 0)
#: What tools read and pages do not: lists of references, maps of scripts, catalogues of translators.
TOOLS = ("objects.inv", "*.map", "*.po", "*.mo", f"{NAME}.*")
#: Sources of pages, which are packed where a page links them.
SOURCES = "_sources"
LINKED = re.compile(rf'href="(?:\.\./)*({SOURCES}/[^"#?]+)')


def pack(book: Book) -> Path:
    """Pack the built book.

    Args:
        book: The checkout.

    Returns:
        Path of the archive, beside ``index.html``; it holds one folder, ``mffrepro-book``.

    Raises:
        BookError: The book is not built.
    """
    if not (book.html / "index.html").exists():
        raise BookError("the book is not built, so it cannot be packed; run make book first")
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, path in sorted(_files(book.html).items()):
            entry = zipfile.ZipInfo(f"{NAME}/{name}", DATE)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            packed.writestr(entry, path.read_bytes())
    target = book.html / f"{NAME}.zip"
    write_atomically(target, archive.getvalue())
    print(target, flush=True)
    return target


def _files(site: Path) -> dict[str, Path]:
    """Map the names of the files that pages use to their places."""
    files = {path.relative_to(site): path for path in files_below(site)}
    linked = {name for path in site.rglob("*.html") for name in LINKED.findall(path.read_text(encoding="utf-8"))}
    return {
        name.as_posix(): path
        for name, path in files.items()
        if not any(part.startswith(".") for part in name.parts)
        and not any(name.match(pattern) for pattern in TOOLS)
        and (name.parts[0] != SOURCES or name.as_posix() in linked)
    }
