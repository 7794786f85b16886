"""Show a verdict as a box, in a chapter and in the ledger: claim, outcome, effect, interval, test and place."""

import html
from collections.abc import Mapping
from typing import Any

from mffrepro.report.evidence import Estimate
from mffrepro.report.interval_chart import interval_chart, numbers
from mffrepro.report.pages import anchor

#: Mark and colour of the edge of every outcome; words take the colour of the page.
MARKS = {
    "holds": ("✓", "#1a9870"),
    "does not hold": ("✗", "#d9622b"),
    "undecided": ("?", "#8a7ad1"),
    "cannot be tested": ("–", "#888888"),
    "not tested yet": ("–", "#888888"),
}
SCENES = {"own": "scenes of the paper", "substitute": "substitute scenes", "": ""}
WEIGHTS = {"paper": "weights of the authors", "ours": "weights of this project", "": ""}


#: Said of a claim that fails with networks of this project: those of the paper, with their own weights, may differ.
SUBSTITUTE_WEIGHTS = "Not reproduced with weights of this project. The paper's own may do better, so the claim stays undecided."


def verdict_anchor(claim: str) -> str:
    """Name the anchor of a verdict in its chapter: `C4.8` has `verdict-c4-8`."""
    return f"verdict-{anchor(claim)}"


def box(record: Mapping[str, Any], *, name: str, chapter: str = "") -> str:
    """Write the box of a verdict.

    Args:
        record: The fields of `mffrepro.report.claims.Verdict`; those that an untested claim lacks may be missing.
        name: Anchor of the box.
        chapter: Chapter whose box is linked; empty in that chapter itself.

    Returns:
        HTML without blank lines.
    """
    mark, colour = MARKS[record["outcome"]]
    lines = [_measured(record), _chart(record), *_limits(record), *_details(record)]
    if chapter:
        lines.append(f'<a href="{chapter}.html#{verdict_anchor(record["claim"])}">Chapter: {chapter}</a>')
    body = "".join(f'<div style="font-size:0.9em">{line}</div>' for line in lines if line)
    return (
        f'<div id="{name}" class="mff-box" data-outcome="{record["outcome"]}" data-paper="{record["paper"]}" '
        f'style="border-left:4px solid {colour};padding:0.3em 0.8em;margin:0.6em 0">'
        f"<b>{record['claim']}</b> {html.escape(record['text'])}<br><b>{mark} {record['outcome']}</b>{body}</div>"
    )


def parts_of(record: Mapping[str, Any]) -> dict[str, Estimate]:
    """Return the estimates of a record by the names of the parts."""
    return {name: Estimate(**found) for name, found in record.get("parts", {}).items()}


def _measured(record: Mapping[str, Any]) -> str:
    """Write the effect that decides, with its interval and the sizes of the samples."""
    if record.get("effect") is None:
        return ""
    part = parts_of(record)[record["weakest"]]
    named = f" ({html.escape(record['weakest'])})" if len(record["parts"]) > 1 else ""
    return f"<b>{numbers(part)}</b> {html.escape(record['unit'])}{named} · " + html.escape(
        " · ".join(text for text in (sizes(record), SCENES[record["scenes"]], WEIGHTS[record["weights"]]) if text)
    )


def sizes(record: Mapping[str, Any]) -> str:
    """Write how many images and seeds a verdict rests on."""
    if record.get("sample") == "exact":
        return "exact, without an interval"
    things = "runs" if record.get("sample") == "runs" else "images"
    count = len(record["seeds"])
    seeds = f"{count} seed{'s' * (count != 1)}" if count else ""
    if record.get("sample") == "trainings" and record["images"] == 1:
        return f"{seeds}, a number each"
    return ", ".join(text for text in (f"{record['images']} {things}", seeds) if text)


def _chart(record: Mapping[str, Any]) -> str:
    parts = parts_of(record)
    mixed = record.get("unit", "").startswith("each") or ";" in record.get("unit", "")
    thresholds = {name: record["thresholds"].get(name, record["threshold"]) for name in parts}
    return interval_chart(parts, record["direction"], thresholds, own_scales=mixed) if parts else ""


def _limits(record: Mapping[str, Any]) -> list[str]:
    """List thresholds of single parts, and what keeps a claim undecided: substitute weights, parts without a test."""
    own = [f"{name} {value:g}" for name, value in record.get("thresholds", {}).items()]
    others = [f"others {record['threshold']:g}"] * (len(own) < len(record.get("parts", {})))
    untested = record.get("untested", [])
    listed = {"Thresholds": "; ".join(own + others) if own else "", "Cannot be tested": ", ".join(untested)}
    lines = [f"<i>{head}:</i> {html.escape(text)}" for head, text in listed.items() if text]
    return [*([SUBSTITUTE_WEIGHTS] if record.get("substituted") else []), *lines]


def _details(record: Mapping[str, Any]) -> list[str]:
    listed = " · ".join(f"{name} {_short(value)}" for name, value in record.get("numbers", {}).items())
    named = {
        "": record.get("note", ""),
        "Measured": listed,
        "Test": record.get("test", ""),
        "In the paper": "; ".join(text for text in (record.get("place", ""), record.get("reported", "")) if text),
    }
    return [(f"<i>{head}:</i> " if head else "") + html.escape(text) for head, text in named.items() if text]


def _short(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
