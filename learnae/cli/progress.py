"""What a live view knows: a frozen value that every line of the journal replaces by the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from learnae.cli.lines import success, told
from learnae.cli.wording import Metric
from learnae.values.choices import Cycle, Phase, Role
from learnae.values.ids import PeerId
from learnae.values.journal import (
    AnnouncementSent,
    CycleEnded,
    FileFetched,
    FileStored,
    HoldersCounted,
    JournalLine,
    ModelScored,
    PeerSeen,
    PeerStarted,
    PhaseChanged,
    SliceSkipped,
    SlicesQueued,
    SliceUsed,
    TrafficMeasured,
)
from learnae.values.scores import Score

MOST_MESSAGES = 8
"""Of cycles, and as many of everything else."""

MOST_SCORES = 48


@dataclass(frozen=True, slots=True)
class Message:
    """A line for the operator and when it came, in seconds since 1970."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a peer stands, as its journal has told so far.

    Attributes:
        metric: How scores are written.
        started: The peer's start, once it was told.
        began: When that was, in seconds since 1970.
        peer: Its id.
        phase: What it does.
        since: Since when.
        cycle: Work cycles ended.
        score: Its model's score on its own rows.
        best: The best of them by accuracy.
        scores: The last scores' accuracies, for a curve.
        tried: How many cycles of each kind there were in this run.
        kept: How many of them made a model that was kept.
        queued: Passes over dataslices that wait.
        peers: Peers that it knows, itself included; 0 if it met nobody in this run.
        success: The last adoption, or averaging that was kept.
        sent: Announcements handed to the transport.
        stored: Files handed to the storage, and ``stored_bytes`` theirs.
        fetched: Files of others that arrived, and ``fetched_bytes`` theirs.
        holders: From how many peers the own model can be had; ``None`` if nobody counted.
        ledgers: What each ledger, by its name, told last of its traffic.
        cycles: The last lines about work cycles.
        messages: The last other lines for the operator.
    """

    metric: Metric
    started: PeerStarted | None = None
    began: float = 0.0
    peer: PeerId | None = None
    phase: Phase = Phase.NEW
    since: float = 0.0
    cycle: int = 0
    score: Score | None = None
    best: Score | None = None
    scores: tuple[float, ...] = ()
    tried: Mapping[Cycle, int] = field(default_factory=dict)
    kept: Mapping[Cycle, int] = field(default_factory=dict)
    queued: int = 0
    peers: int = 0
    success: Message | None = None
    sent: int = 0
    stored: int = 0
    stored_bytes: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    holders: int | None = None
    ledgers: Mapping[str, TrafficMeasured] = field(default_factory=dict)
    cycles: tuple[Message, ...] = ()
    messages: tuple[Message, ...] = ()

    @property
    def role(self) -> Role:
        """What the peer does; ``full`` before it was told."""
        return Role.FULL if self.started is None else self.started.role


def advance(progress: Progress, line: JournalLine) -> Progress:
    """Take in a line of the journal."""
    known = _advanced(progress, line)
    text = told(line.fact, progress.metric)
    if text is None:
        return known
    message = Message(line.time, text)
    if isinstance(line.fact, CycleEnded):
        return replace(known, cycles=(*known.cycles, message)[-MOST_MESSAGES:])
    return replace(known, messages=(*known.messages, message)[-MOST_MESSAGES:])


def _advanced(progress: Progress, line: JournalLine) -> Progress:  # noqa: C901, PLR0911, PLR0912  # a table of facts
    match line.fact:
        case PeerStarted() as started:
            return replace(
                progress,
                started=started,
                began=line.time,
                since=line.time,
                peer=line.peer,
                cycle=started.cycle,
                queued=started.queued,
            )
        case PhaseChanged(after=after):
            return replace(progress, phase=after, since=line.time)
        case ModelScored(score=score):
            return _scored(progress, score)
        case CycleEnded() as cycle:
            return _cycled(progress, cycle, line.time)
        case SlicesQueued(passes=passes):
            return _queue(progress, passes)
        case SliceUsed() | SliceSkipped():
            return _queue(progress, -1)
        case PeerSeen(peers=peers):
            return replace(progress, peers=peers)
        case AnnouncementSent():
            return replace(progress, sent=progress.sent + 1)
        case FileStored(bytes=size):
            return replace(progress, stored=progress.stored + 1, stored_bytes=progress.stored_bytes + size)
        case FileFetched(bytes=size):
            return replace(progress, fetched=progress.fetched + 1, fetched_bytes=progress.fetched_bytes + size)
        case HoldersCounted(holders=holders):
            return replace(progress, holders=holders)
        case TrafficMeasured() as traffic:
            return replace(progress, ledgers={**progress.ledgers, traffic.ledger: traffic})
        case _:
            return progress


def _scored(progress: Progress, score: Score) -> Progress:
    best = score if progress.best is None or score.accuracy > progress.best.accuracy else progress.best
    return replace(progress, score=score, best=best, scores=(*progress.scores, score.accuracy)[-MOST_SCORES:])


def _queue(progress: Progress, passes: int) -> Progress:
    return replace(progress, queued=max(0, progress.queued + passes))


def _cycled(progress: Progress, cycle: CycleEnded, time: float) -> Progress:
    kind = cycle.kind
    known = replace(progress, cycle=cycle.cycle, tried={**progress.tried, kind: progress.tried.get(kind, 0) + 1})
    if known.score is None and cycle.before is not None:  # a run that goes on is not told its score at its start
        known = _scored(known, cycle.before)
    if not cycle.kept:
        return known
    known = replace(known, kept={**known.kept, kind: known.kept.get(kind, 0) + 1})
    if cycle.tried is not None:
        known = _scored(known, cycle.tried)
    if kind is not Cycle.TRAIN:
        known = replace(known, success=Message(time, success(cycle, progress.metric)))
    return known
