"""Recorded runs: the numbers of a benchmark, kept in the repository for builds that lack its data.

One CSV file per data set in ``data_manifests/recorded``: a row per fused stack and gray conversion, a column per metric, and
beside the numbers the commit, device and date they come from. A row is replaced whole, so these are true of all its numbers.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from mffrepro.benchmarks.grid import benchmark, every_method, requested
from mffrepro.benchmarks.store import COLUMNS as STORED
from mffrepro.data import cards
from mffrepro.data.checkout import checkout, origin
from mffrepro.data.manifests import manifest, manifest_folder, manifest_names
from mffrepro.errors import DataError, OptionError, first_line
from mffrepro.images import locked, write_atomically
from mffrepro.methods import parse
from mffrepro.metrics import names as metric_names

#: Columns that identify a row and say where its numbers come from. The columns of the metrics follow. ``weights`` also names the
#: variant of a method: ``printed``, or ``seed2.printed``.
KEY = ("dataset", "stack", "method", "weights", "gray")
ORIGIN = ("seconds", "commit", "device", "date")
KINDS = {name: float if name == "seconds" else str for name in (*KEY, *ORIGIN)}
DIGITS = 6


def write_record(results: pd.DataFrame, device: str) -> list[Path]:
    """Write the fusions of a benchmark to the record.

    They replace the recorded rows of the same stacks, methods and gray conversions.

    Args:
        results: What `mffrepro.benchmark` returns; fusions that failed are left out.
        device: What it ran on, in words.

    Returns:
        The files, one per data set.

    Raises:
        OptionError: A row was made with options, or of photographs that others do not have: the record knows names only.
        DataError: The package is not in a git checkout of the repository, or the file cannot be written.
    Chapter: 09_leaderboard
    """
    folder = checkout() / "data_manifests" / "recorded"
    check_recordable(results["dataset"].unique())
    if (results["options"] != "").any():
        raise OptionError("methods with options are not recorded; name methods alone")
    done = results[results["seconds"].notna()]
    paths = []
    for dataset, rows in _wide(done).assign(**origin(device)).groupby("dataset"):
        paths.append(folder / f"{dataset}.csv")
        paths[-1].parent.mkdir(exist_ok=True)
        with locked(paths[-1]):
            _write(_merged(_read(paths[-1]), rows), paths[-1])
    return paths


def _wide(results: pd.DataFrame) -> pd.DataFrame:
    """Arrange one row per fusion.

    Of a fusion that was made twice, for further metrics, the shorter time is kept, rounded to three digits.
    """
    method, weights = zip(*map(_parts, results["method"]), strict=True) if len(results) else ((), ())
    named = results.assign(method=method, weights=weights)
    seconds = named.groupby(list(KEY))["seconds"].min().map(lambda value: float(f"{value:.3g}"))
    return named.pivot(index=list(KEY), columns="metric", values="value").join(seconds).reset_index()


def _parts(label: str) -> tuple[str, str]:
    """Split a label into the method and what follows its name; a method without weights has nothing there."""
    card, *_ = parse(label)
    return card.name, label.partition(".")[2] or ("default" if card.weights else "")


def _merged(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    rows = pd.concat([old, new], ignore_index=True).drop_duplicates(list(KEY), keep="last").sort_values(list(KEY))
    ordered = [name for name in metric_names(variants=True) if name in rows and rows[name].notna().any()]
    return rows[[*KEY, *ORIGIN, *ordered]]


def _read(path: Path) -> pd.DataFrame:
    if not path.exists():
        return _no_rows()
    try:
        rows = pd.read_csv(path, dtype=KINDS).fillna({"weights": ""})
        missing = [name for name in KINDS if name not in rows]
    except (ValueError, OSError) as error:  # a folder, or neither text nor a table, or a word where a number should be
        raise DataError(f"{path} is not a record ({first_line(error)}); restore it from the repository") from None
    if missing:
        raise DataError(f"{path} is not a record (it has no column {missing[0]}); restore it from the repository")
    return rows


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in KINDS.items()})


def _write(rows: pd.DataFrame, path: Path) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, rows.to_csv(index=False, float_format=f"%.{DIGITS}g", lineterminator="\n").encode())
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); solve that and record again") from None


def check_recordable(datasets: Iterable[str]) -> None:
    """Raise OptionError for runs that cannot be recorded, before they start.

    Photographs of a folder cannot be recorded.
    """
    for name in datasets:
        if not _is_public(name):
            raise OptionError(f"{name} cannot be recorded, because others lack it; use one of mffrepro list datasets")


def _is_public(dataset: str) -> bool:
    return dataset == "embedded" or dataset in manifest_names()


# ------------------------------------------------------------------------------------------------------ reading


def read_record(dataset: str) -> pd.DataFrame:
    """Read the recorded run of a data set.

    A data set without a record of its own takes, from the others, the rows of stacks that consist of the very same files:
    the twenty pairs of ``lytro`` are among those of ``gacn26``.

    Args:
        dataset: A name of `mffrepro.datasets`.

    Returns:
        Long format: dataset, stack, method, weights, metric, gray, value, seconds, commit, device, date. No rows where
        nothing was recorded.
    Chapter: 09_leaderboard
    """
    folder = manifest_folder() / "recorded"
    rows = _read(folder / f"{dataset}.csv") if _is_public(dataset) else _no_rows()  # a folder's name is a path
    if rows.empty and dataset in manifest_names():
        rows = pd.concat([rows, *(_borrowed(name, dataset) for name in manifest_names() if name != dataset)], ignore_index=True)
    long = rows.melt([*KEY, *ORIGIN], var_name="metric").dropna(subset="value")
    order = [*KEY[:4], "metric", "gray", "value", *ORIGIN]
    return long[order].sort_values(order[:6], ignore_index=True)


def _borrowed(name: str, dataset: str) -> pd.DataFrame:
    rows = _read(manifest_folder() / "recorded" / f"{name}.csv")
    here, there = ({files: stack for stack, files in _stack_files(one).items()} for one in (dataset, name))
    same = {there[files]: stack for files, stack in here.items() if files in there}
    rows = rows[rows["stack"].isin(same)]
    return rows.assign(dataset=dataset, stack=rows["stack"].map(same))


def _stack_files(dataset: str) -> dict[str, tuple[str, ...]]:
    """Return the digests of the files of each stack."""
    files: dict[str, tuple[str, ...]] = {}
    for entry in manifest(dataset).files:
        files[entry.stack] = (*files.get(entry.stack, ()), entry.sha256)
    return files


def drift(results: pd.DataFrame, recorded: pd.DataFrame, tolerance: float = 1e-4) -> pd.DataFrame:
    """List cells whose value differs from the recorded one.

    Args:
        results: What `mffrepro.benchmark` returns. Fusions that failed, and cells that were not recorded, are passed over.
        recorded: What `read_record` returns.
        tolerance: Largest difference that does not count, relative to the larger of the two values.

    Returns:
        stack, method, metric, gray, recorded, now, change (relative). Seconds are not compared.
    """
    now = results.loc[results["seconds"].notna() & (results["options"] == ""), ["stack", "method", "metric", "gray", "value"]]
    then = recorded.assign(method=_labels(recorded))[["stack", "method", "metric", "gray", "value"]]
    both = then.merge(now, on=["stack", "method", "metric", "gray"], suffixes=("_then", "_now"))
    both = both.rename(columns={"value_then": "recorded", "value_now": "now"})
    larger = both[["recorded", "now"]].abs().max(axis=1)
    both["change"] = ((both["now"] - both["recorded"]) / larger).mask(both["now"] == both["recorded"], 0.0)
    return both[~(both["change"].abs() <= tolerance)].reset_index(drop=True)  # a value that is gone compares with nothing


def _labels(recorded: pd.DataFrame) -> pd.Series:
    """Label methods as `mffrepro.benchmark` does: ``"gacn"``, ``"gacn.published"``."""
    named = ~recorded["weights"].isin(("", "default"))
    return recorded["method"].mask(named, recorded["method"] + "." + recorded["weights"])


# ----------------------------------------------------------------------------------------------- for the chapters


def computed_or_recorded(
    methods: str | Sequence[str],
    dataset: str,
    metrics: str | Sequence[str] = "all",
    *,
    gray: str = "matlab",
    compute: str | Sequence[str] = "all",
) -> pd.DataFrame:
    """Run a benchmark where its data has been fetched, else read the recorded run.

    Nothing is downloaded.

    Args:
        methods: Names, or ``"all"``; as for `mffrepro.benchmark`.
        dataset: Name of a data set.
        metrics: Names, or ``"all"``.
        gray: Gray conversion of the metrics.
        compute: Those of the methods to run now if that can be done; the others come from the record.

    Returns:
        As `mffrepro.benchmark`, with one more column, ``origin``: ``"this run"``, or where the record is from.
        A method that neither run nor record has keeps a row per metric that says so.
    Chapter: 09_leaderboard
    """
    wanted = every_method() if methods == "all" else [methods] if isinstance(methods, str) else list(methods)
    at_hand = any(card.name == dataset and card.available for card in cards())
    now = [name for name in wanted if at_hand and (compute == "all" or name in compute)]
    fresh = benchmark(now, dataset, metrics, gray=gray).assign(origin="this run") if now else None
    old = _recorded(dataset, [name for name in wanted if name not in now], requested(metrics), gray)
    missing = [name for name in wanted if name not in {*now, *old["method"]}]
    parts = [fresh, old, _gaps(dataset, missing, requested(metrics), gray)]
    rows = pd.concat([part for part in parts if part is not None and len(part)], ignore_index=True)
    return rows.sort_values("method", key=lambda names: names.map(wanted.index), kind="stable", ignore_index=True)


def _recorded(dataset: str, methods: Sequence[str], metrics: Sequence[str], gray: str) -> pd.DataFrame:
    rows = read_record(dataset)
    origin = "recorded " + rows["date"] + " at " + rows["commit"] + ", " + rows["device"]
    rows = rows.assign(method=_labels(rows), options="", reason="", origin=origin)
    chosen = rows["method"].isin(methods) & rows["metric"].isin(metrics) & (rows["gray"] == gray)
    return rows.loc[chosen, [*STORED, "origin"]]


def _gaps(dataset: str, methods: Sequence[str], metrics: Sequence[str], gray: str) -> pd.DataFrame:
    reason = f"neither run here nor recorded; run mffrepro benchmark -d {dataset} --record with it"
    blank = dict.fromkeys((*STORED, "origin"), "") | {"dataset": dataset, "gray": gray, "reason": reason}
    blank |= {"value": float("nan"), "seconds": float("nan")}
    return pd.DataFrame([blank | {"method": method, "metric": metric} for method in methods for metric in metrics])
