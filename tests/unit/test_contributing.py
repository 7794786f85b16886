"""CONTRIBUTING is true: its examples, added to a copy of the tree as they are written, pass what the page says to run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


def section(title: str) -> str:
    return re.split(r"^## ", PAGE.partition(f"## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(title: str, language: str) -> list[str]:
    """Return the code blocks of a section, without the indentation of the list that they stand in."""
    found = re.findall(rf"^   ```{language}\n(.*?)^   ```$", section(title), re.MULTILINE | re.DOTALL)
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in found]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """Copy the tracked files and what is not committed yet, as a contributor's clone has them."""
    target = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"], capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():  # a deleted file is still listed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def run(copy: Path, *command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MFFREPRO")}
    environment |= {"PYTHONPATH": str(copy), "MFFREPRO_CACHE": str(copy / "cache")}
    done = subprocess.run([sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has {old!r} {text.count(old)} times"
    path.write_text(text.replace(old, new))


@pytest.mark.slow
def test_the_example_of_a_method_passes(copy):
    module, row, test = blocks("Add a method", "python")
    (copy / "mffrepro/baselines/variance.py").write_text(module)
    change(copy / "mffrepro/methods_table.py", "\n)\n\nCARDS:", f"\n    {row.strip()},\n)\n\nCARDS:")
    (copy / "tests/unit/test_variance.py").write_text(test)
    commands = blocks("Add a method", "shell")[0].splitlines()
    assert commands[0] == ".venv/bin/python tests/unit/test_api_surface.py"
    run(copy, "tests/unit/test_api_surface.py")
    assert commands[1].startswith(".venv/bin/mffrepro benchmark ")
    assert "variance" in run(copy, "-m", "mffrepro", *commands[1].split()[1:])
    assert commands[2:] == ["make lint", "make test"]
    lint(copy)
    run(copy, "-m", "pytest", "-q", "tests/unit/test_variance.py", "tests/unit/test_api_surface.py")
    run(copy, "-m", "pytest", "-q", "tests/unit/test_methods.py", "tests/unit/test_docstrings.py", "-k", "variance or table")


@pytest.mark.slow
def test_the_example_of_a_metric_passes(copy):
    kernel, test = blocks("Add a metric", "python")
    statistics = copy / "mffrepro/metrics/statistics.py"
    statistics.write_text(f"{statistics.read_text()}\n\n{kernel}")
    (copy / "tests/unit/test_rms.py").write_text(test)
    change(copy / "tests/golden/test_metrics_golden.py", '"labf", "nabf", "qy.gacn"}', '"labf", "nabf", "qy.gacn", "rms"}')
    assert blocks("Add a metric", "shell")[0].splitlines() == [
        ".venv/bin/python tests/unit/test_api_surface.py", "make lint", "make test"
    ]  # fmt: skip
    run(copy, "tests/unit/test_api_surface.py")
    lint(copy)
    run(copy, "-m", "pytest", "-q", "tests/unit/test_rms.py", "tests/unit/test_api_surface.py")
    run(
        copy,
        "-m",
        "pytest",
        "-q",
        "tests/unit/test_metrics.py",
        "tests/golden/test_metrics_golden.py",
        "-k",
        "rms or has_a_golden",
    )
    run(copy, "-m", "pytest", "-q", "tests/unit/test_docstrings.py", "-k", "rms or statistics")


def lint(copy: Path) -> None:
    """Run what `make lint` runs."""
    recipe = (copy / "Makefile").read_text().partition("lint:")[2].partition("\n\n")[0]
    assert re.findall(r"\$\(BIN\)/(.+)", recipe) == [
        "ruff check --no-cache .",
        "ruff format --check .",
        "lint-imports --no-cache",
    ]
    run(copy, "-m", "ruff", "check", ".")
    run(copy, "-m", "ruff", "format", "--check", ".")
    run(copy, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])")


def test_every_path_of_the_page_exists():
    """A path that the examples make, or that stands for a name, is in capitals or made."""
    made = {"mffrepro/baselines/variance.py", "tests/unit/test_variance.py", "tests/unit/test_rms.py"}
    paths = set(re.findall(r"`((?:mffrepro|tests|data_manifests|book|notebooks)/[\w./*]+)`", PAGE)) - made
    missing = [path for path in paths if "NAME" not in path and "NN" not in path and not list(ROOT.glob(path))]
    assert not missing
    assert len(paths) > 15
