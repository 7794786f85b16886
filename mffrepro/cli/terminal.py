"""Show tables, progress and one-line messages, for a terminal or for a pipe."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

ARROWS = {"higher": "↑", "lower": "↓", None: ""}
#: Width of tables in a pipe or a file, which must not be folded to the width of a screen.
PIPE_WIDTH = 10_000


def console(*, stderr: bool = False) -> "Console":
    """Make a console that folds at the width of a terminal, and nowhere else."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)


def say(sentence: str) -> None:
    """Print one line on stderr, after the name of the program."""
    print(f"mffrepro: {sentence}", file=sys.stderr, flush=True)


def show_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, best: Iterable[tuple[int, int]] = (), numbers: int = 0
) -> None:
    """Print a table.

    Args:
        heads: Column heads.
        rows: Cells as text, one sequence per row.
        best: Cells (row, column) to print in bold.
        numbers: Columns from this one on are aligned at the right; 0 for none.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    bold = set(best)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column, head in enumerate(heads):
        table.add_column(Text(head), justify="right" if numbers and column >= numbers else "left", overflow="fold")
    for i, row in enumerate(rows):
        table.add_row(*(Text(cell, style="bold" if (i, j) in bold else "") for j, cell in enumerate(row)))
    console().print(table)


def number(value: float) -> str:
    """Write a number with four decimals; a dash where there is no value."""
    return "–" if value != value else f"{value:.4f}"


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show a moving bar with the elapsed time, for work without countable steps.

    Nothing is shown where stderr is no terminal.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        bar.add_task(text, total=None)
        yield


def steps(items: Sequence[T], text: str, unit: str) -> Iterator[T]:
    """Iterate over items, with a progress bar once they take over two seconds."""
    from tqdm import tqdm

    return iter(tqdm(items, desc=text, unit=unit, delay=2, leave=False, disable=None))
