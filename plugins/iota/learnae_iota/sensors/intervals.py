"""How often to look where nothing comes."""

import time
from collections.abc import Callable

LONGEST_S = 10.0
"""The longest wait."""

_GROWTH = 1.5


class Interval:
    """The time from one look to the next, which grows while nothing comes.

    Args:
        first_s: The first wait.
        free: After so many looks in vain.
        now_s: Seconds that only grow.
    """

    def __init__(self, first_s: float, *, free: int = 0, now_s: Callable[[], float] = time.monotonic) -> None:
        self._first_s, self._free, self._now_s = first_s, free, now_s
        self._vain, self._due_s = 0, 0.0

    @property
    def is_due(self) -> bool:
        """Whether to look now."""
        return self._vain < self._free or self._now_s() >= self._due_s

    def looked(self, *, came: bool) -> None:
        """Note a look, and whether anything came."""
        wait_s = self._first_s * _GROWTH ** min(max(self._vain - self._free, 0), 20)
        self._due_s = self._now_s() + min(wait_s, LONGEST_S)
        self._vain = 0 if came else self._vain + 1
