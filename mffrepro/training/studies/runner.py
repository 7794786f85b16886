"""Run a study row by row: each finished training is recorded at once, and the next call goes on with what is missing.

Several processes may run a study side by side, each with a row of its own: a small network does not keep a GPU busy.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from filelock import Timeout

from mffrepro.data.checkout import origin
from mffrepro.errors import DataError, first_line
from mffrepro.images import locked, write_atomically
from mffrepro.training.studies import Options, Row, Study, find, table_path

#: Columns of every study, beside its own: what a row was run on. A row of the same values is not run again.
SHARED = ("seed", "size", "data")


def run(name: str, options: Options, runs: str | Path = "runs", *, minutes: float = float("inf"), report=print) -> Path:
    """Run the rows of a study that are not recorded yet.

    A run that is killed loses no finished row; the training that was under way goes on after its last finished epoch. Processes
    that run the same study in the same folder share its rows.

    Args:
        name: A name of `mffrepro.training.studies.STUDIES`.
        options: What it is run on.
        runs: Folder for the run folders, in ``studies/NAME`` below it. The weights of each row stay there.
        minutes: No row begins after so many minutes.
        report: Called with a line of text before each row and at the end.

    Returns:
        Path of the table.

    Raises:
        OptionError: There is no such study.
        DataError: The package is not in a git checkout.
    """
    study, folder = find(name), Path(runs) / "studies" / name
    options = replace(options, real=options.real or study.real)
    described = origin(options.machine)  # refuses before the first training, not after it
    folder.mkdir(parents=True, exist_ok=True)
    progress, began = _Progress(study, options, name, report), time.monotonic()
    while rows := progress.left():
        if time.monotonic() - began > 60 * minutes:
            report(f"{len(rows)} rows are left; run the same command again to go on")
            break
        with _one_of(rows, folder) as row:
            if row is None:
                report(f"other processes train the last {len(rows)} rows")
                break
            if row in progress.left():  # another process may have finished it since
                progress.say(row)
                _finish(name, row, progress, folder / slug(row), described)
    else:
        report(f"all rows are recorded in {table_path(name)}")
    return table_path(name)


def read(name: str) -> pd.DataFrame:
    """Read the table of a study as it is recorded; empty where nothing is.

    Raises:
        DataError: The file is no table.
    """
    path = table_path(name)
    if not path.exists():
        return pd.DataFrame()
    try:
        return pd.read_csv(path, keep_default_na=False, na_values=["nan"])
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        raise DataError(f"{path} is not a table ({first_line(error)}); restore it from the repository") from None


@dataclass(frozen=True)
class _Progress:
    """Know which rows are left, and how long they take."""

    study: Study
    options: Options
    name: str
    report: Callable[[str], None]

    def left(self) -> list[Row]:
        """List the rows that are not recorded, all of one seed before those of the next."""
        shared, table = {"size": self.options.size, "data": self.options.data}, read(self.name)
        seeds = range(1, self.options.seeds + 1)
        wanted = [{**row, "seed": seed, **shared} for seed in seeds for row in self.study.rows(self.options)]
        return [row for row in wanted if not _recorded(row, table)]

    def say(self, row: Row) -> None:
        """Report what comes next, and how long the rest trains, by the mean of the rows of the same size so far."""
        left, table = len(self.left()), read(self.name)
        total = self.options.seeds * len(self.study.rows(self.options))
        same = table[table["size"] == self.options.size] if "size" in table else table
        each = pd.to_numeric(same["seconds"]).mean() if len(same) else float("nan")
        about = f", about {left * each / 60:.0f} minutes of training left" if each == each else ""
        self.report(f"{total - left} of {total} rows recorded{about}; now {label(row)}")


def _recorded(row: Row, table: pd.DataFrame) -> bool:
    if not {*row} <= {*table}:
        return False
    return bool((table[list(row)].astype(str) == pd.Series(row).astype(str)).all(axis=1).any())


@contextmanager
def _one_of(rows: list[Row], folder: Path) -> Iterator[Row | None]:
    """Keep other processes from the first row that none of them trains; None where they train all."""
    for row in rows:
        try:
            lock = locked(folder / f"{slug(row)}.row", seconds=0).acquire()
        except Timeout:
            continue
        with lock:
            yield row
        return
    yield None


def _finish(name: str, row: Row, progress: _Progress, run_folder: Path, described: Mapping[str, str]) -> None:
    """Train, score and record a row; tables of its own are kept as files beside the table of the study."""
    measured, path = progress.study.run(row, progress.options, run_folder), table_path(name)
    log = pd.read_csv(run_folder / "log.csv")
    measured |= {"seconds": round(log["seconds"].sum()), "curve": log}
    for column, table in measured.items():
        if isinstance(table, pd.DataFrame):
            measured[column] = f"{column}/{path.stem}/{run_folder.name}.csv"
            _write(table, path.parent / measured[column])
    with locked(path):  # another process may have recorded a row of its own since
        _write(pd.concat([read(name), pd.DataFrame([row | measured | described])], ignore_index=True), path)
    (run_folder / "last.pt").unlink(missing_ok=True)  # several times the size of the weights


def label(row: Row) -> str:
    """Name a row in words, such as ``"loss bce, seed 2"``."""
    own = [f"{key} {value or 'as it is'}" for key, value in row.items() if key not in SHARED]
    return ", ".join([*own, f"seed {row['seed']}"])


def slug(row: Row) -> str:
    """Name a row as a folder."""
    text = "-".join(str(value) for value in row.values() if value != "")
    return "".join(letter if letter.isalnum() or letter in "-.=" else "_" for letter in text)


def _write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
