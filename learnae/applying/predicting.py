"""Predictions for a whole table, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from learnae.applying.model import Model
from learnae.data.cells import Chunk, Fault, shown
from learnae.data.rows import BadRows
from learnae.data.tables import read_table
from learnae.data.targets import UNKNOWN, ClassIndex
from learnae.errors import DataError
from learnae.values.choices import Task
from learnae.values.metrics import WORST
from learnae.values.scores import Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_AT_ONCE = 8_192


@dataclass(frozen=True, slots=True)
class Predicted:
    """Predictions for some consecutive rows.

    Attributes:
        lines: int64 ``[rows]``: line in the file, from 1; in Parquet the row, from 1.
        predictions: ``[rows]``: class names, or float32 values for a regression.
        probabilities: float32 ``[rows, classes]``, if they were asked for.
        score: How right the predictions are, if that was asked for.
        targets: float64 ``[rows]``: the true values of a regression, with the score.
    """

    lines: NDArray[np.int64]
    predictions: NDArray[Any]
    probabilities: NDArray[np.float32] | None = None
    score: Score | None = None
    targets: NDArray[np.float64] | None = None


def predict_table(
    model: Model, path: Path, *, bad_rows: BadRows, probabilities: bool = False, score: bool = False
) -> Iterator[Predicted]:
    """Predict every row of a table, some thousand at a time.

    Args:
        model: Its features are found in the table by name; other columns do not matter.
        path: CSV, gzipped CSV or Parquet.
        bad_rows: What becomes of rows that cannot be used.
        probabilities: Also say how likely each class is.
        score: Also compare with the target, which must be there then; else it may be absent.

    Raises:
        ConfigError: No such file or column.
        DataError: The file is damaged, or holds a bad row that is not to be left out.
        UsageError: Probabilities of a regression.
    """
    for lines, features, targets in _rows(model, path, bad_rows, with_target=score):
        for start in range(0, len(lines), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            found = targets[part] if targets is not None else None
            yield Predicted(
                lines[part],
                model.predict(features[part]),
                model.predict_proba(features[part]) if probabilities else None,
                model.score(features[part], found) if found is not None else None,
                found.astype(np.float64) if found is not None and model.manifest.task is Task.REGRESSION else None,
            )


class Tally:
    """One score of all the parts of a table; means and deviations are merged in float64 (Chan, Golub and LeVeque, 1983)."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._rows = 0
        self._accuracy = 0.0
        self._loss = 0.0
        self._mean = 0.0
        self._deviations = 0.0

    def add(self, part: Predicted) -> None:
        """Take the score of a part."""
        assert part.score is not None, "predict_table was asked for scores"  # noqa: S101
        rows = self._rows + part.score.rows
        weight = part.score.rows / rows
        self._loss += weight * (part.score.loss - self._loss)
        self._accuracy += weight * (part.score.accuracy - self._accuracy)
        if part.targets is not None:
            mean = float(part.targets.mean())
            delta = mean - self._mean
            self._deviations += float(np.square(part.targets - mean).sum()) + delta * delta * self._rows * weight
            self._mean += weight * delta
        self._rows = rows

    def score(self, path: Path) -> Score:
        """Return the score of all.

        Raises:
            DataError: There were no rows.
        """
        if not self._rows:
            raise DataError(f"{path}: there are no usable rows to score")
        accuracy = self._accuracy
        if self._task is Task.REGRESSION:
            residual = 2.0 * self._loss * self._rows
            flat = 1.0 if residual == 0.0 else 0.0
            accuracy = max(1.0 - residual / self._deviations, -WORST) if self._deviations > 0.0 else flat
        return Score(accuracy, self._loss, self._rows)


_Part = tuple["NDArray[np.int64]", "NDArray[np.float32]", "NDArray[Any] | None"]


def _rows(model: Model, path: Path, bad_rows: BadRows, *, with_target: bool) -> Iterator[_Part]:
    manifest = model.manifest
    if not with_target:
        for chunk in read_table(path, manifest.features):
            bad_rows.take(chunk.faults)
            yield chunk.lines, chunk.numbers, None
    elif manifest.task is Task.REGRESSION:
        for chunk in read_table(path, (*manifest.features, manifest.target)):
            bad_rows.take(chunk.faults)
            yield chunk.lines, chunk.numbers[:, :-1], chunk.numbers[:, -1]
    else:
        index_of = ClassIndex(manifest.classes)
        for chunk in read_table(path, manifest.features, manifest.target):
            known = np.fromiter((index_of(text) != UNKNOWN for text in chunk.texts), np.bool_, len(chunk.texts))
            bad_rows.take([*chunk.faults, *_strangers(model, chunk, known)])
            yield chunk.lines[known], chunk.numbers[known], np.array(chunk.texts, dtype=object)[known]


def _strangers(model: Model, chunk: Chunk, known: NDArray[np.bool_]) -> Iterator[Fault]:
    accepted = ", ".join(model.classes[:20]) + (", ..." if len(model.classes) > 20 else "")
    for index in np.flatnonzero(~known).tolist():
        line = int(chunk.lines[index])
        what = f"{shown(chunk.texts[index])} is no class of this session, which has: {accepted}"
        yield Fault(line, f"{chunk.where}{line}: column {model.manifest.target!r}: {what}")
