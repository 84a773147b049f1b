"""What the peer shows of itself: its model, its board, its presence."""

from collections.abc import Callable

import msgspec

from learnae.machine.board import Board
from learnae.machine.effects import StoreBoard, StoreModel
from learnae.machine.events import FileKind, FileStored, StoreFailed
from learnae.machine.memory import Offered
from learnae.machine.notebook import Notebook
from learnae.machine.releasing import OWN, Releasing
from learnae.machine.retiring import Retiring
from learnae.values.announcements import HashlistOffer, ModelOffer, ModelRecord, Presence, Retirement
from learnae.values.choices import Role
from learnae.values.ids import Digest, Locator
from learnae.values.journal import ModelPublished


class Offering:
    """Publishes; what it replaces is retired.

    Attributes:
        storing_model: The digest of the model that is on its way to where others can fetch it.
    """

    def __init__(self, notebook: Notebook, board: Board, releasing: Releasing, retiring: Retiring) -> None:
        self._notebook = notebook
        self._board = board
        self._releasing = releasing
        self._retiring = retiring
        self.storing_model: Digest | None = None
        self._is_model_waiting = False
        self._presence_due_s: float | None = None
        self._is_board_stored_for: int | None = None
        self._is_board_waiting = False
        self._model_again_s: float | None = None
        self._board_file: tuple[Digest, tuple[Locator, ...]] | None = None

    def resume(self) -> None:
        """Go on after a start: presence is due at once."""
        self._presence_due_s = self._notebook.now_s

    @property
    def is_storing_model(self) -> bool:
        """Whether the own model is on its way to where others can fetch it."""
        return self.storing_model is not None or self._releasing.is_under_way(f"model/{self._notebook.own.model}", OWN)

    def publish_model(self) -> None:
        """Order that the own model be offered, unless it is offered already."""
        self._model_again_s = self.storing_model = None
        self._is_model_waiting = False
        own = self._notebook.own
        if self._notebook.rules.role is Role.FEEDER or own.score is None:
            return
        offered = self._notebook.memory.offered.get(f"model/{own.model}")
        if offered is None:
            self.storing_model = own.model
            self._is_model_waiting = True
            self._store_model()
        else:
            self._make_current(offered)
            self._offer_model(offered)

    def _store_model(self) -> None:
        """Order it, but not while the same model, kept as a foreign one until now, is being released."""
        own = self._notebook.own
        if self._is_model_waiting and not self._releasing.is_under_way(f"model/{own.model}"):
            self._is_model_waiting = False
            self._notebook.order(StoreModel(own.model))

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
        if event.digest == self.storing_model:
            self.storing_model = None
        if event.kind is FileKind.MODEL and event.digest != self._notebook.own.model:
            key = f"{event.kind}/{event.digest}"
            self._notebook.put("offered", key, offered)
            self._retiring.supersede(key)
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
                self._releasing.storing.discard(FileKind.BOARD)
                self._board_file = (event.digest, event.locators)
                self._announce_presence()

    def _make_current(self, offered: Offered) -> None:
        """Offer this one; let the others of its kind run out."""
        for key, other in self._notebook.memory.offered.items():
            if other.kind is offered.kind and other.digest != offered.digest and not other.superseded:
                self._retiring.supersede(key)
        key = f"{offered.kind}/{offered.digest}"
        self._retiring.reprieve(key)
        current = msgspec.structs.replace(offered, superseded=False, serial=0)
        if self._notebook.memory.offered.get(key) != current:
            self._notebook.put("offered", key, current)

    def store_failed(self, event: StoreFailed) -> None:
        """Try again: the model after ``retry_s``, the board when presence is next due."""
        if event.kind is FileKind.MODEL:
            if event.digest == self.storing_model:
                self.storing_model = None
            self._model_again_s = self._notebook.now_s + self._notebook.rules.retry_s
        else:
            self._releasing.storing.discard(FileKind.BOARD)
            self._is_board_stored_for = None
            self._announce_presence()

    def pass_time(self) -> None:
        """Do what is due: presence with the board, a repeated publication."""
        now_s = self._notebook.now_s
        self._store_model()
        if self._model_again_s is not None and self._model_again_s <= now_s:
            self.publish_model()
        if self._presence_due_s is not None and self._presence_due_s <= now_s:
            self._presence_due_s = now_s + self._notebook.rules.presence_interval_s
            self.show_presence()
        elif self._is_board_waiting and not self._releasing.is_any_under_way(FileKind.BOARD):
            self.show_presence()

    def show_presence(self) -> None:
        """Announce presence, after the board was stored if it changed."""
        if FileKind.BOARD in self._releasing.storing:
            return
        is_old = self._is_board_stored_for != self._board.version
        self._is_board_waiting = is_old and self._releasing.is_any_under_way(FileKind.BOARD)
        if is_old and not self._is_board_waiting and (entries := self._board.shareable()):
            self._is_board_stored_for = self._board.version
            self._releasing.storing.add(FileKind.BOARD)
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

    def released(self, gone: Offered) -> None:
        """A file is gone; if it is the own model, because it became so again meanwhile, store it anew."""
        if gone.kind is FileKind.MODEL and gone.digest == self._notebook.own.model:
            self.publish_model()

    def lost(self, is_lost: Callable[[tuple[Locator, ...]], bool]) -> int:
        """Forget own files that are gone from their storage, and offer the current ones again; return how many these are.

        What is being released is left alone. Of replaced ones the bytes are not at hand; nobody is told of them any more.
        """
        lost = {
            key: offered
            for key, offered in self._notebook.memory.offered.items()
            if is_lost(offered.locators) and not self._releasing.is_under_way(key, OWN)
        }
        for key, offered in lost.items():
            self._retiring.forget(key)
            if offered.kind is FileKind.BOARD:
                self._is_board_stored_for = None
        if f"{FileKind.MODEL}/{self._notebook.own.model}" in lost:
            self.publish_model()
        return sum(not offered.superseded for offered in lost.values())

    def withdraw_slice(self, digest: Digest, locators: tuple[Locator, ...]) -> None:
        """Have a slice released that is not shared any more."""
        key = f"{FileKind.SLICE}/{digest}"
        self._notebook.put("offered", key, Offered(FileKind.SLICE, digest, locators, superseded=True))
        self._retiring.supersede(key)

    def slice_stored(self, digest: Digest, locators: tuple[Locator, ...]) -> None:
        """A slice is shared: if it was withdrawn before and not released yet, its file stays now."""
        key = f"{FileKind.SLICE}/{digest}"
        offered = self._notebook.memory.offered.get(key)
        if offered is not None and offered.locators == locators:
            self._retiring.forget(key)

    def withdraw_hashlist(self) -> None:
        """Retire the hashlist: nothing of it is shared any more."""
        for key, offered in list(self._notebook.memory.offered.items()):
            if offered.kind is FileKind.HASHLIST and not offered.superseded:
                self._retiring.supersede(key)
        if f"{self._notebook.rules.peer}/hashlist" in self._notebook.memory.board:
            self._board.announce(Retirement("hashlist"))

    def next_due_s(self) -> float | None:
        """Return when something is due next."""
        due = [self._presence_due_s, self._model_again_s]
        return min((due_s for due_s in due if due_s is not None), default=None)
