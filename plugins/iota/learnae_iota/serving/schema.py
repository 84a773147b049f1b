"""The file of a development node's ledger, and what stands in it."""

import secrets
import sqlite3
from pathlib import Path

from learnae.errors import StateError
from learnae_iota.trinary.trytes import ALPHABET, HASH_TRYTES

VERSION = 1
APPLICATION = 0x4C545347
"""``LTSG``: SQLite's mark of whose file it is."""

_TABLES = """
CREATE TABLE ledger (
    name TEXT NOT NULL           -- 81 trytes, drawn by lot: tells one ledger from another
) STRICT;
CREATE TABLE transactions (
    number INTEGER PRIMARY KEY,  -- in order of arrival
    hash TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    bundle TEXT NOT NULL,
    tag TEXT NOT NULL,
    trunk TEXT NOT NULL,
    branch TEXT NOT NULL,
    place INTEGER NOT NULL,      -- its index in its bundle; that of a tail is 0
    is_ready INTEGER NOT NULL DEFAULT 0,  -- a tail whose bundle is whole and in order, and so are those that it approves
    milestone INTEGER,           -- the one that confirms it: set, or the next one
    trytes BLOB NOT NULL         -- zlib
) STRICT;
CREATE INDEX by_address ON transactions (address, hash);
CREATE INDEX by_bundle ON transactions (bundle, hash);
CREATE INDEX by_tag ON transactions (tag, hash);
CREATE INDEX by_trunk ON transactions (trunk);
CREATE INDEX by_branch ON transactions (branch);
CREATE TABLE waiting (           -- tails that are neither ready nor found to be wrong
    tail INTEGER PRIMARY KEY,    -- transactions.number
    needs TEXT                   -- the hash whose coming, or whose judgement, it waits for; NULL: it can be judged
) STRICT;
CREATE INDEX by_needs ON waiting (needs);
CREATE TABLE tips (tail INTEGER PRIMARY KEY) STRICT;
CREATE TABLE milestones (
    number INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,          -- the newest tail that it confirms
    set_ms INTEGER               -- NULL: the next one
) STRICT;
"""


def open_database(path: Path | None) -> sqlite3.Connection:
    """Open a ledger's file, for this process alone, or make it.

    Args:
        path: ``None`` keeps everything in memory.

    Raises:
        StateError: It cannot be used: another node has it open, it is damaged, or it is something else.
    """
    try:
        connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=0)
    except sqlite3.Error as exc:
        raise StateError(f"{path}: cannot be used as a ledger: {exc}") from exc
    try:
        # The lock goes when the process ends, however it ends. FULL: what was acknowledged survives a power cut too.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN EXCLUSIVE")
        _check(connection, path)
        connection.execute("COMMIT")
    except sqlite3.Error as exc:
        connection.close()
        in_use = isinstance(exc, sqlite3.OperationalError) and "locked" in str(exc)
        why = "another node uses it" if in_use else f"cannot be used as a ledger: {exc}"
        raise StateError(f"{path}: {why}; choose another file") from exc
    except StateError:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path | None) -> None:
    application, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        for statement in filter(str.strip, _TABLES.split(";\n")):
            connection.execute(statement)
        connection.execute("INSERT INTO ledger VALUES (?)", ("".join(secrets.choice(ALPHABET) for _ in range(HASH_TRYTES)),))
        connection.execute(f"PRAGMA application_id={APPLICATION}")
        connection.execute(f"PRAGMA user_version={VERSION}")
    elif application != APPLICATION:
        raise StateError(f"{path}: holds something else than a ledger; choose another file")
    elif version != VERSION:
        raise StateError(f"{path}: a ledger of another version of LEARNAE (layout {version}, not {VERSION}); choose another file")
