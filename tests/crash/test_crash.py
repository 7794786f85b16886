"""Killed, starved of disk space, or run twice at once: no half file, no lost row, and the same command goes on.

Each command is killed a few times here and often by ``make crash``; the moments are drawn from a fixed seed.
"""

import os
import random
import time
from pathlib import Path

import pandas as pd
import pytest
from crash import COMMANDS, assert_whole, files, finish, kill_at, leftovers, prepare, rows, start

KILLS = int(os.environ.get("MFFREPRO_KILLS", 1))

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="kills by signals"), pytest.mark.timeout(7200)]


@pytest.fixture(scope="module", params=COMMANDS)
def whole(request, tmp_path_factory):
    """A command, a place where it ran undisturbed, and the seconds that it took."""
    command = COMMANDS[request.param]
    if command.needs and not os.environ.get(command.needs):
        pytest.skip(f"{command.needs} is not set")
    folder = prepare(command, tmp_path_factory.mktemp(request.param) / "whole")
    started = time.perf_counter()
    code, said = finish(command, folder)
    assert code == 0, said
    assert files(command, folder)
    return request.param, command, folder, time.perf_counter() - started


def assert_same(name: str, first: Path, second: Path) -> None:
    """Compare the results of two places; the tables of measurements hold seconds, which differ."""
    command = COMMANDS[name]
    found = [[path.relative_to(folder) for path in files(command, folder)] for folder in (first, second)]
    assert found[0] == found[1]
    if name in ("benchmark", "study"):
        pd.testing.assert_frame_equal(*(rows(name, folder).drop(columns="seconds") for folder in (first, second)))
    elif name in ("fuse", "fetch"):
        assert all((first / path).read_bytes() == (second / path).read_bytes() for path in found[0])
    if name in ("train", "study"):
        weights = [path for path in found[0] if path.suffix == ".safetensors"]
        assert weights
        assert all((first / path).read_bytes() == (second / path).read_bytes() for path in weights)
    if name == "train":
        assert len(pd.read_csv(first / "run/log.csv")) == len(pd.read_csv(second / "run/log.csv")) == 2


def test_a_killed_command_goes_on(whole, tmp_path):
    name, command, reference, seconds = whole
    rng, killed = random.Random(name), 0
    for number in range(KILLS):
        folder = prepare(command, tmp_path / str(number))
        killed += kill_at(command, folder, rng.uniform(0.3, 1) * seconds)
        assert_whole(files(command, folder))
        finished = rows(name, folder) if name in ("benchmark", "study") else None
        code, said = finish(command, folder)
        assert code == 0, said
        assert_whole(files(command, folder))
        assert leftovers(command, folder) == []
        assert_same(name, reference, folder)
        if finished is not None:  # not computed again: even the seconds are the same
            pd.testing.assert_frame_equal(rows(name, folder).loc[finished.index], finished)
    assert killed or KILLS < 5, "every command ended before it was killed"


#: A write that crosses this many bytes fails, as on a disk with no more room; a file of the system says so by a signal.
FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
"""


def test_a_full_disk_is_said_in_one_sentence_and_leaves_no_half_file(whole, tmp_path):
    name, command, reference, _ = whole
    largest = max(path.stat().st_size for path in files(command, reference))
    rng, failed = random.Random(name), 0
    for number in range(KILLS):
        folder = prepare(command, tmp_path / str(number))
        code, said = finish(command, folder, FULL.format(rng.randrange(largest)))
        if code:
            failed += 1
            assert "Traceback" not in said, said
        assert_whole(files(command, folder))
        code, said = finish(command, folder)
        assert code == 0, said
        assert_same(name, reference, folder)
    assert failed or KILLS < 5, "no write met the limit"


def test_two_at_once_leave_one_whole_result(whole, tmp_path):
    name, command, reference, _ = whole
    folder = prepare(command, tmp_path / "both")
    both = [start(command, folder) for _ in range(2)]
    said = ["".join(process.communicate(timeout=600)) for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes[0] == 0, said
    if name in ("train", "book"):  # the second one refuses, and says why
        assert "Traceback" not in "".join(said)
    else:
        assert codes == [0, 0], said
    assert_whole(files(command, folder))
    assert_same(name, reference, folder)
