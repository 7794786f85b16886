"""Build the book: run what changed, refuse what is stale or broken, render the rest.

The tools each have a way to succeed without having done their work: Jupyter Book renders notebooks that never ran, papermill
accepts misspelt parameters, caches never notice a change in a package. So one key decides here whether a chapter is current: the
hash of its text, the package, the manifests, the lock file, the parameters, the class of device and the data sets at hand.
"""

import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mffrepro.errors import MffError, unknown
from mffrepro.images import write_atomically

PARAMETERS = ("profile", "dataset", "device", "retrain", "seed")
CELL_SECONDS = 1800
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


class BookError(MffError):
    """The book cannot be built as it stands."""


@dataclass(frozen=True)
class Book:
    """Where the parts of the book lie in a checkout."""

    root: Path

    @property
    def sources(self) -> Path:
        return self.root / "notebooks"

    @property
    def folder(self) -> Path:
        return self.root / "book"

    @property
    def executed(self) -> Path:
        return self.folder / "notebooks"

    @property
    def generated(self) -> Path:
        return self.folder / "_generated"

    @property
    def html(self) -> Path:
        return self.folder / "_build" / "html"

    def chapters(self) -> list[str]:
        return sorted(path.stem for path in self.sources.glob("[0-9][0-9]_*.py"))

    def records(self, chapter: str) -> Path:
        return self.generated / "records" / chapter

    def pages(self, chapter: str) -> Path:
        return self.generated / "pages" / chapter


def find_book(start: Path | None = None) -> Book:
    """The checkout around the working directory or around this file.

    Raises:
        BookError: There is none; an installed wheel has no chapters.
    """
    for place in (start or Path.cwd(), Path(__file__).resolve().parent):
        for folder in (place, *place.parents):
            if (folder / "book" / "_config.yml").exists() and (folder / "notebooks").is_dir():
                return Book(folder)
    raise BookError("no book found here; run this in a clone of the repository")


def build(*, profile: str = "full", only: str | None = None, rebuild: str = "no", device: str = "auto") -> Path:
    """Run the chapters that changed and render the book.

    Args:
        profile: ``"full"`` for the published book, ``"quick"`` for a look in minutes, marked by a banner on every page.
        only: Run just this chapter; the book is then not rendered.
        rebuild: ``"yes"`` runs chapters whose key is current, too.
        device: Passed to the chapters.
    Returns:
        Path of ``index.html``, or of the executed notebook with `only`.
    Raises:
        BookError: A chapter failed, or a page is stale, unexecuted or missing.
        OptionError: An unknown profile or chapter.
    """
    if profile not in ("quick", "full"):
        raise unknown("profile", profile, ("quick", "full"))
    book = find_book()
    chapters = book.chapters()
    if only is not None and only not in chapters:
        raise unknown("chapter", only, chapters)
    parameters = {"profile": profile, "device": device}
    for chapter in [only] if only else chapters:
        _run_if_changed(book, chapter, parameters, rebuild)
    if only:
        return book.executed / f"{only}.ipynb"
    _check(book, chapters, parameters)
    _write_status(book, chapters)
    _write_api(book)
    return _render(book, profile)


# ------------------------------------------------------------------------------------------------ keys


def key_of(book: Book, chapter: str, parameters: dict[str, str]) -> str:
    """What must be unchanged for an executed chapter to count as current."""
    files = [
        book.sources / f"{chapter}.py",
        book.root / "requirements.lock",
        *_files(book.root / "mffrepro"),
        *_files(book.root / "data_manifests"),
    ]
    if chapter.endswith("_claims"):  # collects what the others found
        files += [path for path in _files(book.generated / "records") if path.parent.name != chapter]
    return _digest(files, book.root, json.dumps(parameters, sort_keys=True), _device_class(), _data_at_hand())


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _digest(files: Iterable[Path], root: Path, *texts: str) -> str:
    digest = hashlib.sha256("\0".join(texts).encode())
    for path in files:
        digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _data_at_hand() -> str:
    """A chapter shows more where more data sets have been fetched."""
    from mffrepro.data import cards

    return " ".join(card.name for card in cards() if card.available)


def _device_class() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu-{platform.machine()}"


# ------------------------------------------------------------------------------------------- execution


