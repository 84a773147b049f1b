"""The node as an ASGI application: one route, and what HTTP asks for around it."""

import asyncio
import contextlib
import ipaddress
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec

from learnae_iota.serving.api import Api
from learnae_iota.serving.declining import FORBIDDEN, NOT_FOUND, TIMEOUT, TOO_LARGE, TOO_MANY, DeclinedError
from learnae_iota.serving.rates import Rates
from learnae_iota.serving.settings import NodeSettings

MAX_AT_ONCE = 32
"""How many requests are worked at; others wait their turn."""

SMALL_BYTES = 65_536
"""So long a request may be to be read at once; all those that the node holds connections for have room in memory."""

MAX_LARGE = 16
"""How many longer requests are held in memory; others wait their turn, unread: slow ones keep nobody else waiting."""

BODY_TIMEOUT_S = 10.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, OPTIONS, GET"),
    (
        b"access-control-allow-headers",
        b"Content-Type, Accept, Accept-Encoding, Authorization, X-Requested-With, X-IOTA-API-Version",
    ),
)
_LENGTH_DIGITS = 18
_HEARD_OUT = 4  # times as long as a body may be
_JSON = (b"content-type", b"application/json; charset=utf-8")
_CLOSE = (b"connection", b"close")


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


class _GoneError(Exception):
    """Whoever asked is no longer there."""


class Application:
    """Answers HTTP requests. One event loop.

    Args:
        api: Carries them out.
        settings: The node's.
        clock: Seconds that only go forward.
    """

    def __init__(self, api: Api, settings: NodeSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._settings = settings
        self._rates = Rates(settings.max_requests_per_s, clock)
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._large = asyncio.Semaphore(MAX_LARGE)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one."""
        try:
            response = await self._respond(scope, receive)
        except DeclinedError as exc:
            again = ((b"retry-after", b"1"),) if exc.status == TOO_MANY else ()
            response = _Response(exc.status, msgspec.json.encode({"error": str(exc)}), (_JSON, _CLOSE, *again))
        except _GoneError:
            return
        length = (b"content-length", str(len(response.body)).encode())
        headers = [*response.headers, *(_CORS if self._settings.cors else ()), *(() if response.status == 204 else (length,))]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _respond(self, scope: Message, receive: Receive) -> _Response:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        address = (scope.get("client") or ("",))[0]
        if not self._settings.cors and b"origin" in headers:
            raise DeclinedError("web pages may not ask this node", FORBIDDEN)
        if not self._rates.allow(address):
            message = f"more than {self._settings.max_requests_per_s:g} requests a second"
            raise DeclinedError(message, TOO_MANY)
        match scope["method"], scope["path"]:
            case "OPTIONS", _:
                return _Response(204)
            case "GET", "/healthz":
                return _Response(200)
            case "POST", "" | "/":
                return await self._post(headers, address, receive)
            case _:
                raise DeclinedError("not found", NOT_FOUND)

    async def _post(self, headers: dict[bytes, bytes], address: str, receive: Receive) -> _Response:
        async with contextlib.nullcontext() if _is_small(headers) else self._large:
            try:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    body = await _body(headers, receive, self._settings.max_body_bytes)
            except TimeoutError as exc:
                message = f"the request did not come within {BODY_TIMEOUT_S:g} s"
                raise DeclinedError(message, TIMEOUT) from exc
            async with self._places:
                status, answer = await self._answer(body, receive, near=_is_near(address))
        return _Response(status, answer, (_JSON,))

    async def _answer(self, body: bytes, receive: Receive, *, near: bool) -> tuple[int, bytes]:
        """Answer, unless whoever asked goes away first."""
        answering = asyncio.ensure_future(self._api.answer(body, near=near))
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise _GoneError
            return answering.result()
        finally:
            await _end((answering, leaving))


async def _end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _is_small(headers: dict[bytes, bytes]) -> bool:
    declared = _declared_bytes(headers)
    return declared is not None and declared <= SMALL_BYTES


def _declared_bytes(headers: dict[bytes, bytes]) -> int | None:
    """Return how long a request says that it is; ``None`` if it does not say. What is absurdly long is ``sys.maxsize``."""
    declared = headers.get(b"content-length", b"")
    if not declared.isdigit():
        return None
    return int(declared) if len(declared) <= _LENGTH_DIGITS else sys.maxsize


async def _body(headers: dict[bytes, bytes], receive: Receive, max_bytes: int) -> bytes:
    """Read a body. One that is somewhat too long is heard out, so that its sender reads why it is declined."""
    too_large = DeclinedError(f"a request of more than {max_bytes} bytes", TOO_LARGE)
    declared = _declared_bytes(headers)
    if declared is not None and declared > _HEARD_OUT * max_bytes:
        raise too_large
    body, length = bytearray(), 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _GoneError
        part = message.get("body", b"")
        length += len(part)
        if length <= max_bytes:
            body += part
        elif length > _HEARD_OUT * max_bytes:
            raise too_large
        if not message.get("more_body", False):
            break
    if length > max_bytes:
        raise too_large
    return bytes(body)


def _is_near(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
