"""From rows to validation rows and dataslices (paper, section 4.1), in an order that only the rows decide."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from learnae.data.assignment import Keys, key_order, row_keys, validation_side
from learnae.data.rows import Raw
from learnae.data.spool import Spool, opened_spool
from learnae.errors import DataError
from learnae.values.manifest import Manifest

MAX_VALIDATION_ROWS = 100_000
"""The most validation rows that a peer keeps: every cycle scores a model on all of them."""

MAX_VALIDATION_BYTES = 64 << 20
"""The most memory that validation rows take."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """A table's rows, assigned and cut.

    Attributes:
        validation: float32 ``[rows, features + 1]``, in the order of their keys; never empty.
        slices: float32 ``[rows, features + 1]`` each, at most ``slice_size`` rows; together all training rows that are not
            known already, shuffled. To be read once, while the context is open.
        rows: How many rows there are.
        validation_rows: How many of them are for validation; more than in ``validation`` if that reached its maximum.
        training_rows: How many of them are for training, known ones included.
    """

    validation: Raw
    slices: Iterator[Raw]
    rows: int
    validation_rows: int
    training_rows: int


@contextmanager
def split_and_cut(
    chunks: Iterable[Raw],
    manifest: Manifest,
    *,
    spool: Path,
    known: Iterable[Raw] = (),
    max_validation_rows: int = MAX_VALIDATION_ROWS,
    needs_training: bool = True,
) -> Iterator[Assigned]:
    """Assign rows to validation or training, and shuffle and cut the training rows, by way of files.

    The result depends on which rows there are and on the manifest, not on their order. Memory is bounded by a chunk, the
    validation rows, and about a 256th of the training rows.

    Args:
        chunks: Rows as ``read_raw`` yields them.
        manifest: The session's terms.
        spool: A folder of one's own for temporary files: about as large as all rows in float32, plus 16 bytes a row.
        known: Slices cut earlier. Each of their rows takes one equal row away, so that a file that grew gives new slices only.
        max_validation_rows: Of more, those with the lowest keys are kept, and the others are not used at all.
        needs_training: Whether some row must be for training: not where sensors bring more.

    Raises:
        DataError: No row is left for training though one is needed, or none for validation.
        StateError: The folder cannot be used, or is full.
    """
    with opened_spool(spool) as shuffle:
        most = max(1, min(max_validation_rows, MAX_VALIDATION_BYTES // (4 * (len(manifest.features) + 1))))
        kept = _Lowest(most)
        training = 0
        for chunk in chunks:
            keys = row_keys(chunk, manifest.seed)
            aside = validation_side(keys, manifest.validation_share)
            kept.add(chunk[aside], keys[aside])
            training += int(np.count_nonzero(~aside))
            _spool(shuffle, chunk[~aside], keys[~aside])
        _check(training, kept.seen, manifest, needs_training=needs_training)
        for rows in known:
            if len(rows):
                shuffle.leave_out(row_keys(rows, manifest.seed))
        yield Assigned(
            validation=kept.rows(),
            slices=_cut_all(shuffle.ordered(), manifest.slice_size),
            rows=training + kept.seen,
            validation_rows=kept.seen,
            training_rows=training,
        )


def cut(raw: Raw, size: int) -> Iterator[Raw]:
    """Cut rows into pieces of at most ``size``, in their order: validation rows into slices for evaluation."""
    return (raw[start : start + size] for start in range(0, len(raw), size))


def _spool(shuffle: Spool, rows: Raw, keys: Keys) -> None:
    if len(rows):
        shuffle.add(rows + np.float32(0), keys)


def _cut_all(parts: Iterable[Raw], size: int) -> Iterator[Raw]:
    rest: Raw | None = None
    for part in parts:
        rows = part if rest is None else np.concatenate([rest, part])
        whole = len(rows) - len(rows) % size
        for piece in cut(rows[:whole], size):
            yield piece.copy()  # a view would keep the whole bucket in memory
        rest = rows[whole:].copy() if whole < len(rows) else None
    if rest is not None:
        yield rest


def _check(training: int, validation: int, manifest: Manifest, *, needs_training: bool) -> None:
    rows = training + validation
    terms = f"validation_share = {manifest.validation_share:g}, seed = {manifest.seed}"
    if not rows:
        raise DataError("there are no rows; a peer with data needs some for training and some for validation")
    if not validation:
        raise DataError(f"none of the {rows} rows falls to validation ({terms}); add rows, or join as a trainer without data")
    if needs_training and not training:
        raise DataError(
            f"none of the {rows} rows is left to train on ({terms}); add rows, read sensors, or join as a trainer without data"
        )


class _Lowest:
    """Keeps the rows with the lowest keys, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: list[Raw] = []
        self._keys: list[Keys] = []
        self._held = 0
        self.seen = 0

    def add(self, rows: Raw, keys: Keys) -> None:
        if not len(rows):
            return
        self._rows.append(rows + np.float32(0))
        self._keys.append(keys)
        self._held += len(rows)
        self.seen += len(rows)
        if self._held >= 2 * self._most:
            self._settle()

    def rows(self) -> Raw:
        self._settle()
        return self._rows[0]

    def _settle(self) -> None:
        keys, rows = np.concatenate(self._keys), np.concatenate(self._rows)
        order = key_order(keys)[: self._most]
        self._rows, self._keys, self._held = [rows[order]], [keys[order]], len(order)
