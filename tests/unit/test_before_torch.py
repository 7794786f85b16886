"""How threads wait and which pages memory has is set before torch is loaded, and only where the user has not set it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "THP_MEM_ALLOC_ENABLE")
PRINT = f"import os; print(*(os.environ.get(name) for name in {NAMES}))"


def answer(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run([sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "1000 None 1"),
        ({"GOMP_SPINCOUNT": "7"}, "7 None 1"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "None PASSIVE 1"),
        ({"THP_MEM_ALLOC_ENABLE": "0"}, "1000 None 0"),
    ],
)
def test_the_package_sets_what_the_user_has_not(given, expected):
    assert answer(f"import mffrepro; {PRINT}", **given) == expected


def test_nothing_is_set_once_torch_is_loaded():
    assert answer(f"import torch, mffrepro; {PRINT}") == "None None None"


def test_a_run_says_how_its_threads_wait_and_which_pages_it_has():
    code = "import mffrepro as mff; run = mff.environment(show=False); print(run['threads wait'], run['large pages'], sep='; ')"
    assert answer(code) == "GOMP_SPINCOUNT=1000; THP_MEM_ALLOC_ENABLE=1"
    assert answer(f"import torch; {code}") == "default of OpenMP; default of torch"


def test_a_new_array_costs_few_page_faults():
    """64 MB are 16,384 small pages and 32 large ones, where Linux grants large pages to those who ask."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not setting.exists() or "[madvise]" not in setting.read_text():
        pytest.skip("this system does not grant large pages on request")
    count = "resource.getrusage(resource.RUSAGE_SELF).ru_minflt"
    code = f"import mffrepro, torch, resource; torch.ones(8); before = {count}; torch.ones(2**24); print({count} - before)"
    assert int(answer(code)) < 8000 < int(answer(code, THP_MEM_ALLOC_ENABLE="0"))
