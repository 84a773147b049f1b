"""Requests to one node over HTTP: a body there, a body back; every wait has an end, and every reading a bound.

The standard library does it: a thin sensor installs nothing for it. No redirect is followed, no proxy and no cookie is used, and
nothing is decompressed.
"""

import base64
import http.client
import ipaddress
import re
import ssl
import threading
import time
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from learnae.errors import ConfigError, TooLargeError, UnavailableError
from learnae_iota.nodes.connection import MAX_ERROR_BYTES, MAX_REPLY_BYTES, Connection
from learnae_iota.stopping import Stop

MAX_COMPLAINT = 300
"""Characters of what a node says about an error that are told."""

_MAX_IDLE = 16
_HEADERS = {"Content-Type": "application/json", "X-IOTA-API-Version": "1", "User-Agent": "learnae-iota"}
_ACCEPTED = "accepted are http://HOST:PORT and https://HOST, with USER:PASSWORD@ before the host where the node asks for them"
_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
_FOREIGN = (OSError, http.client.HTTPException, ValueError)  # a ValueError is what a header that is no number makes


class RefusedError(UnavailableError):
    """A node answers, and does not do what it was asked for."""


class Exchange:
    """Sends requests to one node. Any number of threads may use it; connections are kept and used again.

    Args:
        url: ``http://HOST:PORT`` or ``https://HOST``, with a path where there is one, and with ``USER:PASSWORD@``.
        timeout_s: How long a whole exchange may take where nothing else is said.

    Attributes:
        name: How errors call the node; no password is in it.

    Raises:
        ConfigError: The URL cannot be used.
    """

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        parts = _checked(url)
        self._context = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._port = str(parts.hostname), parts.port
        self._path = parts.path or "/"
        self._headers = dict(_HEADERS)
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        self.name = f"the node at {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._end = Stop()  # shuts down what is under way when the exchange is closed

    def ask(self, body: bytes, *, stop: Stop | None = None, timeout_s: float | None = None) -> bytes:
        """Send a body, and return the one of the answer.

        Args:
            body: JSON.
            stop: Ends it early.
            timeout_s: How long it may take as a whole.

        Raises:
            RefusedError: The node answers that it does not do it.
            UnavailableError: It does not answer, or not in time, or what answers is no HTTP server.
            TooLargeError: It answers with more than ``MAX_REPLY_BYTES``.
            StoppedError: It was stopped.
        """
        stop = stop or Stop()
        deadline = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        try:
            return self._ask(body, stop, deadline)
        except _FOREIGN as exc:
            stop.check()
            if self._end.asked:
                text = f"the connection to {self.name} was closed"
            elif isinstance(exc, TimeoutError):
                text = f"{self.name} does not answer in time"
            else:
                text = f"{self.name} does not answer: {complaint(str(exc)) or type(exc).__name__}"
            raise UnavailableError(text) from exc

    def close(self) -> None:
        """End what is under way, and close the connections; idempotent."""
        self._end.ask()
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _ask(self, body: bytes, stop: Stop, deadline: float) -> bytes:
        while True:
            stop.check()
            connection, used = self._take(stop, deadline)
            try:
                with stop.holding(connection.socket), self._end.holding(connection.socket):
                    status, data, usable = connection.exchange(self._path, self._headers, body, deadline)
            except BaseException as exc:
                connection.close()
                if used and isinstance(exc, (ConnectionError, http.client.BadStatusLine)):
                    continue  # the node had closed it meanwhile: a new one
                raise
            if usable:
                self._keep(connection)
            else:
                connection.close()
            return self._read(status, data)

    def _read(self, status: int, data: bytes) -> bytes:
        if status == http.client.OK:
            if len(data) > MAX_REPLY_BYTES:
                raise TooLargeError(f"{self.name} answers with more than {MAX_REPLY_BYTES} bytes")
            return data
        raise RefusedError(f"{self.name} refuses (HTTP status {status}): {_said(data[:MAX_ERROR_BYTES])}")

    def _take(self, stop: Stop, deadline: float) -> tuple[Connection, bool]:
        if self._end.asked:
            raise ConnectionError("closed")
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        made = Connection(self._host, self._port, context=self._context, deadline=deadline, stops=(stop, self._end))
        return made, False

    def _keep(self, connection: Connection) -> None:
        with self._lock:
            if not self._end.asked and len(self._idle) < _MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()


def complaint(text: str) -> str:
    """Make what a stranger says fit for a terminal: one line, short, nothing that moves a cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:MAX_COMPLAINT]).strip()


def _said(data: bytes) -> str:
    """Return what a node says about an error, in its own words, fit for a terminal."""
    try:
        reply = msgspec.json.decode(data, type=dict[str, Any])
        text = reply.get("error") or reply.get("exception") or reply.get("message")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = None
    return complaint(text if isinstance(text, str) else data.decode("utf-8", "replace")) or "it does not say why"


def _checked(url: str) -> SplitResult:
    trouble = ConfigError(f"the node's URL {_shown(url)} cannot be used: {_ACCEPTED}")
    if not url.isascii() or not url.isprintable() or " " in url:  # urlsplit would pass over some of it
        raise trouble
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise trouble from exc
    if parts.scheme not in {"http", "https"} or parts.query or parts.fragment or port == 0 or not _is_host(parts.hostname or ""):
        raise trouble
    return parts


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _NAME.fullmatch(host) is not None
    return True


def _shown(url: str) -> str:
    return repr(re.sub(r"//[^/@]*@", "//...@", url[:200]))
