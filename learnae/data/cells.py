"""What a reader of tables yields: cells of some consecutive rows, and the rows among them that cannot be used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one row cannot be used.

    Attributes:
        line: The row's line in its file, from 1; in Parquet its row, from 1.
        text: A sentence that names file, line and column.
    """

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """The chosen columns of some consecutive rows; rows that cannot be used are in ``faults`` and nowhere else.

    Attributes:
        where: What stands before a line's number in messages: the file and a colon, or ``row`` in Parquet.
        lines: int64 ``[rows]``: line in the file, from 1; in Parquet the row, from 1.
        numbers: float32 ``[rows, numbers]``, finite, without negative zeros.
        texts: The cells of the text column, stripped and never empty; empty where none was asked for.
        faults: At most one a row, in the order of the file.
    """

    where: str
    lines: NDArray[np.int64]
    numbers: NDArray[np.float32]
    texts: Sequence[str]
    faults: Sequence[Fault]


def finite_float32(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Round to float32 and say which values are finite then; negative zeros become zeros, so that equal rows are equal bytes."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rounded = numbers.astype(np.float32) + np.float32(0)
    return rounded, np.isfinite(rounded)


def shown(cell: str) -> str:
    """Quote a cell for a message; a long one is cut."""
    return repr(cell if len(cell) <= 60 else cell[:57] + "...")


def usable(
    where: str,
    lines: NDArray[np.int64],
    raw: NDArray[np.float64],
    names: Sequence[str],
    *,
    cell: Callable[[int, int], str],
    label: str | None,
    texts: Sequence[str],
) -> Chunk:
    """Separate rows that can be used from rows that cannot.

    Args:
        where: What stands before a line's number in messages.
        lines: int64 ``[rows]``.
        raw: float64 ``[rows, numbers]``; NaN for a cell that is no number.
        names: Of the columns of numbers.
        cell: Finds the text of a cell by row and column, for messages.
        label: The name of the text column, if one was asked for.
        texts: Its cells.
    """
    numbers, finite = finite_float32(raw)
    good = finite.all(axis=1)
    if label is not None and not all(texts):
        good &= np.fromiter(map(bool, texts), np.bool_, len(texts))
    if good.all():
        return Chunk(where, lines, numbers, texts, ())
    faults = []
    for row in np.flatnonzero(~good).tolist():
        wrong = np.flatnonzero(~finite[row]).tolist()
        name = names[wrong[0]] if wrong else label
        text = cell(row, wrong[0]) if wrong else ""
        what = f"{shown(text)} is not a finite number" if text else "the cell is empty"
        faults.append(Fault(int(lines[row]), f"{where}{lines[row]}: column {name!r}: {what}"))
    kept = [texts[row] for row in np.flatnonzero(good).tolist()] if label is not None else []
    return Chunk(where, lines[good], numbers[good], kept, faults)
