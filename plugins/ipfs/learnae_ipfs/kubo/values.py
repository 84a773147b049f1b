"""What is said about a daemon and by it: small frozen values, without a promise that any of it is true."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PUBSUB_BYTES = 1_000_000
"""Larger PubSub messages vanish while publishing says OK (see ``docs/ipfs.md``)."""

MAX_BLOCK_BYTES = 2**20
"""Larger blocks are refused by other daemons."""

SLOWEST = 65_536
"""Bytes per second: a daemon may take or give a file as slowly as this."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a daemon's RPC interface is; ``learnae_ipfs.endpoints`` makes one of what an operator types.

    Attributes:
        address: A multiaddress: ``/ip4/127.0.0.1/tcp/5001``, ``/dns/host/tcp/443/https``, ``/unix/run/ipfs.sock``.
        authorization: The HTTP header ``Authorization``; ``None`` for none.
    """

    address: str
    authorization: str | None = None

    def __repr__(self) -> str:
        """Show it without what must stay secret."""
        return f"Endpoint({self.address!r}, authorization={'...' if self.authorization else None})"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a daemon is: its libp2p peer id, and multiaddresses that end in it."""

    peer: str
    addresses: tuple[str, ...]
    agent: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A daemon that is connected: its peer id, the address, and whether it dialled us."""

    peer: str
    address: str
    inbound: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """A daemon that said it can provide some content, with the addresses that are known of it (without peer id)."""

    peer: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PubsubMessage:
    """A message, and the peer id of the daemon that published it first."""

    sender: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Counters:
    """A daemon's own statistics since it started, in bytes and blocks."""

    sent_bytes: int
    received_bytes: int
    served_blocks: int
    served_bytes: int
