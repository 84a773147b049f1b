"""How a thread that waits for a daemon is told to end."""

from __future__ import annotations

import contextlib
import socket
import threading


class Stop:
    """Ends a request from another thread: at once, whatever it waits for, unless it is connecting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.asked = False

    def ask(self) -> None:
        """End the request that is under way; one that has not begun will not begin."""
        with self._lock:
            self.asked = True
            self._shut()

    def hold(self, line: socket.socket | None) -> None:
        """Say what the request goes through; ``None`` when it is over."""
        with self._lock:
            self._socket = line
            if self.asked:
                self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
