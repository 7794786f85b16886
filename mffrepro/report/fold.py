"""Fold a long table on a page, so that the text stays in sight."""

import html
from collections.abc import Sequence
from typing import Any


class Fold:
    """Show things under a line that the reader opens.

    Args:
        summary: The line.
        things: Tables or figures that display themselves as HTML.
    """

    def __init__(self, summary: str, things: Sequence[Any]) -> None:
        self.summary, self.things = summary, list(things)

    def _repr_html_(self) -> str:
        content = "\n".join(thing._repr_html_() for thing in self.things)
        return f"<details><summary>{html.escape(self.summary)}</summary>{content}</details>"

    def __repr__(self) -> str:
        return f"{self.summary}\n" + "\n".join(map(repr, self.things))


def fold(summary: str, *things: Any) -> Fold:
    """Fold tables or figures under a summary line."""
    return Fold(summary, things)
