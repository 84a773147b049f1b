"""Files between peers that cannot reach each other: who gets a file from nobody says so, and its neighbours fetch it.

Kubo's own relays carry neither Bitswap nor PubSub, so that two peers behind routers get nothing from each other, although both
are connected to a third. PubSub messages do go through the third. A *want* is such a message: ``learnae-want-1 `` and a content
id, on a topic of its own. A neighbour that hears it fetches what it has not of the file, and does no more: it answers nothing and
pins nothing. The wanter's daemon has asked its neighbours already (that is how Bitswap works), and gets each block as it arrives.

What a want can cost is bounded, for strangers can publish on a public topic:

- only for a daemon that is connected to this one, and that its Bitswap asks for just this file, anything is fetched at all;
- in a minute at most ``Limits.minute_bytes`` are fetched, after a silence once ``Limits.file_bytes`` more, and at most one block
  more for each of the ``Limits.at_once`` fetched at a time, which daemons limit to 4 MiB;
- on a daemon that is not ours, where nothing collects them later, at most ``Limits.foreign_bytes`` in all;
- nothing larger than ``Limits.file_bytes``, nothing that is not a file as ``put`` makes it, nothing that is here.

Neighbours wait for a moment before they begin, longer where there are many, and most then see that somebody else has helped.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from learnae.errors import DamagedError, LearnaeError, TooLargeError
from learnae_ipfs.access import Access
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.values import PubsubMessage
from learnae_ipfs.kubo.wire import CID_LENGTH, is_cid, is_raw
from learnae_ipfs.names import topic_of
from learnae_ipfs.storage.allowance import Allowance
from learnae_ipfs.storage.dag import MAX_NODE_BYTES, fetch_leaves, read_tree

MARK = b"learnae-want-1 "
LARGEST_BLOCK_BYTES = 4 * 2**20
"""Bitswap messages, and so the blocks in them, are not larger."""

REMEMBERED = 1_024
WAITING, WAITING_EACH = 64, 8
"""How many wants wait to be looked at, in all and of one daemon."""

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""How long to wait before listening again, where PubSub is switched off or the daemon is away."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What wants may cost, and when they are published.

    Attributes:
        minute_bytes: What is fetched for others in a minute, on average.
        file_bytes: The largest file that is fetched for others.
        foreign_bytes: What is fetched for others in all on a daemon that is not ours.
        wants_at_once: How many wants are looked after at a time.
        at_once: How many blocks are fetched at a time.
        patience_s: How long to wait for each block.
        help_s: How long to spend on one want.
        again_s: How long the same want of the same daemon is not looked at again.
        ask_after_s: After how long without a file a want is published, in seconds since the beginning.
    """

    minute_bytes: int = 64 * 2**20
    file_bytes: int = 128 * 2**20
    foreign_bytes: int = 2**30
    wants_at_once: int = 4
    at_once: int = 4
    patience_s: float = 10.0
    help_s: float = 60.0
    again_s: float = 4.0
    ask_after_s: tuple[float, ...] = (3.0, 8.0, 14.0)


def write_want(cid: str) -> bytes:
    """Write the message that says that a file is wanted."""
    return MARK + cid.encode("ascii")


def read_want(message: bytes) -> str | None:
    """Return the content id that somebody wants; ``None`` for anything else."""
    if len(message) != len(MARK) + CID_LENGTH or not message.startswith(MARK) or not message.isascii():
        return None
    cid = message[len(MARK) :].decode("ascii")
    return cid if is_cid(cid) else None


def wants_topic_of(rendezvous: str) -> str:
    """Name the PubSub topic on which a session's peers say what they want."""
    return f"{topic_of(rendezvous)}/wants"


