"""Catching up: merge the boards of others, one at a time, chosen at random (anti-entropy: Demers et al., 1987)."""

from learnae.machine.board import Board
from learnae.machine.effects import Fetch
from learnae.machine.events import FileKind
from learnae.machine.fetching import Backoff
from learnae.machine.notebook import Notebook
from learnae.machine.offering import Offering
from learnae.values.announcements import Presence
from learnae.values.ids import Digest, PeerId


class CatchingUp:
    """Orders at most one board at once and one each presence interval, whoever it comes from."""

    def __init__(self, notebook: Notebook, board: Board, offering: Offering) -> None:
        self._notebook = notebook
        self._board = board
        self._offering = offering
        self._backoff = Backoff(notebook.rules.retry_s)
        self._merged: dict[PeerId, Digest] = {}
        self._fetching: Digest | None = None
        self._next_s = 0.0
        self._nothing_at: tuple[int, Digest | None] | None = None

    def pass_time(self) -> None:
        """Order a board, if one is due and somebody has a different one."""
        if self._fetching is not None or self._notebook.now_s < self._next_s:
            return
        shown = (self._board.shown, self._offering.board_digest)
        if shown == self._nothing_at:
            return
        wanted = self._wanted()
        if not wanted:
            # Only what waits after a failure becomes wanted by nothing but time.
            self._nothing_at = shown if self._backoff.next_due_s(self._notebook.now_s) is None else None
            return
        author, digest, presence = wanted[self._notebook.draw(len(wanted))]
        self._fetching = digest
        self._notebook.order(Fetch(FileKind.BOARD, author, digest, presence.locators))

    def _wanted(self) -> list[tuple[PeerId, Digest, Presence]]:
        return [
            (author, presence.board, presence)
            for author, presence in self._board.presences()
            if presence.board is not None
            and presence.locators
            and presence.board != self._merged.get(author)
            and presence.board != self._offering.board_digest
            and not self._board.is_refused(FileKind.BOARD, presence.board)
            and self._backoff.is_due((author, presence.board), self._notebook.now_s)
        ]

    def fetched(self, author: PeerId, digest: Digest) -> None:
        """A board was merged."""
        self._merged[author] = digest
        self._backoff.succeeded((author, digest))
        self._finish()

    def failed(self, author: PeerId, digest: Digest) -> None:
        """A board did not come."""
        self._backoff.failed((author, digest), self._notebook.now_s)
        self._finish()

    def _finish(self) -> None:
        self._fetching = None
        self._next_s = self._notebook.now_s + self._notebook.rules.presence_interval_s

    def next_due_s(self, now_s: float) -> float | None:
        """Return when the next board may be fetched."""
        retry_s = self._backoff.next_due_s(now_s)
        due = [s for s in (self._next_s if self._next_s > now_s else None, retry_s) if s is not None]
        return min(due, default=None)
