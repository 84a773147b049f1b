"""Rows made up in the shape of HEPMASS, for demonstrations without a file; called synthetic wherever they are shown."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray

from learnae.errors import DataError, StateError, UsageError

FEATURES = 27
SYNTHETIC_COLUMNS = ("label", *(f"f{index}" for index in range(FEATURES)))

_PROBLEM = 7
"""Seeds the boundary, which is the same for all rows ever made."""

_TWO_VALUED = (9, 13, 17, 21)
"""Features that are 1 or -1, where HEPMASS has its b-tags."""

_CLEARNESS = 4.5
"""How steeply the chance of class 1 rises across the boundary; about 89 % of all rows are on the side of their class."""


def synthetic_rows(rows: int, seed: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Draw rows of a noisy problem of two balanced classes with a nonlinear boundary.

    A small MLP gets about 80 % of new rows right after 320 rows and about 85 % after 2,500, so that there is something to gain
    from others. Equal arguments give equal rows, as far as NumPy and the C library agree between platforms; other seeds give
    other rows of the same problem.

    Args:
        rows: At least 1.
        seed: 0 to 2**53 - 1.

    Returns:
        Column names, ``label`` first, and float32 ``[rows, 28]``; the label is 0 or 1.
    """
    if rows < 1:
        raise UsageError(f"{rows} rows: at least 1 is needed")
    random = np.random.Generator(np.random.PCG64([_PROBLEM, seed]))
    features = random.standard_normal((rows, FEATURES))
    for column in _TWO_VALUED:
        features[:, column] = np.where(features[:, column] < 0, -1.0, 1.0)
    chance = 1 / (1 + np.exp(-_CLEARNESS * _height(features)))
    labels = random.random(rows) < chance
    return SYNTHETIC_COLUMNS, np.column_stack([labels, features]).astype(np.float32)


def write_csv(path: Path, columns: Sequence[str], rows: NDArray[np.float32]) -> None:
    """Write a table that reads back bit for bit; whoever looks finds the old file or the whole new one.

    Args:
        path: Where; a file there is replaced, a folder that is missing is made.
        columns: The header.
        rows: float32 ``[rows, columns]``.

    Raises:
        UsageError: As many names as columns are needed.
        DataError: A column's name would need quotes.
        StateError: It cannot be written.
    """
    if rows.ndim != 2 or rows.shape[1] != len(columns):
        raise UsageError(f"{len(columns)} column names for an array of shape {rows.shape}")
    for name in columns:
        if any(character in name for character in ',"\r\n'):
            raise DataError(f"{path}: the column name {name!r} holds a comma, a quote or a line end; choose another")
    form = ",".join(["%.9g"] * len(columns)) + "\n"  # nine digits tell all float32 apart
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8", newline=""
        ) as file:
            partial = Path(file.name)
            try:
                file.write(",".join(columns) + "\n")
                file.writelines(form % tuple(row) for row in rows.tolist())
                file.flush()
                os.fsync(file.fileno())
                partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
    except OSError as exc:
        raise StateError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def _height(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say how far rows are above the boundary, which is a plane, bent by two products and two folds."""
    plane = np.random.Generator(np.random.PCG64(_PROBLEM)).standard_normal(FEATURES)
    plane[[5, 10, 12, 20]] = 0  # so that the whole is odd under a reflection, and the classes balance
    products = features[:, 0] * features[:, 5] + features[:, 3] * features[:, 10]
    folds = np.abs(features[:, 12]) - np.abs(features[:, 20])
    height: NDArray[np.float64] = features @ (plane / np.linalg.norm(plane)) + 0.27 * products + 0.33 * folds
    return height
