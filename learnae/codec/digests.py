"""Digests that need no secret."""

from hashlib import blake2b

from learnae.values.ids import Digest

DIGEST_BYTES = 32


def plain_digest(data: bytes) -> Digest:
    """Return the unkeyed BLAKE2b-256 (RFC 7693) of some bytes, 64 lower-case hexadecimal digits."""
    return Digest(blake2b(data, digest_size=DIGEST_BYTES).hexdigest())
