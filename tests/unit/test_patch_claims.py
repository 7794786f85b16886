"""The verdicts on icacs18 and cnnwt from tables whose outcome is known."""

import csv
import itertools
import math
from collections.abc import Collection

import numpy as np
import pandas as pd
import pytest

from mffrepro.report import patch_claims
from mffrepro.report.study_errors import read_errors
from mffrepro.report.trainings import read_study
from mffrepro.training.studies import table_path
from mffrepro.training.studies.patches import PAIRS


@pytest.fixture(autouse=True)
def no_record(monkeypatch) -> None:
    monkeypatch.delenv("MFFREPRO_RECORDS", raising=False)


def table_of(variants: dict[str, dict[str, float]], count: int = 8) -> pd.DataFrame:
    """A measurement of `count` pairs, which differ a little, all variants alike."""
    return pd.DataFrame(
        [
            {"stack": f"pair {i}", "variant": variant} | {name: value + i / 10_000 for name, value in values.items()}
            for variant, values in variants.items()
            for i in range(count)
        ]
    )


def outcomes(verdicts: list) -> dict[str, str]:
    """Return what the samples say, whether or not weights of this project may decide it."""
    return {verdict.claim: "does not hold" if verdict.substituted else verdict.outcome for verdict in verdicts}


def test_leads_on_the_clocks_are_numbers_of_one_training() -> None:
    four = ["en", "ag", "sd", "sf"]
    table = pd.DataFrame([[7.0, 3.0, 40.0, 8.0], [8.0, 2.0, 41.0, 9.0]], index=["dwt", "ours"], columns=four)
    printed = table.rename(index={"ours": "Proposed"})
    verdicts = patch_claims.clocks(table, printed, "ours", 5)
    assert outcomes(verdicts) == dict.fromkeys(("C2.1", "C2.2", "C2.3"), "undecided")
    assert [verdict.untested for verdict in verdicts] == [["en"], ["en"], []]
    assert verdicts[0].parts["sf"]["effect"] == 1
    assert (verdicts[1].weakest, verdicts[1].effect) == ("sd", pytest.approx(1 / 40))
    assert verdicts[1].numbers["en, printed lead"] == pytest.approx(1 / 7)
    assert (verdicts[2].effect, verdicts[2].seeds, verdicts[2].numbers) == (-1, [5], {"printed lead": -1})


def cleanings(one: float, several: float, more: float) -> pd.DataFrame:
    """Twelve pairs, half of them with one region behind: right by 0.9 before, and by `one` or `several` after cleaning."""
    shares = {"pre-decision": 0.9, "as printed": 0.0, "printed and both sides": more}
    table = table_of({name: {"mask_accuracy": share} for name, share in shares.items()}, count=12)
    table.loc[table["variant"] == "pre-decision", "regions behind"] = [1, 3] * 6
    table.loc[table["variant"] == "as printed", "mask_accuracy"] += [one, several] * 6
    return table


def test_cleaning_must_cost_nothing_and_leave_nothing_to_clean() -> None:
    near = "error near the border"
    variants = {name: {near: 5.0} for name in ("dwt", "lp", "nsct", "nsst")}
    variants |= {"pre-decision": {near: 4.0, "|s1 + s2 - 1|": 0.01}, "as printed": {near: 4.0}}
    verdicts = patch_claims.cleaning(table_of(variants), cleanings(0.91, 0.8999, 0.9), 5)
    assert outcomes(verdicts) == {"C2.4": "undecided", "C2.8": "holds", "C2.9": "holds"}
    assert verdicts[0].untested == ["blur told from ghosts"]
    assert verdicts[1].seeds == verdicts[2].seeds == [5]
    several = "printed minus none, several regions behind"
    for cleaned, weakest in ((cleanings(0.91, 0.88, 0.88), several), (cleanings(0.91, 0.91, 0.93), "printed minus more")):
        worse = patch_claims.cleaning(table_of(variants | {"lp": {near: 1.0}}), cleaned, 5)
        assert outcomes(worse)["C2.4"] == "does not hold", "errors under two gray levels are not visible"
        assert (worse[2].outcome, worse[2].substituted, worse[2].weakest) == ("undecided", True, weakest)


