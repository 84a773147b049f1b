"""What a mailbox holds, as one block that anybody may fetch, and how it is read from somebody who may be lying.

A mailbox is MessagePack of ``Letters``: the author's latest messages by slot, where its daemon is, and which other daemons of the
session it met lately, so that one address is enough to find everybody. It is one raw block: its content id is the digest of its
bytes, and nobody can make it larger than a block once somebody has begun to fetch it. Only the messages in it are signed, by what
is above the transport; an address is no more than a hint where to dial, and libp2p checks who answers there.
"""

# Annotations are read at run time here, so that they are not postponed.
import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from learnae.errors import ConfigError
from learnae_ipfs.addresses import read_multiaddress
from learnae_ipfs.kubo.wire import is_peer_id

MAX_SLOTS = 64
MAX_MESSAGE_BYTES = 65_536
MAX_MESSAGES_BYTES = 262_144
"""How many bytes the messages of one mailbox may have in all."""

MAX_PEERS = 64
MAX_ADDRESSES = 6
MAX_ADDRESS_LENGTH = 256
MAX_LETTERS_BYTES = 393_216
"""Larger mailboxes are never read: all messages, all peers, and what it takes to write them down."""

_HOSTS = frozenset({"ip4", "ip6", "dns", "dns4", "dns6"})
_DIALLED = _HOSTS | {"tcp", "udp", "quic-v1", "ws", "wss", "tls", "sni", "p2p", "p2p-circuit"}
_ORDER = {"internet": 0, "network": 1, "machine": 2}


class Whereabouts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a daemon of the session may be.

    Attributes:
        peer: Its libp2p peer id.
        shared: Whether it is one that several peers may share, which decides under which names mailboxes are found.
        addresses: Multiaddresses without the peer id, the best first.
    """

    peer: Annotated[str, Meta(max_length=64)]
    shared: bool
    addresses: Annotated[tuple[Annotated[str, Meta(max_length=MAX_ADDRESS_LENGTH)], ...], Meta(max_length=MAX_ADDRESSES)] = ()


class Letter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The latest message of a slot; the slot's 32 bytes are the author's own affair."""

    slot: Annotated[bytes, Meta(min_length=32, max_length=32)]
    message: Annotated[bytes, Meta(max_length=MAX_MESSAGE_BYTES)]


class Letters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mailbox.

    Attributes:
        format: Of this description.
        session: Derived from the rendezvous; a mailbox of another session is none.
        author: The author's daemon.
        letters: The latest messages, those published last at the end.
        peers: Other daemons of the session that the author met lately.
    """

    format: Literal["learnae-mailbox-1"]
    session: Annotated[bytes, Meta(min_length=32, max_length=32)]
    author: Whereabouts
    letters: Annotated[tuple[Letter, ...], Meta(max_length=MAX_SLOTS)]
    peers: Annotated[tuple[Whereabouts, ...], Meta(max_length=MAX_PEERS)]


def write_letters(letters: Letters) -> bytes:
    """Write a mailbox."""
    return msgspec.msgpack.encode(letters)


def read_letters(data: bytes, *, session: bytes) -> Letters | None:
    """Read somebody's mailbox; ``None`` for anything but a well-formed one of this session."""
    if len(data) > MAX_LETTERS_BYTES:
        return None
    try:
        letters = msgspec.msgpack.decode(data, type=Letters)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    well_formed = (
        letters.session == session
        and sum(len(letter.message) for letter in letters.letters) <= MAX_MESSAGES_BYTES
        and all(is_sound(where) for where in (letters.author, *letters.peers))
    )
    return letters if well_formed else None


def is_sound(where: Whereabouts) -> bool:
    """Say whether a daemon's whereabouts are such that it may be dialled."""
    return is_peer_id(where.peer) and all(is_dialled(address) for address in where.addresses)


def is_dialled(address: str) -> bool:
    """Say whether it is a multiaddress, without peer id at the end, of a kind that we dial: TCP, QUIC, WebSocket, relayed."""
    if len(address) > MAX_ADDRESS_LENGTH:
        return False
    try:
        parts = read_multiaddress(address)
    except ConfigError:
        return False
    protocols = parts.protocols
    return (
        protocols[0] in _HOSTS
        and len(protocols) > 1
        and protocols[1] in {"tcp", "udp"}
        and len(protocols) <= 8
        and protocols.count("p2p-circuit") <= 1
        and _DIALLED.issuperset(protocols)
        and parts.peer is None
    )


def dialled(addresses: Sequence[str], peer: str) -> tuple[str, ...]:
    """Choose, of the addresses that somebody has, those worth telling others: without the peer id, those from afar first.

    What only serves on the machine itself is kept where there is nothing else.
    """
    found: dict[str, tuple[int, bool, str]] = {}
    for address in addresses:
        bare = address.removesuffix(f"/p2p/{peer}")
        if is_dialled(bare):
            read = read_multiaddress(bare)
            found[bare] = _ORDER[read.reach], read.is_relayed, bare
    best_first = sorted(found, key=found.__getitem__)
    from_afar = [address for address in best_first if found[address][0] < _ORDER["machine"]]
    return tuple((from_afar or best_first)[:MAX_ADDRESSES])


def mark(message: bytes) -> bytes:
    """Return by what a message is recognised when it comes again."""
    return hashlib.blake2b(message, digest_size=16).digest()
