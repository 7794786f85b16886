"""The recorded runs: what is written, what is replaced, what is noticed, and what a chapter gets where the data is absent."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from mffrepro import methods, metrics
from mffrepro.benchmarks import benchmark, computed_or_recorded, drift, read_record, write_record
from mffrepro.benchmarks import store as storage
from mffrepro.benchmarks.record import KEY, ORIGIN
from mffrepro.data import Dataset, manifests
from mffrepro.data.checkout import checkout
from mffrepro.data.manifests import manifest
from mffrepro.errors import DataError, OptionError
from mffrepro.images import FocusStack


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A repository of its own with this one's manifests of stacks."""
    (tmp_path / "pyproject.toml").write_text("")
    folder = tmp_path / "data_manifests"
    for name in ("datasets/gacn26.toml", "datasets/lytro.toml", "weights/networks.toml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((manifests.manifest_folder() / name).read_bytes())
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)
    for module in ("mffrepro.benchmarks.record", "mffrepro.data.checkout", "mffrepro.data.manifests"):
        monkeypatch.setattr(f"{module}.manifest_folder", lambda: folder)
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MFFREPRO_MIRROR", raising=False)
    return tmp_path


def run(methods=("lp", "gacn.published"), stacks=("lytro_01", "mwg_lab"), metrics=("qabf", "mi"), *, dataset="gacn26", start=1.0):
    """Rows as a benchmark returns them, with numbers that tell them apart."""
    rows = [(stack, method, metric) for stack in stacks for method in methods for metric in metrics]
    frame = pd.DataFrame(rows, columns=["stack", "method", "metric"])
    fixed = {"dataset": dataset, "options": "", "gray": "matlab", "reason": "", "seconds": 0.5}
    return frame.assign(value=start + np.arange(len(rows)) / 3, **fixed)[list(storage.COLUMNS)]


def text(clone, dataset="gacn26"):
    return (clone / "data_manifests" / "recorded" / f"{dataset}.csv").read_text()


