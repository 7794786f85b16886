"""Run tracked notebooks as Colab does: nothing installed but what the machine has, the first cell brings the package.

    python tests/network/run_in_colab.py [--checkout FOLDER] notebooks/*.ipynb

They run as committed. Exit code 1 if a cell fails or the bootstrap exchanged the machine's torch. With ``--checkout`` the address
of the repository leads to a clone of that folder, so that package and chapters are of one commit; an earlier installation is
removed first.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

#: As in the first cell; this script runs before mffrepro is there, from which it might be read (a test compares them).
REPOSITORY = "mffrepro/mffrepro"
VERSION = [sys.executable, "-c", "import torch; print(torch.__version__)"]


def torch_version() -> str:
    return subprocess.run(VERSION, capture_output=True, text=True, check=True).stdout.strip()


def run(path: Path) -> str:
    """Return the error that stopped a notebook, empty if none did; in an empty folder only the first cell can help it."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        try:
            NotebookClient(notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
        except CellExecutionError as error:
            return str(error)
    return ""


def clone_instead(checkout: Path, folder: str) -> Path:
    """Clone the checkout, and let git read the clone where the first cell names the public repository."""
    asked = ["git", "-C", str(checkout), "rev-parse", "--is-shallow-repository"]
    if subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == "true":
        sys.exit(f"{checkout} has no history, and pip cannot clone from it; fetch the rest by: git fetch --unshallow")
    clone = Path(folder) / "mffrepro"
    subprocess.run(["git", "clone", "--quiet", str(checkout), str(clone)], check=True)
    pairs = {f"url.{clone.as_uri()}.insteadOf": f"https://github.com/{REPOSITORY}", "safe.directory": "*"}
    for number, (key, value) in enumerate(pairs.items()):
        os.environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    os.environ["GIT_CONFIG_COUNT"] = str(len(pairs))
    return clone


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkout", type=Path, help="a clone of the repository, whose branch main is installed")
    parser.add_argument("notebooks", type=Path, nargs="+")
    given = parser.parse_args(arguments)
    if not given.checkout:
        return run_all(given.notebooks)
    with tempfile.TemporaryDirectory() as folder:
        clone = clone_instead(given.checkout, folder)
        subprocess.run([sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", "mffrepro"], check=True)
        return run_all([clone / "notebooks" / path.name for path in given.notebooks])


def run_all(paths: Sequence[Path]) -> int:
    """Run notebooks one after the other; return 1 if one fails or torch is another one afterwards."""
    before, failed = torch_version(), 0
    for path in paths:
        started = time.perf_counter()
        error = run(path)
        print(f"{path.name}: {error or f'ran in {time.perf_counter() - started:.0f} s'}", flush=True)
        failed += bool(error)
    if (after := torch_version()) != before:
        print(f"the bootstrap replaced torch {before} by {after}")
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
