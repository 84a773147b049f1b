"""How a real peer waits: numbers in one thread, short jobs in others, remote operations with a time-out.

A thread cannot be stopped from outside, and the interpreter waits for its threads at exit. So a peer that ends waits, before it
lets its state folder go, until what its threads do is done; at most ``STEP_TIMEOUT_S``, or until the operator hurries it. What is
left behind then is a job of the workshop's, which writes nothing, or one of the desk's, whose writes are whole or nothing and
safe beside another process's. Only the command line may end such a process by force, and does (``learnae.cli.run_command``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from learnae.errors import UnavailableError, WorldError
from learnae.values.journal import AnyFact, Notice

T = TypeVar("T")

STEP_TIMEOUT_S = 30.0
"""How long an ending peer waits for the training step under way."""

SILENT_S = 1.0
"""For how much of that it says nothing."""


class ThreadPace:
    """Keeps the event loop free."""

    def __init__(self, fetch_timeout_s: float, note: Callable[[AnyFact], None]) -> None:
        """Make a pace.

        Args:
            fetch_timeout_s: How long a remote operation may take.
            note: Writes a fact to the journal.
        """
        self._fetch_timeout_s = fetch_timeout_s
        self._note = note
        self._workshop = ThreadPoolExecutor(max_workers=1, thread_name_prefix="learnae-workshop")
        self._desk = ThreadPoolExecutor(max_workers=4, thread_name_prefix="learnae-desk")
        self._under_way: set[Future[Any]] = set()
        self._hurried = asyncio.Event()

    async def compute(self, job: Callable[[], T]) -> T:
        """Run a job in the workshop's thread."""
        return await self._run(self._workshop, job)

    async def decode(self, job: Callable[[], T]) -> T:
        """Run a job in one of four threads of their own."""
        return await self._run(self._desk, job)

    async def _run(self, threads: ThreadPoolExecutor, job: Callable[[], T]) -> T:
        future = threads.submit(job)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return await asyncio.wrap_future(future)

    async def within(self, fetch: Awaitable[T]) -> T:
        """Wait for a remote operation, at most ``fetch_timeout_s``."""
        return await self._within(fetch, self._fetch_timeout_s)

    async def _within(self, fetch: Awaitable[T], timeout_s: float) -> T:
        try:
            async with asyncio.timeout(timeout_s):
                return await fetch
        except TimeoutError as exc:
            raise UnavailableError(f"no answer within {timeout_s:g} s") from exc

    async def first(self, attempts: Sequence[Callable[[], Awaitable[T]]]) -> T:
        """Make attempts until one succeeds, all within ``fetch_timeout_s``: each gets half of what is left, the last all."""
        clock = asyncio.get_running_loop().time
        ends_s = clock() + self._fetch_timeout_s
        for attempt in attempts[:-1]:
            try:
                return await self._within(attempt(), (ends_s - clock()) / 2)
            except WorldError:
                continue
        return await self._within(attempts[-1](), ends_s - clock())

    def hurry(self) -> None:
        """Wait for nothing any more when closing; call it in the event loop."""
        self._hurried.set()

    async def hurried(self) -> None:
        """Wait until somebody hurries."""
        await self._hurried.wait()

    async def aclose(self) -> None:
        """Take no more jobs, and wait for those under way, at most ``STEP_TIMEOUT_S``; idempotent."""
        self._workshop.shutdown(wait=False, cancel_futures=True)
        self._desk.shutdown(wait=False, cancel_futures=True)
        if not await self._are_done(SILENT_S):
            rest_s = STEP_TIMEOUT_S - SILENT_S
            self._note(Notice(f"waiting for the training step under way, at most {rest_s:g} s; Ctrl-C ends at once"))
            await self._are_done(rest_s)

    async def _are_done(self, timeout_s: float) -> bool:
        """Wait for the jobs under way; say whether to wait no longer."""
        jobs = {asyncio.wrap_future(future) for future in list(self._under_way) if not future.done()}
        hurried: asyncio.Future[Any] = asyncio.ensure_future(self.hurried())
        everything: asyncio.Future[Any] = asyncio.gather(*jobs, return_exceptions=True)
        try:
            done, _ = await asyncio.wait({everything, hurried}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            everything.cancel()
            hurried.cancel()
        return bool(done)
