"""The distance between passes over one dataslice, while more dataslices keep coming."""

from learnae.machine.notebook import Notebook
from learnae.values.ids import Digest
from learnae.values.journal import Notice


class Spacing:
    """Holds later passes back while rows come as a stream.

    Who trains faster than its sensors send would make all passes over a dataslice in a row, and never see it again: what it
    learned last would weigh most (catastrophic forgetting; McCloskey & Cohen, 1989), and older examples among the new ones are
    the remedy (rehearsal; Robins, 1995). So a pass waits until ``pass_spacing`` other passes were begun since the last one over
    the same dataslice, or nothing new has come for ``pass_hold_s``. The first pass of this peer's never waits.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._turn = max((uses.turn for uses in notebook.memory.uses.values()), default=0)
        self._over_at_s = 0.0
        self._is_told = False

    def next_turn(self) -> int:
        """Count a pass that begins."""
        self._turn += 1
        return self._turn

    def more_came(self) -> None:
        """Readings or dataslices came, or the peer started: probably there will be more."""
        self._over_at_s = self._notebook.now_s + self._notebook.rules.pass_hold_s

    @property
    def is_over(self) -> bool:
        """Say whether nothing has to wait."""
        return not self._notebook.rules.pass_spacing or self._notebook.now_s >= self._over_at_s

    def may_begin(self, digest: Digest, number: int) -> bool:
        """Say whether a pass need not wait; one that a crash interrupted goes on."""
        uses = self._notebook.memory.uses.get(digest)
        if uses is None or uses.begun >= number or self.is_over:
            return True
        return self._turn - uses.turn >= self._notebook.rules.pass_spacing

    def tell(self) -> None:
        """Say once that passes wait."""
        rules = self._notebook.rules
        if self.held_until_s is not None and not self._is_told:
            self._is_told = True
            text = f"later passes wait for {rules.pass_spacing} others, or for {rules.pass_hold_s:g} s without anything new"
            self._notebook.note(Notice(text))

    @property
    def held_until_s(self) -> float | None:
        """When all that is queued may begin, unless more comes; ``None`` if it may now, or nothing is queued."""
        return self._over_at_s if self._notebook.memory.queue and not self.is_over else None
