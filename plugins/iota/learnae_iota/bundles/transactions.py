"""Transactions of the trinary ledger: 2,673 trytes each, in fields that lie one behind the other."""

from dataclasses import dataclass, field

from learnae.errors import DamagedError, UsageError
from learnae_iota.bundles.work import NONCE_TRYTES, TRANSACTION_TRYTES
from learnae_iota.trinary.numbers import largest, read_number, write_number
from learnae_iota.trinary.trytes import HASH_TRYTES, are_trytes

MESSAGE_TRYTES = 2187
TAG_TRYTES = 27
NULL_HASH = "9" * HASH_TRYTES
NULL_TAG = "9" * TAG_TRYTES
LATEST_MS = largest(9)
"""The largest time of attachment that can be written: what every attacher gives as the upper bound."""

TOTAL_SUPPLY = 2_779_530_283_277_761
"""No transaction moves more than all tokens."""

_TEXTS = (
    ("message", 0, MESSAGE_TRYTES),
    ("address", 2187, HASH_TRYTES),
    ("obsolete_tag", 2295, TAG_TRYTES),
    ("bundle", 2349, HASH_TRYTES),
    ("trunk", 2430, HASH_TRYTES),
    ("branch", 2511, HASH_TRYTES),
    ("tag", 2592, TAG_TRYTES),
    ("nonce", 2646, NONCE_TRYTES),
)
_NUMBERS = (
    ("value", 2268, 27, -TOTAL_SUPPLY, TOTAL_SUPPLY),
    ("timestamp_s", 2322, 9, 0, largest(9)),
    ("index", 2331, 9, 0, largest(9)),
    ("last_index", 2340, 9, 0, largest(9)),
    ("attached_ms", 2619, 9, 0, LATEST_MS),
    ("attached_from_ms", 2628, 9, 0, LATEST_MS),
    ("attached_to_ms", 2637, 9, 0, LATEST_MS),
)
_ESSENCE = slice(2187, 2349)  # address … last_index


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction.

    Attributes:
        message: 2,187 trytes, a fragment of a longer message as a rule.
        address: 81 trytes.
        obsolete_tag: 27 trytes, part of what the bundle's hash covers; nodes do not search it.
        timestamp_s: When its bundle was made, in seconds since 1970; 0 … 3,812,798,742,493, as the next two.
        index: Its place in its bundle.
        last_index: That of the bundle's last transaction.
        bundle: 81 trytes: the bundle's hash.
        tag: 27 trytes, by which it can be found.
        value: What it moves; 0 in everything that LEARNAE sends.
        trunk: 81 trytes: the hash of the next transaction of the bundle, or of another bundle's first.
        branch: 81 trytes: the hash of a transaction of another bundle.
        attached_ms: When its proof of work was done, in milliseconds since 1970; 0 … ``LATEST_MS``, as the next two.
        attached_from_ms: The lower bound that the attacher gave for it.
        attached_to_ms: The upper bound.
        nonce: 27 trytes: the proof of work.

    Raises:
        UsageError: A field cannot be written in its place, or the index is beyond the last one.
    """

    message: str = field(repr=False)
    address: str
    obsolete_tag: str
    timestamp_s: int
    index: int
    last_index: int
    bundle: str = NULL_HASH
    tag: str = NULL_TAG
    value: int = 0
    trunk: str = NULL_HASH
    branch: str = NULL_HASH
    attached_ms: int = 0
    attached_from_ms: int = 0
    attached_to_ms: int = 0
    nonce: str = "9" * NONCE_TRYTES

    def __post_init__(self) -> None:
        trouble = _trouble(self)
        if trouble:
            raise UsageError(trouble)

    @property
    def essence(self) -> str:
        """What the hash of the bundle covers of this transaction: 162 trytes. The message is not among it."""
        return encode_transaction(self)[_ESSENCE]


def encode_transaction(transaction: Transaction) -> str:
    """Write a transaction as its 2,673 trytes."""
    parts = [(start, str(getattr(transaction, name))) for name, start, _ in _TEXTS]
    parts += [(start, write_number(getattr(transaction, name), length)) for name, start, length, _, _ in _NUMBERS]
    return "".join(text for _, text in sorted(parts))


def decode_transaction(trytes: str) -> Transaction:
    """Read a transaction; ``encode_transaction`` writes the same trytes again.

    Raises:
        DamagedError: These are not the trytes of any transaction.
    """
    if not are_trytes(trytes, TRANSACTION_TRYTES):
        message = f"a transaction is {TRANSACTION_TRYTES} trytes, the digit 9 and A to Z; this has {len(trytes)} characters"
        raise DamagedError(message)
    texts = {name: trytes[start : start + length] for name, start, length in _TEXTS}
    numbers = {name: read_number(trytes[start : start + length]) for name, start, length, _, _ in _NUMBERS}
    try:
        return Transaction(**texts, **numbers)  # type: ignore[arg-type]  # the two tables name every field with its type
    except UsageError as exc:
        raise DamagedError(str(exc)) from exc


def _trouble(transaction: Transaction) -> str:
    for name, _, length in _TEXTS:
        text = getattr(transaction, name)
        if not are_trytes(text, length):
            return f"a transaction's {name} is {length} trytes, the digit 9 and A to Z; this has {len(text)} characters"
    for name, _, _, least, most in _NUMBERS:
        number = getattr(transaction, name)
        if not least <= number <= most:
            return f"a transaction's {name} is a number from {least} to {most}; this is {number}"
    if transaction.index > transaction.last_index:
        return f"a transaction of index {transaction.index} in a bundle whose last one is {transaction.last_index}"
    return ""
