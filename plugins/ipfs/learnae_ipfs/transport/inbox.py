"""What has come and waits for ``receive``: bounded, each message once, and nobody can crowd out the others.

Messages come in two ways. Those of PubSub cannot be made to wait: when there is no room, whoever has most there loses, for the
slower way brings it later. Those of mailboxes are waited with, and none is lost.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

from learnae_ipfs.transport.letters import mark

LIVE_BYTES, LIVE_MESSAGES, LIVE_SOURCES = 8_388_608, 4_096, 256
KEPT_BYTES, KEPT_MESSAGES = 2_097_152, 1_024
REMEMBERED, REMEMBERED_S = 16_384, 600.0
"""How many messages are recognised when they come again, and for how long."""

AGAIN_S = 20.0
"""Within this time, a message that PubSub brings again is dropped; later it is the author's repetition, and comes through."""


class FairQueue:
    """Messages by source; sources take turns."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, deque[bytes]] = OrderedDict()
        self._held: dict[str, int] = {}
        self.bytes = 0
        self.messages = 0

    @property
    def sources(self) -> int:
        """How many sources have something in it."""
        return len(self._sources)

    def held_by(self, source: str) -> int:
        """Return how many bytes of a source's are in it."""
        return self._held.get(source, 0)

    def push(self, source: str, message: bytes) -> None:
        """Add a message."""
        self._sources.setdefault(source, deque()).append(message)
        self._count(source, message, 1)

    def pop(self) -> bytes:
        """Take the oldest message of the source whose turn it is; ``IndexError`` if there is none."""
        if not self._sources:
            raise IndexError
        source, waiting = next(iter(self._sources.items()))
        message = waiting.popleft()
        self._sources.move_to_end(source)
        self._count(source, message, -1)
        return message

    def shed(self) -> bytes:
        """Take the newest message of the source that has most in it; ``IndexError`` if there is none."""
        if not self._sources:
            raise IndexError
        source = max(self._held, key=self._held.__getitem__)
        message = self._sources[source].pop()
        self._count(source, message, -1)
        return message

    def _count(self, source: str, message: bytes, change: int) -> None:
        size = len(message) + 64  # a flood of empty messages has its weight too
        self.bytes += change * size
        self.messages += change
        self._held[source] = self._held.get(source, 0) + change * size
        if not self._sources[source]:
            del self._sources[source], self._held[source]


class Inbox:
    """Takes messages from both ways, and hands them out.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._live, self._kept = FairQueue(), FairQueue()
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._filled, self._room = asyncio.Event(), asyncio.Event()
        self._kept_next = False

    def sent(self, message: bytes) -> None:
        """Note an own message, which need not come back."""
        self._remember(mark(message))

    def offer(self, source: str, message: bytes) -> None:
        """Take a message of PubSub, unless it came just now or there is no room for it.

        Args:
            source: Who published it; only messages of the same source compete for its share of the room.
            message: The bytes.
        """
        known = mark(message)
        seen_s = self._seen.get(known)
        if seen_s is not None and self._clock() - seen_s < AGAIN_S:
            return
        live = self._live
        while live.bytes + len(message) > LIVE_BYTES or live.messages >= LIVE_MESSAGES:
            if live.held_by(source) * live.sources >= live.bytes:
                return  # it has its share already
            self._seen.pop(mark(live.shed()), None)
        if live.sources >= LIVE_SOURCES and not live.held_by(source):
            return
        self._remember(known)
        live.push(source, message)
        self._filled.set()

    async def put(self, source: str, message: bytes) -> bool:
        """Take a message of a mailbox, when there is room; return whether it is news. Cancellation takes nothing."""
        known = mark(message)
        while known not in self._seen:
            kept = self._kept
            if kept.bytes + len(message) <= KEPT_BYTES and kept.messages < KEPT_MESSAGES:
                self._remember(known)
                kept.push(source, message)
                self._filled.set()
                return True
            self._room.clear()
            await self._room.wait()
        return False

    def take(self) -> bytes | None:
        """Return the next message, if there is one; both ways take turns."""
        if not (self._live.messages or self._kept.messages):
            return None
        self._kept_next = not self._kept_next
        first, second = (self._kept, self._live) if self._kept_next else (self._live, self._kept)
        message = (first if first.messages else second).pop()
        self._room.set()
        return message

    async def wait(self) -> None:
        """Wait until there may be something to take, or ``wake`` was called."""
        if not (self._live.messages or self._kept.messages):
            await self._filled.wait()
        self._filled.clear()

    def wake(self) -> None:
        """End a ``wait``, now or the next one."""
        self._filled.set()

    def _remember(self, known: bytes) -> None:
        now_s = self._clock()
        self._seen[known] = now_s
        self._seen.move_to_end(known)
        while len(self._seen) > REMEMBERED or now_s - next(iter(self._seen.values())) > REMEMBERED_S:
            self._seen.popitem(last=False)
