"""Reads the mailboxes of others, a few at a time, those longest due first, and never one twice that did not change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from learnae.errors import DamagedError, NotFoundError, TooLargeError
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.wire import is_raw
from learnae_ipfs.names import derive, names_at
from learnae_ipfs.transport.complaints import REFUSALS, together
from learnae_ipfs.transport.directory import Directory, Known, Trust
from learnae_ipfs.transport.inbox import Inbox
from learnae_ipfs.transport.letters import MAX_LETTERS_BYTES, Letters, mark, read_letters

READS, FIRST_READS = 24, 8
"""How many mailboxes are looked at in one round: of those that held something before, and of those that never did."""

AT_ONCE = 6
CALM_S = 30.0
"""How long a mailbox may wait that brings nothing new, while PubSub works."""

EAGER, EAGER_S = 3, 3.0
"""How often, and how soon, the mailboxes of a daemon that was met just now are looked at again."""

FRUITLESS_S, MALFORMED_S = 300.0, 600.0
"""How long a name may wait that leads nowhere, and one that leads to anything but a mailbox."""

_RESOLVE_S, _FETCH_S = 10.0, 10.0


@dataclass(slots=True)
class _Box:
    """What is known of the mailbox under one name.

    Attributes:
        daemon: The daemon that answers for it.
        shared: Whether that is a daemon that several peers may share.
        due_s: When to look again.
        cid: What it was when it was read last.
        marks: The messages that were in it then.
        own_copy: Whether the block lies on our daemon because it was read, and can go when the next one is there.
        eager: So many further looks do not wait: a daemon that was met just now takes seconds to hear of the latest names.
        calm: How often in a row it brought nothing new.
        failures: How often in a row it could not be read.
        malformed: Whether the last thing read was no mailbox.
    """

    daemon: str
    shared: bool
    due_s: float
    cid: str | None = None
    marks: frozenset[bytes] = frozenset()
    own_copy: bool = False
    eager: int = EAGER
    calm: int = 0
    failures: int = 0
    malformed: bool = False


class Visitor:
    """Reads what the daemons of a directory offer.

    Args:
        directory: Who may have a mailbox; is told what those say of others.
        inbox: Takes the messages.
        rendezvous: The session's.
        shared: Whether the own daemon is one that several peers may share, whose mailboxes are then read too.
        interval_s: The shortest time between two looks at one mailbox.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        directory: Directory,
        inbox: Inbox,
        *,
        rendezvous: str,
        shared: bool,
        interval_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._directory, self._inbox, self._rendezvous, self._shared = directory, inbox, rendezvous, shared
        self._session = derive("mailbox", rendezvous)
        self._interval_s, self._clock = interval_s, clock
        self._boxes: dict[str, _Box] = {}
        self._names: dict[tuple[str, bool], tuple[str, ...]] = {}
        self.own_name: str | None = None
        """The name of the own mailbox, which is not read."""

    def hurry(self, met: Iterable[Known]) -> None:
        """Look at the mailboxes of those who were just met, or met again, without waiting."""
        peers = {known.peer for known in met}
        for box in self._boxes.values():
            if box.daemon in peers and not box.malformed:
                box.due_s, box.failures, box.calm, box.eager = self._clock(), 0, 0, EAGER

    @property
    def is_eager(self) -> bool:
        """Whether some mailboxes are to be looked at sooner than others."""
        return any(box.eager > 0 for box in self._boxes.values())

    async def round(self, kubo: Kubo, *, full: bool, relaxed: bool) -> None:
        """Look at the mailboxes that are due, and return when everything new in them is in the inbox.

        Args:
            kubo: The daemon.
            full: Whether to look at others than those of daemons that were met just now: once in an interval.
            relaxed: Whether messages come another way as well, so that mailboxes without news may wait longer.

        Raises:
            UnavailableError: The daemon does not answer.
        """
        self._follow_the_directory()
        soon_s = self._clock() + min(self._interval_s / 4, 1.0)  # rounds come a little sooner or later
        due = [name for name, box in self._boxes.items() if box.due_s <= soon_s and (full or box.eager) and name != self.own_name]
        due.sort(key=self._urgency)
        read = [name for name in due if self._boxes[name].cid is not None][:READS]
        first = [name for name in due if self._boxes[name].cid is None][:FIRST_READS]
        room = asyncio.Semaphore(AT_ONCE)

        async def look(name: str) -> None:
            async with room:
                await self._look(kubo, self._boxes[name], name, relaxed=relaxed)

        await together(look(name) for name in (*read, *first))

    def _urgency(self, name: str) -> tuple[bool, bool, float]:
        """Tell whose mailbox comes first: a connected daemon's, however many others somebody made up."""
        box = self._boxes[name]
        known = self._directory.get(box.daemon)
        return known is None or not known.connected, box.failures > 0, box.due_s

    def _follow_the_directory(self) -> None:
        daemons = {(known.peer, shared) for known in self._directory for shared in known.kinds}
        if self._shared and self._directory.own:
            daemons.add((self._directory.own, True))
        self._names = {
            (peer, shared): self._names.get((peer, shared)) or tuple(names_at(peer, self._rendezvous, shared=shared))
            for peer, shared in daemons
        }
        wanted = {name: daemon for daemon, names in self._names.items() for name in names}
        for name in self._boxes.keys() - wanted.keys():
            del self._boxes[name]
        for name in wanted.keys() - self._boxes.keys():
            peer, shared = wanted[name]
            self._boxes[name] = _Box(peer, shared, self._clock())

    async def _look(self, kubo: Kubo, box: _Box, name: str, *, relaxed: bool) -> None:
        try:
            cid = await kubo.name_resolve(name, patience_s=_RESOLVE_S)
            if cid == box.cid:
                self._directory.read(box.daemon)
                self._again(box, news=not relaxed)
                return
            had = await kubo.has_block(cid)
            letters = await self._fetched(kubo, cid, box)
        except (NotFoundError, *REFUSALS):
            self._failed(box, FRUITLESS_S)
            return
        if letters is None:
            box.malformed, box.eager = True, 0
            self._failed(box, MALFORMED_S)
            if not had:
                await kubo.drop_block(cid)
            return
        self._directory.learn(letters.author, Trust.FOUND, itself=True)
        for where in letters.peers:
            self._directory.learn(where, Trust.TOLD, teller=box.daemon)
        news = await self._take_messages(box, letters)
        superseded = box.cid if box.own_copy else None
        box.cid, box.own_copy, box.malformed = cid, not had, False
        self._directory.read(box.daemon)
        self._again(box, news=news or not relaxed)
        if superseded is not None:
            await kubo.drop_block(superseded)

    async def _fetched(self, kubo: Kubo, cid: str, box: _Box) -> Letters | None:
        """Fetch a mailbox; ``None`` for anything else than one of that daemon's."""
        if not is_raw(cid):
            return None
        try:
            data = await kubo.cat(cid, max_bytes=MAX_LETTERS_BYTES, patience_s=_FETCH_S)
        except (TooLargeError, DamagedError):
            return None
        letters = read_letters(data, session=self._session)
        if letters is None or (letters.author.peer, letters.author.shared) != (box.daemon, box.shared):
            return None
        return letters

    async def _take_messages(self, box: _Box, letters: Letters) -> bool:
        """Hand on what was not in it before; return whether anything was news. Whatever is cut short is taken next time."""
        news = False
        marks = set()
        for letter in letters.letters:
            known = mark(letter.message)
            marks.add(known)
            if known not in box.marks:
                news |= await self._inbox.put(box.daemon, letter.message)
        box.marks = frozenset(marks)
        return news

    def _again(self, box: _Box, *, news: bool) -> None:
        """Look again after an interval; after ever longer ones while nothing is new."""
        box.failures = 0
        box.calm = 0 if news else box.calm + 1
        self._wait(box, 2 ** max(box.calm - 1, 0), CALM_S)

    def _failed(self, box: _Box, most_s: float) -> None:
        box.failures += box.eager == 0
        known = self._directory.get(box.daemon)
        connected = known is not None and known.connected and not box.malformed
        self._wait(box, 2 ** max(box.failures - 1, 0), CALM_S if connected else most_s)

    def _wait(self, box: _Box, intervals: int, most_s: float) -> None:
        delay_s = min(self._interval_s * min(intervals, 65_536), max(most_s, self._interval_s))
        if box.eager > 0:
            box.eager -= 1
            delay_s = min(delay_s, EAGER_S)
        box.due_s = self._clock() + delay_s
