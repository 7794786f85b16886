"""Diagrams drawn from a network itself: the shapes are those that a forward pass had."""

from collections.abc import Sequence

import matplotlib.patches as patches
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mffrepro.report.style import PAGE, Shown, styled


def trace_shapes(network, inputs: Sequence) -> dict[str, tuple[int, ...]]:
    """Output shape of every submodule that yields one tensor, in the order in which they ran.

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


def flow(rows: Sequence[tuple[str, Sequence[tuple[str, str]], str]], *, alt: str, caption: str = "") -> Shown:
    """Rows of boxes joined by arrows, each row one part of a network.

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


def show_shape(shape: Sequence[int]) -> str:
    """``(1, 64, 96, 96)`` as ``64 × 96 × 96``."""
    return " × ".join(str(side) for side in shape[1:])
