"""Show at the end of a chapter what ran, on what, from which commit, with which weights and records, and for how long."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pandas.io.formats.style import Styler

from mffrepro.data.checkout import installed_commit
from mffrepro.data.manifests import manifest_folder
from mffrepro.report.tables import plain
from mffrepro.runtime import Profile, environment


def provenance(run: Profile, started: float, weights: Sequence[str] = ()) -> Styler:
    """Tabulate what another run needs to give the same numbers.

    These are parameters, commit, date, versions, device, weights, records and seconds.

    Args:
        run: The parameters of the chapter.
        started: ``time.perf_counter()`` at the top of the chapter.
        weights: Names of shipped weights that the chapter used.
    """
    facts = {"profile": run.name, "data set": run.dataset, "seed": run.seed, "retrained": "yes" if run.retrain else "no"}
    facts |= {"commit": installed_commit(), "date": time.strftime("%Y-%m-%d", time.gmtime())}
    facts |= environment(show=False)
    for name in weights:
        facts[f"weights {name}"] = _digest(_shipped(name))
    for path in sorted((manifest_folder() / "recorded").glob("*.csv")):
        facts[f"record {path.stem}"] = _digest(path)
    facts["seconds"] = f"{time.perf_counter() - started:.0f}"
    return plain(pd.DataFrame({"": facts}), caption="What ran")


def _digest(path: Path) -> str:
    return "sha256 " + hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _shipped(name: str) -> Path:
    from mffrepro.models.weights import shipped

    return shipped(name)
