"""What to do where a packet is missing: wait, and only where the ledger was pruned, find a later place to go on from."""

from collections.abc import Callable, Iterable, Iterator

from learnae.errors import WorldError
from learnae_iota.sensors.heads import HEAD_TRANSACTIONS, Head, heads_of, heads_query
from learnae_iota.sensors.places import Place, start_of
from learnae_iota.sensors.sessions import SensorSession, epoch_of
from learnae_iota.sensors.telling import Once
from learnae_iota.stopping import Stop, StoppedError
from learnae_iota.tangle.fetching import Fetches

GAP_S = 180.0
"""For how long a packet has to be gone before what follows it is read: nodes get late what they missed while they were away."""

MAX_EPOCHS = 1_000
"""Of how many hours heads are looked for: six weeks."""

EPOCHS_AT_ONCE = 50
"""Of how many in one look."""


class Gap:
    """Where a stream can be read on whose next packet is missing. For one thread at a time.

    A packet is gone only if its sensor saw it confirmed, and if, for three minutes, in every look, nodes that know the ledger as
    it is now answered, showed all that lies at its address, and it was not among that. What a full answer or a node that catches
    up does not show may be there, and is waited for.

    Args:
        tangle: Where.
        session: Whose.
        tell: Says things to the operator.
        now_s: Seconds that only grow.
        is_gone: Tells whether all nodes that know the ledger show all that lies at a packet's address, and not the packet; raises
            ``UnavailableError`` where there is no such node.
        packet: Returns the packet of a place, or ``None``.
    """

    def __init__(
        self,
        tangle: Fetches,
        session: SensorSession,
        tell: Once,
        *,
        now_s: Callable[[], float],
        is_gone: Callable[[Head, Place, Stop | None], bool],
        packet: Callable[[Head, Place, Stop | None], object | None],
    ) -> None:
        self._tangle, self._session, self._tell, self._now_s = tangle, session, tell, now_s
        self._is_gone, self._packet = is_gone, packet
        self._root, self._since_s = "", 0.0
        self._epoch: int | None = None  # the heads of those before it were looked through
        self._pruned: set[int] = set()  # the packets that heads tell of, and that are gone

    def later(self, head: Head, place: Place, stop: Stop | None) -> Place | None:
        """Return the next place that can be read; ``None`` if nothing was pruned, or there is none yet.

        Args:
            head: The stream's latest one.
            place: Where a packet was not found.
            stop: Ends it early.
        """
        if not self._is_pruned(head, place, stop):
            self._root = ""
            return None
        if self._root != place.root:
            self._root, self._since_s = place.root, self._now_s()
            self._epoch, self._pruned = None, set()
            self._tell(
                f"sensor {head.sensor}: packet {place.index} was confirmed, its head says, and no node shows a valid one; if"
                f" that is so for {GAP_S:.0f} s, it is passed over"
            )
        if self._now_s() < self._since_s + GAP_S:
            return None
        return self._start(head, place, stop)

    def _is_pruned(self, head: Head, place: Place, stop: Stop | None) -> bool:
        if place.index >= head.confirmed:
            return False
        try:
            return self._is_gone(head, place, stop)
        except StoppedError:
            raise
        except WorldError:
            return False

    def _start(self, head: Head, place: Place, stop: Stop | None) -> Place | None:
        """Return the earliest place of those that heads tell of whose packet is there, if all before it are gone."""
        for told in self._heads(head, place, stop):
            start = start_of(told)
            if told.index in self._pruned:
                continue
            if self._packet(head, start, stop) is not None:
                self._tell(
                    f"sensor {head.sensor}: packets {place.index} to {start.index - 1} are on the ledger no more; it is read from"
                    f" packet {start.index} on"
                )
                return start
            if not self._is_pruned(head, start, stop):
                return None  # it may come yet
            self._pruned.add(told.index)
        return None

    def _heads(self, head: Head, place: Place, stop: Stop | None) -> Iterator[Head]:
        """Go over the heads that tell of a later place, the earliest first; of those of long ago, a few hours at a time."""
        now = epoch_of(self._tangle.now_ms(stop=stop))
        if self._epoch is None:
            self._epoch = max(epoch_of(head.created_ms) - 1, now - MAX_EPOCHS)
        for _ in range(EPOCHS_AT_ONCE):
            if self._epoch >= now - 1:
                break
            yield from self._those_at([self._session.epoch_address(self._epoch)], head, place, stop)
            self._epoch += 1
        else:
            return
        recent = [head, *self._those_at(self._session.addresses(self._tangle.now_ms(stop=stop)), head, place, stop)]
        yield from sorted({told.index: told for told in recent}.values(), key=lambda told: told.index)

    def _those_at(self, addresses: Iterable[str], head: Head, place: Place, stop: Stop | None) -> list[Head]:
        """Return the heads of this stream at some addresses that tell of a later place, by index."""
        heads: dict[int, Head] = {}
        for address in addresses:
            query = heads_query(address, self._session)
            found = self._tangle.fetch(query, max_bundle=HEAD_TRANSACTIONS, stop=stop)
            for told in heads_of(found.bundles, self._session):
                if told and (told.key, told.first_root) == (head.key, head.first_root) and told.index > place.index:
                    heads[told.index] = told
        return [heads[index] for index in sorted(heads)]
