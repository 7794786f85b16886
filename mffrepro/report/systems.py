"""The register of every system that the five papers name, and where each stands in this project."""

import re
from functools import cache
from typing import NamedTuple

import pandas as pd

from mffrepro.data.manifests import manifest_folder
from mffrepro.report.pages import markdown_table

KINDS = ("method", "module", "loss", "metric", "data set")
#: A citation key of the bibliography, as in ``[ma2022gacn]``.
KEY = re.compile(r"\[([a-z]+\d*[a-z]*)\]")


class Status(NamedTuple):
    """Hold what a status means, and the colour of its boxes."""

    meaning: str
    colour: str


STATUSES = {
    "rebuilt exactly": Status(
        "The result equals what its authors or their program published, up to rounding; of fused images at least 99 of 100 "
        "values are equal in the median image, and entries name what differs in others. For a data set: the files are the "
        "published ones.",
        "#1a9870",
    ),
    "rebuilt as a reading": Status(
        "It is built from its description. Where that is silent a choice was made, or nothing was published to compare with.",
        "#4c78a8",
    ),
    "taken from a library": Status("The library that provides it is used as it is.", "#888888"),
    "only cited": Status("Numbers that others recorded for it are shown. There is no code for it here.", "#8a7ad1"),
    "not rebuilt": Status("The reason stands beside it.", "#d9622b"),
}


@cache
def all_systems() -> pd.DataFrame:
    """Read the systems of the five papers, by name.

    Returns:
        kind, papers, printed, status, here, reference, reason; all of them text. `papers`, `printed` and `here` are lists with
        semicolons. `printed` holds the names in the files of ``data_manifests/papers/reported``, and `here` what stands for the
        system in this project: ``fuse METHOD``, ``evaluate METRIC``, ``load DATASET``, ``train RECIPE``, ``study NAME``, or the
        name of a Python object.
    """
    return pd.read_csv(manifest_folder() / "papers" / "systems.csv", keep_default_na=False).set_index("name")


def listed(text: str) -> list[str]:
    """Split a list of the register."""
    return [one.strip() for one in text.split(";") if one.strip()]


def overview() -> str:
    """Write what each status means, and how many systems of each kind have it."""
    systems = all_systems()
    counts = pd.crosstab(systems["status"], systems["kind"]).reindex(index=list(STATUSES), columns=list(KINDS), fill_value=0)
    table = counts.rename(columns={kind: f"{kind}s" if kind != "loss" else "losses" for kind in KINDS}).astype(str)
    meanings = [f"- **{name}**: {status.meaning}" for name, status in STATUSES.items()]
    return "\n".join([*meanings, "", markdown_table(table.rename_axis("status"), right=list(table.columns))])


def as_markdown() -> str:
    """Write the register as Markdown, with a box for each system.

    The page can filter the boxes by status, kind, paper and words.
    """
    boxes = [_box(str(name), row) for name, row in all_systems().iterrows()]
    head = (
        '<div class="mff-ledger" data-noun="systems" data-filters="status=status kind=kind paper=papers" '
        'data-hint="words in a name or a reason">'
    )
    return "\n\n".join([overview(), head, *boxes, "</div>"]) + "\n"


def _box(name: str, row: pd.Series) -> str:
    papers, printed = (", ".join(listed(row[field])) for field in ("papers", "printed"))
    about = f"{row['kind']} · named by {papers or 'no paper'}" + (f" · printed as {printed}" if printed else "")
    here = ", ".join(f"`{one}`" for one in listed(row["here"]))
    reference = KEY.sub(r"{cite}`\1`", row["reference"])
    said = " ".join(part for part in (f"{here}." if here else "", row["reason"], f"{reference}." if reference else "") if part)
    return (
        f'<div class="mff-box" data-status="{row["status"]}" data-kind="{row["kind"]}" data-papers="{row["papers"]}" '
        f'style="border-left:4px solid {STATUSES[row["status"]].colour};padding:0.3em 0.8em;margin:0.6em 0">\n\n'
        f"**{name}** · {about}<br>**{row['status']}** {said}\n\n</div>"
    )
