"""SIGINT, SIGTERM and the end of a peer's time."""

import asyncio
import signal
from types import TracebackType
from typing import Protocol, Self


class Stoppable(Protocol):
    """What can be stopped."""

    def stop(self, reason: str) -> None:
        """Begin to stop in an orderly way."""

    def hurry(self) -> None:
        """Wait for nothing any more."""


class Signals:
    """Stops a peer at the first SIGINT or SIGTERM, and hurries it at the second, until everything of it is closed.

    Before a peer is there, signals mean what they meant: under ``asyncio.run``, Ctrl-C cancels whatever is under way.
    """

    def __init__(self) -> None:
        self._handled: list[signal.Signals] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_interrupted = False

    def direct(self, peer: Stoppable, stop_after_s: float | None) -> None:
        """Direct signals to a peer from now on, if this is the main thread; stop it after so many seconds, if any."""
        loop = asyncio.get_running_loop()
        if stop_after_s is not None:
            self._timer = loop.call_later(stop_after_s, peer.stop, "its time is over")
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._interrupted, peer)
            except (RuntimeError, ValueError, NotImplementedError):
                return  # Not the main thread: whoever embeds the peer cancels it.
            self._handled.append(number)

    def _interrupted(self, peer: Stoppable) -> None:
        if self._is_interrupted:
            peer.hurry()
        self._is_interrupted = True
        peer.stop("interrupted")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        for number in self._handled:
            loop.remove_signal_handler(number)
