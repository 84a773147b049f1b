"""Things that wait to be done, of which only the latest for each key matters."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Latest(Generic[K, T]):
    """A queue with one place for each key: a newer thing takes the place of an older one that still waits.

    So what waits is bounded by the number of keys, however long the first of them takes. For one event loop, and one taker.
    """

    def __init__(self) -> None:
        self._waiting: dict[K, T] = {}
        self._is_filled = asyncio.Event()
        self._is_done = asyncio.Event()
        self._is_done.set()

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._waiting)

    def put(self, key: K, thing: T) -> None:
        """Add a thing, or put it in the place of the one of this key."""
        self._waiting[key] = thing
        self._is_filled.set()
        self._is_done.clear()

    async def take(self) -> T:
        """Wait for the thing that waits longest, and take it; call ``done`` when it is done."""
        await self._is_filled.wait()
        thing = self._waiting.pop(next(iter(self._waiting)))
        if not self._waiting:
            self._is_filled.clear()
        return thing

    def done(self) -> None:
        """Say that the thing taken last is done, however it ended."""
        if not self._waiting:
            self._is_done.set()

    async def join(self) -> None:
        """Wait until nothing waits and what was taken is done."""
        await self._is_done.wait()
