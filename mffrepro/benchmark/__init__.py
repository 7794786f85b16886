"""Every method on every stack by every metric: resumable, and each thing computed once."""

from mffrepro.benchmark.grid import benchmark, every_method
from mffrepro.benchmark.record import computed_or_recorded, drift, read_record, write_record
from mffrepro.benchmark.store import Store
from mffrepro.callables import call_module

__all__ = ["Store", "benchmark", "computed_or_recorded", "drift", "every_method", "read_record", "write_record"]

call_module(__name__, benchmark)
