"""A connection to a node over HTTP: every wait ends at one deadline, and every reading has a bound."""

import contextlib
import http.client
import io
import socket
import ssl
import time
from typing import Any

MAX_REPLY_BYTES = 4 * 2**20
"""So much of an answer is read: a thousand transactions are 2.7 million bytes."""

CONNECT_S = 5.0
"""How long a node may take to accept a connection."""

MAX_ERROR_BYTES = 8_192
"""So much of what a node says about an error is read."""

_PIECE_BYTES = 65_536


class Connection:
    """A connection to a node, whose every wait ends at the deadline of the exchange."""

    def __init__(self, host: str, port: int | None, *, context: ssl.SSLContext | None, deadline: float) -> None:
        patience = min(_left(deadline), CONNECT_S)
        if context is None:
            self._http = http.client.HTTPConnection(host, port, timeout=patience)
        else:
            self._http = http.client.HTTPSConnection(host, port, timeout=patience, context=context)
        self._http.connect()
        self.socket: socket.socket = self._http.sock
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


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left
