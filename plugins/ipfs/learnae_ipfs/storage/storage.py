"""Files by content id: put, fetched, kept and released on an IPFS daemon."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

from learnae.errors import DamagedError, LearnaeError, NotFoundError, TooLargeError, UnavailableError, UsageError
from learnae.interfaces.abilities import Traffic
from learnae.values.ids import Locator
from learnae_ipfs.access import Access
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.wire import EMPTY, is_raw
from learnae_ipfs.storage.dag import MAX_NODE_BYTES, Tree, fetch_leaves, is_content, is_content_of, read_tree
from learnae_ipfs.storage.holders import count_holders
from learnae_ipfs.storage.locators import SCHEME, read_locator, write_locator
from learnae_ipfs.storage.metering import Meter
from learnae_ipfs.storage.references import References
from learnae_ipfs.storage.relaying import Limits, Relay
from learnae_ipfs.storage.sweeping import Sweeper

MAX_FILE_BYTES = 512 * 2**20
"""The largest file: 134 million float32 parameters. A file is in memory whole, here and where it is fetched, and machines with a
few GiB are meant to take part. In blocks it is a tree with 13 nodes, which others read before they fetch anything else."""

PATIENCE_S = 20.0
"""How long nothing may come of a file before it counts as not there: enough for three wants, and for a neighbour to help."""

HASHED_AT_ONCE_BYTES = 262_144
"""More than this is hashed in a thread, so that the event loop goes on."""

ENDING_S = 1.0
"""How long an ending storage waits for steps under way: with what its daemon takes to end, less than the 5 s that it has."""


class IpfsStorage:
    """A ``Storage``, ``Keeper``, ``Inventory``, ``HolderCounter`` and ``TrafficMeter`` on an IPFS daemon.

    Files carry their own proof: whatever daemon or neighbour they come from, their bytes are those that their content ids name.

    Args:
        access: The way to the daemon; closed with the storage.
        rendezvous: The session's, 64 hexadecimal digits.
        owner: 64 hexadecimal digits that stand for the own id.
        tell: Takes a sentence for the operator.
        relaying: Whether to ask neighbours for files that nobody gives, and to fetch them for neighbours, where PubSub is on.
        limits: What neighbours may cost, and when they are asked.
        patience_s: How long nothing may come of a file before it counts as not there.
    """

    scheme = SCHEME
    max_file_bytes = MAX_FILE_BYTES

    def __init__(
        self,
        access: Access,
        *,
        rendezvous: str,
        owner: str,
        tell: Callable[[str], None] = lambda _: None,
        relaying: bool = True,
        limits: Limits | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._access, self._patience_s = access, patience_s
        self._references = References(rendezvous, owner, is_own=access.is_own)
        self._relay = Relay(access, rendezvous, tell, limits=limits) if relaying else None
        self._sweeper = Sweeper(access)
        self._meter = Meter()
        self._metered: Kubo | None = None
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._steps: set[asyncio.Task[None]] = set()

    async def put(self, data: bytes) -> Locator:
        """Add a file, and keep it: see ``Storage.put``."""
        if len(data) > MAX_FILE_BYTES:
            raise UsageError(f"a file of {len(data)} bytes; ipfs takes at most {MAX_FILE_BYTES}")
        async with self._sweeper.operation(), self._daemon() as kubo:
            cid = await kubo.add(bytes(data))
            await self._in_turn(cid, lambda: self._references.take(kubo, cid))
        return write_locator(cid)

    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        """Fetch a file from whoever has it: see ``Storage.get``."""
        cid = _cid_of(locator)
        if cid == EMPTY:
            return b""
        async with self._sweeper.operation(), self._daemon() as kubo, self._asking(kubo, cid):
            if not is_raw(cid):
                return await self._get_tree(kubo, cid, max_bytes)
            data = await kubo.cat(cid, max_bytes=max_bytes, patience_s=self._patience_s)
        _expect(cid, await _hashed(len(data), lambda: is_content(cid, data)))
        return data

    async def keep(self, locator: Locator, *, max_bytes: int) -> None:
        """Fetch a file, and keep it: see ``Keeper.keep``."""
        cid = _cid_of(locator)
        async with self._sweeper.operation(), self._daemon() as kubo:
            async with self._asking(kubo, cid):
                try:
                    await self._have(kubo, cid, max_bytes)
                except DamagedError as exc:
                    raise NotFoundError(f"nobody offers {cid} as a file: {exc}") from exc
            await self._in_turn(cid, lambda: self._references.take(kubo, cid))

    async def release(self, locator: Locator) -> None:
        """End keeping a file for this peer; what others keep stays: see ``Storage.release``."""
        cid = read_locator(locator)
        if cid is not None:
            async with self._sweeper.operation(), self._daemon() as kubo:
                await self._in_turn(cid, lambda: self._references.drop(kubo, cid))

    async def offered(self) -> Sequence[Locator]:
        """List what this peer keeps: see ``Inventory.offered``."""
        async with self._daemon() as kubo:
            return [write_locator(cid) for cid in await self._references.kept(kubo)]

    async def count_holders(self, locator: Locator, *, at_most: int) -> int:
        """Count the daemons that have a file and answer, this one included: see ``HolderCounter.count_holders``."""
        cid = read_locator(locator)
        if cid is None:
            return 0
        async with self._daemon() as kubo:
            return await count_holders(kubo, cid, at_most=at_most)

    async def traffic(self) -> Traffic:
        """Return the daemon's counters, the whole daemon's: see ``TrafficMeter.traffic``."""
        async with self._daemon() as kubo:
            self._meter.note(await kubo.counters())
            return self._meter.traffic(len({neighbour.peer for neighbour in await kubo.neighbours()}))

    async def aclose(self) -> None:
        """End it; what was put stays on the daemon. Steps under way are waited for, so that they do not end half-way."""
        try:
            await self._sweeper.aclose()
            if self._relay is not None:
                await self._relay.aclose()
            if self._steps:
                await asyncio.wait(self._steps, timeout=ENDING_S)
        finally:
            await self._access.aclose()

    @contextlib.asynccontextmanager
    async def _daemon(self) -> AsyncIterator[Kubo]:
        """Get a daemon that answers, and say so if it then does not."""
        kubo = await self._access.kubo()
        if self._relay is not None:
            self._relay.start()
        try:
            if self._metered is not kubo:  # the first, or it may have begun anew: its counters are low now
                self._metered = kubo
                with contextlib.suppress(LearnaeError):  # a daemon that does not tell them stores files all the same
                    self._meter.note(await kubo.counters())
            yield kubo
        except UnavailableError:
            self._metered = None
            await self._access.failed()
            raise

    def _asking(self, kubo: Kubo, cid: str) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext() if self._relay is None else self._relay.asking(kubo, cid)

    async def _in_turn(self, cid: str, step: Callable[[], Awaitable[None]]) -> None:
        """Take or drop a file; one after the other for each file, and to the end even where the caller is cancelled.

        Else what a cancelled ``put`` left running could refer to a file that was released meanwhile.
        """
        turn = self._turns.setdefault(cid, asyncio.Lock())

        async def take_turn() -> None:
            async with turn:
                await step()

        task = asyncio.create_task(take_turn(), name="learnae-ipfs-reference")
        self._steps.add(task)
        task.add_done_callback(self._ended)
        await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._steps.discard(task)
        if not task.cancelled():
            task.exception()  # whoever was cancelled meanwhile does not look at it

    async def _get_tree(self, kubo: Kubo, cid: str, max_bytes: int) -> bytes:
        """Fetch a file of several blocks. Its nodes are read beside it: what is no file, or too large, ends both at once."""
        reading = asyncio.create_task(kubo.cat(cid, max_bytes=max_bytes, patience_s=self._patience_s))
        try:
            tree = await self._read_tree(kubo, cid, max_bytes)
            data = await reading
        except TooLargeError as exc:
            if not reading.done() or reading.cancelled() or reading.exception() is not exc:
                raise
            raise DamagedError(f"{cid} has more bytes than it says") from exc
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        _expect(cid, await _hashed(len(data), lambda: is_content_of(tree, data)))
        return data

    async def _have(self, kubo: Kubo, cid: str, max_bytes: int) -> None:
        """Have the daemon fetch a file whole, and no more than ``max_bytes`` of it."""
        if cid == EMPTY:
            await kubo.add(b"")
        elif not is_raw(cid):
            tree = await self._read_tree(kubo, cid, max_bytes)
            await fetch_leaves(tree, lambda leaf: kubo.block_size(leaf, patience_s=self._patience_s))
        elif (size := await kubo.block_size(cid, patience_s=self._patience_s)) > max_bytes:
            raise TooLargeError(f"{cid} has {size} bytes, more than the {max_bytes} allowed")

    async def _read_tree(self, kubo: Kubo, cid: str, max_bytes: int) -> Tree:
        async def fetch(node: str) -> bytes:
            try:
                return await kubo.block(node, max_bytes=MAX_NODE_BYTES, patience_s=self._patience_s)
            except TooLargeError as exc:
                raise DamagedError(f"{node} in {cid} is no node of a file: it is far too large") from exc

        return await read_tree(cid, fetch, max_bytes=max_bytes)


def _cid_of(locator: str) -> str:
    cid = read_locator(locator)
    if cid is None:
        raise NotFoundError(f"{locator[:100]!r} is no locator of ipfs")
    return cid


async def _hashed(size: int, check: Callable[[], bool]) -> bool:
    return check() if size <= HASHED_AT_ONCE_BYTES else await asyncio.to_thread(check)


def _expect(cid: str, fits: bool) -> None:
    if not fits:
        raise DamagedError(f"the daemon gives other bytes for {cid} than were put; its repository or the way to it is damaged")