def test_what_is_written_is_read(clone):
    (path,) = write_record(run(), "CPU")
    assert path == clone / "data_manifests" / "recorded" / "gacn26.csv"
    long = read_record("gacn26")
    assert list(long.columns) == [*KEY[:4], "metric", "gray", "value", *ORIGIN]
    assert set(zip(long["method"], long["weights"], strict=True)) == {("lp", ""), ("gacn", "published")}
    assert set(long["device"]) == {"CPU"}
    head = subprocess.run(["git", "-C", str(clone), "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert set(long["commit"]) == {head[:10]}
    assert long["date"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    last = long[(long["stack"] == "mwg_lab") & (long["weights"] == "published")].set_index("metric")["value"]
    np.testing.assert_allclose(last[["qabf", "mi"]], run()["value"].iloc[-2:], rtol=5e-6)  # six digits
    assert len(drift(run(), long)) == 0


def test_variants_are_recorded_beside_the_method(clone):
    names = ("tlcolor", "tlcolor.printed", "tlcolor.seed2.printed")
    write_record(run(names), "CPU")
    long = read_record("gacn26")
    assert set(long["weights"]) == {"default", "printed", "seed2.printed"}
    assert len(drift(run(names), long)) == 0
    assert len(drift(run(names, start=2.0), long)) == len(run(names))


def test_the_file_is_small_sorted_and_the_same_whatever_the_order(clone):
    write_record(run(), "CPU")
    first = text(clone)
    lines = first.splitlines()
    assert len(lines) == 5
    assert lines[0] == ",".join([*KEY, *ORIGIN, "qabf", "mi"]), "metrics in the order of their cards"
    assert lines[1:] == sorted(lines[1:])
    assert lines[3].endswith(",3,3.33333")
    write_record(run().sample(frac=1, random_state=1), "CPU")
    assert text(clone) == first
    names = [path.name for path in (clone / "data_manifests" / "recorded").iterdir()]
    assert [name for name in names if not name.startswith(".")] == ["gacn26.csv"]  # beside its lock


def test_recording_again_replaces_whole_rows_and_keeps_the_others(clone):
    write_record(run(), "old")
    write_record(run(["lp"], ["mwg_lab"], ["qabf", "qg"], start=9.0), "new")
    long = read_record("gacn26").set_index(["stack", "method", "metric"]).sort_index()
    again = long.loc["mwg_lab", "lp"]
    assert set(again.index) == {"qabf", "qg"}, "a number of the old run must not stand beside the date of the new one"
    assert set(again["device"]) == {"new"}
    assert set(long.drop(index=("mwg_lab", "lp"))["device"]) == {"old"}
    assert len(long) == 8


def test_failed_fusions_and_absent_values_are_left_out(clone):
    results = run()
    failed = results["method"].eq("gacn.published")
    results.loc[failed, ["seconds", "value"]] = np.nan
    results.loc[0, "value"] = np.nan
    results.loc[1, "value"] = np.inf
    write_record(results, "CPU")
    long = read_record("gacn26")
    assert set(long["method"]) == {"lp"}
    assert len(long) == 3
    assert long["value"].max() == np.inf
    assert len(drift(results, long)) == 0


def test_where_everything_failed_nothing_is_written(clone):
    assert write_record(run().assign(seconds=np.nan, value=np.nan), "CPU") == []
    assert not (clone / "data_manifests" / "recorded").exists()


def test_a_fusion_made_twice_for_further_metrics_is_one_row(clone):
    results = run()
    results.loc[results["metric"] == "mi", "seconds"] = 0.25
    write_record(results, "CPU")
    assert len(text(clone).splitlines()) == 5
    long = read_record("gacn26")
    assert len(long) == len(results)
    assert set(long["seconds"]) == {0.25}


def test_a_package_that_was_changed_says_so(clone):
    (clone / "mffrepro").mkdir()
    (clone / "mffrepro" / "new.py").write_text("")
    write_record(run(), "CPU")
    assert read_record("gacn26")["commit"].str.fullmatch("[0-9a-f]{10}[+]").all()


def test_the_numbers_of_a_real_run_do_not_drift(clone):
    images = np.random.default_rng(1).integers(0, 256, (2, 64, 64), dtype=np.uint8)
    data = Dataset("embedded", {"noise": lambda: FocusStack("noise", images)})
    results = benchmark(["lp", "average"], data, "all")
    write_record(results, "CPU")
    long = read_record("embedded")
    assert len(long) == results["value"].notna().sum() > 50
    assert len(drift(results, long)) == 0


# --------------------------------------------------------------------------------------------------- refusals


def test_outside_of_a_clone_nothing_is_written(clone):
    (clone / ".git").rename(clone / "git")
    with pytest.raises(DataError, match="is not a git checkout; clone the repository"):
        write_record(run(), "CPU")
    assert not (clone / "data_manifests" / "recorded").exists()


def test_a_clone_without_a_commit_is_told_so(clone):
    subprocess.run(["git", "-C", str(clone), "update-ref", "-d", "HEAD"], check=True)
    with pytest.raises(DataError, match="git cannot tell the commit of this checkout"):
        write_record(run(), "CPU")


@pytest.mark.parametrize("dataset", ["folder", "/srv/me/pairs"])
def test_photographs_of_ones_own_are_not_recorded(clone, dataset):
    with pytest.raises(OptionError, match="cannot be recorded, because others lack it"):
        write_record(run(dataset=dataset), "CPU")


def test_methods_with_options_are_not_recorded(clone):
    with pytest.raises(OptionError, match="with options are not recorded"):
        write_record(run().assign(options='{"levels": 2}'), "CPU")


def test_this_is_a_clone_or_is_refused():
    if (manifests.manifest_folder().parent / ".git").exists():
        assert (checkout() / "data_manifests").is_dir()
    else:
        with pytest.raises(DataError):
            checkout()


# ------------------------------------------------------------------------------------------------------- drift


@pytest.mark.parametrize(("factor", "moved"), [(1 + 0.9e-4, 0), (1 + 1.1e-4, 1), (1 - 1.1e-4, 1), (-1, 1), (np.nan, 1)])
def test_drift_is_relative(clone, factor, moved):
    write_record(run(), "CPU")
    results = run()
    results.loc[3, "value"] *= factor
    results["seconds"] *= 3
    found = drift(results, read_record("gacn26"))
    assert len(found) == moved
    if moved:
        assert list(found.loc[0, ["stack", "method", "metric"]]) == ["lytro_01", "gacn.published", "mi"]
        np.testing.assert_allclose(found.loc[0, "now"], 2.0 * factor)
    assert len(drift(results, read_record("gacn26"), tolerance=5)) == int(np.isnan(factor))


def test_drift_compares_nothing_with_itself(clone):
    write_record(run(metrics=["nabf"], start=0.0), "CPU")
    recorded = read_record("gacn26")
    zero = run(metrics=["nabf"], start=0.0)
    assert len(drift(zero, recorded)) == 0
    assert len(drift(zero.assign(gray="skimage", value=7.0), recorded)) == 0
    assert len(drift(zero.assign(stack="new", value=7.0), recorded)) == 0
    assert len(drift(zero.assign(seconds=np.nan, value=np.nan), recorded)) == 0
    assert drift(zero.assign(value=[1e-9, *zero["value"][1:]]), recorded)["change"].tolist() == [1.0]


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:200] + b"\xff" + b[201:], lambda b: b.replace(b"seconds", b"hours"), lambda b: b""]
)
def test_a_spoilt_record_is_named(clone, spoil):
    (path,) = write_record(run(), "CPU")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=r"gacn26\.csv is not a record"):
        read_record("gacn26")


