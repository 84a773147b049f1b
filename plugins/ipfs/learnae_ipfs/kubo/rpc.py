"""Requests to a Kubo daemon: the one module that speaks to ``ipfshttpclient``, and mends it.

That client is used as a transport. It knows how to address a daemon (TCP, TLS, Unix sockets), how to write a request with a file,
and how to keep a connection. What it does with an answer is not used: it reads as much as the daemon cares to send, also of an
error. Here every reading is bounded, a failure in the middle of a stream is noticed, and a request can be ended from another
thread. No redirect is followed, no proxy is used, no cookie is kept, and nothing is decompressed.

Importing this takes a third of a second: do so when a daemon is to be spoken to.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import math
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import msgspec
import requests
import urllib3
from ipfshttpclient import exceptions as client_errors
from ipfshttpclient import multipart, requests_wrapper
from ipfshttpclient.http_requests import ClientSync

from learnae.errors import ConfigError, UnavailableError
from learnae_ipfs.kubo.answers import Answer, RefusedError, explained
from learnae_ipfs.kubo.stop import Stop
from learnae_ipfs.kubo.values import Endpoint

MAX_ERROR_BYTES = 8_192
"""So much of what a daemon says about an error is read."""

PIECE_BYTES = 262_144
"""How much is sent at a time; no more than this is ever copied."""

MARGIN_S = 5.0
"""How much longer than the daemon itself we wait, so that it is the daemon who says that it gave up."""

MAX_IDLE_LINES = 4
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
_FOREIGN = (
    client_errors.Error,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # what a closed TLS connection raises, and a header that cannot be read
)


class Rpc:
    """The RPC interface of one daemon. Any number of threads may use it; each request has a connection for itself.

    Args:
        endpoint: Where it is.
        timeout_s: How long to wait for a connection, and for an answer where nothing else is said.

    Attributes:
        name: How errors call the daemon.

    Raises:
        ConfigError: The address cannot be used.
    """

    def __init__(self, endpoint: Endpoint, *, timeout_s: float) -> None:
        self.name = f"the IPFS daemon at {endpoint.address}"
        self._endpoint, self._timeout_s = endpoint, timeout_s
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._idle = [_Line(endpoint)]
        except client_errors.Error as exc:
            text = f"the RPC address {endpoint.address!r} cannot be used: it is no multiaddress with tcp or unix"
            raise ConfigError(text) from exc

    def ask(
        self,
        path: str,
        *arguments: str,
        stop: Stop,
        options: Mapping[str, str] | None = None,
        file: bytes | None = None,
        give_up_s: float | None = None,
        patience_s: float | None = None,
    ) -> Answer:
        """Send a request, and read the head of the answer.

        Args:
            path: The call, such as ``pin/add``.
            arguments: Sent as ``arg``.
            stop: Can end it, and the reading of the answer.
            options: Sent under their names.
            file: Sent as the file of a form, in pieces and without a copy.
            give_up_s: When the daemon itself gives up; after ``timeout_s`` if nothing is said, ``math.inf`` for never.
            patience_s: How long to wait for each piece; a little longer than ``give_up_s`` if nothing is said.

        Raises:
            RefusedError: The daemon says that it cannot do it.
            SlowError: Nothing came within the patience.
            ConfigError: The daemon does not accept us.
            UnavailableError: It does not answer, or what answers is no daemon.
        """
        give_up = self._timeout_s if give_up_s is None else give_up_s
        patience = give_up + MARGIN_S if patience_s is None else patience_s
        parameters = list((options or {}).items())
        if give_up < math.inf:
            parameters.append(("timeout", f"{math.ceil(give_up * 1000)}ms"))
        parameters += [("arg", argument) for argument in arguments]
        line = self._take()
        try:
            line.use(stop)
            response = line.send(path, parameters, file, timeout=(self._timeout_s, patience))
            answer = Answer(self.name, path, response, line=line, keep=functools.partial(self._keep, line), stop=stop)
        except _FOREIGN as exc:
            line.close()
            raise explained(self.name, path, exc, stop) from exc
        except BaseException:
            line.close()
            raise
        if answer.status != http.client.OK:
            with answer:
                raise self._refusal(answer, path)
        return answer

    def close(self) -> None:
        """Close the connections that nobody uses; the others are closed by who uses them. Idempotent."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()

    def _take(self) -> _Line:
        with self._lock:
            if self._closed:
                raise UnavailableError(f"the connection to {self.name} was closed")
            return self._idle.pop() if self._idle else _Line(self._endpoint)

    def _keep(self, line: _Line) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < MAX_IDLE_LINES:
                self._idle.append(line)
                return
        line.close()

    def _refusal(self, answer: Answer, path: str) -> RefusedError | ConfigError:
        said = answer.read_some(MAX_ERROR_BYTES)
        if answer.status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
            wrong = "what --ipfs-auth-file says is not accepted"
            if self._endpoint.authorization is None:
                wrong = "it wants a token or a password: give --ipfs-auth-file"
            return ConfigError(f"{self.name} refuses {path} (HTTP status {answer.status}): {wrong}")
        try:
            reason = msgspec.json.decode(said, type=_Complaint).message
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            reason = said.decode("utf-8", "replace").strip()
        return RefusedError(self.name, path, answer.status, reason)


