"""Dataslices that a peer holds, own and foreign: bytes by digest."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from learnae.codec.files import sync_folder
from learnae.errors import NotFoundError, StateError
from learnae.values.ids import Digest

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Shelf(Protocol):
    """Keeps the canonical bytes of dataslices. Methods may be called from any thread."""

    def put(self, digest: Digest, data: bytes) -> None:
        """Keep bytes durably; idempotent.

        Raises:
            StateError: They cannot be written.
        """

    def get(self, digest: Digest) -> bytes:
        """Return what was put.

        Raises:
            NotFoundError: It is not there.
        """

    def drop(self, digest: Digest) -> None:
        """Forget it; idempotent."""

    def digests(self) -> Iterator[Digest]:
        """Name what is there, in no particular order."""


class MemoryShelf:
    """Keeps dataslices in memory, for simulated peers."""

    def __init__(self) -> None:
        self._slices: dict[Digest, bytes] = {}

    def put(self, digest: Digest, data: bytes) -> None:
        """Keep bytes."""
        self._slices[digest] = data

    def get(self, digest: Digest) -> bytes:
        """Return what was put."""
        try:
            return self._slices[digest]
        except KeyError as exc:
            raise NotFoundError(f"dataslice {digest[:8]} is not here") from exc

    def drop(self, digest: Digest) -> None:
        """Forget it."""
        self._slices.pop(digest, None)

    def digests(self) -> Iterator[Digest]:
        """Name what is there."""
        return iter(list(self._slices))


class FolderShelf:
    """Keeps each dataslice as a file of its own, named by its digest."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, made if it is not there; leftovers of a crash are removed.

        Raises:
            StateError: It cannot be used.
        """
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            for leftover in folder.glob("*.part"):
                leftover.unlink()
        except OSError as exc:
            raise StateError(f"{folder}: cannot keep dataslices here: {exc.strerror}") from exc

    def put(self, digest: Digest, data: bytes) -> None:
        """Keep bytes durably: whole or not at all, whenever the program is killed."""
        path = self._folder / digest
        draft = self._folder / f"{digest}.part"
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            sync_folder(self._folder)
        except OSError as exc:
            raise StateError(f"{path}: cannot be written: {exc.strerror}") from exc

    def get(self, digest: Digest) -> bytes:
        """Return what was put."""
        try:
            return (self._folder / digest).read_bytes()
        except OSError as exc:
            raise NotFoundError(f"dataslice {digest[:8]} is not in {self._folder}: {exc.strerror}") from exc

    def drop(self, digest: Digest) -> None:
        """Forget it."""
        (self._folder / digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[Digest]:
        """Name what is there."""
        return (Digest(path.name) for path in self._folder.iterdir() if _DIGEST.match(path.name))
