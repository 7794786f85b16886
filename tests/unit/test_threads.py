"""How OpenMP threads wait is set before torch is loaded, and only where the user has not set it."""

import os
import subprocess
import sys

import pytest

PRINT = "import os; print(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY'))"


def answer(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "1000 None"), ({"GOMP_SPINCOUNT": "7"}, "7 None"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "None PASSIVE")],
)
def test_the_package_sets_what_the_user_has_not(given, expected):
    assert answer(f"import mffrepro; {PRINT}", **given) == expected


def test_nothing_is_set_once_torch_is_loaded():
    assert answer(f"import torch, mffrepro; {PRINT}") == "None None"


def test_a_run_says_how_its_threads_wait():
    code = "import mffrepro as mff; print(mff.environment(show=False)['threads wait'])"
    assert answer(code) == "GOMP_SPINCOUNT=1000"
    assert answer(f"import torch; {code}") == "default of OpenMP"
