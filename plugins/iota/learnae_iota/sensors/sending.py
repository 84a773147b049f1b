"""Sends a stream: signs packets, keeps them, attaches them, and looks whether they arrive and whether somebody else signs too.

The order is: look for the packet's tag, sign, make it durable, broadcast. Whatever happens in between, what was made durable
is sent again as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from learnae.errors import StateError
from learnae_iota.bundles.bundles import Posting
from learnae_iota.sensors.announcing import Announcing
from learnae_iota.sensors.batching import Batch
from learnae_iota.sensors.heads import HEAD_TRANSACTIONS, OTHERS, Head, heads_of, heads_query, others_stream, write_head
from learnae_iota.sensors.kept import KeptPacket
from learnae_iota.sensors.looking import Looks, SensorTangle, cloned
from learnae_iota.sensors.pacing import Pacing, Patience
from learnae_iota.sensors.sessions import SensorSession
from learnae_iota.sensors.signing import Signer
from learnae_iota.sensors.state import SensorState
from learnae_iota.sensors.unconfirmed import Unconfirmed, Waiting
from learnae_iota.stopping import Stop
from learnae_iota.trinary.kernel import Kernel, choose_kernel

_LOOKED_AT = 10
_SAID_S = 30.0


@dataclass(frozen=True, slots=True)
class _SentHead:
    """A head that was sent, as long as it is not confirmed."""

    tail: str
    sent_s: float


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
        kernel: Kernel | None = None,
    ) -> None:
        self._state, self._session, self._tangle, self._tell = state, session, tangle, tell
        self._stop, self._pacing = stop or Stop(), pacing or Pacing()
        kernel = kernel or choose_kernel()
        self._signer = Signer(state.stream, session, kernel)
        self._key = self._signer.key
        self._looks = Looks(self._signer, session, tangle, self._stop, kernel)
        patience = Patience(self._pacing, self._stop, tell)
        self._insist, self._pause = patience.insist, patience.pause
        self._announcing = Announcing(self._pacing.head_every)
        self._heads: dict[bool, _SentHead] = {}  # by whether they are for the fixed address
        self._waiting = Unconfirmed(state.unconfirmed())

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
        last = self._state.last()
        self._insist(partial(self._looks.refuse_later, last.number + 1 if last else 0))
        known = self._insist(self._refuse_later_heads)
        for number in self._waiting.numbers:
            packet = self._state.packet(number)
            self._insist(partial(self._looks.refuse_another, packet))
            if not self._state.tails(number):
                self._attach(packet)
        self._send_head(fixed=not known)

    def send(self, batch: Batch) -> KeptPacket:
        """Sign, keep and send a packet.

        Raises:
            TooLargeError: The readings do not fit into a message: ``batches`` sees to it that they do.
        """
        last = self._state.last()
        if last is not None and last.end:
            raise StateError("this stream was ended: nothing can follow; stream with another --state")
        number = last.number + 1 if last else 0
        if self._waiting.are_too_many:
            self._tell(f"{len(self._waiting)} packets are not confirmed; nothing more is sent before one of them is")
        while self._waiting.are_too_many:
            self.settle()
            self._pause(1.0)
        self._repeat_head(number)
        self._insist(partial(self._looks.refuse_signed, number))
        packet = self._signer.sign(number, batch, last.until if last else 0)
        self._state.keep(packet)
        self._waiting.add(number, len(packet.payload))
        self._attach(packet)
        if batch.end:
            self._send_head(fixed=True)
        self.settle()
        return packet

    def settle(self) -> None:
        """Look which of the unconfirmed packets are confirmed by now; attach again what waits for too long."""
        for waiting in self._waiting.due(self._pacing.now_s(), _LOOKED_AT):
            number = waiting.number
            if self._is_confirmed(self._state.tails(number)):
                self._settle(waiting)
            elif waiting.is_late(self._pacing.now_s(), self._pacing.reattach_s):
                self._tell(f"packet {number} is not confirmed yet; it is attached again")
                self._attach(self._state.packet(number))
        for fixed, head in list(self._heads.items()):
            if self._is_confirmed([head.tail]):
                del self._heads[fixed]
            elif self._pacing.now_s() >= head.sent_s + self._pacing.reattach_s:
                self._send_head(fixed=fixed)
        self._repeat_head()

    def finish(self) -> None:
        """Wait until all packets, and the last head, are confirmed.

        A packet that is confirmed and that others bury again and again, so that readers do not find it, is waited for a few
        minutes. It stays in the state folder, and is attached again when the stream goes on.
        """
        last = self._state.last()
        if last is not None and self._announcing.told <= last.number:
            self._send_head()
        said_s = self._pacing.now_s()
        while self._waiting.hopeful or self._heads:
            self.settle()
            if self._waiting.hopeful or self._heads:
                self._pause(0.5)
            if self._pacing.now_s() >= said_s + _SAID_S:
                said_s = self._pacing.now_s()
                self._tell(
                    f"{self._waiting.hopeful} packets and {len(self._heads)} heads are not confirmed yet; they are waited for"
                )
        for number in self._waiting.numbers:
            self._tell(f"packet {number} is confirmed, and still buried below what others wrote; the same command tries again")

    def _settle(self, waiting: Waiting) -> None:
        """Forget a packet that a milestone confirmed, if readers find it; else attach it once more."""
        packet = self._state.packet(waiting.number)
        crowded = self._insist(partial(self._looks.refuse_another, packet))
        if crowded and not self._insist(partial(self._looks.is_visible, packet)):
            self._tell(f"packet {packet.number} is buried below what others wrote to its address; it is attached again")
            self._attach(packet)
            waiting.rest(self._pacing.now_s())
            return
        self._state.note_confirmed(packet.number)
        self._waiting.remove(packet.number)
        self._looks.forget(packet.number)

    def _is_confirmed(self, tails: list[str]) -> bool:
        return bool(tails) and self._insist(partial(self._tangle.is_confirmed, tails, stop=self._stop))

    def _attach(self, packet: KeptPacket) -> None:
        posting = Posting(packet.address, packet.payload, self._signer.tag(packet.number))
        bundle = self._insist(partial(self._tangle.send, [posting], stop=self._stop))
        self._state.note_sent(packet.number, bundle.tail)
        self._looks.note_sent(packet.number, bundle.hashes)
        self._waiting.note_sent(packet.number, self._pacing.now_s())

    def _repeat_head(self, index: int = 0) -> None:
        """Send a head if one is due.

        Args:
            index: The packet that comes next, if there is one to send.
        """
        if self._announcing.is_due(index, self._pacing.now_s()):
            self._send_head()

    def _send_head(self, *, fixed: bool = False) -> None:
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
            confirmed=self._waiting.numbers[0] if self._waiting else last.number + 1 if last else 0,
        )
        now_s, now_ms = self._pacing.now_s(), self._insist(partial(self._tangle.now_ms, stop=self._stop))
        epoch = self._announcing.sent(head.index, now_s, now_ms)
        posting = write_head(head, self._key, self._session, None if fixed else epoch)
        bundle = self._insist(partial(self._tangle.send, [posting], stop=self._stop))
        self._heads[fixed] = _SentHead(bundle.tail, now_s)

    def _refuse_later_heads(self) -> bool:
        """Look for heads of this sensor that this folder cannot have sent; return whether one lies at the fixed address."""
        last, stream = self._state.last(), self._state.stream
        index = last.number + 1 if last else 0
        found: list[Head | None] = []
        known = False
        for address in self._session.addresses(self._tangle.now_ms(stop=self._stop)):
            query = heads_query(address, self._session)
            there = self._tangle.fetch(query, max_bundle=HEAD_TRANSACTIONS, stop=self._stop)
            heads = list(heads_of(there.bundles, self._session))
            known |= address == self._session.address and any(head and head.key == self.public for head in heads)
            found += heads
        if not found and last is None and others_stream(self._tangle, self._session, self._stop):
            self._tell(OTHERS)
        for head in found:
            if head and head.key == self.public and (head.index > index or head.first_root != stream.first_root):
                raise cloned(f"a head of this sensor tells of packet {head.index}, and {index} is the next one here")
        return known
