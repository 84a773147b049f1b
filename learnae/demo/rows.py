"""The rows of a demo: drawn by lot, first those for the test, then each peer's own."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from learnae.data.assignment import key_order, row_keys
from learnae.data.describe import feature_columns
from learnae.data.distinct import Distinct
from learnae.data.rows import BadRows
from learnae.data.synthetic import synthetic_rows
from learnae.data.tables import read_table
from learnae.demo.plan import LEAST_TEST_ROWS, MOST_TEST_ROWS, DemoPlan
from learnae.errors import DataError, StateError
from learnae.values.choices import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows as they stand in a table.

    Attributes:
        features: float32 ``[rows, features]``, unscaled.
        targets: ``[rows]``, text.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.object_]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.targets)

    def cut(self, start: int, stop: int) -> Table:
        """Take some of the rows."""
        return Table(self.features[start:stop], self.targets[start:stop])


@dataclass(frozen=True, slots=True)
class DemoRows:
    """Who gets which rows; no row, and no row with equal features, is there twice.

    Attributes:
        features: Column names.
        label: The column to predict.
        task: What kind of target it is.
        test: Rows that no peer gets.
        peers: Each peer's own.
        skipped: Bad rows that were left out.
    """

    features: tuple[str, ...]
    label: str
    task: Task
    test: Table
    peers: tuple[Table, ...]
    skipped: int = 0


def deal_rows(plan: DemoPlan) -> DemoRows:
    """Draw the rows: the operator's own, read once in bounded memory, or synthetic ones. Equal plans give equal rows.

    Raises:
        ConfigError: No such file or column.
        DataError: A bad row that is not to be left out, or too few rows; the message says how many are needed.
    """
    dealt = plan.peers * plan.rows_per_peer
    if plan.data is None:
        columns, raw = synthetic_rows(dealt + MOST_TEST_ROWS, plan.seed)
        drawn = Table(raw[:, 1:], np.array([f"{int(value)}" for value in raw[:, 0]], dtype=object))
        test, peers = _dealt(plan, drawn)
        return DemoRows(columns[1:], columns[0], Task.BINARY, test, peers)
    label = plan.label or ""
    features = feature_columns(plan.data, label, plan.features or None, plan.exclude)
    bad_rows = BadRows(skip=plan.skip_bad_rows)
    draw = _Draw(dealt + MOST_TEST_ROWS, len(features), plan.seed)
    distinct = Distinct()
    for chunk in read_table(plan.data, features, label):
        bad_rows.take(chunk.faults)
        distinct.add(chunk.texts)
        draw.add(Table(chunk.numbers, np.array(chunk.texts, dtype=object)))
    drawn = draw.result()
    if len(drawn) < dealt + LEAST_TEST_ROWS:
        left_out = f" ({bad_rows.skipped} bad ones were left out)" if bad_rows.skipped else ""
        raise DataError(
            f"{plan.data}: {len(drawn)} different usable rows{left_out}; {plan.peers} peers with {plan.rows_per_peer} rows each "
            f"and {LEAST_TEST_ROWS} test rows need {dealt + LEAST_TEST_ROWS}: lower --peers or --rows-per-peer"
        )
    test, peers = _dealt(plan, drawn)
    return DemoRows(features, label, distinct.task(plan.data, label), test, peers, bad_rows.skipped)


def write_table(path: Path, header: Sequence[str], tables: Iterable[Table]) -> Path:
    """Write rows as CSV, the target first, so that the features read back bit for bit.

    Raises:
        StateError: It cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            for table in tables:
                for features, target in zip(table.features.tolist(), table.targets, strict=True):
                    writer.writerow([target, *(f"{value:.9g}" for value in features)])
    except OSError as exc:
        raise StateError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    return path


def _dealt(plan: DemoPlan, drawn: Table) -> tuple[Table, tuple[Table, ...]]:
    tests = min(MOST_TEST_ROWS, len(drawn) - plan.peers * plan.rows_per_peer)
    edges = range(tests, len(drawn) + 1, plan.rows_per_peer)
    return drawn.cut(0, tests), tuple(drawn.cut(start, stop) for start, stop in pairwise(edges))[: plan.peers]


class _Draw:
    """A sample without replacement among rows of different features, in memory bounded by its size.

    The rows whose keyed hashes come first are drawn, in the order of the hashes: neither the order of the table nor how often a
    row is there makes a difference.
    """

    def __init__(self, size: int, columns: int, seed: int) -> None:
        self._size = size
        # Peers assign rows to training and validation by hashes under the session's seed; these must not be the same.
        self._key = int.from_bytes(hashlib.blake2b(b"demo rows %d" % seed, digest_size=6).digest(), "big")
        self._held = Table(np.empty((0, columns), np.float32), np.empty(0, dtype=object))
        self._keys = row_keys(self._held.features, self._key)

    def add(self, table: Table) -> None:
        """Take the next rows of the table."""
        keys = np.concatenate([self._keys, row_keys(table.features, self._key)])
        order = key_order(keys)
        first = np.ones(len(order), dtype=bool)
        first[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
        chosen = order[first][: self._size]
        self._held = Table(
            np.concatenate([self._held.features, table.features])[chosen],
            np.concatenate([self._held.targets, table.targets])[chosen],
        )
        self._keys = keys[chosen]

    def result(self) -> Table:
        """Return what was drawn, in the order of the lot."""
        return self._held
