"""One-time signatures on hashes: chains of Curl-P-27, after Winternitz.

Each key has ``27 * security`` fragments of 243 trits, one for each tryte that it signs. A key must sign once: a second signature
lets anybody forge.
"""

import numpy as np

from learnae_iota.trinary.kernel import MAM_ROUNDS, Kernel, curl_hash
from learnae_iota.trinary.trytes import HASH_TRITS, Trits, add_integer, tryte_values

FRAGMENTS = 27
"""Fragments of a key for each level of security."""

MAX_SECURITY = 3
SIGNATURE_TRITS = FRAGMENTS * HASH_TRITS
"""Trits of a signature for each level of security."""

_PUBLIC = 26  # how often a private fragment is hashed to be a public one: 13 + 13
_LEAVES_AT_ONCE = 16


def private_key(kernel: Kernel, seed: Trits, leaf: int, security: int) -> Trits:
    """Derive the one-time key of a leaf.

    Args:
        kernel: Computes.
        seed: ``int8``, ``[243]``.
        leaf: Its number, from 0.
        security: 1, 2 or 3.

    Returns:
        ``int8``, ``[27 * security, 243]``: a secret.
    """
    count = FRAGMENTS * security
    return kernel.chains(_raw_key(kernel, seed, leaf, security), [1] * count)


def leaf_addresses(kernel: Kernel, seed: Trits, start: int, count: int, security: int) -> Trits:
    """Derive the public addresses of leaves.

    Returns:
        ``int8``, ``[count, 243]``.
    """
    result = np.empty((count, HASH_TRITS), dtype=np.int8)
    for first in range(0, count, _LEAVES_AT_ONCE):
        some = range(first, min(first + _LEAVES_AT_ONCE, count))
        raw = np.concatenate([_raw_key(kernel, seed, start + leaf, security) for leaf in some])
        fragments = kernel.chains(raw, [1 + _PUBLIC] * len(raw)).reshape(len(some), -1)
        for leaf, public in zip(some, fragments, strict=True):
            result[leaf] = _address(kernel, public)
    return result


def sign(kernel: Kernel, key: Trits, digest: Trits) -> Trits:
    """Sign a hash.

    Args:
        kernel: Computes.
        key: ``int8``, ``[27 * security, 243]``; never to be used again.
        digest: ``int8``, ``[243]``; its first ``27 * security`` trytes are signed.

    Returns:
        ``int8``, ``[6561 * security]``.
    """
    values = _signed_values(digest, len(key))
    return kernel.chains(key, [13 - value for value in values]).reshape(-1)


def signer_address(kernel: Kernel, signature: Trits, digest: Trits) -> Trits:
    """Return the address of the leaf whose key made a signature of a hash; of no leaf if none did.

    Args:
        kernel: Computes.
        signature: ``int8``, ``[6561 * security]``.
        digest: ``int8``, ``[243]``.

    Returns:
        ``int8``, ``[243]``.
    """
    fragments = signature.reshape(-1, HASH_TRITS)
    values = _signed_values(digest, len(fragments))
    return _address(kernel, kernel.chains(fragments, [13 + value for value in values]).reshape(-1))


def _raw_key(kernel: Kernel, seed: Trits, leaf: int, security: int) -> Trits:
    sponge = kernel.sponge(MAM_ROUNDS)
    sponge.absorb(curl_hash(kernel, add_integer(seed, leaf)))
    return sponge.squeeze(SIGNATURE_TRITS * security).reshape(-1, HASH_TRITS)


def _signed_values(digest: Trits, count: int) -> list[int]:
    return [int(value) for value in tryte_values(digest.reshape(-1, 3)[:count])]


def _address(kernel: Kernel, public: Trits) -> Trits:
    return curl_hash(kernel, curl_hash(kernel, public))
