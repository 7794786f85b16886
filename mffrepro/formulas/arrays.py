"""One formula for NumPy arrays and torch tensors.

Formulas use operators, methods and functions that have the same name in both libraries.

Both take ``axis`` and ``keepdims``. The two differ in the default of ``std``, so its ``correction`` is always given.
"""

from types import ModuleType
from typing import Any

import numpy as np


def namespace(x: Any) -> ModuleType:
    """Return ``numpy`` for a NumPy array or number, ``torch`` for a tensor."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    import torch

    return torch
