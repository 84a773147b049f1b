"""Bundles: messages cut into transactions that belong together, and back.

The hash of a bundle covers address, value, obsolete tag, times and places of its transactions, and nothing of their messages.
Deployed wallets count the obsolete tag up until the hash, read as numbers, holds no 13 (an M), because a signature with such a
hash tells too much of its key. Nodes do not ask for that, and here nothing is signed with it. The obsolete tag is a digest of the
messages instead: bundles of other content have another hash, even where they are of one second.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from learnae.errors import DamagedError, UsageError
from learnae_iota.bundles.transactions import (
    MESSAGE_TRYTES,
    TAG_TRYTES,
    Transaction,
    decode_transaction,
    encode_transaction,
)
from learnae_iota.bundles.work import transaction_hash
from learnae_iota.trinary.kerl import kerl_hash
from learnae_iota.trinary.kernel import Kernel
from learnae_iota.trinary.numbers import largest, write_number
from learnae_iota.trinary.trytes import HASH_TRYTES, are_trytes

MAX_TRANSACTIONS = 1000
"""In a bundle: what one query for its hash returns."""


@dataclass(frozen=True, slots=True)
class Posting:
    """A message for an address.

    Attributes:
        address: 81 trytes.
        trytes: The message; none is one as well.
        tag: Up to 27 trytes, by which every transaction of the message can be found.

    Raises:
        UsageError: One of them is not as it has to be.
    """

    address: str
    trytes: str = field(repr=False)
    tag: str = ""

    def __post_init__(self) -> None:
        if not are_trytes(self.address, HASH_TRYTES):
            message = f"an address is {HASH_TRYTES} trytes, the digit 9 and A to Z; this has {len(self.address)} characters"
            raise UsageError(message)
        if not are_trytes(self.trytes):
            message = f"a message of {len(self.trytes)} characters that are not all trytes, the digit 9 and A to Z"
            raise UsageError(message)
        if not are_trytes(self.tag) or len(self.tag) > TAG_TRYTES:
            message = f"a tag is up to {TAG_TRYTES} trytes, the digit 9 and A to Z; not {self.tag[:40]!r}"
            raise UsageError(message)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Transactions that belong together.

    Attributes:
        transactions: By index.
        hashes: Of each transaction, 81 trytes, by index; empty if it was never attached. Attached again, it has others.

    ``prepare_bundle`` and ``read_bundle`` make one that is in order; ``check_bundle`` looks at any.
    """

    transactions: tuple[Transaction, ...] = field(repr=False)
    hashes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def hash(self) -> str:
        """The bundle's hash, 81 trytes: the same however often it is attached."""
        return self.transactions[0].bundle

    @property
    def tail(self) -> str:
        """The hash of the first transaction, which stands for this attachment; empty if it was never attached."""
        return self.hashes[0] if self.hashes else ""

    @property
    def trytes(self) -> tuple[str, ...]:
        """The transactions, 2,673 trytes each: what ``read_bundle`` takes, to keep or to hand to a node."""
        return tuple(map(encode_transaction, self.transactions))

    @property
    def postings(self) -> tuple[Posting, ...]:
        """The messages: one wherever address or tag change. What fills the last fragment of each, ``9``, is still there."""
        groups = groupby(self.transactions, key=lambda transaction: (transaction.address, transaction.tag))
        return tuple(Posting(address, "".join(part.message for part in parts), tag) for (address, tag), parts in groups)


