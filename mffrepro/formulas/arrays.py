"""One formula for NumPy arrays and torch tensors: by operators, methods and those functions that both libraries name alike.

Both take ``axis`` and ``keepdims``. The two differ in the default of ``std``, so its ``correction`` is always given.
"""

from types import ModuleType
from typing import Any

import numpy as np


def namespace(x: Any) -> ModuleType:
    """``numpy`` for an array or a number, ``torch`` for a tensor."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    import torch

    return torch
