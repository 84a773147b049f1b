"""Hashes of transactions, and proof of work: Curl-P-81 over 2,673 trytes, of which the last 27 are the nonce.

The weight of a hash is the number of zero trits at its end; a node demands some least weight.
"""

import numpy as np

from learnae.errors import UsageError
from learnae_iota.trinary.kernel import TANGLE_ROUNDS, Kernel, choose_kernel, curl_hash
from learnae_iota.trinary.trytes import HASH_TRITS, Trits, are_trytes, to_trits, to_trytes

TRANSACTION_TRYTES = 2673
NONCE_TRYTES = 27
CANDIDATES = 64
"""In a batch."""

_MAX_BATCH = 2**61


def transaction_hash(transaction: str, kernel: Kernel | None = None) -> str:
    """Return the hash of a transaction, 81 trytes.

    Raises:
        UsageError: It is not 2,673 trytes.
    """
    return to_trytes(curl_hash(kernel or choose_kernel(), _trits(transaction), rounds=TANGLE_ROUNDS))


def weight_of(transaction_hash: str) -> int:
    """Return the number of zero trits at the end of a hash.

    Raises:
        UsageError: It is not trytes.
    """
    places = to_trits(transaction_hash).nonzero()[0]
    return 3 * len(transaction_hash) - (int(places[-1]) + 1 if places.size else 0)


def find_nonce(
    transaction: str, weight: int, *, batches: int, first: int = 0, kernel: Kernel | None = None
) -> tuple[int, str] | None:
    """Search a nonce that gives a transaction's hash a weight.

    The search cannot be stopped from outside: ask for as many batches as may pass without a look, then go on from there. It needs
    some ``3 ** weight / 64`` batches; the compiled kernel tries some million candidates a second and lets other threads run.

    Args:
        transaction: 2,673 trytes; what stands where the nonce goes does not matter.
        weight: 0 … 243.
        batches: How many to try; a batch is 64 candidates.
        first: The batch to begin with. A random one makes two searches for equal transactions differ.
        kernel: Computes; the best that is there without one.

    Returns:
        The batch it was found in, and the nonce of 27 trytes; ``None`` if there is none in these batches.

    Raises:
        UsageError: The transaction is not 2,673 trytes, or a number is out of its range.
    """
    if not 0 <= weight <= HASH_TRITS or not 0 <= first <= _MAX_BATCH or not 0 <= batches <= _MAX_BATCH:
        message = f"a weight of {weight} in {batches} batches from {first} on; up to {HASH_TRITS}, and {_MAX_BATCH}"
        raise UsageError(message)
    kernel = kernel or choose_kernel()
    trits = _trits(transaction)
    sponge = kernel.sponge(TANGLE_ROUNDS)
    sponge.absorb(trits[:-HASH_TRITS])
    state = np.concatenate((trits[-HASH_TRITS:], sponge.state()[HASH_TRITS:]))
    found = kernel.find_work(state, weight, first, batches)
    return None if found is None else (found[0], to_trytes(found[1]))


def _trits(transaction: str) -> Trits:
    if not are_trytes(transaction, TRANSACTION_TRYTES):
        message = f"a transaction is {TRANSACTION_TRYTES} trytes, the digit 9 and A to Z; this has {len(transaction)} characters"
        raise UsageError(message)
    return to_trits(transaction)
