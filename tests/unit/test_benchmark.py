"""The grid of methods, stacks and metrics: what it returns, what it computes twice (nothing), what it survives."""

import json
import math
import os
import signal
import time
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mffrepro as mff
from mffrepro.benchmarks import Store, benchmark, every_method, grid, store
from mffrepro.benchmarks.store import COLUMNS
from mffrepro.data import Dataset, load
from mffrepro.errors import DataError, ImageError, OptionError
from mffrepro.images import FocusStack

METRICS = ["qg", "en", "psnr"]


def toy(seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (2, 64, 65), dtype=np.uint8)
    return FocusStack(f"toy{seed}", images, reference=images[0], decision=np.stack([np.ones((64, 65)), np.zeros((64, 65))]))


def toys(count=3):
    return Dataset("toys", {f"toy{i}": lambda i=i: toy(i) for i in range(count)})


@pytest.fixture
def fusions(monkeypatch):
    """Every (stack, method) that was fused, in order."""
    calls, real = [], grid.fuse

    def counting(stack, method, **options):
        calls.append((stack.name, method))
        return real(stack, method, **options)

    monkeypatch.setattr(grid, "fuse", counting)
    return calls


def values(frame):
    return frame.drop(columns="seconds")


# --------------------------------------------------------------------------------------------- the result


def test_one_row_per_cell_in_the_order_of_the_arguments():
    frame = benchmark(["lp", "average"], toys(), METRICS)
    assert list(frame.columns) == list(COLUMNS)
    expected = [(f"toy{i}", method, metric) for i in range(3) for method in ("lp", "average") for metric in METRICS]
    assert list(zip(frame["stack"], frame.method, frame.metric, strict=True)) == expected
    assert set(frame.dataset) == {"toys"}
    assert set(frame.gray) == {"matlab"}
    assert (frame.reason == "").all()
    assert (frame.seconds > 0).all()


def test_all_methods_are_those_of_the_registry_and_named_weights_too():
    names = every_method()
    assert {name.partition(".")[0] for name in names} == set(mff.methods.CARDS)
    assert {"gacn", "gacn.published"} <= set(names)
    assert not [name for name in names if name.endswith((".default", ".random"))]
    assert len(set(names)) == len(names)


def test_all_runs_every_one_of_them(monkeypatch):
    monkeypatch.setattr(grid, "fuse", lambda stack, method, **_: mff.fuse(stack, "average"))
    assert list(benchmark("all", toys(1), "en").method) == [name for name in every_method() if name != "zmff"]  # it takes hours


def test_values_are_those_of_fuse_and_evaluate():
    frame = benchmark(["lp"], toys(), METRICS).set_index(["stack", "metric"])
    for i in range(3):
        scores = mff.evaluate(toy(i), mff.fuse(toy(i), "lp"), METRICS)
        for name in METRICS:
            assert frame.loc[(f"toy{i}", name), "value"] == scores[name]


def test_the_gray_conversion_reaches_the_metrics():
    data = load("embedded", kind="spread", size=64)[:1]
    frame = benchmark("average", data, "mi", gray="skimage")
    assert set(frame.gray) == {"skimage"}
    expected = mff.evaluate(data[0], mff.fuse(data[0], "average"), "mi", gray="skimage")["mi"]
    assert frame.value[0] == expected != mff.evaluate(data[0], mff.fuse(data[0], "average"), "mi")["mi"]


def test_labels_options_and_named_weights():
    methods = {"LP, 2 levels": ("lp", {"levels": 2}), "LP": ("lp", {})}
    frame = benchmark(methods, toys(1), "en")
    assert list(frame.method) == ["LP, 2 levels", "LP"]
    assert [json.loads(text or "{}") for text in frame.options] == [{"levels": 2}, {}]
    for row, levels in zip(frame.itertuples(), (2, 4), strict=True):
        assert row.value == mff.evaluate(toy(0), mff.fuse(toy(0), "lp", levels=levels), "en")["en"]
    assert benchmark("gacn.random", toys(1), "en").value[0] > 0


