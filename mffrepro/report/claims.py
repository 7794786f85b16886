"""Verdicts: each claim of a paper, what was measured, and whether it holds here.

A chapter tests its paper's claims while it runs. Under ``mffrepro book`` each verdict is also written to a record, and the
chapter ``10_claims`` only collects the records.
"""

import html
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd

from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import unknown
from mffrepro.images import write_atomically
from mffrepro.report.pages import anchor

#: Where records go; set by the book builder, one folder per chapter.
FOLDER_VARIABLE = "MFFREPRO_RECORDS"

OUTCOMES = {True: "holds", False: "does not hold", None: "cannot be tested here"}
UNTESTED = "not tested yet"
_COLOURS = {"holds": "#007a55", "does not hold": "#b34700", "cannot be tested here": "#666666", UNTESTED: "#666666"}


@cache
def all_claims() -> pd.DataFrame:
    """Read the claims of the five papers, by id."""
    return pd.read_csv(manifest_folder() / "papers" / "claims.csv").set_index("id").fillna("")


@dataclass(frozen=True)
class Verdict:
    """Hold the verdict on one claim."""

    claim: str
    paper: str
    text: str
    outcome: str
    numbers: dict[str, float | int | str]
    note: str = ""
    seeds: list[int] = field(default_factory=list)

    def _repr_html_(self) -> str:
        return _box(self.claim, self.text, self.outcome, [_listed(self.numbers), self.note])

    def __repr__(self) -> str:
        return f"{self.claim}: {self.outcome}"


@dataclass(frozen=True)
class Entries:
    """Show a box for each claim of a ledger, with an anchor that pages link to.

    Args:
        ledger: What `ledger` returns.
    """

    ledger: pd.DataFrame

    def _repr_html_(self) -> str:
        return "\n".join(
            _box(claim, row["claim"], row["verdict"], [row["measured"], row["note"], row["chapter"]], anchor=anchor(claim))
            for claim, row in self.ledger.iterrows()
        )


def _box(claim: str, text: str, outcome: str, details: Sequence[str], *, anchor: str = "") -> str:
    colour = _COLOURS[outcome]
    place = f' id="{anchor}"' if anchor else ""
    lines = "<br>".join(html.escape(detail) for detail in details if detail)
    return (
        f'<div{place} style="border-left:4px solid {colour};padding:0.3em 0.8em;margin:0.6em 0">'
        f"<b>{claim}</b> {html.escape(text)}<br>"
        f'<b style="color:{colour}">{outcome}</b><br><span style="font-size:0.9em">{lines}</span></div>'
    )


def _listed(numbers: Mapping[str, float | int | str]) -> str:
    return " · ".join(f"{name} {_short(value)}" for name, value in numbers.items())


def _short(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def decide(
    claim: str, outcome: bool | None, numbers: Mapping[str, float | int | str], *, note: str = "", seeds: Sequence[int] = ()
) -> Verdict:
    """Give the verdict on a claim; record it where the book is being built.

    Args:
        claim: Id in ``data_manifests/papers/claims.csv``, such as ``"C4.8"``.
        outcome: The computed comparison: True, False, or None where it cannot be tested here.
        numbers: What was measured, by name.
        note: One sentence: a limit of the test, or why it cannot be done here.
        seeds: Seeds of the runs behind it.

    Raises:
        OptionError: There is no such claim.
    """
    claims = all_claims()
    if claim not in claims.index:
        raise unknown("claim", claim, claims.index)
    row = claims.loc[claim]
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in numbers.items()}
    outcome = None if outcome is None else bool(outcome)
    verdict = Verdict(claim, row["paper"], row["claim"], OUTCOMES[outcome], plain, note, list(seeds))
    if folder := os.environ.get(FOLDER_VARIABLE):
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_atomically(Path(folder) / f"{claim}.json", json.dumps(asdict(verdict), indent=1).encode())
    return verdict


def ledger(folder: str | Path | None = None) -> pd.DataFrame:
    """Collect every claim with its verdict.

    It is ``"not tested yet"`` where no chapter has tested the claim.

    Args:
        folder: Holds the records of all chapters, one folder each; by default the book builder's.
    """
    folder = Path(folder or os.environ.get(FOLDER_VARIABLE, ".")).parent if folder is None else Path(folder)
    records = {}
    for path in sorted(folder.glob("*/*.json")):
        record = json.loads(path.read_text())
        records[record["claim"]] = record | {"chapter": path.parent.name}
    rows = []
    for claim, row in all_claims().iterrows():
        record = records.get(claim, {})
        rows.append(
            {
                "id": claim,
                "paper": row["paper"],
                "claim": row["claim"],
                "verdict": record.get("outcome", UNTESTED),
                "measured": _listed(record.get("numbers", {})),
                "note": record.get("note", ""),
                "chapter": f"Chapter: {record['chapter']}" if record else "",
            }
        )
    return pd.DataFrame(rows).set_index("id")
