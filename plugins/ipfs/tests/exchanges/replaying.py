"""A daemon that is none: it expects the requests that were recorded, and gives the answers that were."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exchanges.messages import answer_from, read_message

FOLDER = Path(__file__).parent
RECORDINGS = ("newest", "oldest")
PATIENCE_S = 20.0


def recording(name: str) -> dict[str, Any]:
    """Read a recording: ``known``, what the recorder knew of its daemons, and ``cases``, each a list of exchanges."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


class Replay:
    """Replays some exchanges, in order, on a port of loopback.

    Attributes:
        address: Its multiaddress.
        surprises: What was asked and not expected.
        expected: What was not asked yet.
    """

    def __init__(self, exchanges: Sequence[dict[str, Any]]) -> None:
        self.expected = list(exchanges)
        self.surprises: list[tuple[Any, Any]] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"/ip4/127.0.0.1/tcp/{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _run(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with self._lock:
                    self._open.add(connection)
                self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (request := read_message(connection)) is not None:
                asked = request.as_request()
                with self._lock:
                    exchange = self.expected.pop(0) if self.expected else None
                    if exchange is None or exchange["request"] != asked:
                        self.surprises.append((asked, exchange and exchange["request"]))
                        break
                answer = answer_from(exchange["answer"])
                for piece in answer.pieces():
                    connection.sendall(piece)
                if not answer.ended:
                    while connection.recv(65_536):  # as a daemon waits until the subscriber has gone
                        pass
                    break
        with self._lock:
            self._open.discard(connection)
