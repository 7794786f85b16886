"""Load learned dictionaries: those of the package, those that the authors published, or from a file."""

from importlib import resources
from pathlib import Path

import numpy as np

from mffrepro.data import dictionary_file
from mffrepro.errors import DataError

#: Pixels along a side of every patch and filter here.
SIDE = 8
#: Kind -> shape of its atoms: (dictionaries, pixels of a patch, atoms), or (filters, rows, columns).
SHAPES = {"sr": (1, 64, 256), "asr": (7, 64, 256), "csr": (32, 8, 8)}


def load(kind: str, dictionary: str = "default") -> np.ndarray:
    """Load the atoms of a dictionary, each of length one, for patches of 8x8 pixels.

    The pixels of a patch run row after row.

    Args:
        kind: ``"sr"``, ``"asr"`` (one for all patches, then six by orientation) or ``"csr"``.
        dictionary: ``"default"`` (shipped), ``"published"`` (the authors', fetched) or the path of a safetensors file.

    Returns:
        float64, shaped as `SHAPES` says; another number of atoms is possible in a file.

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
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            atoms = file.get_tensor(kind).astype(np.float64)
    except (OSError, SafetensorError) as error:
        reason = str(error).split("\n")[0]
        raise DataError(f"{path} holds no dictionary {kind!r} ({reason}); give 'default', 'published' or a file") from None
    _check(atoms, kind, path)
    return atoms


def _check(atoms: np.ndarray, kind: str, where: object) -> None:
    """Check the shape, except for the number of atoms, and that no atom is zero, which would have no direction."""
    free = 0 if kind == "csr" else 2
    shape = list(SHAPES[kind])
    if atoms.ndim == 3:
        shape[free] = atoms.shape[free]
    axes = (1, 2) if kind == "csr" else 1
    if list(atoms.shape) != shape or not np.square(atoms).sum(axes).all() or not np.isfinite(atoms).all():
        raise DataError(f"{where} has {kind!r} of shape {atoms.shape}, or atoms that are zero; it should be {SHAPES[kind]}")


def _published(kind: str) -> np.ndarray:
    """Load the authors' arrays, whose patches run down the columns."""
    names = {"sr": ["sr"], "asr": ["asr.0", "asr.6"], "csr": ["csr"]}[kind]
    arrays = [_read_mat(dictionary_file(name)) for name in names]
    if kind == "csr":
        (filters,) = arrays
        atoms = np.moveaxis(filters, -1, 0)
    else:
        down = np.concatenate(arrays, 1).reshape(SIDE, SIDE, -1, 256)
        atoms = down.transpose(2, 1, 0, 3).reshape(-1, SIDE * SIDE, 256)
    _check(atoms, kind, f"the published dictionary {kind}")
    return atoms


def _read_mat(path: Path) -> np.ndarray:
    from scipy.io import loadmat

    try:
        arrays = loadmat(path)
        return np.asarray(arrays.get("D", arrays.get("Dn")), np.float64)
    except (OSError, TypeError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{path} is not a readable dictionary ({error}); fetch it again with mffrepro data fetch dictionaries"
        ) from None
