"""The tracked chapters: text and notebook in step, one skeleton, nothing that Colab lacks, no link into the void."""

import ast
import re
import sys
from pathlib import Path

import pytest

from mffrepro.book import PARAMETERS
from mffrepro.report.summary import TAG as SUMMARY_TAG
from mffrepro.runtime import REF, REPOSITORY

jupytext = pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")
papermill = pytest.importorskip("papermill")
yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
CHAPTERS = sorted(path.stem for path in FOLDER.glob("*.py"))
PAPERS = [chapter for chapter in CHAPTERS if "03" <= chapter[:2] <= "07"]

TAGS = {"parameters", "hide-input", "hide-output", "remove-input", "remove-cell", "raises-exception", SUMMARY_TAG}
HEADINGS = [
    "Set up", "The paper in one picture", "Data", "Model", "Loss", "Training", "Fusion, step by step",
    "Tables and figures: reported, reproduced, difference", "Ablations", "Claims and verdicts", "Deviations", "Exercises",
    "Provenance",
]  # fmt: skip
#: What is there when a notebook opens in Colab and the bootstrap has run, and nothing else.
COLAB = {"mffrepro", "numpy", "scipy", "pandas", "matplotlib", "torch", "torchvision", "skimage", "IPython"}
COLAB |= sys.stdlib_module_names

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


def text(chapter: str):
    return jupytext.read(FOLDER / f"{chapter}.py")


def code_cells(chapter: str) -> list:
    return [cell for cell in text(chapter).cells if cell.cell_type == "code"]


def prose(chapter: str) -> str:
    return "\n\n".join(cell.source for cell in text(chapter).cells if cell.cell_type == "markdown")


def headings(chapter: str) -> list[str]:
    return re.findall(r"^## (.+)$", prose(chapter), re.MULTILINE)


# ------------------------------------------------------------------------------------------------ the two files


def test_every_chapter_is_a_pair_and_has_a_number_of_its_own():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == CHAPTERS
    numbers = [chapter[:2] for chapter in CHAPTERS]
    assert all(re.fullmatch(r"\d\d_[a-z0-9_]+", chapter) for chapter in CHAPTERS)
    assert len(set(numbers)) == len(numbers)


@each_chapter
def test_text_and_notebook_are_in_step(chapter):
    """Where they are not: jupytext --to ipynb --update notebooks/*.py"""
    notebook = nbformat.read(FOLDER / f"{chapter}.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = [[(c.cell_type, c.source, c.metadata.get("tags", [])) for c in one.cells] for one in (text(chapter), notebook)]
    assert cells[0] == cells[1]
    assert notebook.metadata.kernelspec == text(chapter).metadata.kernelspec


@each_chapter
def test_notebooks_hold_no_outputs(chapter):
    notebook = nbformat.read(FOLDER / f"{chapter}.ipynb", as_version=4)
    assert [c.source for c in notebook.cells if c.cell_type == "code" and (c.outputs or c.execution_count is not None)] == []


# -------------------------------------------------------------------------------------------------- the skeleton


@each_chapter
def test_a_chapter_opens_with_title_badge_and_needs(chapter):
    first = text(chapter).cells[0].source
    assert re.match(r"# \S", first)
    assert f"/github/{REPOSITORY}/blob/{REF}/notebooks/{chapter}.ipynb" in first
    assert "?" in first, "the chapter's question"
    assert re.search(r"^\*Needs: .+\*$", first, re.MULTILINE)
    assert re.search(r"^\*Read first: .+\.\*$", first, re.MULTILINE)
    assert len(re.findall(r"^# ", prose(chapter), re.MULTILINE)) == 1


def test_the_bootstrap_is_the_same_in_every_chapter():
    bootstraps = {code_cells(chapter)[0].source for chapter in CHAPTERS}
    assert len(bootstraps) == 1
    (bootstrap,) = bootstraps
    assert f'"git+https://github.com/{REPOSITORY}@{REF}"' in bootstrap
    assert 'import_module("mffrepro")' in bootstrap.splitlines()[-1], "torch loaded without it spins beside other work"
    assert not isinstance(ast.parse(bootstrap).body[-1], ast.Expr), "its value would stand on every page"
    assert all(code_cells(chapter)[0].metadata.tags == ["parameters", "hide-input"] for chapter in CHAPTERS)


@each_chapter
def test_one_cell_declares_the_parameters(chapter, tmp_path):
    (cell,) = [c for c in code_cells(chapter) if "parameters" in c.metadata.get("tags", [])]
    lines = [node for node in ast.parse(cell.source).body if isinstance(node, ast.Assign)]
    assignments = {node.targets[0].id: ast.literal_eval(node.value) for node in lines}
    assert tuple(assignments) == PARAMETERS
    assert all(type(value) in (str, int) for value in assignments.values())
    assert assignments["profile"] == "quick", "readers wait for minutes; the published build asks for full"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=text(chapter).metadata), tmp_path / "one.ipynb")
    assert set(papermill.inspect_notebook(str(tmp_path / "one.ipynb"))) == set(PARAMETERS)


