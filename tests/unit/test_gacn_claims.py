"""The verdicts on GACN from tables whose outcome is known, and the tables behind them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mffrepro.benchmarks import decisions, strategies
from mffrepro.images import FocusStack, FusionResult
from mffrepro.methods import load_network
from mffrepro.models.gacn import GacnComparer
from mffrepro.report import gacn26, gacn_claims
from mffrepro.training.studies.gacn_losses import noise

SIX = list(gacn26.METRICS)


@pytest.fixture(autouse=True)
def no_record(monkeypatch) -> None:
    monkeypatch.delenv("MFFREPRO_RECORDS", raising=False)


def rows_of(scores: dict[str, list[float]]) -> pd.DataFrame:
    """Two stacks, every method with the same six scores on both."""
    return pd.DataFrame(
        [
            {"stack": stack, "method": method, "metric": metric, "value": value}
            for method, values in scores.items()
            for metric, value in zip(SIX, values, strict=True)
            for stack in ("one", "two")
        ]
    )


def outcomes(verdicts: list) -> dict[str, str]:
    return {verdict.claim: verdict.outcome for verdict in verdicts}


# ------------------------------------------------------------------------------------------------- the 26 pairs


def test_the_names_of_the_metrics_are_the_paper_s() -> None:
    assert SIX == ["qg", "qy", "qncie", "qcb", "fmi_edge", "fmi_dct"]
    rows = pd.DataFrame({"metric": ["qy.gacn", "qg", "qg"], "value": [1.0, 2.0, np.nan]})
    assert gacn26.as_printed(rows)["metric"].tolist() == ["qy", "qg"]


def test_recorded_scores_of_all_methods_are_found() -> None:
    rows = gacn26.scores()
    assert set(rows["metric"]) == set(SIX)
    assert rows.groupby("method")["stack"].nunique()["mff_ssim"] == 26, "a method without weights is recorded too"


def test_pairs_stand_beside_the_authors_own_scores() -> None:
    rows = rows_of({"lp": [0.5] * 6}).assign(stack=lambda rows: rows["stack"].replace({"one": "lytro_01", "two": "lytro_02"}))
    table = gacn26.pair_scores(rows, ["lp"], {"cnn_fuse": "cnn, authors"}, ["qg"])["qg"]
    assert list(table.columns) == ["lp", "cnn, authors"]
    assert table.loc["lytro_01", "cnn, authors"] == 0.7193004512
    assert list(table.index) == ["lytro_01", "lytro_02"]


def test_places_are_those_of_the_means_on_common_pairs() -> None:
    rows = rows_of({"gacn.published": [3, 1, 2, 2, 2, 2], "lp": [2, 2, 1, 3, 1, 1], "dwt": [1, 3, 3, 1, 3, 3]})
    lost = rows[~((rows["method"] == "dwt") & (rows["stack"] == "two"))]
    for some, pairs in ((rows, 2), (lost, 1)):
        found, compared = gacn26.places(some, "gacn.published")
        assert found == dict(zip(SIX, (1, 3, 2, 2, 2, 2), strict=True))
        assert compared == f"3 methods on {pairs} pairs"
    assert gacn26.places(rows, "sesf") == ({}, "")


@pytest.mark.parametrize(
    ("scores", "outcome"),
    [
        ({"gacn.published": [9] * 6, "lp": [1] * 6}, "holds"),
        ({"gacn.published": [9, 9, 1, 9, 9, 9], "lp": [2] * 6}, "does not hold"),
        ({"lp": [1] * 6}, "cannot be tested"),
    ],
)
def test_leading_on_three_metrics(scores, outcome) -> None:
    assert gacn_claims.leads(rows_of(scores)).outcome == outcome


# --------------------------------------------------------------------------------------------------- trainings


def losses_table(best: str) -> pd.DataFrame:
    names = ["dice", "focal", "bce", "dice + qg", "focal + qg", "bce + qg", "dice + ep", "dice + st"]
    table = pd.DataFrame(0.0, index=names, columns=SIX)
    table.loc[best] = 1
    return table


def test_a_loss_wins_where_it_has_more_than_half_of_the_metrics() -> None:
    verdicts = gacn_claims.losses(losses_table("dice + qg"), "a test", 3)
    assert outcomes(verdicts) == {"C4.3": "holds", "C4.5": "holds", "C4.4": "does not hold"}
    assert verdicts[0].numbers["against dice + st"] == 6
    alone, both = dict.fromkeys(("against focal", "against bce"), 0), ("against focal + qg, with qg", "against bce + qg, with qg")
    assert verdicts[2].numbers == alone | dict.fromkeys(both, 6)
    assert verdicts[0].seeds == [3]
    assert outcomes(gacn_claims.losses(losses_table("dice + ep"), "a test", 3))["C4.5"] == "does not hold"


def test_choices_of_the_recipe_are_compared_with_equal_seeds() -> None:
    rows = [("", 1, 0.5, 10), ("", 2, 0.9, 10), ("gradient_loss=none", 1, 0.5, 12), ("angle=smooth", 1, 0.6, 10)]
    rows += [("defocus=mask", 1, 0.4, 10), ("attention=False", 1, 0.4, 10)]
    table = pd.DataFrame([dict.fromkeys(SIX, q) | {"changed": c, "seed": s, "regions": r, "variation": r} for c, s, q, r in rows])
    verdicts = gacn_claims.trainings(table)
    assert outcomes(verdicts) == {"C4.2": "holds", "C4.7": "does not hold", "C4.20": "holds", "C4.21": "holds"}
    assert verdicts[0].numbers["regions, Dice"] == 12
    assert verdicts[1].numbers["qg"] == pytest.approx(-0.1), "seed 2 has no partner"
    assert verdicts[1].numbers["range of qg over three seeds"] == pytest.approx(0.4)
    assert verdicts[1].seeds == [1]


def test_networks_are_compared_by_what_they_compute() -> None:
    table = pd.DataFrame({"qg": [0.8, 0.6, 0.9, 0.7]}, index=["gacn", "ifcnn.published", "lp", "sesf"])
    verdict = gacn_claims.outputs({"no decoder": table.loc[["gacn", "lp"]], "all": table})
    assert verdict.outcome == "holds"
    assert verdict.numbers == {"qg, decoder": 0.6, "qg, map": 0.75}
    assert "on all: gacn, ifcnn.published, sesf." in verdict.note, "the classical method is left out"


def test_the_metric_that_loses_most_is_found() -> None:
    sharp = dict.fromkeys(SIX, 2.0)
    assert gacn_claims.blur([sharp, sharp | {"qg": 1.0}], 5).outcome == "holds"
    assert gacn_claims.blur([sharp, sharp | {"qg": 1.0, "qcb": 0.5}], 5).outcome == "does not hold"


def test_gaps_must_not_grow() -> None:
    assert gacn_claims.steepness({10: 0.3, 100: 0.1}).outcome == "holds"
    assert gacn_claims.steepness({10: 0.1, 100: 0.3}).numbers == {"gap at k=10": 0.1, "gap at k=100": 0.3}


# ------------------------------------------------------------------------------------------------- many images


def test_calibration_is_tested_by_time_calls_and_quality() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 24, 30), np.uint8)
    stack = FocusStack("random", images, reference=images.mean(0).astype(np.uint8))
    network = load_network("gacn.random", device="cpu")
    attempts = strategies.compare_strategies(stack, {"gacn": GacnComparer(network)}, repeats=1)
    table = strategies.tabulate_strategies(stack, attempts, ["qg", "psnr"])
    for other in ("sesf", "cnn_fuse", "dsift"):
        table.loc[(other, "calibration"), ["saved", "predicted"]] = 0.2, 0.1
    table.loc[("gacn", "calibration"), ["saved", "qg", "psnr"]] = 0.4, *(table.loc[("gacn", "serial"), ["qg", "psnr"]] + 0.005)
    verdicts = gacn_claims.many_images(table, attempts, 0.15, "4 images")
    assert outcomes(verdicts) == dict.fromkeys(("C4.8", "C4.9", "C4.10", "C4.11"), "holds")
    assert verdicts[0].numbers["bound"] == 0.15
    assert verdicts[2].numbers["serial (extractions, decisions)"] == "(6, 3)"
    table.loc[("gacn", "calibration"), ["saved", "psnr"]] = 0.2, 0.0
    table.loc[("sesf", "calibration"), "saved"] = -0.1
    again = outcomes(gacn_claims.many_images(table, attempts, 0.15, "4 images"))
    assert again == {"C4.8": "does not hold", "C4.9": "does not hold", "C4.10": "holds", "C4.11": "does not hold"}


# ------------------------------------------------------------------------------------------------------- maps


def test_cleaning_is_tested_by_what_it_adds() -> None:
    names = [f"{name}, {stage}" for name in ("sesf", "cnn_fuse", "sml") for stage in ("raw", "cleaned")]
    table = pd.DataFrame({"mask_accuracy": 0.9, "qg": 0.7}, index=[*names, "gacn, initial", "gacn, islands removed"])
    assert outcomes(gacn_claims.post_processing(table)) == {"C4.13": "does not hold", "C4.14": "holds"}
    table.loc[["sesf, cleaned", "cnn_fuse, cleaned", "gacn, islands removed"]] += 0.01
    assert outcomes(gacn_claims.post_processing(table)) == {"C4.13": "holds", "C4.14": "does not hold"}


def test_residue_is_measured_inside_the_mask_in_gray_levels() -> None:
    images = np.zeros((2, 4, 4), np.uint8)
    pair = FocusStack("dark", images, decision=np.stack([np.eye(4), 1 - np.eye(4)]).astype(np.float32))
    bright = (2 * np.eye(4) + 9 * (1 - np.eye(4))).astype(np.uint8)
    results = {name: FusionResult(bright, None, 0.0, name) for name in ("ifcnn", "densefuse", "u2fusion")}
    verdict = gacn_claims.residue(pair, results | {"gacn": FusionResult(images[0], None, 0.0, "gacn")})
    assert verdict.outcome == "holds"
    assert verdict.numbers == {"ifcnn": pytest.approx(2), "densefuse": pytest.approx(2), "u2fusion": pytest.approx(2), "gacn": 0}


def test_speed_is_compared_with_the_transforms_that_ran() -> None:
    assert gacn_claims.fast(pd.Series({"gacn": 1.0, "lp": 2.0, "ifcnn": 0.1})).outcome == "holds"
    assert gacn_claims.fast(pd.Series({"gacn": 1.0, "lp": 2.0, "nsct": 0.5})).numbers == {"gacn": 1.0, "lp": 2.0, "nsct": 0.5}


def test_the_boundary_is_tested_against_no_smoothing_and_other_bands() -> None:
    smoothing = pd.DataFrame({"qg": [0.7, 0.71]}, index=["none", "paper"])
    bands = pd.DataFrame({"qg": [0.7, 0.71], "qabf": [0.6, 0.65]}, index=["narrow", "printed"])
    assert outcomes(gacn_claims.boundary(smoothing, bands, "printed")) == {"C4.17": "holds", "C4.18": "holds"}
    bands.loc["narrow", "qabf"] = 0.7
    assert outcomes(gacn_claims.boundary(smoothing[::-1], bands, "printed"))["C4.18"] == "does not hold"


def pair_of_halves() -> FocusStack:
    rng = np.random.default_rng(2)
    sharp, flat = rng.integers(0, 256, (40, 48, 3), np.uint8), np.full((40, 48, 3), 128, np.uint8)
    left = np.arange(48)[None, :, None] < 24
    truth = np.broadcast_to(left[..., 0], (40, 48)).astype(np.float32)
    images = np.stack([np.where(left, sharp, flat), np.where(left, flat, sharp)])
    return FocusStack("halves", images, reference=sharp, decision=np.stack([truth, 1 - truth]))


def test_every_stage_is_a_decision_and_finds_the_sharp_half() -> None:
    pair = pair_of_halves()
    for name, decision in decisions.decision_stages(pair, device="cpu").items():
        assert decision.shape == pair.decision.shape, name
        assert np.allclose(decision.sum(0), 1), name
        assert ((decision[0] > 0.5) == (pair.decision[0] > 0.5)).mean() > 0.75, name


def test_scores_and_noise_are_averaged_by_label() -> None:
    pair = pair_of_halves()
    other = replace(pair, name="other", images=pair.images[::-1], decision=pair.decision[::-1])

    def decide(stack: FocusStack) -> dict[str, np.ndarray]:
        return {"true": stack.decision, "first": np.ones(stack.decision.shape[1:])}

    table = decisions.score_and_noise([pair, other], decide, ["mask_accuracy"])
    assert table["mask_accuracy"].to_dict() == {"true": 1.0, "first": 0.5}
    assert table["regions"].to_dict() == {"true": 2.0, "first": 1.0}
    assert table.loc["true", "variation"] == noise(pair.decision[0])["variation"]


def test_bands_change_a_copy_of_the_network_only() -> None:
    network, pair = load_network("gacn", device="cpu"), pair_of_halves()
    before = network.__dict__.keys()
    found = decisions.decisions_by_band(network, pair, {"none": (2.0, 3.0), "paper": (0.1, 0.8), "all": (-1.0, 2.0)})
    assert network.__dict__.keys() == before
    assert network.band == (0.1, 0.8)
    features = [GacnComparer(network).extract(image / np.float32(255)) for image in pair.images]
    assert np.array_equal(found["paper"], GacnComparer(network).decide(*features)[0])
    assert np.array_equal(found["none"], GacnComparer(network, boundary="none").decide(*features)[0])
    assert noise(found["all"])["variation"] < noise(found["none"])["variation"]
