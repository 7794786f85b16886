"""The verdicts on icacs18 and cnnwt from tables whose outcome is known."""

import numpy as np
import pandas as pd
import pytest

from mffrepro.report import patch_claims
from mffrepro.report.trainings import read_study


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


def cleanings(printed: float, more: float) -> pd.DataFrame:
    shares = {"pre-decision": 0.9, "as printed": printed, "printed and both sides": more}
    return table_of({name: {"mask_accuracy": share} for name, share in shares.items()})


def test_cleaning_must_help_and_leave_nothing_to_clean() -> None:
    near = "error near the border"
    variants = {name: {near: 5.0} for name in ("dwt", "lp", "nsct", "nsst")}
    variants |= {"pre-decision": {near: 4.0, "|s1 + s2 - 1|": 0.01}, "as printed": {near: 4.0}}
    verdicts = patch_claims.cleaning(table_of(variants), cleanings(0.91, 0.9105), 5)
    assert outcomes(verdicts) == {"C2.4": "undecided", "C2.8": "holds", "C2.9": "holds"}
    assert verdicts[0].untested == ["blur told from ghosts"]
    assert verdicts[1].seeds == verdicts[2].seeds == [5]
    for cleaned in (cleanings(0.89, 0.89), cleanings(0.91, 0.93)):
        worse = patch_claims.cleaning(table_of(variants | {"lp": {near: 1.0}}), cleaned, 5)
        assert outcomes(worse)["C2.4"] == "does not hold", "errors under two gray levels are not visible"
        assert (worse[2].outcome, worse[2].substituted) == ("undecided", True)


def test_whole_images_must_score_as_patches_do_and_be_faster() -> None:
    same, fast = np.full(5, 1e-6), np.full(5, 0.1)
    good, apart = pd.DataFrame({"gap": same, "time": fast}), pd.DataFrame({"gap": np.full(5, 0.3), "time": fast})
    assert patch_claims.whole_images(good, good, 1).outcome == "holds"
    assert patch_claims.whole_images(good, apart, 1).weakest == "zeros"
    assert patch_claims.whole_images(good, apart, 1).substituted
    assert patch_claims.whole_images(good.assign(time=0.9), good, 1).weakest == "time"


def test_recorded_single_trainings_never_decide() -> None:
    study = read_study("icacs18")
    verdicts = patch_claims.patch_sizes(study)
    assert verdicts[0].parts["accuracy, 32 minus 16"]["effect"] == pytest.approx(0.991943 - 1)
    assert verdicts[2].effect == pytest.approx(7.1633 - 7.1641), "IE"
    blurs = table_of({"the five levels": {"accuracy": 0.9975}, "disc 1": {"accuracy": 0.97}})
    verdicts += [*patch_claims.patch_trainings(read_study("cnn_fuse"), blurs, 1), patch_claims.blur_kinds(blurs, 0.99, 1)]
    claims = ["C2.5", "C2.6", "C2.7", "C3.1", "C3.2", "C3.3", "C3.4", "C3.13"]
    assert outcomes(verdicts) == dict.fromkeys(claims, "undecided")
    assert verdicts[6].effect == 7, "epochs that were waited for at least"
    assert verdicts[7].numbers == {"accuracy on real photographs, small network": 0.99}


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
            for metric in patch_claims.WITH_SOURCES
            for i in range(6)
        ]
    )
    verdicts = patch_claims.sub_bands(rows, ["lp", "rp"], 1)
    assert outcomes(verdicts) == {"C3.11": "holds", "C3.12": "holds"}
    assert verdicts[0].numbers["qabf minus that of cnn_fuse"] == pytest.approx(-0.1)
    assert verdicts[1].effect == pytest.approx(0.5)
    worse = patch_claims.sub_bands(rows.assign(value=np.where(rows["method"] == "dwt", 0.0, rows["value"])), ["lp", "rp"], 1)
    assert outcomes(worse)["C3.12"] == "does not hold"