class _Complaint(msgspec.Struct):
    message: str = msgspec.field(name="Message")


class _Line(ClientSync):  # type: ignore[misc]  # the client has no types
    """A connection to the daemon, kept from request to request."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._socket: socket.socket | None = None
        self._stop: Stop | None = None
        self._authorization = endpoint.authorization
        super().__init__(endpoint.address, "/api/v0")
        if endpoint.address.startswith("/unix/"):  # the client writes a path with spaces as another one
            self._base_url = f"http://{quote(endpoint.address.removeprefix('/unix'), safe='')}/api/v0/"
        self.open_session()

    def use(self, stop: Stop) -> None:
        """Say what can end the next request."""
        self._stop = stop
        stop.hold(self._socket)
        if stop.asked:
            raise OSError("cancelled")

    def send(self, path: str, parameters: list[tuple[str, str]], file: bytes | None, timeout: tuple[float, float]) -> Any:  # noqa: ANN401
        """Send a request; return the answer, of which the head was read."""
        body, headers = (None, None) if file is None else _form(file)
        opened, _ = self._request(
            "POST", path, parameters, auth=None, data=body, headers=headers, timeout=timeout, chunk_size=None
        )
        return opened[0]

    def wait_for_ever(self) -> None:
        """Let no time-out end the reading from now on."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.settimeout(None)

    def close(self) -> None:
        """Close it; idempotent."""
        self.close_session()

    def connected(self, line: socket.socket) -> None:
        """Take note of a new connection."""
        self._socket = line
        if line.family in {socket.AF_INET, socket.AF_INET6}:
            # A subscription waits for ever, and must still notice that the other machine is gone.
            line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                if hasattr(socket, name):
                    line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if self._stop is not None:
            self._stop.hold(line)

    def _make_session(self) -> Any:  # noqa: ANN401  # the client has no types
        session = super()._make_session()
        session.trust_env = False  # no proxy and no ~/.netrc
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True
        session.headers = {"Accept-Encoding": "identity", "User-Agent": "learnae-ipfs"}
        if self._authorization is not None:
            session.headers["Authorization"] = self._authorization
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.get_redirect_target = lambda _: None
        adapter = _Adapter(self)
        for scheme in list(session.adapters):
            session.mount(scheme, adapter)
        return session

    def _do_raise_for_status(self, response: Any) -> None:  # noqa: ANN401  # the client has no types
        """Leave the answer unread, whatever its status."""


class _Adapter(requests_wrapper.HTTPAdapter):  # type: ignore[misc]  # the client has no types
    """Makes connections of which the line takes note."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # the same
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.connection_pool_kw.pop("strict", None)  # urllib3 2 warns of it
        plain, secure = (
            _noted(pool, self._line) for pool in (requests_wrapper.HTTPConnectionPool, requests_wrapper.HTTPSConnectionPool)
        )
        schemes = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {s: secure if s.startswith("https") else plain for s in schemes}


def _noted(pool: Any, line: _Line) -> type:  # noqa: ANN401  # the same
    """Make a class of connection pools whose connections tell the line of their sockets."""

    class Noted(pool.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            line.connected(self.sock)

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Noted

    return Pool


def _form(file: bytes) -> tuple[Iterator[bytes], dict[str, str]]:
    """Write a form with a file: its body in pieces, and its headers."""
    view = memoryview(file)
    pieces = (view[start : start + PIECE_BYTES] for start in range(0, len(file), PIECE_BYTES))
    body, headers = multipart.stream_bytes(pieces, chunk_size=PIECE_BYTES)
    return _joined(body), headers


def _joined(pieces: Iterator[bytes | memoryview]) -> Iterator[bytes]:
    """Join small pieces, each of which would be a packet of its own."""
    small = bytearray()
    for piece in pieces:
        if len(piece) < PIECE_BYTES:
            small += piece
            continue
        if small:  # an empty piece would be the end
            yield bytes(small)
            small.clear()
        yield bytes(piece)
    if small:
        yield bytes(small)
