"""Where the session's daemons were, remembered in a file: who comes back finds the others without being told again.

What is in the file came from other peers and is believed to be no more than a place to try.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from learnae.errors import ConfigError
from learnae_ipfs.addresses import Multiaddress, read_multiaddress
from learnae_ipfs.private_files import read_private, write_private

MAX_DAEMONS = 64
MAX_ADDRESSES = 6
"""Of one daemon."""

_MAX_FILE_BYTES = 1_000_000
_MAX_ADDRESS_LENGTH = 300
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_MULTIHASHES = ((b"\x00\x24\x08\x01\x12\x20", 38), (b"\x00\x25\x08\x02\x12\x21", 39), (b"\x12\x20", 34))
"""How the ids of Ed25519, secp256k1 and hashed keys begin, and how long they are."""


def read_daemon_address(text: str) -> Multiaddress | None:
    """Read the address of a daemon as Kubo's configuration takes it: it ends in ``/p2p/PEER``; ``None`` for anything else.

    Kubo does not start if one of them is wrong, so nothing doubtful may pass.
    """
    if len(text) > _MAX_ADDRESS_LENGTH:
        return None
    try:
        address = read_multiaddress(text)
    except ConfigError:
        return None
    reachable = {"tcp", "udp", "dnsaddr", "p2p-circuit"} & set(address.protocols)
    peers = [value for name, value in address.parts if name == "p2p"]
    if address.peer is None or not reachable or len(peers) > 2 or not all(map(_is_peer_id, peers)):
        return None
    ports = [int(value) for name, value in address.parts if name in {"tcp", "udp"}]
    return address if all(ports) else None


def _is_peer_id(text: str) -> bool:
    number, zeros = 0, len(text) - len(text.lstrip("1"))
    for character in text:
        digit = _BASE58.find(character)
        if digit < 0:
            return False
        number = number * 58 + digit
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    return any(data.startswith(head) and len(data) == length for head, length in _MULTIHASHES)


def remembered(file: Path) -> tuple[str, ...]:
    """Return the remembered addresses, those of daemons that were met last first; whatever is wrong in the file is left out."""
    return tuple(str(address) for addresses in _read(file).values() for address in addresses)


def remember(file: Path, addresses: Iterable[str]) -> bool:
    """Put addresses with peer ids before those that are remembered already; those beyond the limits are forgotten.

    Another process may do the same at the same time: then one of both is forgotten, to be met again.

    Returns:
        Whether the file was written: it is not where it would stay the same.

    Raises:
        OSError: It cannot be written.
    """
    before = _read(file)
    fresh: dict[str, list[Multiaddress]] = {}
    for text in addresses:
        address = read_daemon_address(text)
        if address is not None and address.peer is not None:
            _put(fresh.setdefault(address.peer, []), address)
    after = {peer: list(found) for peer, found in fresh.items()}
    for peer, old in before.items():
        for address in old:
            _put(after.setdefault(peer, []), address)
    after = dict(list(after.items())[:MAX_DAEMONS])
    if _sets(after) == _sets(before):
        return False
    content = json.dumps([[str(address) for address in found] for found in after.values()], indent=1)
    write_private(file, content.encode())
    return True


def _sets(daemons: dict[str, list[Multiaddress]]) -> dict[str, frozenset[Multiaddress]]:
    return {peer: frozenset(addresses) for peer, addresses in daemons.items()}


def _put(addresses: list[Multiaddress], address: Multiaddress) -> None:
    if address not in addresses and len(addresses) < MAX_ADDRESSES:
        addresses.append(address)


def _read(file: Path) -> dict[str, list[Multiaddress]]:
    daemons: dict[str, list[Multiaddress]] = {}
    try:
        said = json.loads(read_private(file, max_bytes=_MAX_FILE_BYTES) or b"[]")
    except (OSError, ValueError, RecursionError):
        return {}
    for texts in said if isinstance(said, list) else []:
        for text in texts if isinstance(texts, list) else []:
            address = read_daemon_address(text) if isinstance(text, str) else None
            if address is not None and address.peer is not None and len(daemons) < MAX_DAEMONS:
                _put(daemons.setdefault(address.peer, []), address)
    return daemons
