"""The guards of the book builder, on small books: what must be refused is refused, what is current is not run again."""

import json
from pathlib import Path

import pytest

from mffrepro.book import PARAMETERS as EVERY_CHAPTER_HAS
from mffrepro.book import Book, BookError, build, check_parameters, execution, find_book, keys, layout
from mffrepro.book.guards import check, faults
from mffrepro.book.keys import key_of
from mffrepro.errors import OptionError
from mffrepro.images import locked

jupytext = pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")

PARAMETERS = {"profile": "quick", "device": "cpu"}
DECLARED = 'profile = "full"\ndataset = "embedded"\ndevice = "auto"\nretrain = "no"\nseed = 1'
ROOT = Path(__file__).parents[2]
CONFIG = """\
title: a small book
only_build_toc_files: true
execute: {execute_notebooks: "off"}
exclude_patterns: [_build, "**.failed.ipynb"]
repository: {path_to_book: ""}
html: {use_repository_button: false}
"""
TOC = "format: jb-book\nroot: intro\nparts:\n  - chapters:\n      - file: notebooks/00_first\n      - file: status\n"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A checkout with one chapter and a page or two."""
    files = {
        "requirements.lock": "numpy==2\n",
        "mffrepro/thing.py": "x = 1\n",
        "data_manifests/set.toml": 'kind = "files"\n',
        "book/_config.yml": CONFIG,
        "book/_toc.yml": TOC,
        "book/intro.md": "# A small book\n",
        "book/status.md": "# Status\n\n```{include} _generated/status.md\n```\n",
        "notebooks/00_first.py": chapter("print(profile, 6 * 7)"),
    }
    files |= {name: (ROOT / name).read_text() for name in ("CITATION.cff", "book/references.bib")}
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Book(tmp_path)


def chapter(*cells: str, parameters: str = DECLARED) -> str:
    """The text of a chapter."""
    kernel = "# ---\n# jupyter:\n#   kernelspec: {display_name: Python 3, language: python, name: python3}\n# ---\n"
    parts = [f'# %% tags=["parameters"]\n{parameters}', *(f"# %%\n{cell}" for cell in cells)]
    return kernel + "\n# %% [markdown]\n# # A chapter\n\n" + "\n\n".join(parts) + "\n"


def executed(book: Book, *cells: tuple[int | None, list], tags: tuple[str, ...] = ()) -> Path:
    """A notebook as an execution left it: count and outputs of each cell."""
    notebook = nbformat.v4.new_notebook()
    for count, outputs in cells:
        cell = nbformat.v4.new_code_cell("1 + 1", execution_count=count, outputs=outputs)
        cell.metadata["tags"] = list(tags)
        notebook.cells.append(cell)
    notebook.cells.append(nbformat.v4.new_code_cell(""))  # an empty cell is never executed, and no fault
    book.executed.mkdir(parents=True, exist_ok=True)
    path = book.executed / "00_first.ipynb"
    nbformat.write(notebook, path)
    return path


ERROR = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=["no"])
FINE = nbformat.v4.new_output("stream", text="42\n")
TABLE = nbformat.v4.new_output("display_data", data={"text/plain": "a", "text/html": "<table>"})
BARE = nbformat.v4.new_output("execute_result", data={"text/plain": "<module 'mffrepro'>"}, execution_count=1)


# ------------------------------------------------------------------------------------------ what must not be shown


def test_a_sound_notebook_has_no_fault(book):
    assert faults(executed(book, (1, [FINE]), (2, [TABLE]), (3, []))) == ""


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ([(1, [FINE]), (None, [])], "unexecuted"),
        ([(1, [FINE]), (2, [ERROR])], "failed"),
        ([(1, [BARE])], "bare"),
        ([(2, [FINE]), (1, [FINE])], "order"),
        ([(1, [FINE]), (3, [FINE])], "order"),
    ],
    ids=["unexecuted", "failed", "bare value", "backwards", "left out"],
)
def test_a_notebook_that_did_not_run_top_to_bottom_is_refused(book, cells, fault):
    assert fault in faults(executed(book, *cells))


def test_a_missing_notebook_is_refused(book):
    assert "never executed" in faults(book.executed / "00_first.ipynb")


def test_an_error_on_purpose_is_no_fault(book):
    assert faults(executed(book, (1, [ERROR]), tags=("raises-exception",))) == ""


@pytest.mark.parametrize("page", [[(None, [])], [(1, [ERROR])]], ids=["unexecuted", "failed"])
def test_the_book_refuses_such_a_page_even_under_a_current_key(book, page):
    executed(book, *page)
    remember(book, key_of(book, "00_first", PARAMETERS))
    with pytest.raises(BookError, match="00_first has a"):
        check(book, ["00_first"], PARAMETERS)


def test_the_book_refuses_a_stale_page(book):
    executed(book, (1, [FINE]))
    remember(book, key_of(book, "00_first", PARAMETERS))
    check(book, ["00_first"], PARAMETERS)
    (book.root / "mffrepro" / "thing.py").write_text("x = 2\n")
    with pytest.raises(BookError, match="changed"):
        check(book, ["00_first"], PARAMETERS)


def remember(book: Book, key: str) -> None:
    note = {"key": key, "seconds": 1.0}
    path = book.generated / "runs" / "00_first.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(note))


# ------------------------------------------------------------------------------------------------- parameters


def test_parameters_are_those_of_every_chapter():
    check_parameters("00_first", EVERY_CHAPTER_HAS, ["profile"])


@pytest.mark.parametrize("declared", [EVERY_CHAPTER_HAS[1:], [*EVERY_CHAPTER_HAS, "speed"], []], ids=["less", "more", "none"])
def test_a_chapter_that_declares_others_is_refused(declared):
    with pytest.raises(BookError, match="it must declare"):
        check_parameters("00_first", declared, [])


def test_a_misspelt_parameter_is_refused():
    with pytest.raises(OptionError, match="profile"):
        check_parameters("00_first", EVERY_CHAPTER_HAS, ["profil"])


@pytest.mark.parametrize(("options", "suggestion"), [({"profile": "quik"}, "quick"), ({"only": "00_frist"}, "00_first")])
def test_misspelt_options_of_the_builder_are_refused(book, monkeypatch, options, suggestion):
    monkeypatch.chdir(book.root)
    with pytest.raises(OptionError, match=suggestion):
        build(**options)


def test_a_book_that_another_process_builds_is_left_alone(book, monkeypatch):
    monkeypatch.chdir(book.root)
    book.generated.mkdir(parents=True)
    with locked(book.generated), pytest.raises(BookError, match="another process builds the book"):
        build(only="00_first")
    assert not book.executed.exists()


def test_there_is_no_book_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "__file__", str(tmp_path / "site-packages" / "mffrepro" / "book" / "layout.py"))
    with pytest.raises(BookError, match="clone of the repository"):
        find_book(tmp_path)


# ------------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("name", ["notebooks/00_first.py", "mffrepro/thing.py", "data_manifests/set.toml", "requirements.lock"])
def test_what_a_chapter_stands_on_changes_its_key(book, name):
    before = key_of(book, "00_first", PARAMETERS)
    with (book.root / name).open("a") as file:
        file.write("# changed\n")
    assert key_of(book, "00_first", PARAMETERS) != before


def test_new_files_and_new_names_change_the_key(book):
    before = key_of(book, "00_first", PARAMETERS)
    (book.root / "mffrepro" / "thing.py").rename(book.root / "mffrepro" / "other.py")
    renamed = key_of(book, "00_first", PARAMETERS)
    (book.root / "mffrepro" / "new.py").touch()
    assert len({before, renamed, key_of(book, "00_first", PARAMETERS)}) == 3


def test_parameters_and_device_change_the_key(book, monkeypatch):
    before = key_of(book, "00_first", PARAMETERS)
    assert key_of(book, "00_first", PARAMETERS | {"profile": "full"}) != before
    assert key_of(book, "00_first", dict(reversed(PARAMETERS.items()))) == before
    monkeypatch.setattr(keys, "device_class", lambda: "another device")
    assert key_of(book, "00_first", PARAMETERS) != before


@pytest.mark.parametrize("name", ["notebooks/01_second.py", "book/intro.md", "tests/test_x.py", "mffrepro/__pycache__/x.pyc"])
def test_nothing_else_changes_the_key(book, name):
    before = key_of(book, "00_first", PARAMETERS)
    (book.root / name).parent.mkdir(exist_ok=True)
    (book.root / name).write_text("anything")
    assert key_of(book, "00_first", PARAMETERS) == before


def test_the_ledger_depends_on_the_records_of_the_others(book):
    (book.sources / "10_claims.py").write_text(chapter())
    before = key_of(book, "10_claims", PARAMETERS)
    record = book.records("07_gacn") / "C4.8.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    assert key_of(book, "10_claims", PARAMETERS) != before


# ------------------------------------------------------------------------------------------------- running


def test_the_ledger_runs_after_all_chapters_whose_verdicts_it_collects(book, monkeypatch):
    ran = []
    monkeypatch.chdir(book.root)
    monkeypatch.setattr("mffrepro.book.run_if_changed", lambda book, chapter, parameters, rebuild: ran.append(chapter))
    for name in ("10_claims", "14_many"):
        (book.sources / f"{name}.py").write_text(chapter())
    with pytest.raises(BookError):  # nothing was executed
        build(profile="quick")
    assert ran == ["00_first", "14_many", "10_claims"]


def test_only_what_changed_is_run(book, monkeypatch):
    ran = []

    def run(book, chapter, parameters):
        ran.append(chapter)
        (book.generated / "runs").mkdir(parents=True, exist_ok=True)
        executed(book, (1, [FINE]))
        (book.generated / "table.md").write_text("made by the chapter")
        return {"seconds": 1.0, "made": ["table.md"]}

    monkeypatch.setattr(execution, "run", run)
    for _ in range(2):
        execution.run_if_changed(book, "00_first", PARAMETERS, False)
    assert ran == ["00_first"]
    executed(book, (None, []))  # somebody cleared it
    execution.run_if_changed(book, "00_first", PARAMETERS, False)
    (book.root / "requirements.lock").write_text("numpy==3\n")
    execution.run_if_changed(book, "00_first", PARAMETERS, False)
    execution.run_if_changed(book, "00_first", PARAMETERS, True)
    assert len(ran) == 4
    (book.generated / "table.md").unlink()  # a page includes it
    execution.run_if_changed(book, "00_first", PARAMETERS, False)
    assert len(ran) == 5


@pytest.mark.slow
def test_a_book_from_text_to_page(book, monkeypatch):
    monkeypatch.chdir(book.root)
    index = build(profile="quick")
    page = (index.parent / "notebooks" / "00_first.html").read_text()
    assert "quick 42" in page
    assert "Quick profile" in page
    assert "00_first" in (index.parent / "status.html").read_text()
    stamp = (book.executed / "00_first.ipynb").stat().st_mtime_ns
    assert build(profile="quick") == index
    assert (book.executed / "00_first.ipynb").stat().st_mtime_ns == stamp


def test_a_failing_chapter_stops_the_book_and_is_kept_for_reading(book, monkeypatch):
    monkeypatch.chdir(book.root)
    (book.sources / "00_first.py").write_text(chapter("raise ValueError('no luck')"))
    with pytest.raises(BookError, match="ValueError: no luck"):
        build(profile="quick")
    assert "no luck" in (book.executed / "00_first.failed.ipynb").read_text()
    assert not (book.executed / "00_first.ipynb").exists()


def test_a_chapter_with_a_misspelt_parameter_never_starts(book, monkeypatch):
    monkeypatch.chdir(book.root)
    (book.sources / "00_first.py").write_text(chapter("open('started', 'w')", parameters=DECLARED.replace("seed", "sede")))
    with pytest.raises(BookError, match="sede"):
        build(profile="quick")
    assert not list(book.root.rglob("started"))


@pytest.mark.slow
def test_the_summary_of_the_last_section_is_shown_first(book):
    box = 'from IPython.display import HTML\nHTML("<div>answer " + str(6 * 7) + "</div>")'
    text = chapter("x = 1") + f'\n# %% tags=["{execution.SUMMARY_TAG}"]\n{box}\n'
    (book.sources / "00_first.py").write_text(text)
    execution.run(book, "00_first", PARAMETERS)
    cells = json.loads((book.executed / "00_first.ipynb").read_text())["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "markdown", "code", "code", "code"]
    assert "".join(cells[1]["source"]) == "<div>answer 42</div>"
    assert faults(book.executed / "00_first.ipynb") == ""
