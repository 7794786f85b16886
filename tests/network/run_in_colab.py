"""Run tracked notebooks as Colab does: nothing installed but what the machine has, the first cell brings the package.

    python tests/network/run_in_colab.py notebooks/*.ipynb

They run as committed. Exit code 1 if a cell fails or the bootstrap exchanged the machine's torch.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

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


def main(paths: list[str]) -> int:
    before, failed = torch_version(), 0
    for path in map(Path, paths):
        error = run(path)
        print(f"{path.name}: {error or 'ran'}", flush=True)
        failed += bool(error)
    if (after := torch_version()) != before:
        print(f"the bootstrap replaced torch {before} by {after}")
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
