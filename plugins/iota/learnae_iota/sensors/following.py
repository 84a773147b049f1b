"""Finds sensors on the ledger and reads their streams. Anybody may have written what it finds."""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from learnae.errors import DamagedError, LearnaeError, NotFoundError
from learnae.interfaces.sensors import Packet, Reading
from learnae_iota.mam.channel import Mode
from learnae_iota.mam.reading import Reader
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.heads import HEAD_TRANSACTIONS, OTHERS, Head, others_stream, read_head
from learnae_iota.sensors.packets import read_packet, readings_of
from learnae_iota.sensors.sessions import PACKET_TRANSACTIONS, SensorSession
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetches, Query
from learnae_iota.trinary.kernel import Kernel, choose_kernel

MAX_SENSORS = 10_000
MAX_PACKETS = 50
"""Packets that one ``read`` fetches."""

MAX_SEEN = 20_000
"""Transactions that are remembered so as not to be fetched again; after that, all of them are."""

MAX_STARTS = 64
"""Heads of a stream that are remembered as places to start from."""

_CACHED = 4
_POSITION = re.compile(r"1:([0-9]{1,15}):([0-9]{1,6}):([9A-Z]{81})\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader stands in a stream.

    Attributes:
        index: The number of the packet that comes next.
        offset: How many of its readings were read already.
        root: Its root.
    """

    index: int
    offset: int
    root: str

    def __str__(self) -> str:
        """Write it as an opaque position."""
        return f"1:{self.index}:{self.offset}:{self.root}"


def parse_place(position: str, head: Head) -> Place:
    """Read a position; the empty one is the beginning.

    Raises:
        DamagedError: It is none, or none of this stream.
    """
    if position == "":
        return Place(0, 0, head.first_root)
    found = _POSITION.match(position)
    if found is None or (found[1].strip("0") == "" and found[3] != head.first_root):
        raise DamagedError(f"{position[:120]!r} is no position in the stream of sensor {head.sensor}")
    return Place(int(found[1]), int(found[2]), found[3])


@dataclass(slots=True)
class Counts:
    """What was passed over.

    Attributes:
        heads: Under the session's tag, and no heads of it.
        strangers: Heads of sensors that are not admitted.
        rivals: Heads with the name of another sensor, or the key of another stream.
        messages: At the address of a packet, and not that packet.
    """

    heads: int = 0
    strangers: int = 0
    rivals: int = 0
    messages: int = 0


@dataclass(slots=True)
class _Junk:
    """What was found in the place of a packet that is not there yet."""

    root: str = ""
    seen: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Read:
    """A packet that was read: see ``SensorPacket``."""

    first: int
    readings: list[Reading | None]
    end: bool
    next_root: str


class Follower:
    """Finds and reads the streams of a session. For one thread at a time.

    Args:
        tangle: Where they are.
        session: Whose.
        admission: Says which of them count.
        known: Heads that were found earlier.
        tell: Takes a sentence for the operator.
        kernel: Computes; the best that is there without one.

    Attributes:
        counts: What was passed over.
    """

    def __init__(
        self,
        tangle: Fetches,
        session: SensorSession,
        admission: Admission,
        *,
        known: Collection[Head] = (),
        tell: Callable[[str], None] = lambda _: None,
        kernel: Kernel | None = None,
    ) -> None:
        self._tangle, self._session, self._admission, self._tell = tangle, session, admission, tell
        self._kernel = kernel or choose_kernel()
        self._heads: dict[str, Head] = {head.sensor: head for head in known}
        self._seen: set[str] = set()
        self._refused: dict[str, Head] = {}  # of strangers, by key: they may be admitted later
        self._junk: dict[str, _Junk] = {}
        self._starts: dict[str, dict[int, Head]] = {head.key: {head.index: head} for head in known}
        self._fruitless: dict[str, int] = {}  # by key: the latest head with which no later start was found
        self._cache: OrderedDict[tuple[str, str], _Read] = OrderedDict()
        self._told: set[str] = set()
        self.counts = Counts()

    @property
    def heads(self) -> list[Head]:
        """The latest heads of the admitted sensors that were found so far, by name."""
        found = (self._heads[name] for name in sorted(self._heads))
        return [head for head in found if self._admits(head)][:MAX_SENSORS]

    @property
    def strangers(self) -> list[Head]:
        """Heads of sensors that are not admitted."""
        return [self._refused[key] for key in sorted(self._refused)]

    def discover(self, stop: Stop | None = None) -> list[Head]:
        """Look for heads; return ``heads``.

        Raises:
            UnavailableError: No node answers.
            ConfigError: The file of admitted keys cannot be used.
        """
        changed = self._admission.refresh()
        query = Query(addresses=(self._session.address,), tags=(self._session.tag,))
        if changed or len(self._seen) > MAX_SEEN:
            self._seen.clear()
        found = self._tangle.fetch(query, known=self._seen, max_bundle=HEAD_TRANSACTIONS, stop=stop)
        if found.cut:
            self._tell_once("more is tagged with this session's name than a node returns; a sensor may not be found")
        for bundle in found.bundles:
            for posting in bundle.postings:
                try:
                    head = read_head(posting, self._session)
                except LearnaeError:
                    self.counts.heads += 1
                    continue
                self._meet(head)
        self._seen |= found.seen
        if not self._heads and not self._refused and others_stream(self._tangle, self._session, stop):
            self._tell_once(OTHERS)
        for head in [head for head in self._refused.values() if self._admits(head)]:
            del self._refused[head.key]
            self._meet(head)
        return self.heads

    def read(self, sensor: str, position: str, max_readings: int, stop: Stop | None = None) -> Packet:
        """Return what follows a position: see ``SensorSource.read``."""
        head = self._heads.get(sensor)
        if head is None or not self._admits(head):
            self.discover(stop)
            head = self._heads.get(sensor)
        if head is None or not self._admits(head):
            raise NotFoundError(f"no admitted sensor named {sensor[:100]!r}")
        place = parse_place(position, head)
        readings: list[Reading | None] = []
        first: int | None = None
        for _ in range(MAX_PACKETS):
            packet = self._packet(head, place, stop)
            if packet is None:
                later = None if readings else self._later(head, place, stop)  # what follows a gap is an answer of its own
                if later is None:
                    break
                place = later
                continue
            if packet.end and place.offset >= len(packet.readings):
                return Packet(tuple(readings), str(place) if readings else position, True, first)
            if first is None:
                first = packet.first + place.offset
            some = packet.readings[place.offset : place.offset + max_readings - len(readings)]
            readings += some
            offset = place.offset + len(some)
            if offset < len(packet.readings) or packet.end:
                place = Place(place.index, offset, place.root)
            else:
                place = Place(place.index + 1, 0, packet.next_root)
            if len(readings) == max_readings:
                break
        return Packet(tuple(readings), str(place) if readings else position, first=first)

    def _admits(self, head: Head) -> bool:
        return self._admission.admits(head.key, sealed=self._session.sealed)

    def _meet(self, head: Head) -> None:
        known = self._heads.get(head.sensor)
        if not self._admits(head):
            self.counts.strangers += 1
            if len(self._refused) < MAX_SENSORS:
                self._refused[head.key] = head
        elif known is not None and self._admits(known) and (known.key, known.first_root) != (head.key, head.first_root):
            self.counts.rivals += 1
            self._tell_once(
                f"sensor {head.sensor}: the key {head.key[:16]} claims the name, or began another stream;"
                f" that of {known.key[:16]}, which was seen first, is read"
            )
        elif known is None and len(self._heads) >= MAX_SENSORS:
            self._tell_once(f"more than {MAX_SENSORS} sensors; the others are left out")
        else:
            self._remember(head)
            if known is None or known.key != head.key or head.index >= known.index:
                self._heads[head.sensor] = head

    def _remember(self, head: Head) -> None:
        """Remember where a stream can be started; of too many, every second one."""
        starts = self._starts.setdefault(head.key, {})
        starts[head.index] = head
        if len(starts) > MAX_STARTS:
            self._starts[head.key] = {index: starts[index] for index in sorted(starts)[::2]}

    def _later(self, head: Head, place: Place, stop: Stop | None) -> Place | None:
        """Return the next place that can be read where the ledger was pruned; ``None`` if it was not, or there is none yet."""
        if place.index >= head.confirmed or self._fruitless.get(head.key) == head.index:
            return None
        starts = self._starts.get(head.key, {})
        for start in (starts[index] for index in sorted(starts) if index > place.index):
            later = Place(start.index, 0, start.root)
            if self._packet(head, later, stop) is not None:
                self._tell_once(
                    f"sensor {head.sensor}: packets {place.index} to {start.index - 1} are on the ledger no more; it is read from"
                    f" packet {start.index} on"
                )
                return later
        self._fruitless[head.key] = head.index
        return None

    def _packet(self, head: Head, place: Place, stop: Stop | None) -> _Read | None:
        """Return the packet of a place; ``None`` if it is not there."""
        cached = self._cache.get((head.key, place.root))
        if cached is not None:
            return cached
        side_key = self._session.side_key(head.key) if head.mode is Mode.RESTRICTED else ""
        reader = Reader(place.root, head.mode, side_key, min_security=head.security)
        junk = self._junk.setdefault(head.key, _Junk())
        if junk.root != place.root or len(junk.seen) > MAX_SEEN:
            junk.root, junk.seen = place.root, set()
        query = Query(addresses=(reader.address(self._kernel),))
        found = self._tangle.fetch(query, known=junk.seen, max_bundle=PACKET_TRANSACTIONS, stop=stop)
        packets = []
        for posting in (posting for bundle in found.bundles for posting in bundle.postings):
            try:
                message = reader.parse(posting.trytes, self._kernel)
                packet = read_packet(
                    message.trytes,
                    index=place.index,
                    root=place.root,
                    next_root=message.next_root,
                    key=head.key,
                    session=self._session,
                )
            except LearnaeError:
                self.counts.messages += 1
                continue
            packets.append((message.trytes, packet, message.next_root))
        if not packets:
            junk.seen |= found.seen
            if found.cut:
                self._tell_once(f"sensor {head.sensor}: more lies at the address of packet {place.index} than a node returns")
            return None
        _, packet, next_root = min(packets, key=lambda each: each[0])  # all are one, unless the sensor signed twice
        read = _Read(packet.first, readings_of(packet), packet.end, next_root)
        self._cache[head.key, place.root] = read
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return read

    def _tell_once(self, text: str) -> None:
        if text not in self._told and len(self._told) < MAX_SENSORS:
            self._told.add(text)
            self._tell(text)
