"""Judges bundles: which tails are ready to be confirmed, which wait for what, which never will be.

A tail is ready when its bundle is whole and in order, and the two tails which the bundle approves are ready, or stand for the
beginning. A bundle in order keeps the rules of HORNET: its hash, its places, each transaction leads by its trunk to the next, all
but the last approve as their branch what the last approves as its trunk, and both are tails. No value moves.
"""

import sqlite3
from dataclasses import dataclass

from learnae.errors import DamagedError
from learnae_iota.bundles.bundles import MAX_TRANSACTIONS, Bundle, check_bundle
from learnae_iota.bundles.transactions import NULL_HASH, decode_transaction
from learnae_iota.serving.records import unpack
from learnae_iota.trinary.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Row:
    """A transaction as it stands in the ledger."""

    number: int
    hash: str
    trunk: str
    branch: str
    place: int
    is_ready: bool
    trytes: bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """A whole bundle in order.

    Attributes:
        numbers: Of its transactions, by index.
        approved: The hashes of the tails that it approves.
    """

    numbers: tuple[int, ...]
    approved: frozenset[str]


@dataclass(frozen=True, slots=True)
class Waits:
    """It cannot be judged before that hash is there, or is judged."""

    needs: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """It will never be confirmed."""

    why: str


Judgement = Ready | Waits | Wrong


def judge(connection: sqlite3.Connection, tail: int, kernel: Kernel) -> tuple[Judgement, int]:
    """Judge a tail.

    Args:
        connection: To the ledger.
        tail: Its number there.
        kernel: Computes.

    Returns:
        The judgement, and how many transactions were looked at for it.
    """
    rows = [_row(connection, "number", tail)]
    first = rows[0]
    if first is None:
        return Wrong("there is no such transaction"), 1
    chain = [first]
    last_index = decode_transaction(unpack(first.trytes)).last_index
    if last_index >= MAX_TRANSACTIONS:
        return Wrong(f"a bundle of {last_index + 1} transactions, more than {MAX_TRANSACTIONS}"), 1
    while len(chain) <= last_index:
        following = _row(connection, "hash", chain[-1].trunk)
        if following is None:
            return Waits(chain[-1].trunk), len(chain)
        if following.place != len(chain):
            return Wrong(f"number {following.place} of a bundle follows number {len(chain) - 1}"), len(chain)
        chain.append(following)
    return _wrong(chain, kernel) or _approved(connection, chain), len(chain)


def _wrong(chain: list[Row], kernel: Kernel) -> Wrong | None:
    transactions = tuple(decode_transaction(unpack(row.trytes)) for row in chain)
    try:
        check_bundle(Bundle(transactions, tuple(row.hash for row in chain)), kernel)
    except DamagedError as exc:
        return Wrong(str(exc))
    if any(row.branch != chain[-1].trunk for row in chain[:-1]):
        return Wrong("not all of a bundle approve as their branch what its last one approves as its trunk")
    return None


def _approved(connection: sqlite3.Connection, chain: list[Row]) -> Judgement:
    approved = frozenset({chain[-1].trunk, chain[-1].branch} - {NULL_HASH})
    for name in sorted(approved):
        row = _row(connection, "hash", name)
        if row is None:
            return Waits(name)
        if row.place:
            return Wrong(f"it approves {name}, which is no tail")
        if not row.is_ready:
            if connection.execute("SELECT 1 FROM waiting WHERE tail = ?", (row.number,)).fetchone():
                return Waits(name)
            return Wrong(f"it approves {name}, whose bundle is wrong")
    return Ready(tuple(row.number for row in chain), approved)


def _row(connection: sqlite3.Connection, column: str, value: int | str) -> Row | None:
    names = "number, hash, trunk, branch, place, is_ready, trytes"
    found = connection.execute(f"SELECT {names} FROM transactions WHERE {column} = ?", (value,)).fetchone()  # noqa: S608
    return None if found is None else Row(*found)
