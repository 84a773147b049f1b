"""Virtual time: a clock that jumps from one thing to do to the next."""

import heapq
from collections.abc import Callable

from learnae.errors import UsageError

Action = Callable[[], None]


class Plan:
    """Something that is to be done at its time, unless it is cancelled."""

    __slots__ = ("action", "number", "time_s")

    def __init__(self, time_s: float, number: int, action: Action) -> None:
        self.time_s = time_s
        self.number = number
        self.action: Action | None = action

    def __lt__(self, other: "Plan") -> bool:
        """Say whether this comes first."""
        return (self.time_s, self.number) < (other.time_s, other.number)


class VirtualClock:
    """Does things in the order of their times, and things of one time in the order in which they were planned.

    Attributes:
        now_s: Seconds since the start.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self._planned: list[Plan] = []
        self._cancelled = 0
        self._count = 0

    def __len__(self) -> int:
        """Count what is kept, at most half of it cancelled."""
        return len(self._planned)

    def read(self) -> float:
        """Return the time, for whoever wants a clock."""
        return self.now_s

    def at(self, time_s: float, action: Action) -> Plan:
        """Plan something.

        Raises:
            UsageError: That time is over.
        """
        if not time_s >= self.now_s:
            raise UsageError(f"it is {self.now_s:g} s, too late to plan something for {time_s:g} s")
        plan = Plan(time_s, self._count, action)
        heapq.heappush(self._planned, plan)
        self._count += 1
        return plan

    def after(self, delay_s: float, action: Action) -> Plan:
        """Plan something for a while after now."""
        return self.at(self.now_s + delay_s, action)

    def cancel(self, plan: Plan) -> None:
        """Let something not happen that has not happened yet; idempotent."""
        if plan.action is None:
            return
        plan.action = None
        self._cancelled += 1
        if 2 * self._cancelled > len(self._planned):
            self._planned = [each for each in self._planned if each.action is not None]
            heapq.heapify(self._planned)
            self._cancelled = 0

    def next_s(self) -> float | None:
        """Return the time of what comes next, if anything does."""
        while self._planned and self._planned[0].action is None:
            heapq.heappop(self._planned)
            self._cancelled -= 1
        return self._planned[0].time_s if self._planned else None

    def step(self) -> None:
        """Go on to what comes next, and do it.

        Raises:
            UsageError: There is nothing.
        """
        if self.next_s() is None:
            raise UsageError("nothing is planned")
        plan = heapq.heappop(self._planned)
        action, plan.action = plan.action, None
        self.now_s = plan.time_s
        if action is not None:
            action()

    def pass_until(self, time_s: float) -> None:
        """Let the rest of the time pass in which nothing is planned."""
        self.now_s = max(self.now_s, time_s)
