"""Draw how near networks come to the ceilings of a machine."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mffrepro.benchmarks.speed import Machine
from mffrepro.report.style import ACCENT, PAGE, SECOND, Shown, styled


def roofline(table: pd.DataFrame, machine: Machine, *, alt: str, caption: str = "") -> Shown:
    """Draw the speed of networks against operations per byte, below the ceilings.

    Args:
        table: What `mffrepro.benchmarks.speed.measure_speed` returns.
        machine: What `mffrepro.benchmarks.speed.measure_machine` returns.
        alt: Alternative text.
        caption: Caption.
    """
    intensity = table["operations"] / table["bytes"]
    rate = table["reached"] * [machine.attainable(value) for value in intensity]
    reach = np.geomspace(intensity.min() / 2, max(2 * intensity.max(), 2 * machine.operations / machine.bytes), 100)
    with styled():
        figure = Figure(figsize=(PAGE, 0.75 * PAGE))
        axes = figure.subplots()
        axes.plot(reach, [machine.attainable(value) / 1e9 for value in reach], color=ACCENT)
        axes.scatter(intensity, rate / 1e9, color=SECOND, s=25)
        for i, name in enumerate(table.index):  # above and below in turn, since neighbours may be close
            axes.annotate(name, (intensity[name], rate[name] / 1e9), (5, (4, -11)[i % 2]), textcoords="offset points", fontsize=9)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.margins(x=0.1)
        axes.set(xlabel="operations per byte", ylabel="10⁹ operations per second")
    return Shown(figure, alt=alt, caption=caption)
