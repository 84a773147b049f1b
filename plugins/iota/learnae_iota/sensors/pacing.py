"""How a sensor takes its time: how long it waits, and how long it tries again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from learnae.errors import UnavailableError, WorldError
from learnae_iota.stopping import Stop, StoppedError

HEAD_EVERY = 20
"""Packets between two heads."""

REATTACH_S = 150.0
"""How long a packet may stay unconfirmed before it is attached again: its tips are too old then."""

_MAX_WAIT_S = 60.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a feeder takes its time.

    Attributes:
        head_every: Packets between two heads.
        reattach_s: How long a packet may stay unconfirmed.
        give_up_s: How long a node may not answer; ``None``: for ever.
        now_s: Seconds that only grow. The time of day may go back, where a board has no clock of its own.
        wait: Waits so many seconds, or until the end is asked for.
    """

    head_every: int = HEAD_EVERY
    reattach_s: float = REATTACH_S
    give_up_s: float | None = None
    now_s: Callable[[], float] = time.monotonic
    wait: Callable[[float], object] = time.sleep


class Patience:
    """Tries again, and waits in between. For one thread.

    Args:
        pacing: How long.
        stop: Ends it early.
        tell: Takes a sentence about what has to be tried again.
    """

    def __init__(self, pacing: Pacing, stop: Stop, tell: Callable[[str], None]) -> None:
        self._pacing, self._stop, self._tell = pacing, stop, tell

    def insist(self, work: Callable[[], _T]) -> _T:
        """Do something until the world lets it be done.

        Raises:
            UnavailableError: ``give_up_s`` is over.
            StoppedError: It was stopped.
        """
        began, delay = self._pacing.now_s(), 1.0
        while True:
            try:
                return work()
            except StoppedError:
                raise
            except WorldError as exc:
                limit = self._pacing.give_up_s
                if limit is not None and self._pacing.now_s() - began + delay > limit:
                    raise UnavailableError(f"given up after {limit:.0f} s: {exc}") from exc
                self._tell(f"{exc}; trying again in {delay:.0f} s")
                self.pause(delay)
                delay = min(2 * delay, _MAX_WAIT_S)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            StoppedError: It was stopped.
        """
        self._stop.check()
        self._pacing.wait(seconds)
        self._stop.check()
