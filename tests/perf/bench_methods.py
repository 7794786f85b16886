"""Seconds of every method on one 520x520 colour pair: ``python tests/perf/bench_methods.py``, or ``make bench``.

The pair is made, so that nothing has to be fetched. Recorded times of others stand beside ours; they were taken on another
machine of two cores and only show the order of magnitude.
"""

import statistics
import tracemalloc

import numpy as np

from mffrepro import methods
from mffrepro.data.synthetic import composite
from mffrepro.environment import device_name
from mffrepro.images import FocusStack

REPEATS = 5
#: Authors' code, wall seconds with two threads on two cores, PyTorch 2.13.
RECORDED = {"gacn": 2.1}


def pair(side: int = 520) -> FocusStack:
    """Smooth random texture, sharp in one half of each source."""
    rng = np.random.default_rng(0)
    texture = sum(np.kron(rng.random((side // k, side // k, 3)), np.ones((k, k, 1))) for k in (4, 13, 26, 52)) / 4
    mask = np.zeros((side, side), bool)
    mask[:, : side // 2] = True
    near, far = composite((texture * 255).astype(np.uint8), mask)
    return FocusStack("bench", np.stack([near, far]))


def main() -> None:
    stack = pair()
    print(f"{device_name()}; median of {REPEATS} after one warm-up; {stack.images.shape[2]}x{stack.images.shape[1]} colour pair")
    print(f"{'method':<16}{'seconds':>9}{'recorded':>10}{'times faster':>14}{'NumPy peak MB':>15}")
    for card in methods.CARDS.values():
        for weights in [w for w in card.weights if w == "default"] or ["default"]:
            fuse = card.function()
            options = {"weights": weights} if card.weights else {}
            fuse(stack, **options)
            seconds = statistics.median(fuse(stack, **options).seconds for _ in range(REPEATS))
            tracemalloc.start()
            fuse(stack, **options)
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            recorded = RECORDED.get(card.name)
            beside = f"{recorded:>10.2f}{recorded / seconds:>14.1f}" if recorded else f"{'–':>10}{'–':>14}"
            print(f"{card.name:<16}{seconds:>9.3f}{beside}{peak:>15.0f}")


if __name__ == "__main__":
    main()