def _run_if_changed(book: Book, chapter: str, parameters: dict[str, str], rebuild: str) -> None:
    key = key_of(book, chapter, parameters)
    note = _read_run(book, chapter)
    current = note.get("key") == key and all((book.generated / path).exists() for path in note.get("made", ()))
    if rebuild != "yes" and current and not _faults(book.executed / f"{chapter}.ipynb"):
        print(f"{chapter:<16} cached  ({note['seconds']:.0f} s when it ran)", flush=True)
        return
    if sys.stdout.isatty():
        print(f"{chapter:<16} running ...", end="\r", flush=True)
    note = _run(book, chapter, parameters) | {"key": key}
    write_atomically(book.generated / "runs" / f"{chapter}.json", json.dumps(note, indent=1).encode())
    print(f"{chapter:<16} run     {note['seconds']:.0f} s", flush=True)


def _run(book: Book, chapter: str, parameters: dict[str, str]) -> dict:
    """Execute one chapter in a process of its own; the old records and pages go first, the notebook is replaced at the end."""
    for folder in (book.executed, book.generated / "runs"):
        folder.mkdir(parents=True, exist_ok=True)
    aside = book.records(chapter), book.pages(chapter)
    for folder in aside:
        shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    with ProcessPoolExecutor(max_workers=1) as pool:
        failure, peak = pool.submit(_execute, book, chapter, parameters).result()
    if failure:
        kept = book.executed / f"{chapter}.failed.ipynb"
        raise BookError(f"chapter {chapter} failed ({failure}); open {kept.relative_to(book.root)} to see where")
    notebook = json.loads((book.executed / f"{chapter}.ipynb").read_text())
    outputs = sum(len(cell.get("outputs", ())) for cell in notebook["cells"])
    return {
        "seconds": time.perf_counter() - started, "peak_mb": peak, "outputs": outputs, "profile": parameters["profile"],
        "made": [str(path.relative_to(book.generated)) for folder in aside for path in _files(folder)],
        "device": _device_class(), "versions": _versions(), "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }  # fmt: skip


def _execute(book: Book, chapter: str, parameters: dict[str, str]) -> tuple[str, float]:
    """Run a chapter by papermill; the reason of a failure or nothing, and the kernel's peak memory in MB."""
    import jupytext
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    with (book.generated / "runs" / f"{chapter}.log").open("wb") as log:
        os.dup2(log.fileno(), 2)  # this process is the chapter's own; what its kernel mutters is kept, not shown
    os.environ["MFFREPRO_RECORDS"] = str(book.records(chapter))
    os.environ["MFFREPRO_PAGES"] = str(book.pages(chapter))
    failed, done = book.executed / f"{chapter}.failed.ipynb", book.executed / f"{chapter}.ipynb"
    notebook = jupytext.read(book.sources / f"{chapter}.py")
    nbformat.write(notebook, failed)
    check_parameters(chapter, papermill.inspect_notebook(str(failed)), parameters)
    try:
        papermill.execute_notebook(
            str(failed), str(failed), parameters, kernel_name="python3", cwd=str(book.executed), progress_bar=False,
            execution_timeout=CELL_SECONDS,
        )  # fmt: skip
    except PapermillExecutionError as error:
        return f"{error.ename}: {error.evalue}".splitlines()[0], 0.0
    finally:
        _tidy(failed)
    os.replace(failed, done)
    return "", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def check_parameters(chapter: str, declared: Iterable[str], given: Iterable[str]) -> None:
    """Papermill would run on with a misspelt parameter; this does not.

    Raises:
        BookError: The chapter declares other parameters than those every chapter has.
        OptionError: A parameter is given that no chapter has.
    """
    if sorted(declared) != sorted(PARAMETERS):
        raise BookError(f"chapter {chapter} declares the parameters {sorted(declared)}; it must declare {sorted(PARAMETERS)}")
    for name in given:
        if name not in PARAMETERS:
            raise unknown("parameter", name, PARAMETERS)


def _tidy(path: Path) -> None:
    """Remove what papermill notes of this machine, and let the badge be a picture of the book: pages need no network."""
    notebook = json.loads(path.read_text())
    notebook["metadata"].pop("papermill", None)
    for cell in notebook["cells"]:
        cell["metadata"].pop("papermill", None)
        cell["metadata"].pop("execution", None)
        if cell["cell_type"] == "markdown":
            cell["source"] = "".join(cell["source"]).replace(BADGE, "../_static/colab-badge.svg")
    path.write_text(json.dumps(notebook, indent=1))


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "pandas", "matplotlib", "jupyter-book", "papermill")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


# ---------------------------------------------------------------------------------------------- guards