def test_whole_images_must_score_as_patches_do_and_be_faster() -> None:
    same, fast = np.full(5, 1e-6), np.full(5, 0.1)
    good, apart = pd.DataFrame({"gap": same, "time": fast}), pd.DataFrame({"gap": np.full(5, 0.3), "time": fast})
    assert patch_claims.whole_images(good, good, 1).outcome == "holds"
    assert patch_claims.whole_images(good, apart, 1).weakest == "zeros"
    assert patch_claims.whole_images(good, apart, 1).substituted
    assert patch_claims.whole_images(good.assign(time=0.9), good, 1).weakest == "time"


KINDS = ("plain", "across a border", "flat", "noisy", *patch_claims.OTHER_BLURS)
BASE = "16x16, three max poolings"
#: What every training of a made study has, unless a row says otherwise.
EQUAL = {f"error, {kind}": 0.0 for kind in KINDS} | {
    "accuracy": 1.0, "accuracy anywhere": 0.99, "accuracy on real": 0.995, "epochs to 99 %": 2.0, "epochs": 12,
    "boundary_f": 0.2, "on grid": 0.2, "en": 7.0,
}  # fmt: skip


def study_of(rows: dict[str, dict[str, float | tuple[float, ...]]], seeds: int = 5) -> pd.DataFrame:
    """A study whose trainings are all alike, but for the values of `rows`: one for all seeds, or some that they take in turn."""
    made = [
        {"network": name, "seed": seed + 1} | EQUAL
        | {key: value[seed % len(value)] if isinstance(value, tuple) else value for key, value in values.items()}
        for seed in reversed(range(seeds))
        for name, values in rows.items()
    ]  # fmt: skip
    return pd.DataFrame(made).set_index("network")


SIZES = {
    BASE: {"error, flat": 0.02, "error, across a border": 0.05, "on grid": 1.0},
    "8x8": {"error, flat": 0.06, "error, across a border": 0.05, "accuracy on real": 0.99},
    "32x32": {"error, flat": 0.0, "error, across a border": 0.15, "boundary_f": 0.1, "accuracy on real": 0.999},
    "two poolings": {"on grid": 0.5},
    "one pooling": {},
    "mean pooling": {"en": 7.1},
}


def changed(rows: dict, name: str, **values: float | tuple[float, ...]) -> dict:
    return rows | {name: rows[name] | {key.replace("_", " ").replace("error ", "error, "): one for key, one in values.items()}}


def test_patch_sizes_and_poolings_as_claimed_hold() -> None:
    study = study_of(SIZES)
    verdicts = patch_claims.patch_sizes(study)
    assert outcomes(verdicts) == {"C2.5": "holds", "C2.6": "holds", "C2.7": "holds"}
    assert list(verdicts[0].parts) == [
        "8 minus 16, flat", "16 minus 32, flat", "16 minus 8, real pairs", "32 minus 16, real pairs",
        "32 minus 16, across a border", "overlap, 16 minus 32",
    ]  # fmt: skip
    assert verdicts[0].seeds == [1, 2, 3, 4, 5]
    assert verdicts[1].parts["three minus one"]["effect"] == pytest.approx(0.8)
    few = outcomes(patch_claims.patch_sizes(study_of(SIZES, seeds=4)))
    assert few == dict.fromkeys(few, "undecided"), "four seeds"


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("8x8", {"error_flat": 0.0}, {"C2.5": "does not hold"}),
        ("8x8", {"error_flat": (0.021, 0.06, 0.1)}, {"C2.5": "undecided"}),
        ("8x8", {"error_flat": 0.025}, {"C2.5": "undecided"}),  # five patches of a thousand may be chance
        ("32x32", {"error_across a border": 0.01}, {"C2.5": "does not hold"}),
        ("32x32", {"accuracy_on_real": 0.995}, {"C2.5": "does not hold"}),
        ("one pooling", {"on_grid": 0.9}, {"C2.6": "does not hold"}),
        ("two poolings", {"on_grid": (0.1, 0.3, 0.5)}, {"C2.6": "undecided"}),
        ("mean pooling", {"en": 6.9}, {"C2.7": "does not hold"}),
        ("mean pooling", {"error_flat": 0.1}, {"C2.7": "does not hold"}),
        ("mean pooling", {"en": (6.9, 7.1, 7.1)}, {"C2.7": "undecided"}),
    ],
)
def test_sizes_and_poolings_that_are_not_as_claimed(name, values, expected) -> None:
    found = outcomes(patch_claims.patch_sizes(study_of(changed(SIZES, name, **values))))
    assert found == {"C2.5": "holds", "C2.6": "holds", "C2.7": "holds"} | expected


