"""Sends a stream: signs packets, keeps them, attaches them, and looks whether they arrive and whether somebody else signs too.

The order is: look at the packet's address, sign, make it durable, broadcast. Whatever happens in between, what was made durable
is sent again as it is.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar

from learnae.errors import ClonedIdentityError, LearnaeError, StateError, UnavailableError, WorldError
from learnae_iota.bundles.attaching import milliseconds
from learnae_iota.bundles.bundles import Bundle, Posting
from learnae_iota.mam.channel import Channel, Mode
from learnae_iota.mam.merkle import Tree, grow
from learnae_iota.mam.messages import create
from learnae_iota.mam.reading import Reader
from learnae_iota.sensors.admission import SensorKey
from learnae_iota.sensors.feeding import Batch
from learnae_iota.sensors.heads import HEAD_TRANSACTIONS, OTHERS, Head, others_stream, read_head, write_head
from learnae_iota.sensors.packets import write_packet
from learnae_iota.sensors.sessions import PACKET_TRANSACTIONS, SensorSession
from learnae_iota.sensors.state import KeptPacket, SensorState
from learnae_iota.stopping import Stop, StoppedError
from learnae_iota.tangle.fetching import Fetches, Query
from learnae_iota.trinary.kernel import Kernel, choose_kernel
from learnae_iota.trinary.trytes import to_trytes

HEAD_EVERY = 20
"""Packets between two heads."""

REATTACH_S = 150.0
"""How long a packet may stay unconfirmed before it is attached again: its tips are too old then."""

MAX_UNCONFIRMED = 200
"""Packets: more are not sent before one of them is confirmed, so that the state folder stays small."""

_LOOKED_AT = 10
_MAX_WAIT_S = 60.0
_T = TypeVar("_T")


class SensorTangle(Fetches, Protocol):
    """What sensors need of ``Tangle``."""

    def send(self, postings: list[Posting], *, stop: Stop | None = None) -> Bundle:
        """Send messages: see ``Tangle.send``."""
        ...

    def is_confirmed(self, tails: list[str], *, stop: Stop | None = None) -> bool:
        """Tell whether an attachment is confirmed: see ``Tangle.is_confirmed``."""
        ...


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a feeder takes its time.

    Attributes:
        head_every: Packets between two heads.
        reattach_s: How long a packet may stay unconfirmed.
        give_up_s: How long a node may not answer; ``None``: for ever.
        now_s: Seconds that only grow.
        wait: Waits so many seconds, or until the end is asked for.
    """

    head_every: int = HEAD_EVERY
    reattach_s: float = REATTACH_S
    give_up_s: float | None = None
    now_s: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class _Shared:
    """What is computed once and used again."""

    trees: tuple[Tree, ...] = ()
    hashes: dict[int, frozenset[str]] = field(default_factory=dict)  # of attachments, by packet: they are not fetched again


