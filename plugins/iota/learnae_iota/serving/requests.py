"""The requests of the legacy API, read strictly; what a command does not know is passed over, as nodes always did."""

import msgspec

from learnae_iota.serving.declining import DeclinedError
from learnae_iota.trinary.kerl import kerl_hash
from learnae_iota.trinary.trytes import HASH_TRYTES, are_trytes

CHECKSUM_TRYTES = 9


class Command(msgspec.Struct):
    """What every request has: the command's name, whatever else it may hold there."""

    command: object = None


class Nothing(msgspec.Struct):
    """A command without arguments."""


class AttachToTangle(msgspec.Struct, rename="camel"):
    """``attachToTangle``."""

    trunk_transaction: str
    branch_transaction: str
    trytes: list[str]
    min_weight_magnitude: int = 0


class BroadcastTransactions(msgspec.Struct):
    """``broadcastTransactions`` and ``storeTransactions``."""

    trytes: list[str] | None = None


class CheckConsistency(msgspec.Struct):
    """``checkConsistency``."""

    tails: list[str] | None = None


class FindTransactions(msgspec.Struct, rename="camel"):
    """``findTransactions``; deployed clients write the limit in either way."""

    bundles: list[str] | None = None
    addresses: list[str] | None = None
    tags: list[str] | None = None
    approvees: list[str] | None = None
    max_results: int = 0
    max_results_too: int = msgspec.field(default=0, name="maxresults")
    value_only: bool = False


class Addresses(msgspec.Struct):
    """``getBalances`` and ``wereAddressesSpentFrom``."""

    addresses: list[str] | None = None


class GetInclusionStates(msgspec.Struct):
    """``getInclusionStates``."""

    transactions: list[str] | None = None


class GetTipInfo(msgspec.Struct, rename="camel"):
    """``getTipInfo``."""

    tail_transaction: str


class GetTransactionsToApprove(msgspec.Struct):
    """``getTransactionsToApprove``; how deep to look means nothing here."""

    reference: str | None = None


class GetTrytes(msgspec.Struct):
    """``getTrytes``."""

    hashes: list[str] | None = None


def require_hashes(hashes: list[str], complaint: str) -> None:
    """Look whether these are hashes.

    Raises:
        DeclinedError: One is not; the complaint names it.
    """
    for name in hashes:
        if not are_trytes(name, HASH_TRYTES):
            raise DeclinedError(f"{complaint}: {name[:100]}")


def require_addresses(addresses: list[str], complaint: str) -> list[str]:
    """Look whether these are addresses, of 81 trytes or, with their checksum, of 90.

    Returns:
        All of 81.

    Raises:
        DeclinedError: One is not; the complaint names it.
    """
    for name in addresses:
        address, checksum = name[:HASH_TRYTES], name[HASH_TRYTES:]
        good = are_trytes(address, HASH_TRYTES) and (not checksum or checksum == kerl_hash([address])[-CHECKSUM_TRYTES:])
        if not good:
            raise DeclinedError(f"{complaint}: {name[:100]}")
    return [name[:HASH_TRYTES] for name in addresses]
