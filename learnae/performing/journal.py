"""The journal: every fact a line."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from learnae.errors import StateError
from learnae.values.ids import PeerId
from learnae.values.journal import AnyFact, JournalLine

Listener = Callable[[JournalLine], None]


class Journal:
    """Appends to ``events.jsonl`` and tells listeners, such as a live view.

    A crash may cut the last line short; the next start ends it, so that all others stay whole.
    """

    def __init__(
        self, peer: PeerId, clock: Callable[[], float], path: Path | None = None, listeners: tuple[Listener, ...] = ()
    ) -> None:
        """Open a journal.

        Args:
            peer: Whose.
            clock: Gives the time of a line, in seconds.
            path: The file to append to; ``None`` for none.
            listeners: Called with every line, in the caller's thread.

        Raises:
            StateError: The file cannot be written.
        """
        self._peer = peer
        self._clock = clock
        self._listeners = listeners
        self._file: BinaryIO | None = None
        if path is not None:
            try:
                self._file = path.open("ab", buffering=0)
                if self._file.tell() and not _ends_with_newline(path):
                    self._file.write(b"\n")
            except OSError as exc:
                raise StateError(f"{path}: cannot be written: {exc.strerror}") from exc

    def write(self, fact: AnyFact) -> None:
        """Write a fact.

        Raises:
            StateError: The file cannot be written. What still comes while the peer ends is told to listeners alone, so that a
                line that was cut stays the last one until the next start.
        """
        line = JournalLine(self._clock(), self._peer, fact)
        if self._file is not None:
            try:
                data = msgspec.json.encode(line) + b"\n"
                if self._file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as exc:
                failed, self._file = self._file, None
                failed.close()
                raise StateError(f"{failed.name}: cannot be written: {exc.strerror}") from exc
        for listener in self._listeners:
            listener(line)

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._file is not None:
            self._file.close()


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
