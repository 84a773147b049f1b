"""Looks at the ledger for a sensor: whether somebody else signs with its keys, and whether readers find its packets."""

from collections.abc import Collection
from typing import Protocol

from learnae.errors import ClonedIdentityError, LearnaeError, StateError
from learnae_iota.bundles.bundles import Bundle, Posting
from learnae_iota.sensors.kept import KeptPacket
from learnae_iota.sensors.packets import SensorPacket, read_packet
from learnae_iota.sensors.sessions import PACKET_TRANSACTIONS, SensorSession
from learnae_iota.sensors.signing import Signer
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetches, Query
from learnae_iota.trinary.kernel import Kernel

_MAX_OWN = 20_000
"""Hashes of own transactions that are remembered: 3 MB."""

_MAX_AHEAD = 10_000_000
"""Packets by which a folder that was restored may be behind."""


class SensorTangle(Fetches, Protocol):
    """What sensors need of ``Tangle``."""

    def send(self, postings: list[Posting], *, stop: Stop | None = None) -> Bundle:
        """Send messages: see ``Tangle.send``."""
        ...

    def is_confirmed(self, tails: list[str], *, stop: Stop | None = None) -> bool:
        """Tell whether an attachment is confirmed: see ``Tangle.is_confirmed``."""
        ...

    def holds(self, query: Query, *, stop: Stop | None = None) -> bool:
        """Tell whether the ledger has something: see ``Tangle.holds``."""
        ...


class Looks:
    """Looks at what lies where a sensor's packets belong. For one thread.

    All methods raise what ``Tangle`` does.

    Args:
        signer: Signs them.
        session: The session.
        tangle: Is asked.
        stop: Ends it early.
        kernel: Computes.
    """

    def __init__(self, signer: Signer, session: SensorSession, tangle: SensorTangle, stop: Stop, kernel: Kernel) -> None:
        self._signer, self._session, self._tangle, self._stop, self._kernel = signer, session, tangle, stop, kernel
        self._own: dict[int, frozenset[str]] = {}  # of attachments, by packet: they are not fetched again

    def note_sent(self, number: int, hashes: Collection[str]) -> None:
        """Remember an attachment."""
        self._own[number] = self._own.pop(number, frozenset()) | frozenset(hashes)
        while sum(map(len, self._own.values())) > _MAX_OWN:
            del self._own[next(iter(self._own))]

    def forget(self, number: int) -> None:
        """Forget the attachments of a packet."""
        self._own.pop(number, None)

    def refuse_signed(self, number: int) -> None:
        """Look whether a packet that was not signed here is on the ledger all the same, as a whole or in part.

        Its tag tells, which nobody knows who has neither this sensor's key nor seen that packet: no flood hides it. A node that
        does not know the ledger as it is now is not asked.

        Raises:
            ClonedIdentityError: It is there.
        """
        if self._tangle.holds(Query(tags=(self._signer.tag(number),)), stop=self._stop):
            raise cloned(f"packet {number} is on the ledger, and is not the one that is kept here")

    def refuse_later(self, number: int) -> None:
        """The same for many packets from this one on: the next ones may have been pruned. Raises what ``refuse_signed`` does."""
        if self._tangle.holds(Query(tags=tuple(map(self._signer.tag, _probes(number)))), stop=self._stop):
            raise cloned(f"packet {number} or a later one is on the ledger, and {number} is the next one here")

    def refuse_another(self, packet: KeptPacket) -> bool:
        """Look whether a packet of this sensor lies at a kept one's place that is another one.

        Returns:
            Whether there is more at the address than a node shows.

        Raises:
            ClonedIdentityError: There is one, which this sensor's Ed25519 key signed.
            StateError: The kept one is damaged.
        """
        query, known = Query(addresses=(packet.address,)), self._own.get(packet.number, frozenset())
        found = self._tangle.fetch(query, known=known, max_bundle=PACKET_TRANSACTIONS, stop=self._stop)
        for trytes in (posting.trytes for bundle in found.bundles for posting in bundle.postings):
            if trytes.startswith(packet.payload):
                continue
            try:
                other = self._content(packet, trytes)
            except LearnaeError:
                continue
            if other != self._own_content(packet):
                raise cloned(f"packet {packet.number} is on the ledger, and is not the one that is kept here")
        return found.cut

    def is_visible(self, packet: KeptPacket) -> bool:
        """Tell whether a reader finds a packet, although nodes do not show all that lies at its address."""
        found = self._tangle.fetch(Query(addresses=(packet.address,)), max_bundle=PACKET_TRANSACTIONS, stop=self._stop)
        return any(posting.trytes.startswith(packet.payload) for bundle in found.bundles for posting in bundle.postings)

    def _content(self, packet: KeptPacket, payload: str) -> str | SensorPacket:
        """Read what somebody wrote in a packet's place; what differs was signed apart by this sensor, whoever writes it again."""
        message = self._signer.reader(packet).parse(payload, self._kernel)
        place = {"root": packet.root, "next_root": message.next_root, "key": self._signer.key.public}
        read = read_packet(message.trytes, index=packet.number, session=self._session, **place)
        return message.trytes if self._session.sealed else read

    def _own_content(self, packet: KeptPacket) -> str | SensorPacket:
        try:
            return self._content(packet, packet.payload)
        except LearnaeError as exc:
            raise StateError(f"packet {packet.number} was damaged in the state folder: {exc}") from exc


def _probes(number: int) -> list[int]:
    """Return numbers from this one on: a hundred, then each a fiftieth further away. Nodes take 1,000 in one query."""
    offsets = [0]
    while offsets[-1] < _MAX_AHEAD:
        offsets.append(max(offsets[-1] + 1, offsets[-1] * 51 // 50))
    return [number + offset for offset in offsets]


def cloned(what: str) -> ClonedIdentityError:
    """Return the error that says so."""
    return ClonedIdentityError(
        f"somebody else signs with this sensor's keys: {what}; the state folder was copied, or an old copy was restored."
        " Stop the other one and go on with its folder, or begin a new stream with another --state and another --sensor name"
    )
