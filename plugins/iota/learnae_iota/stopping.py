"""How a call that takes long is told to end."""

import contextlib
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
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self.asked = False

    def ask(self) -> None:
        """End what was given this, and what will be; idempotent."""
        with self._lock:
            self.asked = True
            for line in self._sockets:
                _shut(line)

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
