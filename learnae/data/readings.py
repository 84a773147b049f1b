"""Readings of sensors as rows: the same schema check that a file's rows pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from learnae.data.rows import Schema
from learnae.data.targets import UNKNOWN, ClassIndex, is_classification, number_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Cell = str | int | float | bool | None
FLOAT32_MAX = float(np.finfo(np.float32).max)


class ReadingCheck:
    """Checks readings against a session's schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._index = ClassIndex(schema.classes) if is_classification(schema.task) else None

    def rows(self, readings: Sequence[Mapping[str, Cell] | None]) -> NDArray[np.float32]:
        """Return the readings that fit, in their order: float32 ``[rows, features + 1]``, unscaled, the target last.

        A reading fits if every feature is there as a finite number, or as text that is one, and the target is a class of the
        manifest, or a finite number for regression. Columns that the manifest does not name are ignored.
        """
        rows = [row for reading in readings if reading is not None and (row := self._row(reading)) is not None]
        return np.array(rows, dtype=np.float32).reshape(len(rows), len(self._schema.features) + 1)

    def complaint(self, reading: Mapping[str, Cell] | None) -> str:
        """Say why a reading does not fit; empty if it does."""
        if reading is None:
            return "it is no reading at all"
        for name in (*self._schema.features, self._schema.target):
            if name not in reading:
                return f"it has no column {name!r}"
        if self._row(reading) is not None:
            return ""
        wrong = [name for name in self._schema.features if not abs(_number(reading[name])) <= FLOAT32_MAX]
        name = wrong[0] if wrong else self._schema.target
        return f"{name} = {str(reading[name])[:50]!r}"

    def _row(self, reading: Mapping[str, Cell]) -> list[float] | None:
        features = [_number(reading.get(name)) for name in self._schema.features]
        target = self._target(reading.get(self._schema.target))
        row = [*features, target]
        fits = all(math.isfinite(value) and abs(value) <= FLOAT32_MAX for value in row)
        return row if fits else None

    def _target(self, cell: Cell) -> float:
        if self._index is None:
            return _number(cell)
        index = UNKNOWN if cell is None or isinstance(cell, bool) else self._index(str(cell).strip())
        return math.nan if index == UNKNOWN else index


def _number(cell: Cell) -> float:
    match cell:
        case bool() | None:
            return math.nan
        case int() | float():
            try:
                return float(cell)
            except OverflowError:
                return math.nan
        case str():
            value = number_of(cell.strip())
            return math.nan if value is None else value
