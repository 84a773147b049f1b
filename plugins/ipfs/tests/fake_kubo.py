"""A fake of a Kubo daemon: what the storage asks of one, in memory, with faults and turns that a test decides.

It knows what was seen of real ones: a pin has no owner and is one however often it was made; names in the MFS are made of
folders; content that is not here comes from others, or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from learnae_ipfs.kubo.values import Counters, Holder, Identity, Neighbour
from learnae_ipfs.kubo.wire import is_raw
from storage_rig import Blocks

from learnae.errors import NotFoundError, UnavailableError

ME = "12D3KooW" + "M" * 44


@dataclass
class FakeKubo:
    """One daemon, and what others would give it.

    Attributes:
        here: The blocks that it has.
        elsewhere: The blocks that it would get.
        pins: What is pinned recursively.
        direct_pins: What is pinned as one block.
        mfs: Paths of files to content ids.
        asked: The calls that were made, in order.
        before: Is awaited before each call; a test can raise there, or wait for its turn.
        wants: What neighbours' Bitswap asks for.
    """

    here: dict[str, bytes] = field(default_factory=dict)
    elsewhere: dict[str, bytes] = field(default_factory=dict)
    pins: set[str] = field(default_factory=set)
    direct_pins: set[str] = field(default_factory=set)
    mfs: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    before: Callable[[str], Awaitable[None]] | None = None
    wants: dict[str, frozenset[str]] = field(default_factory=dict)
    holders: Sequence[str] = ()
    answering: set[str] = field(default_factory=set)
    counts: Counters = field(default_factory=lambda: Counters(0, 0, 0, 0))
    published: list[tuple[str, bytes]] = field(default_factory=list)

    async def _ask(self, *call: str) -> None:
        self.asked.append(call)
        if self.before is not None:
            await self.before(call[0])
        else:
            await asyncio.sleep(0)

    def made(self, *names: str) -> list[tuple[str, ...]]:
        """Return the calls with these names that were made."""
        return [call for call in self.asked if call[0] in names]

    async def identity(self) -> Identity:
        await self._ask("identity")
        return Identity(ME, (), "fake")

    async def neighbours(self) -> Sequence[Neighbour]:
        await self._ask("neighbours")
        return [Neighbour(peer, "/ip4/127.0.0.1/tcp/1", False) for peer in sorted(self.answering)]

    async def counters(self) -> Counters:
        await self._ask("counters")
        return self.counts

    async def add(self, data: bytes, *, pin: bool = False) -> str:
        await self._ask("add")
        blocks = Blocks()
        cid = blocks.file(data)
        self.here.update(blocks.by_cid)
        return cid

    def _fetch(self, cid: str) -> bytes:
        if cid not in self.here:
            if cid not in self.elsewhere:
                raise NotFoundError(f"nobody has {cid} now")
            self.here[cid] = self.elsewhere[cid]
        return self.here[cid]

    async def block(self, cid: str, *, max_bytes: int, patience_s: float = 15.0) -> bytes:
        await self._ask("block", cid)
        return self._fetch(cid)

    async def block_size(self, cid: str, *, patience_s: float = 15.0) -> int:
        await self._ask("block_size", cid)
        return len(self._fetch(cid))

    async def has_block(self, cid: str) -> bool:
        await self._ask("has_block", cid)
        return cid in self.here

    async def cat(self, cid: str, *, max_bytes: int, patience_s: float = 15.0) -> bytes:
        await self._ask("cat", cid)
        assert is_raw(cid), "the fake reads files of one block"
        return self._fetch(cid)

    async def is_pinned(self, cid: str, *, directly: bool = False) -> bool:
        await self._ask("is_pinned", cid)
        return cid in (self.direct_pins if directly else self.pins)

    async def pin(self, cid: str, *, patience_s: float = 30.0) -> None:
        await self._ask("pin", cid)
        self.direct_pins.discard(cid)
        self.pins.add(cid)

    async def unpin(self, cid: str) -> None:
        await self._ask("unpin", cid)
        self.pins.discard(cid)

    async def mfs_cid(self, path: str) -> str | None:
        await self._ask("mfs_cid", path)
        return self.mfs.get(path)

    async def mfs_list(self, path: str) -> Sequence[str]:
        await self._ask("mfs_list", path)
        return sorted({name[len(path) + 1 :].split("/")[0] for name in self.mfs if name.startswith(f"{path}/")})

    async def mfs_link(self, cid: str, path: str) -> None:
        await self._ask("mfs_link", path)
        self.mfs[path] = cid

    async def mfs_remove(self, path: str) -> None:
        await self._ask("mfs_remove", path)
        self.mfs.pop(path, None)

    async def wanted_by(self, peer: str) -> frozenset[str]:
        await self._ask("wanted_by", peer)
        return self.wants.get(peer, frozenset())

    async def find_providers(self, cid: str, *, at_most: int, patience_s: float = 10.0) -> Sequence[Holder]:
        await self._ask("find_providers", cid, str(at_most))
        return [Holder(peer, ()) for peer in self.holders][:at_most]

    async def ping(self, peer: str, *, patience_s: float = 5.0) -> bool:
        await self._ask("ping", peer)
        return peer in self.answering

    async def publish(self, topic: str, data: bytes) -> None:
        await self._ask("publish", topic)
        self.published.append((topic, data))

    def subscribe(self, topic: str) -> FakeSubscription:
        return FakeSubscription()


class FakeSubscription:
    """A subscription to which nothing comes."""

    def __aiter__(self) -> FakeSubscription:
        return self

    async def __anext__(self) -> object:
        await asyncio.Event().wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        pass


@dataclass
class FakeAccess:
    """An ``Access`` to a fake daemon."""

    client: FakeKubo = field(default_factory=FakeKubo)
    is_own: bool = True
    failures: int = 0
    closed: int = 0
    away: bool = False

    async def kubo(self) -> FakeKubo:
        if self.away:
            raise UnavailableError("the fake daemon is away")
        return self.client

    async def failed(self) -> None:
        self.failures += 1

    async def aclose(self) -> None:
        self.closed += 1


class Turns:
    """Lets coroutines go on one call at a time, in an order that a test decides."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def gate(self, name: str) -> Callable[[str], Awaitable[None]]:
        """Return what a coroutine's calls wait at."""

        async def wait(_: str) -> None:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(name, []).append(turn)
            await turn

        return wait

    async def go(self, name: str) -> None:
        """Let one call of a coroutine happen, and wait until it waits at the next, or has ended."""
        if self._waiting.get(name):
            self._waiting[name].pop(0).set_result(None)
        for _ in range(6):
            await asyncio.sleep(0)
