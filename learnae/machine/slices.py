"""Dataslices: own and foreign, their queue, their uses, the overuse threshold (paper, section 4.2)."""

from collections.abc import Iterator
from typing import Final

import msgspec

from learnae.machine.board import Board
from learnae.machine.effects import Fetch, ForgetSlice, GatherValidation
from learnae.machine.events import CutSlice, FileKind
from learnae.machine.fetching import Backoff
from learnae.machine.memory import KnownSlice, QueuedPass, Uses
from learnae.machine.notebook import Notebook
from learnae.machine.passes import Passes
from learnae.machine.rules import Rules
from learnae.machine.spacing import Spacing
from learnae.values.announcements import HashlistEntry, HashlistOffer, SliceUse
from learnae.values.choices import Role
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import Notice, SliceSkipped, SlicesQueued, SliceUsed

MAX_LOCATORS: Final = 16
"""Of one slice: where several offer it, those named last."""


class Slices:
    """Knows the slices, queues passes over them, and says which may begin.

    Attributes:
        spacing: Holds later passes back.
    """

    def __init__(self, notebook: Notebook, board: Board) -> None:
        self._notebook = notebook
        self._board = board
        self._backoff = Backoff(notebook.rules.retry_s)
        self._fetching: set[tuple[FileKind, Digest]] = set()
        self._read_hashlists: set[Digest] = set()
        self._passes = Passes(notebook)
        self.spacing = Spacing(notebook)
        self._to_check: dict[Digest, None] = dict.fromkeys(self._passes.slices())
        """Slices that may have come to their threshold since the queue was last looked through."""
        self._is_to_fetch = True
        self._fetch_due_s: float | None = None
        self._hashlists_seen: tuple[tuple[PeerId, HashlistOffer], ...] = ()

    @property
    def _rules(self) -> Rules:
        return self._notebook.rules

    def cut(self, cut: tuple[CutSlice, ...]) -> bool:
        """Take own slices in; return whether there were new ones."""
        new = [item for item in cut if not self._is_held(item.digest)]
        if new:
            self.spacing.more_came()
        for item in new:
            self.know(KnownSlice(item.digest, self._rules.peer, item.rows, item.evaluation, held=True))
        self._queue_passes(
            [item.digest for item in new if not item.evaluation], self._rules.peer, evaluation=sum(i.evaluation for i in new)
        )
        return bool(new)

    def _is_held(self, digest: Digest) -> bool:
        known = self._notebook.memory.slices.get(digest)
        return known is not None and known.held

    def know(self, item: KnownSlice) -> None:
        """Remember what is known of a slice."""
        self._is_to_fetch = True
        self._notebook.put("slices", item.digest, item)

    def _queue_passes(self, digests: list[Digest], author: PeerId, *, evaluation: int) -> None:
        slices = self._notebook.memory.slices
        passes = 0
        if self._rules.role is not Role.FEEDER:
            for digest in digests:
                self._to_check[digest] = None
                for number in range(self._board.own_uses(digest) + 1, self._rules.passes + 1):
                    self._passes.add(digest, number)
                    passes += 1
        if digests or evaluation:
            rows = sum(slices[digest].rows for digest in digests)
            self._notebook.note(SlicesQueued(len(digests), passes, rows, evaluation, author))

    def own(self) -> tuple[KnownSlice, ...]:
        """Return the slices that this peer cut."""
        return tuple(item for item in self._notebook.memory.slices.values() if self._is_own(item))

    def _is_own(self, item: KnownSlice) -> bool:
        return item.author == self._rules.peer

    def fetch(self) -> None:
        """Order what is missing and due: hashlists first, then their slices, up to ``max_fetches`` at once."""
        if not self._rules.takes_slices or not self._may_anything_be_missing():
            return
        self._is_to_fetch = False
        self._hashlists_seen = self._board.hashlists()
        self._fetch_due_s = self._backoff.next_due_s(self._notebook.now_s)
        self._forget_orphans()
        for fetch in self._missing():
            if len(self._fetching) >= self._rules.max_fetches:
                return
            self._fetching.add((fetch.kind, fetch.digest))
            self._notebook.order(fetch)

    def _may_anything_be_missing(self) -> bool:
        """Say whether there may be something to order that there was not before."""
        is_due = self._fetch_due_s is not None and self._notebook.now_s >= self._fetch_due_s
        return self._is_to_fetch or is_due or self._board.hashlists() is not self._hashlists_seen

    def _forget_orphans(self) -> None:
        """Forget missing slices whose author offers no hashlist any more, or does not count; others may offer them too."""
        authors = {author for author, _ in self._board.hashlists()}
        slices = self._notebook.memory.slices
        orphans = [item.digest for item in slices.values() if not item.held and item.author not in authors]
        for digest in orphans:
            self._notebook.remove("slices", digest)
        if orphans:
            self._read_hashlists.clear()

    def _missing(self) -> Iterator[Fetch]:
        for author, offer in self._board.hashlists():
            if offer.digest not in self._read_hashlists and self._may_fetch(FileKind.HASHLIST, author, offer.digest):
                yield Fetch(FileKind.HASHLIST, author, offer.digest, offer.locators)
        failed: list[Fetch] = []
        for item in self._notebook.memory.slices.values():
            if item.held or not self._backoff.is_due(item.author, self._notebook.now_s):
                continue
            if self._is_wanted(item) and self._may_fetch(FileKind.SLICE, item.author, item.digest):
                fetch = Fetch(FileKind.SLICE, item.author, item.digest, item.locators)
                if self._backoff.has_failed((item.author, item.digest)):
                    failed.append(fetch)
                else:
                    yield fetch
        yield from failed

    def _is_wanted(self, item: KnownSlice) -> bool:
        if item.evaluation:
            return self._rules.role is Role.TRAINER
        return self._board.network_uses(item.digest) < self._rules.overuse_threshold

    def _may_fetch(self, kind: FileKind, author: PeerId, digest: Digest) -> bool:
        is_due = self._backoff.is_due((author, digest), self._notebook.now_s)
        return is_due and (kind, digest) not in self._fetching and not self._board.is_refused(kind, digest)

    def hashlist_fetched(self, author: PeerId, digest: Digest, entries: tuple[HashlistEntry, ...]) -> bool:
        """Take a hashlist in; return whether it names slices that are new and wanted.

        One author's hashlists may name as many slices in all as it may have subjects; what is beyond that is ignored.
        """
        self._done(FileKind.HASHLIST, author, digest)
        self._read_hashlists.add(digest)
        slices = self._notebook.memory.slices
        room = self._rules.limits.subjects_per_peer - sum(item.author == author for item in slices.values())
        is_news = False
        for entry in entries:
            if entry.digest in slices:
                self._meet_again(slices[entry.digest], entry, author)
            elif room > 0 and not self._board.is_refused(FileKind.SLICE, entry.digest):
                room -= 1
                item = KnownSlice(entry.digest, author, entry.rows, entry.evaluation, held=False, locators=entry.locators)
                self.know(item)
                is_news = is_news or self._is_wanted(item)
        return is_news

    def _meet_again(self, known: KnownSlice, entry: HashlistEntry, author: PeerId) -> None:
        """A hashlist names a slice that another one named, or that is here: note where else it is, and what it is for.

        Only who named it first may set it aside later: anybody's mark would be anybody's veto against the rows of others.
        """
        if self._is_own(known):
            return
        if entry.evaluation and not known.evaluation and known.author == author:
            known = self._set_aside(known)
        if not known.held:
            locators = tuple(dict.fromkeys((*entry.locators, *known.locators)))[:MAX_LOCATORS]
            self.know(msgspec.structs.replace(known, locators=locators))

    def _set_aside(self, item: KnownSlice) -> KnownSlice:
        """Nobody trains on a slice that its author marks as for evaluation."""
        aside = msgspec.structs.replace(item, evaluation=True)
        self.know(aside)
        self._drop_passes(item.digest)
        return aside

    def slice_fetched(self, author: PeerId, digest: Digest, rows: int) -> bool:
        """Take a foreign slice in: queue it, or validate on it; return whether it is known at all."""
        self._done(FileKind.SLICE, author, digest)
        item = self._notebook.memory.slices.get(digest)
        if item is None:
            self._notebook.order(ForgetSlice(digest))  # It was forgotten while it was on its way.
            return False
        if item.held:
            return True
        self._backoff.succeeded(author)
        self.spacing.more_came()
        self.know(msgspec.structs.replace(item, held=True, rows=rows))
        if item.evaluation:
            self._queue_passes([], author, evaluation=1)
            self.gather_validation()
        else:
            self._queue_passes([digest], author, evaluation=0)
        return True

    def gather_validation(self) -> None:
        """Order that a trainer validate on the evaluation slices it holds."""
        held = sorted(
            item.digest
            for item in self._notebook.memory.slices.values()
            if item.evaluation and item.held and not self._board.own_uses(item.digest)
        )
        if self._rules.role is Role.TRAINER and held:
            self._notebook.order(GatherValidation(tuple(held)))

    def fetch_failed(self, kind: FileKind, author: PeerId, digest: Digest) -> None:
        """Try again later; the same from another author at once."""
        self._fetching.discard((kind, digest))
        self._is_to_fetch = True
        self._backoff.failed((author, digest), self._notebook.now_s)
        if kind is FileKind.SLICE:
            self._backoff.failed(author, self._notebook.now_s)

    def content_refused(self, kind: FileKind, author: PeerId, digest: Digest) -> None:
        """Never try again; whoever signed it was charged."""
        self._done(kind, author, digest)
        if kind is FileKind.SLICE and digest in self._notebook.memory.slices:
            self._notebook.remove("slices", digest)
            self._drop_passes(digest)

    def _done(self, kind: FileKind, author: PeerId, digest: Digest) -> None:
        self._fetching.discard((kind, digest))
        self._is_to_fetch = True
        self._backoff.succeeded((author, digest))

    def _drop_passes(self, digest: Digest) -> None:
        for number in range(1, self._rules.passes + 1):
            self._passes.drop(digest, number)

    def recall(self, digest: Digest) -> None:
        """Drop passes that were begun before the state was lost, as others remember: each is one use, and was counted."""
        begun = self._notebook.memory.uses.get(digest, Uses(0)).begun
        for number in range(begun + 1, min(self._board.own_uses(digest), self._rules.passes) + 1):
            self._passes.drop(digest, number)

    def drop_overused(self) -> None:
        """Drop passes that may not begin any more, because their slice is known to be at its threshold."""
        to_check = dict.fromkeys((*self._to_check, *self._board.take_more_used()))
        self._to_check = {}
        for digest in to_check:
            uses = self._board.network_uses(digest) if self._passes.is_queued(digest) else 0
            if uses < self._rules.overuse_threshold:
                continue
            for number in range(self._board.own_uses(digest) + 1, self._rules.passes + 1):
                if self._passes.drop(digest, number):
                    self._notebook.note(SliceSkipped(digest, uses))
            self._forget_if_done(digest)

    def is_anything_to_begin(self) -> bool:
        """Say whether there is something to train on now."""
        return self._passes.is_any(self.spacing.may_begin)

    def begin(self) -> tuple[QueuedPass, ...]:
        """Choose the passes of a training cycle at random among those with the lowest number, and count them as uses.

        Random, so that peers that learn of the same slices at the same time do not all begin with the same one.
        """
        chosen = self._passes.choose(self._rules.slices_per_cycle, self.spacing.may_begin)
        for queued in chosen:
            self._count_use(queued)
        return chosen

    def _count_use(self, queued: QueuedPass) -> None:
        """Count a pass as begun; one that a crash interrupted was counted already."""
        if self._board.own_uses(queued.slice) >= queued.number:
            return
        self._notebook.put("uses", queued.slice, Uses(queued.number, self.spacing.next_turn()))
        self._to_check[queued.slice] = None
        item = self._notebook.memory.slices[queued.slice]
        if self._rules.sharing and (item.shared or not self._is_own(item)):
            self._board.announce(SliceUse(queued.slice, queued.number))
        self._notebook.note(SliceUsed(queued.slice, queued.number, self._board.network_uses(queued.slice)))

    def complete(self, passes: tuple[QueuedPass, ...]) -> None:
        """Take passes off the queue."""
        for queued in passes:
            self._passes.drop(queued.slice, queued.number)
            self._forget_if_done(queued.slice)

    def lose(self, lost: tuple[Digest, ...]) -> None:
        """Fetch foreign slices that are not here any more again; own ones are cut again at the next start."""
        for digest in lost:
            if digest in self._notebook.memory.slices:
                self._lose(self._notebook.memory.slices[digest])

    def _lose(self, item: KnownSlice) -> None:
        digest = item.digest
        self._drop_passes(digest)
        if self._is_own(item):
            self._notebook.remove("slices", digest)
            self._notebook.note(
                Notice(f"dataslice {digest[:8]} is gone from the state folder; its rows come back at the next start")
            )
        else:
            self.know(msgspec.structs.replace(item, held=False))

    def _forget_if_done(self, digest: Digest) -> None:
        item = self._notebook.memory.slices.get(digest)
        if item is None or not item.held or item.evaluation or self._is_own(item):
            return
        if not self._passes.is_queued(digest):
            self._notebook.order(ForgetSlice(digest))

    def next_due_s(self, now_s: float) -> float | None:
        """Return when the next failed fetch may be repeated."""
        return self._backoff.next_due_s(now_s) if self._rules.takes_slices else None
