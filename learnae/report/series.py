"""What a history shows over time: the current model's score, and the phases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from learnae.report.history import History
from learnae.values.choices import Phase
from learnae.values.journal import CycleEnded, ModelScored, PeerStopped, PhaseChanged
from learnae.values.scores import Score


@dataclass(frozen=True, slots=True)
class Point:
    """The current model after something that may have changed it.

    Attributes:
        time: Seconds, as in the journal.
        event: ``scored``, ``train``, ``average``, ``explore``, ``adopt`` or ``stopped``.
        score: The current model's, afterwards.
        maturity: The current model's, as far as it is known.
        kept: For a work cycle, whether what it made became the current model.
    """

    time: float
    event: str
    score: Score | None
    maturity: int | None
    kept: bool | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in one phase, in seconds as in the journal; ``end`` is not before ``start``."""

    start: float
    end: float
    phase: Phase


def points(history: History) -> tuple[Point, ...]:
    """Follow the current model through a history."""
    found: list[Point] = []
    score: Score | None = None
    maturity: int | None = None
    for line in history.lines:
        match line.fact:
            case ModelScored(score=measured):
                score = measured
                found.append(Point(line.time, "scored", score, maturity))
            case CycleEnded() as cycle:
                after = cycle.tried if cycle.kept else cycle.before
                score = score if after is None else after
                maturity = cycle.maturity
                found.append(Point(line.time, str(cycle.kind), score, maturity, cycle.kept))
            case PeerStopped(score=last):
                score = score if last is None else last
                found.append(Point(line.time, "stopped", score, maturity))
            case _:
                pass
    return tuple(found)


def spans(history: History) -> tuple[Span, ...]:
    """Say which phase a peer was in when; between a run's last line and the next run there is nothing."""
    found: list[Span] = []
    for run in history.runs():
        phase: Phase | None = None
        since = run[0].time
        for line in run:
            if isinstance(line.fact, PhaseChanged):
                _note(found, since, line.time, phase or line.fact.before)
                phase, since = line.fact.after, line.time
        if phase is not None:
            _note(found, since, run[-1].time, phase)
    return tuple(found)


def origin(histories: Iterable[History]) -> float:
    """Return the earliest time of all lines, in seconds as in the journals."""
    return min(line.time for history in histories for line in history.lines)


def extent(histories: Sequence[History]) -> float:
    """Return the seconds from the earliest line of all to the latest."""
    return max(line.time for history in histories for line in history.lines) - origin(histories)


def _note(found: list[Span], start: float, end: float, phase: Phase) -> None:
    # The wall clock may have been set back; a stretch of negative length says nothing.
    if end > start:
        found.append(Span(start, end, phase))
