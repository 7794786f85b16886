"""Draw intervals and a threshold as a small SVG, in the colour of the text around it, so that it reads in light and dark mode."""

import html
from collections.abc import Mapping

from mffrepro.report.evidence import Direction, Estimate

#: Widths of the columns and the height of a row, small enough for a phone.
NAMES, PLOT, NUMBERS, ROW = 175, 130, 150, 18


def interval_chart(parts: Mapping[str, Estimate], direction: Direction, threshold: float, *, own_scales: bool = False) -> str:
    """Draw the effects and intervals of the parts of a claim beside its threshold.

    There is one row per part, with its numbers.

    Args:
        parts: Name -> estimate.
        direction: As for `mffrepro.report.evidence.margin`; ``"within"`` has a threshold on either side of zero.
        threshold: Drawn as a broken line, and shaded on the claimed side.
        own_scales: Whether each row fills the width by itself; needed where the parts have different units.

    Returns:
        SVG without blank lines, so that Markdown keeps it whole.
    """
    lines = (-threshold, threshold) if direction == "within" else (threshold,)
    centre = 0.0 if direction == "within" else threshold
    reach = {name: max(abs(end - centre) for end in (part.low, part.high, part.effect, *lines)) for name, part in parts.items()}
    widest = max(reach.values())
    rows = []
    for i, (name, part) in enumerate(parts.items()):
        scale = 0.46 * PLOT / ((reach[name] if own_scales else widest) or 1)
        rows.append(_row(ROW * i + ROW / 2, name, part, lambda value, scale=scale: _x(value, centre, scale)))
    height = ROW * len(parts)
    scale = 0.46 * PLOT / (widest or 1)
    marks = [_x(value, centre, scale) for value in lines]
    return (
        f'<svg role="img" aria-label="{html.escape(_words(parts, direction, threshold))}" '
        f'viewBox="0 0 {NAMES + PLOT + NUMBERS} {height + 16}" '
        'style="width:100%;max-width:36em;display:block;color:inherit;overflow:visible" font-size="12" fill="currentColor" '
        'stroke="currentColor">' + _shade(marks, direction, height) + "".join(rows) + _threshold(marks, lines, height) + "</svg>"
    )


def _x(value: float, centre: float, scale: float) -> float:
    return round(NAMES + PLOT / 2 + (value - centre) * scale, 1)


def _row(y: float, name: str, part: Estimate, x) -> str:
    low, high, effect = x(part.low), x(part.high), x(part.effect)
    line = f'<line x1="{low}" x2="{high}" y1="{y}" y2="{y}" stroke-width="2"/>' if part.low < part.high else ""
    return (
        f'<text x="{NAMES - 8}" y="{y + 4}" text-anchor="end" stroke="none">{html.escape(_cut(name))}</text>{line}'
        f'<circle cx="{effect}" cy="{y}" r="3.5" stroke="none"/>'
        f'<text x="{NAMES + PLOT + 8}" y="{y + 4}" stroke="none">{numbers(part)}</text>'
    )


def _shade(marks: list[float], direction: Direction, height: float) -> str:
    left = marks[0] if direction != "less" else NAMES
    right = NAMES + PLOT if direction == "greater" else marks[-1]
    return f'<rect x="{left}" y="0" width="{max(right - left, 0)}" height="{height}" stroke="none" fill-opacity="0.08"/>'


def _threshold(marks: list[float], lines: tuple[float, ...], height: float) -> str:
    return "".join(
        f'<line x1="{x}" x2="{x}" y1="0" y2="{height}" stroke-dasharray="3 3"/>'
        f'<text x="{x}" y="{height + 12}" text-anchor="middle" stroke="none" font-size="11">{value:.3g}</text>'
        for x, value in zip(marks, lines, strict=True)
    )


def _cut(name: str, length: int = 28) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def numbers(part: Estimate) -> str:
    """Write an effect and its interval, such as ``"0.012 [0.01, 0.014]"``.

    An exact effect stands alone, and so does the one number of a single training.
    """
    text = f"{part.effect:.3g}"
    return f"{text} [{part.low:.3g}, {part.high:.3g}]" if part.images > 1 or part.seeds > 1 else text


def _words(parts: Mapping[str, Estimate], direction: Direction, threshold: float) -> str:
    listed = "; ".join(f"{name} {numbers(part)}" for name, part in parts.items())
    return f"Effects with 95 % intervals, claimed {direction} {threshold:g}: {listed}"
