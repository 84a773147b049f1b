"""What a sensor keeps: its keys, its place in its channel, and every packet that it signed, before anybody else sees it.

A leaf of a channel signs once. The complete signed payload of a packet is made durable in the same transaction that moves the
channel on; after a crash that payload is sent again, and nothing is signed anew.
"""

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from learnae.errors import ConfigError, StateError
from learnae_iota.mam.channel import Channel, Mode, channel_root
from learnae_iota.sensors.envelopes import is_sensor_name
from learnae_iota.sensors.kept import KeptPacket, Stream, Terms
from learnae_iota.trinary.trytes import ALPHABET, HASH_TRYTES

MAX_TAILS = 100
"""Attachments of one packet that are remembered, the newest."""

_FORMAT = 2
_SCHEMA = """
CREATE TABLE stream (
    only INTEGER PRIMARY KEY CHECK (only = 0), sensor TEXT NOT NULL, codename TEXT NOT NULL, secret TEXT NOT NULL,
    mode TEXT NOT NULL, security INTEGER NOT NULL, created_ms INTEGER NOT NULL, seed TEXT NOT NULL, private BLOB NOT NULL,
    first_root TEXT NOT NULL
) STRICT;
CREATE TABLE packets (
    number INTEGER PRIMARY KEY, root TEXT NOT NULL, next_root TEXT NOT NULL, address TEXT NOT NULL, payload TEXT,
    readings INTEGER NOT NULL, until INTEGER NOT NULL, input TEXT NOT NULL, end INTEGER NOT NULL
) STRICT;
CREATE INDEX unconfirmed ON packets (number) WHERE payload IS NOT NULL;
CREATE TABLE tails (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL, tail TEXT NOT NULL, UNIQUE (number, tail)
) STRICT;
"""


class SensorState:
    """A sensor's state folder, which one process uses at a time. For one thread.

    Attributes:
        stream: What it is the state of.
    """

    def __init__(self, folder: Path, lock: int, database: sqlite3.Connection, stream: Stream) -> None:
        self._folder, self._lock, self._database, self.stream = folder, lock, database, stream

    @classmethod
    def open(cls, folder: Path, terms: Terms, clock_ms: Callable[[], int]) -> Self:
        """Open the state of a stream, or begin one where there is none.

        Raises:
            ConfigError: No sensor can have this name.
            StateError: Another process uses the folder, it is of another stream, damaged, or cannot be used.
        """
        lock = _locked(folder)
        try:
            with _explained(folder):
                database = _opened(folder / "sensor.sqlite")
        except BaseException:
            os.close(lock)
            raise
        try:
            with _explained(folder):
                stream = _stream(database) or _begin(database, terms, clock_ms())
            _check(folder, stream.terms, terms)
            return cls(folder, lock, database, stream)
        except BaseException:
            database.close()
            os.close(lock)
            raise

    def last(self) -> KeptPacket | None:
        """Return the packet that was signed last."""
        rows = self._rows("ORDER BY number DESC LIMIT 1")
        return rows[0] if rows else None

    def packet(self, number: int) -> KeptPacket:
        """Return a packet that was not seen confirmed, or the last one.

        Raises:
            StateError: It is not here, or the state cannot be read.
        """
        for packet in self._rows("WHERE number = ?", number):
            return packet
        raise StateError(f"{self._folder}: packet {number} is not here any more")

    def unconfirmed(self) -> dict[int, int]:
        """Return how many trytes the packets have that were not seen confirmed, by number, in order."""
        with _explained(self._folder):
            query = "SELECT number, LENGTH(payload) FROM packets WHERE payload IS NOT NULL ORDER BY number"
            return dict(self._database.execute(query).fetchall())

    def keep(self, packet: KeptPacket) -> None:
        """Make a signed packet durable, and forget confirmed ones before it; it has to be the next one.

        Raises:
            StateError: It cannot be written.
        """
        with _explained(self._folder), self._database as database:
            (count,) = database.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM packets").fetchone()
            if packet.number != count:
                raise StateError(f"{self._folder}: packet {packet.number} is not the next one, which is {count}")
            columns = (packet.number, packet.root, packet.next_root, packet.address, packet.payload, packet.readings)
            values = (*columns, packet.until, packet.input, packet.end)
            database.execute("INSERT INTO packets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            database.execute("DELETE FROM packets WHERE payload IS NULL AND number < ?", (packet.number,))

    def note_sent(self, number: int, tail: str) -> None:
        """Remember an attachment, and of too many the newest."""
        with _explained(self._folder), self._database as database:
            database.execute("INSERT OR IGNORE INTO tails (number, tail) VALUES (?, ?)", (number, tail))
            old = "SELECT sequence FROM tails WHERE number = ? ORDER BY sequence DESC LIMIT -1 OFFSET ?"
            database.execute(f"DELETE FROM tails WHERE sequence IN ({old})", (number, MAX_TAILS))  # noqa: S608  # ours

    def tails(self, number: int) -> list[str]:
        """Return the attachments of a packet that are remembered, the newest first."""
        with _explained(self._folder):
            found = self._database.execute("SELECT tail FROM tails WHERE number = ? ORDER BY sequence DESC", (number,))
            return [tail for (tail,) in found]

    def note_confirmed(self, number: int) -> None:
        """Forget a packet that a milestone confirmed; of the last one all stays but the payload."""
        with _explained(self._folder), self._database as database:
            database.execute("UPDATE packets SET payload = NULL WHERE number = ?", (number,))
            database.execute("DELETE FROM packets WHERE number = ? AND number < (SELECT MAX(number) FROM packets)", (number,))
            database.execute("DELETE FROM tails WHERE number = ?", (number,))

    def close(self) -> None:
        """Unlock the folder; idempotent."""
        self._database.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, which: str, *values: int) -> list[KeptPacket]:
        with _explained(self._folder):
            cursor = self._database.execute(f"SELECT * FROM packets {which}", values)  # noqa: S608  # ours
            cursor.row_factory = sqlite3.Row
            found = cursor.fetchall()
        return [_packet(row) for row in found]


