"""Seconds per metric on one 520x520 pair, beside the recorded seconds of the code each was published with.

Run by ``make bench``. "first" is a fused image with the work on its sources, "next" one more of the same scene. The
originals were timed once, under Octave 7.3 on one core of a machine of 2026, with vectorised copies where a loop over pixels
would have taken minutes ("loop" says how long): ratios are orders of magnitude, not promises.
"""

import time

import numpy as np

from mffrepro.metrics import CARDS, Scorer

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
ORIGINAL = {name: seconds for names, seconds in RECORDED.items() for name in names}


def pair(side: int = 520) -> list[np.ndarray]:
    """Two sources and two fused images: texture under noise, sharp in one half each."""
    y, x = np.mgrid[:side, :side]
    random = np.random.default_rng(0)
    sharp = 120 + 50 * np.sin(x / 3 + y / 11) * np.cos(y / 5) + random.normal(0, 8, (side, side))
    soft = 120 + 15 * np.sin(x / 3 + y / 11) * np.cos(y / 5) + random.normal(0, 2, (side, side))
    left = x < side / 2
    images = np.where(left, sharp, soft), np.where(left, soft, sharp), sharp, (sharp + soft) / 2
    return [np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in images]


def seconds(scorer: Scorer, image: np.ndarray) -> float:
    start = time.perf_counter()
    scorer(image)
    return time.perf_counter() - start


def main() -> None:
    near, far, *fused = pair()
    names = [card.name for card in CARDS if card.needs == "sources"]
    Scorer([near, far], metrics=names)(fused[0])  # imports
    print(f"{'metric':<14}{'first':>8}{'next':>8}{'original':>10}{'faster':>8}{'loop':>8}{'faster':>8}")
    for name in names:
        scorer = Scorer([near, far], metrics=[name])
        first, following = (seconds(scorer, image) for image in fused)
        line = f"{name:<14}{first:8.3f}{following:8.3f}"
        for original in ORIGINAL.get(name, ()):
            line += f"{original:10.3g}{original / first:7.0f}x" if original else ""
        print(line)
    for title, chosen in (
        ("all default readings", [n for n in names if "." not in n]),
        ("the same without FMI", [n for n in names if "." not in n and not n.startswith("fmi")]),
    ):
        scorer = Scorer([near, far], metrics=chosen)
        first, following = (seconds(scorer, image) for image in fused)
        print(f"{title}: {first:.2f} s, each further fused image {following:.2f} s")


if __name__ == "__main__":
    main()
