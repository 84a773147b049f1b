"""Dataslices: own and foreign, their queue, their uses, the overuse threshold (paper, section 4.2)."""

from collections.abc import Iterator

import msgspec

from learnae.machine.board import Board
from learnae.machine.effects import Fetch, ForgetSlice, GatherValidation, Release, StoreHashlist, StoreSlices
from learnae.machine.events import CutSlice, FileKind
from learnae.machine.fetching import Backoff
from learnae.machine.memory import KnownSlice, QueuedPass, Uses
from learnae.machine.notebook import Notebook
from learnae.machine.rules import Rules
from learnae.values.announcements import HashlistEntry, SliceUse
from learnae.values.choices import Role
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import Notice, SliceSkipped, SlicesQueued, SliceUsed


class Slices:
    """Knows the slices, queues passes over them, and says which may begin."""

    def __init__(self, notebook: Notebook, board: Board) -> None:
        self._notebook = notebook
        self._board = board
        self._backoff = Backoff(notebook.rules.retry_s)
        self._fetching: set[Digest] = set()
        self._read_hashlists: set[Digest] = set()

    @property
    def _rules(self) -> Rules:
        return self._notebook.rules

    def cut(self, cut: tuple[CutSlice, ...]) -> bool:
        """Take own slices in; return whether there were new ones."""
        new = [item for item in cut if not self._is_held(item.digest)]
        for item in new:
            self._know(KnownSlice(item.digest, self._rules.peer, item.rows, item.evaluation, held=True))
        self._queue_passes(
            [item.digest for item in new if not item.evaluation], self._rules.peer, evaluation=sum(i.evaluation for i in new)
        )
        if self._rules.sharing and self.unshared():
            self.share()
        return bool(new)

    def _is_held(self, digest: Digest) -> bool:
        known = self._notebook.memory.slices.get(digest)
        return known is not None and known.held

    def _know(self, item: KnownSlice) -> None:
        self._notebook.put("slices", item.digest, item)

    def _queue_passes(self, digests: list[Digest], author: PeerId, *, evaluation: int) -> None:
        slices = self._notebook.memory.slices
        passes = 0
        if self._rules.role is not Role.FEEDER:
            for digest in digests:
                for number in range(self._board.own_uses(digest) + 1, self._rules.passes + 1):
                    self._notebook.put("queue", f"{digest}/{number}", QueuedPass(digest, number))
                    passes += 1
        if digests or evaluation:
            rows = sum(slices[digest].rows for digest in digests)
            self._notebook.note(SlicesQueued(len(digests), passes, rows, evaluation, author))

    def own(self) -> tuple[KnownSlice, ...]:
        """Return the slices that this peer cut."""
        return tuple(item for item in self._notebook.memory.slices.values() if self._is_own(item))

    def unshared(self) -> tuple[tuple[Digest, bool], ...]:
        """Name the own slices that are not offered yet."""
        return tuple(
            (item.digest, item.evaluation)
            for item in self._notebook.memory.slices.values()
            if self._is_own(item) and not item.shared
        )

    def _is_own(self, item: KnownSlice) -> bool:
        return item.author == self._rules.peer

    def share(self) -> None:
        """Order that own slices be offered."""
        self._notebook.order(StoreSlices(self.unshared()))

    def shared(self, entries: tuple[HashlistEntry, ...]) -> None:
        """Own slices are offered: put them on the hashlist and order that it be offered."""
        for entry in entries:
            item = self._notebook.memory.slices[entry.digest]
            self._know(msgspec.structs.replace(item, locators=entry.locators, shared=True))
        self.offer_hashlist()

    def offer_hashlist(self) -> None:
        """Order that the own hashlist be offered."""
        own = sorted(
            (item for item in self._notebook.memory.slices.values() if self._is_own(item) and item.shared),
            key=lambda item: item.digest,
        )
        self._notebook.order(
            StoreHashlist(tuple(HashlistEntry(item.digest, item.rows, item.evaluation, item.locators) for item in own))
        )

    def fetch(self) -> None:
        """Order what is missing and due: hashlists first, then their slices, up to ``max_fetches`` at once."""
        if not self._rules.takes_slices:
            return
        for fetch in self._missing():
            if len(self._fetching) >= self._rules.max_fetches:
                return
            self._fetching.add(fetch.digest)
            self._notebook.order(fetch)

    def _missing(self) -> Iterator[Fetch]:
        now_s = self._notebook.now_s
        for author, offer in self._board.hashlists():
            if offer.digest not in self._read_hashlists and self._may_fetch(offer.digest, now_s):
                yield Fetch(FileKind.HASHLIST, author, offer.digest, offer.locators)
        for item in self._notebook.memory.slices.values():
            wanted = not item.held and self._may_fetch(item.digest, now_s) and self._board.is_admitted(item.author)
            if wanted and (item.evaluation or self._board.network_uses(item.digest) < self._rules.overuse_threshold):
                yield Fetch(FileKind.SLICE, item.author, item.digest, item.locators)

    def _may_fetch(self, digest: Digest, now_s: float) -> bool:
        return digest not in self._fetching and not self._board.is_refused(digest) and self._backoff.is_due(digest, now_s)

    def hashlist_fetched(self, author: PeerId, digest: Digest, entries: tuple[HashlistEntry, ...]) -> bool:
        """Take a hashlist in; return whether it names slices that were not known."""
        self._done(digest)
        self._read_hashlists.add(digest)
        slices = self._notebook.memory.slices
        wants_evaluation = self._rules.role is Role.TRAINER
        new = [
            e
            for e in entries
            if e.digest not in slices and not self._board.is_refused(e.digest) and (wants_evaluation or not e.evaluation)
        ]
        for entry in new:
            self._know(KnownSlice(entry.digest, author, entry.rows, entry.evaluation, held=False, locators=entry.locators))
        for entry in entries:
            known = slices.get(entry.digest)
            if entry.evaluation and known is not None and not known.evaluation and not self._is_own(known):
                self._set_aside(known)
        return bool(new)

    def _set_aside(self, item: KnownSlice) -> None:
        """Nobody trains on a slice that anybody marks as for evaluation."""
        self._know(msgspec.structs.replace(item, evaluation=True))
        self._drop_passes(item.digest)

    def slice_fetched(self, author: PeerId, digest: Digest, rows: int) -> None:
        """Take a foreign slice in: queue it, or validate on it."""
        self._done(digest)
        item = self._notebook.memory.slices.get(digest)
        if item is None or item.held:
            return
        self._know(msgspec.structs.replace(item, held=True, rows=rows))
        if item.evaluation:
            self._queue_passes([], author, evaluation=1)
            self.gather_validation()
        else:
            self._queue_passes([digest], author, evaluation=0)

    def gather_validation(self) -> None:
        """Order that a trainer validate on the evaluation slices it holds."""
        held = sorted(item.digest for item in self._notebook.memory.slices.values() if item.evaluation and item.held)
        if self._rules.role is Role.TRAINER and held:
            self._notebook.order(GatherValidation(tuple(held)))

    def fetch_failed(self, digest: Digest) -> None:
        """Try again later."""
        self._fetching.discard(digest)
        self._backoff.failed(digest, self._notebook.now_s)

    def content_refused(self, digest: Digest) -> None:
        """Never try again; whoever signed it was charged."""
        self._done(digest)
        if digest in self._notebook.memory.slices:
            self._notebook.remove("slices", digest)
            self._drop_passes(digest)

    def _done(self, digest: Digest) -> None:
        self._fetching.discard(digest)
        self._backoff.succeeded(digest)

    def _drop_passes(self, digest: Digest) -> None:
        for number in range(1, self._rules.passes + 1):
            if f"{digest}/{number}" in self._notebook.memory.queue:
                self._notebook.remove("queue", f"{digest}/{number}")

    def drop_overused(self) -> None:
        """Drop passes that may not begin any more, because their slice is known to be at its threshold."""
        queue = self._notebook.memory.queue
        for digest in dict.fromkeys(queued.slice for queued in queue.values()):
            uses = self._board.network_uses(digest)
            if uses < self._rules.overuse_threshold:
                continue
            for number in range(self._board.own_uses(digest) + 1, self._rules.passes + 1):
                if queue.get(f"{digest}/{number}") is not None:
                    self._notebook.remove("queue", f"{digest}/{number}")
                    self._notebook.note(SliceSkipped(digest, uses))
            self._forget_if_done(digest)

    def is_anything_queued(self) -> bool:
        """Say whether there is something to train on."""
        return bool(self._notebook.memory.queue)

    def begin(self) -> tuple[QueuedPass, ...]:
        """Choose the passes of a training cycle at random among those with the lowest number, and count them as uses.

        Random, so that peers that learn of the same slices at the same time do not all begin with the same one.
        """
        chosen: list[QueuedPass] = []
        left = sorted(self._notebook.memory.queue.values(), key=lambda queued: (queued.number, queued.slice))
        while left and len(chosen) < self._rules.slices_per_cycle:
            lowest = [queued for queued in left if queued.number == left[0].number]
            queued = lowest[self._notebook.draw(len(lowest))]
            chosen.append(queued)
            left = [other for other in left if other.slice != queued.slice]
        for queued in chosen:
            self._count_use(queued)
        return tuple(chosen)

    def _count_use(self, queued: QueuedPass) -> None:
        """Count a pass as begun; one that a crash interrupted was counted already."""
        if self._board.own_uses(queued.slice) >= queued.number:
            return
        self._notebook.put("uses", queued.slice, Uses(queued.number))
        item = self._notebook.memory.slices[queued.slice]
        if self._rules.sharing and (item.shared or not self._is_own(item)):
            self._board.announce(SliceUse(queued.slice, queued.number))
        self._notebook.note(SliceUsed(queued.slice, queued.number, self._board.network_uses(queued.slice)))

    def complete(self, passes: tuple[QueuedPass, ...]) -> None:
        """Take passes off the queue."""
        for queued in passes:
            key = f"{queued.slice}/{queued.number}"
            if key in self._notebook.memory.queue:
                self._notebook.remove("queue", key)
            self._forget_if_done(queued.slice)

    def lost(self, digest: Digest) -> None:
        """The rows of a slice are not here any more: fetch a foreign one again; an own one is cut again at the next start."""
        item = self._notebook.memory.slices[digest]
        self._drop_passes(digest)
        if self._is_own(item):
            self._notebook.remove("slices", digest)
            self._notebook.note(
                Notice(f"dataslice {digest[:8]} is gone from the state folder; its rows come back at the next start")
            )
        else:
            self._know(msgspec.structs.replace(item, held=False))

    def withdraw(self) -> bool:
        """Stop offering own slices, because the operator does not share any more; return whether any were offered."""
        shared = [item for item in self._notebook.memory.slices.values() if item.shared]
        for item in shared:
            self._know(msgspec.structs.replace(item, locators=(), shared=False))
            self._notebook.order(Release(item.locators))
        return bool(shared)

    def _forget_if_done(self, digest: Digest) -> None:
        item = self._notebook.memory.slices.get(digest)
        queued = any(queued.slice == digest for queued in self._notebook.memory.queue.values())
        if item is not None and item.held and not queued and not item.evaluation and not self._is_own(item):
            self._notebook.order(ForgetSlice(digest))

    def next_due_s(self, now_s: float) -> float | None:
        """Return when the next failed fetch may be repeated."""
        return self._backoff.next_due_s(now_s) if self._rules.takes_slices else None
