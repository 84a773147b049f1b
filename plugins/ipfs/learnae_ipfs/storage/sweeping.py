"""Drops what nobody keeps from a private daemon, soon: replaced models, what was fetched once, old folders of the MFS.

Kubo's own collector waits until the repository is almost as large as it may be, and a disk that fills up for days says nothing of
what a session needs. On somebody else's daemon the collector is never run.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from learnae.errors import LearnaeError
from learnae_ipfs.access import Access

SWEEP_S = 60.0
"""The shortest time between two sweeps."""

MOMENT_S, MOMENTS = 1.0, 60
"""How often, and how many times, to look whether nothing is under way; then a sweep harms nothing either, but costs: what a file
under way had fetched is fetched again."""

SHARE, MOST_S = 20, 600.0
"""A sweep that took a second is followed by so many seconds without one, up to so many: it reads the names of all blocks."""


class Sweeper:
    """Sweeps a private daemon now and then, between operations. For one event loop.

    Args:
        access: The way to the daemon; it stays the caller's. Where it is not a private one, nothing is ever done.
        sleep: Waits for so many seconds.
    """

    def __init__(self, access: Access, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._access, self._sleep = access, sleep
        self._task: asyncio.Task[None] | None = None
        self._under_way = 0
        self._worth = False
        self._closed = False

    @contextlib.asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """Hold the next sweep back a while for this, because what it fetched is kept only at its end; and have one afterwards."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._worth = True
            if self._task is None and self._access.is_own and not self._closed:
                self._task = asyncio.create_task(self._sweep_for_ever(), name="learnae-ipfs-sweeper")

    async def aclose(self) -> None:
        """End it; a sweep under way goes on in the daemon and harms nothing."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _sweep_for_ever(self) -> None:
        pause_s = SWEEP_S
        while True:
            await self._sleep(pause_s)
            pause_s = SWEEP_S
            if self._worth:
                for _ in range(MOMENTS):
                    if not self._under_way:
                        break
                    await self._sleep(MOMENT_S)
                self._worth = False
                began_s = time.monotonic()
                with contextlib.suppress(LearnaeError):  # whoever uses the daemon next hears what is wrong with it
                    await (await self._access.kubo()).collect_garbage()
                pause_s = min(max(SWEEP_S, SHARE * (time.monotonic() - began_s)), MOST_S)
