"""The Tangle for an event loop: the same calls, made in threads."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from learnae.errors import UnavailableError
from learnae_iota.bundles.bundles import MAX_TRANSACTIONS, Bundle, Posting
from learnae_iota.stopping import Stop, StoppedError
from learnae_iota.tangle.fetching import Fetched, Query
from learnae_iota.tangle.tangle import MAX_FETCHED

_THREADS = 4
_T = TypeVar("_T")


class Blocking(Protocol):
    """What ``Tangle`` offers, and whatever is used as one: see there."""

    def send(self, postings: Sequence[Posting], *, stop: Stop | None = None) -> Bundle:
        """Make a bundle of messages, attach it, and hand it to a node."""
        ...

    def attach(self, bundle: Bundle, *, stop: Stop | None = None) -> Bundle:
        """Attach a bundle again."""
        ...

    def is_confirmed(self, tails: Sequence[str], *, stop: Stop | None = None) -> bool:
        """Tell whether an attachment is confirmed."""
        ...

    def fetch(
        self, query: Query, *, known: Collection[str], max_transactions: int, max_bundle: int, stop: Stop | None = None
    ) -> Fetched:
        """Fetch bundles."""
        ...

    def now_ms(self, *, stop: Stop | None = None) -> int:
        """Return the time by the nodes."""
        ...

    def close(self) -> None:
        """End what talks to a node; idempotent."""
        ...


class AsyncTangle:
    """A tangle whose methods can be awaited: see ``Tangle``. Four calls are under way at a time, others wait.

    Cancelled, a call ends at once for who awaits it, and its thread within a fraction of a second. What ``aclose`` ends is
    unavailable.

    Args:
        tangle: Is used, and closed with this.
    """

    def __init__(self, tangle: Blocking) -> None:
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

    async def now_ms(self) -> int:
        """Return the time by the nodes: see ``Tangle.now_ms``."""
        return await self._run(lambda stop: self._tangle.now_ms(stop=stop))

    async def aclose(self) -> None:
        """End what is under way, and close the tangle; idempotent."""
        self._closed = True
        for stop in self._stops:
            stop.ask()
        await asyncio.to_thread(self._tangle.close)
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _run(self, work: Callable[[Stop], _T]) -> _T:
        if self._closed:
            raise UnavailableError("the tangle was closed")
        stop = Stop()
        self._stops.add(stop)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, stop)
        except StoppedError as exc:
            raise UnavailableError("the tangle was closed") from exc
        finally:
            stop.ask()
            self._stops.discard(stop)
