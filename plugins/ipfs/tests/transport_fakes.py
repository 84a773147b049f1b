"""A network of daemons in memory, for what no real daemon does on demand: it counts calls, refuses, and says what it is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence

from learnae_ipfs.kubo.answers import RefusedError
from learnae_ipfs.kubo.values import Holder, Identity, Neighbour, PubsubMessage
from learnae_ipfs.kubo.wire import is_cid, name_of_peer, raw_cid

from learnae.errors import NotFoundError, TooLargeError, UnavailableError

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def peer_id(number: int) -> str:
    """Make a peer id that looks like that of an Ed25519 key."""
    value = int.from_bytes(b"\x00\x24\x08\x01\x12\x20" + hashlib.sha256(b"%d" % number).digest(), "big")
    text = ""
    while value:
        value, digit = divmod(value, 58)
        text = _BASE58[digit] + text
    return "1" + text


def dag_cid(number: int) -> str:
    """Make a content id of something that is no raw block."""
    return "b" + base64.b32encode(b"\x01\x70\x12\x20" + hashlib.sha256(b"%d" % number).digest()).decode().rstrip("=").lower()


class MemoryNetwork:
    """What daemons share: blocks, names, provider records, topics, and who can reach whom."""

    def __init__(self) -> None:
        self.daemons: dict[str, MemoryDaemon] = {}
        self.names: dict[str, str] = {}
        self.providers: defaultdict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)

    def daemon(self, number: int) -> MemoryDaemon:
        """Add a daemon."""
        return MemoryDaemon(self, peer_id(number), number)


class MemoryDaemon:
    """One daemon, as ``Kubo`` speaks to it.

    Attributes:
        calls: How often each call was made.
        down: Whether nothing answers.
        refuses: Calls that are refused.
        dialled: Every address that was ever dialled.
    """

    def __init__(self, network: MemoryNetwork, peer: str, number: int) -> None:
        self.network, self.peer, self.address = network, peer, f"/ip4/127.0.0.1/tcp/{10_000 + number}"
        network.daemons[peer] = self
        self.blocks: dict[str, bytes] = {}
        self.pins: set[str] = set()
        self.held: dict[str, str] = {"self": name_of_peer(peer) or ""}
        self.connected: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.dialled: list[str] = []
        self.down = False
        self.refuses: set[str] = set()
        self.topics_now: list[tuple[str, asyncio.Queue[PubsubMessage | None]]] = []

    def _called(self, call: str) -> None:
        self.calls[call] += 1
        if self.down:
            raise UnavailableError("the daemon is down")
        if call in self.refuses:
            raise RefusedError("the daemon", call, 500, "it does not like it")

    def meet(self, other: MemoryDaemon) -> None:
        """Connect, without anybody's dialling."""
        self.connected.add(other.peer)
        other.connected.add(self.peer)

    def part(self, other: MemoryDaemon) -> None:
        """Disconnect."""
        self.connected.discard(other.peer)
        other.connected.discard(self.peer)

    async def version(self) -> str:
        self._called("version")
        return "0.43.0"

    async def identity(self) -> Identity:
        self._called("id")
        return Identity(self.peer, (f"{self.address}/p2p/{self.peer}",), "kubo")

    async def put_block(self, data: bytes, *, pin: bool = False) -> str:
        self._called("block/put")
        cid = raw_cid(data)
        self.blocks[cid] = data
        if pin:
            self.pins.add(cid)
        return cid

    async def has_block(self, cid: str) -> bool:
        self._called("block/stat")
        return cid in self.blocks

    async def drop_block(self, cid: str) -> bool:
        self._called("block/rm")
        if cid in self.pins:
            return False
        self.blocks.pop(cid, None)
        return True

    async def unpin(self, cid: str) -> None:
        self._called("pin/rm")
        self.pins.discard(cid)

    async def cat(self, cid: str, *, max_bytes: int, patience_s: float = 15.0) -> bytes:
        self._called("cat")
        assert is_cid(cid)
        for daemon in (self, *self.network.daemons.values()):
            if cid in daemon.blocks:
                if len(daemon.blocks[cid]) > max_bytes:
                    raise TooLargeError(f"{cid} is too large")
                self.blocks[cid] = daemon.blocks[cid]
                return self.blocks[cid]
        raise NotFoundError(f"nobody has {cid}")

    async def name_publish(self, key: str, cid: str, *, lifetime_s: int) -> None:
        self._called("name/publish")
        self.network.names[self.held[key]] = cid

    async def name_resolve(self, name: str, *, patience_s: float = 10.0) -> str:
        self._called("name/resolve")
        if name not in self.network.names:
            raise NotFoundError(f"{name} leads nowhere")
        return self.network.names[name]

    async def keys(self) -> dict[str, str]:
        self._called("key/list")
        return dict(self.held)

    async def provide(self, cid: str) -> None:
        self._called("routing/provide")
        self.network.providers[cid][self.peer] = (self.address,)

    async def find_providers(self, cid: str, *, at_most: int, patience_s: float = 10.0) -> Sequence[Holder]:
        self._called("routing/findprovs")
        return [Holder(peer, addresses) for peer, addresses in list(self.network.providers[cid].items())[:at_most]]

    async def neighbours(self) -> Sequence[Neighbour]:
        self._called("swarm/peers")
        return [Neighbour(peer, self.network.daemons[peer].address, inbound=False) for peer in self.connected]

    async def connect(self, *addresses: str, patience_s: float = 10.0) -> None:
        self._called("swarm/connect")
        self.dialled += addresses
        for address in addresses:
            other = self.network.daemons.get(address.rpartition("/p2p/")[2])
            if other is not None and not other.down and address == f"{other.address}/p2p/{other.peer}":
                self.meet(other)
                return
        raise NotFoundError(f"cannot reach {addresses}")

    async def topics(self) -> Sequence[str]:
        try:
            self._called("pubsub/ls")
        except RefusedError as exc:
            raise UnavailableError("PubSub is switched off") from exc
        return [topic for topic, _ in self.topics_now]

    async def publish(self, topic: str, data: bytes) -> None:
        self._called("pubsub/pub")
        for peer in (self.peer, *self.connected):
            for name, queue in self.network.daemons[peer].topics_now:
                if name == topic:
                    queue.put_nowait(PubsubMessage(self.peer, data))

    def subscribe(self, topic: str) -> MemorySubscription:
        return MemorySubscription(self, topic)

    def hear(self, message: PubsubMessage | None) -> None:
        """Have every subscription take a message, or end."""
        for _, queue in self.topics_now:
            queue.put_nowait(message)


class MemorySubscription(AsyncIterator[PubsubMessage]):
    """A subscription to a topic of a daemon."""

    def __init__(self, daemon: MemoryDaemon, topic: str) -> None:
        self._daemon, self._entry = daemon, (topic, asyncio.Queue[PubsubMessage | None]())

    async def opened(self) -> None:
        self._daemon._called("pubsub/sub")
        self._daemon.topics_now.append(self._entry)

    async def __anext__(self) -> PubsubMessage:
        message = await self._entry[1].get()
        if message is None:
            raise UnavailableError("the daemon ended the subscription")
        return message

    async def aclose(self) -> None:
        if self._entry in self._daemon.topics_now:
            self._daemon.topics_now.remove(self._entry)


class Clock:
    """Monotonic seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
