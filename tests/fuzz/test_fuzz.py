"""5,000 spoilt files on every change; ``make fuzz`` reads others for as long as it is let."""

import random
import sys

import pytest
from fuzz import campaign, run_batch
from targets import TARGETS, made

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by means of Linux")


@pytest.mark.timeout(1200)
def test_readers_answer_spoilt_files_with_errors_of_the_package():
    faults = campaign(first=0, cases=5000)
    assert not faults, "\n\n".join(faults[:10])


@pytest.mark.parametrize("name", TARGETS)
def test_a_case_can_be_drawn_again(name):
    assert made(random.Random(5), TARGETS[name]) == made(random.Random(5), TARGETS[name])


def test_a_fault_is_reported(monkeypatch, tmp_path):
    """A target that does not exist makes its process fail, which must not pass for a success."""
    (fault,) = run_batch("no such target", 0, 1)
    assert "no such target" in fault
    assert "ended with code" in fault
