"""What the peer shows of itself: its model, its board, its presence; and the retirement of what is no longer current."""

from typing import Final

import msgspec

from learnae.machine.board import Board
from learnae.machine.effects import Release, StoreBoard, StoreModel
from learnae.machine.events import FileKind, FilesReleased, FileStored, ReleaseFailed, StoreFailed
from learnae.machine.fetching import Backoff
from learnae.machine.memory import Offered
from learnae.machine.notebook import Notebook
from learnae.values.announcements import HashlistOffer, ModelOffer, ModelRecord, Presence, Retirement
from learnae.values.choices import Role
from learnae.values.ids import Digest, Locator
from learnae.values.journal import ModelPublished, Notice

BOARDS_KEPT: Final = 4
"""Presence intervals for which a superseded board stays: whoever heard of it has fetched it by then, or heard of the next."""


class Offering:
    """Publishes, and retires after ``retention_s``. The times are of this run: a restart begins them anew."""

    def __init__(self, notebook: Notebook, board: Board) -> None:
        self._notebook = notebook
        self._board = board
        self._due_s: dict[str, float] = {}
        self._releasing: set[str] = set()
        self._backoff = Backoff(notebook.rules.retry_s)
        self._storing_model: Digest | None = None
        self._presence_due_s: float | None = None
        self._is_board_stored_for: int | None = None
        self._is_storing_board = False
        self._model_again_s: float | None = None
        self._board_file: tuple[Digest, tuple[Locator, ...]] | None = None

    def resume(self) -> None:
        """Go on after a start: presence is due at once, and what was superseded before runs out its time."""
        self._presence_due_s = self._notebook.now_s
        for key, offered in self._notebook.memory.offered.items():
            if offered.kind is FileKind.BOARD or offered.superseded:
                self._supersede(key)

    @property
    def is_storing_model(self) -> bool:
        """Whether the own model is on its way to where others can fetch it."""
        return self._storing_model is not None or f"model/{self._notebook.own.model}" in self._releasing

    def publish_model(self) -> None:
        """Order that the own model be offered, unless it is offered already."""
        self._model_again_s = self._storing_model = None
        own = self._notebook.own
        if self._notebook.rules.role is Role.FEEDER or own.score is None:
            return
        offered = self._notebook.memory.offered.get(f"model/{own.model}")
        if offered is None:
            self._storing_model = own.model
            self._notebook.order(StoreModel(own.model))
        else:
            self._make_current(offered)
            self._offer_model(offered)

    def _offer_model(self, offered: Offered) -> None:
        own = self._notebook.own
        if own.score is None:
            return
        record = ModelRecord(own.model, own.score, own.maturity)
        known = self._notebook.memory.board.get(f"{self._notebook.rules.peer}/model")
        offer = ModelOffer(record, offered.locators)
        if known is None or known.announcement.content != offer:
            self._board.announce(offer)

    def stored(self, event: FileStored) -> None:
        """A file is available: announce it, and let the one before it run out."""
        offered = Offered(event.kind, event.digest, event.locators)
        if event.digest == self._storing_model:
            self._storing_model = None
        if event.kind is FileKind.MODEL and event.digest != self._notebook.own.model:
            key = f"{event.kind}/{event.digest}"
            self._notebook.put("offered", key, offered)
            self._supersede(key)
            return
        self._make_current(offered)
        match event.kind:
            case FileKind.MODEL:
                self._offer_model(offered)
                self._notebook.note(ModelPublished(event.digest, self._notebook.own.maturity, event.size))
            case FileKind.HASHLIST:
                count = sum(1 for item in self._notebook.memory.slices.values() if item.shared)
                self._board.announce(HashlistOffer(event.digest, event.locators, count))
            case _:
                self._is_storing_board = False
                self._board_file = (event.digest, event.locators)
                self._announce_presence()

    def _make_current(self, offered: Offered) -> None:
        """Offer this one; let the others of its kind run out."""
        for key, other in self._notebook.memory.offered.items():
            if other.kind is offered.kind and other.digest != offered.digest and not other.superseded:
                self._supersede(key)
        key = f"{offered.kind}/{offered.digest}"
        self._due_s.pop(key, None)
        current = msgspec.structs.replace(offered, superseded=False)
        if self._notebook.memory.offered.get(key) != current:
            self._notebook.put("offered", key, current)

    def store_failed(self, event: StoreFailed) -> None:
        """Try again: the model after ``retry_s``, the board when presence is next due."""
        if event.kind is FileKind.MODEL:
            if event.digest == self._storing_model:
                self._storing_model = None
            self._model_again_s = self._notebook.now_s + self._notebook.rules.retry_s
        else:
            self._is_storing_board = False
            self._is_board_stored_for = None
            self._announce_presence()

    def _supersede(self, key: str) -> None:
        rules = self._notebook.rules
        offered = self._notebook.memory.offered[key]
        if not offered.superseded:
            self._notebook.put("offered", key, msgspec.structs.replace(offered, superseded=True))
        kept_s = rules.retention_s
        if offered.kind is FileKind.BOARD:
            kept_s = min(kept_s, BOARDS_KEPT * rules.presence_interval_s)
        elif offered.kind is FileKind.SLICE and not rules.sharing:
            kept_s = 0.0
        self._due_s[key] = self._notebook.now_s + kept_s

    def pass_time(self) -> None:
        """Do what is due: presence with the board, a repeated publication, retirements."""
        now_s = self._notebook.now_s
        for key in [key for key, due_s in self._due_s.items() if due_s <= now_s]:
            self._release(key)
        if self._model_again_s is not None and self._model_again_s <= now_s:
            self.publish_model()
        if self._presence_due_s is not None and self._presence_due_s <= now_s:
            self._presence_due_s = now_s + self._notebook.rules.presence_interval_s
            self.show_presence()

    def show_presence(self) -> None:
        """Announce presence, after the board was stored if it changed."""
        if self._is_storing_board:
            return
        is_old = self._is_board_stored_for != self._board.version
        if is_old and (entries := self._board.shareable()):
            self._is_board_stored_for = self._board.version
            self._is_storing_board = True
            self._notebook.order(StoreBoard(entries))
        else:
            self._announce_presence()

    def leave(self) -> None:
        """Announce that the peer stops."""
        if self._presence_due_s is not None:
            self._announce_presence(leaving=True)

    def _announce_presence(self, *, leaving: bool = False) -> None:
        digest, locators = self._board_file or (None, ())
        self._board.announce(Presence(self._notebook.rules.role, leaving, digest, locators))

    @property
    def board_digest(self) -> Digest | None:
        """The digest of the board as it was last stored."""
        return self._board_file[0] if self._board_file else None

    def _release(self, key: str) -> None:
        """Order the release; the record stays until it is known to have happened."""
        del self._due_s[key]
        offered = self._notebook.memory.offered[key]
        if offered.kind is FileKind.SLICE and self._is_to_be_shared(offered.digest):
            self._supersede(key)
            return
        self._releasing.add(key)
        self._notebook.order(Release(offered.locators))

    def _is_to_be_shared(self, digest: Digest) -> bool:
        """Say whether a slice is about to be stored, perhaps where it was before."""
        known = self._notebook.memory.slices.get(digest)
        return self._notebook.rules.sharing and known is not None and not known.shared

    def _take_releasing(self, locators: tuple[Locator, ...]) -> list[str]:
        offered = self._notebook.memory.offered
        keys = sorted(key for key in self._releasing if offered[key].locators == locators)
        self._releasing.difference_update(keys)
        return keys

    def released(self, event: FilesReleased) -> bool:
        """Files are gone; return whether the current hashlist is among them, because it was stored again meanwhile."""
        gone = [self._notebook.memory.offered[key] for key in self._take_releasing(event.locators)]
        for offered in gone:
            key = f"{offered.kind}/{offered.digest}"
            self._backoff.succeeded(key)
            self._notebook.remove("offered", key)
            if offered.kind is FileKind.MODEL and offered.digest == self._notebook.own.model:
                self.publish_model()
            elif offered.kind is FileKind.BOARD and not offered.superseded:
                self._is_board_stored_for = None
        return any(offered.kind is FileKind.HASHLIST and not offered.superseded for offered in gone)

    def release_failed(self, event: ReleaseFailed) -> None:
        """Try again later, unless it became current meanwhile."""
        for key in self._take_releasing(event.locators):
            if not self._notebook.memory.offered[key].superseded:
                continue
            if not self._backoff.has_failed(key):
                reason = f"{key[: key.index('/') + 9]} cannot be released now, trying again: {event.reason}"
                self._notebook.note(Notice(reason))
            self._due_s[key] = self._backoff.failed(key, self._notebook.now_s)

    def withdraw_slice(self, digest: Digest, locators: tuple[Locator, ...]) -> None:
        """Have a slice released that is not shared any more."""
        key = f"{FileKind.SLICE}/{digest}"
        self._notebook.put("offered", key, Offered(FileKind.SLICE, digest, locators, superseded=True))
        self._supersede(key)

    def slice_stored(self, digest: Digest, locators: tuple[Locator, ...]) -> None:
        """A slice is shared: if it was withdrawn before and not released yet, its file stays now."""
        key = f"{FileKind.SLICE}/{digest}"
        offered = self._notebook.memory.offered.get(key)
        if offered is not None and offered.locators == locators:
            self._due_s.pop(key, None)
            self._notebook.remove("offered", key)

    def withdraw_hashlist(self) -> None:
        """Retire the hashlist: nothing of it is shared any more."""
        for key, offered in list(self._notebook.memory.offered.items()):
            if offered.kind is FileKind.HASHLIST and not offered.superseded:
                self._supersede(key)
        if f"{self._notebook.rules.peer}/hashlist" in self._notebook.memory.board:
            self._board.announce(Retirement("hashlist"))

    def next_due_s(self) -> float | None:
        """Return when something is due next."""
        due = [*self._due_s.values(), self._presence_due_s, self._model_again_s]
        return min((due_s for due_s in due if due_s is not None), default=None)
