"""What is to be fetched from others, how much at once, and when again after a failure."""

import heapq
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
    """Remembers failures, and when the next attempt is due. Forgets them on restart, and that is harmless.

    Times never decrease from call to call.
    """

    def __init__(self, retry_s: float) -> None:
        self._retry_s = retry_s
        self._failures: dict[Hashable, _Failure] = {}
        self._due: list[tuple[float, int, Hashable]] = []
        """A heap; an entry whose failure is forgotten or has another time counts for nothing."""
        self._serial = 0

    def failed(self, what: Hashable, now_s: float) -> float:
        """Note a failure: the wait doubles each time, up to 64 times the first; return when it may be attempted again."""
        count = self._failures[what].count + 1 if what in self._failures else 1
        again_s: float = now_s + self._retry_s * 2.0 ** min(count - 1, MAX_DOUBLINGS)
        self._failures.pop(what, None)
        self._failures[what] = _Failure(count, again_s)
        self._serial += 1
        heapq.heappush(self._due, (again_s, self._serial, what))
        self._drop_idle(now_s)
        if len(self._failures) > MAX_REMEMBERED:
            del self._failures[next(iter(self._failures))]
        return again_s

    def succeeded(self, what: Hashable) -> None:
        """Forget the failures."""
        self._failures.pop(what, None)

    def is_due(self, what: Hashable, now_s: float) -> bool:
        """Say whether it may be attempted now."""
        failure = self._failures.get(what)
        return failure is None or now_s >= failure.again_s

    def failures(self, what: Hashable) -> int:
        """Count its failures since it last succeeded."""
        return self._failures[what].count if what in self._failures else 0

    def has_failed(self, what: Hashable) -> bool:
        """Say whether it failed before, and has not succeeded since."""
        return what in self._failures

    def next_due_s(self, now_s: float) -> float | None:
        """Return the next moment after now at which something may be attempted again."""
        self._drop_idle(now_s)
        return self._due[0][0] if self._due else None

    def _drop_idle(self, now_s: float) -> None:
        while self._due and (self._due[0][0] <= now_s or self._is_idle(self._due[0])):
            heapq.heappop(self._due)

    def _is_idle(self, entry: tuple[float, int, Hashable]) -> bool:
        again_s, _, what = entry
        failure = self._failures.get(what)
        return failure is None or failure.again_s != again_s
