"""A ledger that does not answer: said once, and once more when it does."""

from collections.abc import Callable

from learnae.errors import WorldError
from learnae.values.journal import AnyFact, Notice

MOST_TOLD = 3
"""Different sentences about one time of trouble."""


class Trouble:
    """Tells of one thing that fails again and again: what is new about it, and when it is over.

    Args:
        what: It, such as ``cannot listen now``.
        note: Writes a fact to the journal.
    """

    def __init__(self, what: str, note: Callable[[AnyFact], None]) -> None:
        self._what, self._note = what, note
        self._told: set[str] = set()

    def came(self, error: WorldError) -> None:
        """It failed."""
        text = f"{self._what}: {error}"
        if text not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(text)
            self._note(Notice(text))

    def passed(self) -> None:
        """It works."""
        if self._told:
            self._told.clear()
            self._note(Notice(f"{self._what}: that is over"))
