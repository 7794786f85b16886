"""mffrepro: multi-focus image fusion, reproduced.

    import mffrepro as mff
    result = mff.fuse(["near.jpg", "far.jpg"])            # .image, .decision, .seconds
    scores = mff.evaluate(["near.jpg", "far.jpg"], result.image)

Everything here is imported when first used, so that ``import mffrepro`` costs nothing. Import it before torch: it then sets how
long the threads of torch wait for each other, see `mffrepro.before_torch`.
"""

import importlib
from typing import TYPE_CHECKING

from mffrepro.before_torch import prepare_torch
from mffrepro.version import __version__

prepare_torch()

#: Public name -> module that defines it.
_PUBLIC = {
    "fuse": "mffrepro.methods",
    "align": "mffrepro.alignment",
    "depth": "mffrepro.fusion.depth",
    "evaluate": "mffrepro.metrics",
    "load": "mffrepro.data",
    "benchmark": "mffrepro.benchmarks",
    "list_methods": "mffrepro.methods",
    "list_metrics": "mffrepro.metrics",
    "list_datasets": "mffrepro.data",
    "environment": "mffrepro.runtime",
    "profile": "mffrepro.runtime",
    "read_image": "mffrepro.images",
    "write_image": "mffrepro.images",
    "FocusStack": "mffrepro.images",
    "FusionResult": "mffrepro.images",
    "MffError": "mffrepro.errors",
    "ImageError": "mffrepro.errors",
    "DataError": "mffrepro.errors",
    "OptionError": "mffrepro.errors",
}

#: Public modules, imported when first used.
_MODULES = ("alignment", "data", "losses", "methods", "metrics")

__all__ = [*_PUBLIC, *_MODULES, "__version__"]

if TYPE_CHECKING:
    from mffrepro import alignment, data, losses, methods, metrics
    from mffrepro.alignment import align
    from mffrepro.benchmarks import benchmark
    from mffrepro.data import list_datasets, load
    from mffrepro.errors import DataError, ImageError, MffError, OptionError
    from mffrepro.fusion.depth import depth
    from mffrepro.images import FocusStack, FusionResult, read_image, write_image
    from mffrepro.methods import fuse, list_methods
    from mffrepro.metrics import evaluate, list_metrics
    from mffrepro.runtime import environment, profile


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"mffrepro.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mffrepro' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
