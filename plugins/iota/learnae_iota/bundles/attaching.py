"""Attaches bundles: leads from each transaction to the next and from the last to the tips, and does their proof of work.

The hash of a transaction stands in the one before it: it goes from the last to the first, one after the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from learnae.errors import DamagedError, UsageError
from learnae_iota.bundles.bundles import Bundle, read_bundle
from learnae_iota.bundles.transactions import LATEST_MS, NULL_HASH, Transaction, encode_transaction
from learnae_iota.bundles.work import NONCE_TRYTES, find_nonce, transaction_hash, weight_of
from learnae_iota.clock import milliseconds
from learnae_iota.stopping import Stop
from learnae_iota.trinary.kernel import Kernel, choose_kernel
from learnae_iota.trinary.trytes import HASH_TRYTES, are_trytes

MAX_WEIGHT = 20
"""More would take hours for each transaction."""

_BATCHES = 256  # between two looks at the stop: some tens of milliseconds, in NumPy a tenth of a second
_BLANK_NONCE = "9" * NONCE_TRYTES


@dataclass(frozen=True, slots=True)
class Tips:
    """Two transactions that nobody has approved yet, or not enough, each the first of its bundle.

    Attributes:
        trunk: 81 trytes.
        branch: 81 trytes.

    Raises:
        UsageError: One of them is not 81 trytes.
    """

    trunk: str
    branch: str

    def __post_init__(self) -> None:
        for name in (self.trunk, self.branch):
            if not are_trytes(name, HASH_TRYTES):
                message = f"a tip is {HASH_TRYTES} trytes, the digit 9 and A to Z; this has {len(name)} characters"
                raise UsageError(message)


def attach_bundle(
    bundle: Bundle,
    tips: Tips,
    weight: int,
    *,
    stop: Stop | None = None,
    clock: Callable[[], int] = milliseconds,
    kernel: Kernel | None = None,
) -> Bundle:
    """Attach a bundle, for the first time or again.

    Args:
        bundle: Its hash and its messages stay; an earlier attachment is forgotten.
        tips: What it approves. They grow old: a bundle whose proof of work takes a quarter of an hour may never be confirmed.
        weight: The weight magnitude that the ledger demands: 0 … 20.
        stop: Ends it early.
        clock: Milliseconds since 1970.
        kernel: Computes; the best that is there without one.

    Raises:
        UsageError: The weight is out of its range, or the clock is.
        StoppedError: It was stopped.
    """
    if not 0 <= weight <= MAX_WEIGHT:
        message = f"a weight magnitude of {weight}; 0 … {MAX_WEIGHT} can be done"
        raise UsageError(message)
    stop, kernel = stop or Stop(), kernel or choose_kernel()
    trunk, branch = tips.trunk, tips.branch
    attached: list[tuple[Transaction, str]] = []
    for transaction in reversed(bundle.transactions):
        blank = replace(
            transaction,
            trunk=trunk,
            branch=branch,
            attached_ms=clock(),
            attached_from_ms=0,
            attached_to_ms=LATEST_MS,
            nonce=_BLANK_NONCE,
        )
        trytes = encode_transaction(blank)
        nonce = _work(trytes, weight, stop, kernel)
        digest = transaction_hash(trytes[:-NONCE_TRYTES] + nonce, kernel)
        attached.append((replace(blank, nonce=nonce), digest))
        trunk, branch = digest, tips.trunk
    attached.reverse()
    return Bundle(tuple(transaction for transaction, _ in attached), tuple(digest for _, digest in attached))


def detached(bundle: Bundle) -> Bundle:
    """Return a bundle as it was before it was attached."""
    return Bundle(tuple(_detached(transaction) for transaction in bundle.transactions))


def check_attached(bundle: Bundle, attached: Sequence[str], tips: Tips, weight: int, kernel: Kernel | None = None) -> Bundle:
    """Check what a node attached for us.

    Args:
        bundle: What it was to attach.
        attached: What it returned: transactions, the last of the bundle or the first of it first.
        tips: What it was to approve.
        weight: The weight magnitude that it was to reach.
        kernel: Computes; the best that is there without one.

    Raises:
        DamagedError: It did something else.
    """
    result = read_bundle(attached, kernel)
    last = len(result.transactions) - 1
    branches = [tips.trunk] * last + [tips.branch]
    if not result.hashes:
        trouble = "it is not attached"
    elif detached(result) != detached(bundle):
        trouble = "it is not the bundle that was given to it"
    elif (result.transactions[-1].trunk, [transaction.branch for transaction in result.transactions]) != (tips.trunk, branches):
        trouble = "it approves something else"
    elif any(weight_of(digest) < weight for digest in result.hashes):
        trouble = f"a weight magnitude of {weight} is not reached"
    else:
        return result
    message = f"a node attached a bundle wrongly: {trouble}"
    raise DamagedError(message)


def _detached(transaction: Transaction) -> Transaction:
    return replace(
        transaction,
        trunk=NULL_HASH,
        branch=NULL_HASH,
        attached_ms=0,
        attached_from_ms=0,
        attached_to_ms=0,
        nonce=_BLANK_NONCE,
    )


def _work(trytes: str, weight: int, stop: Stop, kernel: Kernel) -> str:
    first = 0
    while True:
        stop.check()
        found = find_nonce(trytes, weight, batches=_BATCHES, first=first, kernel=kernel)
        if found is not None:
            return found[1]
        first += _BATCHES
