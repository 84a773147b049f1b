"""A peer that kills itself at one of its durable writes; the tests here start it as a process of its own.

``child.py CONFIG DIARY [KIND NUMBER STEP [full]]``: SIGKILL before (step 0), in the middle (steps 1, 2, …) or after (step -1) the
NUMBER-th durable write of that kind; with ``full``, the disk is full at that step instead. The diary, a line of JSON for each
thing that happened, is what the tests compare with.
"""

import asyncio
import errno
import functools
import hashlib
import json
import os
import signal
import sqlite3
import stat
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import learnae_localfs.storage
import learnae_localfs.transport

import learnae.codec.identity
import learnae.performing.assembling
import learnae.performing.journal
import learnae.performing.shelf
import learnae.performing.store
import learnae.runtime.running
from learnae.config.resolve import load_settings
from learnae.errors import OperatorError
from learnae.performing.store import Store
from learnae.plugins.facade import Plugins

T = TypeVar("T")
BEFORE = 0


class Diary:
    """What happened so far; lines survive the process, because the system has them."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, **entry: object) -> None:
        """Add a line."""
        os.write(self._file, json.dumps(entry).encode() + b"\n")


class Fate:
    """Knows at which write the process dies."""

    def __init__(self, kind: str, number: int, step: int, *, is_disk_full: bool) -> None:
        self._kind, self._number, self._step = kind, number, step
        self.is_disk_full = is_disk_full
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._here = threading.local()

    def strike(self) -> None:
        """End at once, as a system without memory ends a process; or find the disk full."""
        if self.is_disk_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.kill(os.getpid(), signal.SIGKILL)

    def around(self, kind: str, write: Callable[[], T]) -> T:
        """Do a durable write, or die around it."""
        with self._lock:
            self._counts[kind] += 1
            is_it = (kind, self._counts[kind]) == (self._kind, self._number)
        if not is_it:
            return write()
        if self._step == BEFORE:
            self.strike()
        if self._step > 0:
            self._here.left = self._step
        done = write()
        self.strike()
        return done

    def is_now(self) -> bool:
        """Say whether this step of the write under way is the one."""
        left = getattr(self._here, "left", 0)
        if left > 0:
            self._here.left = left - 1
        return bool(left == 1)


class MortalConnection(sqlite3.Connection):
    """Dies before a transaction's end (step 1), or when only a part of it reached the log (step 2)."""

    fate: Fate

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *parameters)
        if self.fate.is_now():
            if self.fate.is_disk_full:
                raise sqlite3.OperationalError("database or disk is full")
            self.fate.strike()
        if self.fate.is_now():
            log = Path(super().execute("PRAGMA database_list").fetchone()[2] + "-wal")
            super().execute("PRAGMA wal_autocheckpoint=0")
            before = log.stat().st_size if log.exists() else 0
            super().execute(sql)
            after = log.stat().st_size
            if after > before:  # else an older part of the log was written over, and cutting it would hurt what was durable
                os.truncate(log, before + (after - before) * 2 // 3)
            self.fate.strike()
        return super().execute(sql, *parameters)


class MortalFile:
    """A journal's file: dies when half of a line is written."""

    def __init__(self, file: BinaryIO, fate: Fate) -> None:
        self._file, self._fate = file, fate
        self.name = file.name
        self.close = file.close

    def write(self, line: bytes) -> int:
        def whole() -> int:
            if self._fate.is_now():
                self._file.write(line[: len(line) // 2])
                self._fate.strike()
            return self._file.write(line)

        return self._fate.around("journal", whole)


def watch_steps(fate: Fate) -> None:
    """Make every step of a file's way to the disk one at which the process may die."""

    def wrap(name: str) -> None:
        original = getattr(os, name)

        @functools.wraps(original)
        def step(*arguments: Any, **options: Any) -> Any:
            if fate.is_now():
                if name == "fsync" and stat.S_ISREG(os.fstat(arguments[0]).st_mode):
                    os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
                fate.strike()
            return original(*arguments, **options)

        setattr(os, name, step)

    for name in ("fsync", "replace", "link", "unlink"):
        wrap(name)


def wrap_method(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """Replace a function by one that gets the original first."""
    original = getattr(owner, name)
    setattr(owner, name, lambda *arguments, **options: wrapper(original, *arguments, **options))


def kind_of(store: Any, saves: list[Any], model: Any) -> str:
    tables = {save.table for save in saves}
    if store._connection.execute("SELECT count(*) FROM record").fetchone()[0] == 0:
        return "first"
    if model is not None:
        return "model"
    if "uses" in tables:
        return "uses"
    return "board" if "board" in tables else "other"


def prepare(diary: Diary, fate: Fate) -> None:
    """Put fate and diary around everything that is written durably."""
    MortalConnection.fate = fate
    sqlite3.connect = functools.partial(sqlite3.connect, factory=MortalConnection)  # type: ignore[assignment]
    watch_steps(fate)

    def commit(original: Any, store: Any, saves: Any, model: Any = None, sensors: Any = ()) -> None:
        saves = list(saves)
        if model is not None:
            diary.write(begun=model.model)
        fate.around(kind_of(store, saves, model), lambda: original(store, saves, model, sensors))
        if model is not None:
            diary.write(durable=model.model)

    def journal(original: Any, self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        self._file = MortalFile(self._file, fate)

    def publish(original: Any, self: Any, slot: str, message: bytes) -> None:
        diary.write(published=message.decode())
        fate.around("publish", lambda: original(self, slot, message))

    def resume(original: Any, workshop: Any, stored: Any, *, own: str, initial: str) -> None:
        original(workshop, stored, own=own, initial=initial)
        diary.write(resumed=own, bytes=hashlib.sha256(workshop.encoded(own)).hexdigest(), initial=own == initial)

    def kill_around(kind: str) -> Callable[..., Any]:
        return lambda original, *arguments, **options: fate.around(kind, lambda: original(*arguments, **options))

    wrap_method(Store, "commit", commit)
    wrap_method(Store, "_create", kill_around("create"))
    wrap_method(learnae.performing.journal.Journal, "__init__", journal)
    wrap_method(learnae.performing.shelf.FolderShelf, "put", kill_around("slice"))
    wrap_method(learnae.codec.identity, "create_whole", kill_around("key"))
    wrap_method(learnae_localfs.storage.FolderStorage, "_put", kill_around("put"))
    wrap_method(learnae_localfs.transport.FolderTransport, "_write", publish)
    wrap_method(learnae.performing.assembling, "resume_model", resume)


def main(config: str, diary: str, kind: str = "", number: str = "0", step: str = "0", full: str = "") -> None:
    prepare(Diary(Path(diary)), Fate(kind, int(number), int(step), is_disk_full=full == "full"))
    try:
        settings = load_settings(Path(config), {}, {}).settings
        print(asyncio.run(learnae.runtime.running.run_peer(settings, Plugins.discover())).reason)
    except OperatorError as exc:
        print(exc, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main(*sys.argv[1:])