def test_the_public_function_is_that_of_the_module():
    pd.testing.assert_frame_equal(values(mff.benchmark("lp", toys(1), "en")), values(benchmark("lp", toys(1), "en")))


def test_all_metrics_give_a_value_or_a_reason():
    frame = benchmark("average", toys(1), "all")
    assert set(frame.metric) == set(mff.metrics.names())
    empty = frame[frame.value.isna()]
    assert set(empty.metric) == {"mask_iou", "mask_accuracy", "boundary_f"}
    assert empty.reason.str.contains("needs decision=").all()


# ------------------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["gcan"], "toys"), "did you mean 'gacn'"),
        (([], "toys"), "no method given"),
        (({"x": ("lp", {"level": 3})}, "toys"), "did you mean 'levels'"),
        ((["lp"], "toys", ["qgg"]), "no metric 'qgg'"),
        ((["lp"], "lytr"), "did you mean 'lytro'"),
        ((["lp"], "toys", ["en"], {"gray": "grey"}), "no gray conversion 'grey'"),
    ],
)
def test_wrong_names_are_answered_before_anything_runs(fusions, tmp_path, arguments, message):
    methods, data, *rest = arguments
    options = rest.pop() if rest and isinstance(rest[-1], dict) else {}
    with pytest.raises(OptionError, match=message):
        benchmark(methods, toys() if data == "toys" else data, *rest, store=tmp_path / "r.parquet", **options)
    assert fusions == []
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------------- resuming


def test_the_store_changes_nothing_in_the_result(tmp_path):
    plain = benchmark(["lp", "average"], toys(), METRICS)
    kept = benchmark(["lp", "average"], toys(), METRICS, tmp_path / "new" / "r.parquet")
    again = benchmark(["lp", "average"], toys(), METRICS, tmp_path / "new" / "r.parquet")
    pd.testing.assert_frame_equal(values(plain), values(kept))
    pd.testing.assert_frame_equal(kept, again)
    names = [path.name for path in (tmp_path / "new").iterdir()]
    assert [name for name in names if not name.startswith(".")] == ["r.parquet"]  # beside its lock


def test_a_killed_run_repeats_nothing_that_was_finished(tmp_path, monkeypatch, fusions):
    store, counted = tmp_path / "r.parquet", grid.fuse

    def killed(stack, method, **options):
        if stack.name == "toy2" and method == "average":
            raise KeyboardInterrupt
        return counted(stack, method, **options)

    monkeypatch.setattr(grid, "fuse", killed)
    with pytest.raises(KeyboardInterrupt):
        benchmark(["lp", "average"], toys(4), METRICS, store)
    finished = [(f"toy{i}", method) for i in (0, 1) for method in ("lp", "average")]
    assert fusions == [*finished, ("toy2", "lp")]
    monkeypatch.setattr(grid, "fuse", counted)
    fusions.clear()
    resumed = benchmark(["lp", "average"], toys(4), METRICS, store)
    assert fusions == [("toy2", "average"), ("toy3", "lp"), ("toy3", "average")]
    pd.testing.assert_frame_equal(values(resumed), values(benchmark(["lp", "average"], toys(4), METRICS)))


def test_only_what_is_new_is_computed(tmp_path, fusions):
    store = tmp_path / "r.parquet"
    benchmark("lp", toys(2), "en", store)
    for methods, data, metrics, expected in [
        ("lp", toys(2), "en", []),
        ("lp", toys(3), "en", [("toy2", "lp")]),
        (["lp", "average"], toys(1), "en", [("toy0", "average")]),
        ("lp", toys(1), ["en", "sd"], [("toy0", "lp")]),
        ({"lp": ("lp", {"levels": 2})}, toys(1), "en", [("toy0", "lp")]),
    ]:
        fusions.clear()
        benchmark(methods, data, metrics, store)
        assert fusions == expected
    fusions.clear()
    benchmark("lp", toys(1), "en", store, gray="skimage")
    assert fusions == [("toy0", "lp")]


