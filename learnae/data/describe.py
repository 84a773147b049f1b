"""What a session needs to know of a table: columns, task, classes, scaling."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learnae.data.assignment import row_keys, validation_side
from learnae.data.distinct import Distinct
from learnae.data.rows import BadRows, read_raw
from learnae.data.tables import columns_of, missing_column, read_table
from learnae.data.targets import is_classification
from learnae.errors import ConfigError, DataError
from learnae.values.choices import Task

_LARGEST = 1e30
_SMALLEST = 1e-30


class Scaling(StrEnum):
    """Where centre and scale of the features come from."""

    DATA = "data"
    """Mean and standard deviation of the training rows, which tells others something about them."""
    NONE = "none"
    """Centre 0 and scale 1: nothing is told."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a session uses, and what its target means; a schema for ``read_raw``."""

    features: tuple[str, ...]
    target: str
    task: Task
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """What a manifest says of data.

    Attributes:
        features: Column names, in the order of the model's inputs.
        target: The column to predict.
        task: What kind of target it is.
        classes: For classification, its values in the order of class indices; else empty.
        centre: Per feature, to subtract.
        scale: Per feature, to divide by after that; positive, 1 for a constant column.
        rows: Usable rows.
        training_rows: How many of them are for training.
        skipped: Rows left out.
    """

    features: tuple[str, ...]
    target: str
    task: Task
    classes: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    rows: int
    training_rows: int
    skipped: int


def describe(
    path: Path,
    *,
    label: str,
    features: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    task: Task | None = None,
    bad_rows: BadRows,
    validation_share: float,
    seed: int,
    scaling: Scaling = Scaling.NONE,
) -> Description:
    """Read a table twice, in bounded memory: for the target's values, then for the scaling.

    Args:
        path: CSV, gzipped CSV or Parquet.
        label: The column to predict.
        features: The model's inputs, in order; ``None`` takes all other columns, in the table's order.
        exclude: Columns that are no features.
        task: ``None`` infers it from the target's values.
        bad_rows: What becomes of rows that cannot be used.
        validation_share: The manifest's: scaling never sees validation rows.
        seed: The manifest's.
        scaling: Whether rows may show in centre and scale.

    Raises:
        ConfigError: No such file or column, or columns that contradict each other.
        DataError: The file is damaged, holds a bad row that is not to be left out, or its target cannot be predicted.
    """
    chosen = feature_columns(path, label, features, exclude)
    distinct = Distinct()
    first_pass = BadRows(skip=bad_rows.skip)
    for chunk in read_table(path, chosen, label):
        first_pass.take(chunk.faults)
        distinct.add(chunk.texts)
    if not len(distinct) and not distinct.overflowed:
        left_out = f"; {first_pass.skipped} were left out, the first: {first_pass.first}" if first_pass.skipped else ""
        raise DataError(f"{path}: there are no usable rows{left_out}")
    task = task or distinct.task(path, label)
    classes = distinct.classes(path, label, task) if is_classification(task) else ()
    before = bad_rows.skipped
    rows, moments = 0, _Moments(len(chosen))
    for raw in read_raw(path, Columns(chosen, label, task, classes), bad_rows=bad_rows):
        rows += len(raw)
        moments.add(raw[~validation_side(row_keys(raw, seed), validation_share), :-1])
    centre, scale = (0.0,) * len(chosen), (1.0,) * len(chosen)
    if scaling is Scaling.DATA:
        if not moments.rows:
            raise DataError(
                f"{path}: none of the {rows} rows is for training, so there is nothing to take the scaling from; add rows"
            )
        centre, scale = moments.scaling(path, chosen)
    return Description(
        features=chosen,
        target=label,
        task=task,
        classes=classes,
        centre=centre,
        scale=scale,
        rows=rows,
        training_rows=moments.rows,
        skipped=bad_rows.skipped - before,
    )


def feature_columns(path: Path, label: str, features: Sequence[str] | None, exclude: Sequence[str]) -> tuple[str, ...]:
    """Choose the model's inputs from a table's header; arguments as for ``describe``.

    Raises:
        ConfigError: No such file or column, or columns that contradict each other.
        DataError: The header cannot be read.
    """
    names = columns_of(path)
    for name in (label, *(features or ()), *exclude):
        if name not in names:
            raise missing_column(path, names, name)
    chosen = tuple(name for name in (names if features is None else features) if name not in exclude and name != label)
    if features is not None and label in features:
        raise ConfigError(f"{path}: {label!r} is the label and cannot be a feature as well")
    if "" in chosen:
        position = names.index("") + 1
        raise ConfigError(
            f"{path}: column {position} has no name, as an index that pandas wrote; name the features, or remove it"
        )
    if repeated := _repeated(chosen):
        raise ConfigError(f"{path}: the feature {repeated!r} is named twice")
    if not chosen:
        raise ConfigError(f"{path}: no column is left as a feature; there are: {', '.join(names)}")
    return chosen


def _repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


class _Moments:
    """Mean and spread of columns, merged chunk by chunk (Chan, Golub and LeVeque, 1983) in float64."""

    def __init__(self, columns: int) -> None:
        self.rows = 0
        self._mean: NDArray[np.float64] = np.zeros(columns)
        self._squares: NDArray[np.float64] = np.zeros(columns)
        self._lowest: NDArray[np.float64] = np.full(columns, np.inf)
        self._highest: NDArray[np.float64] = np.full(columns, -np.inf)

    def add(self, features: NDArray[np.float32]) -> None:
        if not len(features):
            return
        values = features.astype(np.float64)
        mean = values.mean(axis=0)
        squares = np.square(values - mean).sum(axis=0)
        rows = self.rows + len(values)
        delta = mean - self._mean
        self._squares += squares + np.square(delta) * (self.rows * len(values) / rows)
        self._mean += delta * (len(values) / rows)
        self._lowest = np.minimum(self._lowest, values.min(axis=0))
        self._highest = np.maximum(self._highest, values.max(axis=0))
        self.rows = rows

    def scaling(self, path: Path, names: Sequence[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        deviation = np.sqrt(self._squares / self.rows)
        constant = self._lowest == self._highest  # exact, where the sum of squares carries rounding
        scale = np.where(constant, 1.0, np.maximum(deviation, _SMALLEST))
        centre = np.where(constant, self._lowest, self._mean)
        for index, name in enumerate(names):
            if max(abs(centre[index]), scale[index]) > _LARGEST:
                raise DataError(f"{path}: column {name!r} has values beyond {_LARGEST:g}; rescale it, or leave it out")
        return tuple(centre.tolist()), tuple(scale.tolist())
