"""mffrepro: multi-focus image fusion, reproduced.

    import mffrepro as mff
    result = mff.fuse(["near.jpg", "far.jpg"])            # .image, .decision, .seconds
    scores = mff.evaluate(["near.jpg", "far.jpg"], result.image)

Everything here is imported when first used, so that ``import mffrepro`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

#: Public name -> module that defines it.
_PUBLIC = {
    "fuse": "mffrepro.methods",
    "evaluate": "mffrepro.metrics",
    "load": "mffrepro.data",
    "datasets": "mffrepro.data",
    "profile": "mffrepro.environment",
    "read_image": "mffrepro.images",
    "write_image": "mffrepro.images",
    "FocusStack": "mffrepro.images",
    "FusionResult": "mffrepro.images",
    "MffError": "mffrepro.errors",
    "ImageError": "mffrepro.errors",
    "DataError": "mffrepro.errors",
    "OptionError": "mffrepro.errors",
}

#: Modules that are public functions too, see `mffrepro.callables`.
_CALLABLE = ("benchmark", "environment", "methods", "metrics")

__all__ = [*_PUBLIC, *_CALLABLE, "__version__"]

if TYPE_CHECKING:
    from mffrepro import benchmark, environment, methods, metrics
    from mffrepro.data import datasets, load
    from mffrepro.environment import profile
    from mffrepro.errors import DataError, ImageError, MffError, OptionError
    from mffrepro.images import FocusStack, FusionResult, read_image, write_image
    from mffrepro.methods import fuse
    from mffrepro.metrics import evaluate


def __getattr__(name: str):
    if name in _CALLABLE:
        return importlib.import_module(f"mffrepro.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mffrepro' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
