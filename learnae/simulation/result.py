"""What a simulation came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from learnae.errors import StateError
from learnae.values.announcements import SignedAnnouncement
from learnae.values.choices import Phase, Role
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import JournalLine, SliceUsed
from learnae.values.scores import Score

if TYPE_CHECKING:
    from learnae.interfaces.framework import ModelFramework
    from learnae.values.arrays import Rows, Weights


@dataclass(frozen=True, slots=True)
class PeerResult:
    """One peer, as it stands.

    Attributes:
        phase: ``new`` before it first starts and while it is dead.
        cycle: Work cycles ended.
        maturity: Of its own model.
        score: Of its own model on its own validation rows, if it has any.
        weights: Its own model; ``None`` where it is not running.
        board: What it believes, presences left out, by author and subject.
    """

    name: str
    peer: PeerId
    role: Role
    phase: Phase
    cycle: int
    model: Digest | None
    maturity: int
    score: Score | None
    weights: Weights | None
    board: tuple[SignedAnnouncement, ...]


@dataclass(frozen=True, slots=True)
class SliceUses:
    """What became of a shared dataslice in the whole network.

    Attributes:
        uses: Passes begun, by everybody.
        users: How many peers began them.
        overshoot: By how many passes that is above the threshold.
        unheard: How many of the passes were begun by a peer that had not heard of all those before: the most that the overshoot
            can be.
    """

    slice: Digest
    uses: int
    users: int
    overshoot: int
    unheard: int


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """The state of a simulation at one moment.

    Attributes:
        seconds: Virtual seconds since the start.
        events: Events that machines took in.
        finished: Whether everybody was there, and had finished or stopped.
        lines: All journals in one, in the order in which things happened.
        peers: In the order in which they were given.
        slices: What became of every dataslice that somebody began a pass over, by digest.
    """

    seconds: float
    events: int
    finished: bool
    lines: tuple[JournalLine, ...]
    peers: tuple[PeerResult, ...]
    slices: tuple[SliceUses, ...]

    @property
    def overshoot(self) -> int:
        """By how many passes dataslices were used more often than the threshold says, all together."""
        return sum(item.overshoot for item in self.slices)

    def journal(self) -> bytes:
        """Return all journals in one, as the lines of ``events.jsonl``."""
        return b"".join(msgspec.json.encode(line) + b"\n" for line in self.lines)

    def accuracies(self, framework: ModelFramework, rows: Rows) -> dict[str, float]:
        """Score the own model of every peer that runs and trains, on rows such as none of them saw; 0 to 1, by name."""
        return {
            peer.name: framework.evaluate(peer.weights, rows).accuracy
            for peer in self.peers
            if peer.weights is not None and peer.role is not Role.FEEDER
        }


def count_uses(lines: Sequence[JournalLine], threshold: int) -> tuple[SliceUses, ...]:
    """Count the uses of dataslices from all journals in one."""
    begun: dict[Digest, list[tuple[PeerId, bool]]] = {}
    for line in lines:
        if isinstance(line.fact, SliceUsed):
            before = begun.setdefault(line.fact.slice, [])
            before.append((line.peer, line.fact.network < len(before) + 1))
    return tuple(
        SliceUses(
            slice=digest,
            uses=len(uses),
            users=len({user for user, _ in uses}),
            overshoot=max(0, len(uses) - threshold),
            unheard=sum(is_unheard for _, is_unheard in uses),
        )
        for digest, uses in sorted(begun.items())
    )


def write_journals(result: SimulationResult, folder: Path) -> Mapping[str, Path]:
    """Write a folder with an ``events.jsonl`` for every peer, of the schema that real peers write.

    Args:
        result: Whose lines.
        folder: Made if it is not there; journals that are there are replaced.

    Returns:
        By the peer's name, its file.

    Raises:
        StateError: They cannot be written.
    """
    lines: dict[PeerId, list[bytes]] = {}
    for line in result.lines:
        lines.setdefault(line.peer, []).append(msgspec.json.encode(line) + b"\n")
    paths = {peer.name: folder / peer.name / "events.jsonl" for peer in result.peers}
    try:
        for peer in result.peers:
            path = paths[peer.name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(lines.get(peer.peer, [])))
    except OSError as exc:
        raise StateError(f"{folder}: journals cannot be written here: {exc.strerror}") from exc
    return paths
