"""What Kubo's RPC interface writes in its own way: multibase, content ids, peer ids, keys. All of it is read strictly.

Content ids are CIDv1 in base32, of a raw block or a dag-pb node, by SHA-256: that is what Kubo makes of a file, and nothing else
is ever believed to be one. An id has exactly one spelling, so equal strings and equal contents are the same thing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CID_LENGTH = 59
"""The characters of a content id: ``b``, and 36 bytes in base32."""

EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
"""The content id of nothing at all. Kubo hands an empty block to nobody, so whoever meets this id has to know what it means."""

_CID = re.compile(r"b[a-z2-7]{58}")
_CODECS = (b"\x01\x55\x12\x20", b"\x01\x70\x12\x20")  # CIDv1, raw or dag-pb, SHA-256, 32 bytes
_PEER = re.compile(r"12D3Koo[1-9A-HJ-NP-Za-km-z]{45}|16Uiu2HA[1-9A-HJ-NP-Za-km-z]{45}|Qm[1-9A-HJ-NP-Za-km-z]{44}")
_ED25519_PEER = re.compile(r"12D3Koo[1-9A-HJ-NP-Za-km-z]{45}")
_ED25519_NAME = re.compile(r"k51[0-9a-z]{59}")
_BASE64URL = re.compile(r"u[A-Za-z0-9_-]*")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_ED25519_MULTIHASH = b"\x00\x24\x08\x01\x12\x20"  # the identity of a protobuf: key type Ed25519, 32 bytes
_LIBP2P_KEY = b"\x01\x72"  # CIDv1, libp2p-key
_ED25519_PRIVATE = b"\x08\x01\x12\x40"  # protobuf: key type Ed25519, 64 bytes


def write_multibase(data: bytes) -> str:
    """Write bytes as multibase base64url, as topics and messages of PubSub are written."""
    return "u" + base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def read_multibase(text: str) -> bytes | None:
    """Read multibase base64url without padding; ``None`` for anything else."""
    if not _BASE64URL.fullmatch(text):
        return None
    try:
        return base64.urlsafe_b64decode(text[1:] + "=" * (-(len(text) - 1) % 4))
    except binascii.Error:
        return None


def is_cid(text: str) -> bool:
    """Say whether it is a content id that we use."""
    if not _CID.fullmatch(text):
        return False
    data = base64.b32decode(text[1:].upper() + "======")
    return data.startswith(_CODECS) and _write_cid(data) == text  # the last character has bits that must be zero


def is_raw(cid: str) -> bool:
    """Say whether a content id is that of one raw block, and so the digest of the whole file."""
    return cid.startswith("bafkrei")


def raw_cid(data: bytes) -> str:
    """Return the content id of a raw block."""
    return _write_cid(_CODECS[0] + hashlib.sha256(data).digest())


def is_peer_id(text: str) -> bool:
    """Say whether it is a libp2p peer id in base58: of an Ed25519, secp256k1, or hashed key."""
    return bool(_PEER.fullmatch(text))


def is_name(text: str) -> bool:
    """Say whether it is an IPNS name that we use: of an Ed25519 key, ``12D3Koo…`` or ``k51…``."""
    return bool(_ED25519_PEER.fullmatch(text) or _ED25519_NAME.fullmatch(text))


def name_of_peer(peer: str) -> str | None:
    """Return the IPNS name ``k51…`` under which a daemon publishes with its own key; ``None`` if that is not Ed25519."""
    if not _ED25519_PEER.fullmatch(peer):
        return None
    number = 0
    for character in peer:
        number = number * 58 + _BASE58.index(character)
    multihash = number.to_bytes(38, "big")  # the leading 1 is a leading zero byte
    return _name(multihash) if multihash.startswith(_ED25519_MULTIHASH) else None


def name_of_seed(seed: bytes) -> str:
    """Return the IPNS name ``k51…`` of the Ed25519 key made of a seed of 32 bytes, as ``key/import`` names it."""
    return _name(_ED25519_MULTIHASH + _public(seed))


def private_key(seed: bytes) -> bytes:
    """Write the Ed25519 key made of a seed of 32 bytes as libp2p's protobuf, for ``key/import``."""
    return _ED25519_PRIVATE + seed + _public(seed)


def _public(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _write_cid(data: bytes) -> str:
    return "b" + base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _name(multihash: bytes) -> str:
    number, digits = int.from_bytes(_LIBP2P_KEY + multihash, "big"), ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return "k" + digits
