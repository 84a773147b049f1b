"""A connection to a node over HTTP: every wait ends at one deadline, and every reading has a bound."""

import contextlib
import http.client
import io
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from learnae_iota.stopping import Stop

MAX_REPLY_BYTES = 4 * 2**20
"""So much of an answer is read: a thousand transactions are 2.7 million bytes."""

CONNECT_S = 5.0
"""How long a node may take to accept a connection."""

MAX_ERROR_BYTES = 8_192
"""So much of what a node says about an error is read."""

_PIECE_BYTES = 65_536
_LOOK_S = 0.05


class Connection:
    """A connection to a node, whose every wait ends at the deadline of the exchange.

    Args:
        host: A name or an address.
        port: ``None`` is that of the scheme.
        context: Of TLS, where it is used.
        deadline: By ``time.monotonic``, in seconds, when the connection has to be there; ``CONNECT_S`` may come before it.
        stops: Each of them ends it early.

    Raises:
        OSError: Nobody accepts it; a ``TimeoutError`` if not in time.
    """

    def __init__(
        self, host: str, port: int | None, *, context: ssl.SSLContext | None, deadline: float, stops: Sequence[Stop] = ()
    ) -> None:
        self._http: http.client.HTTPConnection
        if context is None:
            self._http = http.client.HTTPConnection(host, port)
        else:
            self._http = http.client.HTTPSConnection(host, port, context=context)
        until = min(deadline, time.monotonic() + CONNECT_S)
        self.socket = _connected(self._http.host, self._http.port, until, stops)
        if context is not None:
            self.socket = _wrapped(self.socket, context, self._http.host, until, stops)
        self._line = _Line(self.socket, deadline)
        self._http.sock = self._line  # it has what http.client uses of a socket

    def exchange(self, path: str, headers: dict[str, str], body: bytes, deadline: float) -> tuple[int, bytes, bool]:
        """Send a request; return the answer's status, as much of its body as may be read, and whether another can follow."""
        self._line.deadline = deadline
        self._http.request("POST", path, body=body, headers=headers)
        answer = self._http.getresponse()
        if answer.getheader("Content-Encoding", "identity").lower() != "identity":
            raise http.client.HTTPException("it sends what nobody asked for: a compressed body")
        most = MAX_REPLY_BYTES if answer.status == http.client.OK else MAX_ERROR_BYTES
        data = bytearray()
        while len(data) <= most:
            piece = answer.read(min(_PIECE_BYTES, most + 1 - len(data)))
            if not piece:
                break
            data += piece
        if answer.length and len(data) <= most:
            raise http.client.HTTPException("its answer ends too early")
        return answer.status, bytes(data), len(data) <= most and not answer.will_close

    def close(self) -> None:
        """Close it; idempotent."""
        self._http.close()
        with contextlib.suppress(OSError):
            self.socket.close()


class _Line:
    """What ``http.client`` uses of a socket, with one deadline for all waits together."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self.socket, self.deadline = line, deadline

    def sendall(self, data: bytes) -> None:
        self.socket.settimeout(_left(self.deadline))
        self.socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002  # http.client's signature
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Leave it open: ``http.client`` closes it before the body is read."""


class _Reader(io.RawIOBase):
    """Reads from a line."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  # io's signature
        self._line.socket.settimeout(_left(self._line.deadline))
        return self._line.socket.recv_into(buffer)


def _connected(host: str, port: int, until: float, stops: Sequence[Stop]) -> socket.socket:
    trouble: OSError = TimeoutError("the time is over")
    for family, kind, protocol, _, address in _addresses(host, port, until, stops):
        line = socket.socket(family, kind, protocol)
        try:
            with _held(line, stops):
                line.settimeout(_left(until))
                line.connect(address)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as exc:
            line.close()
            trouble = exc
        except BaseException:
            line.close()
            raise
        else:
            return line
    raise trouble


def _wrapped(line: socket.socket, context: ssl.SSLContext, host: str, until: float, stops: Sequence[Stop]) -> socket.socket:
    try:
        wrapped = context.wrap_socket(line, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        line.close()
        raise
    try:
        with _held(wrapped, stops):
            wrapped.settimeout(_left(until))
            wrapped.do_handshake()
    except BaseException:
        wrapped.close()
        raise
    return wrapped


def _addresses(host: str, port: int, until: float, stops: Sequence[Stop]) -> list[tuple[Any, ...]]:
    """Ask for the addresses of a name, in a thread of its own: the system's resolver knows neither a deadline nor a stop."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    answers: queue.SimpleQueue[list[tuple[Any, ...]] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as exc:
            answers.put(exc)

    threading.Thread(target=resolve, name="learnae-resolve", daemon=True).start()
    while True:
        if any(stop.asked for stop in stops):
            raise ConnectionError("it was stopped")
        with contextlib.suppress(queue.Empty):
            found = answers.get(timeout=min(_left(until), _LOOK_S))
            if isinstance(found, OSError):
                raise found
            return found


@contextlib.contextmanager
def _held(line: socket.socket, stops: Sequence[Stop]) -> Iterator[None]:
    with contextlib.ExitStack() as holds:
        for stop in stops:
            holds.enter_context(stop.holding(line))
        yield


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left
