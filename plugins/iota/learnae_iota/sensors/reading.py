"""Reads one sensor's stream. Anybody may have written to the addresses of its packets."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from learnae.errors import LearnaeError
from learnae.interfaces.sensors import Packet, Reading
from learnae_iota.mam.channel import Mode
from learnae_iota.mam.reading import Reader
from learnae_iota.sensors.gaps import Gap
from learnae_iota.sensors.heads import Head
from learnae_iota.sensors.packets import read_packet, readings_of
from learnae_iota.sensors.places import Place, parse_place
from learnae_iota.sensors.sessions import PACKET_TRANSACTIONS, SensorSession
from learnae_iota.sensors.telling import Once
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetched, Fetches, Query
from learnae_iota.tangle.watching import Watch
from learnae_iota.trinary.kernel import Kernel

MAX_PACKETS = 50
"""Packets that one ``read`` fetches."""

READ_S = 5.0
"""After so long it hands over what it has: a caller that loses patience would get nothing, and begin at the same place again."""

NOTABLE = 100
"""Messages that were passed over, after which the operator hears of it."""

_WATCHES = 8
_TURN_S = 0.1


@dataclass(frozen=True, slots=True)
class Means:
    """What streams are read with.

    Attributes:
        tangle: Where they are.
        session: Whose.
        tell: Says things to the operator.
        kernel: Computes.
        now_s: Seconds that only grow.
    """

    tangle: Fetches
    session: SensorSession
    tell: Once
    kernel: Kernel
    now_s: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Found:
    """A packet that was read: see ``SensorPacket``."""

    first: int
    readings: list[Reading | None]
    end: bool
    next_root: str


class StreamReader:
    """Reads one stream. Any number of threads may use it; one reads at a time.

    Args:
        means: What it is read with.

    Attributes:
        messages: How many were passed over: at the address of a packet, and not that packet.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._turn = threading.Lock()
        self._gap = Gap(means.tangle, means.session, means.tell, now_s=means.now_s, is_gone=self._is_gone, packet=self._packet)
        self._watches: OrderedDict[str, Watch] = OrderedDict()  # by root
        self._kept: tuple[str, Found] | None = None  # of which a reader may have taken a part only
        self.messages = 0

    def read(self, head: Head, position: str, max_readings: int, stop: Stop | None = None) -> Packet:
        """Return what follows a position: see ``SensorSource.read``.

        Args:
            head: The stream's latest one.
            position: The empty one, or that of an earlier packet.
            max_readings: The most to return.
            stop: Ends it early.
        """
        place = parse_place(position, head)
        while not self._turn.acquire(timeout=_TURN_S):
            if stop is not None:
                stop.check()
        try:
            return self._read(head, place, position, max_readings, stop)
        finally:
            self._turn.release()

    def _read(self, head: Head, place: Place, position: str, max_readings: int, stop: Stop | None) -> Packet:
        ends_s = self._means.now_s() + READ_S
        readings: list[Reading | None] = []
        first: int | None = None
        for _ in range(MAX_PACKETS):
            packet = self._packet(head, place, stop)
            if packet is None:
                later = None if readings else self._gap.later(head, place, stop)  # what follows a gap is an answer of its own
                if later is None and not self._keeps(place):
                    break
                place = later or place
                continue
            if packet.end and place.offset >= len(packet.readings):
                return Packet(tuple(readings), str(place) if readings else position, True, first)
            number = packet.first + place.offset
            if first is not None and number != first + len(readings):
                break  # the sensor miscounts, which the next answer shows by its number
            if first is None:
                first = number
            some = packet.readings[place.offset : place.offset + max_readings - len(readings)]
            readings += some
            offset = place.offset + len(some)
            if offset < len(packet.readings) or packet.end:
                place = Place(place.stream, place.index, offset, place.root)
            else:
                place = Place(place.stream, place.index + 1, 0, packet.next_root)
            if len(readings) == max_readings or (readings and self._means.now_s() >= ends_s):
                break
        return Packet(tuple(readings), str(place) if readings else position, first=first)

    def _keeps(self, place: Place) -> bool:
        return self._kept is not None and self._kept[0] == place.root

    def _packet(self, head: Head, place: Place, stop: Stop | None) -> Found | None:
        """Return the packet of a place, if a node shows it."""
        if self._kept is not None and self._kept[0] == place.root:
            return self._kept[1]
        self._kept = None
        reader = self._reader(head, place)
        watch = self._watch(place, reader)
        ends_s = self._means.now_s() + READ_S
        while True:
            shown = watch.look(self._means.tangle, stop)
            packet = self._keep(shown, reader, head, place)
            if packet is not None:
                del self._watches[place.root]
                return packet
            self._pass(head, sum(len(bundle.postings) for bundle in shown.bundles))
            watch.pass_over(shown)
            if not watch.is_digging or self._means.now_s() >= ends_s:
                break
        if shown.cut:
            self._means.tell(f"sensor {head.sensor}: more lies at the address of packet {place.index} than a node returns")
        return None

    def _is_gone(self, head: Head, place: Place, stop: Stop | None) -> bool:
        """Tell whether the nodes that know the ledger as it is now show all that lies at a packet's address, and not the packet.

        Raises:
            UnavailableError: There is no such node.
        """
        reader = self._reader(head, place)
        query = Query(addresses=(reader.address(self._means.kernel),), everywhere=True)
        shown = self._means.tangle.fetch(query, max_bundle=PACKET_TRANSACTIONS, stop=stop)  # all of it, whatever was seen before
        return self._keep(shown, reader, head, place) is None and not shown.cut

    def _reader(self, head: Head, place: Place) -> Reader:
        side_key = self._means.session.side_key(head.key) if head.mode is Mode.RESTRICTED else ""
        return Reader(place.root, head.mode, side_key, min_security=head.security)

    def _watch(self, place: Place, reader: Reader) -> Watch:
        if place.root not in self._watches:
            self._watches[place.root] = Watch(Query(addresses=(reader.address(self._means.kernel),)), PACKET_TRANSACTIONS)
        self._watches.move_to_end(place.root)
        while len(self._watches) > _WATCHES:
            self._watches.popitem(last=False)
        return self._watches[place.root]

    def _keep(self, shown: Fetched, reader: Reader, head: Head, place: Place) -> Found | None:
        """Return the packet of a place, and keep it, if it is among what was shown."""
        packets = []
        for posting in (posting for bundle in shown.bundles for posting in bundle.postings):
            try:
                message = reader.parse(posting.trytes, self._means.kernel)
                packet = read_packet(
                    message.trytes,
                    index=place.index,
                    root=place.root,
                    next_root=message.next_root,
                    key=head.key,
                    session=self._means.session,
                )
            except LearnaeError:
                continue
            packets.append((message.trytes, Found(packet.first, readings_of(packet), packet.end, message.next_root)))
        if not packets:
            return None
        _, found = min(packets, key=lambda each: each[0])  # all are one, unless the sensor signed twice
        self._kept = (place.root, found)
        return found

    def _pass(self, head: Head, messages: int) -> None:
        before, self.messages = self.messages, self.messages + messages
        if before < NOTABLE <= self.messages:
            text = (
                f"sensor {head.sensor}: {NOTABLE} messages at the addresses of its packets are not its own; they are passed over"
            )
            self._means.tell(text)
