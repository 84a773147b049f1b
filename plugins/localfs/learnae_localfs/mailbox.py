"""Looks for new messages in the folders of all owners, as cheaply as it can."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from learnae.errors import TooLargeError
from learnae_localfs.frames import HEADER_BYTES, read_frame
from learnae_localfs.hostile import Entry, explained, list_files, list_folders, opened_folder, read_file
from learnae_localfs.layout import HEX64, MESSAGE_NAME, Place

MAX_OWNERS = 100_000
MAX_NAMES = 100_000
"""How many names are looked at in one folder of an owner."""

MAX_KNOWN = 1_000_000
"""How many files are remembered in all; when it is reached, owners that were there first keep their room."""

SETTLED_S = 3.0
"""A time stamp may be as coarse as 2 s (FAT): what changed later than this ago is looked at again."""

FULL_SCAN_S = 3.0
"""A file changed in place, or on a mount that keeps time stamps, does not show in its folder: all folders are read this often."""

_RETRY_S = 0.2
_MAX_RETRY_S = 30.0
_BATCH_BYTES = 4_194_304
_BATCH_MESSAGES = 256


@dataclass(slots=True)
class _Seen:
    """What is known of one file.

    Attributes:
        mark: As it was listed when it was read last.
        content: The SHA-256 of the message that was in it; ``None`` if none was.
        again_at: When it is read again although it looks the same.
        delay: How long that took last time, if it holds no message.
    """

    mark: tuple[int, int, int]
    content: bytes | None
    again_at: float | None
    delay: float = 0.0


@dataclass(slots=True)
class _Owner:
    """What is known of one owner's folder."""

    mark: tuple[int, int, int] = (0, 0, 0)
    changed_at: float = 0.0
    files: dict[str, _Seen] = field(default_factory=dict)


class Mailbox:
    """Remembers what was read, and finds what is new. For one thread at a time, except ``posted``.

    Args:
        place: The session's corner of the folder.
        own: The own name, whose freshly posted messages are not read back.
        max_message_bytes: Larger messages are never read.
        clock: Monotonic seconds.
    """

    def __init__(self, place: Place, own: str, *, max_message_bytes: int, clock: Callable[[], float]) -> None:
        self._place = place
        self._own = own
        self._max_bytes = max_message_bytes + HEADER_BYTES
        self._clock = clock
        self._owners: dict[str, _Owner] = {}
        self._posted: dict[str, bytes] = {}
        self._known = 0
        self._full_at = 0.0
        self._scan: Iterator[bytes] | None = None

    def posted(self, slot: str, message: bytes) -> None:
        """Note that the own latest message of a slot need not be read back."""
        self._posted[slot] = hashlib.sha256(message).digest()

    def next_batch(self) -> tuple[list[bytes], bool]:
        """Go on looking until some messages are found, or everything was looked at once.

        Returns:
            New messages, a few MiB at most, and whether everything was looked at.

        Raises:
            UnavailableError: The folder cannot be read now; the next call begins again.
        """
        if self._scan is None:
            self._scan = self._look()
        batch: list[bytes] = []
        size = 0
        try:
            for message in self._scan:
                batch.append(message)
                size += len(message)
                if size >= _BATCH_BYTES or len(batch) >= _BATCH_MESSAGES:
                    return batch, False
        except Exception:
            self._scan = None
            if not batch:
                raise
            return batch, False  # what broke it will break the next call, if it lasts
        self._scan = None
        return batch, True

    def _look(self) -> Iterator[bytes]:
        began = self._clock()
        full = began >= self._full_at
        place = self._place
        with explained(f"read messages below {place.root}"), contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(opened_folder(place.root, place.messages))
            except FileNotFoundError:
                return  # nobody has published yet
            found = {e.name: e for e in list_folders(folder, at_most=MAX_OWNERS) if HEX64.match(e.name)}
        for name in self._owners.keys() - found.keys():
            self._known -= len(self._owners.pop(name).files)
        for entry in found.values():
            with contextlib.suppress(OSError):  # one owner's folder gone or closed to us says nothing about the others
                yield from self._look_at_owner(entry, full=full)
        if full:
            ended = self._clock()
            self._full_at = ended + max(FULL_SCAN_S, 20 * (ended - began))

    def _look_at_owner(self, entry: Entry, *, full: bool) -> Iterator[bytes]:
        now = self._clock()
        owner = self._owners.setdefault(entry.name, _Owner())
        if owner.mark != entry.mark:
            owner.mark, owner.changed_at = entry.mark, now
        elif not full and now - owner.changed_at > SETTLED_S:
            return
        with opened_folder(self._place.root, (*self._place.messages, entry.name)) as folder:
            room = min(MAX_NAMES, MAX_KNOWN - self._known + len(owner.files))
            files = {e.name: e for e in list_files(folder, at_most=room) if MESSAGE_NAME.match(e.name)}
            for name in owner.files.keys() - files.keys():
                del owner.files[name]
                self._known -= 1
            for file in files.values():
                seen = owner.files.get(file.name)
                if seen is not None and seen.mark == file.mark and (seen.again_at is None or now < seen.again_at):
                    continue
                message = self._read(folder, file.name)
                owner.files[file.name] = self._judge(file, seen, message, now)
                self._known += seen is None
                if message is not None and self._is_new(entry.name, file.name, owner.files[file.name], seen):
                    yield message

    def _read(self, folder: int, name: str) -> bytes | None:
        try:
            return read_frame(read_file(folder, name, max_bytes=self._max_bytes))
        except (OSError, TooLargeError):
            return None

    def _judge(self, file: Entry, seen: _Seen | None, message: bytes | None, now: float) -> _Seen:
        """Decide when a file is read again: once after its time stamp settled, or ever later if no message was in it."""
        same = seen is not None and seen.mark == file.mark
        if message is not None:
            content = hashlib.sha256(message).digest()
            settled = same and seen is not None and seen.content == content
            return _Seen(file.mark, content, None if settled else now + SETTLED_S)
        delay = min(max(2 * seen.delay, _RETRY_S), _MAX_RETRY_S) if same and seen is not None else _RETRY_S
        return _Seen(file.mark, seen.content if seen is not None else None, now + delay, delay)

    def _is_new(self, owner: str, name: str, now: _Seen, before: _Seen | None) -> bool:
        if owner == self._own and self._posted.get(name) == now.content:
            return False
        return before is None or before.content != now.content
