"""Read spoilt files until time is up: only the package's own errors, in bounded time and memory, nothing written elsewhere.

    python tests/fuzz/fuzz.py --seconds 3600
    python tests/fuzz/fuzz.py --case tiff:17

A case is a target and a number, from which the file is drawn again. Each process reads many cases and notes which one it is at,
so that one which kills it or hangs is known too.
"""

import argparse
import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from targets import OUTSIDE, TARGETS, made

#: Limits of one case: seconds of wall clock, and bytes above what the process needs before the first case.
SECONDS, MEMORY = 20, 3 * 2**29
#: Cases that one process reads.
BATCH = 250


class TooLong(BaseException):
    """A case has taken longer than its limit; no reader may catch this."""


def _ring(*_) -> None:
    raise TooLong


def check_case(name: str, number: int) -> str:
    """Read one spoilt file; return what is wrong, empty if nothing is."""
    from mffrepro.errors import MffError

    target, rng = TARGETS[name], random.Random(f"{name}:{number}")
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "inner"
        inner.mkdir()
        file, data = made(rng, target)
        path = inner / file
        path.write_bytes(data)
        before = os.getcwd()
        os.chdir(folder)
        signal.alarm(SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                target.read(path)
        except MffError as error:
            if "\n" in str(error):
                return f"an error of several lines: {error}"
        except TooLong:
            return f"took more than {SECONDS} s"
        except BaseException:
            return traceback.format_exc()
        finally:
            signal.alarm(0)
            os.chdir(before)
        outside = [each.name for each in Path(folder).iterdir() if each != inner]
        if outside or OUTSIDE.exists():
            return f"wrote outside its folder: {outside}"
    return ""


def worker(name: str, first: int, count: int, note: Path) -> None:
    """Read `count` cases in this process; write the faults to standard output."""
    signal.signal(signal.SIGALRM, _ring)
    _warm_up(name)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    for number in range(first, first + count):
        note.write_text(f"{name}:{number}")
        if fault := check_case(name, number):
            print(f"== {name}:{number}\n{fault.rstrip()}", flush=True)


def _warm_up(name: str) -> None:
    """Read the sound files once: what a reader imports and keeps is not counted against a case."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for file, data in target.seeds().items():
            (Path(folder) / file).write_bytes(data)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with contextlib.suppress(Exception):  # archives are made of other seeds, which are none themselves
                    target.read(Path(folder) / file)


def run_batch(name: str, first: int, count: int) -> list[str]:
    """Read cases in a process of its own; return the faults, that of a killed process included."""
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "case"
        command = [sys.executable, __file__, "--worker", name, str(first), str(count), str(note)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * 10 + count, env=environment)
        except subprocess.TimeoutExpired:
            return [f"{note.read_text()}\nhangs"]
        faults = ["".join(part).rstrip() for part in done.stdout.split("== ") if part]
        if done.returncode:
            where = note.read_text() if note.exists() else f"{name}, before its first case"
            faults.append(f"{where}\nthe process ended with code {done.returncode}: {done.stderr[-500:]}")
        return faults


def campaign(first: int, cases: int) -> list[str]:
    """Read `cases` cases from a number on, shared among the targets; return the faults."""
    whole = sum(target.share for target in TARGETS.values())
    jobs = []
    for name, target in TARGETS.items():
        share = max(1, round(cases * target.share / whole))
        jobs += [(name, first + start, min(BATCH, share - start)) for start in range(0, share, BATCH)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [fault for faults in pool.map(lambda job: run_batch(*job), jobs) for fault in faults]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600, help="read new cases for so long")
    parser.add_argument("--case", help="read one case again, such as tiff:17")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        name, first, count, note = given.worker
        worker(name, int(first), int(count), Path(note))
        return 0
    if given.case:
        name, _, number = given.case.rpartition(":")
        faults = run_batch(name, int(number), 1)
        print("\n\n".join(faults) or "no fault")
        return bool(faults)
    started, first, found = time.monotonic(), time.time_ns(), 0
    while time.monotonic() - started < given.seconds:
        faults = campaign(first, 2000)
        first, found = first + 2000, found + len(faults)
        print("\n\n".join([*faults, f"{found} faults after {time.monotonic() - started:.0f} s"]), flush=True)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
