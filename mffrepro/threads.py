"""Work on several cores at once, in threads: NumPy, OpenCV and SciPy release the interpreter lock while they compute."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


def in_threads(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Map a function over items on up to four cores, in order.

    NumPy, OpenCV and SciPy release the interpreter lock while they compute. Settings of ``np.errstate`` hold in the threads too.
    """
    context = copy_context()
    with ThreadPoolExecutor(_threads()) as pool:
        return list(pool.map(lambda item: context.copy().run(function, item), items))


def in_threads_one_by_one(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Map a function like `in_threads`, taking items only as they are needed.

    It is for items that do not fit into memory at once. An error of an item is raised in its turn, and what waits is given up.
    """
    context, waiting = copy_context(), deque()
    with ThreadPoolExecutor(_threads()) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(context.copy().run, function, item))
                if len(waiting) > _threads():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _threads() -> int:
    return min(4, os.cpu_count() or 1)
