"""The demo's folder: what an earlier demo made there is replaced, everything else is left alone."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from learnae.codec.files import read_small
from learnae.errors import OperatorError, StateError, TooLargeError

MARKER = ".learnae-demo"
"""The file that says what a demo made in the folder it lies in."""

_MOST_BYTES = 65_536


class DemoFolder:
    """Holds the folder for one demo at a time; the system lets go of it when the process ends, however it ends.

    Attributes:
        path: The folder, absolute.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path, names: Sequence[str]) -> Self:
        """Make the folder if it is not there, remove what an earlier demo made in it, and claim names for this one.

        Args:
            path: The folder.
            names: Files and folders that this demo will make directly in it.

        Raises:
            OperatorError: Another demo is at work there, something else has one of these names, or it cannot be written.
        """
        path = path.absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = os.open(path / MARKER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as exc:
            raise OperatorError(f"{path}: cannot be used: {exc.strerror or exc}; choose another folder with --out") from exc
        folder = cls(path, lock)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                raise OperatorError(f"{path}: another demo is at work there; choose another folder with --out") from exc
            folder._replace(names)
        except BaseException:
            folder.close()
            raise
        return folder

    def _replace(self, names: Sequence[str]) -> None:
        made = self._made()
        for name in names:
            if name not in made and os.path.lexists(self.path / name):
                raise OperatorError(
                    f"{self.path / name} is there and no demo made it; move it away, or choose another folder with --out"
                )
        try:
            # First the claim, then the deeds: a demo that is killed leaves nothing that the next one would not replace.
            text = json.dumps({"made": sorted({*names, *made})}).encode()
            os.pwrite(self._lock, text, 0)
            os.ftruncate(self._lock, len(text))
            os.fsync(self._lock)
            for name in made:
                _remove(self.path / name)
        except OSError as exc:
            raise OperatorError(f"{self.path}: cannot be written: {exc.strerror or exc}; choose another --out") from exc

    def _made(self) -> list[str]:
        try:
            data = read_small(self.path / MARKER, max_bytes=_MOST_BYTES)
            made = json.loads(data)["made"] if data else []
        except (OSError, TooLargeError, ValueError, KeyError, TypeError, RecursionError) as exc:
            raise StateError(f"{self.path / MARKER}: is not what a demo wrote; remove it, or choose another --out") from exc
        if not isinstance(made, list) or not all(isinstance(name, str) and _is_plain(name) for name in made):
            raise StateError(f"{self.path / MARKER}: is not what a demo wrote; remove it, or choose another --out")
        return made

    def close(self) -> None:
        """Let go of the folder; what is in it stays."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _is_plain(name: str) -> bool:
    return name not in {"", ".", "..", MARKER} and "/" not in name and "\0" not in name


def _remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it; links are never followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
