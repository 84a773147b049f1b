"""The journal for people: a readable line for each work cycle and for whatever concerns the operator."""

from __future__ import annotations

from learnae.cli.wording import PAST, Metric, listed, short
from learnae.values.choices import Cycle, Phase
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


def told(fact: AnyFact, metric: Metric) -> str | None:  # noqa: C901, PLR0911  # a table of facts
    """Write a fact as a line, or return ``None`` for one that is for ``learnae report`` and not for a reader's eye."""
    match fact:
        case PeerStarted():
            again = f", going on after cycle {fact.cycle}" if fact.resumed else ""
            return f"started as {fact.role}: {fact.framework} over {fact.transport}, averaging {fact.averaging}{again}"
        case CycleEnded():
            return f"cycle {fact.cycle}: {_cycle(fact, metric)}"
        case ModelScored():
            return f"the own model scores {metric.whole(fact.score)} on {fact.score.rows} own rows"
        case PhaseChanged(after=Phase.FINISHED):
            return "finished: nothing more to gain for now; news wakes this peer"
        case PhaseChanged(after=Phase.WAITING):
            return "waiting for rows to evaluate on"
        case PhaseChanged(before=Phase.FINISHED, after=after) if after is not Phase.STOPPED:
            return "woken by news"
        case PeerSeen():
            return f"met peer {short(fact.author)}, {fact.peers} seen"
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
    return f"{verb} {listed(fact.partners) or 'a neighbour'}, {_change(fact.before, fact.tried, metric)}"


def _cycle(fact: CycleEnded, metric: Metric) -> str:
    took = f" ({fact.seconds:.1f} s)" if fact.seconds >= 0.05 else ""
    if fact.kind is Cycle.TRAIN:
        where = f", {_change(fact.before, fact.tried, metric)}" if fact.tried is not None else ""
        return f"trained{where}{took}"
    whom = f" with {listed(fact.partners)}" if fact.partners else ""
    if fact.kind is Cycle.ADOPT:
        whom = f" of {listed(fact.partners)}" if fact.partners else ""
    if fact.tried is None:
        return f"tried to {_INFINITIVE[fact.kind]}{whom}, without success{took}"
    if fact.kept:
        return f"{PAST[fact.kind]}{whom}, {_change(fact.before, fact.tried, metric)}{took}"
    return f"tried to {_INFINITIVE[fact.kind]}{whom}, {_change(fact.before, fact.tried, metric)}: not better, not kept{took}"


_INFINITIVE = {Cycle.TRAIN: "train", Cycle.AVERAGE: "average", Cycle.EXPLORE: "explore", Cycle.ADOPT: "adopt"}


def _change(before: Score | None, after: Score | None, metric: Metric) -> str:
    if after is None:
        return f"no {metric.name} to compare"
    if before is None:
        return metric.whole(after)
    return f"{metric.name} {metric.value(before)} -> {metric.value(after)}, loss {before.loss:.4g} -> {after.loss:.4g}"
