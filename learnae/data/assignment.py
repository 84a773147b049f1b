"""Which rows are for validation: a keyed hash of the row decides, so that growth and order change nothing."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnae.data.rows import Raw
from learnae.values.ids import Digest
from learnae.values.manifest import Manifest

KEY_BYTES = 24
"""Of a row's key, the first 8 bytes choose its side; the other 16 are its place in the shuffle and stand for the row itself."""

Keys = NDArray[np.uint64]
"""uint64 ``[rows, 3]``: the keys of rows, their bytes read as big-endian numbers, so that they sort alike."""


def row_keys(raw: Raw, seed: int) -> Keys:
    """Hash rows with BLAKE2b (RFC 7693), keyed by the seed.

    Args:
        raw: float32 ``[rows, columns]``; a negative zero counts as zero.
        seed: The manifest's, 0 to 2**53 - 1.
    """
    key = seed.to_bytes(8, "little")
    digests = b"".join(blake2b(row, digest_size=KEY_BYTES, key=key).digest() for row in _row_bytes(raw))
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(len(raw), 3)


def validation_side(keys: Keys, share: float) -> NDArray[np.bool_]:
    """Say which of the hashed rows are for validation: ``bool [rows]``, true for about ``share`` of all different rows."""
    return keys[:, 0] < np.uint64(min(int(share * 2.0**64), 2**64 - 1))


def is_validation(raw: Raw, manifest: Manifest) -> NDArray[np.bool_]:
    """Say which rows are for validation, and never trained on: ``bool [rows]``.

    Only the row itself, the manifest's seed and its share count: a file may grow or be put into another order, and equal rows
    are on one side.
    """
    return validation_side(row_keys(raw, manifest.seed), manifest.validation_share)


def key_order(keys: Keys) -> NDArray[np.intp]:
    """Return the indices that put rows into the order of the shuffle."""
    return np.lexsort((keys[:, 2], keys[:, 1]))


def rows_digest(raw: Raw) -> Digest:
    """Digest a set of rows, whatever their order: 64 hexadecimal digits. How often a row is there counts."""
    state = blake2b(digest_size=32)
    state.update(b"rows %d\n" % raw.shape[1])
    for row in sorted(_row_bytes(raw)):
        state.update(row)
    return Digest(state.hexdigest())


def _row_bytes(raw: NDArray[Any]) -> Iterable[bytes]:
    size = 4 * raw.shape[1]
    data = (raw.astype("<f4") + np.float32(0)).astype("<f4", copy=False).tobytes()
    return (data[start : start + size] for start in range(0, len(data), size))
