"""The figures that chapters share: comparisons with zoom boxes, decision maps, differences, curves."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mffrepro.images import Image, from_unit, to_unit, write_atomically
from mffrepro.report.gallery import Box, Gallery
from mffrepro.report.style import ACCENT, PAGE, PALETTE, SECOND, Shown, styled

#: From -1 to 1: orange is negative, blue positive, white zero.
DIVERGING = LinearSegmentedColormap.from_list("orange-blue", [ACCENT, "#ffffff", SECOND])


def comparison(
    images: Mapping[str, Image], *, alt: str, caption: str = "", zoom: Sequence[Box] = (), columns: int = 4
) -> Gallery:
    """Show pictures side by side under their names, with zoomed boxes below.

    The arguments are those of `Gallery`.
    """
    return Gallery(images, alt=alt, caption=caption, zoom=zoom, columns=columns)


def decision_maps(
    decisions: Mapping[str, np.ndarray], *, alt: str, caption: str = "", truth: np.ndarray | None = None
) -> Gallery:
    """Show decision maps: white takes the first source.

    With the truth, wrong pixels are coloured and their share is printed.

    Args:
        decisions: Label to (N, H, W) shares.
        alt: Alternative text.
        caption: Caption.
        truth: True (N, H, W) shares, if known.
    """
    shown = {}
    for label, decision in decisions.items():
        image, wrong = _decision_picture(decision, truth)
        shown[f"{label}: {wrong:.2%} wrong" if wrong else label] = image
    return Gallery(shown, alt=alt, caption=caption)


def _decision_picture(decision: np.ndarray, truth: np.ndarray | None) -> tuple[np.ndarray, float | None]:
    count = len(decision)
    if count == 2:
        picture = np.repeat(decision[0][..., None], 3, -1).astype(np.float64).clip(0, 1)
    else:  # dark to bright from the first source to the last
        picture = np.repeat((decision.argmax(0) / (count - 1))[..., None], 3, -1)
    if truth is None:
        return picture, None
    wrong = decision.argmax(0) != truth.argmax(0)
    picture[wrong] = [int(ACCENT[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return picture, float(wrong.mean())


def heat(values: np.ndarray, *, low: float = 0.0, high: float = 1.0) -> Image:
    """Colour a map of numbers from dark blue, `low`, to bright yellow, `high`.

    Missing numbers are white.

    Args:
        values: (H, W), NaN where there is no value.
        low: Value of the darkest colour.
        high: Value of the brightest.

    Returns:
        (H, W, 3) uint8, in a colour map whose steps look equal to every eye.
    """
    colours = matplotlib.colormaps["cividis"]((values - low) / (high - low))[..., :3]
    return from_unit(np.where(np.isnan(values)[..., None], 1.0, colours), np.dtype(np.uint8))


def signed(values: np.ndarray, *, limit: float | None = None) -> np.ndarray:
    """Show a map of signed numbers in gray, with zero in the middle.

    `limit` and above are white, minus `limit` and below black.

    Args:
        values: (H, W).
        limit: Without it, what one value in a hundred exceeds in magnitude.

    Returns:
        (H, W) in [0, 1].
    """
    limit = limit or float(np.quantile(np.abs(values), 0.99)) or 1.0
    return np.clip(values / (2 * limit) + 0.5, 0, 1)


def mosaic(tiles: np.ndarray, *, columns: int, enlarge: int = 1) -> np.ndarray:
    """Join small pictures of signed numbers, with white lines between them.

    Each runs from minus to plus its own largest magnitude.

    Args:
        tiles: (N, h, w), such as the atoms of a dictionary.
        columns: Tiles in a row; N is a multiple of it.
        enlarge: Pixels of the picture along each side of a value.

    Returns:
        (H, W) in [0, 1].
    """
    shown = [np.kron(signed(tile, limit=float(np.abs(tile).max())), np.ones((enlarge, enlarge))) for tile in tiles]
    framed = [np.pad(tile, 1, constant_values=1.0) for tile in shown]
    return np.block([framed[i : i + columns] for i in range(0, len(framed), columns)])


def matrix(table: pd.DataFrame, *, alt: str, caption: str = "", digits: int | None = None) -> Shown:
    """Draw a table of numbers from -1 to 1 as coloured squares.

    Orange is negative, blue positive, white zero.

    Args:
        table: Names along both sides; NaN is left white.
        alt: Alternative text.
        caption: Caption.
        digits: Decimals to print into the squares; without it none are printed.
    """
    rows, columns = table.shape
    with styled():
        figure = Figure(figsize=(PAGE, 0.22 * rows + 1.2))
        axes = figure.subplots()
        axes.imshow(table, aspect="auto", cmap=DIVERGING, vmin=-1, vmax=1)
        axes.set_xticks(range(columns), table.columns, rotation=90, fontsize=11)
        axes.set_yticks(range(rows), table.index, fontsize=11)
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        if digits is not None:
            for (y, x), value in np.ndenumerate(table.to_numpy()):
                axes.text(x, y, f"{value:.{digits}f}", ha="center", va="center", color="white" if abs(value) > 0.6 else "black")
    return Shown(figure, alt=alt, caption=caption)


def differences(fused: Mapping[str, Image], source: Image, *, alt: str, caption: str = "", zoom: Sequence[Box] = ()) -> Gallery:
    """Show the fused image minus one source, mid-gray where they agree.

    Where the source is in focus, nothing should be seen.

    Args:
        fused: Label to fused image.
        source: The source to subtract.
        alt: Alternative text.
        caption: Caption.
        zoom: Boxes to outline and magnify.
    """
    gaps = {label: _gray(image) - _gray(source) for label, image in fused.items()}
    limit = max(float(np.quantile(np.abs(list(gaps.values())), 0.999)), 1 / 255)
    shown = {label: np.clip(gap / (2 * limit) + 0.5, 0, 1) for label, gap in gaps.items()}
    return comparison(shown, alt=alt, caption=caption, zoom=zoom)


def _gray(image: Image) -> np.ndarray:
    unit = to_unit(image, np.float64)
    return unit.mean(-1) if unit.ndim == 3 else unit


def curves(
    x: Sequence[float], lines: Mapping[str, Sequence[float]], *, xlabel: str, ylabel: str, alt: str, caption: str = ""
) -> Shown:
    """Draw lines over one axis, told apart by colour and by marker."""
    with styled():
        figure = Figure(figsize=(PAGE, 0.55 * PAGE))
        axes = figure.subplots()
        for i, (label, y) in enumerate(lines.items()):
            axes.plot(x, y, label=label, marker="osD^vP*X"[i % 8], markersize=5, linestyle="-" if i < 8 else "--")
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Shown(figure, alt=alt, caption=caption)


def steps(lines: Mapping[str, Sequence[int]], *, xlabel: str, ylabel: str) -> Figure:
    """Draw whole numbers along a line of pixels.

    The first, such as the truth, is a broad band behind the others.
    """
    with styled():
        figure = Figure(figsize=(PAGE, 0.4 * PAGE))
        axes = figure.subplots()
        for i, (label, y) in enumerate(lines.items()):
            look = {"color": "#bbbbbb", "linewidth": 8} if i == 0 else {"color": PALETTE[i - 1], "linewidth": 1.5}
            axes.step(range(len(y)), y, where="mid", label=label, **look)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def banded_curves(
    x: Sequence[float], lines: Mapping[str, np.ndarray], *, xlabel: str, ylabel: str, alt: str, caption: str = ""
) -> Shown:
    """Draw the mean of several runs as a line within a band.

    The band reaches from the lowest run to the highest.

    Args:
        x: Positions along the axis.
        lines: Label to (runs, positions).
        xlabel: Label of the axis.
        ylabel: Label of the other axis.
        alt: Alternative text.
        caption: Caption.
    """
    with styled():
        figure = Figure(figsize=(PAGE, 0.55 * PAGE))
        axes = figure.subplots()
        _bands(axes, x, lines)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Shown(figure, alt=alt, caption=caption)


def banded_panels(
    x: Sequence[float], panels: Mapping[str, Mapping[str, np.ndarray]], *, xlabel: str, ylabel: str, alt: str, caption: str = ""
) -> Shown:
    """Draw the bands of `banded_curves` in panels side by side, on one scale.

    Args:
        x: Positions along the axis.
        panels: Title to lines: label to (runs, positions).
        xlabel: Label of the axis.
        ylabel: Label of the other axis.
        alt: Alternative text.
        caption: Caption.
    """
    with styled():
        figure = Figure(figsize=(PAGE, 0.65 * PAGE))
        row = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for axes, (title, lines) in zip(row, panels.items(), strict=True):
            _bands(axes, x, lines)
            axes.set(title=title, xlabel=xlabel)
            axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), fontsize=9)
        figure.supylabel(ylabel, fontsize="medium")
    return Shown(figure, alt=alt, caption=caption)


def _bands(axes: Axes, x: Sequence[float], lines: Mapping[str, np.ndarray]) -> None:
    for i, (label, runs) in enumerate(lines.items()):
        colour, style = PALETTE[i // 2 % 8], ("-", "--")[i % 2]
        axes.plot(x, runs.mean(0), style, color=colour, label=label)
        axes.fill_between(x, runs.min(0), runs.max(0), color=colour, alpha=0.18, linewidth=0)


def pair_curves(tables: Mapping[str, pd.DataFrame], *, alt: str, caption: str = "") -> Shown:
    """Draw a panel per metric: the score of every method on every pair.

    The legend is in the order of the means.

    Args:
        tables: Metric to a table of pairs by methods, larger is better; all tables have the same methods, and may have gaps.
        alt: Alternative text.
        caption: Caption.
    """
    first = next(iter(tables.values()))
    looks = {name: (PALETTE[i % 8], "osD^vP*X"[i % 8], "-" if i < 8 else "--") for i, name in enumerate(first.columns)}
    with styled():
        figure = Figure(figsize=(PAGE, (0.9 + 0.17 * len(looks)) * len(tables)))
        for axes, (metric, table) in zip(np.atleast_1d(figure.subplots(len(tables), 1)), tables.items(), strict=True):
            means = table.mean().sort_values(ascending=False)
            for name, mean in means.items():
                colour, marker, line = looks[name]
                axes.plot(range(len(table)), table[name], line, color=colour, marker=marker, markersize=3, linewidth=1)
                axes.lines[-1].set_label(f"{mean:.4f} {name}")
            axes.set_title(metric, loc="left")
            axes.set_xticks([])
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8.5)
        axes.set_xlabel("pairs")
    return Shown(figure, alt=alt, caption=caption)


def bars(values: Mapping[str, float], *, xlabel: str, alt: str, caption: str = "", digits: int = 2) -> Shown:
    """Draw one horizontal bar per name, from the top, with its number beside it.

    Args:
        values: Label to number >= 0.
        xlabel: Label of the axis.
        alt: Alternative text.
        caption: Caption.
        digits: Decimals of the numbers.
    """
    with styled():
        figure = Figure(figsize=(PAGE, 0.26 * len(values) + 0.8))
        axes = figure.subplots()
        drawn = axes.barh(list(values), list(values.values()), color=SECOND, height=0.7)
        axes.bar_label(drawn, fmt=f"%.{digits}f", padding=3, fontsize=11)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.12, y=0.02)
        axes.set(xlabel=xlabel)
    return Shown(figure, alt=alt, caption=caption)


def paired_points(printed: pd.DataFrame, reproduced: pd.DataFrame, *, alt: str, caption: str = "") -> Shown:
    """Draw printed and reproduced values, a panel per metric.

    Points instead of bars, since the scales do not begin at zero.

    Args:
        printed: Methods by metrics.
        reproduced: The same metrics; a method that only one side has gets one point.
        alt: Alternative text.
        caption: Caption.
    """
    names = list(dict.fromkeys([*printed.index, *reproduced.index]))
    rows = -(-len(printed.columns) // 2)
    with styled():
        figure = Figure(figsize=(PAGE, (0.28 * len(names) + 0.8) * rows))
        panels = figure.subplots(rows, 2, sharey=True, squeeze=False).ravel()
        for axes, metric in zip(panels, printed.columns, strict=False):
            for table, label, colour, marker in ((printed, "printed", ACCENT, "s"), (reproduced, "reproduced", SECOND, "o")):
                axes.plot(table[metric].reindex(names), range(len(names)), marker, color=colour, label=label)
            axes.set(title=metric, yticks=range(len(names)), yticklabels=names)
            axes.margins(0.12)
            axes.locator_params(axis="x", nbins=4)
        panels[0].invert_yaxis()
        panels[0].legend(fontsize=9)
        for unused in panels[len(printed.columns) :]:
            unused.set_axis_off()
    return Shown(figure, alt=alt, caption=caption)


def grouped_points(table: pd.DataFrame, *, alt: str, caption: str = "") -> Shown:
    """Draw a panel per metric with one point per row; no scale begins at zero.

    Args:
        table: Rows by metrics.
        alt: Alternative text.
        caption: Caption.
    """
    lines = -(-len(table.columns) // 2)
    with styled():
        figure = Figure(figsize=(PAGE, (0.2 * len(table) + 0.7) * lines))
        panels = figure.subplots(lines, 2, sharey=True, squeeze=False).ravel()
        for axes, metric in zip(panels, table.columns, strict=False):
            axes.plot(table[metric], range(len(table)), "o", color=SECOND)
            axes.set(title=metric, yticks=range(len(table)))
            axes.set_yticklabels(table.index, fontsize=9)
            axes.locator_params(axis="x", nbins=4)
        panels[0].invert_yaxis()
        for unused in panels[len(table.columns) :]:
            unused.set_axis_off()
    return Shown(figure, alt=alt, caption=caption)


def metric_curves(
    x: Sequence[float], scores: Sequence[Mapping[str, float]], *, xlabel: str, alt: str, caption: str = ""
) -> Shown:
    """Draw several metrics along one axis, each divided by its first value.

    Args:
        x: Positions, such as the standard deviations of a blur.
        scores: One dictionary of metrics per position.
        xlabel: Label of the axis.
        alt: Alternative text.
        caption: Caption.
    """
    lines = {name: [row[name] / scores[0][name] for row in scores] for name in scores[0]}
    return curves(x, lines, xlabel=xlabel, ylabel="metric / first value", alt=alt, caption=caption)


def loss_curves(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Draw training and validation curves of a training log, a panel per quantity."""
    names = [name.removeprefix("train_") for name in rows[0] if name.startswith("train_")]
    epochs = [row["epoch"] for row in rows]
    with styled():
        height = -(-len(names) // 2)
        figure = Figure(figsize=(PAGE, 2.4 * height))
        panels = figure.subplots(height, 2, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            axes.plot(epochs, [row[f"train_{name}"] for row in rows], color=SECOND, label="training")
            axes.plot(epochs, [row[f"val_{name}"] for row in rows], color=ACCENT, label="validation", linestyle="--")
            axes.set(title=name, xlabel="epoch")
        axes.legend()
        for unused in panels[len(names) :]:
            unused.set_axis_off()
    return figure


def save_loss_curves(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write `loss_curves` as a PNG."""
    buffer = io.BytesIO()
    loss_curves(rows).savefig(buffer, format="png", dpi=120)
    write_atomically(path, buffer.getvalue())
