"""What tests of the development node ask and wait with."""

import http.client
import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

NOW_S = 1_700_000_000
WEIGHT = 2


def ask_node(url: str, command: str, **arguments: object) -> tuple[int, dict[str, Any]]:
    """Ask a node; the answer comes without how long it took."""
    status, body, _ = request(url, "POST", "/", json.dumps({"command": command, **arguments}).encode())
    answer: dict[str, Any] = json.loads(body)
    answer.pop("duration", None)
    return status, answer


def request(
    url: str, method: str, path: str, body: bytes | None = None, headers: Sequence[tuple[str, str]] = ()
) -> tuple[int, bytes, dict[str, str]]:
    """Send a request."""
    place = urlsplit(url)
    assert place.hostname
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


def until(what: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)
