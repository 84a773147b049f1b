"""What ledgers told of themselves: from how many peers a model could be had, and what they carried, over a peer's restarts."""

from collections.abc import Sequence
from dataclasses import dataclass

from learnae.report.history import History
from learnae.report.summary import LedgerTraffic, Resilience
from learnae.values.journal import HoldersCounted, TrafficMeasured


@dataclass(frozen=True, slots=True)
class Held:
    """From how many peers one of this peer's models could be had at a moment, in seconds as in the journal."""

    time: float
    holders: int


@dataclass(frozen=True, slots=True)
class Carried:
    """What a peer's ledgers had carried at a moment, all of them and all its runs so far together.

    Attributes:
        time: Seconds, as in the journal.
        sent_bytes: Bytes that left, protocol and all.
        received_bytes: Bytes that came.
        served_blocks: Pieces of files that others fetched.
        neighbours: Participants connected at this moment, on the ledger that was asked.
    """

    time: float
    sent_bytes: int
    received_bytes: int
    served_blocks: int
    neighbours: int


def held(history: History) -> tuple[Held, ...]:
    """Return every count of holders of a model of this peer's, in order."""
    return tuple(
        Held(line.time, line.fact.holders)
        for line in history.lines
        if isinstance(line.fact, HoldersCounted) and line.fact.kind == "model"
    )


def carried(history: History) -> tuple[Carried, ...]:
    """Return what the ledgers had carried at every measurement, in order; no number but ``neighbours`` ever falls.

    The ledgers' own numbers begin again with every run of the peer: the runs are added up.
    """
    found: list[Carried] = []
    sent = received = served = 0
    for run in history.runs():
        ledgers: dict[str, tuple[int, int, int]] = {}
        for line in run:
            fact = line.fact
            if not isinstance(fact, TrafficMeasured):
                continue
            before = ledgers.get(fact.ledger, (0, 0, 0))
            # Within a run they only grow; a smaller one is a ledger's mistake.
            now = (max(fact.sent_bytes, before[0]), max(fact.received_bytes, before[1]), max(fact.served_blocks, before[2]))
            ledgers[fact.ledger] = now
            sent, received, served = sent + now[0] - before[0], received + now[1] - before[1], served + now[2] - before[2]
            found.append(Carried(line.time, sent, received, served, fact.neighbours))
    return tuple(found)


def resilience_of(history: History) -> Resilience | None:
    """Sum up the counts of one peer; ``None`` if there are none."""
    counts = [each.holders for each in held(history)]
    if not counts:
        return None
    return Resilience(len(counts), sum(counts) / len(counts), min(counts), max(counts), float(counts[-1]))


def traffic_of(history: History) -> LedgerTraffic | None:
    """Sum up the measurements of one peer; ``None`` if there are none."""
    course = carried(history)
    if not course:
        return None
    last = course[-1]
    neighbours = sum(each.neighbours for each in course) / len(course)
    return LedgerTraffic(len(course), last.sent_bytes, last.received_bytes, last.served_blocks, neighbours)


def resilience_together(found: Sequence[Resilience | None]) -> Resilience | None:
    """Sum peers up: every peer counts the same, however often it counted; ``None`` if none did."""
    each = [one for one in found if one is not None]
    if not each:
        return None
    return Resilience(
        counts=sum(one.counts for one in each),
        mean=sum(one.mean for one in each) / len(each),
        lowest=min(one.lowest for one in each),
        highest=max(one.highest for one in each),
        last=sum(one.last for one in each) / len(each),
    )


def traffic_together(found: Sequence[LedgerTraffic | None]) -> LedgerTraffic | None:
    """Add peers up; ``None`` if none measured."""
    each = [one for one in found if one is not None]
    if not each:
        return None
    return LedgerTraffic(
        measurements=sum(one.measurements for one in each),
        sent_bytes=sum(one.sent_bytes for one in each),
        received_bytes=sum(one.received_bytes for one in each),
        served_blocks=sum(one.served_blocks for one in each),
        neighbours=sum(one.neighbours for one in each) / len(each),
    )
