"""Ignored messages in the journal: enough to see what goes on, too little for a stranger to fill the disk with."""

from collections.abc import Callable

from learnae.values.journal import AnyFact, MessageIgnored

MOST_LINES = 100
"""How many ignored messages get a line of their own within ``WINDOW_S``."""

WINDOW_S = 60.0


class IgnoredMessages:
    """Writes ignored messages to the journal; beyond ``MOST_LINES`` within ``WINDOW_S`` it counts them, and writes one line."""

    def __init__(self, note: Callable[[AnyFact], None], clock: Callable[[], float]) -> None:
        """Begin.

        Args:
            note: Writes a fact to the journal.
            clock: Monotonic, in seconds.
        """
        self._note = note
        self._clock = clock
        self._until_s = clock() + WINDOW_S
        self._lines = 0
        self._left_out = 0
        self._bytes = 0

    def add(self, reason: str, size: int) -> None:
        """Take one in."""
        self.pass_time()
        if self._lines < MOST_LINES:
            self._lines += 1
            self._note(MessageIgnored(reason, size))
        else:
            self._left_out += 1
            self._bytes += size

    def pass_time(self) -> None:
        """Begin a new window if the old one is over; call it now and then."""
        now_s = self._clock()
        if now_s >= self._until_s:
            self.sum_up()
            self._until_s = now_s + WINDOW_S
            self._lines = 0

    def sum_up(self) -> None:
        """Write how many were left out, if any were."""
        if self._left_out:
            self._note(MessageIgnored(f"{self._left_out} more messages within {WINDOW_S:g} s, left out here", self._bytes))
            self._left_out = self._bytes = 0
