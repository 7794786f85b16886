"""Where a benchmark keeps its rows: one Parquet file, replaced whole after each cell.

Several processes may add to one file: each change is made to what the file holds at that moment, under a lock.
"""

import io
import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mffrepro.errors import DataError, first_line
from mffrepro.images import locked, write_atomically

#: Long format: one row per dataset x stack x method x metric.
COLUMNS = ("dataset", "stack", "method", "options", "metric", "gray", "value", "seconds", "reason")
KEY = ("dataset", "stack", "method", "options", "metric", "gray")
NUMBERS = ("value", "seconds")
#: Most rows of a file. All methods on all data sets with all metrics are some hundred thousand; a file of a few kilobytes can say
#: any number, and each row takes about a kilobyte of memory.
MOST_ROWS = 1_000_000


class Store:
    """Store rows of finished cells, in memory or in a file.

    Args:
        path: A ``.parquet`` file, made when the first rows arrive; None keeps the rows in memory only.

    Raises:
        DataError: The file exists and is not such a store.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.rows: dict[tuple, dict] = {}
        if self.path is not None and self.path.exists():
            self._take_in()

    def _take_in(self) -> None:
        """Take in the rows of the file, which other processes may have added."""
        for row in _read(self.path).to_dict("records"):
            self.rows[_key(row)] = row

    def has(self, **key: str) -> bool:
        """Tell whether a cell is done; failed cells count as missing and are retried."""
        row = self.rows.get(_key(key))
        return row is not None and not math.isnan(row["seconds"])

    def add(self, rows: Iterable[dict]) -> None:
        """Add rows, replacing earlier ones of the same cells, and write the file."""
        new = {_key(row): row for row in rows}
        if self.path is None:
            self.rows |= new
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path):
                if self.path.exists():
                    self._take_in()
                self.rows |= new
                buffer = io.BytesIO()
                self.table().to_parquet(buffer, index=False)
                write_atomically(self.path, buffer.getvalue())
        except OSError as error:
            raise DataError(f"{self.path} cannot be written ({error.strerror}); choose another store") from None

    def table(self) -> pd.DataFrame:
        """Return all rows, sorted.

        The same cells give the same file whatever the order in which they were computed.
        """
        frame = pd.DataFrame(list(self.rows.values()), columns=list(COLUMNS))
        frame = frame.astype({"value": float, "seconds": float})
        return frame.sort_values(list(KEY), ignore_index=True)


def _key(row: dict) -> tuple:
    return tuple(row[name] for name in KEY)


def _read(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    try:
        rows = pq.read_metadata(path).num_rows
        frame = None if rows > MOST_ROWS else pd.read_parquet(path)
    except Exception as error:  # pyarrow raises its own kinds
        raise DataError(f"{path} is not a Parquet file ({first_line(error)}); give another store") from None
    if frame is None:
        raise DataError(f"{path} has {rows} rows, more than a benchmark's {MOST_ROWS}; give another store")
    if tuple(frame.columns) != COLUMNS:
        raise DataError(f"{path} holds other columns than a benchmark's; give another store")
    _check_types(frame, path)
    return frame


def _check_types(frame: pd.DataFrame, path: Path) -> None:
    """Raise DataError for a column that holds no numbers, or no text without gaps."""
    for name in COLUMNS if len(frame) else ():
        column, kinds = frame[name], ("floating", "integer") if name in NUMBERS else ("string",)
        gaps = name not in NUMBERS and column.isna().any()
        if gaps or pd.api.types.infer_dtype(column, skipna=False) not in kinds:
            raise DataError(f"{path} holds in its column {name} other values than a benchmark's; give another store")
