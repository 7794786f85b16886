"""The box at the top of a chapter: its sentences follow the verdicts."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import OptionError
from mffrepro.report import claims, summary

ANSWERS = {"holds": "It is best.", "fails": "It is not best.", "undecided": "Nobody knows.", "substitute": ""}
CHAPTERS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(autouse=True)
def fresh(monkeypatch) -> None:
    monkeypatch.delenv(claims.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(claims, "_GIVEN", {})
    table = pd.DataFrame.from_dict(dict.fromkeys(("C0.1", "C0.5", "C1.15"), ANSWERS), orient="index")
    monkeypatch.setattr(summary, "_answers", lambda: table)


def test_every_claim_that_a_chapter_answers_with_has_a_sentence_for_each_outcome():
    table = pd.read_csv(manifest_folder() / "papers" / "answers.csv", index_col="id")
    trees = [ast.walk(ast.parse(path.read_text())) for path in CHAPTERS.glob("*.py")]
    calls = [node for tree in trees for node in tree if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "says"]
    assert {call.args[0].value for call in calls} == set(table.index)
    assert table[["holds", "fails", "undecided"]].notna().all(axis=None)
    assert set(table.index) <= set(claims.all_claims().index)


@pytest.mark.parametrize(("shift", "words"), [(1, "It is best."), (-1, "It is not best."), (0, "Nobody knows.")])
def test_the_sentence_follows_the_verdict(shift, words):
    verdict = claims.judge("C0.5", shift + np.array([-0.1, 0.1, -0.2, 0.2, 0.0]))
    text = summary.says("C0.5")
    assert text.startswith(words)
    unit = "quartile range by median"
    assert text.endswith(f"(C0.5: {verdict.effect:.3g} [{verdict.interval[0]:.3g}, {verdict.interval[1]:.3g}] {unit})")


def test_a_failure_with_our_weights_has_a_sentence_of_its_own():
    claims.judge("C0.1", np.full(6, -0.1))
    assert summary.says("C0.1").startswith("Not reproduced with weights of this project")
    assert summary.says("C0.1", substitute="Ours is not best.").startswith("Ours is not best. (C0.1: -0.1")


def test_a_claim_without_a_test_says_so():
    claims.judge("C1.15", None, note="Group 5 is not named.")
    assert summary.says("C1.15").startswith("The claim cannot be tested: In group 5")


def test_a_sentence_needs_a_verdict():
    with pytest.raises(OptionError, match=r"C0\.1 has no verdict in this chapter yet"):
        summary.says("C0.1")


def test_a_chapter_may_say_what_it_computed_where_nothing_is_decided():
    claims.judge("C0.5", np.array([-0.1, 0.1, -0.2, 0.2, 0.0]))
    assert summary.says("C0.5", undecided="Three seeds do not decide it.").startswith("Three seeds do not decide it. (C0.5: ")


def test_a_claim_without_sentences_is_refused():
    claims.judge("C0.13", 0)
    with pytest.raises(OptionError, match=r"no claim with sentences 'C0\.13'; did you mean"):
        summary.says("C0.13")


def test_claims_that_other_chapters_judge_are_not_counted():
    claims.judge("C0.1", np.full(6, 0.5))
    made = summary.in_one_minute("tlcnn", "Which?", answer="This.", best="C0.1", learned=[], elsewhere=["14_many", "15_few"])
    assert sum(made.counts.values()) == made.counts["holds"] == 1
    links = 'judged in <a href="14_many.html">14_many</a> and <a href="15_few.html">15_few</a>.'
    assert f"1 holds; the other claims of the paper are {links}" in made._repr_html_()


def test_claims_are_counted_and_observations_are_not():
    claims.judge("C0.1", np.full(6, 0.5))
    claims.judge("C0.13", 0)
    made = summary.in_one_minute("tlcnn", "Which?", answer="This.", best="C0.1", learned=["a < b", "c", "d"])
    assert made.counts == {"holds": 1, "does not hold": 0, "undecided": 0, "cannot be tested": 0, "not tested yet": 12}
    page = made._repr_html_()
    for part in (
        "In one minute",
        "<i>Which?</i>",
        "13 claims:",
        "1 holds",
        "all compared methods: 0.5 [0.5, 0.5] Q_ABF, 6 images (C0.1)",
        "a &lt; b",
    ):
        assert part in page
    assert "\n" not in page
    assert "not reproduced" not in page
    named = summary.in_one_minute("tlcnn", "Which?", answer="This.", best="C0.1", learned=[], number="The lead")
    assert named.best.startswith("The lead: 0.5")
    claims.judge("C0.1", np.full(6, -0.5))
    made = summary.in_one_minute("tlcnn", "Which?", answer="This.", best="C0.1", learned=[])
    assert (made.counts["undecided"], made.substituted) == (1, 1)
    assert "; not reproduced with weights of this project: 1 of the undecided." in made._repr_html_()
