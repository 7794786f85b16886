"""Modules that can be called: ``mff.metrics()`` lists the metrics, ``mff.metrics.get`` is the module's function."""

import inspect
import sys
from collections.abc import Callable
from types import ModuleType


def call_module(name: str, function: Callable) -> None:
    """Make the module `name` callable as `function`.

    The public functions `methods`, `metrics` and `benchmark` bear the names of the modules that hold what they list or run,
    and importing a submodule always binds its name in the package; so the module has to be the function.
    """

    def call(self, *args, **options):
        return function(*args, **options)

    call.__doc__ = function.__doc__
    own = inspect.signature(function)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    call.__signature__ = own.replace(parameters=[itself, *own.parameters.values()])
    sys.modules[name].__class__ = type("CallableModule", (ModuleType,), {"__call__": call})
