"""The verdicts on transfer and on single choices: recomputed from recorded files, and on trainings with a known outcome."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mffrepro.report import transfer_claims, transfer_study
from mffrepro.report.claims import Verdict
from mffrepro.report.trainings import study_files
from mffrepro.report.transfer_study import EDGES, RANDOM, RANDOM_SLIM, SIGNS, TEXTURES, Row, TransferStudy, changed, frozen
from mffrepro.training.studies import Options, table_path
from mffrepro.training.studies import transfer as recipes

METRICS = list(SIGNS)
FOLDER = table_path("transfer").parent


@pytest.fixture(autouse=True)
def no_record(monkeypatch) -> None:
    monkeypatch.delenv("MFFREPRO_RECORDS", raising=False)


def by_claim(verdicts: list[Verdict]) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in verdicts}


def outcomes(verdicts: list[Verdict]) -> dict[str, str]:
    """Return what the samples say, whether or not weights of this project may decide it."""
    return {verdict.claim: "does not hold" if verdict.substituted else verdict.outcome for verdict in verdicts}


# ------------------------------------------------------------------------------------------- the recorded study


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def files(kind: str, features: str, change: str = "", frozen: str = "no") -> list[list[dict[str, str]]]:
    """Read the recorded files of a kind of training, by seed, with nothing of the package but its folder."""
    rows = [
        row
        for row in cells(FOLDER / "transfer.csv")
        if (row["features"], row["frozen"], row["change"]) == (features, frozen, change)
    ]
    return [cells(FOLDER / row[kind]) for row in sorted(rows, key=lambda row: int(row["seed"]))]


def mean(features: str, metric: str, data: str = "real", change: str = "") -> float:
    return np.mean([float(line[metric]) for one in files("scores", features, change) for line in one if line["data"] == data])


def test_every_row_of_the_study_is_recorded_for_the_same_seeds() -> None:
    study = transfer_study.read_transfer()
    wanted = {tuple(row[name] for name in transfer_study.COLUMNS) for row in recipes.rows(Options(machine=""))}
    assert set(study.logs) == set(study.scores) == wanted
    assert len(study.seeds) >= 3
    assert {(len(log), *study.seeds) for logs in study.logs.values() for log in logs.values()} == {
        (recipes.BUDGET.epochs, *study.seeds)
    }
    for row in (EDGES, RANDOM, TEXTURES, RANDOM_SLIM, frozen(EDGES), *transfer_claims.PARTS.values(), transfer_claims.AVERAGE):
        assert row in wanted


def test_effects_on_transfer_are_those_of_the_recorded_files() -> None:
    found = by_claim(transfer_claims.transfer(transfer_study.read_transfer()))
    edges, random = (files("scores", name) for name in ("edges", "random, full width"))
    for claim, metric, sign in (("C1.6", "qabf", 1), ("C1.6", "mi", 1), ("C1.6", "ag", 1), ("C1.7", "labf", -1)):
        lost = []
        for ours, others in zip(edges, random, strict=True):
            other = {line["stack"]: float(line[metric]) for line in others if line["data"] == "real"}
            lost += [sign * (float(line[metric]) - other[line["stack"]]) <= 0 for line in ours if line["data"] == "real"]
        part = found[claim].parts[metric if claim == "C1.6" else "share of pairs lost"]
        assert part["effect"] == pytest.approx(np.mean(lost))
        assert (part["images"], part["seeds"]) == (20, len(edges))
    assert found["C1.8"].effect == pytest.approx(mean("edges", "sf") - mean("random, full width", "sf"))
    overlaps = [mean(name, "mask_iou", "embedded") for name in ("edges", "random, full width")]
    assert found["C1.9"].effect == pytest.approx(overlaps[1] - overlaps[0])
    assert found["C1.9"].images == 5


def test_effects_of_single_choices_are_those_of_the_recorded_files() -> None:
    study = transfer_study.read_transfer()
    found = by_claim([*transfer_claims.parts_of_the_model(study), transfer_claims.strides(study), transfer_claims.pooling(study)])
    for claim, change in (
        ("C1.2", "cross-entropy of the last decoder"),
        ("C1.3", "no batch normalisation"),
        ("C1.4", "normal first weights"),
    ):
        for metric in METRICS:
            lead = (mean("textures", metric) - mean("textures", metric, change=change)) * (-1 if metric == "labf" else 1)
            assert found[claim].parts[metric]["effect"] == pytest.approx(lead)
            assert found["C1.1"].parts[f"{metric} against {change}"]["effect"] == pytest.approx(lead)
    plain, *pooled = (mean("textures", "mask_iou", "embedded", change) for change in ("", "average pooling", "maximum pooling"))
    assert found["C0.8"].effect == pytest.approx(pooled[0] - pooled[1])
    assert [part["effect"] for part in found["C1.20"].parts.values()] == pytest.approx([plain - overlap for overlap in pooled])


def waited(overlaps: list[float], level: float) -> int:
    return next((epoch for epoch, overlap in enumerate(overlaps, 1) if overlap >= level), len(overlaps) + 1)


def test_epochs_that_transfer_saves_are_those_of_the_recorded_files() -> None:
    verdict = transfer_claims.shorter_training(transfer_study.read_transfer())
    ours, others = (
        [[float(line["val_iou"]) for line in one] for one in files("curve", name)] for name in ("edges", "random, full width")
    )
    pairs = list(zip(ours, others, strict=True))
    levels = [0.9 * max(*a, *b) for a, b in pairs]
    saved = [waited(b, level) - waited(a, level) for (a, b), level in zip(pairs, levels, strict=True)]
    fixed = [waited(b, 0.6) - waited(a, 0.6) for a, b in pairs]
    assert [part["effect"] for part in verdict.parts.values()] == pytest.approx([np.mean(saved), np.mean(fixed)])


def test_the_study_of_over_fitting_decides_on_normalisation() -> None:
    logs = study_files("overfitting", "curve", "change")
    kinds = [logs[name] for name in recipes.OVERFITTING]
    found = by_claim(transfer_claims.normalisation(transfer_study.read_transfer(), *kinds))
    with_, without = ([list(one[seed]["val_iou"]) for seed in one] for one in kinds)
    levels = [0.9 * max(*a, *b) for a, b in zip(with_, without, strict=True)]
    slower = [waited(b, level) - waited(a, level) for a, b, level in zip(with_, without, levels, strict=True)]
    assert found["C0.9"].effect == pytest.approx(np.mean(slower))
    gaps = [[one[seed].iloc[-1]["val_total"] - one[seed].iloc[-1]["train_total"] for seed in one] for one in kinds]
    assert found["C0.15"].effect == pytest.approx(np.mean(gaps[1]) - np.mean(gaps[0]))


# ------------------------------------------------------------------------------------------- made-up trainings


def study_of(levels: Mapping[Row, tuple[float, ...]]) -> TransferStudy:
    """Five seeds of every row: on all pairs a quality of one for each seed, and overlaps that grow by it every epoch."""
    rows = [tuple(row[name] for name in transfer_study.COLUMNS) for row in recipes.rows(Options(machine=""))]
    scores, logs = {}, {}
    for row in rows:
        scores[row], logs[row] = {}, {}
        for seed, quality in enumerate(levels.get(row, EVEN), 1):
            table = [
                {"stack": f"{data} {i}", "data": data, "mask_iou": quality}
                | {name: SIGNS[name] * (quality + i / 100) for name in METRICS}
                for data, count in (("real", 8), ("embedded", 5))
                for i in range(count)
            ]
            scores[row][seed] = pd.DataFrame(table)
            epochs = np.arange(1, 6)
            logs[row][seed] = pd.DataFrame(
                {"val_iou": np.minimum(0.3 * quality * epochs, 0.65), "val_total": 1 / (quality * epochs)}
            )
    return TransferStudy([1, 2, 3, 4, 5], logs, scores, "made up")


EVEN = (0.5,) * 5
HIGH, LOW, MIXED = (0.8, 0.81, 0.8, 0.8, 0.8), (0.4, 0.4, 0.41, 0.4, 0.4), (0.2, 0.9, 0.5, 0.3, 0.7)
CLAIMS = ("C1.6", "C1.7", "C1.8", "C1.9", "C0.10")


@pytest.mark.parametrize(
    ("edges", "random", "said"),
    [(HIGH, LOW, "holds"), (LOW, HIGH, "does not hold"), (EVEN, MIXED, "undecided")],
)
def test_transfer_is_judged_at_full_width(edges, random, said) -> None:
    study = study_of({EDGES: edges, RANDOM: random, TEXTURES: random, RANDOM_SLIM: edges})
    found = outcomes([*transfer_claims.transfer(study), transfer_claims.shorter_training(study)])
    assert found == dict.fromkeys(CLAIMS, said)


@pytest.mark.parametrize(
    ("plain", "other", "said"), [(HIGH, LOW, "holds"), (LOW, HIGH, "does not hold"), (EVEN, MIXED, "undecided")]
)
def test_one_changed_part_is_judged_against_the_whole(plain, other, said) -> None:
    changes = dict.fromkeys(map(changed, recipes.CHANGES), other)
    study = study_of({TEXTURES: plain} | changes)
    found = outcomes([*transfer_claims.parts_of_the_model(study), transfer_claims.strides(study)])
    assert found == dict.fromkeys(("C1.1", "C1.2", "C1.3", "C1.4", "C1.20"), said)
    pooled = study_of({transfer_claims.AVERAGE: plain, transfer_claims.MAXIMUM: other})
    assert outcomes([transfer_claims.pooling(pooled)]) == {"C0.8": said}


def test_one_bad_part_keeps_the_full_model_from_beating_all() -> None:
    bad, *others = map(changed, recipes.CHANGES)
    found = outcomes(transfer_claims.parts_of_the_model(study_of({TEXTURES: EVEN, bad: HIGH} | dict.fromkeys(others, LOW))))
    assert found == {"C1.1": "does not hold", "C1.2": "does not hold", "C1.3": "holds", "C1.4": "holds"}


def test_a_pair_that_is_lost_refutes_every_pair_and_not_the_mean() -> None:
    study = study_of({EDGES: HIGH, RANDOM: LOW})
    for table in study.scores[EDGES].values():
        table.loc[table["stack"].isin(["real 1", "real 2", "real 3", "real 4"]), METRICS] = [-9 * SIGNS[name] for name in METRICS]
    found = by_claim(transfer_claims.transfer(study))
    assert found["C1.7"].effect == 0.5
    assert found["C1.7"].substituted, "the paper's own network may win everywhere"


# -------------------------------------------------------------------------------------------- tables and curves


def test_only_seeds_that_all_rows_have_count(tmp_path, monkeypatch) -> None:
    table = pd.read_csv(table_path("transfer"), keep_default_na=False)
    missing = (table["features"] == "edges") & (table["seed"] == 2)
    table[["curve", "scores"]] = table[["curve", "scores"]].map(lambda path: str(FOLDER / path))
    (tmp_path / "recorded" / "studies").mkdir(parents=True)
    table[~missing].to_csv(tmp_path / "recorded" / "studies" / "transfer.csv", index=False)
    monkeypatch.setattr("mffrepro.training.studies.manifest_folder", lambda: tmp_path)
    study = transfer_study.read_transfer()
    assert 2 not in study.seeds
    assert {tuple(found) for found in study.logs.values()} == {tuple(study.seeds)}
    told = re.findall(r"\(seeds? ([\d, ]+)\)", study.described)
    assert sorted(int(seed) for seeds in told for seed in seeds.split(", ")) == study.seeds


def test_tables_show_means_ranges_and_results() -> None:
    study = study_of({EDGES: HIGH, RANDOM: (0.1, 0.1, 0.2, 0.1, 0.1)})
    shown = transfer_study.summary_table(study, [EDGES, frozen(RANDOM), RANDOM], caption="").data
    assert list(shown.index) == ["edges", "random, full width, frozen", "random, full width"]
    assert shown.loc["edges", "Q_ABF on Lytro"] == "0.8370 (0.8350 to 0.8450)"
    assert shown["epochs to an overlap of 0.6"].tolist() == [", ".join([epochs] * 5) for epochs in ("3", "4", "never")]
    effects = transfer_study.effect_table(
        study.leads(EDGES, RANDOM) | {"back": -study.leads(EDGES, RANDOM)["sf"]}, caption=""
    ).data
    assert effects["mean lead"].to_dict() == pytest.approx(dict.fromkeys([*METRICS, "mask_iou"], 0.682) | {"back": -0.682})
    assert effects["result"].tolist() == ["better"] * 6 + ["worse"]
    assert transfer_study.sign(np.array([[1.0] * 6, [-1.0] * 6, [1.0] * 6])) == "undecided"
    surely = np.ones((5, 6))
    assert (
        transfer_study.in_words({"a": surely, "b": -surely, "c": 0 * surely, "d": surely})
        == "better in a, d; worse in b; undecided in c"
    )
    assert transfer_study.in_words({"a": surely, "b": 2 * surely}) == "better in all metrics"
    assert transfer_study.in_words({"a": surely}) == "better in a"


def test_curves_have_a_panel_for_each_group_of_rows() -> None:
    study = study_of({EDGES: HIGH, RANDOM: LOW})
    shown = transfer_study.learning_curves(
        study, {"full": [EDGES, RANDOM], "slim": [TEXTURES]}, "val_iou", ylabel="overlap", alt="a"
    )
    assert [axes.get_title() for axes in shown.figure.axes] == ["full", "slim"]
    assert shown.figure.axes[0].lines[0].get_ydata() == pytest.approx(study.curves([EDGES], "val_iou")["edges"].mean(0))
    assert "made up" in shown.caption