class Relay:
    """Publishes wants, and looks after those of others. Where PubSub is off, it does nothing.

    Args:
        access: The way to the daemon; it stays the caller's.
        rendezvous: The session's.
        tell: Takes a sentence for the operator.
        limits: What others may cost.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        access: Access,
        rendezvous: str,
        tell: Callable[[str], None],
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access, self._tell, self._clock = access, tell, clock
        self._limits = limits = limits or Limits()
        self._topic = wants_topic_of(rendezvous)
        in_all = None if access.is_own else limits.foreign_bytes
        self._allowance = Allowance(limits.minute_bytes, limits.file_bytes, in_all, clock)
        self._seats = asyncio.Semaphore(limits.at_once)
        self._wants: asyncio.Queue[tuple[str, str]] = asyncio.Queue(WAITING)
        self._waiting: Counter[str] = Counter()
        self._recent: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._tasks: list[asyncio.Task[None]] = []
        self._own_peer = ""
        self._closed = False

    def start(self) -> None:
        """Begin to look after others' wants; idempotent."""
        if not self._tasks and not self._closed:
            helpers = [self._help_always() for _ in range(self._limits.wants_at_once)]
            self._tasks = [asyncio.create_task(work, name="learnae-ipfs-relay") for work in (self._listen(), *helpers)]

    async def aclose(self) -> None:
        """End it; idempotent."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def asking(self, kubo: Kubo, cid: str) -> AsyncIterator[None]:
        """Say that a file is wanted for as long as the block takes, if it takes long; never raises anything of its own."""
        task = asyncio.create_task(self._ask(kubo, cid), name="learnae-ipfs-want")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _ask(self, kubo: Kubo, cid: str) -> None:
        began_s = 0.0
        for moment_s in self._limits.ask_after_s:
            await asyncio.sleep(moment_s - began_s)
            began_s = moment_s
            with contextlib.suppress(LearnaeError):  # without PubSub nobody hears it
                await kubo.publish(self._topic, write_want(cid))

    async def _listen(self) -> None:
        pause_s = SHORTEST_PAUSE_S
        while True:
            with contextlib.suppress(LearnaeError):  # no PubSub, no daemon: whoever uses the storage is told so
                kubo = await self._access.kubo()
                self._own_peer = (await kubo.identity()).peer
                async with contextlib.aclosing(kubo.subscribe(self._topic)) as messages:
                    async for message in messages:
                        pause_s = SHORTEST_PAUSE_S
                        self._hear(message)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _hear(self, message: PubsubMessage) -> None:
        cid, sender, now_s = read_want(message.data), message.sender, self._clock()
        if cid is None or sender == self._own_peer or self._waiting[sender] >= WAITING_EACH or self._wants.full():
            return
        want = sender, cid
        if now_s - self._recent.get(want, -self._limits.again_s) < self._limits.again_s:
            return
        self._recent[want] = now_s
        self._recent.move_to_end(want)
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        self._waiting[sender] += 1
        self._wants.put_nowait(want)

    async def _help_always(self) -> None:
        while True:
            sender, cid = await self._wants.get()
            try:
                async with asyncio.timeout(self._limits.help_s):
                    await self._help(sender, cid)
            except (LearnaeError, TimeoutError):
                pass  # it is not here, not a file, or too much; the wanter asks again or somebody else helps
            finally:
                self._waiting[sender] -= 1
                if not self._waiting[sender]:
                    del self._waiting[sender]
            self._say_if_used_up()

    async def _help(self, sender: str, cid: str) -> None:
        kubo = await self._access.kubo()
        await asyncio.sleep(_moment_s(len(await kubo.neighbours())))
        wanted = await kubo.wanted_by(sender)
        here = await kubo.has_block(cid)
        if not wanted or (not here and cid not in wanted):
            return
        if is_raw(cid):
            await self._leaf(kubo, cid)
            return
        tree = await read_tree(cid, lambda node: self._node(kubo, node), max_bytes=self._limits.file_bytes)
        if here and wanted.isdisjoint((*tree.nodes, *(leaf.cid for leaf in tree.leaves))):
            return  # what it waits for is something else
        await fetch_leaves(tree, lambda leaf: self._leaf(kubo, leaf))

    async def _node(self, kubo: Kubo, cid: str) -> bytes:
        """Return a node, and count it unless it was here."""
        async with self._seats:
            here = await kubo.has_block(cid)
            if not here:
                self._allowance.check()
            try:
                data = await kubo.block(cid, max_bytes=MAX_NODE_BYTES, patience_s=self._limits.patience_s)
            except TooLargeError as exc:
                self._allowance.charge(0 if here else LARGEST_BLOCK_BYTES)
                raise DamagedError(f"{cid} is no node of a file: it is far too large") from exc
            self._allowance.charge(0 if here else len(data))
            return data

    async def _leaf(self, kubo: Kubo, cid: str) -> int:
        """Have a leaf fetched unless it is here, count it, and return its size."""
        async with self._seats:
            here = await kubo.has_block(cid)
            if not here:
                self._allowance.check()
            size = await kubo.block_size(cid, patience_s=self._limits.patience_s)
            self._allowance.charge(0 if here else size)
            return size

    def _say_if_used_up(self) -> None:
        if self._allowance.is_used_up and not self._closed:
            self._closed = True
            fetched = f"{self._limits.foreign_bytes // 2**20} MiB"
            self._tell(
                f"this peer fetched {fetched} for others through an IPFS daemon that is not its own,"
                " where nobody deletes it; until it is started again it does so no more"
            )
            for task in self._tasks:
                task.cancel()


def _moment_s(neighbours: int) -> float:
    """Return how long to wait before helping: so long that one in five is first, at most two seconds."""
    return min(2.0, 0.02 * neighbours) * secrets.randbelow(1_000) / 1_000
