"""The state folder: a peer's own place in one session, used by one process at a time."""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from learnae.errors import StateError

_TRIALS, _BETWEEN_TRIALS_S = 5, 0.02


class StateFolder:
    """Holds the folder's lock; the system frees it when the process ends, however it ends.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make the folder if it is not there, for its owner only, and lock it.

        Raises:
            StateError: It cannot be used, or another process uses it.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as exc:
            raise StateError(f"{path}: cannot be used as a state folder: {exc.strerror}") from exc
        try:
            _lock(lock)
        except BlockingIOError as exc:
            holder = os.read(lock, 20).decode("ascii", "replace").strip()
            os.close(lock)
            raise StateError(
                f"{path}: another peer uses this state folder (process {holder or 'unknown'}); stop it, or choose another --state"
            ) from exc
        except OSError as exc:
            os.close(lock)
            raise StateError(f"{path}: cannot be locked: {exc.strerror}; choose a --state folder on a local disk") from exc
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return cls(path, lock)

    @property
    def identity(self) -> Path:
        """The key file."""
        return self.path / "identity.key"

    @property
    def store(self) -> Path:
        """The durable state."""
        return self.path / "peer.sqlite"

    @property
    def manifest(self) -> Path:
        """A copy of the session's manifest, so that the folder explains itself."""
        return self.path / "session.json"

    @property
    def events(self) -> Path:
        """The journal."""
        return self.path / "events.jsonl"

    @property
    def slices(self) -> Path:
        """The shelf of dataslices."""
        return self.path / "slices"

    def folder(self, name: str) -> Path:
        """Return a folder of its own for a provider or for temporary files.

        Raises:
            StateError: It cannot be made.
        """
        path = self.path / name
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise StateError(f"{path}: cannot be made: {exc.strerror}") from exc
        return path

    def close(self) -> None:
        """Unlock; idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _lock(lock: int) -> None:
    """Lock for this process alone; a command that looks whether a peer runs holds the lock for a moment, and is waited for.

    Raises:
        OSError: ``BlockingIOError`` if a peer holds it.
    """
    for _ in range(_TRIALS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_BETWEEN_TRIALS_S)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
