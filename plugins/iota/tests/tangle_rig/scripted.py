"""An HTTP server that answers as it is told, byte for byte."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a server sends: a head and a body, as they are, then perhaps nothing more, and perhaps the end of the connection."""

    body: bytes = b"{}"
    status: str = "200 OK"
    headers: tuple[str, ...] = ()
    length: int | None = None
    raw: bytes | None = None
    closes: bool = False
    hangs: bool = False
    drips: bool = False

    @property
    def data(self) -> bytes:
        if self.raw is not None:
            return self.raw
        length = len(self.body) if self.length is None else self.length
        lines = (f"HTTP/1.1 {self.status}", f"Content-Length: {length}", "Content-Type: application/json", *self.headers, "", "")
        return "\r\n".join(lines).encode() + self.body


@dataclass
class Request:
    """What came."""

    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded


@dataclass
class ScriptedNode:
    """Answers every request with what ``answer`` returns for it; each connection has a thread of its own."""

    answer: Callable[[Request], Answer] = lambda _: Answer()
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.ended = threading.Event()
        self._lines: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self.ended.set()
        with socket.create_connection(self._server.getsockname()):
            pass  # wakes the thread that accepts
        self._threads[0].join()
        self._server.close()
        for line in self._lines:
            line.close() if line.fileno() < 0 else _shut(line)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            line, _ = self._server.accept()
            if self.ended.is_set():
                line.close()
                return
            self._lines.append(line)
            self._threads.append(threading.Thread(target=self._serve, args=(line, len(self._lines))))
            self._threads[-1].start()

    def _serve(self, line: socket.socket, number: int) -> None:
        with line, line.makefile("rb") as source:
            try:
                while request := _read(source, number):
                    self.requests.append(request)
                    answer = self.answer(request)
                    self._send(line, answer)
                    if answer.closes:
                        return
            except OSError:
                return

    def _send(self, line: socket.socket, answer: Answer) -> None:
        if answer.drips:
            for at in range(len(answer.data)):
                line.sendall(answer.data[at : at + 1])
                if self.ended.wait(0.02):
                    return
        elif answer.hangs:
            self.ended.wait(60)
        else:
            line.sendall(answer.data)


def _read(source: Any, number: int) -> Request | None:
    lines = []
    while line := source.readline(65536).strip():
        lines.append(line.decode("latin-1"))
    if not lines:
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Request(headers, source.read(int(headers.get("content-length", 0))), number)


def _shut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