LEVELS = {
    "five levels": {},
    "three levels": {"error, plain": 0.05, "accuracy on real": 0.95},
    "half of them real": {},
    "pseudo-siamese": {"epochs to 99 %": 5.0},
    "2-channel": {"epochs to 99 %": np.nan},
}


def test_trainings_of_cnnwt_as_claimed_hold() -> None:
    verdicts = patch_claims.patch_trainings(study_of(LEVELS))
    assert outcomes(verdicts) == dict.fromkeys(["C3.1", "C3.2", "C3.3", "C3.4"], "holds")
    assert verdicts[3].parts["2-channel"]["effect"] == 13 - 2, "one epoch more than there are"
    assert verdicts[0].parts["real"]["effect"] == pytest.approx(0.995)
    assert verdicts[0].parts["blurred"]["effect"] == 1
    assert verdicts[0].parts["blurred"]["low"] == pytest.approx(1000 / (1000 + 1.959964**2)), "Wilson's interval of none in 1000"
    assert verdicts[2].numbers["error, plain, difference"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("five levels", {"error_plain": 0.04}, {"C3.1": "does not hold", "C3.2": "does not hold", "C3.3": "undecided"}),
        ("five levels", {"error_plain": 0.008}, {"C3.1": "undecided", "C3.2": "undecided"}),
        ("half of them real", {"error_plain": 0.003}, {"C3.2": "undecided"}),
        ("half of them real", {"accuracy_on_real": 0.9}, {"C3.2": "does not hold"}),
        ("three levels", {"error_plain": 0.0}, {"C3.3": "does not hold"}),
        ("three levels", {"accuracy_on_real": 0.995}, {"C3.3": "does not hold"}),
        ("five levels", {"accuracy_on_real": 0.98}, {"C3.1": "does not hold", "C3.2": "does not hold"}),
        ("three levels", {"error_plain": (0.0, 0.02, 0.04)}, {"C3.3": "undecided"}),
        ("pseudo-siamese", {"epochs_to 99 %": 1.0}, {"C3.4": "does not hold"}),
        ("pseudo-siamese", {"epochs_to 99 %": (2.0, 3.0, 4.0)}, {"C3.4": "undecided"}),
    ],
)
def test_trainings_of_cnnwt_that_are_not_as_claimed(name, values, expected) -> None:
    found = outcomes(patch_claims.patch_trainings(study_of(changed(LEVELS, name, **values))))
    assert found == dict.fromkeys(["C3.1", "C3.2", "C3.3", "C3.4"], "holds") | expected


