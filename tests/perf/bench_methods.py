"""Seconds of every method on one 520x520 colour pair, of GACN on busy cores, and of stacks beside other programs: ``make bench``.

The images are made, so that nothing has to be fetched. "printed" are the seconds of Table 1 of GACN, on a GPU for networks and
in MATLAB for classical methods; they show the order of magnitude. ``--fast`` leaves out what takes over ten seconds. What takes
over ten minutes is always left out.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from functools import partial
from pathlib import Path

import mffrepro as mff
from mffrepro import methods
from mffrepro.benchmarks.speed import measure_machine, measure_speed, texture, textured_pair
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.images import FocusStack
from mffrepro.report.tables import PRINTED_NAMES, reported
from mffrepro.runtime import device_name

#: Authors' code, wall seconds with two threads on two cores, PyTorch 2.13; measured once, on another machine.
AUTHORS = {"gacn": 2.1, "sesf": 1.35, "ifcnn": 0.85, "densefuse": 2.4}


def row(card: methods.MethodCard, stack: FocusStack, printed: float | None) -> str:
    fuse = partial(methods.fuse, stack, card.name)
    started = time.perf_counter()
    fuse()
    repeats = 5 if time.perf_counter() - started < 5 else 1
    seconds = statistics.median(fuse().seconds for _ in range(repeats))
    line = f"{card.name:<14}{seconds:>9.3f}"
    for other in (AUTHORS.get(card.name), printed):
        line += f"{other:>9.2f}{other / seconds:>7.1f}x" if other else f"{'–':>9}{'':>8}"
    if seconds > 10:  # tracing slows down what makes many small arrays
        return f"{line}{'–':>10}"
    tracemalloc.start()
    fuse()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return f"{line}{peak:>10.0f}"


def busy_cores(stack: FocusStack, repeats: int = 9) -> None:
    """Time GACN alone and beside as many busy processes as there are cores; fair shares would double the time."""
    cores = os.cpu_count() or 1
    seconds = {}
    for others in (0, cores):
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others)]
        try:
            seconds[others] = statistics.median(methods.fuse(stack, "gacn").seconds for _ in range(repeats))
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()
    alone, beside = seconds.values()
    print(f"\ngacn: alone {alone:.3f} s, beside {cores} busy processes {beside:.3f} s, {beside / alone:.1f} times (bar: 3.5)")


def ceiling(stack: FocusStack) -> None:
    """Compare the time of GACN with the least that the machine's arithmetic and memory allow."""
    machine = measure_machine("cpu")
    reached = measure_speed(["gacn"], stack, machine, device="cpu", repeats=9).loc["gacn", "reached"]
    print(f"gacn: {reached:.0%} of the speed that {machine.operations / 1e9:.0f} · 10⁹ operations per second allow (bar: 60 %)")


def stack_of(folder: Path, count: int = 17, height: int = 1200, width: int = 1600) -> list[str]:
    """Write a focal stack in files: a band of the texture is sharp in each."""
    sharp = texture(height, width)
    soft = gaussian_blur(sharp, 3)
    paths = []
    for i in range(count):
        image, band = soft.copy(), slice(width * i // count, width * (i + 1) // count)
        image[:, band] = sharp[:, band]
        paths.append(str(mff.write_image(folder / f"{i:02}.tif", image)))
    return paths


def stacks() -> None:
    """Time whole processes, files in and out: what is fast here beside enfuse and focus-stack, and two strategies of GACN."""
    weights = ["--exposure-weight=0", "--saturation-weight=0", "--contrast-weight=1", "--hard-mask"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fuse, out = [sys.executable, "-m", "mffrepro", "fuse"], ["-o", str(folder / "fused.tif")]
        paths = stack_of(folder)
        commands = {
            "lp": [*fuse, *paths, "-m", "lp", *out],
            "focal": [*fuse, *paths, "-m", "focal", *out],
            "enfuse": ["enfuse", *weights, *out, *paths],
            "lp, aligned": [*fuse, *paths, "-m", "lp", "--align", *out],
            "focus-stack": ["focus-stack", f"--output={out[1]}", *paths],  # it aligns in any case
        }
        _report("17 images of 1600x1200", commands)
        paths = stack_of(folder, height=600, width=800)
        ways = ("serial", "rank")
        _report("17 images of 800x600", {f"gacn, {way}": [*fuse, *paths, "-m", "gacn", "--strategy", way, *out] for way in ways})


def _report(size: str, commands: dict[str, list[str]]) -> None:
    print(f"\n{size}, whole process")
    for name, command in commands.items():
        there = shutil.which(command[0]) is not None
        print(f"{name:<18}{_run(command)}" if there else f"{name:<18}not installed here")


def _run(command: list[str]) -> str:
    """Measure seconds and peak memory of a process."""
    watch = (
        "import resource, subprocess, sys, time; started = time.perf_counter();"
        "subprocess.run(sys.argv[1:], check=True, capture_output=True);"
        "print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", watch, *command], check=True, capture_output=True, text=True)
    seconds, kilobytes = map(float, re.findall(r"[\d.]+", done.stdout))
    unit = 1 if sys.platform == "darwin" else 2**10
    return f"{seconds:>9.2f} s{kilobytes * unit / 2**20:>8.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="leave out what takes over ten seconds")
    fast = parser.parse_args().fast
    printed = reported("p004_table1").rename(index=PRINTED_NAMES)["seconds"].to_dict()
    stack = textured_pair()
    print(f"{device_name()}; median after one warm-up; {stack.images.shape[2]}x{stack.images.shape[1]} colour pair")
    print(f"{'method':<14}{'seconds':>9}{'authors':>9}{'faster':>8}{'printed':>9}{'faster':>8}{'peak MB':>10}")
    for card in methods.CARDS.values():
        if card.seconds <= (10 if fast else 600):
            print(row(card, stack, printed.get(card.name, printed.get(f"{card.name}.published"))), flush=True)
    busy_cores(stack)
    ceiling(stack)
    stacks()


if __name__ == "__main__":
    main()
