"""Print source code on a page, folded, so that the text stays in sight."""

import html
import inspect
from typing import Any


class Source:
    """Display source code of functions and classes, each folded.

    Args:
        things: Functions, classes or modules.
    """

    def __init__(self, *things: Any) -> None:
        self.parts = {thing.__name__: inspect.getsource(thing) for thing in things}

    def _repr_html_(self) -> str:
        from IPython.display import Code

        return "\n".join(
            f"<details><summary>Source of <code>{html.escape(name)}</code></summary>{Code(text, language='python')._repr_html_()}"
            "</details>"
            for name, text in self.parts.items()
        )

    def __repr__(self) -> str:
        return "\n\n".join(self.parts.values())


def show_source(*things: Any) -> None:
    """Display the source code of functions, classes or modules, folded."""
    from IPython.display import display

    display(Source(*things))
