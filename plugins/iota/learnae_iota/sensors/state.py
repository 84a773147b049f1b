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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from learnae.errors import ConfigError, StateError
from learnae_iota.mam.channel import Channel, Mode, channel_root
from learnae_iota.sensors.envelopes import is_sensor_name
from learnae_iota.trinary.trytes import ALPHABET, HASH_TRYTES

_FORMAT = 1
_SCHEMA = """
CREATE TABLE stream (
    only INTEGER PRIMARY KEY CHECK (only = 0), sensor TEXT NOT NULL, codename TEXT NOT NULL, sealed INTEGER NOT NULL,
    mode TEXT NOT NULL, security INTEGER NOT NULL, created_ms INTEGER NOT NULL, seed TEXT NOT NULL, private BLOB NOT NULL,
    first_root TEXT NOT NULL
) STRICT;
CREATE TABLE packets (
    number INTEGER PRIMARY KEY, root TEXT NOT NULL, next_root TEXT NOT NULL, address TEXT NOT NULL, payload TEXT,
    readings INTEGER NOT NULL, until INTEGER NOT NULL, input TEXT NOT NULL, end INTEGER NOT NULL, sent_ms INTEGER
) STRICT;
CREATE INDEX unconfirmed ON packets (number) WHERE payload IS NOT NULL;
CREATE TABLE tails (number INTEGER NOT NULL, tail TEXT NOT NULL, PRIMARY KEY (number, tail)) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a stream is begun with, and stays.

    Attributes:
        sensor: Its name.
        codename: The session's.
        sealed: Whether the session has a secret.
        mode: Who can read the channel.
        security: What its signatures are worth, 1 to 3.
    """

    sensor: str
    codename: str
    sealed: bool
    mode: Mode
    security: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A sensor's stream.

    Attributes:
        terms: What it was begun with.
        created_ms: When, in milliseconds since 1970.
        seed: Of its channel, 81 trytes: a secret.
        private: Its Ed25519 key, 32 bytes: a secret.
        first_root: Of packet 0.
    """

    terms: Terms
    created_ms: int
    seed: str = field(repr=False)
    private: bytes = field(repr=False)
    first_root: str


@dataclass(frozen=True, slots=True)
class KeptPacket:
    """A packet that was signed.

    Attributes:
        number: Its place in the stream.
        root: Under which it lies.
        next_root: Of the next one.
        address: Where it belongs.
        payload: What is sent, signed; empty once it was seen confirmed.
        readings: How many are in it.
        until: How many there are in the stream with it.
        input: The position in the input after it.
        end: Whether it says that nothing follows.
        sent_ms: When it was last attached; ``None`` if it never was, as far as this folder knows.
    """

    number: int
    root: str
    next_root: str
    address: str
    payload: str = field(repr=False)
    readings: int
    until: int
    input: str
    end: bool
    sent_ms: int | None = None


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
            if stream.terms != terms:
                raise StateError(
                    f"{folder}: is the state of another stream: {_told(stream.terms)}; this would be {_told(terms)}:"
                    " choose another --state"
                )
            return cls(folder, lock, database, stream)
        except BaseException:
            database.close()
            os.close(lock)
            raise

    def last(self) -> KeptPacket | None:
        """Return the packet that was signed last."""
        rows = self._rows("ORDER BY number DESC LIMIT 1")
        return rows[0] if rows else None

    def unconfirmed(self, most: int) -> list[KeptPacket]:
        """Return the first packets that were not seen confirmed."""
        return self._rows("WHERE payload IS NOT NULL ORDER BY number LIMIT ?", most)

    def keep(self, packet: KeptPacket) -> None:
        """Make a signed packet durable; it has to be the next one.

        Raises:
            StateError: It cannot be written.
        """
        with _explained(self._folder), self._database as database:
            (count,) = database.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM packets").fetchone()
            if packet.number != count:
                raise StateError(f"{self._folder}: packet {packet.number} is not the next one, which is {count}")
            columns = (packet.number, packet.root, packet.next_root, packet.address, packet.payload, packet.readings)
            values = (*columns, packet.until, packet.input, packet.end, None)
            database.execute("INSERT INTO packets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def note_sent(self, number: int, tail: str, now_ms: int) -> None:
        """Remember an attachment."""
        with _explained(self._folder), self._database as database:
            database.execute("INSERT OR IGNORE INTO tails VALUES (?, ?)", (number, tail))
            database.execute("UPDATE packets SET sent_ms = ? WHERE number = ?", (now_ms, number))

    def tails(self, number: int) -> list[str]:
        """Return up to 100 attachments of a packet."""
        with _explained(self._folder):
            found = self._database.execute("SELECT tail FROM tails WHERE number = ? LIMIT 100", (number,))
            return [tail for (tail,) in found]

    def note_confirmed(self, number: int) -> None:
        """Forget the payload of a packet that a milestone confirmed; its number and root stay."""
        with _explained(self._folder), self._database as database:
            database.execute("UPDATE packets SET payload = NULL WHERE number = ?", (number,))
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
            raise StateError(f"{path}: was written by another version of this program (format {version})")
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
    _, sensor, codename, sealed, mode, security, created_ms, seed, private, first_root = row
    try:
        terms = Terms(sensor, codename, bool(sealed), Mode(mode), security)
    except ValueError as exc:
        raise StateError(f"a sensor's state with the unknown mode {mode!r}") from exc
    return Stream(terms, created_ms, seed, private, first_root)


def _begin(database: sqlite3.Connection, terms: Terms, now_ms: int) -> Stream:
    if not is_sensor_name(terms.sensor):
        raise ConfigError(f"{terms.sensor[:100]!r} is no name of a sensor: a letter or digit, then up to 63 more, '.', '_', '-'")
    seed = "".join(secrets.choice(ALPHABET) for _ in range(HASH_TRYTES))
    first_root = channel_root(Channel(seed, security=terms.security))  # which depends on neither mode nor side key
    stream = Stream(terms, now_ms, seed, secrets.token_bytes(32), first_root)
    told = (terms.sensor, terms.codename, terms.sealed, terms.mode.value, terms.security)
    with database:
        values = (*told, now_ms, seed, stream.private, first_root)
        database.execute("INSERT INTO stream VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    return stream


def _told(terms: Terms) -> str:
    sealed = "sealed" if terms.sealed else "open"
    return f"sensor {terms.sensor} of {terms.codename}, {sealed}, {terms.mode}, security {terms.security}"


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        raise StateError(f"{folder}: the sensor's state cannot be read or written: {exc}") from exc
