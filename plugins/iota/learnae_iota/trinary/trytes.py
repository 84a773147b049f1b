"""Trits, trytes and bytes.

A trit is -1, 0 or 1. A tryte is three trits, the least significant first, and is written as one of ``9ABC…Z``: 0, 1 … 13,
-13 … -1. Trits are ``int8`` arrays; trytes, which travel as text, are ``str``.
"""

import hashlib
import re

import numpy as np
import numpy.typing as npt

from learnae.errors import BadContentError, UsageError

Trits = npt.NDArray[np.int8]

ALPHABET = "9ABCDEFGHIJKLMNOPQRSTUVWXYZ"
HASH_TRITS = 243
HASH_TRYTES = 81

_BASE = len(ALPHABET)
_LETTERS = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
_WRITTEN = re.compile(r"[9A-Z]*\Z")
_SIGNED = (np.arange(_BASE) + 13) % _BASE - 13  # of each letter of the alphabet: 0 … 13, -13 … -1
_TRITS = ((_SIGNED[:, np.newaxis] + 13) // (1, 3, 9) % 3 - 1).astype(np.int8)
_TRITS_OF_CODE = np.zeros((128, 3), dtype=np.int8)
_TRITS_OF_CODE[_LETTERS] = _TRITS
_VALUES = np.array([1, 3, 9], dtype=np.int8)


def are_trytes(text: str, length: int | None = None) -> bool:
    """Tell whether a text is nothing but trytes, and of that length where one is given."""
    return _WRITTEN.match(text) is not None and (length is None or len(text) == length)


def to_trits(trytes: str) -> Trits:
    """Return the trits of trytes.

    Returns:
        ``int8``, ``[3 * len(trytes)]``.

    Raises:
        UsageError: Something else than a tryte is among them.
    """
    if not are_trytes(trytes):
        message = f"not trytes, which are the digit 9 and the letters A to Z: {trytes[:100]!r}"
        raise UsageError(message)
    return _TRITS_OF_CODE[np.frombuffer(trytes.encode("ascii"), dtype=np.uint8)].reshape(-1)


def to_trytes(trits: Trits) -> str:
    """Write trits as trytes; up to two zero trits are added where the last tryte is not full.

    Args:
        trits: ``int8``, ``[n]``, each -1, 0 or 1.
    """
    full = np.concatenate((trits, np.zeros(-len(trits) % 3, dtype=np.int8))).reshape(-1, 3)
    return _LETTERS[tryte_values(full) % _BASE].tobytes().decode("ascii")


def tryte_values(trits: Trits) -> Trits:
    """Return the values of trytes, -13 … 13.

    Args:
        trits: ``int8``, ``[..., 3]``.

    Returns:
        ``int8``, ``[...]``.
    """
    return (trits @ _VALUES).astype(np.int8)


def hash_trits(trytes: str, what: str) -> Trits:
    """Return the 243 trits of a hash, a root or a seed that a caller gave.

    Args:
        trytes: 81 of them.
        what: It is, for the error's sentence; the value itself may be a secret, and is not shown.

    Raises:
        UsageError: It is not 81 trytes.
    """
    if not are_trytes(trytes, HASH_TRYTES):
        message = f"{what} has to be {HASH_TRYTES} trytes, the digit 9 and A to Z; it has {len(trytes)} characters"
        raise UsageError(message)
    return to_trits(trytes)


def add_integer(trits: Trits, number: int) -> Trits:
    """Add an integer to trits read as a balanced number, the least significant first; what overflows is lost.

    Args:
        trits: ``int8``, ``[n]``; not changed.
        number: What to add.

    Returns:
        ``int8``, ``[n]``.
    """
    result = trits.copy()
    for position, trit in enumerate(trits.tolist()):
        if number == 0:
            break
        number, digit = divmod(trit + number + 1, 3)
        result[position] = digit - 1
    return result


def derived_trytes(data: bytes, count: int) -> str:
    """Derive so many trytes from data (SHAKE-256): other data give others, and no trytes tell their data."""
    digest = hashlib.shake_256(data).digest(count)
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest)


def encode_bytes(data: bytes) -> str:
    """Write every byte as two trytes, as the deployed libraries do with ASCII text."""
    values = np.frombuffer(data, dtype=np.uint8)
    return _LETTERS[np.stack((values % _BASE, values // _BASE), axis=-1)].tobytes().decode("ascii")


def decode_bytes(trytes: str) -> bytes:
    """Read bytes that were written as two trytes each.

    Args:
        trytes: Of a message that was verified: its writer answers for them.

    Raises:
        BadContentError: It is not what ``encode_bytes`` writes.
    """
    if not are_trytes(trytes) or len(trytes) % 2:
        message = f"{len(trytes)} characters are not pairs of trytes"
        raise BadContentError(message)
    values = tryte_values(to_trits(trytes).reshape(-1, 2, 3)).astype(np.int32) % _BASE
    values = values @ np.array([1, _BASE], dtype=np.int32)
    if values.size and values.max() > 255:
        message = f"a pair of trytes has the value {values.max()}, which is no byte"
        raise BadContentError(message)
    return values.astype(np.uint8).tobytes()