def test_a_claim_rests_on_the_seeds_that_all_its_trainings_have() -> None:
    study = study_of(LEVELS)
    ready = study.index.isin(["five levels", "half of them real"])
    study = study[ready | (study["seed"] <= 3)].copy()
    study.loc[(study.index == "five levels") & (study["seed"] > 3), "accuracy on real"] = 0.5  # no seed of "three levels"
    found = {verdict.claim: verdict for verdict in patch_claims.patch_trainings(study)}
    assert {name: len(verdict.seeds) for name, verdict in found.items()} == {"C3.1": 5, "C3.2": 5, "C3.3": 3, "C3.4": 3}
    assert found["C3.3"].outcome == found["C3.4"].outcome == "undecided", "three seeds are too few"
    assert found["C3.3"].parts["real"]["effect"] == pytest.approx(0.995 - 0.95)
    assert found["C3.1"].outcome != "holds"
    assert len(patch_claims.blur_kinds(study).seeds) == 5


@pytest.mark.parametrize(
    ("wrong", "expected"), [(0.01, "holds"), (0.2, "does not hold"), ((0.0, 0.04, 0.08), "undecided"), (0.045, "undecided")]
)
def test_blurs_that_the_training_did_not_have(wrong, expected) -> None:
    verdict = patch_claims.blur_kinds(study_of({"five levels": {"error, disc": wrong}}))
    assert outcomes([verdict]) == {"C3.13": expected}
    assert list(verdict.parts) == ["disc", "sigma 0.5", "sigma 1", "sigma 5", "sigma 7"]
    assert verdict.numbers == {"accuracy on real photographs": pytest.approx(0.995)}


def values(name: str, row: str, column: str, seeds: Collection[int] | None = None) -> list[float]:
    """Read a column of a recorded study, by seed: of all seeds, or of some."""
    with table_path(name).open() as lines:
        found = {int(one["seed"]): float(one[column]) for one in csv.DictReader(lines) if one["network"] == row}
    return [found[seed] for seed in sorted(found) if seeds is None or seed in seeds]


