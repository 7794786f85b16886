"""Verdicts: what the manifest says of each claim, how samples decide, what is recorded and shown."""

import json
import re

import numpy as np
import pytest

from mffrepro.errors import OptionError
from mffrepro.report import claims, pages
from mffrepro.report.evidence import Estimate
from mffrepro.report.interval_chart import interval_chart


def test_the_manifest_says_how_each_claim_is_judged() -> None:
    rows = claims.all_claims()
    assert set(rows["kind"]) == {"claim", "observation"}
    assert list(rows.index[rows["kind"] == "observation"]) == ["C0.13", "C0.14", "C2.12"]
    assert set(rows["sample"]) == {"images", "trainings", "runs", "exact"}
    assert set(rows["direction"]) == {"greater", "less", "within"}
    assert np.isfinite(rows["threshold"].astype(float)).all()
    assert (rows[["claim", "place", "unit", "test"]] != "").all(axis=None)
    assert set(rows["weights"]) <= {"", "paper", "ours"}
    for text in rows["part_thresholds"]:
        assert np.isfinite(list(claims.part_thresholds(text).values())).all()


def test_samples_decide_and_are_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(claims.FOLDER_VARIABLE, str(tmp_path / "07_gacn"))
    verdict = claims.judge("C4.8", [0.41, 0.43, 0.42, 0.41, 0.45], numbers={"bound": np.float64(0.4)}, scenes="own")
    record = json.loads((tmp_path / "07_gacn" / "C4.8.json").read_text())
    assert record["outcome"] == verdict.outcome == "holds"
    assert record["effect"] == pytest.approx(0.424)
    assert 0.40 < record["interval"][0] < record["effect"] < record["interval"][1]
    assert (record["images"], record["scenes"], record["numbers"]) == (5, "own", {"bound": 0.4})
    ledger = claims.ledger()
    assert ledger.loc["C4.8", ["verdict", "samples", "chapter"]].tolist() == ["holds", "5 runs", "07_gacn"]
    assert ledger.loc["C4.9", "verdict"] == "not tested yet"
    assert claims.given("gacn")["C4.8"] is verdict


def test_runs_that_differ_by_more_than_the_effect_decide_nothing() -> None:
    near = [0.31, 0.33, 0.32, 0.31, 0.35]  # all over 0.3, but as far from each other as from it: another load may turn it round
    assert claims.judge("C4.8", near).outcome == "undecided"
    assert claims.judge("C4.8", [value - 0.1 for value in near]).outcome == "does not hold"
    assert claims.judge("C4.9", near).outcome == "holds", "the threshold is 0"


def test_the_deciding_part_stands_for_a_claim_of_several() -> None:
    parts = {"wins": np.full(9, 0.4), "loses": np.full(9, -0.1), "open": np.tile([-9.0, 8.0, 0.0], 3)}
    verdict = claims.judge("C0.5", parts)
    assert (verdict.outcome, verdict.weakest, verdict.effect) == ("does not hold", "loses", pytest.approx(-0.1))
    assert list(verdict.parts) == list(parts)
    del parts["loses"]
    assert (claims.judge("C0.5", parts).outcome, claims.judge("C0.5", parts).weakest) == ("undecided", "open")


def test_parts_in_different_units_are_compared_by_their_standard_errors() -> None:
    close, far = np.tile([0.01, 0.012], 20), np.tile([50.0, 300.0], 20)
    assert claims.judge("C0.5", {"small unit": close, "large unit": far}).weakest == "large unit"


def test_a_failure_with_our_weights_is_undecided_and_says_so(monkeypatch) -> None:
    monkeypatch.delenv(claims.FOLDER_VARIABLE, raising=False)
    ours, none = claims.judge("C0.1", np.full(9, -0.1)), claims.judge("C0.5", np.full(9, -0.1))
    assert (ours.weights, ours.outcome, ours.substituted) == ("ours", "undecided", True)
    assert (none.weights, none.outcome, none.substituted) == ("", "does not hold", False)
    assert "Not reproduced with weights of this project" in ours._repr_html_()
    assert "· weights of this project" in ours._repr_html_()
    assert "Not reproduced" not in none._repr_html_()
    assert claims.judge("C0.1", np.full(9, 0.1)).outcome == "holds"


