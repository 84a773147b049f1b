"""The Tangle for an event loop: the same calls, made in threads."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from learnae.errors import UnavailableError
from learnae_iota.bundles.bundles import MAX_TRANSACTIONS, Bundle, Posting
from learnae_iota.nodes.several import Look
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetched, Query
from learnae_iota.tangle.tangle import MAX_FETCHED, Tangle

_THREADS = 4
_T = TypeVar("_T")


class AsyncTangle:
    """A tangle whose methods can be awaited: see ``Tangle``. Four calls are under way at a time, others wait.

    Cancelled, a call ends at once for who awaits it, and its thread within a fraction of a second.

    Args:
        tangle: Is used, and closed with this.
    """

    def __init__(self, tangle: Tangle) -> None:
        self._tangle = tangle
        self._threads = ThreadPoolExecutor(_THREADS, "learnae-tangle")
        self._stops: set[Stop] = set()
        self._closed = False

    async def send(self, postings: Sequence[Posting]) -> Bundle:
        """Make a bundle of messages, attach it, and hand it to a node: see ``Tangle.send``."""
        return await self._run(lambda stop: self._tangle.send(postings, stop=stop))

    async def attach(self, bundle: Bundle) -> Bundle:
        """Attach a bundle, for the first time or again: see ``Tangle.attach``."""
        return await self._run(lambda stop: self._tangle.attach(bundle, stop=stop))

    async def broadcast(self, bundle: Bundle) -> None:
        """Hand an attached bundle to a node: see ``Tangle.broadcast``."""
        await self._run(lambda stop: self._tangle.broadcast(bundle, stop=stop))

    async def is_confirmed(self, tails: Sequence[str]) -> bool:
        """Tell whether an attachment is confirmed: see ``Tangle.is_confirmed``."""
        return await self._run(lambda stop: self._tangle.is_confirmed(tails, stop=stop))

    async def fetch(
        self,
        query: Query,
        *,
        known: Collection[str] = frozenset(),
        max_transactions: int = MAX_FETCHED,
        max_bundle: int = MAX_TRANSACTIONS,
    ) -> Fetched:
        """Fetch bundles: see ``Tangle.fetch``."""
        fetch = partial(self._tangle.fetch, query, known=known, max_transactions=max_transactions, max_bundle=max_bundle)
        return await self._run(lambda stop: fetch(stop=stop))

    async def look(self) -> tuple[Look, ...]:
        """Look at every node: see ``Tangle.look``."""
        return await self._run(lambda stop: self._tangle.look(stop=stop))

    async def aclose(self) -> None:
        """End what is under way, and close the tangle; idempotent."""
        self._closed = True
        for stop in self._stops:
            stop.ask()
        self._tangle.close()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _run(self, work: Callable[[Stop], _T]) -> _T:
        if self._closed:
            raise UnavailableError("the tangle was closed")
        stop = Stop()
        self._stops.add(stop)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, stop)
        finally:
            stop.ask()
            self._stops.discard(stop)
