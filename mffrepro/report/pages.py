"""Tables that a chapter measures and a prose page of the book shows."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mffrepro.images import write_atomically

#: Where pages go; set by the book builder, one folder per chapter.
FOLDER_VARIABLE = "MFFREPRO_PAGES"


def write_page(name: str, text: str) -> Path | None:
    """Write a piece of Markdown for the prose pages, where the book is being built.

    Args:
        name: File name without ending, such as ``"why"``.
        text: Markdown.

    Returns:
        Path of the file; None outside the book builder, where nothing is written.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return None
    path = Path(folder) / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (text.rstrip("\n") + "\n").encode())
    return path


def anchor(name: str) -> str:
    """Name the anchor of an ambiguity or a claim: ``"A4.11"`` has ``"a4-11"``."""
    return name.lower().replace(".", "-")


def markdown_table(table: pd.DataFrame, *, right: Sequence[str] = ()) -> str:
    """Write a table as Markdown, the index as its first column.

    Args:
        table: Cells are written as they are: format numbers first. A bar would end the cell and is escaped.
        right: Columns to be set from the right.
    """
    heads = [table.index.name or "", *table.columns]
    marks = ["---:" if head in right else "---" for head in heads]
    rows = [[name, *row] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in (heads, marks, *rows))
