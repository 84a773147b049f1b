"""What comes from others: announcements and boards are merged, and what follows from them is said or done."""

from enum import StrEnum
from typing import Final

from learnae.machine.board import Board, Verdict
from learnae.machine.catching import CatchingUp
from learnae.machine.events import BoardFetched, FetchFailed, FileKind
from learnae.machine.folding import Folding
from learnae.machine.notebook import Notebook
from learnae.machine.slices import Slices
from learnae.values import journal
from learnae.values.announcements import Content, HashlistOffer, ModelOffer, SignedAnnouncement, SliceUse
from learnae.values.choices import Role

CLONED: Final = (
    "another process signs with this peer's key: its state folder was copied, or an old copy of it was restored. "
    "Let only one of them run, and remove its peer.sqlite, so that it takes up its numbers from the other peers; a copy "
    "becomes a peer of its own when its identity.key is removed too"
)


class Import(StrEnum):
    """What announcements mean to this peer."""

    NOTHING = "nothing"
    """Known, unwanted, or of no consequence to a peer that has nothing to do."""
    NEWS = "news"
    """Worth waking for."""
    CLONE = "clone"
    """Somebody else signs with this peer's key."""


class Hearing:
    """Takes in what others say, and what others remember of what this peer said."""

    def __init__(
        self,
        notebook: Notebook,
        board: Board,
        *,
        slices: Slices,
        folding: Folding,
        catching: CatchingUp,
    ) -> None:
        self._notebook = notebook
        self._board = board
        self._slices = slices
        self._folding = folding
        self._catching = catching

    def merge(self, entries: tuple[SignedAnnouncement, ...]) -> Import:
        """Take announcements in, up to one that shows a clone."""
        found = Import.NOTHING
        for signed in entries:
            match self._board.merge(signed):
                case Verdict.CLONE:
                    return Import.CLONE
                case Verdict.NEW if signed.announcement.author == self._notebook.rules.peer:
                    self._recall(signed.announcement.content)
                case Verdict.NEW if self._is_news(signed):
                    found = Import.NEWS
                case _:
                    pass
        return found

    def _recall(self, content: Content) -> None:
        """Others remember what this peer said before it lost its state: what it used counts, the rest is said anew later."""
        if isinstance(content, SliceUse):
            self._slices.recall(content.slice)

    def _is_news(self, signed: SignedAnnouncement) -> bool:
        """Say whether an announcement is worth waking for; mere presence is not."""
        is_feeder = self._notebook.rules.role is Role.FEEDER
        match signed.announcement.content:
            case ModelOffer(record=record):
                return is_feeder or self._folding.is_news(record.digest)
            case HashlistOffer():
                return self._notebook.rules.takes_slices
            case SliceUse():
                return is_feeder
            case _:
                return False

    def board_fetched(self, event: BoardFetched) -> Import:
        """Take a peer's board in."""
        self._notebook.note(journal.FileFetched(FileKind.BOARD, event.digest, event.author, event.size))
        self._catching.fetched(event.author, event.digest)
        return self.merge(event.entries)

    def fetch_failed(self, event: FetchFailed) -> None:
        """A hashlist, slice or board did not come, or is wrong."""
        if event.wrong:
            self._board.charge(event.author, event.kind, event.digest, event.reason)
        else:
            self._notebook.note(journal.FetchFailed(event.kind, event.digest, event.author, event.reason))
        if event.kind is FileKind.BOARD:
            self._catching.failed(event.author, event.digest)
        elif event.wrong:
            self._slices.content_refused(event.kind, event.author, event.digest)
        else:
            self._slices.fetch_failed(event.kind, event.author, event.digest)
