"""What is to be fetched from others, how much at once, and when again after a failure."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

MAX_DOUBLINGS: Final = 6
MAX_REMEMBERED: Final = 50_000
"""Failures that are remembered; strangers can make more up than there is memory."""


@dataclass(slots=True)
class _Failure:
    count: int
    again_s: float


class Backoff:
    """Remembers failures, and when the next attempt is due. Forgets them on restart, and that is harmless."""

    def __init__(self, retry_s: float) -> None:
        self._retry_s = retry_s
        self._failures: dict[Hashable, _Failure] = {}

    def failed(self, what: Hashable, now_s: float) -> None:
        """Note a failure: the wait doubles each time, up to 64 times the first."""
        count = self._failures[what].count + 1 if what in self._failures else 1
        wait_s = self._retry_s * 2 ** min(count - 1, MAX_DOUBLINGS)
        self._failures.pop(what, None)
        self._failures[what] = _Failure(count, now_s + wait_s)
        if len(self._failures) > MAX_REMEMBERED:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, what: Hashable) -> None:
        """Forget the failures."""
        self._failures.pop(what, None)

    def is_due(self, what: Hashable, now_s: float) -> bool:
        """Say whether it may be attempted now."""
        failure = self._failures.get(what)
        return failure is None or now_s >= failure.again_s

    def has_failed(self, what: Hashable) -> bool:
        """Say whether it failed before, and has not succeeded since."""
        return what in self._failures

    def next_due_s(self, now_s: float) -> float | None:
        """Return the next moment after now at which something may be attempted again."""
        later = [failure.again_s for failure in self._failures.values() if failure.again_s > now_s]
        return min(later, default=None)
