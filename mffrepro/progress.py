"""Tell whoever waits how far long work is: one hook, which the command line listens to and the work reports to.

Work wraps what it iterates over in `steps`, and marks by `portion` which part of the whole it is. Without a listener a progress
bar appears on a terminal and in a notebook.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

#: Takes what is being done and the share of it that is done, from 0 to 1.
Listener = Callable[[str, float], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_portion: ContextVar[tuple[float, float]] = ContextVar("portion", default=(0.0, 1.0))


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let a function hear of the progress of the work in a ``with`` statement."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def portion(start: float, end: float) -> Iterator[None]:
    """Mark work in a ``with`` statement as a part of the surrounding work.

    Args:
        start: Share of the surrounding work that was done before, from 0 to 1.
        end: Share of it that will be done afterwards.
    """
    outer, whole = _portion.get()
    token = _portion.set((outer + start * (whole - outer), outer + end * (whole - outer)))
    try:
        yield
    finally:
        _portion.reset(token)


def steps(items: Iterable[T], text: str = "fusing", unit: str = "image") -> Iterator[T]:
    """Iterate over parts of the work that take about the same time.

    Args:
        items: The parts, of known number.
        text: What is being done.
        unit: What a part is.
    """
    listener, (start, end) = _listener.get(), _portion.get()
    if listener is None or not isinstance(items, Sized):
        from tqdm import tqdm

        yield from tqdm(items, desc=text, unit=unit, delay=2, leave=False, disable=hidden())
        return
    for number, item in enumerate(items):
        listener(text, start + (end - start) * number / len(items))
        yield item
    listener(text, end)


def hidden(wanted: bool = True) -> bool | None:
    """Say whether a bar of tqdm is hidden.

    Args:
        wanted: False hides it anywhere.

    Returns:
        True in the pages of the book, whose build sets ``MFFREPRO_PROGRESS=no``; False in a notebook that someone uses. None
        elsewhere: tqdm then shows the bar on a terminal only.
    """
    if not wanted or os.environ.get("MFFREPRO_PROGRESS") == "no":
        return True
    return False if "ipykernel.kernelapp" in sys.modules else None


def parts(items: Iterable[T]) -> Iterator[T]:
    """Iterate over parts of the work, each of which reports its own progress."""
    items = list(items)
    for number, item in enumerate(items):
        with portion(number / len(items), (number + 1) / len(items)):
            yield item


class Clock:
    """Estimate the remaining time of work from what is done.

    Args:
        now: Returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._started, self._text, self.done = now, now(), "", 0.0

    def remaining(self, text: str, done: float) -> float | None:
        """Return the seconds left, None where nothing can be said yet.

        Args:
            text: What is being done; the clock starts anew with each.
            done: The share that is done, from 0 to 1.
        """
        if text != self._text:
            self._text, self._started, self.done = text, self._now(), 0.0
        self.done = max(self.done, done)
        return (self._now() - self._started) * (1 - self.done) / self.done if self.done > 0 else None
