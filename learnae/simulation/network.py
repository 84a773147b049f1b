"""The network between simulated peers: messages are lost and late, files take their time, some peers are offline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from learnae.errors import ForgedError, UnavailableError, UsageError
from learnae.simulation.chance import Chance
from learnae.simulation.clock import VirtualClock
from learnae.simulation.peers import SimulatedPeer
from learnae.values.announcements import SignedAnnouncement
from learnae.values.ids import Locator


class Ledger(Protocol):
    """Keeps files and hands messages on; the ledger ``memory`` is one. Nothing waits."""

    on_post: Callable[[str, str, bytes], None] | None
    """Called with sender, slot and message after every post, which then delivers nothing itself."""

    def post(self, sender: str, slot: str, message: bytes) -> None:
        """Take a message."""

    def store(self, holder: str, data: bytes) -> Locator:
        """Take a file."""

    def load(self, locator: Locator, max_bytes: int) -> bytes:
        """Return a file; raises ``NotFoundError`` or ``TooLargeError``."""

    def keep(self, holder: str, locator: Locator, max_bytes: int) -> None:
        """Hold somebody else's file too; raises as ``load`` does."""

    def drop(self, holder: str, locator: Locator) -> None:
        """Let a file go."""

    def held(self, holder: str) -> list[Locator]:
        """List what somebody holds, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What the network is like.

    Attributes:
        loss: The share of messages that do not arrive, drawn for each receiver.
        latency_s: Least and most seconds that a message, or the first byte of a file, takes; drawn evenly each time.
    """

    loss: float = 0.0
    latency_s: tuple[float, float] = (0.02, 0.5)

    def __post_init__(self) -> None:
        if not (0.0 <= self.loss <= 1.0 and 0.0 <= self.latency_s[0] <= self.latency_s[1]):
            raise UsageError(f"{self}: loss must lie between 0 and 1, latency_s rise from 0 or more")


@dataclass(frozen=True, slots=True)
class Crossing:
    """Something that left a peer.

    Attributes:
        kind: ``message`` or ``file``.
        data: As the ledger got it, sealed if the session has a secret.
    """

    time_s: float
    owner: str
    kind: str
    data: bytes


Arrived = SignedAnnouncement | ForgedError
Hear = Callable[[Arrived, int], None]
"""Called with what a message came to, and its size in bytes."""


class Network:
    """Connects peers over a ledger."""

    def __init__(
        self,
        ledger: Ledger,
        clock: VirtualClock,
        weather: Weather,
        chance: Chance,
        *,
        read: Callable[[bytes], SignedAnnouncement],
        tap: Callable[[Crossing], None] | None,
    ) -> None:
        """Make a network.

        Args:
            ledger: Not used by anybody else.
            clock: Says when.
            weather: What it is like.
            chance: For loss and latency.
            read: Verifies a message; what it says depends on the bytes alone, so it is asked once for all receivers.
            tap: Is shown everything that leaves a peer.
        """
        self._ledger = ledger
        self._clock = clock
        self._weather = weather
        self._chance = chance
        self._read = read
        self._tap = tap
        self._members: list[tuple[str, SimulatedPeer, Hear]] = []
        ledger.on_post = self._posted

    def connect(self, owner: str, peer: SimulatedPeer, hear: Hear) -> "Connection":
        """Let a peer take part; it hears nothing while it is offline."""
        self._members.append((owner, peer, hear))
        return Connection(self, owner, peer)

    def latency_s(self) -> float:
        """Draw how long something takes."""
        return self._chance.between(*self._weather.latency_s)

    def _posted(self, sender: str, _slot: str, message: bytes) -> None:
        self.tap(sender, "message", message)
        arrived: Arrived
        try:
            arrived = self._read(message)
        except ForgedError as exc:
            arrived = exc
        for owner, peer, hear in self._members:
            if owner != sender and self._chance.share() >= self._weather.loss:
                self._clock.after(self.latency_s(), partial(self._deliver, peer, hear, arrived, len(message)))

    def _deliver(self, peer: SimulatedPeer, hear: Hear, arrived: Arrived, size: int) -> None:
        if peer.is_online(self._clock.now_s, self._clock.now_s):
            hear(arrived, size)

    def tap(self, owner: str, kind: str, data: bytes) -> None:
        """Show what leaves a peer."""
        if self._tap is not None:
            self._tap(Crossing(self._clock.now_s, owner, kind, data))

    def is_online(self, peer: SimulatedPeer, seconds: float) -> bool:
        """Say whether a peer has its network from now on for that long."""
        return peer.is_online(self._clock.now_s, self._clock.now_s + seconds)

    @property
    def ledger(self) -> Ledger:
        """What keeps the files."""
        return self._ledger


class Connection:
    """One peer's transport and storage. Remote operations add to ``spent_s`` how long they take; who asked waits that long."""

    max_message_bytes = 1_048_576
    max_file_bytes = 2**30
    scheme = "memory"

    def __init__(self, network: Network, owner: str, peer: SimulatedPeer) -> None:
        self._network = network
        self._owner = owner
        self._peer = peer
        self.spent_s = 0.0

    async def publish(self, slot: str, message: bytes) -> None:
        """Send a message to everybody else: see ``Transport.publish``."""
        self._require(0.0)
        self._network.ledger.post(self._owner, slot, message)

    async def receive(self) -> bytes:
        """Refuse: the simulation delivers."""
        raise UsageError("in a simulation nobody waits for messages; they are delivered")

    async def put(self, data: bytes) -> Locator:
        """Store a file: see ``Storage.put``."""
        self._take(len(data))
        self._network.tap(self._owner, "file", data)
        return self._network.ledger.store(self._owner, data)

    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        """Fetch a file: see ``Storage.get``."""
        self._take(0)
        data = self._network.ledger.load(locator, max_bytes)
        self._require(self._take_bytes(len(data)))
        return data

    async def keep(self, locator: Locator, *, max_bytes: int) -> None:
        """Hold somebody else's file, which takes no time because it was fetched a moment ago: see ``Keeper.keep``."""
        self._require(0.0)
        self._network.ledger.keep(self._owner, locator, max_bytes)

    async def release(self, locator: Locator) -> None:
        """Let a file go: see ``Storage.release``."""
        self._require(0.0)
        self._network.ledger.drop(self._owner, locator)

    async def offered(self) -> Sequence[Locator]:
        """List what is held: see ``Inventory.offered``."""
        self._require(0.0)
        return self._network.ledger.held(self._owner)

    async def aclose(self) -> None:
        """Do nothing."""

    def _take(self, size: int) -> None:
        self.spent_s += self._network.latency_s()
        self._require(self._take_bytes(size))

    def _take_bytes(self, size: int) -> float:
        self.spent_s += size / self._peer.computer.bytes_per_s
        return self.spent_s

    def _require(self, seconds: float) -> None:
        """Fail if the peer is offline, or will be before this is done."""
        if not self._network.is_online(self._peer, seconds):
            raise UnavailableError("offline")
