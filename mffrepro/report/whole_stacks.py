"""Tabulate what methods make of whole stacks of known depth, and what more frames cost them."""

import numpy as np
import pandas as pd

from mffrepro.data.conditions import CONDITIONS
from mffrepro.report.evidence import estimate


def wide(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Arrange a quantity of the measurement ``whole_stacks`` by scene.

    Args:
        table: Rows with ``stack``, as scene and condition joined by ``_``, ``variant`` and the quantity.
        quantity: ``"psnr"``, ``"ssim"``, ``"depth"`` or ``"seconds"``.

    Returns:
        A row per method and scene, a column per condition in their order.
    """
    parts = table["stack"].str.rsplit("_", n=1, expand=True)
    rows = table.assign(scene=parts[0], condition=parts[1])
    arranged = rows.pivot(index=["variant", "scene"], columns="condition", values=quantity)
    return arranged[[name for name in CONDITIONS if name in arranged]].rename_axis(["method", "scene"])


def by_condition(table: pd.DataFrame, quantity: str = "psnr") -> pd.DataFrame:
    """Average a quantity over the scenes.

    Returns:
        A row per method, best of the plain eight frames first where higher is better; a column per condition, by its title.
    """
    means = wide(table, quantity).groupby(level="method", sort=False).mean()
    ordered = means.sort_values("frames8", ascending=quantity in ("depth", "seconds"))
    return ordered.rename(columns={name: condition.title for name, condition in CONDITIONS.items()})


def change(table: pd.DataFrame, after: str, before: str = "frames8", quantity: str = "psnr") -> pd.DataFrame:
    """Compute how much a condition changes a quantity, scene by scene.

    Args:
        table: As for `wide`.
        after: Condition.
        before: Condition that is subtracted.
        quantity: As for `wide`.

    Returns:
        A row per method, the smallest change first: ``change``, and ``low`` and ``high``, the ends of its 95 % interval over the
        scenes by a paired bootstrap. Methods without the quantity are left out.
    """
    arranged = wide(table, quantity)
    differences = (arranged[after] - arranged[before]).dropna()
    rows = {}
    for name, values in differences.groupby(level="method", sort=False):
        found = estimate(values.to_numpy())
        rows[name] = {"change": found.effect, "low": found.low, "high": found.high}
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("change")


def over_frames(table: pd.DataFrame, methods: list[str], quantity: str = "psnr") -> tuple[list[int], dict[str, np.ndarray]]:
    """Arrange a quantity over the number of frames, for a chart of bands.

    Returns:
        Numbers of frames, and for each method (scenes, numbers) as differences from the mean over the methods of that scene and
        number: scenes differ by more than methods do.
    """
    columns = [name for name, condition in CONDITIONS.items() if name.startswith("frames")]
    arranged = wide(table, quantity).loc[methods, columns]
    centred = arranged - arranged.groupby(level="scene").mean()
    return [CONDITIONS[name].frames for name in columns], {name: centred.loc[name].to_numpy() for name in methods}
