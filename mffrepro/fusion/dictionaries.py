"""Load learned dictionaries: those of the package, those that the authors published, or from a file."""

from importlib import resources
from pathlib import Path

import numpy as np

from mffrepro.data import dictionary_file
from mffrepro.data.matlab import read_mat
from mffrepro.errors import DataError, first_line

#: Pixels along a side of every patch and filter here.
SIDE = 8
#: Kind -> shape of its atoms: (dictionaries, pixels of a patch, atoms), or (filters, rows, columns).
SHAPES = {"sr": (1, 64, 256), "asr": (7, 64, 256), "csr": (32, 8, 8)}
#: Most atoms of a dictionary: coding holds their inner products, which are as many as the square of this.
MOST_ATOMS = 4096


def load(kind: str, dictionary: str = "default") -> np.ndarray:
    """Load the atoms of a dictionary, each of length one, for patches of 8x8 pixels.

    The pixels of a patch run row after row.

    Args:
        kind: ``"sr"``, ``"asr"`` (one for all patches, then six by orientation) or ``"csr"``.
        dictionary: ``"default"`` (shipped), ``"published"`` (the authors', fetched) or the path of a safetensors file.

    Returns:
        float64, shaped as `SHAPES` says; another number of atoms, up to `MOST_ATOMS`, is possible in a file.

    Raises:
        DataError: The file cannot be had, or holds something else.
    """
    if dictionary == "published":
        atoms = _published(kind)
    else:
        path = Path(str(resources.files("mffrepro"))) / "weights" / "dictionaries.default.safetensors"
        atoms = _read(path if dictionary == "default" else Path(dictionary), kind)
    axes = (1, 2) if kind == "csr" else 1
    return atoms / np.sqrt(np.square(atoms).sum(axes, keepdims=True))


def _read(path: Path, kind: str) -> np.ndarray:
    from safetensors import safe_open

    try:
        with safe_open(path, "np") as file:
            atoms = file.get_tensor(kind)
    except Exception as error:  # types that NumPy lacks are refused with errors of many kinds
        reason = first_line(error)
        raise DataError(f"{path} holds no dictionary {kind!r} ({reason}); give 'default', 'published' or a file") from None
    return _checked(atoms, kind, path)


def _checked(atoms: np.ndarray, kind: str, where: object) -> np.ndarray:
    """Return atoms as float64, of real numbers and the right shape, in any number from 1 to `MOST_ATOMS`.

    No atom may be zero, which would have no direction, nor too long to have a length.
    """
    free = 0 if kind == "csr" else 2
    shape = list(SHAPES[kind])
    if atoms.ndim == 3:
        shape[free] = atoms.shape[free]
    if shape[free] > MOST_ATOMS:
        raise DataError(f"{where} has {shape[free]} atoms; give a dictionary of at most {MOST_ATOMS}")
    axes = (1, 2) if kind == "csr" else 1
    if list(atoms.shape) == shape and atoms.size and atoms.dtype.kind in "fiu":
        atoms = atoms.astype(np.float64)
        with np.errstate(over="ignore"):
            squares = np.square(atoms).sum(axes)
        if squares.all() and np.isfinite(squares).all():
            return atoms
    raise DataError(
        f"{where} has {kind!r} of shape {atoms.shape} and type {atoms.dtype}, or atoms without a length; "
        f"it should be {SHAPES[kind]} of real numbers"
    )


def _published(kind: str) -> np.ndarray:
    """Load the authors' arrays, whose patches run down the columns."""
    names = {"sr": ["sr"], "asr": ["asr.0", "asr.6"], "csr": ["csr"]}[kind]
    arrays = [_read_mat(dictionary_file(name)) for name in names]
    try:
        atoms = np.moveaxis(arrays[0], -1, 0) if kind == "csr" else _down_the_columns(arrays)
    except ValueError:  # their shapes do not fit each other
        atoms = arrays[0]
    return _checked(atoms, kind, f"the published dictionary {kind}")


def _down_the_columns(arrays: list[np.ndarray]) -> np.ndarray:
    down = np.concatenate(arrays, 1).reshape(SIDE, SIDE, -1, 256)
    return down.transpose(2, 1, 0, 3).reshape(-1, SIDE * SIDE, 256)


def _read_mat(path: Path) -> np.ndarray:
    remedy = "fetch it again with mffrepro data fetch dictionaries"
    arrays = read_mat(path, remedy)
    atoms = arrays.get("D", arrays.get("Dn"))
    if not isinstance(atoms, np.ndarray):
        raise DataError(f"{path} holds no dictionary D or Dn; {remedy}")
    return atoms
