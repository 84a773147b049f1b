"""When and where a sensor tells of its stream."""

import math

from learnae_iota.sensors.sessions import EPOCH_MS, epoch_of

PAUSE_S = 60.0
"""Between two heads, at least, but for the first and the last of a stream: a node shows a thousand of an hour."""


class Announcing:
    """Says when the next head is due: after so many packets and a minute, and where the address of the last one is none of now.

    Args:
        head_every: Packets between two heads.

    Attributes:
        told: The packet that comes next, as the last head says; 0 before the first.
    """

    def __init__(self, head_every: int) -> None:
        self._head_every = head_every
        self.told, self._sent_s, self._ends_s = 0, -math.inf, -math.inf

    def is_due(self, index: int, now_s: float) -> bool:
        """Tell whether a head should be sent before a packet, or where there is none to send.

        Args:
            index: The packet that comes next.
            now_s: Seconds that only grow.
        """
        paused = now_s >= self._sent_s + PAUSE_S and index >= self.told + self._head_every
        return paused or now_s >= self._ends_s

    def sent(self, index: int, now_s: float, now_ms: int) -> int:
        """Note that a head is sent; return its epoch.

        Args:
            index: The packet that it tells of.
            now_s: Seconds that only grow.
            now_ms: The time by the nodes.
        """
        self.told, self._sent_s = index, now_s
        self._ends_s = now_s + (EPOCH_MS - now_ms % EPOCH_MS) / 1000
        return epoch_of(now_ms)
