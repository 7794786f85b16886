"""Draw intervals and a threshold as a small SVG, in the colour of the text around it, so that it reads in light and dark mode."""

import html
from collections.abc import Callable, Mapping
from functools import partial

from mffrepro.report.evidence import Direction, Estimate

#: Widths of the columns and the height of a row, small enough for a phone.
NAMES, PLOT, NUMBERS, ROW = 175, 130, 150, 18


def interval_chart(
    parts: Mapping[str, Estimate], direction: Direction, thresholds: Mapping[str, float], *, own_scales: bool = False
) -> str:
    """Draw the effects and intervals of the parts of a claim beside their thresholds.

    There is one row per part, with its numbers. Thresholds stand below each other, and are labelled where all are the same.

    Args:
        parts: Name -> estimate.
        direction: As for `mffrepro.report.evidence.margin`; ``"within"`` has a threshold on either side of zero.
        thresholds: Name -> threshold, drawn as a broken line, and shaded on the claimed side.
        own_scales: Whether each row fills the width by itself; needed where the parts have different units.

    Returns:
        SVG without blank lines, so that Markdown keeps it whole.
    """
    lines = {name: (-one, one) if direction == "within" else (one,) for name, one in thresholds.items()}
    centres = {name: 0.0 if direction == "within" else one for name, one in thresholds.items()}
    reach = {
        name: max(abs(end - centres[name]) for end in (part.low, part.high, part.effect, *lines[name]))
        for name, part in parts.items()
    }
    widest = max(reach.values())
    rows = []
    for i, (name, part) in enumerate(parts.items()):
        scale = 0.46 * PLOT / ((reach[name] if own_scales else widest) or 1)
        rows.append(_row(ROW * i, name, part, direction, lines[name], partial(_x, centre=centres[name], scale=scale)))
    height = ROW * len(parts)
    same = len(set(lines.values())) == 1 and (not own_scales or direction != "within" or len(parts) == 1)
    first = next(iter(parts))
    scale = 0.46 * PLOT / ((reach[first] if own_scales else widest) or 1)
    labels = _labels({_x(value, centres[first], scale): value for value in lines[first]} if same else {}, height)
    return (
        f'<svg role="img" aria-label="{html.escape(_words(parts, direction, thresholds))}" '
        f'viewBox="0 0 {NAMES + PLOT + NUMBERS} {height + 16 * same}" '
        'style="width:100%;max-width:36em;display:block;color:inherit;overflow:visible" font-size="12" fill="currentColor" '
        'stroke="currentColor">' + "".join(rows) + labels + "</svg>"
    )


def _x(value: float, centre: float, scale: float) -> float:
    return round(NAMES + PLOT / 2 + (value - centre) * scale, 1)


def _row(top: float, name: str, part: Estimate, direction: Direction, lines: tuple[float, ...], x: Callable) -> str:
    low, high, effect, y = x(part.low), x(part.high), x(part.effect), top + ROW / 2
    marks = [x(value) for value in lines]
    drawn = "".join(f'<line x1="{at}" x2="{at}" y1="{top}" y2="{top + ROW}" stroke-dasharray="3 3"/>' for at in marks)
    interval = f'<line x1="{low}" x2="{high}" y1="{y}" y2="{y}" stroke-width="2"/>' if part.low < part.high else ""
    return (
        _shade(marks, direction, top)
        + drawn
        + f'<text x="{NAMES - 8}" y="{y + 4}" text-anchor="end" stroke="none">{html.escape(_cut(name))}</text>{interval}'
        + f'<circle cx="{effect}" cy="{y}" r="3.5" stroke="none"/>'
        + f'<text x="{NAMES + PLOT + 8}" y="{y + 4}" stroke="none">{numbers(part)}</text>'
    )


def _shade(marks: list[float], direction: Direction, top: float) -> str:
    left = marks[0] if direction != "less" else NAMES
    right = NAMES + PLOT if direction == "greater" else marks[-1]
    return f'<rect x="{left}" y="{top}" width="{max(right - left, 0)}" height="{ROW}" stroke="none" fill-opacity="0.08"/>'


def _labels(values: Mapping[float, float], height: float) -> str:
    return "".join(
        f'<text x="{x}" y="{height + 12}" text-anchor="middle" stroke="none" font-size="11">{value:.3g}</text>'
        for x, value in values.items()
    )


def _cut(name: str, length: int = 28) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def numbers(part: Estimate) -> str:
    """Write an effect and its interval, such as ``"0.012 [0.01, 0.014]"``.

    An exact effect stands alone, and so does the one number of a single training.
    """
    text = f"{part.effect:.3g}"
    return f"{text} [{part.low:.3g}, {part.high:.3g}]" if part.images > 1 or part.seeds > 1 else text


def _words(parts: Mapping[str, Estimate], direction: Direction, thresholds: Mapping[str, float]) -> str:
    listed = "; ".join(f"{name} {numbers(part)}, claimed {direction} {thresholds[name]:g}" for name, part in parts.items())
    return f"Effects with 95 % intervals: {listed}"
