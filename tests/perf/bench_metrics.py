"""Seconds per metric on one 520x520 pair, beside the recorded seconds of the code each was published with.

Run by ``make bench``. "first" is a fused image with the work on its sources, "next" one more of the same scene. The
originals were timed once, under Octave 7.3 on one core of a machine of 2026, with vectorised copies where a loop over pixels
would have taken minutes ("loop" says how long): ratios are orders of magnitude, not promises.
"""

import time
import tracemalloc
from collections.abc import Sequence

import numpy as np

from mffrepro.metrics import BATCHED, CARDS, Scorer, evaluate_batch
from mffrepro.runtime import device_name

#: Metrics -> seconds of the original or of its vectorised copy, seconds of the untouched loop.
RECORDED = {
    ("qabf", "qg", "qabf.kumar"): (0.13, None),
    ("labf.kumar", "nabf.kumar", "nabf.petrovic"): (0.13, 90),
    ("qy", "qs", "qw", "qc"): (0.09, None),
    ("qe",): (0.19, None),
    ("qp",): (3.2, None),
    ("qcb",): (0.74, None),
    ("qcv",): (0.36, None),
    ("viff",): (0.20, None),
    ("qmi",): (0.025, 11),
    ("qncie",): (0.025, 12),
    ("qte",): (0.025, 9),
    ("ag", "sf", "sd", "ei", "scd"): (0.02, None),
    ("fmi_pixel",): (2.0, None),
    ("fmi_gradient",): (1.9, None),
    ("fmi_edge",): (0.1, None),
    ("fmi_dct",): (2.2, 1800),
    ("fmi_wavelet",): (3.8, None),
}
ORIGINAL = {name: recorded for names, recorded in RECORDED.items() for name in names}


def pair(side: int = 520) -> list[np.ndarray]:
    """Two sources and two fused images: texture under noise, sharp in one half each."""
    y, x = np.mgrid[:side, :side]
    random = np.random.default_rng(0)
    sharp = 120 + 50 * np.sin(x / 3 + y / 11) * np.cos(y / 5) + random.normal(0, 8, (side, side))
    soft = 120 + 15 * np.sin(x / 3 + y / 11) * np.cos(y / 5) + random.normal(0, 2, (side, side))
    left = x < side / 2
    images = np.where(left, sharp, soft), np.where(left, soft, sharp), sharp, (sharp + soft) / 2
    return [np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in images]


#: What a port of the collection to PyTorch computes too, and its seconds for them on one thread of a loaded machine.
PORTED, PORT = ("en", "sd", "sf", "ag", "mi", "cc", "scd", "viff", "qabf", "nabf", "psnr", "ssim"), 3.6


def seconds(scorer: Scorer, image: np.ndarray) -> float:
    start = time.perf_counter()
    scorer(image)
    return time.perf_counter() - start


def scorer(names: Sequence[str]) -> Scorer:
    near, far, sharp, _ = pair()
    return Scorer([near, far], metrics=names, reference=sharp)


def row(title: str, names: Sequence[str], original: float | None, loop: float | None = None) -> str:
    """First image of a scene, the next one, times faster than the recorded seconds, and the peak of what NumPy held."""
    fused = pair()[2:]
    fresh = scorer(names)
    first, following = (seconds(fresh, image) for image in fused)
    fresh = scorer(names)
    tracemalloc.start()
    fresh(fused[0])
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    line = f"{title:<22}{first:8.3f}{following:8.3f}"
    for recorded in (original, loop):
        line += f"{recorded:10.3g}{recorded / first:7.0f}x" if recorded else f"{'':>18}"
    return f"{line}{peak:9.0f}"


def main() -> None:
    names = [card.name for card in CARDS if card.needs == "sources"]
    default = [name for name in names if "." not in name]
    quick = [name for name in default if not name.startswith("fmi")]
    scorer([*names, *PORTED])(pair()[2])  # imports
    print(f"{device_name()}; one 520x520 gray pair; seconds for the first fused image of a scene and for one more")
    print(f"{'metric':<22}{'first':>8}{'next':>8}{'original':>10}{'faster':>8}{'loop':>10}{'faster':>8}{'peak MB':>9}")
    for name in names:
        print(row(name, [name], *ORIGINAL.get(name, (None, None))))
    vectorised = sum(original for original, _ in RECORDED.values())
    print(row("all default readings", default, vectorised))
    print(row("the same without FMI", quick, None))
    print(row("as a PyTorch port has", PORTED, PORT))
    thirty = scorer(quick)
    start = time.perf_counter()
    for shift in range(30):
        thirty(np.roll(pair()[2], shift, axis=1))
    many = time.perf_counter() - start
    print(
        f"30 fused images of one pair without FMI: {many:.2f} s, {many / seconds(scorer(quick), pair()[2]):.1f} times one image"
    )
    batches()


def batches(count: int = 16) -> None:
    """The batched metrics, an image at a time and at once, on the CPU and on a GPU where there is one."""
    import torch

    near, far, fused, _ = pair()
    names = [name for name in BATCHED if "." not in name]
    start = time.perf_counter()
    for _ in range(count):
        Scorer([near, far], metrics=names)(fused)
    print(f"{len(names)} metrics, {count} scenes: {time.perf_counter() - start:.2f} s one by one", end="")
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        tensors = [torch.from_numpy(x).to(device).expand(count, 1, -1, -1) for x in (near, far, fused)]
        for _ in range(2):
            start = time.perf_counter()
            {name: score.cpu() for name, score in evaluate_batch(tensors[:2], tensors[2], names).items()}
        print(f", {time.perf_counter() - start:.2f} s as a batch ({device})", end="")
    print()


if __name__ == "__main__":
    main()
