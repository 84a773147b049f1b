"""How many bytes strangers may cost us: so many a minute, and perhaps so many in all."""

from __future__ import annotations

from collections.abc import Callable

from learnae.errors import UnavailableError

_MINUTE_S = 60.0


class Allowance:
    """A balance that fills slowly and that what is fetched draws on.

    Nobody knows how long a block is before it is here, so that the balance may become negative by what is under way at that time;
    it has to be filled again before anything else is fetched.

    Args:
        a_minute: How many bytes are added in a minute.
        at_most: How high it can become, and where it begins.
        in_all: How many bytes may be fetched in all; ``None`` for any number.
        clock: Monotonic seconds.
    """

    def __init__(self, a_minute: int, at_most: int, in_all: int | None, clock: Callable[[], float]) -> None:
        self._a_minute, self._at_most, self._left, self._clock = a_minute, at_most, in_all, clock
        self._balance: float = at_most
        self._filled_s = clock()

    @property
    def is_used_up(self) -> bool:
        """Whether nothing will ever be fetched any more."""
        return self._left is not None and self._left <= 0

    def check(self) -> None:
        """See whether something may be fetched.

        Raises:
            UnavailableError: Not now, or not any more.
        """
        now_s = self._clock()
        self._balance = min(self._at_most, self._balance + (now_s - self._filled_s) * self._a_minute / _MINUTE_S)
        self._filled_s = now_s
        if self._balance <= 0 or self.is_used_up:
            raise UnavailableError("others have had fetched as much as they may")

    def charge(self, count: int) -> None:
        """Count bytes that were fetched."""
        self._balance -= count
        if self._left is not None:
            self._left -= count
