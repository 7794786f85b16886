"""Every method on every stack by every metric: resumable, and each thing computed once."""

from mffrepro.benchmark.grid import benchmark
from mffrepro.benchmark.store import Store
from mffrepro.callables import call_module

__all__ = ["Store", "benchmark"]

call_module(__name__, benchmark)