def said(gaps: list[float], threshold: float = 0.0, wrong: tuple[float, ...] = ()) -> str:
    """Decide 'greater' by hand, at the plain 95 % level.

    All draws of the bootstrap are listed, and the interval leaves out a fortieth of them on either side. `wrong` holds the mean
    errors of both trainings on a thousand pairs.
    """
    effect = sum(gaps) / len(gaps)
    draws = sorted(sum(draw) / len(gaps) for draw in itertools.product(gaps, repeat=len(gaps)))
    below, above = effect - draws[len(draws) // 40], draws[-1 - len(draws) // 40] - effect
    if wrong:
        one, other = ((1000 * share + 1) / 1002 for share in wrong)
        half = 1.959964 * math.sqrt((one + other - (one - other) ** 2) / 1002)
        below, above = math.hypot(below, half + effect - (one - other)), math.hypot(above, half - effect + (one - other))
    if len(gaps) < 5:
        return "undecided"
    if abs(effect - threshold) <= max(gaps) - min(gaps) and max(gaps) > min(gaps):
        return "undecided"
    return "holds" if effect - below > threshold else "undecided" if effect + above > threshold else "does not hold"


def apart(name: str, first: str, second: str, column: str) -> str:
    both = set(values(name, first, "seed")) & set(values(name, second, "seed"))
    one, other = values(name, first, column, both), values(name, second, column, both)
    means = (sum(one) / len(one), sum(other) / len(other)) if column.startswith("error") else ()
    return said([a - b for a, b in zip(one, other, strict=True)], wrong=means)


def test_the_recorded_sizes_and_poolings_are_judged_as_by_hand() -> None:
    verdicts = {one.claim: one for one in patch_claims.patch_sizes(read_study("icacs18"))}
    by_hand = {
        "8 minus 16, flat": apart("icacs18", "8x8", BASE, "error, flat"),
        "8 minus 16, noisy": apart("icacs18", "8x8", BASE, "error, noisy"),
        "16 minus 32, noisy": apart("icacs18", BASE, "32x32", "error, noisy"),
        "16 minus 8, real pairs": apart("icacs18", BASE, "8x8", "accuracy on real"),
        "32 minus 16, real pairs": apart("icacs18", "32x32", BASE, "accuracy on real"),
        "32 minus 16, across a border": apart("icacs18", "32x32", BASE, "error, across a border"),
        "overlap, 16 minus 32": apart("icacs18", BASE, "32x32", "boundary_f"),
    }
    assert list(by_hand.values()) == ["undecided", "undecided", "undecided", "undecided", "undecided", "holds", "undecided"]
    assert list(verdicts["C2.5"].parts) == list(by_hand)
    assert verdicts["C2.5"].outcome == "undecided"
    two, three = (apart("icacs18", row, "one pooling", "on grid") for row in ("two poolings", BASE))
    assert two == three == verdicts["C2.6"].outcome == "holds"
    assert apart("icacs18", "mean pooling", BASE, "en") == "undecided"
    assert apart("icacs18", BASE, "mean pooling", "error, flat") == "does not hold"
    assert outcomes([verdicts["C2.7"]]) == {"C2.7": "does not hold"}
    assert verdicts["C2.7"].outcome == "undecided", "weights of this project"


def test_the_recorded_trainings_of_cnnwt_are_judged_as_by_hand() -> None:
    study = read_study("cnn_fuse")
    found = outcomes([*patch_claims.patch_trainings(study), patch_claims.blur_kinds(study)])
    base, mixed, few = "five levels", "half of them real", "three levels"
    wrong = {row: values("cnn_fuse", row, "error, plain") for row in (base, mixed, few)}
    assert set(map(sum, wrong.values())) == {0}, "no plain pair is wrong, so the intervals below have closed forms"
    enough = {row: len(values("cnn_fuse", row, "seed")) >= 5 for row in study.index.unique()}
    assert found["C3.1"] == "holds", "Wilson's interval of none in 1000 begins at 0.996"
    half = 1.959964 * math.sqrt(2 / 1002) / math.sqrt(1002)
    real = [a - b for a, b in zip(*(values("cnn_fuse", row, "accuracy on real") for row in (mixed, base)), strict=True)]
    near = max(half, *map(abs, real)) <= 0.005 and 0.005 - abs(sum(real) / len(real)) > max(real) - min(real)
    assert (found["C3.2"] == "holds") == near
    assert found["C3.3"] == ("does not hold" if enough[few] else "undecided")
    waits = {kind: apart("cnn_fuse", kind, base, "epochs to 99 %") for kind in ("pseudo-siamese", "2-channel")}
    assert waits == {"pseudo-siamese": "undecided", "2-channel": "holds" if enough["2-channel"] else "undecided"}
    assert found["C3.4"] == "undecided"
    worst = max(max(values("cnn_fuse", base, f"error, {kind}")) for kind in patch_claims.OTHER_BLURS)
    assert worst + 0.0055 < 0.05, "half of a percent more is what the patches add"
    assert found["C3.13"] == "holds"


@pytest.mark.parametrize("name", ["icacs18", "cnn_fuse", "cnnwt"])
def test_the_recorded_errors_are_of_as_many_pairs_as_the_verdicts_assume(name) -> None:
    assert set(read_errors(name)["answers"]) == {2 * PAIRS}


LAYERS = {f"conv {i}": {"likeness": value} for i, value in ((1, 0.2), (2, 0.3), (3, 0.6))}
PLACES = {"plain": {"|M - 0.5|": 0.05, "right": 0.97}, "detailed": {"|M - 0.5|": 0.48, "right": 0.99}}


def steps(error: float, rms: float) -> dict[str, dict[str, float]]:
    """Three steps after the focus map; the guided filter changes errors of 5 and 9 to those given."""
    names = ("mask_accuracy", "psnr", "qabf", "error near the border", "rms near the border")
    values = {
        "threshold alone": (0.8, 30, 0.7, 5, 9),
        "no small regions": (0.9, 31, 0.7, 5, 9),
        "filtered": (0.9, 32, 0.7, error, rms),
    }
    return {name: dict(zip(names, one, strict=True)) for name, one in values.items()}


def test_focus_maps_by_layer_texture_and_step() -> None:
    verdicts = patch_claims.focus_maps(table_of(PLACES | steps(4, 8)), table_of(LAYERS), 1)
    wanted = dict.fromkeys(("C3.6", "C3.7", "C3.8", "C3.9"), "holds")
    assert outcomes(verdicts) == {"C3.5": "undecided"} | wanted, "half of C3.5 is not tested"
    assert verdicts[0].parts["third minus second"]["effect"] == pytest.approx(0.3)
    assert all(verdict.seeds == [1] for verdict in verdicts)
    sure = table_of(PLACES | {"plain": {"|M - 0.5|": 0.4, "right": 0.9}} | steps(6, 8))
    again = patch_claims.focus_maps(sure, table_of(LAYERS), 1)
    assert [verdict.claim for verdict in again if verdict.substituted] == ["C3.6", "C3.7", "C3.9"]
    assert again[4].weakest == "mean error", "both errors count"


def test_only_maps_with_small_regions_say_what_their_removal_does() -> None:
    table = table_of(PLACES | steps(4, 8))
    removal = (table["variant"] == "no small regions") & ~table["stack"].isin([f"pair {i}" for i in range(6)])
    table.loc[removal, "mask_accuracy"] -= 0.1
    found = patch_claims.small_regions(table.round(6), 1)
    assert (found.images, found.effect) == (6, pytest.approx(0.1))
    assert "6 of 8 maps" in found.note
    none = table.assign(mask_accuracy=0.9)
    assert patch_claims.small_regions(none, 1).outcome == "cannot be tested"


def test_sub_bands_are_compared_pair_by_pair() -> None:
    scores = {"cnnwt": 0.7, "cnn_fuse": 0.8, "dwt": 0.6, "lp": 0.5, "rp": 0.55}
    rows = pd.DataFrame(
        [
            {"stack": f"pair {i}", "method": method, "metric": metric, "value": value + i / 100}
            for method, value in scores.items()
            for metric in patch_claims.METRICS
            for i in range(6)
        ]
    )
    rules = pd.concat([scores_of(value).assign(variant=name) for name, value in (("1 level", 0.5), ("4 levels", 0.6))])
    verdicts = patch_claims.sub_bands(rows, rules, by_seed(0.75), by_seed(0.8), ["lp", "rp"])
    assert outcomes(verdicts) == {"C3.11": "holds", "C3.12": "holds"}
    assert verdicts[0].seeds == [1, 2, 3, 4, 5]
    assert verdicts[0].parts["qabf, 4 levels"]["effect"] == pytest.approx(0.15)
    assert verdicts[0].parts["qabf, 1 level"]["effect"] == pytest.approx(0.25)
    said = {"qabf minus that on pixels": -0.05, "qabf, networks that decide, 4 levels": 0.1}
    assert {name: verdicts[0].numbers[name] for name in said} == pytest.approx(said)
    assert verdicts[1].effect == pytest.approx(0.5)
    unlike = by_seed(0.61) | {3: scores_of(0.5)}
    assert outcomes(patch_claims.sub_bands(rows, rules, unlike, by_seed(0.8), ["lp"]))["C3.11"] == "undecided"
    worse = rows.assign(value=np.where(rows["method"] == "dwt", 0.0, rows["value"]))
    verdicts = patch_claims.sub_bands(worse, rules, by_seed(0.75), by_seed(0.8), ["lp", "rp"])
    assert outcomes(verdicts)["C3.12"] == "does not hold"


def scores_of(value: float) -> pd.DataFrame:
    """Scores of a training as the study records them, a little higher from pair to pair."""
    pairs = pd.DataFrame({"stack": [f"pair {i}" for i in range(6)], "data": "real"})
    return pairs.assign(**{name: value + np.arange(6) / 100 for name in patch_claims.METRICS})


def by_seed(value: float) -> dict[int, pd.DataFrame]:
    return {seed: scores_of(value) for seed in range(1, 6)}
