"""What is checked of every transaction before the ledger takes it in: the texts are those of HORNET."""

from learnae.errors import DamagedError
from learnae_iota.bundles.transactions import NULL_HASH, decode_transaction
from learnae_iota.bundles.work import TRANSACTION_TRYTES, transaction_hash, weight_of
from learnae_iota.serving.declining import DeclinedError
from learnae_iota.serving.ledger import Entry
from learnae_iota.trinary.kernel import Kernel
from learnae_iota.trinary.trytes import are_trytes

MAX_AHEAD_MS = 10 * 60 * 1000
"""How far a transaction's time may be ahead of the node's."""


def check_transaction(trytes: str, *, weight: int, now_ms: int, kernel: Kernel) -> Entry:
    """Check a transaction: its layout, its time, its proof of work, that it moves no value.

    Args:
        trytes: What somebody sent.
        weight: The weight magnitude that its hash must have.
        now_ms: Milliseconds since 1970.
        kernel: Computes.

    Raises:
        DeclinedError: It cannot be taken.
    """
    if not trytes or not are_trytes(trytes):
        raise DeclinedError("invalid trytes")
    if len(trytes) != TRANSACTION_TRYTES:
        raise DeclinedError("invalid transaction trytes")
    try:
        transaction = decode_transaction(trytes)
    except DamagedError as exc:
        raise DeclinedError(f"invalid transaction: {exc}") from exc
    if transaction.value:
        message = f"invalid value: {transaction.value}; a development node keeps no tokens, so that every value is 0"
        raise DeclinedError(message)
    if (transaction.attached_ms or 1000 * transaction.timestamp_s) >= now_ms + MAX_AHEAD_MS:
        raise DeclinedError("invalid timestamp")
    digest = transaction_hash(trytes, kernel)
    if weight_of(digest) < weight or digest == NULL_HASH:  # that one stands for the beginning
        raise DeclinedError("invalid transaction hash")
    return Entry(digest, trytes, transaction)
