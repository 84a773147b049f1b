"""A peer's own mailbox: its latest messages, safe in a file of its own, offered as a block that an IPNS name points at."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from learnae.errors import UnavailableError
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.wire import is_cid, raw_cid
from learnae_ipfs.names import OwnName, derive
from learnae_ipfs.private_files import read_private, write_private
from learnae_ipfs.transport.letters import (
    MAX_LETTERS_BYTES,
    MAX_MESSAGES_BYTES,
    MAX_SLOTS,
    Letter,
    Letters,
    Whereabouts,
    write_letters,
)

LIFETIME_S = 172_800
"""How long a name points at a mailbox if nobody points it again; daemons do, for as long as they run."""

REFRESH_S = 120.0
"""How often a name is pointed again at what it points at already: who holds such records comes and goes."""

AGAIN_S = (0.0, 3.0, 10.0)
"""When to point it again after somebody was met.

In a network without public addresses a daemon asks nobody for a record of which it holds one itself, however old: what it missed
while it was away it never finds, until whose name it is hands it the new record. And for some seconds after a daemon was met, no
record is handed to it.
"""


class _State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds.

    Attributes:
        letters: The latest messages.
        pinned: Blocks that may be pinned on the daemon, of which all but the latest are to be let go.
    """

    format: Literal["learnae-letters-1"]
    letters: Annotated[tuple[Letter, ...], Meta(max_length=MAX_SLOTS)]
    pinned: Annotated[tuple[str, ...], Meta(max_length=16)]


class Mailbox:
    """The latest messages of one peer in one session: at most ``MAX_SLOTS``, and those published last stay.

    Args:
        file: Where they survive the process.
        rendezvous: The session's.
        clock: Monotonic seconds.
    """

    def __init__(self, file: Path, *, rendezvous: str, clock: Callable[[], float]) -> None:
        self._file = file
        self._session = derive("mailbox", rendezvous)
        self._clock = clock
        self._slots: OrderedDict[bytes, bytes] = OrderedDict()
        self._pinned: list[str] = []
        self._author: Whereabouts | None = None
        self._peers: tuple[Whereabouts, ...] = ()
        self._loaded = False
        self._changes, self._saved = 0, 0
        self._saver: asyncio.Task[None] | None = None
        self._pointed: str | None = None
        self._pointed_name: OwnName | None = None
        self._point_s: list[float] = []

    def post(self, slot: str, message: bytes) -> None:
        """Put a message where the earlier one of its slot was."""
        key = bytes.fromhex(slot)
        self._slots[key] = message
        self._slots.move_to_end(key)
        self._changes += 1
        self._drop_the_oldest()

    def introduce(self, author: Whereabouts, peers: tuple[Whereabouts, ...]) -> None:
        """Say where the own daemon is, and whom it met."""
        self._author, self._peers = author, peers

    async def save(self) -> None:
        """Wait until what was posted so far is safe in the file. Cancellation leaves the writing under way.

        Raises:
            UnavailableError: The file cannot be written.
        """
        changes = self._changes
        while not self._loaded or self._saved < changes:
            if self._saver is None or self._saver.done():
                self._saver = asyncio.create_task(self._save())
            await asyncio.shield(self._saver)

    def is_due(self, name: OwnName) -> bool:
        """Say whether others would find something else, or soon nothing, where a name points."""
        if self._author is None:
            return False
        again = self._pointed_name != name or any(due_s <= self._clock() for due_s in self._point_s)
        return again or self._pointed != raw_cid(self._written())

    @property
    def is_eager(self) -> bool:
        """Whether the name is to be pointed again sooner than usual."""
        return len(self._point_s) > 1

    def point_again(self) -> None:
        """Have the name pointed again, now and some seconds later: somebody was met, or the daemon was away."""
        now_s = self._clock()
        self._point_s = [now_s + wait_s for wait_s in (*AGAIN_S, REFRESH_S)]

    async def offer(self, kubo: Kubo, name: OwnName) -> None:
        """Store the mailbox on the daemon, point the name at it, and let go of what it pointed at before.

        Raises:
            UnavailableError: The daemon does not take it now.
        """
        await self.save()
        data = self._written()
        cid = raw_cid(data)
        await self._hold(kubo, data, cid)
        began_s = self._clock()
        await kubo.name_publish(name.key, cid, lifetime_s=LIFETIME_S)
        self._pointed, self._pointed_name = cid, name
        self._point_s = [due_s for due_s in self._point_s if due_s > began_s] or [began_s + REFRESH_S]
        await self._let_go(kubo, keep={cid})

    async def _hold(self, kubo: Kubo, data: bytes, cid: str) -> None:
        """Pin a new block; that it may be pinned is written down first, so that no crash leaves one behind for ever."""
        if cid not in self._pinned:
            await self._let_go(kubo, keep={self._pointed})
            self._pinned.append(cid)
            self._changes += 1
            await self.save()
        await kubo.put_block(data, pin=True)

    async def _let_go(self, kubo: Kubo, *, keep: set[str | None]) -> None:
        for old in [cid for cid in self._pinned if cid not in keep]:
            await kubo.unpin(old)
            await kubo.drop_block(old)
            self._pinned.remove(old)
            self._changes += 1

    def _written(self) -> bytes:
        letters = tuple(Letter(slot, message) for slot, message in self._slots.items())
        author = self._author or Whereabouts("", shared=False)
        return write_letters(Letters("learnae-mailbox-1", self._session, author, letters, self._peers))

    def _drop_the_oldest(self) -> None:
        while len(self._slots) > MAX_SLOTS or sum(map(len, self._slots.values())) > MAX_MESSAGES_BYTES:
            self._slots.popitem(last=False)

    async def _save(self) -> None:
        try:
            if not self._loaded:
                self._restore(await asyncio.to_thread(_read, self._file))
            while self._saved < self._changes:
                changes = self._changes
                letters = tuple(Letter(slot, message) for slot, message in self._slots.items())
                data = msgspec.msgpack.encode(_State("learnae-letters-1", letters, tuple(self._pinned)))
                await asyncio.to_thread(write_private, self._file, data)
                self._saved = changes
        except OSError as exc:
            raise UnavailableError(f"the latest messages cannot be kept in {self._file}: {exc}") from exc

    def _restore(self, data: bytes) -> None:
        """Take over what an earlier run left; what was posted since is newer. A damaged file is as good as none."""
        self._loaded = True
        try:
            state = msgspec.msgpack.decode(data, type=_State)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        posted = self._slots
        self._slots = OrderedDict((letter.slot, letter.message) for letter in state.letters)
        for slot, message in posted.items():
            self._slots[slot] = message
            self._slots.move_to_end(slot)
        self._drop_the_oldest()
        self._pinned = [cid for cid in state.pinned if is_cid(cid)]


def _read(file: Path) -> bytes:
    try:
        return read_private(file, max_bytes=MAX_LETTERS_BYTES) or b""
    except ValueError:
        return b""  # larger than it can be: damaged


async def withdraw(file: Path, kubo: Kubo) -> None:
    """Let a daemon forget a mailbox for good, for a peer that does not come back; idempotent. The name goes by ``leave_name``.

    Args:
        file: The mailbox's, which is removed.
        kubo: The daemon.

    Raises:
        UnavailableError: The daemon does not answer.
        OSError: The file cannot be read or removed.
    """
    mailbox = Mailbox(file, rendezvous="", clock=lambda: 0.0)
    await mailbox.save()
    await mailbox._let_go(kubo, keep=set())
    await asyncio.to_thread(file.unlink, missing_ok=True)
