"""Commands that are killed, starved of disk space or run twice at once, and what must be true afterwards (``make crash``)."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image
from safetensors import safe_open

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Command:
    """A command under test.

    Attributes:
        arguments: Of ``mffrepro``; run in a folder that holds ``a.png`` and ``b.png``, or in a clone of the repository.
        again: What is added when the command is run after an accident.
        begun: File that says that there is something to go on with.
        results: The files that it leaves, as patterns.
        clone: Whether it needs a clone.
        needs: Variable of the environment without which it has no data.
        before: Python that its process runs first.
    """

    arguments: tuple[str, ...]
    results: tuple[str, ...]
    again: tuple[str, ...] = ()
    begun: str = ""
    clone: bool = False
    needs: str = ""
    before: str = ""


STUDY = "data_manifests/recorded/studies/gacn_losses.csv"
GRID = ("benchmark", "-m", "average", "-m", "lp", "-m", "dwt", "--metrics", "qabf", "--limit", "6")
COMMANDS = {
    "fuse": Command(("fuse", "a.png", "b.png", "-m", "lp", "-o", "out.png"), ("out.png",)),
    "benchmark": Command((*GRID, "--store", "rows.parquet"), ("rows.parquet",)),
    "record": Command((*GRID, "--record"), ("data_manifests/recorded/embedded.csv",), clone=True),
    "train": Command(
        ("train", "gacn", "--preset", "smoke", "--set", "epochs=2", "--out", "run", "--device", "cpu"),
        ("run/log.csv", "run/best.safetensors", "run/recipe.json"), again=("--resume",), begun="run/recipe.json",
    ),
    "study": Command(
        ("train", "study", "gacn_losses", "--machine", "a test", "--data", "embedded", "--seeds", "2", "--device", "cpu"),
        (STUDY, "runs/studies/gacn_losses/*/log.csv", "runs/studies/gacn_losses/*/best.safetensors"), clone=True,
        before=f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import tiny_study; tiny_study.install()",
    ),
    "fetch": Command(("data", "fetch", "lytro"), ("cache/gacn26/*", "cache/lytro/*"), needs="MFFREPRO_MIRROR"),
    "book": Command(("book", "--only", "10_claims"), ("book/notebooks/10_claims.ipynb",), clone=True),
}  # fmt: skip


def prepare(command: Command, folder: Path) -> Path:
    """Make the place in which a command runs."""
    if command.clone:
        subprocess.run(["git", "clone", "--quiet", "--shared", str(CHECKOUT), str(folder)], check=True)
        return folder
    folder.mkdir()
    for name, seed in (("a.png", 1), ("b.png", 2)):
        rng = random.Random(seed)
        Image.frombytes("RGB", (640, 480), rng.randbytes(640 * 480 * 3)).save(folder / name)
    return folder


def start(command: Command, folder: Path, prelude: str = "") -> subprocess.Popen:
    """Start a command, so that it goes on where it can; `prelude` is Python that its process runs first."""
    again = command.begun and (folder / command.begun).exists()
    code = f"{prelude}\n{command.before}\nfrom mffrepro.cli import program\nprogram()"
    variables = os.environ | {
        "PYTHONPATH": str(folder if command.clone else CHECKOUT), "MFFREPRO_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    words = [sys.executable, "-c", code, *command.arguments, *(command.again if again else ())]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, cwd=folder, env=variables, start_new_session=True, **pipes)


def finish(command: Command, folder: Path, prelude: str = "") -> tuple[int, str]:
    """Run a command to its end; return exit code and messages."""
    process = start(command, folder, prelude)
    output, errors = process.communicate(timeout=600)
    return process.returncode, output + errors


def kill_at(command: Command, folder: Path, seconds: float) -> bool:
    """Start a command and kill it with its children; return whether it was still running."""
    process = start(command, folder)
    time.sleep(seconds)
    running = process.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return running


def files(command: Command, folder: Path) -> list[Path]:
    """The results that are there, under their own names."""
    return sorted(path for pattern in command.results for path in folder.glob(pattern) if not path.name.startswith("."))


def leftovers(command: Command, folder: Path) -> list[Path]:
    """The temporary files beside the results."""
    places = {folder / Path(pattern).parent for pattern in command.results if "*" not in str(Path(pattern).parent)}
    hidden = (path for place in places if place.is_dir() for path in place.iterdir() if path.is_file() and path.name[0] == ".")
    return sorted(path for path in hidden if path.suffix != ".lock" and path.name not in {".gitignore", ".gitattributes"})


def assert_whole(paths: Sequence[Path]) -> None:
    """Read each file as its users would."""
    for path in paths:
        reader = READERS.get(path.suffix, Path.read_bytes)
        reader(path)


def _image(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


def _tensors(path: Path) -> None:
    with safe_open(path, "np") as file:
        for name in file.keys():  # noqa: SIM118 - not a dict
            file.get_tensor(name)


def _json(path: Path) -> None:
    json.loads(path.read_text())


READERS: dict[str, Callable[[Path], object]] = {
    ".png": _image, ".jpg": _image, ".tif": _image, ".safetensors": _tensors,
    ".parquet": pd.read_parquet, ".csv": pd.read_csv, ".json": _json, ".ipynb": _json,
}  # fmt: skip


def rows(name: str, folder: Path) -> pd.DataFrame:
    """The finished rows of a benchmark's store or of a study; their seconds tell whether one was computed again."""
    if name == "study":
        table = pd.read_csv(folder / STUDY)
        ours = table[table["data"] == "embedded"].set_index("seed").sort_index()
        return ours.reindex(columns=["val_total", "seconds", "curve", "device"])
    path = folder / "rows.parquet"
    key = ["stack", "method", "metric"]
    return (pd.read_parquet(path) if path.exists() else pd.DataFrame(columns=[*key, "value", "seconds"])).set_index(key)
