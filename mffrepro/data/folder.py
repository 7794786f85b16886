"""Stacks from a folder of the reader's own photographs."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from mffrepro.errors import DataError
from mffrepro.images import FocusStack, as_stack

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}
#: NAME_1, NAME-A, NAME 02: what is before the last separator names the stack.
NUMBERED = re.compile(r"(?P<stack>.+?)[-_ ](?P<number>\d+|[A-Za-z])")


def folder_stacks(*, root: str | Path) -> Mapping[str, Callable[[], FocusStack]]:
    """List stack names and the functions that read the stacks.

    Each sub-folder with two or more images is a stack. So are files beside each other whose names differ only in a
    trailing number or letter: ``NAME_1.png NAME_2.png``, ``NAME-A.jpg NAME-B.jpg``.

    Args:
        root: The folder.

    Raises:
        DataError: It is missing or holds no stack.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; give root= the folder that holds the stacks")
    found = {path.name: list_images(path) for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    for path in list_images(root):
        if match := NUMBERED.fullmatch(path.stem):
            found.setdefault(match["stack"], []).append(path)
    stacks = {name: paths for name, paths in sorted(found.items()) if len(paths) > 1}
    if not stacks:
        raise DataError(f"{root} holds no stack; put each stack in its own sub-folder, or name its images NAME_1.png, NAME_2.png")
    return {name: partial(as_stack, paths, name) for name, paths in stacks.items()}


def list_images(path: Path) -> list[Path]:
    """List the images in a folder in the order of their numbers: 2 before 10."""
    files = (file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    return sorted(files, key=lambda file: _natural(file.name.lower()))


def _natural(name: str) -> list[str | int]:
    return [int(part) if n % 2 else part for n, part in enumerate(re.split(r"(\d+)", name))]