def test_a_store_may_hold_more_than_is_asked_for(tmp_path):
    benchmark(["lp", "average"], toys(), METRICS, tmp_path / "r.parquet")
    part = benchmark("average", toys(2), "en", tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(values(part), values(benchmark("average", toys(2), "en")))


# ----------------------------------------------------------------------------------------------- failures


def failing(error):
    """A method that fails on toy1 alone."""
    real = grid.fuse

    def fuse(stack, method, **options):
        if stack.name == "toy1" and method == "lp":
            raise error
        return real(stack, method, **options)

    return fuse


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ImageError("too small; use larger images"), "too small; use larger images"),
        (MemoryError(), "MemoryError"),
        (np.linalg.LinAlgError("Singular\nmatrix"), "LinAlgError: Singular matrix"),
    ],
)
def test_a_failing_cell_says_why_and_the_others_go_on(monkeypatch, error, reason):
    expected = benchmark(["lp", "average"], toys(), METRICS)
    monkeypatch.setattr(grid, "fuse", failing(error))
    frame = benchmark(["lp", "average"], toys(), METRICS)
    failed = (frame["stack"] == "toy1") & (frame.method == "lp")
    assert failed.sum() == len(METRICS)
    assert frame[failed].value.isna().all()
    assert frame[failed].seconds.isna().all()
    assert set(frame[failed].reason) == {reason}
    pd.testing.assert_frame_equal(values(frame[~failed]), values(expected[~failed]))


def test_a_failed_fusion_is_tried_again(tmp_path, monkeypatch, fusions):
    with monkeypatch.context() as patch:
        patch.setattr(grid, "fuse", failing(MemoryError()))
        benchmark(["lp"], toys(), METRICS, tmp_path / "r.parquet")
    fusions.clear()
    frame = benchmark(["lp"], toys(), METRICS, tmp_path / "r.parquet")
    assert fusions == [("toy1", "lp")]
    assert frame.value.notna().all()
    assert (frame.reason == "").all()


def test_a_stack_that_cannot_be_read_does_not_end_the_run():
    def unreadable():
        raise ImageError("b_1.png is an empty file; copy it again")

    data = Dataset("toys", {"toy0": lambda: toy(0), "b": unreadable, "toy2": lambda: toy(2)})
    frame = benchmark(["lp", "average"], data, METRICS)
    bad = frame["stack"] == "b"
    assert set(frame[bad].reason) == {"b_1.png is an empty file; copy it again"}
    assert frame[~bad].value.notna().all()


def test_a_metric_that_fails_is_alone_in_it(monkeypatch):
    real = grid.score

    def score(card, scene, fused):
        if card.name == "qg":
            raise ZeroDivisionError("division by zero")
        return real(card, scene, fused)

    monkeypatch.setattr(grid, "score", score)
    frame = benchmark("lp", toys(1), METRICS).set_index("metric")
    assert frame.loc["qg", "reason"] == "ZeroDivisionError: division by zero"
    assert frame.drop("qg").value.notna().all()
    assert frame.seconds.notna().all()


# ----------------------------------------------------------------------------------------------- the store


