"""Files as chunks, each of which is found by the SHA-256 of its own bytes.

A file that fits is one chunk. A larger one is cut into chunks of ``CHUNK_BYTES``, the last one shorter, and one more chunk lists
their SHA-256 one after the other: 32 bytes each, in order. The locator names the file's only chunk, or the list, and the file's
size, which tells one from the other: ``iota:<SHA-256>/<size>``. So every chunk is checked for itself, whoever wrote it.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from learnae.values.ids import Locator
from learnae_iota.tangle.content import CONTENT_TRANSACTIONS, most_bytes

SCHEME = "iota"
CHUNK_BYTES = most_bytes(CONTENT_TRANSACTIONS)
DIGEST_BYTES = 32
MAX_CHUNKS = CHUNK_BYTES // DIGEST_BYTES
MAX_FILE_BYTES = MAX_CHUNKS * CHUNK_BYTES
"""Some 38 MB, 35,000 transactions. What is sensible is far less."""

_LOCATOR = re.compile(r"iota:([0-9a-f]{64})/(0|[1-9][0-9]{0,8})\Z")


@dataclass(frozen=True, slots=True)
class Found:
    """What a locator says.

    Attributes:
        digest: SHA-256 of the only chunk, or of the list of chunks.
        size: Of the file, in bytes.
    """

    digest: bytes
    size: int

    @property
    def is_list(self) -> bool:
        """Whether the chunk lists others."""
        return self.size > CHUNK_BYTES


def cut(data: bytes) -> tuple[bytes, ...]:
    """Cut a file into chunks; where there are several, the list of them comes last."""
    if len(data) <= CHUNK_BYTES:
        return (data,)
    chunks = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
    return (*chunks, b"".join(map(digest_of, chunks)))


def digest_of(chunk: bytes) -> bytes:
    """Return the SHA-256 of a chunk."""
    return hashlib.sha256(chunk).digest()


def locator_of(data: bytes, chunks: Sequence[bytes]) -> Locator:
    """Name a file that was cut."""
    return Locator(f"{SCHEME}:{digest_of(chunks[-1]).hex()}/{len(data)}")


def read_locator(locator: str) -> Found | None:
    """Read a locator; ``None`` for what is not exactly one of this storage's."""
    found = _LOCATOR.match(locator)
    if found is None or int(found[2]) > MAX_FILE_BYTES:
        return None
    return Found(bytes.fromhex(found[1]), int(found[2]))


def read_list(chunk: bytes, size: int) -> tuple[bytes, ...] | None:
    """Read the list of a file's chunks; ``None`` if it cannot be that of a file of this size."""
    if len(chunk) != -(-size // CHUNK_BYTES) * DIGEST_BYTES:
        return None
    return tuple(chunk[start : start + DIGEST_BYTES] for start in range(0, len(chunk), DIGEST_BYTES))
