"""Run a study row by row: each finished training is recorded at once, and the next call goes on with what is missing."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from filelock import Timeout

from mffrepro.data.checkout import origin
from mffrepro.errors import DataError
from mffrepro.images import locked, write_atomically
from mffrepro.training.studies import Options, Row, Study, find, table_path
from mffrepro.training.trainer import read_log

#: Columns of every study, beside its own: what a row was run on. A row of the same values is not run again.
SHARED = ("seed", "size", "data")


def run(name: str, options: Options, runs: str | Path = "runs", *, minutes: float = float("inf"), report=print) -> Path:
    """Run the rows of a study that are not recorded yet.

    A run that is killed loses no finished row; the training that was under way goes on after its last finished epoch.

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
        DataError: Another process runs this study, or the package is not in a git checkout.
    """
    study, path, folder = find(name), table_path(name), Path(runs) / "studies" / name
    described = origin(options.machine)  # refuses before the first training, not after it
    folder.mkdir(parents=True, exist_ok=True)
    lock = locked(folder, seconds=0)
    try:
        lock.acquire()
    except Timeout:
        raise DataError(f"another process runs this study in {folder}; wait for it, or choose another folder") from None
    try:
        return _run(_Progress(study, options, read(name), minutes, report), path, folder, described)
    finally:
        lock.release()


def read(name: str) -> pd.DataFrame:
    """Read the table of a study as it is recorded; empty where nothing is."""
    path = table_path(name)
    if not path.exists():
        return pd.DataFrame()
    return pd.read_csv(path, keep_default_na=False, na_values=["nan"])


@dataclass
class _Progress:
    """Know which rows are left, and how long they take."""

    study: Study
    options: Options
    table: pd.DataFrame
    minutes: float
    report: Callable[[str], None]

    def left(self) -> list[Row]:
        """List the rows that are not recorded, all of one seed before those of the next."""
        shared = {"size": self.options.size, "data": self.options.data}
        seeds = range(1, self.options.seeds + 1)
        wanted = [{**row, "seed": seed, **shared} for seed in seeds for row in self.study.rows(self.options)]
        return [row for row in wanted if not self._recorded(row)]

    def _recorded(self, row: Row) -> bool:
        if not {*row} <= {*self.table}:
            return False
        return bool((self.table[list(row)].astype(str) == pd.Series(row).astype(str)).all(axis=1).any())

    def say(self, rows: list[Row]) -> None:
        """Report what comes next, and how long the rest trains, by the mean of the rows of the same size so far."""
        total = self.options.seeds * len(self.study.rows(self.options))
        same = self.table[self.table["size"] == self.options.size] if "size" in self.table else self.table
        each = pd.to_numeric(same["seconds"]).mean() if len(same) else float("nan")
        about = f", about {len(rows) * each / 60:.0f} minutes of training left" if each == each else ""
        self.report(f"{total - len(rows)} of {total} rows recorded{about}; now {label(rows[0])}")


def _run(progress: _Progress, path: Path, folder: Path, described: Mapping[str, str]) -> Path:
    began = time.monotonic()
    while rows := progress.left():
        if time.monotonic() - began > 60 * progress.minutes:
            progress.report(f"{len(rows)} rows are left; run the same command again to go on")
            return path
        progress.say(rows)
        row, run_folder = rows[0], folder / slug(rows[0])
        measured = progress.study.run(row, progress.options, run_folder)
        measured |= {"seconds": round(sum(line["seconds"] for line in read_log(run_folder / "log.csv")))}
        kept = {"curve": pd.read_csv(run_folder / "log.csv")} | {k: v for k, v in measured.items() if isinstance(v, pd.DataFrame)}
        measured |= {name: _keep(table, path.parent, f"{name}/{path.stem}/{run_folder.name}.csv") for name, table in kept.items()}
        progress.table = pd.concat([progress.table, pd.DataFrame([row | measured | described])], ignore_index=True)
        _write(progress.table, path)
        (run_folder / "last.pt").unlink(missing_ok=True)  # several times the size of the weights
    progress.report(f"all rows are recorded in {path}")
    return path


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


def _keep(table: pd.DataFrame, folder: Path, name: str) -> str:
    """Write what belongs to one row beside the table; return where."""
    _write(table, folder / name)
    return name
