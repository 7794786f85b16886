"""The grid: methods x stacks x metrics.

A cell is one method on one stack, scored by all metrics: what is stored as soon as it is done, and the most that a killed run
loses. In the plain loop the cells of a stack share its sources and the source side of every metric. On the workers of a client
each cell stands alone and computes both again: a worker that dies takes one cell with it, which another worker repeats.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from mffrepro import metrics as quality
from mffrepro.benchmarks.store import Store
from mffrepro.data import Dataset, load
from mffrepro.errors import MffError, OptionError, unknown
from mffrepro.images import FocusStack
from mffrepro.methods import CARDS, check_options, fuse, parse
from mffrepro.metrics.inputs import GRAYS, FusionInputs, GrayImage
from mffrepro.metrics.scoring import score
from mffrepro.progress import hidden

NAN = float("nan")
#: Seconds that a method may take for a pair of 520x520 to be one of "all".
LONGEST = 3600

Methods = str | Sequence[str] | Mapping[str, tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Entry:
    """Hold a row label, the method behind it and its options."""

    label: str
    method: str
    options: dict[str, Any]

    @property
    def options_text(self) -> str:
        """Write the options as a string, sorted, for the column of the table."""
        return json.dumps(self.options, sort_keys=True) if self.options else ""


def benchmark(
    methods: Methods,
    dataset: str | Dataset,
    metrics: str | Sequence[str] = "all",
    store: str | Path | None = None,
    client: Any = None,
    *,
    gray: str = "matlab",
    progress: bool = True,
) -> pd.DataFrame:
    """Fuse every stack by every method and score each result by every metric.

    Args:
        methods: Names such as ``"lp"`` or ``"gacn.published"``, a mapping from row labels to (name, options), or ``"all"``:
            every method that takes at most an hour for a pair, and networks also with all other weights that have a name.
        dataset: Name of a data set or a Dataset.
        metrics: Names, or ``"all"`` that apply to the stack.
        store: Parquet file to keep the rows in. Cells it already holds are not computed again, so a killed run goes on
            where it stopped; where a fusion failed it is tried once more.
        client: A ``dask.distributed`` client; the cells then run on its workers, with the same result.
        gray: Gray conversion of the metrics, ``"matlab"`` or ``"skimage"``.
        progress: Whether to show a bar on a terminal and in a notebook.

    Returns:
        Long format: dataset, stack, method, options, metric, gray, value, seconds, reason. A cell that cannot be computed
        has value NaN and says why in ``reason``; the others go on.

    Raises:
        OptionError: Unknown names or options, before anything runs.
    Chapter: 09_leaderboard
    """
    data = load(dataset) if isinstance(dataset, str) else dataset
    entries = _entries(methods)
    _check_metrics(metrics)
    if gray not in GRAYS:
        raise unknown("gray conversion", gray, GRAYS)
    kept = Store(store)
    jobs = _jobs(data, entries, metrics, gray, kept)
    cells, left = len(data) * len(entries), sum(len(job.todo) for job in jobs)
    with tqdm(total=cells, desc=data.name, unit="fusion", delay=2, disable=hidden(progress)) as bar:
        bar.update(cells - left)
        for rows in _run(jobs, data, client):
            kept.add(rows)
            bar.update()
    return _wanted(kept.table(), data, entries, metrics, gray)


def _entries(methods: Methods) -> list[Entry]:
    if isinstance(methods, str):
        methods = [name for name in every_method() if parse(name)[0].seconds <= LONGEST] if methods == "all" else [methods]
    pairs = methods.items() if isinstance(methods, Mapping) else ((name, (name, {})) for name in methods)
    entries = [Entry(label, name, dict(options)) for label, (name, options) in pairs]
    if not entries:
        raise OptionError("no method given; name at least one (see mffrepro list methods)")
    for entry in entries:
        check_options(entry.method, entry.options)
    return entries


def every_method() -> list[str]:
    """List all methods; each network has its shipped weights, then its published ones."""
    names = []
    for card in CARDS.values():
        states = [weights for weights in card.weights if weights != "random"] or ["default"]
        names += [card.name if weights == "default" else f"{card.name}.{weights}" for weights in states]
    return names


def _check_metrics(metrics: str | Sequence[str]) -> None:
    for name in [] if isinstance(metrics, str) and metrics in ("all", "everything") else _names(metrics):
        quality.get(name)


def _names(metrics: str | Sequence[str]) -> list[str]:
    return [metrics] if isinstance(metrics, str) else list(metrics)


@dataclass(frozen=True)
class Job:
    """Hold what is left to do on one stack: the metrics to compute for each entry."""

    dataset: str
    stack: str
    gray: str
    todo: tuple[tuple[Entry, tuple[str, ...]], ...]


def _jobs(data: Dataset, entries: list[Entry], metrics: str | Sequence[str], gray: str, kept: Store) -> list[Job]:
    jobs = []
    for stack in data.names:
        todo = []
        for entry in entries:
            key = {"dataset": data.name, "stack": stack, "method": entry.label, "options": entry.options_text, "gray": gray}
            missing = tuple(name for name in requested(metrics) if not kept.has(**key, metric=name))
            if missing:
                todo.append((entry, missing))
        if todo:
            jobs.append(Job(data.name, stack, gray, tuple(todo)))
    return jobs


def requested(metrics: str | Sequence[str]) -> list[str]:
    """List the metric names asked for.

    Those of "all" that do not apply to a stack are left out there with a reason.
    """
    if metrics == "all":
        return [card.name for card in quality.CARDS if card.variant_of is None]
    return quality.names() if metrics == "everything" else _names(metrics)


def _run(jobs: list[Job], data: Dataset, client: Any) -> Iterator[list[dict]]:
    """Yield the rows of one cell after the other, in whatever order they are done."""
    if client is None:
        for job in jobs:
            yield from score_job(job, data)
        return
    from distributed import as_completed

    cells = [replace(job, todo=(part,)) for job in jobs for part in job.todo]
    futures = {client.submit(_score_cell, cell, data, pure=False): cell for cell in cells}
    for future in as_completed(list(futures)):
        cell, error = futures.pop(future), future.exception()
        yield future.result() if error is None else next(_failed(cell, error))
        future.release()  # else the scheduler repeats it when the worker that holds its rows dies


def _score_cell(cell: Job, data: Dataset) -> list[dict]:
    return next(score_job(cell, data))


def score_job(job: Job, data: Dataset) -> Iterator[list[dict]]:
    """Yield the rows of one cell of a stack after the other.

    Where the stack cannot be read, all of its rows fail, and other stacks go on.
    """
    try:
        stack = data[job.stack]
        scene = quality.Scorer(stack, metrics=[], gray=job.gray).inputs
    except Exception as error:
        yield from _failed(job, error)
        return
    for entry, names in job.todo:
        yield _score_entry(job, entry, names, stack, scene)


def _failed(job: Job, error: Exception) -> Iterator[list[dict]]:
    for entry, names in job.todo:
        yield _rows(job, entry, dict.fromkeys(names, (NAN, _reason(error))), NAN)


def _score_entry(job: Job, entry: Entry, names: Sequence[str], stack: FocusStack, scene: FusionInputs) -> list[dict]:
    try:
        result = fuse(stack, entry.method, **entry.options)
        fused = scene.read_fused(result.image, result.shares)
    except Exception as error:
        return _rows(job, entry, dict.fromkeys(names, (NAN, _reason(error))), NAN)
    return _rows(job, entry, {name: _score(name, scene, fused) for name in names}, result.seconds)


def _score(name: str, scene: FusionInputs, fused: GrayImage) -> tuple[float, str]:
    try:
        return score(quality.get(name), scene, fused), ""
    except Exception as error:
        return NAN, _reason(error)


def _rows(job: Job, entry: Entry, values: Mapping[str, tuple[float, str]], seconds: float) -> list[dict]:
    common = {"dataset": job.dataset, "stack": job.stack, "method": entry.label, "options": entry.options_text, "gray": job.gray}
    return [
        common | {"metric": name, "value": value, "seconds": seconds, "reason": reason}
        for name, (value, reason) in values.items()
    ]


def _reason(error: Exception) -> str:
    """Describe an error in one line; no error of a cell may end a long run."""
    text = " ".join(str(error).split())
    return text if isinstance(error, MffError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _wanted(table: pd.DataFrame, data: Dataset, entries: list[Entry], metrics: str | Sequence[str], gray: str) -> pd.DataFrame:
    """Select the rows that were asked for, in the order of the arguments; a store may hold more."""
    order = {entry.label: i for i, entry in enumerate(entries)}
    options = {entry.label: entry.options_text for entry in entries}
    rows = table[(table.dataset == data.name) & (table.gray == gray) & table.method.isin(order) & table["stack"].isin(data.names)]
    rows = rows[rows.options == rows.method.map(options)]
    rows = rows[rows.metric.isin(requested(metrics))]
    place = pd.DataFrame(
        {
            "stack": rows["stack"].map(list(data.names).index),
            "method": rows.method.map(order),
            "metric": rows.metric.map(requested(metrics).index),
        }
    )
    return rows.loc[place.sort_values(["stack", "method", "metric"]).index].reset_index(drop=True)
