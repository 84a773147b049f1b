"""Who takes part in a simulation, and what its computer, its network and its honesty are like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from learnae.config.settings import PeerSettings
from learnae.errors import UsageError
from learnae.values.announcements import Content

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of virtual time, from its begin up to but not including its end, in seconds."""

    begin_s: float
    end_s: float

    def meets(self, begin_s: float, end_s: float) -> bool:
        """Say whether any moment from ``begin_s`` to ``end_s``, both included, lies in it."""
        return self.begin_s <= end_s and begin_s < self.end_s


@dataclass(frozen=True, slots=True)
class Computer:
    """How long things take; the result of nothing depends on it but through the order of events.

    Attributes:
        rows_per_s: Rows that one second of training goes over, an epoch each; scoring is three times as fast.
        cycle_s: What every job takes besides.
        bytes_per_s: How fast files come and go, after the latency.
    """

    rows_per_s: float = 2_000.0
    cycle_s: float = 0.02
    bytes_per_s: float = 1_000_000.0

    def __post_init__(self) -> None:
        if not (self.rows_per_s > 0 and self.cycle_s >= 0 and self.bytes_per_s > 0):
            raise UsageError(f"{self}: rows_per_s and bytes_per_s must be above 0, cycle_s at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPeer:
    """One peer.

    Attributes:
        name: Its key is drawn from the simulation's seed and this.
        rows: Its own rows: float32 ``[rows, features + 1]``, unscaled, the target last; ``None`` for a trainer.
        settings: As a real peer has them. Whatever names a file means nothing here, and no sensor is read.
        computer: How fast it is.
        joins_s: When it starts for the first time.
        leaves_s: When it stops in an orderly way; never, if ``None``.
        offline: When it has no network: it sends, hears, fetches and stores nothing, and works on.
        crashes: When it is dead, its memory lost; at the end of each it starts again from what it had made durable.
        says: What it signs in place of what it should: a liar. ``None`` for an honest one.
    """

    name: str
    rows: NDArray[np.float32] | None = None
    settings: PeerSettings = field(default_factory=PeerSettings)
    computer: Computer = Computer()
    joins_s: float = 0.0
    leaves_s: float | None = None
    offline: tuple[Interval, ...] = ()
    crashes: tuple[Interval, ...] = ()
    says: Callable[[Content], Content] | None = None

    def __post_init__(self) -> None:
        for name, intervals in (("offline", self.offline), ("crashes", self.crashes)):
            edges = [edge for interval in intervals for edge in (interval.begin_s, interval.end_s)]
            if any(first >= second for first, second in pairwise([self.joins_s, *edges])):
                raise UsageError(
                    f"{self.name}: {name} {edges} must rise from after joins_s = {self.joins_s:g}, without touching each other"
                )
        last = max((interval.end_s for interval in self.crashes), default=self.joins_s)
        if self.joins_s < 0 or (self.leaves_s is not None and self.leaves_s <= last):
            raise UsageError(
                f"{self.name}: joins_s = {self.joins_s:g}, leaves_s = {self.leaves_s}; accepted: 0 or later, after it runs"
            )

    def is_online(self, begin_s: float, end_s: float) -> bool:
        """Say whether it has its network all the time from ``begin_s`` to ``end_s``."""
        return not any(interval.meets(begin_s, end_s) for interval in self.offline)
