"""Tables on disk: CSV, gzipped CSV and Parquet behind one door, told apart by what they hold."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from learnae.data.cells import Chunk
from learnae.data.csv_table import csv_columns, read_csv
from learnae.data.parquet_table import parquet_columns, read_parquet
from learnae.errors import ConfigError, DataError

_PARQUET_MAGIC = b"PAR1"
_NAMES_SHOWN = 40


def columns_of(path: Path) -> tuple[str, ...]:
    """Read the names of a table's columns: without white space around them, byte-order mark, or a ``#`` that begins the header.

    Raises:
        ConfigError: The file is not there or cannot be opened, or it is Parquet and pyarrow is not installed.
        DataError: It is empty, damaged, no UTF-8 text, has no header, or two columns have one name.
    """
    names = parquet_columns(path) if _is_parquet(path) else csv_columns(path)
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise DataError(f"{path}: two columns are named {name!r}; rename or remove one")
        seen.add(name)
    return names


def read_table(path: Path, numbers: Sequence[str], text: str | None = None) -> Iterator[Chunk]:
    """Read some columns in bounded memory, a chunk of no stated size at a time.

    Args:
        path: CSV, gzipped CSV or Parquet.
        numbers: The columns to read as float32, in the order wanted.
        text: A column to read as text.

    Raises:
        ConfigError: As ``columns_of``, or a column is not in the table.
        DataError: As ``columns_of``, or the file is damaged further on. Rows that cannot be used are in ``Chunk.faults`` instead.
    """
    names = columns_of(path)
    positions = [_position(path, names, name) for name in numbers]
    text_position = None if text is None else _position(path, names, text)
    if _is_parquet(path):
        yield from read_parquet(path, names, positions, text_position)
    else:
        yield from read_csv(path, positions, text_position)


def missing_column(path: Path, names: Sequence[str], name: str) -> ConfigError:
    """Make the error for a column that a table lacks: what is there, and what may have been meant."""
    shown = ", ".join(names[:_NAMES_SHOWN]) + (f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else "")
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return ConfigError(f"{path}: there is no column {name!r}; there are: {shown}{hint}")


def _position(path: Path, names: Sequence[str], name: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise missing_column(path, names, name) from None


def _is_parquet(path: Path) -> bool:
    if path.suffix.lower() in {".parquet", ".pq"}:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
    except OSError:
        return False  # the reader of CSV says what is the matter
