"""What the peer offers to others: the parts that must agree on it, together."""

from learnae.machine import events
from learnae.machine.board import Board
from learnae.machine.effects import Effect
from learnae.machine.events import FileKind
from learnae.machine.keeping import Keeping
from learnae.machine.notebook import Notebook
from learnae.machine.offering import Offering
from learnae.machine.releasing import FOREIGN, OWN, Releasing
from learnae.machine.restocking import Restocking
from learnae.machine.retiring import Retiring
from learnae.machine.sharing import Sharing
from learnae.machine.slices import Slices
from learnae.machine.stocktaking import StockTaking
from learnae.values.journal import Notice


class Files:
    """Own and foreign files that are offered, and the answers to the orders about them.

    Attributes:
        offering: Publishes the model, the board and presence.
        sharing: Publishes dataslices and the hashlist.
        keeping: Offers what was fetched from others.
    """

    def __init__(self, notebook: Notebook, board: Board, slices: Slices) -> None:
        self._notebook = notebook
        self._board = board
        self._releasing = Releasing(notebook)
        self._retiring = Retiring(notebook, self._releasing)
        self.offering = Offering(notebook, board, self._releasing, self._retiring)
        self.sharing = Sharing(notebook, board, slices, releasing=self._releasing, offering=self.offering)
        self.keeping = Keeping(
            notebook,
            board,
            releasing=self._releasing,
            retiring=self._retiring,
            offering=self.offering,
        )
        self._stock = StockTaking(notebook, self._releasing, self.offering)
        self._restocking = Restocking(notebook, offering=self.offering, sharing=self.sharing, keeping=self.keeping)

    def appear(self) -> None:
        """Say what holds now, and go on saying it."""
        self.offering.resume()
        self._retiring.resume()
        self.sharing.withdraw()
        self._board.announce_again("model", "hashlist")
        self.offering.publish_model()

    def take_stock(self, after_s: float) -> None:
        """Look, after so many seconds, for files that nobody remembers."""
        self._stock.begin(after_s)

    def take_in(self, event: events.Event) -> None:
        """Take in the answer to an order about files."""
        self._stock.answered(event)
        match event:
            case events.FileStored():
                self.offering.stored(event)
                if event.kind is FileKind.HASHLIST:
                    self.sharing.hashlist_stored()
            case events.StoreFailed():
                self._store_failed(event)
            case events.SlicesStored(entries=entries):
                self.sharing.slices_stored(entries)
            case events.Kept():
                self.keeping.kept(event)
            case events.KeepFailed():
                self.keeping.keep_failed(event)
            case events.FilesReleased():
                self._released(event)
            case events.ReleaseFailed():
                self._release_failed(event)
            case events.InventoryTaken(locators=locators):
                self._stock.inventory_taken(locators)
                self._restocking.inventory_taken(event)
            case events.InventoryFailed(reason=reason):
                self._stock.inventory_failed(reason)
            case _:
                raise AssertionError(event)  # pragma: no cover - the transition table knows every event

    def _store_failed(self, event: events.StoreFailed) -> None:
        self._notebook.note(Notice(f"cannot offer {event.kind} {event.digest[:8]} now, trying again: {event.reason}"))
        if event.kind in (FileKind.MODEL, FileKind.BOARD):
            self.offering.store_failed(event)
        else:
            self.sharing.failed()

    def _released(self, event: events.FilesReleased) -> None:
        for table, key in self._releasing.ended(event.locators):
            if table == OWN:
                self.offering.released(self._retiring.released(key))
            elif table == FOREIGN:
                self.keeping.released(key)
            else:
                self._stock.released()

    def _release_failed(self, event: events.ReleaseFailed) -> None:
        for table, key in self._releasing.ended(event.locators):
            if table == OWN:
                self._retiring.release_failed(key, event.reason)
            elif table == FOREIGN:
                self.keeping.release_failed(key, event.reason)
            else:
                self._stock.release_failed()

    def pass_time(self) -> None:
        """Do what is due."""
        self._retiring.pass_time()
        self.offering.pass_time()
        self.sharing.pass_time()
        self.keeping.pass_time()
        self._stock.pass_time()

    def pass_on(self, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        """Hold back what must not be stored or kept now."""
        return self._stock.pass_on(effects)

    def next_due_s(self, now_s: float) -> float | None:
        """Return when something is due next."""
        due = [
            self.offering.next_due_s(),
            self._retiring.next_due_s(),
            self.sharing.next_due_s(now_s),
            self.keeping.next_due_s(now_s),
            self._stock.next_due_s(),
        ]
        return min((due_s for due_s in due if due_s is not None and due_s > now_s), default=None)
