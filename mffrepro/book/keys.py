"""The key of a chapter: a hash of everything that its results depend on.

A chapter is current as long as its key is: the hash of its source, the package, the manifests, the lock file, the parameters, the
class of device and the data sets that have been fetched.
"""

import hashlib
import json
import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from mffrepro.book.layout import Book, files_below


def key_of(book: Book, chapter: str, parameters: dict[str, str]) -> str:
    """Compute the key under which an executed chapter counts as current.

    Args:
        book: The checkout.
        chapter: Name of the chapter, such as ``"07_gacn"``.
        parameters: The parameters that papermill passes.

    Returns:
        A hexadecimal SHA-256.
    """
    files = [
        book.sources / f"{chapter}.py",
        book.root / "requirements.lock",
        *files_below(book.root / "mffrepro"),
        *files_below(book.root / "data_manifests"),
    ]
    if collects(chapter):
        files += [path for path in files_below(book.generated / "records") if path.parent.name != chapter]
    return digest(files, book.root, json.dumps(parameters, sort_keys=True), device_class(), _fetched_data())


def collects(chapter: str) -> bool:
    """Tell whether a chapter collects the verdicts of the others.

    It runs after them.
    """
    return chapter.endswith("_claims")


def digest(files: Iterable[Path], root: Path, *words: str) -> str:
    """Hash words, and files with their names below `root`."""
    found = hashlib.sha256("\0".join(words).encode())
    for path in files:
        state = path.stat()
        found.update(f"\0{path.relative_to(root)}\0".encode() + _hash_of(path, state.st_mtime_ns, state.st_size))
    return found.hexdigest()


@cache
def _hash_of(path: Path, changed: int, size: int) -> bytes:
    """Hash a file once for all chapters; a file that has changed has another time or size."""
    return hashlib.sha256(path.read_bytes()).digest()


def device_class() -> str:
    """Name the GPU, or the kind of processor."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu-{platform.machine()}"


def _fetched_data() -> str:
    """List the data sets that have been fetched: a chapter shows more where there are more."""
    from mffrepro.data import cards

    return " ".join(card.name for card in cards() if card.available)
