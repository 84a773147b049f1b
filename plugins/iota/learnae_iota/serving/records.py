"""What can be asked of a ledger's file. Every function may raise ``sqlite3.Error``."""

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from learnae_iota.bundles.transactions import NULL_HASH


@dataclass(frozen=True, slots=True)
class Milestone:
    """A milestone that is set.

    Attributes:
        number: 1 is the beginning.
        hash: The newest tail that it confirms.
    """

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a transaction stands.

    Attributes:
        is_tail: Whether it is the first of its bundle.
        is_ready: Whether it is a tail that the next milestone, or an earlier one, confirms.
        is_waiting: Whether it is a tail that waits for others. One that is neither will never be confirmed.
    """

    is_tail: bool
    is_ready: bool
    is_waiting: bool


def ledger_name(ledger: sqlite3.Connection) -> str:
    """Return what tells this ledger from every other: 81 trytes."""
    name: str = ledger.execute("SELECT name FROM ledger").fetchone()[0]
    return name


def latest_milestone(ledger: sqlite3.Connection) -> Milestone:
    """Return the last milestone that was set."""
    query = "SELECT number, hash FROM milestones WHERE set_ms IS NOT NULL ORDER BY number DESC LIMIT 1"
    found = ledger.execute(query).fetchone()
    return Milestone(1, NULL_HASH) if found is None else Milestone(*found)


def newest_tips(ledger: sqlite3.Connection, limit: int) -> list[str]:
    """Return the hashes of ready tails that no ready bundle approves, the newest first."""
    query = "SELECT hash FROM tips JOIN transactions ON number = tail ORDER BY tail DESC LIMIT ?"
    return [name for (name,) in ledger.execute(query, (limit,))]


def trytes_of(ledger: sqlite3.Connection, hashes: Sequence[str]) -> list[bytes | None]:
    """Return transactions as they are kept; ``None`` for those that are not here."""
    query = "SELECT trytes FROM transactions WHERE hash = ?"
    found = [ledger.execute(query, (name,)).fetchone() for name in hashes]
    return [None if row is None else row[0] for row in found]


def are_confirmed(ledger: sqlite3.Connection, hashes: Sequence[str]) -> list[bool]:
    """Tell of each whether a milestone confirms it; one that is not here is not confirmed."""
    latest = latest_milestone(ledger).number
    query = "SELECT 1 FROM transactions WHERE hash = ? AND milestone <= ?"
    return [ledger.execute(query, (name, latest)).fetchone() is not None for name in hashes]


def standing_of(ledger: sqlite3.Connection, name: str) -> Standing | None:
    """Say how a transaction stands; ``None`` if it is not here."""
    waits = "EXISTS (SELECT 1 FROM waiting WHERE tail = number)"
    row = ledger.execute(f"SELECT place = 0, is_ready, {waits} FROM transactions WHERE hash = ?", (name,)).fetchone()  # noqa: S608  # nothing of a caller's
    return None if row is None else Standing(*map(bool, row))


def missing_hashes(ledger: sqlite3.Connection, limit: int) -> list[str]:
    """Return the hashes of transactions that bundles wait for and that are not here."""
    here = "SELECT 1 FROM transactions WHERE hash = needs"
    query = f"SELECT DISTINCT needs FROM waiting WHERE needs IS NOT NULL AND NOT EXISTS ({here}) LIMIT ?"  # noqa: S608  # nothing of a caller's
    return [name for (name,) in ledger.execute(query, (limit,))]


def find_hashes(
    ledger: sqlite3.Connection,
    *,
    bundles: Sequence[str] = (),
    addresses: Sequence[str] = (),
    tags: Sequence[str] = (),
    approvees: Sequence[str] = (),
    limit: int,
) -> list[str]:
    """Return the hashes of transactions that match one of each kind that is given, in their order.

    Args:
        ledger: Where to look.
        bundles: Their bundle's hash.
        addresses: Their address.
        tags: Their tag, 27 trytes.
        approvees: Their trunk or their branch.
        limit: No more are returned.
    """
    kinds = ((("bundle",), bundles), (("address",), addresses), (("tag",), tags), (("trunk", "branch"), approvees))
    given = [(columns, values) for columns, values in kinds if values]
    if len(given) > 1:  # the rarest one leads: SQLite does not know which that is, and would read all of the others
        given.sort(key=lambda kind: _matches(ledger, kind[0], kind[1], limit))
    conditions = [_condition(columns, len(values), leads=place == 0) for place, (columns, values) in enumerate(given)]
    everything = [value for columns, values in given for value in [*values] * len(columns)]
    where = " AND ".join(conditions) or "TRUE"
    query = f"SELECT hash FROM transactions WHERE {where} ORDER BY hash LIMIT ?"  # noqa: S608  # names and marks
    return [name for (name,) in ledger.execute(query, (*everything, limit))]


def _matches(ledger: sqlite3.Connection, columns: Sequence[str], values: Sequence[str], limit: int) -> int:
    """Count how many match, as far as the limit."""
    condition = _condition(columns, len(values), leads=True)
    query = f"SELECT count(*) FROM (SELECT 1 FROM transactions WHERE {condition} LIMIT ?)"  # noqa: S608  # names and marks
    count: int = ledger.execute(query, (*[*values] * len(columns), limit)).fetchone()[0]
    return count


def _condition(columns: Sequence[str], values: int, *, leads: bool) -> str:
    """Say that one of the columns has one of so many values; only the condition that leads is looked up in an index."""
    marks = ", ".join("?" * values)
    return "(" + " OR ".join(f"{'' if leads else '+'}{column} IN ({marks})" for column in columns) + ")"


def pack(trytes: str) -> bytes:
    """Return trytes as they are kept: those of a masked message become a little shorter, empty ones nearly vanish."""
    return zlib.compress(trytes.encode("ascii"), level=1)


def unpack(kept: bytes) -> str:
    """Return the trytes."""
    return zlib.decompress(kept).decode("ascii")
