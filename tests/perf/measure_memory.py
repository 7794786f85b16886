"""Measure the peak memory of fusions in processes of their own, and compare it with what the cards of the methods say.

``make memory`` fuses 3, 6 and 12 photographs of 24 megapixels by lp and gacn, which takes about half an hour. ``--methods`` names
others, ``--megapixels`` and ``--frames`` set other sizes, and ``--cards`` prints what belongs on the cards.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from mffrepro import methods, room

#: Most memory that a fusion may take, and most that it may grow from the least to the largest number of frames, bytes.
LIMIT, GROWTH = 6e9, 0.6e9
#: Memory is measured with stacks that are not small, whatever their size.
PROGRAM = """
import resource, sys, warnings
warnings.simplefilter("ignore")
from mffrepro.images import frames, stack
frames.SMALL = stack.SMALL = -1
import mffrepro as mff
mff.fuse(sys.argv[2:], sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def make_frames(folder: Path, megapixels: float, count: int) -> list[Path]:
    """Write photographs of one scene, each sharp in another band of rows: a photograph of scikit-image, enlarged, with grain."""
    import cv2
    from skimage import data

    height, width = (int(round((megapixels * 1e6 * ratio) ** 0.5 / 16) * 16) for ratio in (2 / 3, 3 / 2))
    rng, size = np.random.default_rng(0), (width, height)
    sharp = cv2.resize(data.astronaut(), size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    sharp = np.clip(sharp + rng.normal(0, 10, (height, width, 1)).astype(np.float32), 0, 255)
    blurred, rows = cv2.GaussianBlur(sharp, (0, 0), 4), np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    paths = []
    for number in range(count):
        share = np.clip(1.5 - np.abs(rows - (number + 0.5) / count) * count, 0, 1)
        paths.append(folder / f"{number:03d}.jpg")
        cv2.imwrite(str(paths[-1]), (sharp * share + blurred * (1 - share)).astype(np.uint8)[..., ::-1])
    return paths


def peak(method: str, paths: list[Path]) -> int:
    """Return the largest resident memory, in bytes, of a process that fuses files."""
    command = [sys.executable, "-c", PROGRAM, method, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{method} with {len(paths)} frames: {done.stderr[-500:]}")
    return int(re.findall(r"\d+", done.stdout)[-1])


def main() -> int:
    """Measure, print a table, and return 1 if a method takes more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=["lp", "gacn"])
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--frames", nargs="+", type=int, default=[3, 6, 12])
    parser.add_argument("--cards", action="store_true", help="print bytes per pixel, and per pixel and frame")
    chosen = parser.parse_args()
    names = list(methods.CARDS) if chosen.methods == ["all"] else chosen.methods
    failed = False
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as small:
        few = make_frames(Path(small), 0.03, 3)
        paths = make_frames(Path(folder), chosen.megapixels, max(chosen.frames))
        pixels = chosen.megapixels * 1e6
        for name in names:
            program = peak(name, few)
            peaks = [peak(name, paths[:count]) for count in chosen.frames]
            for count, size in zip(chosen.frames, peaks, strict=True):
                said = room.need(methods.get(name), (1, int(pixels), 3), count)
                print(
                    f"{name}: {count} frames of {chosen.megapixels:g} MP take {size / 1e9:.2f} GB; card: {said / 1e9:.2f} GB",
                    flush=True,
                )
            each = max(0.0, (peaks[-1] - peaks[0]) / (chosen.frames[-1] - chosen.frames[0]) / pixels)
            if chosen.cards:
                print(f"  {name}: memory=({(peaks[0] - program) / pixels - each * chosen.frames[0]:.0f}, {each:.1f})", flush=True)
            elif peaks[-1] > LIMIT or peaks[-1] - peaks[0] > GROWTH:
                failed = True
                print(f"{name} takes over {LIMIT / 1e9:g} GB, or grows with the number of frames")
    return int(failed)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    sys.exit(main())
