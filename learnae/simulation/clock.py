"""Virtual time: a clock that jumps from one thing to do to the next."""

import heapq
from collections.abc import Callable

from learnae.errors import UsageError

Action = Callable[[], None]


class VirtualClock:
    """Does things in the order of their times, and things of one time in the order in which they were planned.

    Attributes:
        now_s: Seconds since the start.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self._planned: list[tuple[float, int, Action]] = []
        self._count = 0

    def read(self) -> float:
        """Return the time, for whoever wants a clock."""
        return self.now_s

    def at(self, time_s: float, action: Action) -> None:
        """Plan something.

        Raises:
            UsageError: That time is over.
        """
        if not time_s >= self.now_s:
            raise UsageError(f"it is {self.now_s:g} s, too late to plan something for {time_s:g} s")
        heapq.heappush(self._planned, (time_s, self._count, action))
        self._count += 1

    def after(self, delay_s: float, action: Action) -> None:
        """Plan something for a while after now."""
        self.at(self.now_s + delay_s, action)

    def next_s(self) -> float | None:
        """Return the time of what comes next, if anything does."""
        return self._planned[0][0] if self._planned else None

    def step(self) -> None:
        """Go on to what comes next, and do it; there must be something."""
        self.now_s, _, action = heapq.heappop(self._planned)
        action()

    def pass_until(self, time_s: float) -> None:
        """Let the rest of the time pass in which nothing is planned."""
        self.now_s = max(self.now_s, time_s)