@pytest.mark.parametrize("content", [b"", b"not parquet", b"PAR1" + b"\0" * 50 + b"PAR1"])
def test_a_damaged_store_is_named_and_left_alone(tmp_path, fusions, content):
    path = tmp_path / "r.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"r\.parquet is not a Parquet file .*; give another store") as caught:
        benchmark("lp", toys(), "en", path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content
    assert fusions == []


def test_a_table_of_something_else_is_no_store(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "r.parquet")
    with pytest.raises(DataError, match="other columns"):
        Store(tmp_path / "r.parquet")


ROW = dict.fromkeys(COLUMNS, "x") | {"value": 1.0, "seconds": 1.0}
WRONG = {"a number": 5, "nothing": None, "true": True, "bytes": b"x", "a list": [1, 2], "a table": {"a": 1}}
WRONG |= {"a date": pd.Timestamp("2020")}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("wrong", [*WRONG, "text"])
def test_a_store_with_values_of_a_wrong_type_is_named(tmp_path, name, wrong):
    right = "a number" if name in ("value", "seconds") else "text"
    if wrong == right:
        return
    frame = pd.DataFrame([ROW] * 2).astype({name: object})
    frame[name] = pd.Series([WRONG.get(wrong, "x")] * 2)
    frame.to_parquet(tmp_path / "r.parquet", index=False)
    with pytest.raises(DataError, match=rf"r\.parquet holds in its column {name} other values .*; give another store"):
        Store(tmp_path / "r.parquet")


def test_a_store_with_gaps_in_its_text_is_named(tmp_path):
    pd.DataFrame([ROW, ROW | {"method": None}]).to_parquet(tmp_path / "r.parquet", index=False)
    with pytest.raises(DataError, match="column method other values"):
        Store(tmp_path / "r.parquet")


def test_an_empty_store_and_one_of_whole_numbers_are_stores(tmp_path):
    pd.DataFrame([ROW])[:0].to_parquet(tmp_path / "empty.parquet", index=False)
    assert Store(tmp_path / "empty.parquet").table().empty
    Store(tmp_path / "none.parquet").add([])
    assert Store(tmp_path / "none.parquet").table().empty
    pd.DataFrame([ROW | {"value": 1}]).to_parquet(tmp_path / "whole.parquet", index=False)
    assert Store(tmp_path / "whole.parquet").table()["value"].tolist() == [1.0]


def test_a_store_of_too_many_rows_is_not_read(tmp_path, monkeypatch):
    pd.DataFrame([ROW] * 3).to_parquet(tmp_path / "r.parquet", index=False)
    monkeypatch.setattr(store, "MOST_ROWS", 2)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(DataError, match=r"r\.parquet has 3 rows, more than .*; give another store"):
        Store(tmp_path / "r.parquet")


def test_a_store_that_would_fill_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    """A text of a dictionary is stored once, however many rows name it: these would be 20 GB."""
    path, rows = tmp_path / "r.parquet", 200_000
    once = {name: pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["x" * 100_000]) for name in COLUMNS}
    table = pa.table(once | {name: np.ones(rows) for name in ("value", "seconds")})
    pq.write_table(table, path, store_schema=False)  # else it would say that its columns are dictionaries
    assert path.stat().st_size < 1e6
    with pytest.raises(DataError, match=r"r\.parquet holds a text of more than .* characters; give another store"):
        Store(path)
    monkeypatch.setattr(store, "MOST_BYTES", 100)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(DataError, match=r"r\.parquet unpacks to more than a benchmark's .* GB; give another store"):
        Store(path)


def test_a_store_whose_texts_could_become_any_size_is_refused(tmp_path, monkeypatch):
    """The size that a file states may be a lie, so it must be small and packed in the way that packs little."""
    path = tmp_path / "r.parquet"
    pd.DataFrame([ROW]).to_parquet(path, index=False, compression="zstd")
    with pytest.raises(DataError, match=r"r\.parquet is compressed in another way than a benchmark's; give another store"):
        Store(path)
    pd.DataFrame([ROW]).to_parquet(path, index=False)
    assert len(Store(path).table()) == 1
    monkeypatch.setattr(store, "MOST_FILE", 100)
    with pytest.raises(DataError, match=r"r\.parquet has more than a benchmark's 0\.0001 MB; give another store"):
        Store(path)


def test_a_store_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        benchmark("lp", toys(1), "en", tmp_path / "file" / "r.parquet")


def test_a_store_is_the_same_whatever_the_order(tmp_path):
    rows = [
        dict.fromkeys(COLUMNS, "") | {"stack": f"s{i}", "metric": m, "value": float(i), "seconds": 1.0}
        for i in range(3)
        for m in "ab"
    ]
    for path, order in ((tmp_path / "1.parquet", rows), (tmp_path / "2.parquet", rows[::-1])):
        store = Store(path)
        for row in order:
            store.add([row])
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    again = Store(tmp_path / "1.parquet")
    assert again.has(**{name: rows[0][name] for name in ("dataset", "stack", "method", "options", "metric", "gray")})
    assert len(again.table()) == 6


