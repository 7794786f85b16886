"""Run tracked notebooks as Colab does: nothing installed but what the machine has, the first cell brings the package.

    python tests/network/run_in_colab.py [--checkout FOLDER] notebooks/*.ipynb

They run as committed. Exit code 1 if a cell fails or the bootstrap exchanged the machine's torch. With ``--checkout`` the address
of the repository leads to that folder, whose committed state is then installed, and an earlier installation is removed first.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
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


def redirect(checkout: Path) -> None:
    """Let git read the checkout where the first cell names the public repository."""
    address = f"https://github.com/{REPOSITORY}"
    pairs = {f"url.{checkout.resolve().as_uri()}.insteadOf": address, "safe.directory": "*"}
    for number, (key, value) in enumerate(pairs.items()):
        os.environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    os.environ["GIT_CONFIG_COUNT"] = str(len(pairs))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkout", type=Path, help="a clone of the repository, whose branch main is installed")
    parser.add_argument("notebooks", type=Path, nargs="+")
    given = parser.parse_args(arguments)
    if given.checkout:
        subprocess.run([sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", "mffrepro"], check=True)
        redirect(given.checkout)
    before, failed = torch_version(), 0
    for path in given.notebooks:
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
