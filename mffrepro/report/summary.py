"""The box "In one minute": a chapter's question, and its answer in sentences that the verdicts choose.

The sentences stand in ``data_manifests/papers/answers.csv``, one for each outcome of a claim, and so were written before the run.

A chapter makes the box in its last section, when all verdicts are known, in a cell tagged `TAG`. The book builder shows a copy of
the box at the top of the page (`mffrepro.book.execution`), so what stands at the top was computed below it.
"""

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import OptionError, unknown
from mffrepro.report.claims import OUTCOMES, UNTESTED, Verdict, all_claims, given
from mffrepro.report.interval_chart import numbers
from mffrepro.report.verdict_box import MARKS, parts_of, sizes

#: Tag of the cell whose box the book builder copies to the top of a page.
TAG = "in-one-minute"


@dataclass(frozen=True)
class Summary:
    """Hold what a chapter answers, and show it as a box.

    Args:
        question: The chapter's question.
        answer: The answer in a sentence, from `says`.
        counts: Outcome -> number of the paper's claims.
        best: The number that matters most, with its interval, in words.
        learned: Three things that the verdicts show, from `says`.
        substituted: How many of the undecided claims fail with weights of this project.
        elsewhere: Other chapters that judge claims of the paper, which are not counted here.
    """

    question: str
    answer: str
    counts: dict[str, int]
    best: str
    learned: tuple[str, ...]
    substituted: int = 0
    elsewhere: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        counted = ", ".join(f"{MARKS[name][0]} {count} {_plural(name, count)}" for name, count in self.counts.items() if count)
        if self.substituted:
            counted += f"; not reproduced with weights of this project: {self.substituted} of the undecided"
        if self.elsewhere:
            links = " and ".join(f'<a href="{name}.html">{name}</a>' for name in self.elsewhere)
            counted += f"; the other claims of the paper are judged in {links}"
        items = "".join(f"<li>{html.escape(text)}</li>" for text in self.learned)
        return (
            '<div class="mff-box" style="border:2px solid #8a7ad1;border-radius:6px;padding:0.5em 1em;margin:1em 0">'
            f"<b>In one minute</b><br><i>{html.escape(self.question)}</i><br>{html.escape(self.answer)}<br>"
            f"<b>{sum(self.counts.values())} claims:</b> {counted}.<br><b>The number:</b> {html.escape(self.best)}"
            f"<ul>{items}</ul></div>"
        )


def in_one_minute(
    paper: str, question: str, *, answer: str, best: str, learned: Sequence[str], number: str = "", elsewhere: Sequence[str] = ()
) -> Summary:
    """Make the box of a chapter from the verdicts that it gave.

    Args:
        paper: Key of the paper; its claims are counted, and observations are not.
        question: The chapter's question.
        answer: A sentence that `says` chose.
        best: Claim whose effect is the chapter's most important number.
        learned: Three sentences that `says` chose.
        number: What the effect of `best` measures, in words; the claim itself where it is left out.
        elsewhere: Names of the other chapters that judge claims of this paper; only those judged here are then counted.

    Raises:
        OptionError: The chapter gave no verdict on `best`.
    """
    rows = all_claims()
    found = given(paper)
    claimed = rows.index[(rows["paper"] == paper) & (rows["kind"] == "claim") & (rows.index.isin(found) | (not elsewhere))]
    substituted = sum(found[claim].substituted for claim in claimed if claim in found)
    outcomes = Counter(found[claim].outcome if claim in found else UNTESTED for claim in claimed)
    verdict = _given(best)
    record = {"parts": verdict.parts, "sample": verdict.sample, "images": verdict.images, "seeds": verdict.seeds}
    measured = f"{effect_text(verdict)}, {sizes(record)} ({best})" if verdict.parts else f"{best} {verdict.outcome}"
    shown = f"{number or verdict.text}: {measured}"
    counts = {name: outcomes[name] for name in OUTCOMES}
    return Summary(question, answer, counts, shown, tuple(learned), substituted, tuple(elsewhere))


@cache
def _answers() -> pd.DataFrame:
    return pd.read_csv(manifest_folder() / "papers" / "answers.csv", index_col="id").fillna("")


def says(claim: str, *, undecided: str = "", substitute: str = "") -> str:
    """Choose the sentence that fits the verdict of this run on a claim.

    Args:
        claim: Id; the chapter must have judged it already, and it has a row in ``data_manifests/papers/answers.csv``.
        undecided: Sentence for one that is undecided, where it names something that the chapter computed.
        substitute: The same for one that is undecided because it fails with weights of this project. Where neither the chapter
            nor the file has such a sentence, a general one says so.

    Returns:
        The sentence, with the claim and its effect in brackets.

    Raises:
        OptionError: The chapter gave no verdict on the claim, or the file has no sentences for it.
    """
    verdict = _given(claim)
    if claim not in _answers().index:
        raise unknown("claim with sentences", claim, _answers().index)
    written = _answers().loc[claim]
    unsure = undecided or written["undecided"]
    if verdict.substituted:
        general = f"Not reproduced with weights of this project, which leaves it undecided: {verdict.text}."
        unsure = substitute or written["substitute"] or general
    sentences = {"holds": written["holds"], "does not hold": written["fails"], "undecided": unsure}
    text = sentences.get(verdict.outcome) or f"The claim cannot be tested: {verdict.text}."
    return f"{text} ({claim}{': ' + effect_text(verdict) if verdict.parts else ''})"


def effect_text(verdict: Verdict) -> str:
    """Write the deciding effect of a verdict with its interval, unit and part."""
    parts = parts_of({"parts": verdict.parts})
    unit = "" if verdict.unit.startswith("each") else f" {verdict.unit}"
    named = f", {verdict.weakest}" if len(parts) > 1 else ""
    return f"{numbers(parts[verdict.weakest])}{unit}{named}"


def _given(claim: str) -> Verdict:
    rows = all_claims()
    found = given(rows.loc[claim, "paper"]) if claim in rows.index else {}
    if claim not in found:
        raise OptionError(f"{claim} has no verdict in this chapter yet; judge it before the summary")
    return found[claim]


def _plural(outcome: str, count: int) -> str:
    words = {"holds": "hold", "does not hold": "do not hold"}
    return words.get(outcome, outcome) if count != 1 else outcome