def test_a_part_without_our_weights_can_refute_a_claim() -> None:
    parts = {"ours": np.full(9, -0.9), "published": np.full(9, -0.1)}
    verdict = claims.judge("C0.1", parts, independent=["published"])
    assert (verdict.outcome, verdict.substituted, verdict.weakest) == ("does not hold", False, "published")
    assert verdict.weights == "", "the refutation rests on no weights of this project"
    assert claims.judge("C0.1", parts | {"published": np.full(9, 0.1)}, independent=["published"]).substituted


def test_an_error_that_the_trainings_share_can_keep_a_part_open(monkeypatch) -> None:
    monkeypatch.delenv(claims.FOLDER_VARIABLE, raising=False)
    parts, seeds = {"one": np.full((5, 1), 0.02), "other": np.full((5, 1), 0.02)}, [1, 2, 3, 4, 5]
    assert claims.judge("C2.5", parts, seeds=seeds).outcome == "holds"
    verdict = claims.judge("C2.5", parts, seeds=seeds, shared_errors={"other": (0.03, 0.04)})
    assert (verdict.outcome, verdict.weakest) == ("undecided", "other")
    assert verdict.interval == pytest.approx((-0.01, 0.06))
    assert (verdict.parts["one"]["low"], verdict.parts["one"]["high"]) == (0.02, 0.02)
    with pytest.raises(OptionError, match="no part 'othr'; did you mean 'other'"):
        claims.judge("C2.5", parts, seeds=seeds, shared_errors={"othr": (0.03, 0.04)})


def test_a_part_without_a_test_keeps_a_claim_from_holding() -> None:
    verdict = claims.judge("C0.5", {"known": np.full(9, 0.4), "unknown rival": None})
    assert (verdict.outcome, verdict.weakest, verdict.untested) == ("undecided", "known", ["unknown rival"])
    assert "unknown rival" in verdict._repr_html_()
    assert claims.judge("C0.5", {"known": np.full(9, -0.4), "unknown rival": None}).outcome == "does not hold"


def test_a_part_may_have_a_threshold_of_its_own() -> None:
    behind = {"over ifcnn.published": np.full(9, -0.01), "over sesf.published": None, "over dwt": np.full(9, 0.1)}
    verdict = claims.judge("C1.12", behind | {"over sesf.published": np.full(9, -0.01)})
    assert (verdict.outcome, verdict.thresholds["over ifcnn.published"]) == ("holds", -0.02)
    assert "over ifcnn.published -0.02; over sesf.published -0.02; others 0</div>" in verdict._repr_html_()
    assert claims.judge("C1.12", behind | {"over dwt": np.full(9, -0.01)}).substituted
    with pytest.raises(OptionError, match=r"'over ifcnn\.published', which was not given"):
        claims.judge("C1.12", {"over dwt": np.full(9, 0.1)})
    with pytest.raises(OptionError, match="'part: number; part: number'"):
        claims.part_thresholds("over dwt 0.1")


def test_few_trainings_cannot_decide_a_claim_about_trainings() -> None:
    assert claims.judge("C0.8", np.full(20, 0.5), seeds=[1]).outcome == "undecided"
    assert claims.judge("C0.8", np.full((4, 20), 0.5), seeds=[1, 2, 3, 4]).outcome == "undecided"
    assert claims.judge("C0.8", np.full((5, 20), 0.5), seeds=[1, 2, 3, 4, 5]).outcome == "holds"
    columns = claims.judge("C1.5", np.full((5, 20, 2), -0.5), statistic=np.mean, seeds=[1, 2, 3, 4, 5])
    assert (columns.outcome, columns.seeds) == ("holds", [1, 2, 3, 4, 5])


