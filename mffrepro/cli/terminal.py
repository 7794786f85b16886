"""Show tables, progress and one-line messages, for a terminal or for a pipe."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from mffrepro.progress import Clock, hidden, listening

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

ARROWS = {"higher": "↑", "lower": "↓", None: ""}
#: Width of tables in a pipe or a file, which must not be folded to the width of a screen.
PIPE_WIDTH = 10_000
#: Seconds between two lines on progress where stderr is no terminal.
EVERY = 5.0


def console(*, stderr: bool = False) -> "Console":
    """Make a console that folds at the width of a terminal, and nowhere else."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)


def say(sentence: str) -> None:
    """Print one line on stderr, after the name of the program."""
    print(f"mffrepro: {one_line(sentence)}", file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """Replace by spaces what a terminal obeys, such as line breaks.

    Names of files may hold it.
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


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
    """Show how far the work in a ``with`` statement is, and the time that remains.

    On a terminal it is a moving bar. Elsewhere it is a line every `EVERY` seconds, for work that reports its progress.
    """
    with _bar(text) if sys.stderr.isatty() else listening(Lines()):
        yield


@contextmanager
def _bar(text: str) -> Iterator[None]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    clock = Clock()
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[left]}")
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None, left="")

        def show(doing: str, done: float) -> None:
            left = clock.remaining(doing, done)
            bar.update(task, total=1, completed=clock.done, description=f"{text}: {doing}", left=f"{duration(left)} left")

        with listening(show):
            yield


class Lines:
    """Print a line on the progress of work every few seconds.

    Args:
        now: Returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._clock, self._last = now, Clock(now), now()

    def __call__(self, doing: str, done: float) -> None:
        """Hear what is being done, and the share that is done."""
        left = self._clock.remaining(doing, done)
        if self._now() - self._last >= EVERY:
            self._last = self._now()
            say(f"{doing}: {self._clock.done:.0%} done, {duration(left)} left")


def duration(seconds: float | None) -> str:
    """Write a time as people say it: ``40 s``, ``3 min``, ``2 h 5 min``."""
    if seconds is None:
        return "unknown time"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def steps(items: Sequence[T], text: str, unit: str) -> Iterator[T]:
    """Iterate over items, with a progress bar once they take over two seconds."""
    from tqdm import tqdm

    return iter(tqdm(items, desc=text, unit=unit, delay=2, leave=False, disable=hidden()))
