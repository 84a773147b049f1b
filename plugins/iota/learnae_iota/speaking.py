"""One voice for a peer whose transport, storage and sensors share a tangle: the first that asks speaks, the others keep quiet."""

import fcntl
import os
from pathlib import Path

_FILE = "speaker.lock"


class Speaker:
    """Says whether to speak for all that have the same state folder; until it is closed, if so. For one thread.

    Args:
        folder: The state folder; ``None`` where there is nobody else.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._lock = folder, -1

    def speaks(self) -> bool:
        """Tell whether to speak; where the folder cannot be used, everybody does."""
        if self._folder is None or self._lock >= 0:
            return True
        try:
            lock = os.open(self._folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(lock)
            return not isinstance(exc, BlockingIOError)
        self._lock = lock
        return True

    def close(self) -> None:
        """Let others speak; idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
