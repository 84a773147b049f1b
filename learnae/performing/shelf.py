"""Dataslices that a peer holds, own and foreign: bytes by digest."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from learnae.codec.files import sync_folder
from learnae.errors import NotFoundError, StateError
from learnae.machine.memory import Memory
from learnae.values.ids import Digest, PeerId

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
        """Forget it; idempotent.

        Raises:
            StateError: It cannot be removed.
        """

    def digests(self) -> Iterator[Digest]:
        """Name what is there, in no particular order.

        Raises:
            StateError: It cannot be listed.
        """


def sweep(shelf: Shelf, memory: Memory, own: PeerId) -> None:
    """Drop what nobody needs: slices of which nothing is known, and foreign ones that are done with.

    A crash leaves both: the one between a slice and its record, the other between a record and the slice's removal.

    Args:
        shelf: To be swept.
        memory: What the peer remembers.
        own: The own id.

    Raises:
        StateError: Something cannot be removed.
    """
    queued = {each.slice for each in memory.queue.values()}
    for digest in shelf.digests():
        item = memory.slices.get(digest)
        is_needed = item is not None and item.held and (item.author == own or item.evaluation or digest in queued)
        if not is_needed:
            shelf.drop(digest)


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
        """Keep bytes durably: whole or not at all, whenever the program is killed.

        What a sensor brings may be what another peer gives in the same moment: each writer has a draft of its own.
        """
        path = self._folder / digest
        try:
            handle, name = tempfile.mkstemp(prefix=f"{digest}.", suffix=".part", dir=self._folder)
            draft = Path(name)
            try:
                with open(handle, "wb") as file:  # noqa: PTH123 - it is open already
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
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
        path = self._folder / digest
        try:
            path.unlink(missing_ok=True)
        except OSError as exc:
            raise StateError(f"{path}: cannot be removed: {exc.strerror}") from exc

    def digests(self) -> Iterator[Digest]:
        """Name what is there."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except OSError as exc:
            raise StateError(f"{self._folder}: cannot be listed: {exc.strerror}") from exc
        return (Digest(name) for name in names if _DIGEST.match(name))
