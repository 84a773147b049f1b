"""Multiaddresses, as much of them as must be understood: what they are made of, and who can use them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from learnae.errors import ConfigError

MAX_LENGTH = 1_000
PEER = re.compile(r"(?:Qm[1-9A-HJ-NP-Za-km-z]{44}|1[1-9A-HJ-NP-Za-km-z]{40,80}|[kb][a-z2-9][a-z0-9]{40,80})")
"""How a libp2p peer id is written: base58 of a multihash, or a content id."""

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_BARE = frozenset({"quic", "quic-v1", "webtransport", "ws", "wss", "tls", "http", "https", "p2p-circuit", "webrtc-direct"})
_NAMES = frozenset({"dns", "dns4", "dns6", "dnsaddr", "sni"})


@dataclass(frozen=True, slots=True)
class Multiaddress:
    """An address in parts: ``/ip4/1.2.3.4/tcp/4001/p2p/PEER`` is ``(("ip4", "1.2.3.4"), ("tcp", "4001"), ("p2p", "PEER"))``."""

    parts: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Write it as it was read."""
        return "".join(f"/{name}/{value.lstrip('/')}" if value else f"/{name}" for name, value in self.parts)

    @property
    def protocols(self) -> tuple[str, ...]:
        """The names of its parts."""
        return tuple(name for name, _ in self.parts)

    @property
    def peer(self) -> str | None:
        """The peer id in which it ends."""
        name, value = self.parts[-1]
        return value if name == "p2p" else None

    @property
    def without_peer(self) -> Multiaddress:
        """The same without the peer id in which it ends."""
        return Multiaddress(self.parts[:-1]) if self.peer and len(self.parts) > 1 else self

    @property
    def is_relayed(self) -> bool:
        """Whether it leads through another peer."""
        return "p2p-circuit" in self.protocols

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The IP address in which it begins, if it does."""
        name, value = next((part for part in self.parts if part[0] != "ip6zone"), self.parts[0])
        return ipaddress.ip_address(value) if name in {"ip4", "ip6"} else None

    @property
    def reach(self) -> str:
        """From where it can be used: ``machine``, ``network`` (the local one) or ``internet``."""
        if self.ip is None:
            return "internet"
        if self.ip.is_loopback:
            return "machine"
        return "internet" if self.ip.is_global else "network"


def read_multiaddress(text: str) -> Multiaddress:
    """Read one.

    Raises:
        ConfigError: It is none, or holds something that is not known here; the message says what.
    """
    if not text.startswith("/") or len(text) > MAX_LENGTH or text.endswith("/"):
        raise ConfigError(f"{text[:80]!r} is no multiaddress; one looks like /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW...")
    if text.startswith("/unix/"):
        return Multiaddress((("unix", text.removeprefix("/unix")),))
    words = iter(text[1:].split("/"))
    parts: list[tuple[str, str]] = []
    for name in words:
        name = "p2p" if name == "ipfs" else name  # noqa: PLW2901  # how it was called before 2019
        if name in _BARE:
            parts.append((name, ""))
            continue
        value = next(words, None)
        if value is None or not _fits(name, value):
            raise ConfigError(
                f"{text[:200]!r} is no multiaddress: /{name[:20]}{'' if value is None else '/' + value[:60]} cannot be"
            )
        parts.append((name, value))
    return Multiaddress(tuple(parts))


def _fits(name: str, value: str) -> bool:
    match name:
        case "ip4" | "ip6":
            try:
                return f"ip{ipaddress.ip_address(value).version}" == name and "%" not in value
            except ValueError:
                return False
        case "tcp" | "udp":
            return value.isascii() and value.isdecimal() and len(value) <= 5 and 0 <= int(value) <= 65_535
        case "p2p":
            return PEER.fullmatch(value) is not None
        case "ip6zone" | "certhash":
            return re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", value) is not None
        case _:
            return name in _NAMES and _HOST.fullmatch(value) is not None
