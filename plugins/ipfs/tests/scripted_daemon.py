"""Something that answers like a daemon, and is none: it does with each connection what a test says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from exchanges.messages import Message, read_message

ENDING_S = 10.0

Script = Callable[["Visit"], None]


class Visit:
    """A request that came, and the way to answer it.

    Attributes:
        request: What was asked.
        sent: How many bytes were sent back.
    """

    def __init__(self, daemon: ScriptedDaemon, connection: socket.socket, request: Message) -> None:
        self._daemon, self._connection, self.request = daemon, connection, request

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._connection.sendall(data)
        self._daemon.sent += len(data)

    def answer(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        """Send a whole answer."""
        self.head(f"Content-Length: {len(body)}", *headers, status=status)
        self.send(body)

    def head(self, *headers: str, status: str = "200 OK") -> None:
        """Send the head of an answer."""
        self.send("\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode("latin-1"))

    def chunks(self, chunks: Iterable[bytes], *headers: str, trailer: str = "") -> None:
        """Send an answer in chunks."""
        self.head("Transfer-Encoding: chunked", *headers)
        for chunk in chunks:
            self.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.send(f"0\r\n{trailer}\r\n".encode())

    def for_ever(self, data: bytes, *, every_s: float = 0.0) -> None:
        """Send the same bytes until the other side has gone."""
        while not self._daemon.ending.wait(every_s):
            self.send(data)

    def hang(self) -> None:
        """Send nothing until the other side has gone."""
        while self._connection.recv(65_536):
            pass

    def reset(self) -> None:
        """End the connection as a crash does."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


class ScriptedDaemon:
    """Listens on loopback, or on a Unix socket, and has each request answered by a script.

    Attributes:
        address: Its multiaddress.
        requests: What was asked.
        connections: How many connections came.
        sent: How many bytes were sent back.
        ending: Is set at the end.
    """

    def __init__(
        self, script: Script, *, unix: Path | None = None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._script, self._tls = script, tls
        self.requests: list[Message] = []
        self.connections = self.sent = 0
        self.ending = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._listener = (
            socket.socket(socket.AF_UNIX) if unix else socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        )
        self._listener.bind(str(unix) if unix else (host, 0))
        self._listener.listen()
        secure = "/https" if tls else ""
        kind = "ip6" if ":" in host else "ip4"
        self.address = f"/unix{unix}" if unix else f"/{kind}/{host}/tcp/{self._listener.getsockname()[1]}{secure}"

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(ENDING_S)

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            if self._tls is not None:
                connection = stack.enter_context(self._tls.wrap_socket(connection, server_side=True))
                self._open.append(connection)
            while (request := read_message(connection)) is not None:
                self.requests.append(request)
                self._script(Visit(self, connection, request))
