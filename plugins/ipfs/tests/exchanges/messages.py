"""HTTP messages as they are on the wire: read from a socket whole, with chunks and trailer, and written as JSON.

Nothing of the plugin and no HTTP library is used, so that neither's mistakes hide here.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

BOUNDARY = re.compile(rb'boundary="?([0-9A-Za-z_-]+)"?')
KEPT_REQUEST_HEADERS = frozenset({"authorization", "accept-encoding", "content-type", "content-length", "transfer-encoding"})
KEPT_ANSWER_HEADERS = re.compile(r"connection|content-.*|transfer-encoding|trailer|x-.*", re.IGNORECASE)


@dataclass
class Message:
    """A request or an answer.

    Attributes:
        first: The request line or the status line.
        headers: Names and values, in order.
        chunks: The body in pieces, as they came.
        trailer: Headers after the last chunk.
        ended: Whether the end of the body was seen.
    """

    first: str
    headers: list[tuple[str, str]]
    chunks: list[bytes] = field(default_factory=list)
    trailer: list[tuple[str, str]] = field(default_factory=list)
    ended: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def is_chunked(self) -> bool:
        return self.header("transfer-encoding") == "chunked"

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def head(self) -> bytes:
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def pieces(self) -> Iterator[bytes]:
        """Return the message as it is on the wire, in as many pieces as it came."""
        yield self.head()
        for chunk in self.chunks:
            yield b"%x\r\n%b\r\n" % (len(chunk), chunk) if self.is_chunked else chunk
        if self.is_chunked and self.ended:
            yield b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in self.trailer) + b"\r\n"

    def as_request(self) -> dict[str, Any]:
        """Describe a request by what matters of it; what is random in it has a fixed name."""
        found = BOUNDARY.search(self.header("content-type").encode())
        body = self.body.replace(found[1], b"BOUNDARY") if found else self.body
        kept = {name.lower(): value for name, value in self.headers if name.lower() in KEPT_REQUEST_HEADERS}
        if found:
            kept["content-type"] = kept["content-type"].replace(found[1].decode(), "BOUNDARY")
        return {"line": self.first, "headers": kept, "body": write_bytes(body)}

    def as_answer(self) -> dict[str, Any]:
        """Describe an answer."""
        kept = [f"{name}: {value}" for name, value in self.headers if KEPT_ANSWER_HEADERS.fullmatch(name)]
        chunks = [write_bytes(chunk) for chunk in self.chunks]
        trailer = [f"{name}: {value}" for name, value in self.trailer]
        return {"line": self.first, "headers": kept, "chunks": chunks, "trailer": trailer, "ended": self.ended}


def answer_from(described: dict[str, Any]) -> Message:
    """Make an answer of its description."""
    return Message(
        described["line"],
        [_header(line) for line in described["headers"]],
        [read_bytes(chunk) for chunk in described["chunks"]],
        [_header(line) for line in described["trailer"]],
        described["ended"],
    )


def read_message(source: socket.socket, came: Callable[[bytes], None] = lambda _: None) -> Message | None:
    """Read a message; ``None`` where the other side ended before one began.

    Args:
        source: From where; buffered bytes after the message are not allowed for: nobody here sends ahead.
        came: Is given the bytes as they come.
    """
    reader = _Reader(source, came)
    head = reader.until(b"\r\n\r\n")
    if not head:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    message = Message(first, [_header(line) for line in lines])
    if message.is_chunked:
        while size := int(reader.until(b"\r\n") or b"0", 16):
            message.chunks.append(reader.exactly(size))
            reader.exactly(2)
        while (line := reader.until(b"\r\n")) not in {b"", b"\r\n"}:
            message.trailer.append(_header(line.decode("latin-1").strip()))
        message.ended = not reader.is_over
    else:
        length = int(message.header("content-length") or 0)
        if length:
            message.chunks.append(reader.exactly(length))
        message.ended = True
    return message


def write_bytes(data: bytes) -> str:
    """Write bytes as JSON can hold them, and people can read them: each as the character of its number."""
    return data.decode("latin-1")


def read_bytes(written: str) -> bytes:
    """Read what ``write_bytes`` wrote."""
    return written.encode("latin-1")


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


class _Reader:
    def __init__(self, source: socket.socket, came: Callable[[bytes], None]) -> None:
        self._source, self._came, self._pending = source, came, b""
        self.is_over = False

    def until(self, mark: bytes) -> bytes:
        while mark not in self._pending and self._more():
            pass
        end = self._pending.find(mark) + len(mark) if mark in self._pending else len(self._pending)
        found, self._pending = self._pending[:end], self._pending[end:]
        return found

    def exactly(self, count: int) -> bytes:
        while len(self._pending) < count and self._more():
            pass
        found, self._pending = self._pending[:count], self._pending[count:]
        return found

    def _more(self) -> bool:
        try:
            data = self._source.recv(65_536)
        except OSError:
            data = b""
        self.is_over = self.is_over or not data
        self._came(data)
        self._pending += data
        return bool(data)
