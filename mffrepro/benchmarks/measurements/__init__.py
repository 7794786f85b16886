"""Measure pair by pair what the claims of the papers need.

There is one table for each measurement.

A benchmark scores methods. A measurement scores what happens inside one: its map before and after cleaning, its result under
blur, the networks of several seeds. Tables lie in ``data_manifests/recorded/measurements``, one row for each pair and variant.
To make one again: ``python -m mffrepro.benchmarks.measurements gacn_maps --machine "1 CPU core"``.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mffrepro.data.checkout import origin
from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import unknown
from mffrepro.images import write_atomically

if TYPE_CHECKING:
    from numpy import ndarray

#: Measurement -> its module; the function has the name that follows the first underscore.
MEASUREMENTS = {
    "gacn_maps": "gacn", "gacn_seeds": "gacn", "gacn_blur": "gacn", "gacn_bands": "gacn", "gacn_residue": "gacn",
    "gacn_steepness": "gacn", "icacs18_cleaning": "patches", "cnnfuse_focus": "patches", "cnnfuse_blurs": "patches",
    "gacn_many": "stacks", "icacs18_clocks": "patches", "icacs18_enough": "patches", "cnnfuse_layers": "patches",
    "cnnfuse_rules": "patches", "gacn_boundary": "gacn", "whole_stacks": "whole",
}  # fmt: skip
KEYS = ["stack", "variant"]
DIGITS = 6


@dataclass(frozen=True)
class Measurement:
    """Hold what is measured, and on which pairs.

    Args:
        measure: From a pair to variant -> quantity -> value.
        pairs: Returns the pairs, or other stacks with a ``name``.
    """

    measure: Callable[[Any], Mapping[str, Mapping[str, float]]]
    pairs: Callable[[], Iterable[Any]]


def get(name: str) -> Measurement:
    """Return a measurement by its name.

    Raises:
        OptionError: There is no such measurement.
    """
    if name not in MEASUREMENTS:
        raise unknown("measurement", name, MEASUREMENTS)
    module = importlib.import_module(f"{__name__}.{MEASUREMENTS[name]}")
    return module.MEASURED[name.partition("_")[2]]


def path_of(name: str) -> Path:
    """Return the path of the recorded table of a measurement."""
    return manifest_folder() / "recorded" / "measurements" / f"{name}.csv"


def measure(name: str, device: str, *, progress: Callable[[str], None] = print) -> Path:
    """Measure on all pairs and record the table after each of them.

    Rows of other pairs and variants stay.

    Args:
        name: A measurement.
        device: The machine in words.
        progress: Called with the name of each finished pair.

    Raises:
        OptionError: There is no such measurement.
        DataError: The pairs have not been fetched, or the package is not in a git checkout.
    """
    chosen, path = get(name), path_of(name)
    for pair in chosen.pairs():
        rows = pd.DataFrame.from_dict(chosen.measure(pair), orient="index").rename_axis("variant").reset_index()
        rows = rows.assign(stack=pair.name, **origin(device))
        kept = pd.concat([recorded(name), rows]) if path.exists() else rows
        kept = kept.drop_duplicates(KEYS, keep="last").sort_values(KEYS, kind="stable")
        marks = list(origin(device))
        ordered = kept[KEYS + [column for column in kept if column not in (*KEYS, *marks)] + marks]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, ordered.to_csv(index=False, float_format=f"%.{DIGITS}g", lineterminator="\n").encode())
        progress(pair.name)
    return path


def recorded(name: str) -> pd.DataFrame:
    """Read the recorded table of a measurement.

    Returns:
        stack, variant, the quantities, commit, device, date.

    Raises:
        OptionError: There is no such measurement.
    """
    if name not in MEASUREMENTS:
        raise unknown("measurement", name, MEASUREMENTS)
    return pd.read_csv(path_of(name), dtype=dict.fromkeys(KEYS, str))


def by_pair(table: pd.DataFrame, variant: str, quantities: Sequence[str]) -> pd.DataFrame:
    """Select the quantities of a variant, pair by pair.

    Pairs by quantities, pairs in the order of their names.
    """
    return table[table["variant"] == variant].set_index("stack")[list(quantities)].sort_index()


def gains(table: pd.DataFrame, after: str, before: str, quantities: Sequence[str]) -> "dict[str, ndarray]":
    """Compute how much more one variant has than another, pair by pair.

    Args:
        table: What `recorded` returns.
        after: Variant.
        before: Variant that is subtracted.
        quantities: Names of quantities.

    Returns:
        Quantity -> differences (pairs,).
    """
    difference = by_pair(table, after, quantities) - by_pair(table, before, quantities)
    return {name: difference[name].to_numpy() for name in quantities}


def source_of(table: pd.DataFrame) -> str:
    """Say when and where a table was made, in words."""
    last = table.iloc[-1]
    return f"recorded {table['date'].max()} at {last['commit']}, {last['device']}"
