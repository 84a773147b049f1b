"""Messages through the shared folder."""

import asyncio
import contextlib
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from learnae.errors import TooLargeError, UsageError
from learnae_localfs.frames import HEADER_BYTES, write_frame
from learnae_localfs.hostile import explained, made_folder, read_file, remove_temporaries, write_file
from learnae_localfs.layout import HEX64, Place
from learnae_localfs.mailbox import Mailbox
from learnae_localfs.wakeup import Wakeup

MAX_MESSAGE_BYTES = 1_048_576


class FolderTransport:
    """A ``Transport`` that keeps the latest message of every owner and slot as a file.

    Files are written and read in two threads of its own, so that a slow mount never holds up the event loop, and so that what was
    published last also lies there last, even where an earlier call was cancelled.

    Args:
        place: The session's corner of the folder.
        owner: 64 hexadecimal digits that stand for the author.
        poll_interval_s: How often to look for messages.
        watch: Whether file notifications may hasten that.
        fsync: Whether to wait until what is written would survive a power cut.
    """

    max_message_bytes = MAX_MESSAGE_BYTES

    def __init__(self, place: Place, owner: str, *, poll_interval_s: float = 0.1, watch: bool = True, fsync: bool = True) -> None:
        self._place = place
        self._owner = owner
        self._poll_interval_s = poll_interval_s
        self._fsync = fsync
        self._cleaned = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="learnae-localfs-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="learnae-localfs-read")
        self._mailbox = Mailbox(place, owner, max_message_bytes=MAX_MESSAGE_BYTES, clock=time.monotonic)
        self._wakeup = Wakeup(place.root.joinpath(*place.messages), watch=watch)
        self._messages: deque[bytes] = deque()
        self._look: asyncio.Future[tuple[list[bytes], bool]] | None = None
        self._rest = False

    async def publish(self, slot: str, message: bytes) -> None:
        """Write a message where the author's earlier one of the slot lay: see ``Transport.publish``."""
        if len(message) > MAX_MESSAGE_BYTES:
            text = f"a message of {len(message)} bytes; localfs takes at most {MAX_MESSAGE_BYTES}"
            raise UsageError(text)
        if not HEX64.match(slot):
            text = f"the slot {slot!r} is not 64 lower-case hexadecimal digits"
            raise UsageError(text)
        await asyncio.get_running_loop().run_in_executor(self._writer, self._write, slot, bytes(message))

    async def receive(self) -> bytes:
        """Return the next message found in the folder: see ``Transport.receive``."""
        while not self._messages:
            if self._rest:
                await self._wakeup.wait(self._poll_interval_s)
                self._rest = False
            if self._look is None:
                self._look = asyncio.get_running_loop().run_in_executor(self._reader, self._mailbox.next_batch)
            await asyncio.wait([self._look])  # which leaves the look under way if the caller is cancelled here
            look, self._look = self._look, None
            self._rest = True
            batch, done = look.result()
            self._rest = done
            self._messages.extend(batch)
        return self._messages.popleft()

    async def aclose(self) -> None:
        """Stop watching and reading; what is being written is still written."""
        await self._wakeup.aclose()
        if self._look is not None:
            self._look.cancel()  # a slow mount may hold the thread: it ends by itself, and nobody waits for it
            self._look = None
        self._reader.shutdown(wait=False)
        self._writer.shutdown(wait=False)

    def _write(self, slot: str, message: bytes) -> None:
        place = self._place
        action = f"write a message below {place.root}"
        with explained(action), made_folder(place.root, place.messages, self._owner, fsync=self._fsync) as folder:
            if not self._cleaned:
                remove_temporaries(folder)
                self._cleaned = True
            frame = write_frame(message)
            self._mailbox.posted(slot, message)
            if self._holds(folder, slot, frame):
                if self._fsync:
                    os.fsync(folder)
                return
            write_file(folder, slot, frame, fsync=self._fsync)
            with contextlib.suppress(OSError):
                os.utime(folder)  # shows in the folder above, which readers watch

    def _holds(self, folder: int, slot: str, frame: bytes) -> bool:
        try:
            return read_file(folder, slot, max_bytes=MAX_MESSAGE_BYTES + HEADER_BYTES) == frame
        except (OSError, TooLargeError):
            return False
