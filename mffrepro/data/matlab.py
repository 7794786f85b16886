"""Read the arrays of MATLAB files; a damaged one is named."""

from pathlib import Path

import numpy as np

from mffrepro.errors import DataError, first_line


def read_mat(path: str | Path, remedy: str) -> dict[str, np.ndarray]:
    """Read all arrays of a ``.mat`` file by name; nothing in it is executed.

    Args:
        path: The file.
        remedy: What to do where it cannot be read, for the error.

    Raises:
        DataError: The file is missing, damaged, or of version 7.3.
    """
    from scipy.io import loadmat

    try:
        return loadmat(path)
    except Exception as error:  # SciPy's reader fails on damaged files with errors of many kinds, MemoryError among them
        raise DataError(f"{path} is not a readable MATLAB file ({first_line(error)}); {remedy}") from None
