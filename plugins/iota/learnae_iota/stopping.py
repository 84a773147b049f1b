"""How a call that takes long is told to end."""

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from learnae.errors import WorldError


class StoppedError(WorldError):
    """The caller stopped it; nothing says how far it had come."""


class Stop:
    """Ends calls from another thread: what waits for a node at once, what computes within a fraction of a second."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # whose holder a signal may interrupt, and whose handler may ask
        self._sockets: set[socket.socket] = set()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.asked = False

    def ask(self) -> None:
        """End what was given this, and what will be; idempotent. The handler of a signal may call it, whatever it interrupts."""
        self.asked = True
        self._bell.put(None)
        with self._lock:
            for line in self._sockets:
                _shut(line)

    def wait(self, seconds: float) -> bool:
        """Wait so many seconds, or until somebody asks to end; return whether somebody did."""
        if not self.asked:
            with contextlib.suppress(queue.Empty):
                self._bell.get(timeout=max(0.0, seconds))
                self._bell.put(None)  # others may wait too
        return self.asked

    def check(self) -> None:
        """Go on, or end.

        Raises:
            StoppedError: Somebody asked to end.
        """
        if self.asked:
            raise StoppedError("stopped")

    @contextmanager
    def holding(self, line: socket.socket) -> Iterator[None]:
        """Let a socket be shut down meanwhile; what uses it then fails, and should ask with ``check`` why."""
        with self._lock:
            self._sockets.add(line)
            if self.asked:
                _shut(line)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(line)


def _shut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
