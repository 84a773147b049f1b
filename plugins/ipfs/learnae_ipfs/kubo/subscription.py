"""A PubSub subscription: a thread that listens, and an iterator for the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from typing import Self

from learnae.errors import LearnaeError, UnavailableError
from learnae_ipfs.kubo.stop import Stop
from learnae_ipfs.kubo.values import PubsubMessage

MAX_WAITING = 32
"""So many messages wait to be taken; then the thread does not listen, and the daemon drops what it cannot deliver."""

ENDING_S = 2.0
OPENING_S = 30.0

Listen = Callable[[Stop, Callable[[], None]], Generator[PubsubMessage, None, None]]


class Subscription(AsyncIterator[PubsubMessage]):
    """The messages of a topic, as they come. One caller at a time; cancelling ``__anext__`` loses no message."""

    def __init__(self, listen: Listen) -> None:
        self._listen = listen
        self._stop = Stop()
        self._room = threading.Semaphore(MAX_WAITING)
        self._waiting: deque[PubsubMessage] = deque()
        self._thread: threading.Thread | None = None
        self._news = asyncio.Event()
        self._open = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: LearnaeError | None = None
        self._closed = False

    async def opened(self) -> None:
        """Wait until the daemon listens: what is published from now on comes.

        Raises:
            UnavailableError: It does not, or PubSub is switched off.
        """
        self._start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPENING_S):
                await self._open.wait()
        if self._error is not None or self._closed or not self._open.is_set():
            raise self._error or UnavailableError("the daemon did not take the subscription in time")

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> PubsubMessage:
        """Wait for the next message."""
        self._start()
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            if self._ended.is_set():
                raise self._error or UnavailableError("the daemon ended the subscription")
            self._news.clear()
            await self._news.wait()
        message = self._waiting.popleft()
        self._room.release()
        return message

    async def aclose(self) -> None:
        """End it, and its thread, at once; idempotent. Who waits for a message gets none."""
        self._closed = True
        self._waiting.clear()
        self._stop.ask()
        self._room.release(MAX_WAITING)
        self._news.set()
        self._open.set()
        if self._thread is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDING_S):
                    await self._ended.wait()

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            arguments = (asyncio.get_running_loop(),)
            thread = threading.Thread(target=self._hear, args=arguments, name="learnae-ipfs-subscription", daemon=True)
            try:
                thread.start()
            except RuntimeError as exc:
                raise UnavailableError(f"no thread can be started: {exc}") from exc
            self._thread = thread

    def _hear(self, loop: asyncio.AbstractEventLoop) -> None:
        error: LearnaeError | None = None
        try:
            with contextlib.closing(self._listen(self._stop, lambda: self._tell(loop, self._open.set))) as messages:
                for message in messages:
                    self._room.acquire()
                    if self._stop.asked or loop.is_closed():
                        break
                    self._tell(loop, functools.partial(self._take, message))
        except LearnaeError as exc:
            error = exc
        finally:
            self._tell(loop, lambda: self._end(error))

    def _tell(self, loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop was closed meanwhile
            loop.call_soon_threadsafe(what)

    def _take(self, message: PubsubMessage) -> None:
        if not self._closed:
            self._waiting.append(message)
            self._news.set()

    def _end(self, error: LearnaeError | None) -> None:
        self._error = error
        self._ended.set()
        self._open.set()
        self._news.set()
