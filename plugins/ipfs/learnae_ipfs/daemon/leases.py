"""Who uses a private daemon: locks on two files in its folder, which the system releases when a process dies, however it dies.

``start.lock`` is held alone while the daemon is started, adopted or ended. ``lease`` is held by everybody who uses the daemon,
and is only taken or given up under ``start.lock``: who is alone with it when leaving ends the daemon. Each ``Lease`` opens the
file for itself, so that two of one process are two users.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from learnae.errors import UnavailableError

_BETWEEN_TRIALS_S = 0.05
_HELD = frozenset({errno.EAGAIN, errno.EACCES})


@contextlib.asynccontextmanager
async def start_lock(folder: Path, *, patience_s: float) -> AsyncIterator[None]:
    """Hold ``start.lock`` alone.

    Raises:
        UnavailableError: Somebody else held it for ``patience_s``, or the file system knows no locks.
    """
    with contextlib.ExitStack() as stack:
        descriptor = _opened(folder / "start.lock")
        stack.callback(os.close, descriptor)
        deadline = time.monotonic() + patience_s
        while not _locked(descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                raise UnavailableError(f"another process has been starting the IPFS daemon of {folder} for {patience_s:.0f} s")
            await asyncio.sleep(_BETWEEN_TRIALS_S)
        yield


class Lease:
    """One user of the daemon. All methods are called under ``start.lock``; ``close`` alone may be called without."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "lease"
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this is a user."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Become a user, or stay one; say whether there is no other.

        Raises:
            UnavailableError: The file cannot be locked.
        """
        if self._descriptor is None:
            self._descriptor = _opened(self._file)
        alone = _locked(self._descriptor, fcntl.LOCK_EX)
        if not _locked(self._descriptor, fcntl.LOCK_SH):  # nobody holds it alone but under start.lock, and that is ours
            raise UnavailableError(f"{self._file} is locked by a program that is not LEARNAE")
        return alone

    def give_up(self) -> bool:
        """Stop being a user; say whether nobody is one now."""
        if self._descriptor is None:
            return False
        alone = _locked(self._descriptor, fcntl.LOCK_EX)
        self.close()
        return alone

    def close(self) -> None:
        """Stop being a user, without knowing whether there are others; idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _opened(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as exc:
        raise UnavailableError(f"{file} cannot be opened: {exc.strerror}") from exc


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError as exc:
        if exc.errno in _HELD:
            return False
        raise UnavailableError(f"the file system of the peer's state folder cannot lock files: {exc.strerror}") from exc
    return True