def _packet(row: sqlite3.Row) -> KeptPacket:
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118  # a row is no mapping
    named: dict[str, Any] = {**values, "payload": values["payload"] or "", "end": bool(values["end"])}
    return KeptPacket(**named)


def _locked(folder: Path) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as exc:
        raise StateError(f"{folder}: cannot be used as a state folder: {exc.strerror}") from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(lock)
        if isinstance(exc, BlockingIOError):
            raise StateError(f"{folder}: another process streams from this folder; stop it, or choose another --state") from exc
        raise StateError(f"{folder}: cannot be locked: {exc.strerror}; choose a --state folder on a local disk") from exc
    return lock


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    database = sqlite3.connect(path, timeout=5.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in {0, _FORMAT}:
            raise StateError(
                f"{path}: was written by another version of this program (format {version}); end that stream with it, or begin"
                " a new one with another --state"
            )
        if version == 0:
            database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_FORMAT}; COMMIT;")
    except BaseException:
        database.close()
        raise
    return database


def _stream(database: sqlite3.Connection) -> Stream | None:
    row = database.execute("SELECT * FROM stream").fetchone()
    if row is None:
        return None
    _, sensor, codename, secret, mode, security, created_ms, seed, private, first_root = row
    try:
        terms = Terms(sensor, codename, secret, Mode(mode), security)
    except ValueError as exc:
        raise StateError(f"a sensor's state with the unknown mode {mode!r}") from exc
    return Stream(terms, created_ms, seed, private, first_root)


def _begin(database: sqlite3.Connection, terms: Terms, now_ms: int) -> Stream:
    if not is_sensor_name(terms.sensor):
        raise ConfigError(f"{terms.sensor[:100]!r} is no name of a sensor: a letter or digit, then up to 63 more, '.', '_', '-'")
    seed = "".join(secrets.choice(ALPHABET) for _ in range(HASH_TRYTES))
    first_root = channel_root(Channel(seed, security=terms.security))  # which depends on neither mode nor side key
    stream = Stream(terms, now_ms, seed, secrets.token_bytes(32), first_root)
    told = (terms.sensor, terms.codename, terms.secret, terms.mode.value, terms.security)
    with database:
        values = (*told, now_ms, seed, stream.private, first_root)
        database.execute("INSERT INTO stream VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    return stream


def _check(folder: Path, begun: Terms, terms: Terms) -> None:
    if replace(begun, secret=terms.secret) == terms and begun.secret and terms.secret and begun.secret != terms.secret:
        raise StateError(f"{folder}: this stream was begun with another secret of the session; give that one with --secret-file")
    if begun != terms:
        raise StateError(
            f"{folder}: is the state of another stream: {_told(begun)}; this would be {_told(terms)}: choose another --state"
        )


def _told(terms: Terms) -> str:
    sealed = "sealed" if terms.secret else "open"
    return f"sensor {terms.sensor} of {terms.codename}, {sealed}, {terms.mode}, security {terms.security}"


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        raise StateError(f"{folder}: the sensor's state cannot be read or written: {exc}") from exc
