"""What the peers are doing, from their journals as they grow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from learnae.demo.plan import PeerView
from learnae.values.choices import Cycle
from learnae.values.journal import AnyFact, CycleEnded, JournalLine, ModelScored, PhaseChanged

_BLOCK_BYTES = 1 << 20


class JournalTail:
    """Reads what was added to one journal since the last time, in bounded memory.

    Attributes:
        view: What the peer is doing, as far as it was read.
    """

    def __init__(self, name: str, path: Path) -> None:
        """Begin at the beginning of a journal that need not be there yet."""
        self.view = PeerView(name)
        self._path = path
        self._position = 0
        self._decoder = msgspec.json.Decoder(JournalLine)

    def read(self) -> PeerView:
        """Take in what was added; a line that is only half there waits for the next time."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                while block := file.read(_BLOCK_BYTES):
                    whole, newline, rest = block.rpartition(b"\n")
                    if not newline:
                        break
                    self._position += len(whole) + 1
                    file.seek(-len(rest), 1)
                    for line in whole.splitlines():
                        self._take(line)
        except OSError:
            pass  # Not there yet; a peer that cannot write it says so in its log.
        return self.view

    def _take(self, line: bytes) -> None:
        try:
            fact = self._decoder.decode(line).fact
        except msgspec.MsgspecError:
            return  # A plugin's or a later version's; a view can do without.
        self.view = with_fact(self.view, fact)


def with_fact(view: PeerView, fact: AnyFact) -> PeerView:
    """Return a view after one more fact."""
    match fact:
        case PhaseChanged(after=phase, cycle=cycle):
            return replace(view, phase=phase, cycle=cycle)
        case ModelScored(score=score):
            return replace(view, accuracy=100.0 * score.accuracy)
        case CycleEnded(kind=kind, cycle=cycle, kept=kept, tried=tried):
            accuracy = 100.0 * tried.accuracy if kept and tried is not None else view.accuracy
            trained = view.trained + 1 if kind is Cycle.TRAIN else view.trained
            return replace(view, cycle=cycle, trained=trained, accuracy=accuracy)
        case _:
            return view