def test_rows_of_another_process_are_kept(tmp_path):
    row = dict.fromkeys(COLUMNS, "x") | {"value": 1.0, "seconds": 1.0}
    first, second = Store(tmp_path / "r.parquet"), Store(tmp_path / "r.parquet")
    first.add([row | {"method": "one"}])
    second.add([row | {"method": "two"}])
    first.add([row | {"method": "three"}])
    assert set(Store(tmp_path / "r.parquet").table()["method"]) == {"one", "two", "three"}


def test_nan_and_reasons_survive_the_file(tmp_path):
    row = dict.fromkeys(COLUMNS, "x") | {"value": math.nan, "seconds": 0.5, "reason": "because"}
    Store(tmp_path / "r.parquet").add([row])
    table = Store(tmp_path / "r.parquet").table()
    assert math.isnan(table.value[0])
    assert table.reason[0] == "because"


# ---------------------------------------------------------------------------------------------- elsewhere


@contextmanager
def dask_client(**options):
    """Two workers on the loopback device, asked for by name: left alone, Dask finds its address by a look at the network."""
    distributed = pytest.importorskip("distributed")
    options |= {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "protocol": "tcp://", "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.slow
def test_dask_workers_give_the_same_values(tmp_path):
    data = load("embedded", kind="composite", levels=[3], size=64)
    here = benchmark(["lp", "average"], data, METRICS)
    with dask_client(processes=False) as client:
        there = benchmark(["lp", "average"], data, METRICS, tmp_path / "r.parquet", client)
        again = benchmark(["lp", "average"], data, METRICS, tmp_path / "r.parquet", client)
    pd.testing.assert_frame_equal(values(here), values(there), check_exact=True)
    pd.testing.assert_frame_equal(there, again)


@pytest.mark.slow
def test_data_sets_travel_to_other_processes():
    data = load("embedded", kind="spread", size=64)[:2]
    with dask_client(processes=True) as client:
        there = benchmark("average", data, METRICS, client=client)
    pd.testing.assert_frame_equal(values(benchmark("average", data, METRICS)), values(there), check_exact=True)


class Deadly(Dataset):
    """The first process that reads a given stack is killed then and there; whoever comes next reads it."""

    def __init__(self, folder, stack, count=4):
        super().__init__("toys", {f"toy{i}": partial(toy, i) for i in range(count)})
        self.folder, self.stack = folder, stack

    def __getitem__(self, key):
        first = not list(self.folder.glob(f"{key}-*"))
        (self.folder / f"{key}-{uuid4().hex}").touch()
        time.sleep(0.5)  # as long as a real cell would at least, so that finished rows have left the worker before it dies
        if key == self.stack and first:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(key)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_worker_killed_in_mid_run_costs_one_cell(tmp_path):
    with dask_client(processes=True) as client:
        there = benchmark(["lp", "average"], Deadly(tmp_path, "toy3"), METRICS, tmp_path / "r.parquet", client)
    reads = len(list(tmp_path.glob("toy*")))
    assert 9 <= reads <= 10, "eight cells, the killed one again, and perhaps one whose rows were on their way"
    pd.testing.assert_frame_equal(values(benchmark(["lp", "average"], toys(4), METRICS)), values(there), check_exact=True)


class _Future:
    def __init__(self, rows):
        self.rows = rows

    def exception(self):
        return None if self.rows else MemoryError("worker exceeded its memory")

    def result(self):
        return self.rows

    def release(self):
        pass


def test_a_cell_that_kills_every_worker_is_alone_in_it(monkeypatch):
    """Dask gives a task up after some deaths; here the client gives up at once on each cell of toy1."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(distributed, "as_completed", list)

    class Client:
        def submit(self, function, cell, data, pure):
            assert [len(cell.todo), pure] == [1, False]
            return _Future([] if cell.stack == "toy1" else function(cell, data))

    frame = benchmark(["lp", "average"], toys(), METRICS, client=Client())
    lost = frame["stack"] == "toy1"
    assert lost.sum() == 2 * len(METRICS)
    assert set(frame[lost].reason) == {"MemoryError: worker exceeded its memory"}
    pd.testing.assert_frame_equal(values(frame[~lost]), values(benchmark(["lp", "average"], toys(), METRICS)[~lost]))
