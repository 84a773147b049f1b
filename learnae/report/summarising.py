"""Counts histories up into a summary."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from learnae.errors import UsageError
from learnae.report.history import History, printable
from learnae.report.ledger import resilience_of, resilience_together, traffic_of, traffic_together
from learnae.report.series import extent, points
from learnae.report.summary import Attempts, Cycles, PeerSummary, SliceSummary, Spread, Standing, Summary
from learnae.values.choices import Cycle, Phase
from learnae.values.ids import Digest, PeerId, SessionId
from learnae.values.journal import (
    AnnouncementSent,
    AnyFact,
    ContentRefused,
    CycleEnded,
    FetchFailed,
    FileFetched,
    FileKept,
    FileLetGo,
    FileStored,
    HoldersCounted,
    MessageIgnored,
    ModelPublished,
    ModelScored,
    Notice,
    PeerQuarantined,
    PeerSeen,
    PeerStarted,
    PeerStopped,
    PhaseChanged,
    ReadingsReceived,
    SliceSkipped,
    SlicesQueued,
    SliceUsed,
    TrafficMeasured,
)
from learnae.values.scores import Score


def summarise(histories: Sequence[History], *, threshold: int | None = None) -> Summary:
    """Count histories up.

    Args:
        histories: At least one.
        threshold: The session's overuse threshold, at least 1; without it no overshoot is told.

    Raises:
        UsageError: No history, or a threshold below 1.
    """
    if not histories:
        raise UsageError("summarise needs at least one history")
    if threshold is not None and threshold < 1:
        raise UsageError(f"an overuse threshold is at least 1, not {threshold}")
    beyond = _beyond(histories, threshold)
    peers = tuple(_peer(history, beyond) for history in histories)
    slices = _slices(histories, threshold)
    over = [entry.overshoot for entry in slices if entry.overshoot is not None]
    return Summary(
        peers=peers,
        sessions=tuple(sorted({peer.session for peer in peers if peer.session is not None})),
        start=_spread(peer.start for peer in peers),
        best=_spread(peer.best for peer in peers),
        current=_spread(peer.current for peer in peers),
        cycles=Cycles(
            train=sum(peer.cycles.train for peer in peers),
            average=sum(peer.cycles.average for peer in peers),
            explore=sum(peer.cycles.explore for peer in peers),
            adopt=sum(peer.cycles.adopt for peer in peers),
        ),
        slices=slices,
        uses=sum(entry.uses for entry in slices),
        threshold=threshold,
        overshoot=None if threshold is None else sum(over),
        sent_bytes=sum(peer.sent_bytes for peer in peers),
        received_bytes=sum(peer.received_bytes for peer in peers),
        resilience=resilience_together([peer.resilience for peer in peers]),
        ledger=traffic_together([peer.ledger for peer in peers]),
        seconds=extent(histories),
        damaged_lines=sum(peer.damaged_lines for peer in peers),
    )


@dataclass(slots=True)
class _Tally:
    """Running sums over one peer's facts: events by name, and bytes by direction."""

    counts: Counter[str] = field(default_factory=Counter)
    tried: Counter[Cycle] = field(default_factory=Counter)
    kept: Counter[Cycle] = field(default_factory=Counter)
    cycle_seconds: float = 0.0
    slices: set[Digest] = field(default_factory=set)
    authors: set[PeerId] = field(default_factory=set)
    quarantined: set[PeerId] = field(default_factory=set)
    started: PeerStarted | None = None
    phase: Phase | None = None
    stopped: str | None = None

    def add(self, fact: AnyFact) -> None:
        match fact:
            case PeerStarted() | PhaseChanged() | PeerStopped():
                self._standing(fact)
            case CycleEnded():
                self.tried[fact.kind] += 1
                self.kept[fact.kind] += fact.kept
                self.counts["partners"] += len(fact.partners)
                self.cycle_seconds += fact.seconds
            case ModelPublished():
                self.counts["published"] += 1
            case AnnouncementSent() | FileStored() | FileFetched() | MessageIgnored() | FetchFailed() | ContentRefused():
                self._traffic(fact)
            case PeerSeen(author=author):
                self.authors.add(author)
            case PeerQuarantined(author=author):
                self.quarantined.add(author)
            case SliceUsed() | SliceSkipped() | ReadingsReceived():
                self._data(fact)
            case Notice():
                self.counts["notices"] += 1
            case FileKept():
                self.counts["kept_files"] += 1
            case FileLetGo():
                self.counts["let_go_files"] += 1
            case ModelScored() | SlicesQueued() | HoldersCounted() | TrafficMeasured():
                pass
            case _:
                assert_never(fact)

    def _standing(self, fact: PeerStarted | PhaseChanged | PeerStopped) -> None:
        match fact:
            case PeerStarted():
                self.counts["starts"] += 1
                self.started, self.stopped = fact, None
            case PhaseChanged(after=phase):
                self.phase = phase
            case PeerStopped(reason=reason):
                self.stopped = reason

    def _traffic(self, fact: AnnouncementSent | FileStored | FileFetched | MessageIgnored | FetchFailed | ContentRefused) -> None:
        match fact:
            case AnnouncementSent(bytes=size):
                self.counts["announcements"] += 1
                self.counts["announcement_bytes"] += size
            case FileStored(bytes=size):
                self.counts["files"] += 1
                self.counts["file_bytes"] += size
            case FileFetched(bytes=size):
                self.counts["received_files"] += 1
                self.counts["received_bytes"] += size
            case MessageIgnored():
                self.counts["ignored"] += 1
            case FetchFailed():
                self.counts["unfetched"] += 1
            case ContentRefused():
                self.counts["refused"] += 1

    def _data(self, fact: SliceUsed | SliceSkipped | ReadingsReceived) -> None:
        match fact:
            case SliceUsed(slice=digest):
                self.slices.add(digest)
            case SliceSkipped():
                self.counts["skipped_passes"] += 1
            case ReadingsReceived(accepted=accepted, rejected=rejected):
                self.counts["readings"] += accepted
                self.counts["bad_readings"] += rejected


