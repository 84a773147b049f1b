"""Signs a sensor's packets: its place in its channel, the keys of the leaf there, and what only this sensor can know of it."""

from learnae_iota.bundles.transactions import TAG_TRYTES
from learnae_iota.mam.channel import Channel, Mode
from learnae_iota.mam.merkle import Tree, grow
from learnae_iota.mam.messages import create
from learnae_iota.mam.reading import Reader
from learnae_iota.sensors.admission import SensorKey
from learnae_iota.sensors.batching import Batch
from learnae_iota.sensors.kept import KeptPacket, Stream
from learnae_iota.sensors.packets import write_packet
from learnae_iota.sensors.sessions import SensorSession
from learnae_iota.trinary.kernel import Kernel
from learnae_iota.trinary.trytes import derived_trytes, to_trytes


class Signer:
    """Signs packets of a stream, each number once: who calls it sees to that. For one thread.

    Args:
        stream: Which.
        session: The session.
        kernel: Computes.

    Attributes:
        key: The sensor's Ed25519 key.
    """

    def __init__(self, stream: Stream, session: SensorSession, kernel: Kernel) -> None:
        self._stream, self._session, self._kernel = stream, session, kernel
        self._trees: tuple[Tree, ...] = ()  # the last ones, for the next root is the root of the next packet
        self.key = SensorKey(stream.private)

    def sign(self, number: int, batch: Batch, before: int) -> KeptPacket:
        """Sign a packet.

        Args:
            number: Its place.
            batch: What is in it.
            before: How many readings come before it.

        Raises:
            TooLargeError: The readings do not fit into a message.
        """
        channel = Channel(self._stream.seed, self._stream.terms.mode, self._side_key(), self._stream.terms.security, start=number)
        kept = {tree.plan: tree for tree in self._trees}
        self._trees = tuple(kept.get(plan) or grow(plan, self._kernel) for plan in (channel.plan, channel.next_plan))
        root, next_root = (to_trytes(tree.root) for tree in self._trees)
        content = write_packet(
            batch.readings,
            index=number,
            first=before,
            end=batch.end,
            root=root,
            next_root=next_root,
            key=self.key,
            session=self._session,
        )
        signed = create(channel, content, trees=self._trees, kernel=self._kernel)
        return KeptPacket(
            number=number,
            root=root,
            next_root=signed.next_root,
            address=signed.address,
            payload=signed.payload,
            readings=len(batch.readings),
            until=before + len(batch.readings),
            input=batch.input,
            end=batch.end,
        )

    def reader(self, packet: KeptPacket) -> Reader:
        """Return the place of a packet, as those see it who read the channel."""
        return Reader(packet.root, self._stream.terms.mode, self._side_key())

    def tag(self, number: int) -> str:
        """Return the tag of a packet's transactions: 27 trytes that nobody without this key knows before they are there."""
        return derived_trytes(b"learnae/iota/sensors/packet tag/%d/" % number + self._stream.private, TAG_TRYTES)

    def _side_key(self) -> str:
        return self._session.side_key(self.key.public) if self._stream.terms.mode is Mode.RESTRICTED else ""
