"""Comma-separated tables, plain or gzipped, in bounded memory whatever the file holds."""

import csv
import gzip
import re
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from learnae.data.cells import Chunk, Fault, usable
from learnae.errors import ConfigError, DataError

BLOCK_BYTES = 1 << 20
"""How much text is parsed at a time: cells as Python strings take some ten times their text."""

MAX_LINE_BYTES = 4 << 20
"""A longer line is no row of a table; it is refused before it is read."""

_GZIP_MAGIC = b"\x1f\x8b"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class _Lines:
    """Some lines of a file, without their ends; ``first`` is the number of the first, from 1."""

    first: int
    content: list[str]


def csv_columns(path: Path) -> tuple[str, ...]:
    """Read the header.

    Raises:
        ConfigError: The file is not there or cannot be opened.
        DataError: It is empty, damaged, no UTF-8 text, or has no usable header.
    """
    with closing(_blocks(path)) as blocks:
        return _header(path, blocks)[0]


def read_csv(path: Path, numbers: Sequence[int], text: int | None) -> Iterator[Chunk]:
    """Yield the chosen columns, about a megabyte of text at a time. Blank lines are no rows.

    Args:
        path: The file.
        numbers: Positions of the columns to read as numbers.
        text: Position of the column to read as text, if any.

    Raises:
        ConfigError: The file is not there or cannot be opened.
        DataError: It is damaged, no UTF-8 text, has a line of more than ``MAX_LINE_BYTES`` bytes, or has no usable header.
    """
    with closing(_blocks(path)) as blocks:
        names, rest = _header(path, blocks)
        for lines in chain([rest], blocks):
            chunk = _parse(lines, path, names, numbers, text)
            if len(chunk.lines) or chunk.faults:
                yield chunk


def is_number(cell: str) -> bool:
    """Say whether a cell is a finite decimal number, as a spreadsheet or NumPy writes it: no underscores, no words."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def _parse(lines: _Lines, path: Path, names: Sequence[str], numbers: Sequence[int], text: int | None) -> Chunk:
    rows, at, faults = _rows(lines, path, len(names))
    strict = any("_" in line for line in lines.content)  # float() takes 1_000, a table does not
    chunk = usable(
        f"{path}:",
        at,
        _numbers(rows, numbers, strict=strict),
        [names[column] for column in numbers],
        cell=lambda row, column: rows[row][numbers[column]].strip(),
        label=None if text is None else names[text],
        texts=[row[text].strip() for row in rows] if text is not None else [],
    )
    if not faults:
        return chunk
    return replace(chunk, faults=sorted([*faults, *chunk.faults], key=lambda fault: fault.line))


def _rows(lines: _Lines, path: Path, width: int) -> tuple[list[list[str]], NDArray[np.int64], list[Fault]]:
    """Divide lines into cells: all at once if every line is as wide as the header, else one by one to find the others."""
    open_quote = any(line.count('"') % 2 for line in lines.content)
    try:
        rows = [] if open_quote else list(csv.reader(lines.content, strict=True))
    except csv.Error:
        rows = []
    if len(rows) == len(lines.content) and set(map(len, rows)) <= {width}:
        return rows, np.arange(lines.first, lines.first + len(rows), dtype=np.int64), []
    rows, at, faults = [], [], []
    for line, content in enumerate(lines.content, lines.first):
        if not content.strip():
            continue
        try:
            row = next(csv.reader([content], strict=True))
            if content.count('"') % 2:  # half of a cell that goes on in another line may look like a row
                raise csv.Error("a quote is left open")
        except csv.Error as exc:
            faults.append(Fault(line, f"{path}:{line}: not a row of a table, which is one line with closed quotes: {exc}"))
            continue
        if len(row) == width:
            rows.append(row)
            at.append(line)
        else:
            faults.append(Fault(line, f"{path}:{line}: {len(row)} cells where the header names {width} columns"))
    return rows, np.array(at, dtype=np.int64), faults


def _numbers(rows: list[list[str]], columns: Sequence[int], *, strict: bool) -> NDArray[np.float64]:
    """Read cells as numbers; NaN stands for what is none."""
    shape = (len(rows), len(columns))
    if strict:
        return np.fromiter(map(_number, _cells(rows, columns)), np.float64, shape[0] * shape[1]).reshape(shape)
    try:
        return np.fromiter(map(float, _cells(rows, columns)), np.float64, shape[0] * shape[1]).reshape(shape)
    except ValueError:
        return _numbers(rows, columns, strict=True)


def _cells(rows: list[list[str]], columns: Sequence[int]) -> Iterable[str]:
    if len(columns) < 2:  # itemgetter of one column returns the cell itself, of none it is an error
        return (row[column] for row in rows for column in columns)
    return chain.from_iterable(map(itemgetter(*columns), rows))


def _number(cell: str) -> float:
    return float(cell) if is_number(cell) else float("nan")


def _header(path: Path, blocks: Iterator[_Lines]) -> tuple[tuple[str, ...], _Lines]:
    """Return the column names, and the lines after them."""
    for lines in blocks:
        for index, line in enumerate(lines.content):
            if line.strip():
                at = lines.first + index
                return _names(path, at, line), _Lines(at + 1, lines.content[index + 1 :])
    raise DataError(f"{path}: the file is empty; a table begins with a line of column names")


def _names(path: Path, line: int, content: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([content.removeprefix("#")], strict=True, skipinitialspace=True))
    except csv.Error as exc:
        raise DataError(f"{path}:{line}: this header cannot be read: {exc}") from exc
    names = tuple(cell.strip() for cell in cells)
    if all(is_number(name) for name in names):
        raise DataError(f"{path}:{line}: numbers where column names should be; put a header line such as 'label,f0,f1' first")
    return names


def _blocks(path: Path) -> Generator[_Lines, None, None]:
    """Yield whole lines without their ends, some at a time."""
    line, rest = 1, b""
    with _opened(path) as file:
        while block := _read(path, file, line):
            head, newline, tail = block.rpartition(b"\n")
            if not newline:
                rest += tail
                if len(rest) > MAX_LINE_BYTES:
                    raise DataError(
                        f"{path}:{line}: a line of more than {MAX_LINE_BYTES:,} bytes; is this a table, one row a line?"
                    )
                continue
            lines = _decoded(path, line, rest + head)
            yield lines
            line, rest = line + len(lines.content), tail
        if rest:
            yield _decoded(path, line, rest)


def _decoded(path: Path, line: int, block: bytes) -> _Lines:
    try:
        text = block.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as exc:
        at = line + block[: exc.start].count(b"\n")
        byte = block[exc.start]
        raise DataError(f"{path}:{at}: byte 0x{byte:02x} is not UTF-8 text; save the table in the encoding UTF-8") from exc
    return _Lines(line, text.replace("\r\n", "\n").removesuffix("\r").split("\n"))


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
        if file.read(2) == _GZIP_MAGIC:
            file.close()
            return cast("BinaryIO", gzip.open(path, "rb"))
        file.seek(0)
    except FileNotFoundError as exc:
        raise ConfigError(f"{path}: there is no such file") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be opened: {exc.strerror or exc}") from exc
    return file


def _read(path: Path, file: BinaryIO, line: int) -> bytes:
    try:
        return file.read(BLOCK_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as exc:
        raise DataError(f"{path}: damaged gzip data after line {line - 1}: {exc}; fetch or write the file anew") from exc
    except OSError as exc:
        raise DataError(f"{path}: cannot be read after line {line - 1}: {exc.strerror or exc}") from exc
