"""What a target column holds: its different values, and which task they suggest."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from learnae.data.targets import number_of
from learnae.errors import DataError
from learnae.values.choices import Task

MAX_CLASSES = 65_536
"""The most classes that a manifest may have."""

FEW_NUMBERS = 20
"""So many different whole numbers, or fewer, are taken for classes."""

MANY_WORDS = 1_000
"""More different words than these are hardly classes."""

_LONGEST_CLASS = 128


class Distinct:
    """The different values of a column, in memory bounded by ``MAX_CLASSES``.

    Two texts with one value, such as ``1`` and ``1.0``, are one; the shorter text stands for both.
    """

    def __init__(self) -> None:
        self._numbers: dict[float, str] = {}
        self._words: set[str] = set()
        self._seen: set[str] = set()
        self.overflowed = False

    def add(self, texts: Iterable[str]) -> None:
        """Take cells in; those that are not finite numbers but say so (``nan``, ``inf``) are no values."""
        for text in set(texts) - self._seen:
            if len(self._seen) >= 2 * MAX_CLASSES or len(self) > MAX_CLASSES:
                self.overflowed = True
                return
            self._seen.add(text)
            value = number_of(text)
            if value is not None:
                self._numbers[value] = min(self._numbers.get(value, text), text, key=lambda each: (len(each), each))
            elif not _says_not_finite(text):
                self._words.add(text)

    def __len__(self) -> int:
        return len(self._numbers) + len(self._words)

    def task(self, path: Path, column: str) -> Task:
        """Infer the task: two values are binary; words or a few whole numbers are classes; other numbers are for regression.

        Raises:
            DataError: There is one value only, or there are so many words that they cannot be classes.
        """
        if len(self) < 2 and not self.overflowed:
            raise DataError(f"{path}: column {column!r} has {self._shown()}; there is nothing to predict")
        if len(self) == 2:
            return Task.BINARY
        if self._words and len(self) <= MANY_WORDS:
            return Task.MULTICLASS
        if len(self._words) > len(self._numbers):
            word = min(self._words)
            raise DataError(
                f"{path}: column {column!r} has more than {MANY_WORDS:,} different texts such as {word!r}; choose another label"
            )
        if len(self) <= FEW_NUMBERS and all(value.is_integer() for value in self._numbers):
            return Task.MULTICLASS
        return Task.REGRESSION

    def classes(self, path: Path, column: str, task: Task) -> tuple[str, ...]:
        """List the classes: by value if all are numbers, else by text.

        Raises:
            DataError: There are too few or too many for the task, or one is too long a text.
        """
        if self.overflowed or len(self) > MAX_CLASSES:
            raise DataError(
                f"{path}: column {column!r} has more than {MAX_CLASSES:,} different values; that is a task for regression"
            )
        if len(self) < 2 or (task is Task.BINARY and len(self) != 2):
            needed = "two classes" if task is Task.BINARY else "at least two classes"
            raise DataError(f"{path}: column {column!r} has {self._shown()} where the task {task} needs {needed}")
        numbers = [self._numbers[value] for value in sorted(self._numbers)]
        classes = sorted([*numbers, *self._words]) if self._words else numbers
        longest = max(classes, key=len)
        if len(longest) > _LONGEST_CLASS:
            raise DataError(f"{path}: column {column!r} has a class of {len(longest)} characters; {_LONGEST_CLASS} are allowed")
        return tuple(classes)

    def _shown(self) -> str:
        values: Sequence[str] = sorted([*self._numbers.values(), *self._words])
        if len(values) <= 1:
            return f"only the value {values[0]!r}" if values else "no values"
        return f"{len(values)} values such as {', '.join(map(repr, values[:3]))}"


def _says_not_finite(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
