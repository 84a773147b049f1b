"""Parquet tables, through pyarrow where it is installed."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnae.data.cells import Chunk, usable
from learnae.errors import ConfigError, DataError

BATCH_CELLS = 1 << 18
"""How many cells are decoded at a time."""

_Arrow = Any
"""An object of pyarrow's, which ships no types and may not be installed."""


def parquet_columns(path: Path) -> tuple[str, ...]:
    """Read the names of the columns.

    Raises:
        ConfigError: pyarrow is not installed, or the file is not there or cannot be opened.
        DataError: It is damaged or no Parquet file.
    """
    with _opened(path) as file:
        return tuple(str(name) for name in file.schema_arrow.names)


def read_parquet(path: Path, names: Sequence[str], numbers: Sequence[int], text: int | None) -> Iterator[Chunk]:
    """Yield the chosen columns in batches.

    Args:
        path: The file.
        names: All columns of the file.
        numbers: Positions of the columns to read as numbers; truth values become 0 and 1.
        text: Position of the column to read as text, if any.

    Raises:
        ConfigError: pyarrow is not installed, or the file is not there or cannot be opened.
        DataError: It is damaged, or a column to read as numbers holds something else.
    """
    arrow = _arrow()
    wanted = [names[column] for column in numbers]
    label = None if text is None else names[text]
    columns = list(dict.fromkeys([*wanted, *([] if label is None else [label])]))
    row = 1
    with _opened(path) as file:
        batches = file.iter_batches(batch_size=max(1, BATCH_CELLS // max(1, len(columns))), columns=columns)
        while True:
            try:
                batch = next(batches, None)
            except (arrow.ArrowException, OSError) as exc:
                raise DataError(f"{path}: damaged Parquet data at or after row {row}: {_first_line(exc)}") from exc
            if batch is None:
                return
            yield _chunk(path, row, batch, wanted, label)
            row += batch.num_rows


def _chunk(path: Path, row: int, batch: _Arrow, wanted: Sequence[str], label: str | None) -> Chunk:
    raw = np.empty((batch.num_rows, len(wanted)), dtype=np.float64)
    for index, name in enumerate(wanted):
        raw[:, index] = _as_numbers(path, name, batch.column(name))
    return usable(
        f"{path}: row ",
        np.arange(row, row + batch.num_rows, dtype=np.int64),
        raw,
        wanted,
        cell=lambda index, column: _text(batch.column(wanted[column])[index].as_py()),
        label=label,
        texts=[] if label is None else list(map(_text, batch.column(label).to_pylist())),
    )


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def _as_numbers(path: Path, name: str, column: _Arrow) -> NDArray[np.float64]:
    arrow = _arrow()
    try:
        if arrow.types.is_boolean(column.type):
            column = column.cast(arrow.uint8())
        elif not (
            arrow.types.is_integer(column.type) or arrow.types.is_floating(column.type) or arrow.types.is_decimal(column.type)
        ):
            raise DataError(f"{path}: column {name!r} holds {column.type}, not numbers; choose other features, or convert it")
        numbers: NDArray[np.float64] = column.cast(arrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    except arrow.ArrowException as exc:
        raise DataError(f"{path}: column {name!r} ({column.type}) cannot be read as numbers: {_first_line(exc)}") from exc
    return numbers


def _opened(path: Path) -> _Arrow:
    arrow = _arrow()
    try:
        return import_module("pyarrow.parquet").ParquetFile(path)
    except FileNotFoundError as exc:
        raise ConfigError(f"{path}: there is no such file") from exc
    except arrow.ArrowException as exc:
        raise DataError(f"{path}: no Parquet file, or a damaged one: {_first_line(exc)}") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be opened: {exc.strerror or _first_line(exc)}") from exc


def _arrow() -> _Arrow:
    try:
        return import_module("pyarrow")
    except ImportError as exc:
        raise ConfigError("reading Parquet needs pyarrow: pip install 'learnae[parquet]'; or convert the table to CSV") from exc


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0][:200]
