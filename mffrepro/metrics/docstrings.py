"""Docstrings of the public functions, from the kernels and their rows.

A kernel's docstring holds its first line, remarks and, where needed, a section ``Deviations``. Everything else follows from the
row and is written here once.
"""

import inspect
import math
import textwrap

from mffrepro.metrics.programs import HERE
from mffrepro.metrics.registry import MetricCard

WIDTH = 120
INDENT = "    "

#: The value of a perfect result, by what the metric needs.
_IDENTITY = {
    "sources": "an image fused with itself scores {}",
    "reference": "an image equal to the reference scores {}",
    "decision": "equal maps score {}",
}
_SCALE = {
    "sources": " Computed on gray levels 0..255.",
    "reference": " Computed on all channels, 0..255, without gray conversion.",
    "decision": "",
}
_IMAGES = "images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1]."
_EXAMPLE = {
    "sources": ("near, far, sharp", "[near, far], sharp"),
    "reference": ("near, sharp", "sharp, near"),
    "decision": ("decision", "decision, decision[::-1]"),
}


def docstring(card: MetricCard, variants: list[MetricCard]) -> str:
    """Write the docstring of the public function of a metric."""
    first, _, rest = inspect.getdoc(card.kernel).partition("\n")
    remarks, _, deviations = rest.partition("Deviations:\n")
    parts = [
        first,
        _range(card),
        _formula(card.formula),
        remarks.strip("\n"),
        _section("Args", _arguments(card, variants)),
        _section("Returns", ["One number for the whole image; NaN where the metric is not defined for these images."]),
        _section("Raises", _errors(card, variants)),
        "Deviations:\n" + deviations.strip("\n") if deviations else "",
        _section("References", [_references([card, *variants])], hanging=""),
        "Chapter: 01_metrics",
        "Example:\n" + textwrap.indent(_example(card), INDENT),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(name: str, entries: list[str], hanging: str = INDENT) -> str:
    """Write a section with one entry per line; `hanging` indents wrapped lines."""
    lines = [textwrap.fill(entry, WIDTH, subsequent_indent=hanging, break_on_hyphens=False) for entry in entries]
    return f"{name}:\n" + textwrap.indent("\n".join(lines), INDENT)


def _range(card: MetricCard) -> str:
    """Write the sentence on range, direction, value of a perfect result and scale."""
    if card.low is None and card.high is None:
        ends = "Unbounded"
    elif card.high is None:
        ends = f"From {_number(card.low)} up"
    else:
        ends = "At most" if card.low is None else f"Range {_number(card.low)} to"
        ends += " " + _number(card.high)
    identity = "" if card.identity is None else "; " + _IDENTITY[card.needs].format(_number(card.identity))
    return textwrap.fill(f"{ends}, {card.better or 'neither direction'} is better{identity}.{_SCALE[card.needs]}", WIDTH)


def _number(value: float) -> str:
    return "infinity" if value == math.inf else f"{value:.4g}"


def _formula(formula: str) -> str:
    formula = inspect.cleandoc(formula)
    return ".. math::\n\n" + textwrap.indent(formula, INDENT) if formula else ""


def _arguments(card: MetricCard, variants: list[MetricCard]) -> list[str]:
    if card.needs == "decision":
        return [
            "true_decision: (N, H, W) true share of each source per pixel, N >= 2.",
            "decision: (N, H, W) share of each source per pixel that the fusion chose.",
        ]
    fused = "fused: Image of that size."
    if card.needs == "reference":
        return ["reference: All-in-focus image, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].", fused]
    count = "N >= 2" if card.max_sources is None else "Two"
    arguments = [f"sources: {count} {_IMAGES}", fused, 'gray: Gray conversion, "matlab" or "skimage".']
    if variants:
        readings = (f'"{variant.variant}" ({variant.summary}{_larger(variant, card)})' for variant in variants)
        arguments.append("variant: None for the default reading, or " + ", or ".join(readings) + ".")
    return arguments


def _larger(variant: MetricCard, card: MetricCard) -> str:
    """Name the smallest size of a variant if its default reading takes less."""
    return f", sides of {variant.min_side} pixels or more" if variant.min_side > card.min_side else ""


def _errors(card: MetricCard, variants: list[MetricCard]) -> list[str]:
    if card.needs == "decision":
        return ["ImageError: A map has another shape, or contains NaN or infinite values."]
    small = f" a side is under {card.min_side} pixels," if card.min_side > 1 else ""
    errors = [f"ImageError: Sizes or channels differ,{small} or floats leave [0, 1]."]
    if card.needs == "sources":
        many = "" if card.max_sources is None else ", or more than two sources"
        errors.append(f"OptionError: Unknown {'variant or ' if variants else ''}gray conversion{many}.")
    return errors


def _references(readings: list[MetricCard]) -> str:
    """List the papers, and the programs whose numbers the readings reproduce."""
    keys = dict.fromkeys(key for card in readings for key in (card.bibkey, *card.further_keys))
    programs = list(dict.fromkeys(card.source for card in readings if card.source != HERE))
    compared = f"; source{'s' if len(programs) > 1 else ''} compared: {', '.join(programs)}" if programs else ""
    return ", ".join(f"[{key}]" for key in keys) + compared + "."


def _example(card: MetricCard) -> str:
    images, arguments = _EXAMPLE[card.needs]
    lines = [
        ">>> from mffrepro import metrics",
        f">>> from mffrepro.metrics.example import {images}",
        f">>> round(metrics.{card.name}({arguments}), 4)",
        repr(card.example),
    ]
    return "\n".join(lines)
