"""The ledger of a development node: transactions that are kept for good, which of them are confirmed, and the tips.

Milestones are marks in this file, not transactions: each confirms, all at once, what became ready since the one before.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from learnae_iota.bundles.transactions import Transaction
from learnae_iota.serving.declining import UNAVAILABLE, DeclinedError
from learnae_iota.serving.judging import Ready, Waits, Wrong, judge
from learnae_iota.serving.records import Milestone, latest_milestone, pack
from learnae_iota.serving.schema import open_database
from learnae_iota.trinary.kernel import Kernel, choose_kernel

MAX_WAITING = 10_000
"""How many bundles may wait for transactions that nobody sent; those that waited longest are given up for others."""

LOOKED_AT = 2_000
"""How many transactions are looked at to judge bundles in one go, so that others get their turn."""

KEPT_TIPS = 1_000

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction that may go into the ledger.

    Attributes:
        hash: 81 trytes.
        trytes: 2,673 trytes.
        transaction: The same, read.
    """

    hash: str
    trytes: str
    transaction: Transaction


class Ledger:
    """The ledger. One process at a time; any number of threads, of which one is served at a time.

    Every method may raise ``sqlite3.Error``: the disk is full, or the file damaged. What a method wrote before it returned stays
    written, however the process ends.
    """

    def __init__(self, connection: sqlite3.Connection, kernel: Kernel, max_transactions: int) -> None:
        self._connection = connection
        self._kernel = kernel
        self._max_transactions = max_transactions
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path | None, *, max_transactions: int = 2**40, kernel: Kernel | None = None) -> Self:
        """Open a ledger, or make it.

        Args:
            path: The file; ``None`` keeps everything in memory.
            max_transactions: More are refused.
            kernel: Computes; the best that is there without one.

        Raises:
            StateError: The file cannot be used.
        """
        return cls(open_database(path), kernel or choose_kernel(), max_transactions)

    def close(self) -> None:
        """Close it; idempotent."""
        with self._lock:
            self._connection.close()

    def look(self, query: Callable[[sqlite3.Connection], Found]) -> Found:
        """Ask something of ``records``, while nobody writes."""
        with self._lock:
            return query(self._connection)

    def add(self, entries: Sequence[Entry]) -> int:
        """Take transactions in, all or none; those that are known already change nothing.

        Args:
            entries: Each checked by itself. A bundle that they make whole is judged before anything is kept; one that they do not
                waits for the rest.

        Returns:
            How many are new.

        Raises:
            DeclinedError: A bundle whose tail is among them is wrong, or the ledger is full.
        """
        with self._change() as execute:
            before, waiting_before = self._number("max(number) FROM transactions"), self._number("count(*) FROM waiting")
            for entry in entries:
                self._insert(entry)
            new = self._number("max(number) FROM transactions") - before
            if before + new > self._max_transactions:
                message = f"the ledger is full: it takes {self._max_transactions:,} transactions"
                raise DeclinedError(message, UNAVAILABLE)
            if new:
                if waiting_before:
                    theirs = "SELECT hash FROM transactions WHERE number > ?"
                    execute(f"UPDATE waiting SET needs = NULL WHERE needs IN ({theirs})", (before,))  # noqa: S608  # written above
                execute("INSERT INTO waiting SELECT number, NULL FROM transactions WHERE number > ? AND place = 0", (before,))
                self._judge(refuse_after=before)
                self._give_up()
            return new

    def judge(self) -> bool:
        """Judge bundles that were left over, up to ``LOOKED_AT`` transactions; tell whether some are still left."""
        with self._change() as execute:
            self._judge()
            return execute("SELECT 1 FROM waiting WHERE needs IS NULL").fetchone() is not None

    def set_milestone(self, now_ms: int) -> Milestone | None:
        """Confirm what is ready; does nothing and returns ``None`` if nothing became ready since the last milestone."""
        with self._change() as execute:
            if not execute("UPDATE milestones SET set_ms = ? WHERE set_ms IS NULL", (now_ms,)).rowcount:
                return None
            kept = "SELECT tail FROM tips ORDER BY tail DESC LIMIT ?"
            execute(f"DELETE FROM tips WHERE tail NOT IN ({kept})", (KEPT_TIPS,))  # noqa: S608  # written above
            return latest_milestone(self._connection)

    def _insert(self, entry: Entry) -> None:
        of = entry.transaction
        self._connection.execute(
            "INSERT OR IGNORE INTO transactions (hash, address, bundle, tag, trunk, branch, place, trytes)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (entry.hash, of.address, of.bundle, of.tag, of.trunk, of.branch, of.index, pack(entry.trytes)),
        )

    def _judge(self, refuse_after: int | None = None) -> None:
        """Judge what can be judged, the newest first; refuse if a tail after that number is wrong.

        So a bundle that came just now does not wait for the many that somebody lets wait, and wakes again and again.
        """
        execute, left = self._connection.execute, LOOKED_AT
        following = (
            "SELECT tail, hash FROM waiting JOIN transactions ON number = tail WHERE needs IS NULL ORDER BY tail DESC LIMIT 1"
        )
        while left > 0:
            row = execute(following).fetchone()
            if row is None:
                return
            tail, name = row
            judgement, looked_at = judge(self._connection, tail, self._kernel)
            left -= looked_at
            match judgement:
                case Waits(needs):
                    execute("UPDATE waiting SET needs = ? WHERE tail = ?", (needs, tail))
                    continue
                case Wrong(why) if refuse_after is not None and tail > refuse_after:
                    raise DeclinedError(f"invalid bundle: {why}")
                case Ready():
                    self._confirm_next(tail, name, judgement)
            execute("DELETE FROM waiting WHERE tail = ?", (tail,))
            execute("UPDATE waiting SET needs = NULL WHERE needs = ?", (name,))

    def _give_up(self) -> None:
        """Wait no longer for what the tails that came first need, where too many wait: attached again, they are others."""
        execute = self._connection.execute
        surplus = self._number("count(*) FROM waiting") - MAX_WAITING
        for tail, name in execute(
            "SELECT tail, hash FROM waiting JOIN transactions ON number = tail ORDER BY tail LIMIT ?", (max(surplus, 0),)
        ).fetchall():
            execute("DELETE FROM waiting WHERE tail = ?", (tail,))
            execute("UPDATE waiting SET needs = NULL WHERE needs = ?", (name,))

    def _confirm_next(self, tail: int, name: str, ready: Ready) -> None:
        execute, following = self._connection.execute, latest_milestone(self._connection).number + 1
        for number in ready.numbers:
            execute("UPDATE transactions SET milestone = ? WHERE number = ? AND milestone IS NULL", (following, number))
        execute("UPDATE transactions SET is_ready = 1 WHERE number = ?", (tail,))
        execute("INSERT OR REPLACE INTO milestones VALUES (?, ?, NULL)", (following, name))
        for approved in ready.approved:
            execute("DELETE FROM tips WHERE tail = (SELECT number FROM transactions WHERE hash = ?)", (approved,))
        execute("INSERT INTO tips VALUES (?)", (tail,))

    def _number(self, what: str) -> int:
        return self._connection.execute(f"SELECT {what}").fetchone()[0] or 0

    @contextmanager
    def _change(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