def test_exact_claims_have_no_interval() -> None:
    verdict = claims.judge("C4.10", {"serial": 0, "calibration": 0})
    assert (verdict.outcome, verdict.interval) == ("holds", None)
    assert "exact, without an interval" in verdict._repr_html_()


def test_a_claim_without_samples_cannot_be_tested_and_says_why() -> None:
    verdict = claims.judge("C1.15", None, note="Group 5 is not named.")
    assert (verdict.outcome, verdict.effect, verdict.scenes) == ("cannot be tested", None, "")
    assert "Group 5 is not named." in verdict._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (dict(claim="C4", samples=[1.0]), "no claim 'C4'"),
        (dict(claim="C0.1", samples=None), "say why in note"),
        (dict(claim="C0.1", samples={}), "has no part"),
        (dict(claim="C0.1", samples=[1.0], scenes="owned"), "did you mean 'own'"),
        (dict(claim="C0.1", samples=np.ones((3, 6)), seeds=[1]), "3 seeds and names 1"),
        (dict(claim="C0.1", samples=1.0), "0 axes"),
        (dict(claim="C4.10", samples=[1.0, 2.0]), "one finite number"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_a_sentence(arguments, words) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        claims.judge(**arguments)
    assert "\n" not in str(caught.value)


def test_no_record_outside_a_build(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv(claims.FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert claims.judge("C4.8", None, note="no stack").outcome == "cannot be tested"
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_has_an_entry_with_an_anchor_for_every_claim(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(claims.FOLDER_VARIABLE, str(tmp_path / "07_gacn"))
    samples = {"saved <s>": [0.4, 0.41, 0.42, 0.43, 0.44]}
    shown = claims.judge("C4.8", samples, numbers={"a & b": 0.3149}, note="x < y")._repr_html_()
    assert 'id="verdict-c4-8"' in shown
    page = claims.Entries(claims.ledger(tmp_path))._repr_html_()
    ids = re.findall(r'<div id="(c\d-\d+)"', page)
    assert ids == [pages.anchor(claim) for claim in claims.all_claims().index]
    entry = page[page.index('id="c4-8"') : page.index('id="c4-9"')]
    link = '<a href="07_gacn.html#verdict-c4-8">Chapter: 07_gacn</a>'
    for part in (
        "holds",
        "saved &lt;s&gt;",
        "a &amp; b 0.3149",
        "x &lt; y",
        "5 runs",
        "<svg",
        "Table 3",
        "substitute scenes",
        link,
    ):
        assert part in entry
    assert page.count("– not tested yet</b>") == page.count('data-outcome="not tested yet"') == len(ids) - 1
    assert "\n\n" not in page


def test_an_interval_is_drawn_around_its_threshold() -> None:
    parts = {"below": Estimate(-1.0, -2.0, 0.5, 26), "exactly": Estimate(1.0, 1.0, 1.0)}
    picture = interval_chart(parts, "greater", dict.fromkeys(parts, 0.0))
    lines = [tuple(map(float, pair)) for pair in re.findall(r'<line x1="([\d.]+)" x2="([\d.]+)" y1="9', picture)]
    (mark,) = set(re.findall(r'<line x1="([\d.]+)" x2="\1" y1="\d+" y2="\d+" stroke-dasharray', picture))
    ((low, high),) = lines
    assert float(mark) - low == pytest.approx(4 * (high - float(mark)), abs=0.5), "-2 is four times as far as 0.5"
    assert picture.count("<circle") == 2
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', picture)) == {"currentColor", "none"}
    assert "-1 [-2, 0.5]" in picture
    assert picture.count(">0</text>") == 1, "a common threshold is labelled once"
    own = interval_chart(parts, "greater", {"below": 0.0, "exactly": 0.5})
    assert ">0.5</text>" not in own
    assert "claimed greater 0.5" in own
    both = interval_chart({"one": Estimate(0.0, -0.1, 0.1, 26)}, "within", {"one": 0.5})
    assert len(re.findall(r'<line x1="([\d.]+)" x2="\1" y1="0"', both)) == 2
