"""What one peer's journal says, over all its files and restarts."""

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from learnae.values.ids import PeerId
from learnae.values.journal import JournalLine, PeerStarted

SHORT = 8
LONGEST_NAME = 40


class Naming(StrEnum):
    """By what a report calls a peer."""

    ID = "id"
    """The first digits of its id: eight, or more where eight do not tell two peers apart."""
    FOLDER = "folder"
    """The folder that its journal lies in."""


@dataclass(frozen=True, slots=True)
class Journal:
    """One ``events.jsonl`` as it was read.

    Attributes:
        path: Where it lies.
        lines: What could be read, in the order of the file.
        damaged: Lines that were skipped.
        cut: Lines that a killed process left half-written.
    """

    path: Path
    lines: tuple[JournalLine, ...]
    damaged: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Everything that is recorded of one peer.

    Attributes:
        peer: Its id.
        name: What a report calls it: short, printable, and no other peer's.
        lines: Its lines, oldest first; at least one. A restart is a further ``PeerStarted``.
        files: The journals that they come from.
        damaged: Lines of these files that were skipped, because they could not be read; in a file of several peers they
            count for the first of them.
    """

    peer: PeerId
    name: str
    lines: tuple[JournalLine, ...]
    files: tuple[Path, ...] = ()
    damaged: int = 0

    def runs(self) -> tuple[tuple[JournalLine, ...], ...]:
        """Cut the history where the peer's program began again; every run has at least one line."""
        starts = [index for index, line in enumerate(self.lines) if index and isinstance(line.fact, PeerStarted)]
        edges = [0, *starts, len(self.lines)]
        return tuple(self.lines[begin:end] for begin, end in pairwise(edges))


def merge(
    journals: Iterable[Journal], *, naming: Naming = Naming.ID, names: Mapping[PeerId, str] | None = None
) -> tuple[History, ...]:
    """Make one history per peer, in the natural order of their names.

    A journal may hold several peers and a peer may have several journals; lines that stand in two of them, because
    one is a copy of the other, count once.

    Args:
        journals: What was read.
        naming: What to call the peers.
        names: Names for some of the peers, before ``naming``.
    """
    parts: dict[PeerId, list[tuple[Journal, list[JournalLine]]]] = {}
    for journal in journals:
        own: dict[PeerId, list[JournalLine]] = {}
        for line in journal.lines:
            own.setdefault(line.peer, []).append(line)
        for peer, lines in own.items():
            parts.setdefault(peer, []).append((journal, lines))
    wished = _wishes(parts, naming) | dict(names or {})
    called = _distinct({peer: wished.get(peer, "") for peer in parts})
    histories = [
        History(
            peer=peer,
            name=called[peer],
            lines=_together([lines for _, lines in found]),
            files=tuple(journal.path for journal, _ in found),
            damaged=sum(journal.damaged for journal, _ in found if journal.lines[0].peer == peer),
        )
        for peer, found in parts.items()
    ]
    return tuple(sorted(histories, key=lambda history: (_natural(history.name), history.peer)))


def printable(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a text that is safe on a terminal: control characters become ``?``, and what is too long is cut."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _wishes(parts: Mapping[PeerId, Sequence[tuple[Journal, object]]], naming: Naming) -> dict[PeerId, str]:
    if naming is Naming.ID:
        return {}
    authors = Counter(journal.path for found in parts.values() for journal, _ in found)
    # A folder names a peer only if it is that peer's alone: a simulation may write one journal for everybody.
    return {peer: found[0][0].path.absolute().parent.name for peer, found in parts.items() if authors[found[0][0].path] == 1}


def _distinct(wished: Mapping[PeerId, str]) -> dict[PeerId, str]:
    digits = SHORT
    while digits < max(map(len, wished), default=0) and len({peer[:digits] for peer in wished}) < len(wished):
        digits += 1
    names = {peer: printable(name.strip() or peer[:digits]) for peer, name in wished.items()}
    times = Counter(names.values())
    return {peer: name if times[name] == 1 else f"{name} {printable(peer[:digits])}" for peer, name in names.items()}


def _together(parts: Sequence[Sequence[JournalLine]]) -> tuple[JournalLine, ...]:
    if len(parts) == 1:
        return tuple(parts[0])
    known: Counter[JournalLine] = Counter()
    fresh: list[list[JournalLine]] = []
    for part in parts:
        left = known.copy()
        kept: list[JournalLine] = []
        for line in part:
            if left[line] > 0:
                left[line] -= 1
            else:
                kept.append(line)
        known |= Counter(part)
        fresh.append(kept)
    return tuple(heapq.merge(*fresh, key=lambda line: line.time))


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    pieces = re.findall(r"[0-9]{1,15}|[^0-9]+", name)
    return tuple((int(piece), "") if piece.isascii() and piece.isdigit() else (2**60, piece) for piece in pieces)
