"""The peer's durable state: one SQLite file, one transaction for all that one event changed."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

from learnae.errors import StateError
from learnae.machine.effects import Save
from learnae.machine.memory import TABLES, Memory
from learnae.values.ids import Digest, SensorId, SessionId

VERSION = 1
"""Of the file's layout."""


class SensorState(msgspec.Struct, frozen=True):
    """How far a sensor's stream was read.

    Attributes:
        position: Where to go on, as the source gave it.
        buffer: Checked readings that do not make a dataslice yet: float32 ``[rows, features + 1]``, row after row.
        ended: The sensor said that nothing will follow.
        rejected: Readings that did not fit the schema, in a row; any good one sets it back to 0.
        taken: How many readings of the stream come before ``position``, those that did not fit included.
    """

    position: str = ""
    buffer: bytes = b""
    ended: bool = False
    rejected: int = 0
    taken: int = 0


_MODEL = ("model", "weights", "optimiser")


class OwnModel(msgspec.Struct, frozen=True):
    """The own model as it was last made durable: canonical bytes, and the optimiser's state."""

    model: Digest
    weights: bytes
    optimiser: bytes | None


class Store:
    """One peer's state in one session. Not thread-safe; one process at a time (see ``learnae.runtime.state``)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path | None, session: SessionId, *, after_loss: bool = False) -> Self:
        """Open or create the state.

        Args:
            path: The file; ``None`` keeps everything in memory, for simulated peers.
            session: Whose state it must be.
            after_loss: If it has to be created: the key is older than the state, so there was one, and it was lost.

        Raises:
            StateError: It is damaged, of another session, or of a later version of LEARNAE.
        """
        try:
            connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        except sqlite3.Error as exc:
            raise StateError(f"{path}: cannot be used as a peer's state: {exc}; move it away to start afresh") from exc
        try:
            # WAL with FULL: a commit is one sequential write and one fsync, and survives a power cut.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            store = cls(connection)
            store._check(path, session, after_loss=after_loss)
        except sqlite3.Error as exc:
            connection.close()
            raise StateError(f"{path}: cannot be used as a peer's state: {exc}; move it away to start afresh") from exc
        except StateError:
            connection.close()
            raise
        return store

    def _check(self, path: Path | None, session: SessionId, *, after_loss: bool) -> None:
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            raise StateError(f"{path}: written by a later version of LEARNAE (layout {found}, known {VERSION}); upgrade this one")
        if found == 0:
            self._create(session, after_loss=after_loss)
        row = self._connection.execute("SELECT id FROM session").fetchone()
        if row is None:
            raise StateError(f"{path}: the peer's state is damaged: it names no session; move it away to start afresh")
        (belongs,) = row
        if belongs != session:
            raise StateError(
                f"{path}: is the state of session {belongs[:16]}, not of {session[:16]}; choose another --state folder"
            )

    def _create(self, session: SessionId, *, after_loss: bool) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        execute("CREATE TABLE record (tab TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY (tab, key)) WITHOUT ROWID")
        execute("CREATE TABLE session (id TEXT NOT NULL, lost INTEGER NOT NULL)")
        execute("CREATE TABLE model (digest TEXT NOT NULL, weights BLOB NOT NULL, optimiser BLOB)")
        execute("CREATE TABLE sensor (id TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
        execute("INSERT INTO session VALUES (?, ?)", (session, int(after_loss)))
        execute(f"PRAGMA user_version = {VERSION}")
        execute("COMMIT")

    @property
    def is_after_loss(self) -> bool:
        """Whether an earlier state of this peer's was lost before this one was created."""
        return bool(self._connection.execute("SELECT lost FROM session").fetchone()[0])

    def load(self) -> Memory:
        """Return what was saved; empty tables for a new peer.

        Raises:
            StateError: A record does not decode.
        """
        memory = Memory()
        try:
            for table, key, value in self._connection.execute("SELECT tab, key, value FROM record"):
                getattr(memory, table)[key] = msgspec.json.decode(value, type=TABLES[table])
        except (sqlite3.Error, msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError) as exc:
            raise _damaged(exc) from exc
        return memory

    def model(self) -> OwnModel | None:
        """Return the own model, if there was one after the initial weights.

        Raises:
            StateError: The record cannot be read.
        """
        try:
            row = self._connection.execute("SELECT digest, weights, optimiser FROM model").fetchone()
            return msgspec.convert(dict(zip(_MODEL, row, strict=True)), OwnModel) if row else None
        except (sqlite3.Error, msgspec.ValidationError) as exc:
            raise _damaged(exc) from exc

    def sensors(self) -> dict[SensorId, SensorState]:
        """Return how far each sensor's stream was read.

        Raises:
            StateError: A record does not decode.
        """
        try:
            rows = self._connection.execute("SELECT id, value FROM sensor")
            return {SensorId(key): msgspec.msgpack.decode(value, type=SensorState) for key, value in rows}
        except (sqlite3.Error, msgspec.MsgspecError, TypeError) as exc:
            raise _damaged(exc) from exc

    def commit(
        self, saves: Iterable[Save], model: OwnModel | None = None, sensors: Iterable[tuple[SensorId, SensorState]] = ()
    ) -> None:
        """Make changes durable, all or none.

        Args:
            saves: Records to set or remove.
            model: The own model, if it changed; without an optimiser's state the one that is there stays.
            sensors: Sensors' states to set.

        Raises:
            StateError: They cannot be written: the disk is full or gone. Nothing was changed.
        """
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for save in saves:
                if save.value is None:
                    execute("DELETE FROM record WHERE tab = ? AND key = ?", (save.table, save.key))
                else:
                    execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (save.table, save.key, _encoded(save.value)))
            if model is not None:
                self._write_model(model)
            for sensor, state in sensors:
                execute("INSERT OR REPLACE INTO sensor VALUES (?, ?)", (sensor, msgspec.msgpack.encode(state)))
            execute("COMMIT")
        except sqlite3.Error as exc:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise StateError(f"the peer's state cannot be written: {exc}") from exc

    def _write_model(self, model: OwnModel) -> None:
        optimiser: Any = model.optimiser
        if optimiser is None:
            row = self._connection.execute("SELECT optimiser FROM model").fetchone()
            optimiser = row[0] if row else None
        self._connection.execute("DELETE FROM model")
        self._connection.execute("INSERT INTO model VALUES (?, ?, ?)", (model.model, model.weights, optimiser))

    def close(self) -> None:
        """Close the file; idempotent."""
        self._connection.close()


def _damaged(exc: Exception) -> StateError:
    return StateError(f"the peer's state is damaged: {exc}; move the state folder away to start afresh")


def _encoded(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value)
