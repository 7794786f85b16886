"""``mffrepro benchmark``: methods against methods on a data set."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mffrepro.cli.evaluate import head, split_metrics
from mffrepro.cli.terminal import number, say, show_table
from mffrepro.errors import DataError, OptionError

if TYPE_CHECKING:
    import pandas as pd

    from mffrepro.data import Dataset


def benchmark(
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method", "-m", help="A method, or all that take under an hour; repeat for more.  [default: gacn, lp, average]"
        ),
    ] = None,
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", help="A name of: mffrepro list datasets; or a folder of stacks.")
    ] = "embedded",
    metrics: Annotated[str, typer.Option(help="Names with commas, all, or everything (variants too).")] = "all",
    store: Annotated[
        Path | None, typer.Option(help="Parquet file that keeps finished cells, to go on where a run stopped.")
    ] = None,
    gray: Annotated[str, typer.Option(help="Gray conversion of the metrics: matlab or skimage.")] = "matlab",
    csv: Annotated[Path | None, typer.Option(help="Write all values to this CSV file, one row each.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first stacks, this many.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, such as tcp://host:8786.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes of this machine that share the cells.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Write the run into this clone's data_manifests/recorded.")] = False,
) -> None:
    """Fuse every stack of a data set by every method and print mean scores.

    Example: mffrepro benchmark -m gacn -m lp --metrics qabf,qg,psnr --limit 5
    """
    from mffrepro.benchmarks import benchmark as run

    if scheduler is not None and workers is not None:
        raise OptionError("--scheduler and --workers both say where the cells run; give one of them")
    names = list(dict.fromkeys(method or ["gacn", "lp", "average"]))
    wanted = split_metrics(metrics)
    if csv is not None and (csv.is_dir() or not csv.parent.is_dir()):
        raise OptionError(f"{csv} cannot be written; choose a file in a folder that exists")
    data = _dataset(dataset)[:limit]
    if record:
        _check_recordable(data.name)
    with _client(scheduler, workers) as client:
        results = run("all" if names == ["all"] else names, data, wanted, store, client, gray=gray)
    if csv is not None:
        _write(results, csv)
    _print_means(results)
    _print_failures(results)
    _print_drift(results, data.name)
    if record:
        _record(results)
    if results["seconds"].isna().any():
        raise typer.Exit(1)


def _dataset(name: str) -> "Dataset":
    from mffrepro.data import cards, load

    if any(card.name == name for card in cards()) or not Path(name).is_dir():
        return load(name)
    data = load("folder", root=name)
    data.name = str(Path(name).resolve())  # a store may hold several folders
    return data


def _check_recordable(dataset: str) -> None:
    """Refuse what cannot be recorded before anything runs."""
    from mffrepro.benchmarks.record import check_recordable
    from mffrepro.data.checkout import checkout

    checkout()
    check_recordable([dataset])


def _record(results: "pd.DataFrame") -> None:
    from mffrepro.benchmarks import write_record
    from mffrepro.runtime import device_name

    for path in write_record(results, device_name()):
        say(f"recorded in {path}")


@contextmanager
def _client(address: str | None, workers: int | None) -> Iterator[Any]:
    """Connect to a Dask scheduler, or start a cluster that ends with the command; None where neither is asked for."""
    if workers is not None:
        from distributed import Client, LocalCluster

        options = {"host": "127.0.0.1", "protocol": "tcp://", "dashboard_address": None, "silence_logs": "ERROR"}
        with LocalCluster(n_workers=workers, threads_per_worker=1, **options) as cluster, Client(cluster) as client:
            yield client
    elif address is not None:
        with _connect(address) as client:
            yield client
    else:
        yield None


def _connect(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout=10)
    except (OSError, ValueError):
        raise DataError(f"no Dask scheduler answers at {address}; start one with dask scheduler or correct --scheduler") from None


def _write(results: "pd.DataFrame", path: Path) -> None:
    from mffrepro.images import write_atomically

    try:
        write_atomically(path, results.to_csv(index=False).encode())
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); choose another place") from None


# ----------------------------------------------------------------------------------------------- printing


def _print_means(results: "pd.DataFrame") -> None:
    """Print metrics down and methods across, or the other way round: the longer list goes down."""
    from mffrepro.report.tables import means

    table = means(results).dropna(axis=1, how="all")
    best = _best(table)
    heads = {name: "seconds ↓" if name == "seconds" else head(name) for name in table.columns}
    across = len(table.columns) < len(table.index)
    if across:
        rows = [(method, *(number(value) for value in table.loc[method])) for method in table.index]
        show_table(("method", *heads.values()), rows, best=[(i, j + 1) for i, j in best], numbers=1)
    else:
        rows = [(heads[name], *(number(value) for value in table[name])) for name in table.columns]
        show_table(("mean", *table.index), rows, best=[(j, i + 1) for i, j in best], numbers=1)


def _best(table: "pd.DataFrame") -> list[tuple[int, int]]:
    """Find row and column of the best method of each metric, ties included; none where there is nothing to choose."""
    from mffrepro.metrics import get

    cells = []
    for j, name in enumerate(table.columns):
        values = table[name].to_numpy()
        better = "lower" if name == "seconds" else get(name).better
        if better is not None and len(values) > 1:
            best = table[name].min() if better == "lower" else table[name].max()
            cells += [(i, j) for i, value in enumerate(values) if value == best]
    return cells


def _print_failures(results: "pd.DataFrame") -> None:
    failed = results[results["value"].isna() & (results["reason"] != "")]
    if failed.empty:
        return
    say(f"{len(failed)} of {len(results)} cells have no value:")
    for reason, cells in failed.groupby("reason", sort=False):
        say(f"  {len(cells)} of {', '.join(cells['method'].unique())}: {reason}")


def _print_drift(results: "pd.DataFrame", dataset: str) -> None:
    from mffrepro.benchmarks import drift, read_record

    moved = drift(results, read_record(dataset))
    for metric, cells in moved.groupby("metric", sort=False):
        worst = cells.loc[cells["change"].abs().fillna(float("inf")).idxmax()]
        values = f"{number(worst['recorded'])} recorded, {number(worst['now'])} now"
        say(f"cells whose {metric} is not as recorded: {len(cells)}; {worst['method']} on {worst['stack']}: {values}")
