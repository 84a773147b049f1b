"""Kerl, the hash of bundles: Keccak-384 over hashes that are read as numbers."""

from collections.abc import Iterable

from learnae.errors import UsageError
from learnae_iota.trinary.kernel import Kernel, choose_kernel
from learnae_iota.trinary.numbers import read_number, write_number
from learnae_iota.trinary.trytes import HASH_TRYTES, are_trytes

_HASH_BYTES = 48
_LAST_TRIT = 3**242  # what the 243rd trit is worth: 384 bits cannot hold it, so that it counts as 0
_HALF = _LAST_TRIT // 2


def kerl_hash(blocks: Iterable[str], kernel: Kernel | None = None) -> str:
    """Return the Kerl hash, 81 trytes, of blocks of 81 trytes each; the last trit of each of them does not count.

    Raises:
        UsageError: One of them is not 81 trytes.
    """
    digest = (kernel or choose_kernel()).keccak_384(b"".join(map(_to_bytes, blocks)))
    return write_number(_without_last_trit(int.from_bytes(digest, "big", signed=True)), HASH_TRYTES)


def _to_bytes(block: str) -> bytes:
    if not are_trytes(block, HASH_TRYTES):
        message = f"Kerl takes blocks of {HASH_TRYTES} trytes; this has {len(block)} characters"
        raise UsageError(message)
    return _without_last_trit(read_number(block)).to_bytes(_HASH_BYTES, "big", signed=True)


def _without_last_trit(number: int) -> int:
    if number > _HALF:
        return number - _LAST_TRIT
    return number + _LAST_TRIT if number < -_HALF else number