class Feeder:
    """Sends one sensor's stream; ``begin`` comes first. For one thread.

    All methods raise ``StoppedError`` when the stop is asked, ``UnavailableError`` when ``give_up_s`` is over,
    ``ClonedIdentityError`` when somebody else signs with this sensor's keys, and ``StateError``.

    Args:
        state: The sensor's.
        session: The session.
        tangle: Takes what is sent.
        stop: Ends it early.
        pacing: How it takes its time.
        tell: Takes a sentence about what has to be tried again.
        clock_ms: Milliseconds since 1970.
        kernel: Computes; the best that is there without one.
    """

    def __init__(
        self,
        state: SensorState,
        session: SensorSession,
        tangle: SensorTangle,
        *,
        stop: Stop | None = None,
        pacing: Pacing | None = None,
        tell: Callable[[str], None] = lambda _: None,
        clock_ms: Callable[[], int] = milliseconds,
        kernel: Kernel | None = None,
    ) -> None:
        self._state, self._session, self._tangle, self._tell = state, session, tangle, tell
        self._stop, self._pacing, self._clock_ms = stop or Stop(), pacing or Pacing(), clock_ms
        self._kernel = kernel or choose_kernel()
        self._key = SensorKey(state.stream.private)
        self._shared = _Shared()
        self._head: tuple[str, int] | None = None
        self._waiting = deque(state.unconfirmed(2 * MAX_UNCONFIRMED))

    @property
    def public(self) -> str:
        """The sensor's Ed25519 key, which peers admit."""
        return self._key.public

    @property
    def unconfirmed(self) -> int:
        """How many packets were not seen confirmed."""
        return len(self._waiting)

    def begin(self) -> None:
        """Look whether somebody else used these keys, send again what may not have arrived, and send a head."""
        self._insist(self._refuse_later_heads)
        for packet in list(self._waiting):
            self._insist(partial(self._refuse_another, packet.number, packet.root, packet.payload))
            if packet.sent_ms is None:
                self._attach(packet)
        self._send_head()

    def send(self, batch: Batch) -> KeptPacket:
        """Sign, keep and send a packet."""
        last = self._state.last()
        if last is not None and last.end:
            raise StateError("this stream was ended: nothing can follow; stream with another --state")
        number = last.number + 1 if last else 0
        while len(self._waiting) >= MAX_UNCONFIRMED:
            self.settle()
            self._pause(1.0)
        if number and number % self._pacing.head_every == 0:
            self._send_head()
        channel = self._channel(number)
        root, next_root = self._roots(channel)
        self._insist(partial(self._refuse_another, number, root, ""))
        packet = self._signed(channel, root, next_root, batch, last.until if last else 0)
        self._state.keep(packet)
        self._waiting.append(packet)
        self._attach(packet)
        self.settle()
        return packet

    def settle(self) -> None:
        """Look which of the first unconfirmed packets are confirmed by now; attach again what waits for too long."""
        for packet in list(self._waiting)[:_LOOKED_AT]:
            if self._is_confirmed(self._state.tails(packet.number)):
                crowded = self._insist(partial(self._refuse_another, packet.number, packet.root, packet.payload))
                if crowded and not self._insist(partial(self._is_visible, packet)):
                    self._tell(f"packet {packet.number} is buried below what others wrote to its address; it is attached again")
                    self._attach(packet)
                    continue
                self._state.note_confirmed(packet.number)
                self._waiting.remove(packet)
                self._shared.hashes.pop(packet.number, None)
            elif self._is_late(packet.sent_ms or 0):
                self._tell(f"packet {packet.number} is not confirmed yet; it is attached again")
                self._attach(packet)
        if self._head is not None and self._is_confirmed([self._head[0]]):
            self._head = None
        elif self._head is not None and self._is_late(self._head[1]):
            self._send_head()

    def finish(self) -> None:
        """Wait until all packets, and the last head, are confirmed."""
        while self._waiting or self._head:
            self.settle()
            if self._waiting or self._head:
                self._pause(0.5)

    def _is_confirmed(self, tails: list[str]) -> bool:
        return bool(tails) and self._insist(partial(self._tangle.is_confirmed, tails, stop=self._stop))

    def _is_late(self, sent_ms: int) -> bool:
        return self._clock_ms() >= sent_ms + self._pacing.reattach_s * 1000

    def _channel(self, number: int) -> Channel:
        stream = self._state.stream
        mode = stream.terms.mode
        side_key = self._session.side_key(self.public) if mode is Mode.RESTRICTED else ""
        return Channel(stream.seed, mode, side_key, stream.terms.security, start=number)

    def _roots(self, channel: Channel) -> tuple[str, str]:
        kept = {tree.plan: tree for tree in self._shared.trees}
        plans = (channel.plan, channel.next_plan)
        self._shared.trees = tuple(kept.get(plan) or grow(plan, self._kernel) for plan in plans)
        root, next_root = (to_trytes(tree.root) for tree in self._shared.trees)
        return root, next_root

    def _signed(self, channel: Channel, root: str, next_root: str, batch: Batch, before: int) -> KeptPacket:
        content = write_packet(
            batch.readings,
            index=channel.start,
            first=before,
            end=batch.end,
            root=root,
            next_root=next_root,
            key=self._key,
            session=self._session,
        )
        signed = create(channel, content, trees=self._shared.trees, kernel=self._kernel)
        return KeptPacket(
            number=channel.start,
            root=root,
            next_root=signed.next_root,
            address=signed.address,
            payload=signed.payload,
            readings=len(batch.readings),
            until=before + len(batch.readings),
            input=batch.input,
            end=batch.end,
        )

    def _attach(self, packet: KeptPacket) -> None:
        bundle = self._insist(partial(self._tangle.send, [Posting(packet.address, packet.payload)], stop=self._stop))
        now = self._clock_ms()
        self._state.note_sent(packet.number, bundle.tail, now)
        self._shared.hashes[packet.number] = self._shared.hashes.get(packet.number, frozenset()) | frozenset(bundle.hashes)
        for at, waiting in enumerate(self._waiting):
            if waiting.number == packet.number:
                self._waiting[at] = replace(waiting, sent_ms=now)

    def _send_head(self) -> None:
        last, stream = self._state.last(), self._state.stream
        root = last.next_root if last else stream.first_root
        head = Head(
            sensor=stream.terms.sensor,
            created_ms=stream.created_ms,
            key=self.public,
            mode=stream.terms.mode,
            security=stream.terms.security,
            first_root=stream.first_root,
            root=root,
            index=last.number + 1 if last else 0,
            readings=last.until if last else 0,
            confirmed=self._waiting[0].number if self._waiting else last.number + 1 if last else 0,
        )
        posting = write_head(head, self._key, self._session)
        bundle = self._insist(partial(self._tangle.send, [posting], stop=self._stop))
        self._head = (bundle.tail, self._clock_ms())

    def _refuse_later_heads(self) -> None:
        """Look for heads of this sensor that this folder cannot have sent."""
        last, stream = self._state.last(), self._state.stream
        index = last.number + 1 if last else 0
        query = Query(addresses=(self._session.address,), tags=(self._session.tag,))
        found = self._tangle.fetch(query, max_bundle=HEAD_TRANSACTIONS, stop=self._stop)
        if not found.bundles and last is None and others_stream(self._tangle, self._session, self._stop):
            self._tell(OTHERS)
        for bundle in found.bundles:
            for posting in bundle.postings:
                try:
                    head = read_head(posting, self._session)
                except LearnaeError:
                    continue
                if head.key == self.public and (head.index > index or head.first_root != stream.first_root):
                    raise _cloned(f"a head of this sensor tells of packet {head.index}, and {index} is the next one here")

    def _is_visible(self, packet: KeptPacket) -> bool:
        """Tell whether a reader finds a packet, although nodes do not show all that lies at its address."""
        found = self._tangle.fetch(Query(addresses=(packet.address,)), max_bundle=PACKET_TRANSACTIONS, stop=self._stop)
        return any(posting.trytes.startswith(packet.payload) for bundle in found.bundles for posting in bundle.postings)

    def _refuse_another(self, number: int, root: str, payload: str) -> bool:
        """Look for a message at a packet's address that only this sensor's seed can have signed, and that is not kept here.

        Returns:
            Whether there is more at the address than a node shows.
        """
        channel = self._channel(number)
        reader = Reader(root, channel.mode, channel.side_key)
        known = self._shared.hashes.get(number, frozenset())
        query = Query(addresses=(reader.address(self._kernel),))
        found = self._tangle.fetch(query, known=known, max_bundle=PACKET_TRANSACTIONS, stop=self._stop)
        own = reader.parse(payload, self._kernel).trytes if payload and found.bundles else ""
        for bundle in found.bundles:
            for posting in bundle.postings:
                if payload and posting.trytes.startswith(payload):
                    continue
                try:
                    message = reader.parse(posting.trytes, self._kernel)
                except LearnaeError:
                    continue
                if message.trytes != own:
                    raise _cloned(f"packet {number} is on the ledger, and is not the one that is kept here")
        return found.cut

    def _insist(self, work: Callable[[], _T]) -> _T:
        """Do something until the world lets it be done."""
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
                self._pause(delay)
                delay = min(2 * delay, _MAX_WAIT_S)

    def _pause(self, seconds: float) -> None:
        self._stop.check()
        self._pacing.wait(seconds)
        self._stop.check()


def _cloned(what: str) -> ClonedIdentityError:
    return ClonedIdentityError(
        f"somebody else signs with this sensor's keys: {what}; the state folder was copied, or an old copy was restored."
        " Stop the other one and go on with its folder, or begin a new stream with another --state"
    )
