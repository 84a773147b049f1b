"""The journal for people: a readable line for each work cycle and for whatever concerns the operator."""

from __future__ import annotations

from learnae.cli.wording import Metric, listed, others, short
from learnae.values.choices import Cycle, Phase, Role
from learnae.values.journal import (
    AnyFact,
    ContentRefused,
    CycleEnded,
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
)
from learnae.values.scores import Score


def told(fact: AnyFact, metric: Metric) -> str | None:  # noqa: C901, PLR0911, PLR0912  # a table of facts
    """Write a fact as a line, or return ``None`` for one that is for ``learnae report`` and not for a reader's eye."""
    match fact:
        case PeerStarted():
            again = f", going on after cycle {fact.cycle}" if fact.resumed else ""
            waits = ", waiting for rows that others share" if fact.role is Role.TRAINER and not fact.resumed else ""
            return f"started as {fact.role}: {fact.framework} over {fact.transport}, averaging {fact.averaging}{again}{waits}"
        case CycleEnded():
            return f"cycle {fact.cycle} {_cycle(fact, metric)}"
        case ModelScored():
            return f"the own model scores {metric.whole(fact.score)} on {fact.score.rows} own rows"
        case PhaseChanged(after=Phase.FINISHED):
            return "finished: nothing more to gain for now; news wakes this peer"
        case PhaseChanged(before=Phase.FINISHED, after=after) if after is not Phase.STOPPED:
            return "woken by news"
        case PeerSeen():
            return f"met peer {short(fact.author)}: {others(fact.peers)}"
        case PeerQuarantined():
            return f"peer {short(fact.author)} sent wrong content too often and is ignored from now on"
        case ContentRefused():
            return f"refused a {fact.kind} of peer {short(fact.author)}: {fact.reason}"
        case SlicesQueued():
            return f"took in {fact.slices} dataslices, {fact.rows} rows, {fact.passes} passes to train" if fact.slices else None
        case SliceSkipped():
            return f"leaving out dataslice {fact.slice[:8]}: used {fact.network} times in the whole network"
        case ReadingsReceived():
            bad = f", {fact.rejected} refused" if fact.rejected else ""
            return f"{fact.accepted} readings of sensor {fact.sensor}{bad}"
        case Notice():
            return fact.text
        case PeerStopped():
            return f"stopped: {fact.reason}"
        case _:
            return None


def success(fact: CycleEnded, metric: Metric) -> str:
    """Say what a cycle that took something from others brought."""
    verb = "adopted the model of" if fact.kind is Cycle.ADOPT else "averaged with"
    whom = listed(fact.partners) or "a neighbour"
    if fact.before is None or fact.tried is None:
        return f"{verb} {whom}"
    if metric.value(fact.before) == metric.value(fact.tried):
        return f"{verb} {whom}: loss {fact.before.loss:.4g} -> {fact.tried.loss:.4g}"
    return f"{verb} {whom}: {metric.name} {metric.value(fact.before)} -> {metric.value(fact.tried)}"


def _cycle(fact: CycleEnded, metric: Metric) -> str:
    took = f" ({fact.seconds:.1f} s)" if fact.seconds >= 0.05 else ""
    change = "" if fact.tried is None else f": {_change(fact.before, fact.tried, metric)}"
    if fact.kind is Cycle.TRAIN:
        return f"trained{change}{took}"
    done, tried = _WORDS[fact.kind]
    whom = listed(fact.partners) or "a neighbour"
    if fact.kept:
        return f"{done} {whom}{change}{took}"
    return f"{tried} {whom} {'not kept' if change else 'could not be had'}{change}{took}"


_WORDS = {
    Cycle.AVERAGE: ("averaged with", "average with"),
    Cycle.EXPLORE: ("explored, averaged with", "explored, average with"),
    Cycle.ADOPT: ("adopted the model of", "model of"),
}


def _change(before: Score | None, after: Score, metric: Metric) -> str:
    if before is None:
        return metric.whole(after)
    return f"{metric.name} {metric.value(before)} -> {metric.value(after)}, loss {before.loss:.4g} -> {after.loss:.4g}"