@pytest.mark.parametrize("chapter", PAPERS)
def test_chapters_of_papers_have_the_template_s_headings(chapter):
    assert headings(chapter) == HEADINGS


def test_the_chapter_on_gacn_carries_the_story_and_not_the_plumbing():
    assert len((FOLDER / "07_gacn.py").read_text().splitlines()) < 700


@each_chapter
def test_every_chapter_begins_and_ends_alike(chapter):
    assert headings(chapter)[0] == HEADINGS[0]
    assert headings(chapter)[-2:] == HEADINGS[-2:]


@each_chapter
def test_tags_are_the_known_ones(chapter):
    assert {tag for cell in text(chapter).cells for tag in cell.metadata.get("tags", [])} <= TAGS


@each_chapter
def test_displayed_equations_of_several_lines_have_no_tag(chapter):
    """Sphinx sets them in an environment in which MathJax allows no tag."""
    displayed = re.findall(r"\$\$(.+?)\$\$", prose(chapter), re.DOTALL)
    assert [equation for equation in displayed if r"\\" in equation and r"\tag" in equation] == []


@each_chapter
def test_cells_are_short_and_fit_the_column_of_a_page(chapter):
    """Folded cells may be twice as long as those in sight."""
    for cell in code_cells(chapter):
        folded = {"hide-input", "remove-input"} & set(cell.metadata.get("tags", ()))
        assert len(cell.source.splitlines()) < (70 if folded else 35), cell.source
        assert [line for line in cell.source.splitlines() if len(line) > 88 and not line.startswith("# ")] == []


# ----------------------------------------------------------------------------------------------- what Colab shows


@each_chapter
def test_imports_are_what_colab_has(chapter):
    nodes = [node for cell in code_cells(chapter) for node in ast.walk(ast.parse(cell.source))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= COLAB


@each_chapter
def test_no_private_name_of_the_package_is_used(chapter):
    """What a chapter teaches with is public: a name that begins with an underscore may change without notice."""
    nodes = [node for cell in code_cells(chapter) for node in ast.walk(ast.parse(cell.source))]
    names = [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    imports = [alias for node in nodes if isinstance(node, ast.ImportFrom | ast.Import) for alias in node.names]
    names += [part for alias in imports for part in alias.name.split(".")]
    assert [name for name in names if re.match(r"_(?!_)", name) and name != "_repr_html_"] == []


@each_chapter
def test_prose_is_plain_markdown(chapter):
    assert re.findall(r"```\{.*|\{(?:cite|doc|ref|numref)[^}]*\}`|:::\{.*", prose(chapter)) == []


@each_chapter
def test_links_lead_somewhere(chapter):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(chapter)):
        if not target.startswith(("http", "#")):
            path = FOLDER / target.partition("#")[0]
            assert path.exists() or path.with_suffix(".ipynb").exists(), target
        if match := re.match(rf"https://[\w.]*github[\w.]*/{REPOSITORY}/(?:blob/|raw/)?{REF}/(.+)", target):
            assert (ROOT / match[1]).exists(), target


def test_every_chapter_is_in_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    assert sorted(file.partition("/")[2] for file in files if file.startswith("notebooks/")) == CHAPTERS
    pages = {path.stem for path in (ROOT / "book").glob("*.md")}
    assert {file for file in [toc["root"], *files] if "/" not in file} == pages


@each_chapter
def test_three_questions_have_folded_answers(chapter):
    """Their words are raw HTML, in which neither formulas nor Markdown are set."""
    questions, _, _ = prose(chapter).partition("\n### Try it\n")
    folds = re.findall(r"<details><summary>(.+?)</summary>\n\n(.+?)\n\n</details>", questions, re.DOTALL)
    assert len(folds) == 3
    assert all(question.endswith("?") and not set("$`*") & set(question) for question, _ in folds)
    assert all(len(answer) > 60 for _, answer in folds)
