"""The packets that a sensor sent and did not see confirmed yet: their numbers, for the payloads stay in the state folder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

MAX_UNCONFIRMED = 200
"""Packets: more are not sent before one of them is confirmed, so that the state folder stays small."""

MAX_UNCONFIRMED_TRYTES = 50_000_000
"""Of the same packets."""

MAX_UNCOVERED = 6
"""How often a packet that others buried is attached again before nobody waits for it; it is tried on all the same."""

_UNCOVERED_S = 10.0
_MAX_UNCOVERED_S = 640.0


@dataclass(slots=True)
class Waiting:
    """A packet that was not seen confirmed, and readable.

    Attributes:
        number: Which.
        trytes: How long its payload is.
        sent_s: When it was attached last, in seconds that only grow; ``None``: by an earlier process, or never.
        uncovered: How often it was attached because others had buried it.
        rests_until_s: When to look at it again, if it was.
    """

    number: int
    trytes: int
    sent_s: float | None = None
    uncovered: int = 0
    rests_until_s: float = -math.inf

    def is_late(self, now_s: float, patience_s: float) -> bool:
        """Tell whether it was sent so long ago, or by an earlier process: what it measured time by is gone."""
        return self.sent_s is None or now_s >= self.sent_s + patience_s

    def rest(self, now_s: float) -> None:
        """Note that it was attached again because it is buried; each time it is looked at after twice the time."""
        self.rests_until_s = now_s + min(_UNCOVERED_S * 2**self.uncovered, _MAX_UNCOVERED_S)
        self.uncovered = min(self.uncovered + 1, MAX_UNCOVERED)


class Unconfirmed:
    """All of them.

    Args:
        trytes: How long their payloads are, by number.
    """

    def __init__(self, trytes: Mapping[int, int]) -> None:
        self._packets = {number: Waiting(number, size) for number, size in trytes.items()}

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def numbers(self) -> list[int]:
        """Which, the smallest first."""
        return sorted(self._packets)

    @property
    def are_too_many(self) -> bool:
        """Whether no more should be sent now."""
        return (
            len(self._packets) >= MAX_UNCONFIRMED or sum(each.trytes for each in self._packets.values()) >= MAX_UNCONFIRMED_TRYTES
        )

    @property
    def hopeful(self) -> int:
        """How many are worth being waited for: others buried the rest, which is confirmed, again and again."""
        return sum(each.uncovered < MAX_UNCOVERED for each in self._packets.values())

    def add(self, number: int, trytes: int) -> None:
        """Add a packet that is to be sent."""
        self._packets[number] = Waiting(number, trytes)

    def note_sent(self, number: int, now_s: float) -> None:
        """Note that it was attached."""
        self._packets[number].sent_s = now_s

    def remove(self, number: int) -> None:
        """Forget one that is confirmed."""
        del self._packets[number]

    def due(self, now_s: float, most: int) -> list[Waiting]:
        """Return some that should be looked at now; next time others, where there are."""
        found = [each for each in self._packets.values() if each.rests_until_s <= now_s][:most]
        for each in found:
            self._packets[each.number] = self._packets.pop(each.number)
        return found