def prepare_bundle(postings: Sequence[Posting], timestamp_s: int, kernel: Kernel | None = None) -> Bundle:
    """Make a bundle of messages. The same arguments give the same bundle.

    Args:
        postings: At least one, and together at most 1,000 transactions of 2,187 trytes.
        timestamp_s: Now, in seconds since 1970.
        kernel: Computes; the best that is there without one.

    Raises:
        UsageError: There is no message, there are too many, or the time cannot be written.
    """
    pieces = [(posting, piece) for posting in postings for piece in _pieces(posting.trytes)]
    if not 0 < len(pieces) <= MAX_TRANSACTIONS:
        message = f"messages of {len(pieces)} transactions of {MESSAGE_TRYTES} trytes; a bundle has 1 … {MAX_TRANSACTIONS}"
        raise UsageError(message)
    obsolete_tag = _digest(pieces)
    blank = [
        Transaction(
            message=piece,
            address=posting.address,
            obsolete_tag=obsolete_tag,
            timestamp_s=timestamp_s,
            index=index,
            last_index=len(pieces) - 1,
            tag=posting.tag.ljust(TAG_TRYTES, "9"),
        )
        for index, (posting, piece) in enumerate(pieces)
    ]
    digest = bundle_hash(blank, kernel)
    return Bundle(tuple(replace(transaction, bundle=digest) for transaction in blank))


def read_bundle(trytes: Sequence[str], kernel: Kernel | None = None) -> Bundle:
    """Read a bundle that was kept, and check it.

    Args:
        trytes: Its transactions by index, or the other way round; attached or not.
        kernel: Computes; the best that is there without one.

    Raises:
        DamagedError: They are no bundle.
    """
    if not 0 < len(trytes) <= MAX_TRANSACTIONS:
        message = f"{len(trytes)} transactions; a bundle has 1 … {MAX_TRANSACTIONS}"
        raise DamagedError(message)
    read = [(decode_transaction(text), text) for text in trytes]
    if read[0][0].index:
        read.reverse()
    transactions = tuple(transaction for transaction, _ in read)
    attached = any(transaction.attached_ms for transaction in transactions)
    bundle = Bundle(transactions, tuple(transaction_hash(text, kernel) for _, text in read) if attached else ())
    check_bundle(bundle, kernel)
    return bundle


def check_bundle(bundle: Bundle, kernel: Kernel | None = None) -> None:
    """Check that transactions are one bundle: places, hash, that no value is moved, and where it is attached, the chain.

    Raises:
        DamagedError: They are not.
    """
    transactions = bundle.transactions
    trouble = _trouble(transactions)
    if not trouble and bundle_hash(transactions, kernel) != transactions[0].bundle:
        trouble = "its hash is another one"
    if not trouble and bundle.hashes:
        following = (*bundle.hashes[1:], transactions[-1].trunk)
        if [transaction.trunk for transaction in transactions] != list(following):
            trouble = "its transactions do not lead from one to the next"
    if trouble:
        message = f"{len(transactions)} transactions that are no bundle: {trouble}"
        raise DamagedError(message)


def bundle_hash(transactions: Sequence[Transaction], kernel: Kernel | None = None) -> str:
    """Return the hash, 81 trytes, that the transactions of a bundle carry."""
    essences = [transaction.essence for transaction in transactions]
    return kerl_hash([essence[at : at + HASH_TRYTES] for essence in essences for at in (0, HASH_TRYTES)], kernel)


def _trouble(transactions: Sequence[Transaction]) -> str:
    if not 0 < len(transactions) <= MAX_TRANSACTIONS:
        return f"one has 1 … {MAX_TRANSACTIONS}"
    for index, transaction in enumerate(transactions):
        if (transaction.index, transaction.last_index) != (index, len(transactions) - 1):
            return f"at place {index} is number {transaction.index} of 0 … {transaction.last_index}"
        if transaction.bundle != transactions[0].bundle:
            return f"number {index} is of another one"
        if transaction.value:
            return f"number {index} moves a value of {transaction.value}, and nothing here does"
    return ""


def _pieces(trytes: str) -> list[str]:
    starts = range(0, max(len(trytes), 1), MESSAGE_TRYTES)
    return [trytes[start : start + MESSAGE_TRYTES].ljust(MESSAGE_TRYTES, "9") for start in starts]


def _digest(pieces: Sequence[tuple[Posting, str]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for _, piece in pieces:
        digest.update(piece.encode("ascii"))
    return write_number(int.from_bytes(digest.digest(), "big") % largest(TAG_TRYTES), TAG_TRYTES)
