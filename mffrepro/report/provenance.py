"""Show at the end of a chapter what ran, on what, with which weights, and for how long."""

import hashlib
import time
from collections.abc import Sequence

import pandas as pd
from pandas.io.formats.style import Styler

from mffrepro.report.tables import plain
from mffrepro.runtime import environment


def provenance(started: float, weights: Sequence[str] = ()) -> Styler:
    """Tabulate versions, device, weights and seconds.

    Args:
        started: ``time.perf_counter()`` at the top of the chapter.
        weights: Names of shipped weights that the chapter used.
    """
    facts = environment(show=False)
    for name in weights:
        facts[f"weights {name}"] = "sha256 " + _sha256(name)[:16]
    facts["seconds"] = f"{time.perf_counter() - started:.0f}"
    return plain(pd.DataFrame({"": facts}))


def _sha256(name: str) -> str:
    from mffrepro.models.weights import shipped

    return hashlib.sha256(shipped(name).read_bytes()).hexdigest()
