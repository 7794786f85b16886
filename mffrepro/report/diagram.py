"""Diagrams drawn from what ran: the shapes are those of a forward pass, the order of a fusion is that of its calls."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.patches as patches
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mffrepro.report.style import PAGE, PALETTE, Shown, styled

if TYPE_CHECKING:
    from mffrepro.benchmarks.strategies import Call, Traced


def trace_shapes(network, inputs: Sequence) -> dict[str, tuple[int, ...]]:
    """Record the output shape of every submodule that yields one tensor.

    They stand in the order in which they ran.

    Args:
        network: A torch module.
        inputs: Arguments of one forward pass.
    """
    import torch

    shapes: dict[str, tuple[int, ...]] = {}
    names = {module: name for name, module in network.named_modules() if name}

    def note(module, _, output) -> None:
        if isinstance(output, torch.Tensor):
            shapes.setdefault(names[module], tuple(output.shape))

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        with torch.inference_mode():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return shapes


def multiply_adds(network, inputs: Sequence) -> int:
    """Count the multiplications with addition in one forward pass.

    Convolutions and linear layers count.

    Args:
        network: A torch module.
        inputs: Arguments of the pass.
    """
    import torch

    total = 0

    def count(module, _, output) -> None:
        nonlocal total
        total += output.numel() * module.weight[0].numel()

    layers = [module for module in network.modules() if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.inference_mode():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def flow(rows: Sequence[tuple[str, Sequence[tuple[str, str]], str]], *, alt: str, caption: str = "") -> Shown:
    """Draw rows of boxes joined by arrows, each row one part of a network.

    Args:
        rows: (name of the part, boxes as (text, shape), colour).
        alt: Alternative text.
        caption: Caption.
    """
    longest = max(len(boxes) for _, boxes, _ in rows)
    with styled():
        figure = Figure(figsize=(PAGE, 1.25 * len(rows)))
        axes = figure.subplots()
        axes.set(xlim=(-0.05, longest), ylim=(-len(rows) + 0.3, 0.75))
        axes.set_axis_off()
        for line, (name, boxes, colour) in enumerate(rows):
            axes.text(0, 0.58 - line, name, fontsize=11, fontweight="bold", va="center")
            for i, (text, shape) in enumerate(boxes):
                _box(axes, i, -line, text, shape, colour)
                if i:
                    axes.annotate(
                        "", (i + 0.02, 0.1 - line), (i - 0.12, 0.1 - line), arrowprops={"arrowstyle": "->", "color": "#444"}
                    )
    return Shown(figure, alt=alt, caption=caption)


def _box(axes: Axes, x: float, y: float, text: str, shape: str, colour: str) -> None:
    axes.add_patch(
        patches.FancyBboxPatch((x + 0.04, y - 0.2), 0.82, 0.58, "round,pad=0.02", facecolor=colour + "33", edgecolor=colour)
    )
    axes.text(x + 0.45, y + 0.2, text, ha="center", va="center", fontsize=9)
    axes.text(x + 0.45, y - 0.06, shape, ha="center", va="center", fontsize=8.5, color="#444")


def classifier_boxes(network) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Describe a patch classifier as boxes for `flow`, from one forward pass.

    They show its branch, and what follows for both patches.

    Args:
        network: A `mffrepro.models.siamese.Siamese`.
    """
    import torch

    side = network.patch + 2 * network.halo
    names = {"conv": "conv 3 × 3\n+ ReLU", "pool": f"{network.pool} pool\n2 × 2"}
    with torch.inference_mode():
        traced = list(network.trace(torch.zeros(1, 1, side, side)))
        joined = torch.cat([traced[-1][1]] * 2, 1)
        head = [("join both\nbranches", show_shape(joined.shape))]
        for i, layer in enumerate(network.head, start=1):
            joined = layer(joined)
            head.append((f"fully\nconnected {i}", show_shape(joined.shape)))
    branch = [("gray patch", f"1 × {side} × {side}"), *((names[kind], show_shape(maps.shape)) for kind, maps in traced)]
    return branch, [*head, ("softmax", show_shape(joined.shape))]


def gacn_rows(network) -> list[tuple[str, list[tuple[str, str]], str]]:
    """Build the rows of GACN for `flow` from one forward pass on 96 x 96 pixels.

    Args:
        network: A `mffrepro.models.gacn.GACN`.
    """
    import torch

    side = 96
    blank = torch.zeros(1, 1, side, side, device=network.gaussian.device)
    shapes = {name: show_shape(shape) for name, shape in trace_shapes(network, (blank, blank)).items()}
    convolutions = range(len(network.features.se))
    features = [("gray image", f"1 × {side} × {side}")]
    features += [(f"conv {i + 1} + CSE", shapes[f"features.se.{i}"]) for i in convolutions]
    features += [("spatial\nfrequency", f"64 × {side} × {side}")]
    decision = [("difference\n+ SSE", shapes["decision.se.0"])]
    decision += [(f"conv {i + 1} + SSE", shapes[f"decision.se.{i + 1}"]) for i in convolutions]
    out = [("sigmoid", f"k = {network.slope:.0f}"), ("boundary\nsmoothing", "guided filter"), ("fusion", "p A + (1 - p) B")]
    return [
        ("feature path, once per photograph", features, PALETTE[0]),
        ("decision path", decision, PALETTE[1]),
        ("output", out, PALETTE[2]),
    ]


