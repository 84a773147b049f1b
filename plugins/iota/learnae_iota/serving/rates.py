"""How often one address may ask."""

from collections import OrderedDict
from collections.abc import Callable

MAX_ADDRESSES = 10_000
"""How many are remembered; the one that was silent longest is forgotten first."""

BURST_S = 2.0


class Rates:
    """Counts requests: from one address so many a second on average, and twice as many at once.

    Args:
        per_s: The average; 0 lets everything pass.
        clock: Seconds that only go forward.
    """

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._burst = max(1.0, BURST_S * per_s)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests, at what time

    def allow(self, address: str) -> bool:
        """Count a request; tell whether it may be carried out."""
        if not self._per_s:
            return True
        now = self._clock()
        left, since = self._left.pop(address, (self._burst, now))
        left = min(self._burst, left + self._per_s * (now - since))
        allowed = left >= 1
        self._left[address] = (left - allowed, now)
        if len(self._left) > MAX_ADDRESSES:
            self._left.popitem(last=False)
        return allowed
