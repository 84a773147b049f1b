"""What an operator types for a daemon's RPC address, and how to authenticate there."""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from learnae.errors import ConfigError
from learnae_ipfs.kubo.values import Endpoint

MAX_UNIX_PATH_BYTES = 103
"""What every system takes as the path of a Unix socket."""

_ACCEPTED = (
    "accepted are /ip4/127.0.0.1/tcp/5001 (also ip6, dns, dns4, dns6, and /https at the end), http://127.0.0.1:5001, "
    "https://HOST, and /unix/run/ipfs.sock"
)
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_TOKEN = re.compile(r"[!-~]{1,4000}")
_FAMILIES = {"ip4": 4, "ip6": 6}
_NAMES = frozenset({"dns", "dns4", "dns6"})
_SCHEMES: dict[tuple[str, ...], str] = {(): "", ("http",): "", ("https",): "/https", ("tls", "http"): "/https"}


def read_endpoint(address: str, authorization: str | None = None) -> Endpoint:
    """Make an endpoint of what was typed.

    Args:
        address: A multiaddress with TCP or a Unix socket, or a URL ``http://``, ``https://``, ``unix://``.
        authorization: As ``read_authorization`` takes it.

    Raises:
        ConfigError: One of them cannot be used; the message says what is accepted and never repeats a secret.
    """
    return Endpoint(_address(address), None if authorization is None else read_authorization(authorization))


def read_authorization(text: str) -> str:
    """Make the HTTP header ``Authorization`` of ``bearer:TOKEN`` or ``basic:USER:PASSWORD``, as Kubo's configuration writes them.

    Raises:
        ConfigError: It is neither.
    """
    kind, _, rest = text.partition(":")
    if kind == "bearer" and _TOKEN.fullmatch(rest):
        return f"Bearer {rest}"
    if kind == "basic" and rest.isprintable() and len(rest) <= 2000:
        user, colon, _ = rest.partition(":")
        if user and colon:
            return "Basic " + base64.b64encode(rest.encode()).decode("ascii")
        if not colon and _TOKEN.fullmatch(rest):  # Kubo takes it encoded as well
            return f"Basic {rest}"
    raise ConfigError("this cannot be used to authenticate at a daemon; accepted are bearer:TOKEN and basic:USER:PASSWORD")


def _address(text: str) -> str:
    if not text.isprintable():  # a URL would be read as if what cannot be seen were not there
        _refuse(text)
    if text.startswith("unix://"):
        return _unix(unquote(text.removeprefix("unix://")), text)
    if text.startswith("/unix/"):
        return _unix(text.removeprefix("/unix"), text)
    if text.startswith("/"):
        return _multiaddress(text)
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as exc:
        raise ConfigError(f"the RPC address {_shown(text)} cannot be used: {_ACCEPTED}") from exc
    return _url(url, port, text)


def _multiaddress(text: str) -> str:
    parts = text[1:].split("/")
    if len(parts) < 4 or parts[2] != "tcp" or tuple(parts[4:]) not in _SCHEMES or not _is_host(parts[0], parts[1]):
        _refuse(text)
    family, host, _, port = parts[:4]
    if not (port.isascii() and port.isdecimal() and len(port) <= 5):
        _refuse(text)
    return f"/{family}/{host}/tcp/{_port(int(port), text)}{_SCHEMES[tuple(parts[4:])]}"


def _url(url: SplitResult, port: int | None, text: str) -> str:
    host = url.hostname or ""
    if url.username is not None or url.password is not None:
        raise ConfigError("an RPC address holds no password; give --ipfs-auth-file a file with basic:USER:PASSWORD")
    if url.scheme not in {"http", "https"} or url.query or url.fragment or url.path.rstrip("/") not in {"", "/api/v0"}:
        _refuse(text)
    family = next((name for name in ("ip4", "ip6", "dns") if _is_host(name, host)), None)
    if family is None:
        _refuse(text)
    secure = url.scheme == "https"
    number = (443 if secure else 80) if port is None else port
    return f"/{family}/{host}/tcp/{_port(number, text)}{'/https' if secure else ''}"


def _unix(path: str, text: str) -> str:
    if not path.startswith("/") or not path.strip("/") or not path.isprintable():
        _refuse(text)
    if len(path.encode()) > MAX_UNIX_PATH_BYTES:
        raise ConfigError(f"the path of the Unix socket {_shown(path)} is too long: at most {MAX_UNIX_PATH_BYTES} bytes")
    return f"/unix/{path.lstrip('/')}"


def _is_host(family: str, host: str) -> bool:
    if family in _NAMES:
        return _HOST.fullmatch(host) is not None and not host.replace(".", "").isdecimal()
    try:
        return ipaddress.ip_address(host).version == _FAMILIES.get(family) and "%" not in host
    except ValueError:
        return False


def _port(port: int, text: str) -> int:
    if not 1 <= port <= 65_535:
        _refuse(text)
    return port


def _refuse(text: str) -> NoReturn:
    raise ConfigError(f"the RPC address {_shown(text)} cannot be used: {_ACCEPTED}")


def _shown(text: str) -> str:
    text = re.sub(r"//[^/@]*@", "//...@", text)
    return repr(text if len(text) <= 200 else text[:200] + "...")
