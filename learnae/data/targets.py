"""The target column: class texts to indices, texts to values."""

import math
from collections.abc import Sequence

from learnae.data.csv_table import is_number
from learnae.values.choices import Task

UNKNOWN = -1.0
"""Stands for a text that is no class."""

_REMEMBERED = 4096


def number_of(text: str) -> float | None:
    """Read a text as a finite number; ``None`` if it is none."""
    value = float(text) if is_number(text) else math.inf
    return value if math.isfinite(value) else None


class ClassIndex:
    """Finds the index of a class by its text or, failing that, by its value: ``1.0`` is the class ``1``."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._by_text = {text: float(index) for index, text in reversed(list(enumerate(classes)))}
        self._by_value = {value: self._by_text[text] for text in reversed(classes) if (value := number_of(text)) is not None}

    def __call__(self, text: str) -> float:
        """Return the index of a stripped text, or ``UNKNOWN``."""
        index = self._by_text.get(text)
        if index is None:
            value = number_of(text)
            index = UNKNOWN if value is None else self._by_value.get(value, UNKNOWN)
            if len(self._by_text) < _REMEMBERED:
                self._by_text[text] = index
        return index


def is_classification(task: Task) -> bool:
    """Say whether the target is a class."""
    return task is not Task.REGRESSION
