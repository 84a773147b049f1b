"""Files in the shared folder, under the SHA-256 of their bytes."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from learnae.errors import DamagedError, NotFoundError, TooLargeError, UnavailableError, UsageError, WorldError
from learnae.values.ids import Locator
from learnae_localfs.hostile import (
    explained,
    list_files,
    list_folders,
    made_folder,
    opened_folder,
    read_file,
    reason,
    remove_temporaries,
    write_file,
)
from learnae_localfs.layout import HEX64, SCHEME, Place, read_locator, write_locator

MAX_FILE_BYTES = 2**30
MAX_OWNERS = 100_000
"""In how many owners' folders a file is looked for."""

MAX_OFFERED = 1_000_000
"""How many own files are listed."""

_THREADS = 4


class FolderStorage:
    """A ``Storage`` and an ``Inventory`` that keeps every owner's files in a folder of the owner's, and finds them in anybody's.

    Files are written and read in threads of its own, so that a slow mount never holds up the event loop.

    Args:
        place: The session's corner of the folder.
        owner: 64 hexadecimal digits that stand for the own id.
        fsync: Whether to wait until what is written would survive a power cut.
    """

    scheme = SCHEME
    max_file_bytes = MAX_FILE_BYTES

    def __init__(self, place: Place, owner: str, *, fsync: bool = True) -> None:
        self._place = place
        self._owner = owner
        self._fsync = fsync
        self._cleaning = threading.Lock()
        self._cleaned = False
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="learnae-localfs-file")

    async def put(self, data: bytes) -> Locator:
        """Write a file into the own folder: see ``Storage.put``."""
        if len(data) > self.max_file_bytes:
            text = f"a file of {len(data)} bytes; localfs takes at most {self.max_file_bytes}"
            raise UsageError(text)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._put, bytes(data))

    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        """Read a file from its owner's folder, or from whoever else has the same one: see ``Storage.get``."""
        where = read_locator(locator)
        if where is None:
            text = f"{locator[:200]!r} is no locator of localfs"
            raise NotFoundError(text)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._get, *where, max_bytes)

    async def release(self, locator: Locator) -> None:
        """Remove a file from the own folder: see ``Storage.release``."""
        where = read_locator(locator)
        if where is None or where[0] != self._owner:
            return
        await asyncio.get_running_loop().run_in_executor(self._threads, self._release, where[1])

    async def offered(self) -> Sequence[Locator]:
        """List the files in the own folder: see ``learnae.interfaces.abilities.Inventory``."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._offered)

    async def aclose(self) -> None:
        """Take no more calls; what is being written is still written."""
        self._threads.shutdown(wait=False)

    def _put(self, data: bytes) -> Locator:
        content = hashlib.sha256(data).hexdigest()
        place = self._place
        action = f"store a file below {place.root}"
        with explained(action), made_folder(place.root, place.files, self._owner, fsync=self._fsync) as folder:
            with self._cleaning:
                if not self._cleaned:
                    remove_temporaries(folder)
                    self._cleaned = True
            try:
                _read_checked(folder, content, len(data))
            except (OSError, WorldError):
                write_file(folder, content, data, fsync=self._fsync)
            else:
                if self._fsync:
                    os.fsync(folder)
        return write_locator(self._owner, content)

    def _get(self, owner: str, content: str, max_bytes: int) -> bytes:
        failure: WorldError | None = None
        for holder in self._holders(owner):
            try:
                with opened_folder(self._place.root, (*self._place.files, holder)) as folder:
                    return _read_checked(folder, content, max_bytes)
            except FileNotFoundError:
                continue
            except OSError as exc:
                if holder == owner:  # a stranger's folder that cannot be read says nothing
                    text = f"cannot read {content} below {self._place.root}: {reason(exc)}"
                    failure = UnavailableError(text)
            except (DamagedError, TooLargeError) as exc:
                failure = failure or exc
        if failure is not None:
            raise failure
        text = f"nobody keeps {content} below {self._place.root}"
        raise NotFoundError(text)

    def _holders(self, first: str) -> Iterator[str]:
        """Go over the owners, the named one first: the others are listed only when somebody asks for them."""
        yield first
        place = self._place
        with explained(f"list the files below {place.root}"):
            try:
                with opened_folder(place.root, place.files) as folder:
                    found = [e.name for e in list_folders(folder, at_most=MAX_OWNERS) if HEX64.match(e.name)]
            except FileNotFoundError:
                found = []
        yield from sorted(set(found) - {first})

    def _offered(self) -> list[Locator]:
        place = self._place
        with explained(f"list the own files below {place.root}"):
            try:
                with opened_folder(place.root, (*place.files, self._owner)) as folder:
                    names = [each.name for each in list_files(folder, at_most=MAX_OFFERED) if HEX64.match(each.name)]
            except FileNotFoundError:
                return []
        return sorted(write_locator(self._owner, name) for name in names)

    def _release(self, content: str) -> None:
        place = self._place
        with explained(f"remove a file below {place.root}"):
            try:
                with opened_folder(place.root, (*place.files, self._owner)) as folder:
                    os.unlink(content, dir_fd=folder)
            except FileNotFoundError:
                return


def _read_checked(folder: int, content: str, max_bytes: int) -> bytes:
    """Read a file that its name vouches for.

    Raises:
        DamagedError: Its bytes are not those of its name: half-synchronised, damaged, or a lie.
        TooLargeError: It has more than ``max_bytes``.
        FileNotFoundError: It is not there.
        OSError: It cannot be read.
    """
    data = read_file(folder, content, max_bytes=max_bytes)
    if hashlib.sha256(data).hexdigest() != content:
        text = f"{content} holds {len(data)} bytes that are not those of its name"
        raise DamagedError(text)
    return data
