"""Every method on every stack by every metric: resumable, and each thing computed once."""

from mffrepro.benchmarks.grid import benchmark, every_method
from mffrepro.benchmarks.record import computed_or_recorded, drift, read_record, write_record
from mffrepro.benchmarks.store import Store

__all__ = ["Store", "benchmark", "computed_or_recorded", "drift", "every_method", "read_record", "write_record"]
