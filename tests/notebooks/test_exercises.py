"""Each exercise has a hint, an expected result and a solution, and each solution runs and finds what it promises."""

import ast
from pathlib import Path

import exercises
import pytest

jupytext = pytest.importorskip("jupytext")
matplotlib = pytest.importorskip("matplotlib")

FOLDER = Path(__file__).parents[2] / "notebooks"
WIDTH = 88


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in jupytext.read(path).cells if cell.cell_type == "markdown")


EXERCISES = {path.stem: exercises.read(prose(path)) for path in sorted(FOLDER.glob("*.py"))}
SOLUTIONS = [pytest.param(one, id=f"{name}-{one.number}") for name, found in EXERCISES.items() for one in found]


@pytest.mark.parametrize("chapter", EXERCISES)
def test_exercises_are_numbered_and_each_has_its_folds(chapter):
    found = EXERCISES[chapter]
    assert len(found) >= 2
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    for one in found:
        assert list(one.folds) == [exercises.HINT, exercises.SOLUTION], one.question
        expected = exercises.CODE.sub("", one.folds[exercises.SOLUTION]).strip()
        assert len(expected.split()) > 8, "what the reader should find, in words"


@pytest.mark.parametrize("exercise", SOLUTIONS)
def test_a_solution_runs_and_checks_its_expected_result(exercise, tmp_path, monkeypatch):
    """It stands on its own, so that a reader can paste it into an empty notebook."""
    code = exercise.solution
    assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(code))), "the expected result, as an assertion"
    assert max(map(len, code.splitlines())) <= WIDTH
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    try:
        exec(compile(code, "solution", "exec"), {"__name__": "__main__"})
    finally:
        import matplotlib.pyplot as plt

        plt.close("all")