def show_shape(shape: Sequence[int]) -> str:
    """Write a shape ``(1, 64, 96, 96)`` as ``64 × 96 × 96``."""
    return " × ".join(str(side) for side in shape[1:])


# ------------------------------------------------------------------------------------- fusion of many images


def strategies(traces: Mapping[str, "Traced"], *, alt: str, caption: str = "") -> Shown:
    """Draw what each strategy asks of its comparer.

    Extractions stand above, decisions below, with arrows from what they need.

    Args:
        traces: Name of the strategy -> the comparer that it used.
        alt: Alternative text.
        caption: Caption.
    """
    longest = max(trace.count("extract") for trace in traces.values())
    with styled():
        figure = Figure(figsize=(PAGE, 1.75 * len(traces)))
        for axes, (name, trace) in zip(np.atleast_1d(figure.subplots(len(traces), 1)), traces.items(), strict=True):
            axes.set(xlim=(-0.1, longest), ylim=(-0.85, 1.0))
            axes.set_axis_off()
            counts = {kind: trace.count(call) for kind, call in (("extraction", "extract"), ("decision", "decide"))}
            numbers = ", ".join(f"{number} {kind}{'s' * (number != 1)}" for kind, number in counts.items())
            axes.set_title(f"{name}: {numbers}", loc="left", fontsize=11)
            _draw_calls(axes, trace.calls)
    return Shown(figure, alt=alt, caption=caption)


def _draw_calls(axes: Axes, calls: Sequence["Call"]) -> None:
    """Draw extractions from left to right; a decision stands below the last extraction that it needs."""
    places: list[tuple[float, float]] = []
    extractions = 0
    for call in calls:
        if call.kind == "extract":
            place, text, colour = (extractions + 0.42, 0.55), f"features\nof {call.text}", PALETTE[0]
            extractions += 1
        else:
            place, text, colour = (max(places[i][0] for i in call.inputs) + 0.15, -0.45), "decide", PALETTE[1]
        for i in call.inputs:
            axes.annotate("", _edge(place, places[i]), _edge(places[i], place), arrowprops={"arrowstyle": "->", "color": "#444"})
        places.append(place)
        corner = (place[0] - 0.36, place[1] - 0.26)
        axes.add_patch(patches.FancyBboxPatch(corner, 0.72, 0.52, "round,pad=0.02", facecolor=colour + "33", edgecolor=colour))
        axes.text(*place, text, ha="center", va="center", fontsize=9)


def _edge(box: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Return the point where an arrow from `towards` meets a box: above, below, or, on one level, at the side."""
    if box[1] == towards[1]:
        return box[0] + (0.39 if towards[0] > box[0] else -0.39), box[1]
    return box[0] + 0.2 * np.sign(towards[0] - box[0]), box[1] + (0.29 if towards[1] > box[1] else -0.29)


# ------------------------------------------------------------------------------------------------- families


def tree(root: str, branches: Mapping[str, Mapping[str, Sequence[str]]], *, alt: str, caption: str = "") -> Shown:
    """Draw a tree of three levels from left to right.

    The root, its branches, their twigs, and the names on each twig.

    Args:
        root: What all have in common.
        branches: Branch -> twig -> names.
        alt: Alternative text.
        caption: Caption.
    """
    twigs = [(branch, twig, names) for branch, part in branches.items() for twig, names in part.items()]
    with styled():
        figure = Figure(figsize=(PAGE, 0.62 * len(twigs) + 0.4))
        axes = figure.subplots()
        axes.set(xlim=(0, 10), ylim=(-len(twigs) + 0.4, 0.6))
        axes.set_axis_off()
        middle = -(len(twigs) - 1) / 2
        _label(axes, 0.95, middle, root, "#888888", 1.7)
        for number, branch in enumerate(branches):
            rows = [-i for i, (owner, _, _) in enumerate(twigs) if owner == branch]
            here = float(np.mean(rows))
            axes.plot((1.8, 2.4), (middle, here), color="#888", linewidth=1, zorder=0)
            _label(axes, 3.3, here, branch, PALETTE[number], 1.8)
            for row in rows:
                axes.plot((4.2, 4.8), (here, row), color="#888", linewidth=1, zorder=0)
                _label(axes, 5.75, row, twigs[-row][1], PALETTE[number], 1.9)
                axes.text(6.85, row, ", ".join(twigs[-row][2]), va="center", fontsize=10)
    return Shown(figure, alt=alt, caption=caption)


def _label(axes: Axes, x: float, y: float, text: str, colour: str, width: float) -> None:
    corner = (x - width / 2, y - 0.26)
    axes.add_patch(patches.FancyBboxPatch(corner, width, 0.52, "round,pad=0.02", facecolor=colour + "33", edgecolor=colour))
    axes.text(x, y, text, ha="center", va="center", fontsize=9.5)
