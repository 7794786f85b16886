"""Notice control-C even where the error that it raises does not arrive as what it is."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: Exit code of a program that was stopped from the keyboard: 128 and the number of the signal.
STOPPED = 130


@contextmanager
def notice_control_c() -> Iterator[threading.Event]:
    """Yield an event that is set once control-C is pressed.

    It raises KeyboardInterrupt as always. A module in C whose import is cut off may report an ImportError instead; with the event
    one can still tell. Where Python does not listen to control-C, in a thread or a background job, nothing changes.
    """
    pressed = threading.Event()

    def hear(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.default_int_handler(number, frame)

    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield pressed
        return
    signal.signal(signal.SIGINT, hear)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