# -------------------------------------------------------------------------------------------- other data sets


def test_nothing_recorded_is_no_rows(clone):
    assert read_record("gacn26").empty
    assert read_record("lytro").empty
    assert read_record("no such set").empty
    assert drift(run(), read_record("gacn26")).empty


def test_tables_of_other_things_in_the_folder_are_left_alone(clone):
    write_record(run(), "CPU")
    before = read_record("lytro")
    (clone / "data_manifests" / "recorded" / "losses.csv").write_text("loss,weights\ndice,\n")
    pd.testing.assert_frame_equal(read_record("lytro"), before)


def test_a_table_beside_ones_own_photographs_is_no_record(clone):
    (clone / "pairs.csv").write_text("a,b\n1,2\n")
    assert read_record(str(clone / "pairs")).empty


def test_a_set_borrows_the_rows_of_stacks_with_the_same_files(clone):
    write_record(run(), "CPU")
    own, borrowed = read_record("gacn26"), read_record("lytro")
    same = own[own["stack"] == "lytro_01"].assign(dataset="lytro").reset_index(drop=True)
    pd.testing.assert_frame_equal(borrowed, same)
    files = {name: [e.sha256 for e in manifest(name).files if e.stack == "lytro_01"] for name in ("gacn26", "lytro")}
    assert files["gacn26"] == files["lytro"]


def test_a_chapter_gets_the_record_where_the_data_is_absent(clone):
    write_record(run(), "a machine")
    frame = computed_or_recorded(["average", "gacn.published", "lp"], "gacn26", ["qabf"])
    assert list(frame.columns) == [*storage.COLUMNS, "origin"]
    assert list(frame["method"]) == ["average", "gacn.published", "gacn.published", "lp", "lp"]
    gap, *rest = frame.itertuples()
    assert np.isnan(gap.value)
    assert "neither run here nor recorded" in gap.reason
    assert all(row.origin.startswith("recorded 2") and row.origin.endswith("a machine") for row in rest)
    assert set(frame["metric"]) == {"qabf"}


def test_what_can_be_had_is_computed_and_only_the_rest_is_recorded(clone, monkeypatch):
    write_record(run(["lp", "average"], dataset="embedded"), "a machine")

    def small(methods, dataset, metrics, **options):
        assert list(methods) == ["lp"]
        return run(methods, dataset=dataset, metrics=metrics, start=100.0)

    monkeypatch.setattr("mffrepro.benchmarks.record.benchmark", small)
    frame = computed_or_recorded(["lp", "average"], "embedded", ["mi"], compute=["lp"]).set_index("method")
    assert set(frame.loc["lp", "origin"]) == {"this run"}
    assert frame.loc["lp", "value"].min() >= 100
    assert frame.loc["average", "origin"].str.startswith("recorded").all()


def test_the_tracked_records_are_of_things_that_exist():
    for name in manifests.manifest_names():
        long = read_record(name)
        assert set(long["dataset"]) <= {name}
        assert set(long["method"]) <= set(methods.CARDS)
        assert set(long["metric"]) <= set(metrics.names(variants=True))
        assert set(long["stack"]) <= {entry.stack for entry in manifest(name).files}