def _peer(history: History, beyond: Counter[PeerId] | None) -> PeerSummary:
    tally = _Tally()
    for line in history.lines:
        tally.add(line.fact)
    course = points(history)
    scores = [point.score for point in course if point.score is not None]
    maturities = [point.maturity for point in course if point.maturity is not None]
    counts, started = tally.counts, tally.started
    return PeerSummary(
        peer=history.peer,
        name=history.name,
        session=None if started is None else SessionId(printable(started.session, 64)),
        role=None if started is None else started.role,
        framework=None if started is None else printable(started.framework),
        transport=None if started is None else printable(started.transport),
        storage=None if started is None else printable(started.storage),
        phase=tally.phase,
        stopped=None if tally.stopped is None else printable(tally.stopped, 200),
        start=_standing(scores[0]) if scores else None,
        best=_standing(max(scores, key=lambda score: (score.accuracy, -score.loss))) if scores else None,
        current=_standing(scores[-1]) if scores else None,
        maturity=maturities[-1] if maturities else None,
        cycles=Cycles(*(tally.tried[kind] for kind in (Cycle.TRAIN, Cycle.AVERAGE, Cycle.EXPLORE, Cycle.ADOPT))),
        averaging=Attempts(tally.tried[Cycle.AVERAGE], tally.kept[Cycle.AVERAGE]),
        exploring=Attempts(tally.tried[Cycle.EXPLORE], tally.kept[Cycle.EXPLORE]),
        adopting=Attempts(tally.tried[Cycle.ADOPT], tally.kept[Cycle.ADOPT]),
        partners=counts["partners"],
        published=counts["published"],
        announcements=counts["announcements"],
        announcement_bytes=counts["announcement_bytes"],
        files=counts["files"],
        file_bytes=counts["file_bytes"],
        sent_bytes=counts["announcement_bytes"] + counts["file_bytes"],
        received_files=counts["received_files"],
        received_bytes=counts["received_bytes"],
        unfetched=counts["unfetched"],
        kept_files=counts["kept_files"],
        let_go_files=counts["let_go_files"],
        resilience=resilience_of(history),
        ledger=traffic_of(history),
        slices=len(tally.slices),
        uses=_own_uses(history).total(),
        skipped_passes=counts["skipped_passes"],
        overshoot=None if beyond is None else beyond[history.peer],
        # The wall clock may have been set back during a run.
        seconds=sum(max(0.0, run[-1].time - run[0].time) for run in history.runs()),
        cycle_seconds=tally.cycle_seconds,
        restarts=max(0, counts["starts"] - 1),
        refused=counts["refused"],
        quarantined=len(tally.quarantined),
        ignored=counts["ignored"],
        peers_seen=len(tally.authors),
        readings=counts["readings"],
        bad_readings=counts["bad_readings"],
        notices=counts["notices"],
        lines=len(history.lines),
        damaged_lines=history.damaged,
    )


def _standing(score: Score) -> Standing:
    return Standing(accuracy=100.0 * score.accuracy, loss=score.loss, rows=score.rows)


def _spread(standings: Iterable[Standing | None]) -> Spread | None:
    values = [standing.accuracy for standing in standings if standing is not None]
    if not values:
        return None
    low, high = min(values), max(values)
    return Spread(peers=len(values), mean=sum(values) / len(values), lowest=low, highest=high, spread=high - low)


def _own_uses(history: History) -> Counter[Digest]:
    """Count passes by slice: the counter is durable before its line is written, so it, not the lines, is the truth."""
    uses: Counter[Digest] = Counter()
    for line in history.lines:
        if isinstance(line.fact, SliceUsed):
            uses[line.fact.slice] = max(uses[line.fact.slice], line.fact.own)
    return uses


def _slices(histories: Sequence[History], threshold: int | None) -> tuple[SliceSummary, ...]:
    uses: Counter[Digest] = Counter()
    users: Counter[Digest] = Counter()
    known: Counter[Digest] = Counter()
    for history in histories:
        own = _own_uses(history)
        uses.update(own)
        users.update(own.keys())
        for line in history.lines:
            if isinstance(line.fact, SliceUsed | SliceSkipped):
                known[line.fact.slice] = max(known[line.fact.slice], line.fact.network)
    totals = uses | known
    return tuple(
        SliceSummary(
            slice=digest,
            uses=total,
            users=users[digest],
            overshoot=None if threshold is None else max(0, total - threshold),
        )
        for digest, total in sorted(totals.items(), key=lambda entry: (-entry[1], entry[0]))
    )


def _beyond(histories: Sequence[History], threshold: int | None) -> Counter[PeerId] | None:
    """Charge each use beyond the threshold to the peer that began it, in the order of the journals' times."""
    if threshold is None:
        return None
    begun = sorted(
        (line.time, history.peer, line.fact.slice, line.fact.own)
        for history in histories
        for line in history.lines
        if isinstance(line.fact, SliceUsed)
    )
    uses: Counter[Digest] = Counter()
    own: Counter[tuple[PeerId, Digest]] = Counter()
    beyond: Counter[PeerId] = Counter()
    for _, peer, digest, counter in begun:
        # A line may have been lost with a killed process: the counter tells how many uses it stands for.
        before, fresh = uses[digest], max(0, counter - own[peer, digest])
        own[peer, digest] += fresh
        uses[digest] += fresh
        beyond[peer] += max(0, uses[digest] - max(before, threshold))
    return beyond
