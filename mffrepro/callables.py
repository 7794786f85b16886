"""Modules that can be called: ``mff.metrics()`` lists the metrics, ``mff.metrics.get`` is the module's function."""

import sys
from collections.abc import Callable
from types import ModuleType


def call_module(name: str, function: Callable) -> None:
    """Make the module `name` callable as `function`.

    The public functions `methods`, `metrics` and `benchmark` bear the names of the modules that hold what they list or run,
    and importing a submodule always binds its name in the package; so the module has to be the function.
    """
    sys.modules[name].__class__ = type("CallableModule", (ModuleType,), {"__call__": staticmethod(function)})
