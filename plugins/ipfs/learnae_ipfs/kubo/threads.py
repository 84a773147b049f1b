"""Blocking calls in threads, for one event loop: cancelled at once, and never in the way of the program's end."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from learnae.errors import UnavailableError
from learnae_ipfs.kubo.stop import Stop

ENDING_S = 2.0
"""How long ``aclose`` waits for threads whose connections it shut down."""

_T = TypeVar("_T")
_Jobs = queue.SimpleQueue[Callable[[], None] | None]


class Seats:
    """Runs so many blocking calls at a time, each in a thread.

    The threads are daemonic, which those of ``concurrent.futures`` are not: what hangs in one of them, however that came, does
    not keep the interpreter from ending.

    Args:
        number: How many calls may be under way; others wait.
        name: What the threads are called.
    """

    def __init__(self, number: int, name: str) -> None:
        self._free = asyncio.Semaphore(number)
        self._name = name
        self._jobs: _Jobs = queue.SimpleQueue()
        self._threads = self._idle = 0
        self._under_way: dict[Stop, asyncio.Future[None]] = {}
        self._closed = False

    async def run(self, work: Callable[[Stop], _T], *, limit_s: float) -> _T:
        """Return what ``work`` returns; cancelled or too late, it is stopped, and ends when it notices.

        Raises:
            UnavailableError: It was not over after ``limit_s`` seconds, or nothing is run any more.
        """
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        result: asyncio.Future[_T] = loop.create_future()
        stop = Stop()

        def finish(found: _T | None, error: BaseException | None) -> None:
            self._idle += 1
            self._free.release()
            self._under_way.pop(stop).set_result(None)
            if result.done():
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(found)  # type: ignore[arg-type]  # without an error there is a result

        def job() -> None:
            found, error = None, None
            try:
                found = work(stop)
            except BaseException as exc:  # it is raised in the event loop
                error = exc
            with contextlib.suppress(RuntimeError):  # the event loop was closed meanwhile
                loop.call_soon_threadsafe(finish, found, error)

        try:
            self._have_a_thread()
        except BaseException:
            self._free.release()
            raise
        self._under_way[stop] = loop.create_future()
        self._jobs.put(job)
        try:
            async with asyncio.timeout(limit_s):
                return await result
        except TimeoutError as exc:
            raise UnavailableError(f"a call of the IPFS daemon was not over after {limit_s:.0f} seconds") from exc
        finally:
            stop.ask()

    async def aclose(self) -> None:
        """Stop everything, and wait for a moment until it has ended; idempotent."""
        self._closed = True
        for stop in self._under_way:
            stop.ask()
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=ENDING_S)
        for _ in range(self._threads):
            self._jobs.put(None)
        self._threads = 0

    def _have_a_thread(self) -> None:
        """See to it that a thread takes the next job."""
        if self._closed:
            raise UnavailableError("the connection to the IPFS daemon was closed")
        if self._idle:
            self._idle -= 1
            return
        try:
            threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True).start()
        except RuntimeError as exc:
            raise UnavailableError(f"no thread can be started: {exc}") from exc
        self._threads += 1


def _work(jobs: _Jobs) -> None:
    while (job := jobs.get()) is not None:
        job()
        del job  # and what it returned
