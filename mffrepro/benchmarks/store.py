"""Where a benchmark keeps its rows: one Parquet file, replaced whole after each cell.

Several processes may add to one file: each change is made to what the file holds at that moment, under a lock.
"""

import io
import math
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from mffrepro.errors import DataError, brief, first_line
from mffrepro.images import locked, write_atomically

#: Long format: one row per dataset x stack x method x metric.
COLUMNS = ("dataset", "stack", "method", "options", "metric", "gray", "value", "seconds", "reason")
KEY = ("dataset", "stack", "method", "options", "metric", "gray")
NUMBERS = ("value", "seconds")
TEXTS = tuple(name for name in COLUMNS if name not in NUMBERS)
#: Most rows of a file. All methods on all data sets with all metrics are some hundred thousand; a file of a few kilobytes can say
#: any number, and each row takes about a kilobyte of memory.
MOST_ROWS = 1_000_000
#: Most bytes that its rows take up unpacked, and most characters of a text; a file can also say how often a text is repeated.
MOST_BYTES, MOST_CHARACTERS = 1_000 * MOST_ROWS, 10_000

#: Most bytes of the file itself, and how its columns may be compressed. A file can say that it unpacks to little. What is packed
#: with Snappy, as pandas does, becomes some 20 times larger at most; with others a few kilobytes become gigabytes.
MOST_FILE, COMPRESSIONS = 32_000_000, {"SNAPPY", "UNCOMPRESSED"}


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
        """Add rows, replacing earlier ones of the same cells, and write the file.

        Raises:
            DataError: The file cannot be written, or a name is not UTF-8.
        """
        new = {_key(row): row for row in rows}
        _check_names(new)
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


def _check_names(keys: Iterable[tuple[str, ...]]) -> None:
    """Raise DataError for the name of a file in another encoding, which no table holds."""
    for name in chain.from_iterable(keys):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(f"{brief(name)} is not a name in UTF-8; rename that file or folder") from None


def _key(row: dict) -> tuple:
    return tuple(row[name] for name in KEY)


def _read(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    try:
        wrong = _too_large(path)
        if not wrong:
            with pq.ParquetFile(path) as outline:
                wrong = _beyond(outline.metadata) or _wrong_column(outline.schema_arrow)
        if not wrong:
            columns, wrong = _columns(path)
        if not wrong:
            return columns.to_pandas().astype(dict.fromkeys(TEXTS, object))
    except Exception as error:  # pyarrow raises its own kinds
        raise DataError(f"{path} is not a Parquet file ({first_line(error)}); give another store") from None
    raise DataError(f"{path} {wrong}; give another store")


def _columns(path: Path) -> tuple[Any, str]:
    """Read one column after the other, up to one that is wrong, and say what is wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    with pq.ParquetFile(path, read_dictionary=TEXTS) as file:  # a text is unpacked once, however many rows name it
        for name in COLUMNS:
            columns[name] = file.read(columns=[name]).column(name)
            if name in TEXTS and (wrong := _wrong_text(name, columns[name])):
                return None, wrong
    return pa.table(columns), ""


def _too_large(path: Path) -> str:
    return f"has more than a benchmark's {MOST_FILE / 1e6:g} MB" if path.stat().st_size > MOST_FILE else ""


def _beyond(described: Any) -> str:
    """Say what a file holds more of than a benchmark; it is not unpacked then."""
    if described.num_rows > MOST_ROWS:
        return f"has {described.num_rows} rows, more than a benchmark's {MOST_ROWS}"
    if sum(described.row_group(i).total_byte_size for i in range(described.num_row_groups)) > MOST_BYTES:
        return f"unpacks to more than a benchmark's {MOST_BYTES / 1e9:g} GB"
    if not _compressions(described) <= COMPRESSIONS:
        return "is compressed in another way than a benchmark's"
    return ""


def _compressions(described: Any) -> set[str]:
    groups = [described.row_group(i) for i in range(described.num_row_groups)]
    return {group.column(i).compression for group in groups for i in range(group.num_columns)}


def _wrong_column(schema: Any) -> str:
    """Say which column there is beside those of a benchmark, or which holds something else."""
    from pyarrow import types

    if tuple(schema.names) != COLUMNS:
        return "holds other columns than a benchmark's"
    number, text = (types.is_floating, types.is_integer), (types.is_string, types.is_large_string, types.is_null)
    for name in COLUMNS:
        if not any(fits(schema.field(name).type) for fits in (number if name in NUMBERS else text)):
            return f"holds in its column {name} other values than a benchmark's"
    return ""


def _wrong_text(name: str, column: Any) -> str:
    """Say which text is missing, or too long."""
    if not len(column):  # it has no type then
        return ""
    if column.null_count:
        return f"holds in its column {name} other values than a benchmark's"
    if any(len(text) > MOST_CHARACTERS for part in column.chunks for text in part.dictionary.to_pylist()):
        return f"holds a text of more than a benchmark's {MOST_CHARACTERS} characters"
    return ""
