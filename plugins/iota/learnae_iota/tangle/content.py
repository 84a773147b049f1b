"""Bytes in messages of the Tangle, and places that are derived from names.

A message that carries bytes is 4 bytes of their length (big-endian), then they themselves, every byte as two trytes; what follows
is filler. It carries no digest: the ledger's own hashes cover it, and who reads it knows a digest or checks a signature.
"""

import hashlib
from dataclasses import dataclass

from learnae.errors import BadContentError
from learnae_iota.bundles.transactions import MESSAGE_TRYTES, TAG_TRYTES
from learnae_iota.trinary.numbers import largest, write_number
from learnae_iota.trinary.trytes import HASH_TRYTES, decode_bytes, encode_bytes

CONTENT_TRANSACTIONS = 32
"""Of a message that carries bytes."""

LENGTH_BYTES = 4
_TRYTES_A_BYTE = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where something lies on the ledger.

    Attributes:
        address: 81 trytes.
        tag: 27 trytes.
    """

    address: str
    tag: str


def place_of(*names: str | int) -> Place:
    """Derive a place from names: other names give another place, and no place tells its names."""
    text = "/".join(str(name) for name in names).encode()
    digest = hashlib.blake2b(text, digest_size=64, person=b"learnae-tangle").digest()
    return Place(_trytes(b"address" + digest, HASH_TRYTES), _trytes(b"tag" + digest, TAG_TRYTES))


def encode_content(data: bytes) -> str:
    """Write bytes as the trytes of a message."""
    return encode_bytes(len(data).to_bytes(LENGTH_BYTES, "big") + data)


def decode_content(trytes: str, *, max_bytes: int) -> bytes | None:
    """Read the bytes of a message that anybody may have written; ``None`` where it carries none, or more than allowed."""
    head = LENGTH_BYTES * _TRYTES_A_BYTE
    try:
        size = int.from_bytes(decode_bytes(trytes[:head]), "big")
        if len(trytes) < head or size > min(max_bytes, (len(trytes) - head) // _TRYTES_A_BYTE):
            return None
        return decode_bytes(trytes[head : head + size * _TRYTES_A_BYTE])
    except BadContentError:
        return None


def most_bytes(transactions: int) -> int:
    """Return how many bytes fit into so many transactions."""
    return transactions * MESSAGE_TRYTES // _TRYTES_A_BYTE - LENGTH_BYTES


def _trytes(seed: bytes, length: int) -> str:
    number = int.from_bytes(hashlib.blake2b(seed, digest_size=64).digest(), "big")
    return write_number(number % largest(length), length)
