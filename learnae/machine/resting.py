"""Rest: what ends it, when it becomes a finish, and what the operator is told of a peer that waits."""

from typing import Final

from learnae.machine import events
from learnae.machine.board import Board, Offer
from learnae.machine.folding import Folding
from learnae.machine.notebook import Notebook
from learnae.machine.offering import Offering
from learnae.machine.sharing import Sharing
from learnae.machine.spacing import Spacing
from learnae.values.choices import Phase, Role
from learnae.values.journal import Notice

TIDINGS: Final = (
    events.Heard,
    events.BoardFetched,
    events.FetchFailed,
    events.Kept,
    events.KeepFailed,
    events.InventoryTaken,
    events.InventoryFailed,
    events.TimePassed,
)
"""They come often, and change what is decided only through the board, by being news, or by a moment that comes."""


class Resting:
    """Knows what the last decision was made of, so that nothing is decided twice on the same grounds."""

    def __init__(
        self, notebook: Notebook, board: Board, *, spacing: Spacing, folding: Folding, offering: Offering, sharing: Sharing
    ) -> None:
        self._notebook = notebook
        self._board = board
        self._spacing = spacing
        self._folding = folding
        self._offering = offering
        self._sharing = sharing
        self._last_news_s = 0.0
        self._is_news = False
        self._adoptions = 0
        self._offers: tuple[Offer, ...] | None = None
        self._counted: tuple[int, int] | None = None
        self._again_s: float | None = None
        self._waits_for: str | None = None
        self._is_loneliness_told = False

    @property
    def quiet_at_s(self) -> float:
        """When the quiet period ends, unless more news comes."""
        return self._last_news_s + self._notebook.rules.quiet_period_s

    def news(self) -> None:
        """Something relevant came: the quiet period begins anew."""
        self._last_news_s = self._notebook.now_s
        self._is_news = True

    def work_begins(self) -> None:
        """The next rest is another one."""
        self._adoptions = 0

    def is_over(self, event: events.Event) -> bool:
        """Say whether anything that a decision depends on may have changed since the last one."""
        if not isinstance(event, TIDINGS) or self._is_news:
            return True
        if self._again_s is not None and self._notebook.now_s >= self._again_s:
            return True
        return self._board.offers() is not self._offers or self._count() != self._counted

    def _count(self) -> tuple[int, int]:
        return self._board.peers, self._board.shut_out

    def decided(self, phase: Phase) -> None:
        """Remember what a decision that came to this phase was made of."""
        now_s = self._notebook.now_s
        self._is_news = False
        self._offers, self._counted = self._board.offers(), self._count()
        quiet_at_s = self.quiet_at_s if self.quiet_at_s > now_s else None
        due = (self._folding.next_due_s(now_s), self._spacing.held_until_s, quiet_at_s)
        self._again_s = min((due_s for due_s in due if due_s is not None), default=None)
        if phase is not Phase.WAITING:
            self._waits_for = None

    def wait(self, reason: str) -> Phase:
        """Wait, and say once what for."""
        if reason != self._waits_for:
            self._waits_for = reason
            self._notebook.note(Notice(reason))
        return Phase.WAITING

    def settle(self, phase: Phase, *, has_rows: bool) -> tuple[Phase, Offer | None]:
        """Rest; finish when nothing relevant has come for a while, after a look at the best model of all.

        Nothing finishes while passes wait for their time, nor while what it made is on its way to the others: who stops then
        would take it along.

        Args:
            phase: Where the peer stands.
            has_rows: Whether it has validation rows.

        Returns:
            Where it rests; and, if it is to look at a model first, which.
        """
        rules = self._notebook.rules
        is_quiet = self._notebook.now_s >= self.quiet_at_s
        if is_quiet and rules.role is not Role.FEEDER:
            self._tell_loneliness()
        if phase is Phase.FINISHED:
            if is_quiet:
                return phase, None
            self._adoptions = 0
        rest = Phase.IDLE
        if rules.role is not Role.FEEDER and not has_rows:
            rest = self._wait_for_rows()
        if not is_quiet or self._spacing.held_until_s is not None or self._board.peers - 1 < rules.expect_peers:
            return rest, None
        is_judge = rules.role is not Role.FEEDER and has_rows
        offer = self._folding.adoptable(self._adoptions) if is_judge else None
        if offer is not None:
            self._adoptions += 1
            return Phase.ADOPTING, offer
        if self._offering.is_storing_model or self._sharing.is_under_way:
            return rest, None
        return Phase.FINISHED, None

    def _wait_for_rows(self) -> Phase:
        if self._notebook.rules.role is Role.TRAINER:
            return self.wait("waiting for validation rows: no evaluation slice of another peer came yet")
        return Phase.WAITING

    def _tell_loneliness(self) -> None:
        shut_out = self._board.shut_out
        if shut_out and not self._is_loneliness_told:
            self._is_loneliness_told = True
            text = f"nobody to average with: {shut_out} other peers were heard of, and none of them is on this peer's allow list"
            self._notebook.note(Notice(text))
