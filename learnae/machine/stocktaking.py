"""What was stored and nobody remembers, found in the storages' own lists and released."""

from collections.abc import Iterator
from typing import Final

from learnae.machine import events
from learnae.machine.effects import (
    Effect,
    Keep,
    Save,
    SaveModel,
    StoreBoard,
    StoreHashlist,
    StoreModel,
    StoreSlices,
    TakeInventory,
)
from learnae.machine.fetching import Backoff
from learnae.machine.notebook import Notebook
from learnae.machine.offering import Offering
from learnae.machine.releasing import Releasing
from learnae.values.ids import Locator
from learnae.values.journal import Notice

STRAY: Final = "stray"
"""In the place of a table: files that stand in none."""

RELEASED_AT_ONCE: Final = 64
"""Strays in one order; for ``retry_s`` between two orders, what waits to be stored gets its turn."""

MODEL: Final = "model"
SHARING: Final = "sharing"
"""What orders may be about; storing many dataslices takes long, and nothing else waits for that."""


class StockTaking:
    """Takes an inventory when nothing is being stored or kept; until it and what follows is over, nothing new is.

    So whatever is listed then and stands in no table is nobody's: a run that was killed stored it and could not commit, it is
    left of a state that was lost, or storing it was said to have failed and was done nevertheless. There is one inventory after
    each start, and one some time after such a failure.
    """

    def __init__(self, notebook: Notebook, releasing: Releasing, offering: Offering) -> None:
        self._notebook = notebook
        self._releasing = releasing
        self._offering = offering
        self._backoff = Backoff(notebook.rules.retry_s)
        self._is_possible = False
        self._due_s: float | None = None
        self._is_under_way = False
        self._strays: tuple[Locator, ...] = ()
        self._at_work: dict[str, object] = {}
        """Orders to store or keep that were given and not answered yet, by what they are about."""
        self._held: dict[str, Effect] = {}
        """Such orders that wait for the inventory."""

    def begin(self, after_s: float) -> None:
        """Take an inventory after so many seconds."""
        self._is_possible = True
        self._due_s = self._notebook.now_s + after_s

    def pass_time(self) -> None:
        """Order the inventory, or the release of what it found, once nothing is being stored."""
        if not self._is_due() or self._is_under_way or self._is_anything_at_work():
            return
        self._is_under_way = True
        self._strays = self._unknown(self._strays)
        if self._strays:
            self._releasing.begin(STRAY, STRAY, self._strays[:RELEASED_AT_ONCE])
        else:
            self._notebook.order(TakeInventory())

    def _is_due(self) -> bool:
        return self._due_s is not None and self._due_s <= self._notebook.now_s

    def _is_anything_at_work(self) -> bool:
        if self._at_work.get(MODEL) != self._offering.storing_model:
            self._at_work.pop(MODEL, None)  # A later model overtook it: it may never be answered.
        return bool(self._at_work)

    def _unknown(self, locators: tuple[Locator, ...]) -> tuple[Locator, ...]:
        known = set(self._known()) if locators else set()
        return tuple(locator for locator in locators if locator not in known)

    def _known(self) -> Iterator[Locator]:
        memory = self._notebook.memory
        for offered in memory.offered.values():
            yield from offered.locators
        for file in memory.kept.values():
            yield from file.locators
        for item in memory.slices.values():
            if item.shared:
                yield from item.locators

    def inventory_taken(self, locators: tuple[Locator, ...]) -> None:
        """The storages said what they offer."""
        self._is_under_way = False
        self._strays = self._unknown(locators)
        if self._strays:
            text = f"releasing files that are left over from storing that was cut short: {len(self._strays)}"
            self._notebook.note(Notice(text))
        else:
            self._due_s = None
            self._backoff.succeeded(STRAY)

    def inventory_failed(self, reason: str) -> None:
        """Some storage did not: try again later, and let everything go on meanwhile."""
        if not self._backoff.has_failed(STRAY):
            self._notebook.note(Notice(f"cannot look for left-over files now, trying again: {reason}"))
        self._try_again()

    def _try_again(self) -> None:
        self._is_under_way = False
        self._strays = ()
        self._due_s = self._backoff.failed(STRAY, self._notebook.now_s)

    def released(self) -> None:
        """Strays are gone; once all are, it is over."""
        self._is_under_way = False
        self._strays = self._strays[RELEASED_AT_ONCE:]
        self._due_s = self._notebook.now_s + self._notebook.rules.retry_s if self._strays else None

    def release_failed(self) -> None:
        """Strays could not be released: look again later."""
        self._try_again()

    def answered(self, event: events.Event) -> None:
        """An order to store or keep may have been answered."""
        if isinstance(event, events.StoreFailed) and self._is_possible and self._due_s is None:
            self.begin(self._notebook.rules.retention_s)
        match event:
            case events.FileStored(kind=kind, digest=digest) | events.StoreFailed(kind=kind, digest=digest):
                if kind is not events.FileKind.MODEL or self._at_work.get(MODEL) == digest:
                    self._at_work.pop(_SUBJECTS[kind], None)
            case events.SlicesStored():
                self._at_work.pop(SHARING, None)
            case events.Kept(kind=kind, digest=digest) | events.KeepFailed(kind=kind, digest=digest):
                self._at_work.pop(f"{kind}/{digest}", None)
            case _:
                pass

    def pass_on(self, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        """Hold back what must not be stored or kept now; what was held back goes first once it may."""
        if not self._is_possible:
            return effects
        is_closed = self._is_under_way or (self._is_due() and SHARING not in self._at_work)
        passed: list[Effect] = []
        if not is_closed and self._held:
            saves = [effect for effect in effects if isinstance(effect, Save | SaveModel)]
            effects = (*saves, *self._held.values(), *effects[len(saves) :])
            self._held = {}
        for effect in effects:
            subject = _subject(effect)
            if subject is None:
                passed.append(effect)
            elif is_closed:
                self._held.pop(subject, None)
                self._held[subject] = effect
            else:
                self._at_work[subject] = effect.model if isinstance(effect, StoreModel) else True
                passed.append(effect)
        return tuple(passed)

    def next_due_s(self) -> float | None:
        """Return when the next inventory is due."""
        return self._due_s


_SUBJECTS: Final = {
    events.FileKind.MODEL: MODEL,
    events.FileKind.SLICE: SHARING,
    events.FileKind.HASHLIST: SHARING,
    events.FileKind.BOARD: "board",
}


def _subject(effect: Effect) -> str | None:
    """Name what an order to store or keep is about: of two about one thing, only the later matters; ``None`` for other orders."""
    match effect:
        case StoreModel():
            return MODEL
        case StoreSlices() | StoreHashlist():
            return SHARING
        case StoreBoard():
            return "board"
        case Keep(kind=kind, digest=digest):
            return f"{kind}/{digest}"
        case _:
            return None
