"""What a sharing peer offers of its own data: dataslices, and the hashlist that names them."""

from collections.abc import Callable
from typing import Final

import msgspec

from learnae.machine.board import Board
from learnae.machine.effects import StoreHashlist, StoreSlices
from learnae.machine.events import FileKind
from learnae.machine.fetching import Backoff
from learnae.machine.memory import KnownSlice
from learnae.machine.notebook import Notebook
from learnae.machine.offering import Offering
from learnae.machine.releasing import Releasing
from learnae.machine.slices import Slices
from learnae.values.announcements import HashlistEntry, HashlistOffer, SliceUse
from learnae.values.ids import Locator

SHARING: Final = "sharing"


class Sharing:
    """Orders one thing at a time, so that of two hashlists the later one is announced later; and again after a failure."""

    def __init__(self, notebook: Notebook, board: Board, slices: Slices, *, releasing: Releasing, offering: Offering) -> None:
        self._notebook = notebook
        self._board = board
        self._slices = slices
        self._releasing = releasing
        self._offering = offering
        self._backoff = Backoff(notebook.rules.retry_s)
        self._is_ordered = self._is_blocked = False
        self._is_to_do = True
        self._is_hashlist_old = False

    @property
    def is_under_way(self) -> bool:
        """Whether slices or a hashlist are on their way to where others can fetch them, or about to be."""
        return self._is_ordered or self._is_blocked

    def changed(self) -> None:
        """There may be something to offer."""
        self._is_to_do = True

    def pass_time(self) -> None:
        """Order what is not offered yet: slices first, then the hashlist; neither while the same files may be being released."""
        is_due = self._backoff.is_due(SHARING, self._notebook.now_s)
        if not self._notebook.rules.sharing or not self._is_to_do or self._is_ordered or not is_due:
            return
        own = self._slices.own()
        unshared = tuple((item.digest, item.evaluation) for item in own if not item.shared)
        shared = [item for item in own if item.shared]
        self._is_blocked = False
        if unshared:
            self._is_blocked = any(self._releasing.is_under_way(f"slice/{digest}") for digest, _ in unshared)
            self._order(StoreSlices(unshared))
        elif shared and not self._is_announced(len(shared)):
            self._is_blocked = self._releasing.is_any_under_way(FileKind.HASHLIST)
            self._order(StoreHashlist(_entries(shared)))
        else:
            self._is_to_do = False

    def _order(self, effect: StoreSlices | StoreHashlist) -> None:
        if self._is_blocked:
            return
        self._is_ordered = True
        if isinstance(effect, StoreHashlist):
            self._releasing.storing.add(FileKind.HASHLIST)
        self._notebook.order(effect)

    def _is_announced(self, shared: int) -> bool:
        """Say whether the hashlist that others know of is there and names all that is shared: after a crash the tables tell."""
        signed = self._notebook.memory.board.get(f"{self._notebook.rules.peer}/hashlist")
        content = None if signed is None else signed.announcement.content
        if self._is_hashlist_old or not isinstance(content, HashlistOffer) or content.slices != shared:
            return False
        return f"{FileKind.HASHLIST}/{content.digest}" in self._notebook.memory.offered

    def slices_stored(self, entries: tuple[HashlistEntry, ...]) -> None:
        """Own slices are offered: they belong on the hashlist, and their uses so far become known."""
        self._succeeded()
        for entry in entries:
            item = self._notebook.memory.slices.get(entry.digest)
            if item is None:
                # It was lost meanwhile, and will be cut again at the next start.
                self._offering.withdraw_slice(entry.digest, entry.locators)
                continue
            self._offering.slice_stored(entry.digest, entry.locators)
            self._is_hashlist_old = True
            self._slices.know(msgspec.structs.replace(item, locators=entry.locators, shared=True))
            if uses := self._board.own_uses(entry.digest):
                self._board.announce(SliceUse(entry.digest, uses))

    def hashlist_stored(self) -> None:
        """The hashlist is offered."""
        self._succeeded()
        self._is_hashlist_old = False

    def _succeeded(self) -> None:
        self._backoff.succeeded(SHARING)
        self._ended()

    def _ended(self) -> None:
        self._releasing.storing.discard(FileKind.HASHLIST)
        self._is_ordered = False

    def failed(self) -> None:
        """Slices or the hashlist could not be offered: try again later."""
        self._backoff.failed(SHARING, self._notebook.now_s)
        self._ended()

    def lost(self, is_lost: Callable[[tuple[Locator, ...]], bool]) -> int:
        """Offer own slices again that are gone from their storage, and the hashlist; return how many slices these are."""
        lost = [item for item in self._slices.own() if item.shared and is_lost(item.locators)]
        for item in lost:
            self._slices.know(msgspec.structs.replace(item, locators=(), shared=False))
        self._is_to_do = True
        return len(lost)

    def overtaken(self) -> None:
        """The state was lost, and others may remember an own hashlist from before: say anew what holds."""
        if self._notebook.rules.sharing:
            self._is_hashlist_old = self._is_to_do = True
        else:
            self._offering.withdraw_hashlist()

    def withdraw(self) -> None:
        """Stop offering own slices, if any were offered, where the operator does not share any more."""
        shared = [item for item in self._slices.own() if item.shared]
        if self._notebook.rules.sharing or not shared:
            return
        for item in shared:
            self._slices.know(msgspec.structs.replace(item, locators=(), shared=False))
            self._offering.withdraw_slice(item.digest, item.locators)
        self._offering.withdraw_hashlist()

    def next_due_s(self, now_s: float) -> float | None:
        """Return when what failed may be repeated."""
        return self._backoff.next_due_s(now_s)


def _entries(shared: list[KnownSlice]) -> tuple[HashlistEntry, ...]:
    ordered = sorted(shared, key=lambda item: item.digest)
    return tuple(HashlistEntry(item.digest, item.rows, item.evaluation, item.locators) for item in ordered)
