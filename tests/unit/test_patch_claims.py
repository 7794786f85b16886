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


def test_the_clocks_are_compared_with_the_best_rival() -> None:
    four = ["en", "ag", "sd", "sf"]
    table = pd.DataFrame([[7.0, 3.0, 40.0, 8.0], [8.0, 2.0, 41.0, 9.0]], index=["dwt", "ours"], columns=four)
    printed = table.rename(index={"ours": "Proposed"})
    verdicts = patch_claims.clocks(table, printed, "ours")
    assert outcomes(verdicts) == {"C2.1": "holds", "C2.2": "does not hold", "C2.3": "does not hold"}
    assert (verdicts[1].weakest, verdicts[1].effect) == ("sd", pytest.approx(1 / 40))
    assert verdicts[2].numbers == {"printed lead": -1}


def test_cleaning_and_borders() -> None:
    near = "error near the border"
    variants = {name: {near: 5.0} for name in ("dwt", "lp", "nsct", "nsst")}
    variants |= {"pre-decision": {near: 4.0, "mask_accuracy": 0.9, "|s1 + s2 - 1|": 0.01}}
    good = variants | {"as printed": {near: 4.0, "mask_accuracy": 0.9}}
    assert outcomes(patch_claims.cleaning(table_of(good))) == dict.fromkeys(("C2.4", "C2.8", "C2.9"), "holds")
    bad = variants | {"as printed": {near: 6.0, "mask_accuracy": 0.8}}
    assert outcomes(patch_claims.cleaning(table_of(bad))) == {"C2.4": "does not hold", "C2.8": "holds", "C2.9": "does not hold"}


def test_recorded_single_trainings_never_decide() -> None:
    verdicts = patch_claims.patch_sizes(read_study("icacs18"))
    blurs = table_of({"the five levels": {"accuracy": 0.99}, "disc 1": {"accuracy": 0.97}})
    verdicts += patch_claims.patch_trainings(read_study("cnn_fuse"), blurs, 1)
    assert outcomes(verdicts) == dict.fromkeys(["C2.5", "C2.6", "C2.7", "C3.1", "C3.2", "C3.3", "C3.4"], "undecided")
    assert verdicts[-1].effect == 7, "epochs that were waited for at least"


def test_focus_maps_by_layer_texture_and_step() -> None:
    layers = {f"conv {i}": {"likeness": value} for i, value in ((1, 0.2), (2, 0.3), (3, 0.6))}
    places = {"plain": {"|M - 0.5|": 0.05, "right": 0.97}, "detailed": {"|M - 0.5|": 0.48, "right": 0.99}}
    names = ("mask_accuracy", "psnr", "qabf", "error near the border", "rms near the border")
    steps = {
        "threshold alone": dict(zip(names, (0.8, 30, 0.7, 5, 9), strict=True)),
        "no small regions": dict(zip(names, (0.9, 31, 0.7, 5, 9), strict=True)),
        "filtered": dict(zip(names, (0.9, 32, 0.7, 6, 8), strict=True)),
    }
    verdicts = patch_claims.focus_maps(table_of(layers | places | steps))
    assert outcomes(verdicts) == dict.fromkeys(("C3.5", "C3.6", "C3.7", "C3.8", "C3.9"), "holds")
    sure = table_of(layers | places | {"plain": {"|M - 0.5|": 0.4, "right": 0.9}} | steps)
    again = outcomes(patch_claims.focus_maps(sure))
    assert (again["C3.6"], again["C3.7"]) == ("does not hold", "does not hold")


def test_each_blur_must_be_recognised() -> None:
    kinds = {"the five levels": {"accuracy": 0.9}, "disc 1": {"accuracy": 0.97}, "disc 2": {"accuracy": 0.99}}
    assert patch_claims.blur_kinds(table_of(kinds)).outcome == "holds"
    assert patch_claims.blur_kinds(table_of(kinds | {"disc 2": {"accuracy": 0.9}})).weakest == "disc 2"


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
    verdicts = patch_claims.sub_bands(rows, ["lp", "rp"])
    assert outcomes(verdicts) == {"C3.11": "holds", "C3.12": "holds"}
    assert verdicts[0].numbers["qabf minus that of cnn_fuse"] == pytest.approx(-0.1)
    assert verdicts[1].effect == pytest.approx(0.5)
    worse = patch_claims.sub_bands(rows.assign(value=np.where(rows["method"] == "dwt", 0.0, rows["value"])), ["lp", "rp"])
    assert outcomes(worse)["C3.12"] == "does not hold"
