"""What ``learnae run`` says where there is no terminal, or where lines are wanted."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from learnae.cli.lines import told
from learnae.cli.output import say
from learnae.cli.wording import Metric

if TYPE_CHECKING:
    from learnae.values.journal import JournalLine


class PlainLines:
    """Says a line on stderr for each work cycle, and for whatever concerns the operator."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def take(self, line: JournalLine) -> None:
        """Take in a line of the journal."""
        text = told(line.fact, self._metric)
        if text is not None:
            say(f"{time.strftime('%H:%M:%S', time.localtime(line.time))}  {' '.join(text.split())}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass


class Silence:
    """Says nothing."""

    def take(self, line: JournalLine) -> None:
        """Take in a line of the journal."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass
