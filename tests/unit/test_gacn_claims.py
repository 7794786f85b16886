"""The verdicts on GACN from tables whose outcome is known, and the tables behind them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mffrepro.benchmarks import decisions, measurements, strategies
from mffrepro.images import FocusStack, to_gray, to_unit
from mffrepro.methods import load_network
from mffrepro.models.gacn import GacnComparer, ranking
from mffrepro.report import gacn26, gacn_claims
from mffrepro.training.studies.gacn_losses import COMBINATIONS
from mffrepro.training.studies.gacn_scores import noise

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
    """Return what the samples say, whether or not weights of this project may decide it."""
    return {verdict.claim: "does not hold" if verdict.substituted else verdict.outcome for verdict in verdicts}


# ------------------------------------------------------------------------------------------------- the 26 pairs


def test_the_names_of_the_metrics_are_the_paper_s() -> None:
    assert SIX == ["qg", "qy", "qncie", "qcb", "fmi_edge", "fmi_dct"]
    rows = pd.DataFrame({"metric": ["qy.gacn", "qg", "qg"], "value": [1.0, 2.0, np.nan]})
    assert gacn26.as_printed(rows)["metric"].tolist() == ["qy", "qg"]


def test_recorded_scores_of_all_methods_are_found() -> None:
    rows = gacn26.scores()
    assert set(rows["metric"]) == set(SIX)
    assert rows.groupby("method")["stack"].nunique()["mff_ssim"] == 26, "a method without weights is recorded too"


def test_table_1_stands_beside_ours_with_the_authors_weights_first() -> None:
    rows = rows_of({"gacn": [0.5] * 6, "lp": [0.4] * 6, "gacn.published": [0.6] * 6}).assign(seconds=2.0)
    shown = gacn26.table1(rows)
    assert shown.data.index.tolist()[0] == "gacn.published"
    assert set(shown.data.index) == {"gacn.published", "lp", "gacn"}
    assert shown.data.loc["gacn.published", ("qg", "reported")] == 0.7169
    assert shown.data.loc["gacn.published", ("qg", "difference")] == pytest.approx(0.6 - 0.7169)
    assert "on 2 of 26 pairs" in shown.caption


def test_pairs_stand_beside_the_authors_own_scores() -> None:
    rows = rows_of({"lp": [0.5] * 6}).assign(stack=lambda rows: rows["stack"].replace({"one": "lytro_01", "two": "lytro_02"}))
    table = gacn26.pair_scores(rows, ["lp"], {"cnn_fuse": "cnn, authors"}, ["qg"])["qg"]
    assert list(table.columns) == ["lp", "cnn, authors"]
    assert table.loc["lytro_01", "cnn, authors"] == 0.7193004512
    assert list(table.index) == ["lytro_01", "lytro_02"]


def test_places_are_those_of_the_means_of_methods_with_all_scores() -> None:
    rows = rows_of({"gacn.published": [3, 1, 2, 2, 2, 2], "lp": [2, 2, 1, 3, 1, 1], "dwt": [1, 3, 3, 1, 3, 3]})
    lost = rows[~((rows["method"] == "dwt") & (rows["stack"] == "two"))]
    found, compared = gacn26.places(rows, "gacn.published")
    assert found == dict(zip(SIX, (1, 3, 2, 2, 2, 2), strict=True))
    assert compared == "3 methods on 2 pairs"
    without = rows[~((rows["method"] == "dwt") & (rows["metric"] == "qy"))]
    for some in (lost, without):  # a pair or a metric of one method is missing: it is left out, on all pairs
        found, compared = gacn26.places(some, "gacn.published")
        assert found == dict(zip(SIX, (1, 2, 1, 2, 1, 1), strict=True))
        assert compared == "2 methods on 2 pairs"
    assert gacn26.places(rows, "sesf") == ({}, "")


def test_every_method_of_the_record_has_all_six_scores_of_each_pair() -> None:
    table = gacn26.scores().pivot(index=["stack", "metric"], columns="method", values="value")
    assert len(table) == 26 * len(SIX)
    assert not table.isna().any(axis=None)


def table_of(variants: dict[str, dict[str, float]], count: int = 8) -> pd.DataFrame:
    """A measurement of `count` pairs, which differ a little, all variants alike."""
    return pd.DataFrame(
        [
            {"stack": f"pair {i}", "variant": variant} | {name: value + i / 1000 for name, value in values.items()}
            for variant, values in variants.items()
            for i in range(count)
        ]
    )


def test_the_lead_is_that_over_the_rivals_of_the_paper(monkeypatch) -> None:
    rows = gacn26.scores()
    maps = measurements.recorded("gacn_maps")
    rivals = gacn26.rivals_as_printed(rows, maps)["qg"]
    assert list(rivals.index) == sorted(rows["stack"].unique())
    assert rivals["LP"].mean() == pytest.approx(0.6834, abs=5e-5), "as printed"
    assert len(rivals.columns) == 18, "without MFF-SSIM, DRPL and FusionDN"
    verdict = gacn_claims.leads(rows, maps)
    assert verdict.scenes == "own"
    assert verdict.images == 26
    better = rows.assign(value=rows["value"] + (rows["method"] == "gacn.published"))
    assert gacn_claims.leads(better, maps).outcome == "holds"
    assert gacn_claims.leads(rows[rows["method"] == "lp"], maps).outcome == "cannot be tested"


def test_the_best_rival_is_the_one_with_the_best_mean() -> None:
    scores = np.array([[1.0, 0.0, 0.7, 0.9, 2.0], [1.0, 1.0, 0.5, 0.9, 2.0]])
    assert gacn_claims.lead_over_third(scores) == pytest.approx(0.4), "0.6 is the third of 2.0, 0.9, 0.6 and 0.5"
    one = np.column_stack([scores[:, 0], np.repeat(scores[:, 1:], 3, axis=1)])
    assert gacn_claims.lead_over_third(one) == pytest.approx(-1), "three times the best rival"


def test_a_metric_is_won_beyond_its_noise() -> None:
    assert gacn_claims.won(np.array([[1.0, -1.0, 0.0, 5.0], [1.1, 0.5, 0.0, -4.0], [0.9, 0.2, 0.0, 0.1]])) == 1


def test_networks_are_compared_by_what_they_compute_and_by_their_time() -> None:
    scores = {"gacn.published": [0.8] * 6, "sesf.published": [0.7] * 6, "ifcnn.published": [0.6] * 6, "lp": [0.9] * 6}
    parts = [rows_of(scores).replace({"one": f"a{i}", "two": f"b{i}"}) for i in range(3)]
    rows = pd.concat(parts, ignore_index=True)
    rows["seconds"] = rows["method"].map({"gacn.published": 2.0, "sesf.published": 3.0, "ifcnn.published": 1.0, "lp": 0.1})
    found = gacn_claims.outputs(rows)
    assert (found.outcome, found.effect) == ("holds", pytest.approx(0.15))
    assert "with a map: gacn.published, sesf.published" in found.note
    assert "lp" not in found.note, "the classical method is left out"
    found = gacn_claims.fast(rows)
    assert (found.outcome, found.numbers["sesf.published"]) == ("cannot be tested", 3.0)
    assert "lp" not in found.numbers


def test_the_metric_that_loses_most_is_found() -> None:
    sharp = dict.fromkeys(SIX, 2.0)
    most = table_of({"0": sharp, "1": sharp, "5": sharp | {"qg": 0.5}})
    assert gacn_claims.blur(most).outcome == "holds"
    less = table_of({"0": sharp, "1": sharp, "5": sharp | {"qg": 0.5, "qcb": 0.25}})
    assert (gacn_claims.blur(less).outcome, gacn_claims.blur(less).weakest) == ("does not hold", "Q_g minus qcb")


def test_the_gap_at_the_steepness_of_the_paper_counts() -> None:
    gaps = {"10": {"gap": 0.3}, "1000": {"gap": 0.0}}
    table = table_of(gaps).assign(gap=lambda rows: rows["gap"].where(rows["variant"] == "10", 1e-5))
    assert gacn_claims.steepness(table).outcome == "holds"
    assert gacn_claims.steepness(table.assign(gap=0.1)).outcome == "does not hold"


# --------------------------------------------------------------------------------------------------- trainings


def study_of(seeds: int, **better: float) -> dict[str, dict[int, pd.DataFrame]]:
    """Scores of five pairs by combination and seed: all alike, but for what some have more of; and a little of their seed."""

    def scores(name: str, seed: int) -> pd.DataFrame:
        each = better.get(name, 0.0) + 0.001 * seed + np.arange(5.0)
        return pd.DataFrame({"stack": [f"pair {i}" for i in range(5)]} | dict.fromkeys(SIX, each))

    return {name: {seed: scores(name, seed) for seed in range(1, seeds + 1)} for name in COMBINATIONS}


def test_losses_are_compared_pair_by_pair_and_seed_by_seed() -> None:
    verdicts = gacn_claims.losses(study_of(5, **{"dice + qg": 1.0, "dice": 0.5}))
    assert outcomes(verdicts) == dict.fromkeys(("C4.3", "C4.4", "C4.5"), "holds")
    assert len(verdicts[0].parts) == 11
    assert verdicts[0].parts["dice + qg against dice + st"]["effect"] == 6
    assert list(verdicts[1].parts) == [
        "dice against focal", "dice + qg against focal + qg", "dice against bce", "dice + qg against bce + qg",
    ]  # fmt: skip
    worse = gacn_claims.losses(study_of(5, **{"dice + st": 1.0}))
    assert worse[2].parts["dice + qg against dice + st"]["effect"] == 0
    assert worse[2].outcome == "undecided", "the weights are ours, which refute nothing"
    assert worse[2].substituted


def test_one_training_of_losses_never_decides() -> None:
    verdicts = gacn_claims.losses(study_of(1, **{"dice + qg": 1.0, "dice": 0.5}))
    assert outcomes(verdicts) == dict.fromkeys(("C4.3", "C4.4", "C4.5"), "undecided")


def test_choices_of_the_recipe_are_compared_pair_by_pair_beside_the_spread_of_seeds() -> None:
    rows = [("", 1, 0.5, 10), ("", 2, 0.9, 14), ("gradient_loss=none", 1, 0.5, 12), ("angle=smooth", 1, 0.6, 10)]
    rows += [("defocus=mask", 1, 0.4, 10), ("attention=False", 1, 0.4, 10)]
    pairs, choices = np.arange(6.0), {}
    for changed, seed, q, r in rows:
        table = dict.fromkeys(SIX, q + pairs) | {"stack": [f"pair {i:.0f}" for i in pairs], "regions": r + pairs, "variation": r}
        choices.setdefault(changed, {})[seed] = pd.DataFrame(table)
    verdicts = gacn_claims.trainings(choices)
    assert outcomes(verdicts) == dict.fromkeys(("C4.2", "C4.7", "C4.20", "C4.21"), "undecided")
    assert verdicts[0].parts["regions"]["effect"] == -2
    assert verdicts[0].numbers["regions, range over 2 seeds with Q_g"] == 4
    assert verdicts[1].effect == 0, "metrics won"
    assert verdicts[1].numbers["qg"] == pytest.approx(-0.1)
    assert verdicts[2].effect == 6
    choices["attention=False"] |= {seed: choices["attention=False"][1] for seed in (2, 3, 4, 5)}
    choices[""] |= {seed: choices[""][1] for seed in (3, 4, 5)}
    assert gacn_claims.trainings(choices)[3].outcome == "holds", "five seeds decide"


# ------------------------------------------------------------------------------------------------- many images


def test_calibration_is_tested_by_time_calls_and_quality() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 24, 30), np.uint8)
    stack = FocusStack("random", images, reference=images.mean(0).astype(np.uint8))
    comparer = GacnComparer(load_network("gacn.random", device="cpu"))
    attempts = strategies.compare_strategies(stack, {"gacn": comparer}, repeats=1)
    timed = strategies.saved_runs(stack, {"gacn": comparer}, runs=3)
    assert timed["gacn"].shape == (3,)
    assert (timed["gacn"] < 1).all()
    saved = {"gacn": np.full(5, 0.4), "sesf": np.full(5, 0.1), "cnn_fuse": np.full(5, 0.1)}
    scores = table_of({"serial": {"qg": 0.7, "psnr": 30.0}, "calibration": {"qg": 0.705, "psnr": 29.5}})
    verdicts = gacn_claims.many_images(saved, attempts, scores, 0.15, "4 images")
    assert outcomes(verdicts) == dict.fromkeys(("C4.8", "C4.9", "C4.10", "C4.11"), "holds")
    assert verdicts[0].numbers == pytest.approx({"measured on this stack": 0.4, "predicted for it": 0.15})
    assert verdicts[0].effect == pytest.approx(0.6), "four images: calibration saves two thirds of what it saves of very many"
    assert verdicts[2].numbers["calls, serial"] == "(6, 3)"
    saved |= {"gacn": np.full(5, 0.19), "sesf": np.full(5, -0.1)}
    scores.loc[scores["variant"] == "calibration", "psnr"] -= 5
    again = gacn_claims.many_images(saved, attempts, scores, 0.15, "4 images")
    assert outcomes(again) == {"C4.8": "does not hold", "C4.9": "does not hold", "C4.10": "holds", "C4.11": "does not hold"}
    assert (again[3].weakest, again[3].thresholds) == ("PSNR", {"Q_g": 0.01})
    scores.loc[scores["variant"] == "calibration", ["psnr", "qg"]] += [5, -0.1]
    assert gacn_claims.many_images(saved, attempts, scores, 0.15, "4 images")[3].weakest == "Q_g"


def test_the_choice_by_eq_19_follows_the_slope() -> None:
    """Beside the volume of Eq. 19, written out for maps of the same logits."""
    images = np.random.default_rng(0).integers(0, 256, (4, 24, 30), np.uint8)
    comparer = GacnComparer(load_network("gacn.default", device="cpu"))
    features = [comparer.extract(to_unit(image)) for image in images]
    logits = np.stack([comparer.decide(features[0], other)[1] for other in features[1:]])
    chosen = strategies.choices(images, comparer, [0.1, 1000])
    for slope, numbers in chosen.items():
        p = 1 / (1 + np.exp(-np.clip(slope * logits.astype(float), -600, 600)))
        volume = np.stack([p[0], 1 - p[0], *(p[0] * (1 - one) / (one + 1e-4) for one in p[1:])])
        assert (numbers["Eq. 19"] == volume.argmax(0) + 1).mean() > 0.99  # single precision breaks ties
    _, shares = ranking.rank(list(images), GacnComparer(comparer.network, boundary="none"))
    assert np.array_equal(chosen[0.1]["ranking"], shares.main + 1)
    assert (chosen[0.1]["Eq. 19"] != chosen[1000]["Eq. 19"]).mean() > 0.05


# ------------------------------------------------------------------------------------------------------- maps


def test_cleaning_is_tested_by_what_it_adds() -> None:
    names = [f"{name}, {stage}" for name in ("sesf", "cnn_fuse") for stage in ("raw", "cleaned")]
    names += ["sesf, as published", "gacn, initial", "gacn, final", "gacn, final without islands"]
    same = {name: dict.fromkeys(SIX, 0.7) | {"regions": 2.0} for name in names}
    verdicts = gacn_claims.post_processing(table_of(same))
    assert outcomes(verdicts) == {"C4.13": "does not hold", "C4.14": "holds"}
    assert verdicts[0].weights == verdicts[1].weights == "paper"
    more = dict.fromkeys(SIX, 0.8) | {"regions": 2.0}
    better = same | dict.fromkeys(("sesf, as published", "gacn, final without islands"), more)
    assert outcomes(gacn_claims.post_processing(table_of(better))) == {"C4.13": "holds", "C4.14": "does not hold"}
    for ours in ("cnn_fuse, cleaned", "sesf, cleaned"):
        found = outcomes(gacn_claims.post_processing(table_of(same | {ours: more})))
        assert found["C4.13"] == "does not hold", "only the filter of SESF-Fuse's authors decides"
    noisy = gacn_claims.post_processing(table_of(same | {"gacn, final": dict.fromkeys(SIX, 0.7) | {"regions": 9.0}}))[1]
    assert (noisy.outcome, noisy.weakest, noisy.effect) == ("does not hold", "islands", pytest.approx(7))


def test_residue_is_what_decoders_leave_more_than_gacn() -> None:
    table = table_of({"gacn.published": {"residue": 0.1}, "ifcnn.published": {"residue": 2.0}})
    assert gacn_claims.residue(table).outcome == "holds"
    clean = table_of({"gacn.published": {"residue": 0.1}, "x.published": {"residue": 0.2}, "ours": {"residue": 9.0}})
    found = gacn_claims.residue(clean)
    assert (found.outcome, list(found.parts)) == ("does not hold", ["x.published"])
    assert "ours" in found.numbers


def test_the_boundary_is_tested_where_it_is_smoothed() -> None:
    initial = {"qg near": 0.7, "qabf near": 0.7, "variation near": 0.2}
    better = {"qg near": 0.71, "qabf near": 0.71, "variation near": 0.1}
    found = gacn_claims.boundary(table_of({"initial": initial, "final": better}))
    assert (found.outcome, list(found.parts)) == ("holds", ["qg near", "qabf near"])
    assert found.numbers["roughness of the map"] == pytest.approx(-0.1)
    assert gacn_claims.boundary(table_of({"initial": better, "final": initial})).outcome == "does not hold"


def bands_of(trainings: list[str], **changed: dict[str, float]) -> pd.DataFrame:
    """The printed band with more detail than wider ones, in a smoother map than that of thinner ones."""
    values = {"qg": 0.7, "qg near": 0.7, "variation near": 0.1}
    kinds = dict.fromkeys(("0.01 to 0.99", "0.001 to 0.999"), values | {"qg near": 0.6})
    kinds |= dict.fromkeys(("0.3 to 0.7", "0.45 to 0.55"), values | {"variation near": 0.2})
    kinds |= {"0.1 to 0.8 (paper)": values, "none": values} | changed
    return table_of({f"{band}, {name}": one for band, one in kinds.items() for name in trainings})


def test_the_printed_band_must_keep_detail_and_be_smooth_in_five_trainings(monkeypatch) -> None:
    five, sharp = ["default", *(f"seed{n}" for n in (2, 3, 4, 5))], {"qg": 0.7, "qg near": 0.8, "variation near": 0.1}
    assert gacn_claims.band_width(bands_of(five)).outcome == "undecided", "three of them have a record"
    monkeypatch.setattr(gacn_claims, "SEEDS", five)
    found = gacn_claims.band_width(bands_of(five))
    assert (found.outcome, len(found.parts), found.seeds) == ("holds", 4, [1, 2, 3, 4, 5])
    wide = gacn_claims.band_width(bands_of(five, **{"0.01 to 0.99": sharp}))
    assert (wide.weakest, wide.substituted) == ("detail, against 0.01 to 0.99", True)
    rough = gacn_claims.band_width(bands_of(five, **{"0.3 to 0.7": sharp | {"variation near": 0.05}}))
    assert rough.weakest == "smoothness, against 0.3 to 0.7"
    assert gacn_claims.band_width(bands_of(five[:3])).outcome == "undecided"


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


def test_the_steps_of_a_decision_are_those_of_the_network() -> None:
    network, pair = load_network("gacn", device="cpu"), pair_of_halves()
    steps = decisions.gacn_steps(pair, network)
    grays = [torch.from_numpy(to_gray(to_unit(image)))[None, None] for image in pair.images]
    with torch.inference_mode():
        maps = network(*grays)
        activity = network.extract(grays[0]) - network.extract(grays[1])
    for found, expected in zip(steps, (activity.mean(1)[0], *(one[0, 0] for one in maps[:3])), strict=True):
        assert np.allclose(found, expected.numpy().reshape(40, 48), atol=1e-4)
    assert ((steps.activity > 0) == (pair.decision[0] > 0.5)).mean() > 0.75


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
