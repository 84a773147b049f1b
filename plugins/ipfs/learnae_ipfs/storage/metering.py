"""What a daemon carried since the storage was opened, though the daemon's own counters begin anew whenever it does."""

from __future__ import annotations

from learnae.interfaces.abilities import Traffic
from learnae_ipfs.kubo.values import Counters


class Meter:
    """Adds up a daemon's counters over its lives.

    Counters that are lower than they were mean that the daemon began anew, for they only grow while it lives; except that one of
    the two of bandwidth, which daemons add up once a second, may drop for a moment when the clock is set. Whoever uses this looks
    at them whenever the daemon may have begun anew, so that they are low then. What it carried between the last look and its end
    nobody can know.
    """

    def __init__(self) -> None:
        self._last: Counters | None = None
        self._sent_bytes = self._received_bytes = self._served_blocks = 0

    def note(self, counters: Counters) -> None:
        """Take the daemon's counters as they are now; the first are where counting begins."""
        last = self._last or counters
        began_anew = (
            counters.served_blocks < last.served_blocks
            or counters.served_bytes < last.served_bytes
            or (counters.sent_bytes < last.sent_bytes and counters.received_bytes < last.received_bytes)
        )
        if began_anew:
            last = Counters(0, 0, 0, 0)
        now = Counters(
            max(counters.sent_bytes, last.sent_bytes),
            max(counters.received_bytes, last.received_bytes),
            counters.served_blocks,
            counters.served_bytes,
        )
        self._sent_bytes += now.sent_bytes - last.sent_bytes
        self._received_bytes += now.received_bytes - last.received_bytes
        self._served_blocks += now.served_blocks - last.served_blocks
        self._last = now

    def traffic(self, neighbours: int) -> Traffic:
        """Return what was counted."""
        return Traffic(self._sent_bytes, self._received_bytes, self._served_blocks, neighbours)
