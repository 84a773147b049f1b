"""How a real peer waits: numbers in one thread, short jobs in others, remote operations with a time-out."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from learnae.errors import UnavailableError

T = TypeVar("T")


class ThreadPace:
    """Keeps the event loop free."""

    def __init__(self, fetch_timeout_s: float) -> None:
        self._fetch_timeout_s = fetch_timeout_s
        self._workshop = ThreadPoolExecutor(max_workers=1, thread_name_prefix="learnae-workshop")
        self._desk = ThreadPoolExecutor(max_workers=4, thread_name_prefix="learnae-desk")

    async def compute(self, job: Callable[[], T]) -> T:
        """Run a job in the workshop's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._workshop, job)

    async def decode(self, job: Callable[[], T]) -> T:
        """Run a job in one of four threads of their own."""
        return await asyncio.get_running_loop().run_in_executor(self._desk, job)

    async def within(self, fetch: Awaitable[T]) -> T:
        """Wait for a remote operation, at most ``fetch_timeout_s``."""
        try:
            async with asyncio.timeout(self._fetch_timeout_s):
                return await fetch
        except TimeoutError as exc:
            raise UnavailableError(f"no answer within {self._fetch_timeout_s:g} s") from exc

    def close(self) -> None:
        """Let the threads go once their jobs, if any, are done."""
        self._workshop.shutdown(wait=False, cancel_futures=True)
        self._desk.shutdown(wait=False, cancel_futures=True)