def _check(book: Book, chapters: list[str], parameters: dict[str, str]) -> None:
    for chapter in chapters:
        if _read_run(book, chapter).get("key") != key_of(book, chapter, parameters):
            raise BookError(f"chapter {chapter} changed while the book was built; run it again")
        if faults := _faults(book.executed / f"{chapter}.ipynb"):
            raise BookError(f"chapter {chapter} {faults}; run it again with --rebuild")


def _faults(path: Path) -> str:
    """Why an executed notebook must not be shown; empty if it may."""
    if not path.exists():
        return "was never executed"
    count = 0
    for i, cell in enumerate(json.loads(path.read_text())["cells"]):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        count += 1
        if cell["execution_count"] is None:
            return f"has an unexecuted cell (number {i})"
        if cell["execution_count"] != count:
            return f"has cells that ran out of order (number {i})"
        deliberate = "raises-exception" in cell["metadata"].get("tags", ())
        if not deliberate and any(output["output_type"] == "error" for output in cell["outputs"]):
            return f"has a failed cell (number {i})"
    return ""


def _read_run(book: Book, chapter: str) -> dict:
    path = book.generated / "runs" / f"{chapter}.json"
    return json.loads(path.read_text()) if path.exists() else {}


# --------------------------------------------------------------------------------------------- rendering


def _write_status(book: Book, chapters: list[str]) -> None:
    """The table on the status page: what ran, when, on what."""
    lines = ["| chapter | profile | seconds | peak memory | date | device |", "|---|---|---:|---:|---|---|"]
    for chapter in chapters:
        run = _read_run(book, chapter)
        link = f"[{chapter}](notebooks/{chapter})"
        lines.append(
            f"| {link} | {run['profile']} | {run['seconds']:.0f} | {run['peak_mb']:.0f} MB | {run['date']} | {run['device']} |"
        )
    versions = _read_run(book, chapters[-1])["versions"]
    lines += ["", "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + "."]
    write_atomically(book.generated / "status.md", ("\n".join(lines) + "\n").encode())


def _write_api(book: Book) -> None:
    """The API entries of everything registered, so that a new method or metric appears without touching a page."""
    from mffrepro import methods, metrics

    functions = {
        "methods": [card.target.replace(":", ".") for card in methods.CARDS.values()],
        "metrics": [f"mffrepro.metrics.{name}" for name in metrics.names()],
    }
    for name, targets in functions.items():
        lines = ["```{eval-rst}", *(f".. autofunction:: {target}" for target in targets), "```"]
        write_atomically(book.generated / f"api_{name}.md", ("\n".join(lines) + "\n").encode())


def _render(book: Book, profile: str) -> Path:
    index = book.html / "index.html"
    config = _write_config(book, profile)
    inputs = [p for p in _files(book.folder) if "_build" not in p.relative_to(book.folder).parts]
    key = _digest([*inputs, *_files(book.root / "mffrepro")], book.root)
    stamp = book.folder / "_build" / "key"
    if not (index.exists() and stamp.exists() and stamp.read_text() == key):
        shutil.rmtree(book.folder / "_build", ignore_errors=True)
        command = [
            sys.executable,
            "-c",
            "from jupyter_book.cli.main import main; main()",
            "build",
            "-n",
            "-W",
            "--keep-going",
            "-q",
        ]
        result = subprocess.run(
            [*command, "--config", str(config), str(book.folder)], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise BookError("the book does not render:\n" + _complaints(result.stdout + result.stderr))
        _check_pages(book)
        stamp.write_text(key)
    print(index, flush=True)
    return index


def _complaints(log: str) -> str:
    """The warnings and errors in Sphinx's log, or its end where there are none."""
    lines = [line for line in log.splitlines() if any(word in line for word in ("WARNING", "ERROR", "Error", "rror:"))]
    return "\n".join(lines or log.splitlines()[-20:])


def _write_config(book: Book, profile: str) -> Path:
    """The book's configuration, with a banner where the numbers are not those of the full profile."""
    import yaml

    config = yaml.safe_load((book.folder / "_config.yml").read_text())
    if profile == "quick":
        config["html"]["announcement"] = "Quick profile: fewer stacks and shorter runs than the published book."
    path = book.generated / "_config.yml"
    write_atomically(path, yaml.safe_dump(config, sort_keys=False).encode())
    return path


def _check_pages(book: Book) -> None:
    import yaml

    toc = yaml.safe_load((book.folder / "_toc.yml").read_text())
    files = [toc["root"]] + [c["file"] for part in toc["parts"] for c in part["chapters"]]
    for file in files:
        if not (book.html / f"{file}.html").exists():
            raise BookError(f"the page {file} is missing from the built book; check book/_toc.yml")
