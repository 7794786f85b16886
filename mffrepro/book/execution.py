"""Run a chapter by papermill, in a process of its own, if its key has changed."""

import json
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from mffrepro.before_torch import prepare_torch
from mffrepro.book.guards import faults
from mffrepro.book.keys import device_class, key_of
from mffrepro.book.layout import Book, BookError, files_below
from mffrepro.errors import unknown
from mffrepro.report.summary import TAG as SUMMARY_TAG

PARAMETERS = ("profile", "dataset", "device", "retrain", "seed")
CELL_SECONDS = 1800
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


def run_if_changed(book: Book, chapter: str, parameters: dict[str, str], rebuild: bool) -> None:
    """Run a chapter that is not current, and keep a note of the run.

    A chapter is current if its key, pages and notebook are.

    Args:
        book: The checkout.
        chapter: Name of the chapter.
        parameters: The parameters that papermill passes.
        rebuild: Run it in any case.

    Raises:
        BookError: The chapter fails.
    """
    key = key_of(book, chapter, parameters)
    note = book.read_note(chapter)
    current = note.get("key") == key and all((book.generated / path).exists() for path in note.get("made", ()))
    if not rebuild and current and not faults(book.executed / f"{chapter}.ipynb"):
        print(f"{chapter:<16} cached  ({note['seconds']:.0f} s when it ran)", flush=True)
        return
    if sys.stdout.isatty():
        print(f"{chapter:<16} running ...", end="\r", flush=True)
    note = run(book, chapter, parameters) | {"key": key}
    book.write_note(chapter, note)
    print(f"{chapter:<16} run     {note['seconds']:.0f} s", flush=True)


def run(book: Book, chapter: str, parameters: dict[str, str]) -> dict:
    """Execute one chapter in a separate process and describe the run.

    The old records and pages are removed first. The executed notebook is replaced only when the run succeeds.
    """
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
        "made": [str(path.relative_to(book.generated)) for folder in aside for path in files_below(folder)],
        "device": device_class(), "versions": _versions(), "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }  # fmt: skip


def _execute(book: Book, chapter: str, parameters: dict[str, str]) -> tuple[str, float]:
    """Return the reason of a failure, empty without one, and the kernel's peak memory in MB."""
    import jupytext
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    with (book.generated / "runs" / f"{chapter}.log").open("wb") as log:
        os.dup2(log.fileno(), 2)  # this process is the chapter's own; the kernel's messages are kept, not shown
    prepare_torch()
    os.environ["MFFREPRO_RECORDS"] = str(book.records(chapter))
    os.environ["MFFREPRO_PAGES"] = str(book.pages(chapter))
    os.environ["MFFREPRO_PROGRESS"] = "no"  # bars would stay in the pages
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
    """Refuse misspelt parameters, with which papermill would run on.

    Args:
        chapter: Name of the chapter, for the message.
        declared: The parameters that the chapter declares.
        given: The parameters that are passed to it.

    Raises:
        BookError: The chapter declares other parameters than those that every chapter has.
        OptionError: A parameter is given that no chapter has.
    """
    if sorted(declared) != sorted(PARAMETERS):
        raise BookError(f"chapter {chapter} declares the parameters {sorted(declared)}; it must declare {sorted(PARAMETERS)}")
    for name in given:
        if name not in PARAMETERS:
            raise unknown("parameter", name, PARAMETERS)


def _tidy(path: Path) -> None:
    """Remove papermill's notes on this machine and its second parameters cell; put badge and summary in their places."""
    notebook = json.loads(path.read_text())
    notebook["metadata"].pop("papermill", None)
    _merge_parameters(notebook["cells"])
    _show_summary_first(notebook["cells"])
    for cell in notebook["cells"]:
        cell["metadata"].pop("papermill", None)
        cell["metadata"].pop("execution", None)
        if cell["cell_type"] == "markdown":
            cell["source"] = "".join(cell["source"]).replace(BADGE, "../_static/colab-badge.svg")
    path.write_text(json.dumps(notebook, indent=1))


def _merge_parameters(cells: list[dict]) -> None:
    """Write the values that papermill injected into the chapter's own parameters cell, which a page then shows once."""
    tagged = {tag: cell for cell in cells for tag in cell["metadata"].get("tags", ()) if tag.endswith("parameters")}
    if {"parameters", "injected-parameters"} <= tagged.keys():
        own, injected = tagged["parameters"], tagged["injected-parameters"]
        lines = "".join(injected["source"]).splitlines()
        values = {name: line for line in lines for name in PARAMETERS if line.startswith(f"{name} = ")}
        source = "".join(own["source"]).splitlines()
        own["source"] = "\n".join(values.get(line.partition(" = ")[0], line) for line in source)
        for cell in cells[cells.index(injected) + 1 :]:  # pages are refused where a number is missing
            if cell.get("execution_count"):
                cell["execution_count"] -= 1
        cells.remove(injected)


def _show_summary_first(cells: list[dict]) -> None:
    """Copy the box that a chapter computes in its last section below the first cell, where a reader looks for the answer."""
    for cell in cells:
        if SUMMARY_TAG in cell["metadata"].get("tags", ()):
            shown = ["".join(output["data"]["text/html"]) for output in cell["outputs"] if "text/html" in output.get("data", ())]
            cells.insert(1, {"cell_type": "markdown", "id": "in-one-minute", "metadata": {}, "source": "\n\n".join(shown)})
            return


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "pandas", "matplotlib", "jupyter-book", "papermill")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
