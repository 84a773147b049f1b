"""Rows as the session defines them: features in the manifest's order, then the target, float32."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learnae.data.cells import Chunk, Fault, shown
from learnae.data.tables import read_table
from learnae.data.targets import UNKNOWN, ClassIndex, is_classification
from learnae.errors import DataError
from learnae.values.arrays import Rows
from learnae.values.choices import Task
from learnae.values.manifest import Manifest

Raw = NDArray[np.float32]
"""float32 ``[rows, features + 1]``, finite, unscaled; the last column is the class index or the value to predict."""

CHUNK_BYTES = 32 << 20
"""The most that one chunk of rows takes, however many rows were asked for."""


class Schema(Protocol):
    """Which columns, and what the target means; a manifest is one."""

    @property
    def features(self) -> tuple[str, ...]:
        """Column names, in order."""

    @property
    def target(self) -> str:
        """The column to predict."""

    @property
    def task(self) -> Task:
        """What kind of target it is."""

    @property
    def classes(self) -> tuple[str, ...]:
        """For classification, the target's values in the order of class indices."""


class BadRows:
    """What becomes of rows that cannot be used: the first is an error, or all are left out and counted.

    Attributes:
        skip: Whether they are left out.
        skipped: How many were left out so far.
        first: What was wrong with the first of them.
    """

    def __init__(self, *, skip: bool = False) -> None:
        self.skip = skip
        self.skipped = 0
        self.first: str | None = None

    def take(self, faults: Sequence[Fault]) -> None:
        """Count faults of rows of one chunk.

        Raises:
            DataError: There is one, and they are not to be left out. The message names file, line and column of the first.
        """
        if not faults:
            return
        first = min(faults, key=lambda fault: fault.line)
        if not self.skip:
            raise DataError(f"{first.text}; --skip-bad-rows leaves such rows out")
        self.first = self.first or first.text
        self.skipped += len(faults)


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """Rows without their target.

    Attributes:
        lines: int64 ``[rows]``: line in the file, from 1; in Parquet the row, from 1.
        features: float32 ``[rows, features]``, unscaled.
    """

    lines: NDArray[np.int64]
    features: NDArray[np.float32]


def read_raw(path: Path, schema: Schema, *, bad_rows: BadRows, chunk_rows: int = 65_536) -> Iterator[Raw]:
    """Read a table in bounded memory.

    Args:
        path: CSV, gzipped CSV or Parquet.
        schema: The manifest, or anything else with its columns, task and classes.
        bad_rows: What becomes of a row with a cell that is no number finite in float32, or with an unknown class.
        chunk_rows: The most rows at a time; fewer where they would take more than ``CHUNK_BYTES``.

    Yields:
        At least one row each time, in the order of the file; a class is found by its text or its value (``1.0`` is class ``1``).

    Raises:
        ConfigError: No such file or column, or Parquet without pyarrow.
        DataError: The file is damaged, or holds a bad row that is not to be left out.
    """
    return _grouped(_raw_chunks(path, schema, bad_rows), _rows_in_chunk(chunk_rows, len(schema.features) + 1))


def read_features(path: Path, schema: Schema, *, bad_rows: BadRows, chunk_rows: int = 65_536) -> Iterator[FeatureRows]:
    """Read the features of a table that need not have a target; otherwise as ``read_raw``."""
    most = _rows_in_chunk(chunk_rows, len(schema.features))
    for chunk in read_table(path, schema.features):
        bad_rows.take(chunk.faults)
        for start in range(0, len(chunk.lines), most):
            yield FeatureRows(chunk.lines[start : start + most], chunk.numbers[start : start + most])


def to_rows(raw: Raw, manifest: Manifest) -> Rows:
    """Scale raw rows by the manifest.

    The arithmetic is float64; what does not fit into float32 then becomes its largest value, so that nothing is infinite.
    """
    return Rows(features=scaled(raw[:, :-1], manifest), targets=np.ascontiguousarray(raw[:, -1]))


def scaled(features: NDArray[np.float32], manifest: Manifest) -> NDArray[np.float32]:
    """Return ``(features - centre) / scale`` as float32 ``[rows, features]``."""
    largest = float(np.finfo(np.float32).max)
    values = (features.astype(np.float64) - np.array(manifest.centre)) / np.array(manifest.scale)
    within: NDArray[np.float64] = np.clip(values, -largest, largest)
    return within.astype(np.float32)


def _raw_chunks(path: Path, schema: Schema, bad_rows: BadRows) -> Iterator[Raw]:
    if not is_classification(schema.task):
        for chunk in read_table(path, (*schema.features, schema.target)):
            bad_rows.take(chunk.faults)
            yield chunk.numbers
        return
    index_of = ClassIndex(schema.classes)
    for chunk in read_table(path, schema.features, schema.target):
        targets = np.fromiter(map(index_of, chunk.texts), np.float32, len(chunk.texts))
        known = targets != UNKNOWN
        if known.all():
            bad_rows.take(chunk.faults)
            yield np.column_stack([chunk.numbers, targets])
        else:
            bad_rows.take([*chunk.faults, *_unknown(schema, chunk, known)])
            yield np.column_stack([chunk.numbers, targets])[known]


def _unknown(schema: Schema, chunk: Chunk, known: NDArray[np.bool_]) -> Iterator[Fault]:
    accepted = ", ".join(schema.classes[:20]) + (", ..." if len(schema.classes) > 20 else "")
    for index in np.flatnonzero(~known).tolist():
        line = int(chunk.lines[index])
        what = f"{shown(chunk.texts[index])} is no class of this session, which has: {accepted}"
        yield Fault(line, f"{chunk.where}{line}: column {schema.target!r}: {what}")


def _rows_in_chunk(chunk_rows: int, columns: int) -> int:
    return max(1, min(chunk_rows, CHUNK_BYTES // (4 * columns)))


def _grouped(chunks: Iterable[Raw], most: int) -> Iterator[Raw]:
    """Join small chunks and divide large ones, so that each but the last has ``most`` rows."""
    held: list[Raw] = []
    count = 0
    for chunk in chunks:
        rest = chunk
        while count + len(rest) >= most:
            held.append(rest[: most - count])
            rest = rest[most - count :]
            yield np.concatenate(held)
            held, count = [], 0
        if len(rest):
            held.append(rest)
            count += len(rest)
    if held:
        yield np.concatenate(held)
