"""The register of what the five papers leave open: the choice, its reason, and the option that changes it."""

from collections.abc import Iterator
from functools import cache

import pandas as pd

from mffrepro.data.manifests import manifest_folder
from mffrepro.report.pages import anchor

#: Field of a row -> its label on the page.
LABELS = {"open": "Open", "choice": "Choice", "reason": "Reason", "option": "Option"}
#: Beginning of an option where the code has no alternative; the reason follows.
NO_OPTION = "none: "


@cache
def all_ambiguities() -> pd.DataFrame:
    """Read the ambiguities of the five papers, by id."""
    return pd.read_csv(manifest_folder() / "papers" / "ambiguities.csv").set_index("id")


def as_markdown() -> str:
    """Write the register as Markdown, with an anchor for each id.

    Each paper has a heading.
    """
    lines = []
    for paper, rows in all_ambiguities().groupby("paper", sort=False):
        lines += [f"## {paper}", ""]
        for name, row in rows.iterrows():
            lines += [f"({anchor(name)})=", "", f"**{name} {row['subject']}**", "", *_fields(row), ""]
    return "\n".join(lines)


def _fields(row: pd.Series) -> Iterator[str]:
    for field, label in LABELS.items():
        value = row[field]
        if field == "option":
            none = value.startswith(NO_OPTION)
            value = value[0].upper() + value[1:] + "." if none else "; ".join(f"`{one}`" for one in value.split("; "))
        yield f"- *{label}:* {value}"
