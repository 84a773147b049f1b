"""How a message lies in its file, so that a half-synchronised or damaged one is recognised.

::

    8 bytes   b"LEARNAE1"
    8 bytes   length of the message, big-endian
    32 bytes  SHA-256 of the message
    …         the message
"""

import hashlib

MAGIC = b"LEARNAE1"
HEADER_BYTES = len(MAGIC) + 8 + 32


def write_frame(message: bytes) -> bytes:
    """Frame a message."""
    return b"".join((MAGIC, len(message).to_bytes(8, "big"), hashlib.sha256(message).digest(), message))


def read_frame(data: bytes) -> bytes | None:
    """Return the message; ``None`` for anything but one whole, undamaged frame."""
    message = data[HEADER_BYTES:]
    header = b"".join((MAGIC, len(message).to_bytes(8, "big"), hashlib.sha256(message).digest()))
    return message if data[:HEADER_BYTES] == header else None
