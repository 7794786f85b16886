"""The rules by which the leaderboard leaves out methods and chooses its ranking metrics."""

import numpy as np
import pandas as pd
import pytest

import mffrepro as mff
from mffrepro.benchmarks import every_method
from mffrepro.data import manifests
from mffrepro.report import leaderboard, ranks


def test_slow_methods_and_missing_weights_are_left_out_with_the_reason(monkeypatch):
    monkeypatch.setattr(leaderboard.data, "verify", lambda kind: {"gacn.published": "missing", "sesf.published": "ok"})
    left = leaderboard.left_out(["average", "gacn", "gacn.published", "sesf.published", "asr"], seconds=5)
    assert set(left) == {"gacn.published", "asr"}
    assert "mffrepro data fetch networks" in left["gacn.published"]
    assert f"{mff.methods.get('asr').seconds:.0f} s" in left["asr"]


def test_the_names_of_weight_files_begin_with_the_method_s_spelling():
    """`left_out` finds a checkpoint's files by that."""
    published = [name for name in every_method() if ".published" in name]
    files = [entry.name for entry in manifests.manifest("networks").files]
    assert published
    assert [name for name in published if not any(file.startswith(name) for file in files)] == []


def test_faults_stay_in_range_and_change_the_image():
    unit = np.random.default_rng(0).random((32, 40, 3))
    spoiled = dict(leaderboard.faulty(unit, np.random.default_rng(1)))
    assert list(spoiled) == ["noise", "blur", "sharpened"]
    for image in spoiled.values():
        assert image.shape == unit.shape
        assert image.min() >= 0
        assert image.max() <= 1
        assert not np.allclose(image, unit)
    assert spoiled["blur"].std() < unit.std() < spoiled["sharpened"].std()


def test_metrics_against_the_reference_find_every_fault():
    stacks = mff.load("embedded", kind="spread", size=64)[:2]
    found = leaderboard.faults_found(stacks, seed=1)
    assert (found.loc[["psnr", "ssim"]] == 1).all(axis=None)
    assert found.loc["sf", "noise"] == 0, "noise raises a sharpness statistic"
    assert found.loc["sf", "sharpened"] == 0
    assert found.loc["sf", "blur"] == 1


def test_one_metric_per_family_and_only_those_that_pass():
    rows = {"qabf": [1, 1, 1], "qg": [1, 1, 1], "mi": [1, 1, 0.7], "qncie": [1, 1, 0.8], "psnr": [1, 1, 1]}
    found = pd.DataFrame(rows, index=["noise", "blur", "sharpened"]).T
    assert leaderboard.ranking_metrics(found) == ["qabf", "qncie"]
    assert leaderboard.ranking_metrics(found, {"qg"}) == ["qg"]


def results(values: dict[str, list[float]], metric: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"stack": f"s{i}", "method": method, "metric": metric, "value": value}
            for method, row in values.items()
            for i, value in enumerate(row)
        ]
    )


def test_ranking_against_psnr_puts_what_it_prefers_first():
    liked = results({"a": [3, 3, 3], "b": [2, 2, 2], "c": [1, 1, 1]}, "qabf")
    true = results({"a": [1, 1, 1], "b": [2, 2, 2], "c": [3, 3, 3]}, "psnr")
    both = pd.concat([liked, true])
    spread, chart = leaderboard.ranking(both, ["qabf"], "three stacks", seed=0)
    assert "a is first, c last" in chart.alt
    table, correlation = leaderboard.rank_against_reference(both, spread)
    assert list(table.index) == ["a", "b", "c"]
    assert list(table["difference"]) == [2, 0, -2]
    assert correlation == pytest.approx(-1)


def test_lowest_pairs_are_listed_once():
    table = pd.DataFrame([[1, -0.5, 0.2], [-0.5, 1, 0.1], [0.2, 0.1, 1]], index=list("abc"), columns=list("abc"))
    assert dict(ranks.lowest(table, 2)) == {("a", "b"): -0.5, ("b", "c"): 0.1}


def test_two_trainings_of_one_network_are_ranked_once_by_their_mean():
    both = results({"tlcnn": [1.0, 2.0], "tlcolor": [2.0, 4.0], "lp": [0.0, 1.0]}, "qabf")
    one = leaderboard.mean_over_seeds(both)
    assert list(one.columns) == list(both.columns)
    assert one.pivot(index="method", columns="stack", values="value").to_numpy().tolist() == [[0.0, 1.0], [1.5, 3.0]]
    alone = both[both["method"] == "tlcnn"]
    assert leaderboard.mean_over_seeds(alone)["value"].tolist() == [1.0, 2.0], "one training is its own mean"
    neither = both[both["method"] == "lp"]
    assert leaderboard.mean_over_seeds(neither).equals(neither)


def test_stacks_of_one_photograph_give_their_mean():
    rows = [("lp", "cup_blur3", "qabf", 1.0, 2.0), ("lp", "cup_spread", "qabf", 3.0, 4.0), ("lp", "sea_spread", "qabf", 5.0, 6.0)]
    table = pd.DataFrame(rows, columns=["method", "stack", "metric", "value", "seconds"])
    found = leaderboard.mean_over_photographs(table).set_index("stack")
    assert found[["value", "seconds"]].to_dict("index") == {
        "cup": {"value": 2.0, "seconds": 3.0}, "sea": {"value": 5.0, "seconds": 6.0}
    }  # fmt: skip
    assert list(leaderboard.mean_over_photographs(table).columns) == list(table.columns)
