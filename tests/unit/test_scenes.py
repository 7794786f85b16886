"""A table made from a known scene, with noise or exchanged rows, leads back to that scene and to those rows."""

import numpy as np
import pandas as pd
import pytest

from mffrepro.benchmarks.scenes import exchanged, scene_distances

METHODS, METRICS = ["a", "b", "c", "d"], ["ag", "sf"]


def record(stacks: int = 6, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(f"scene {s}", m, k, rng.uniform(2, 20)) for s in range(stacks) for m in METHODS for k in METRICS]
    return pd.DataFrame(rows, columns=["stack", "method", "metric", "value"])


def table_of(rows: pd.DataFrame, stack: str) -> pd.DataFrame:
    return rows[rows["stack"] == stack].pivot(index="method", columns="metric", values="value")


def test_a_scene_is_found_under_noise():
    rows = record()
    printed = table_of(rows, "scene 3") * np.exp(np.random.default_rng(1).normal(0, 0.05, (4, 2)))
    found = scene_distances(printed, rows)
    assert found.index[0] == "scene 3"
    assert found["wins"].to_dict()["scene 3"] == 4
    assert found["wins"].sum() == 4


def test_the_distance_is_a_mean_absolute_log_ratio():
    rows = record()
    found = scene_distances(table_of(rows, "scene 2") * 1.1, rows)
    assert found.loc["scene 2", "distance"] == pytest.approx(np.log(1.1))
    assert found["distance"].is_monotonic_increasing


def test_a_scene_without_all_scores_is_left_out():
    rows = record()
    lost = rows.drop(rows.index[(rows["stack"] == "scene 3") & (rows["method"] == "a")])
    assert "scene 3" not in scene_distances(table_of(rows, "scene 1"), lost).index


def test_exchanged_rows_and_cells_are_found():
    ours = table_of(record(), "scene 0")
    printed = ours.rename(index={"a": "b", "b": "a"}).sort_index()
    first = exchanged(printed, ours).query("metric == 'all'").iloc[0]
    assert (first["rows"], first["exchanged"]) == ("a and b", pytest.approx(0))
    cell = ours.copy()
    cell.loc[["c", "d"], "sf"] = ours.loc[["d", "c"], "sf"].to_numpy()
    first = exchanged(cell, ours).iloc[0]
    assert (first["rows"], first["metric"], first["exchanged"]) == ("c and d", "sf", pytest.approx(0))


def test_a_table_in_order_has_nothing_to_exchange():
    ours = table_of(record(), "scene 0")
    assert exchanged(ours, ours).empty
