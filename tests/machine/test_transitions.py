"""Every phase and every event: legal as the table says, or refused with nothing changed."""

import copy
from pathlib import Path
from typing import Any

import pytest

from learnae.errors import IllegalTransitionError
from learnae.machine import events
from learnae.machine.events import FileKind
from learnae.machine.transitions import TRANSITIONS, transition_table
from learnae.values.choices import Phase
from learnae.values.scores import Score

DRAWN = Path(__file__).parents[2] / "docs" / "transitions.md"


def _in_phase(lab: Any, phase: Phase) -> Any:
    """Bring a peer that shares into a phase."""
    desk = lab.Desk(lab.rules(sharing=True, quiet_period_s=10.0))
    if phase is Phase.NEW:
        return desk
    desk.start()
    if phase is Phase.WAITING:
        return desk
    if phase is Phase.STOPPED:
        desk.give(events.StopRequested())
        return desk
    desk.gather()
    if phase is Phase.SCORING:
        return desk
    desk.score(0.5)
    match phase:
        case Phase.TRAINING:
            desk.cut("slice/0")
        case Phase.AVERAGING:
            desk.hear(lab.model("model/better", 0.9))
        case Phase.EXPLORING:
            desk.hear(lab.model("model/worse", 0.1))
        case Phase.ADOPTING:
            desk.hear(lab.model("model/worse", 0.1))
            desk.folded("model/average", 0.1)
            desk.rest(10.0)
        case Phase.FINISHED:
            desk.stored()
            desk.rest(10.0)
        case _:
            pass
    return desk


def _events(lab: Any) -> dict[type, list[events.Event]]:
    """Make events of every type, some with and some without consequences."""
    me, name = lab.me, lab.named
    score, at = Score(0.7, 0.4, 100), ("mem:x",)
    clone = lab.say(lab.presence(), author="peer/me", sequence=99_999)
    made: list[events.Event] = [
        events.Started(),
        events.Started(recovering=True),
        events.Started(inventory=True),
        events.ValidationGathered(name("rows"), 100),
        events.ValidationGathered(name("rows/other"), 100),
        events.SlicesCut(()),
        events.SlicesCut((events.CutSlice(name("slice/1"), 10), events.CutSlice(name("slice/2"), 10, True))),
        events.SlicesLost((name("slice/0"), name("slice/nowhere"))),
        events.SlicesStored((lab.entry("slice/nowhere"),)),
        events.FileStored(FileKind.MODEL, name("model/initial"), at, 10),
        events.FileStored(FileKind.HASHLIST, name("list"), at, 10),
        events.FileStored(FileKind.BOARD, name("board"), at, 10),
        *(events.StoreFailed(kind, name("file"), "full") for kind in FileKind),
        *(events.Kept(kind, name("file")) for kind in (FileKind.MODEL, FileKind.SLICE, FileKind.HASHLIST)),
        events.KeepFailed(FileKind.MODEL, name("file"), "gone"),
        events.InventoryTaken(()),
        events.InventoryTaken(at, ("mem",)),
        events.InventoryFailed("gone away"),
        events.FilesReleased(at),
        events.ReleaseFailed(at, "gone away"),
        events.Heard(lab.say(lab.presence("board/a"))),
        events.Heard(lab.say(lab.model("model/new", 0.8))),
        events.Heard(clone),
        events.BoardFetched(name("peer/a"), name("board/a"), ()),
        events.BoardFetched(name("peer/a"), name("board/a"), (lab.say(lab.model("model/other", 0.2)), clone)),
        events.HashlistFetched(name("peer/a"), name("list"), (lab.entry("slice/3"),)),
        events.HashlistFetched(name("peer/a"), name("list"), (lab.entry("slice/3"),), 10, at[0]),
        events.SliceFetched(name("peer/a"), name("slice/3"), 10),
        *(events.FetchFailed(FileKind(kind), me, name("file"), "gone") for kind in ("board", "slice", "hashlist")),
        events.FetchFailed(FileKind.SLICE, name("peer/a"), name("slice/3"), "not a slice", wrong=True),
        events.OwnScored(name("model/initial"), name("rows"), score),
        events.ModelTrained(name("model/trained"), name("rows"), score),
        events.TrainingFailed("not finite"),
        events.TrainingFailed("lost", (name("slice/0"),)),
        events.ModelFolded(name("model/folded"), name("rows"), score),
        events.ModelFolded(name("model/folded"), name("rows/other"), score, 10, at[0]),
        events.FoldFailed("gone"),
        events.FoldFailed("not a model", wrong=True),
        events.ReadingsArrived("sensor", 3, 1),
        events.TimePassed(),
        events.StopRequested(),
    ]
    by_type: dict[type, list[events.Event]] = {}
    for event in made:
        by_type.setdefault(type(event), []).append(event)
    return by_type


EVENT_TYPES = events.Event.__args__


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.__name__)
@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_takes_or_refuses_every_event_as_the_table_says(lab: Any, phase: Phase, event_type: type) -> None:
    for event in _events(lab)[event_type]:
        desk = _in_phase(lab, phase)
        assert desk.phase is phase
        if (phase, event_type) in TRANSITIONS:
            desk.give(event, after_s=0.5)
            assert desk.phase in TRANSITIONS[phase, event_type]
            continue
        before, woken_s = copy.deepcopy(desk.memory), desk.machine.wake_at(desk.now_s)
        with pytest.raises(IllegalTransitionError, match=f"{event_type.__name__} cannot happen while {phase}"):
            desk.machine.handle(event, desk.now_s + 0.5)
        assert desk.phase is phase
        assert desk.memory == before
        assert desk.machine.wake_at(desk.now_s) == woken_s
        if phase is not Phase.NEW and phase is not Phase.STOPPED:
            assert desk.machine.handle(events.TimePassed(), desk.now_s) == (), "no effect is left over"


def test_every_event_type_is_tried(lab: Any) -> None:
    assert set(_events(lab)) == set(EVENT_TYPES)
    assert {event for _, event in TRANSITIONS} == set(EVENT_TYPES)


def test_the_table_leads_to_phases_that_go_on() -> None:
    reachable = {Phase.NEW} | {phase for after in TRANSITIONS.values() for phase in after}
    assert reachable == set(Phase)
    assert {phase for phase, _ in TRANSITIONS} == set(Phase) - {Phase.STOPPED}
    assert all(after for after in TRANSITIONS.values())


def test_the_drawn_table_says_what_the_table_says() -> None:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in transition_table().splitlines()]
    header, _, *rows = lines
    assert header == ["event", *Phase]
    drawn = {(Phase(header[column]), row[0].strip("`")): row[column] for row in rows for column in range(1, len(header))}
    assert len(drawn) == len(Phase) * len(EVENT_TYPES)
    for (phase, name), cell in drawn.items():
        after = next((after for (at, event), after in TRANSITIONS.items() if at is phase and event.__name__ == name), None)
        halts = after is not None and Phase.STOPPED in after
        match cell.removesuffix(" or stopped"):
            case "·":
                assert after is None
            case "stopped":
                assert after == {Phase.STOPPED}
            case "stays":
                assert after is not None
                assert after - {Phase.STOPPED} == {phase}
                assert halts == cell.endswith("or stopped")
            case "decide":
                assert after is not None
                assert after - {Phase.STOPPED} == set(Phase) - {Phase.NEW, Phase.STOPPED}
                assert halts == cell.endswith("or stopped")
            case _:
                pytest.fail(f"cell {cell!r}")


def test_the_page_draws_the_table_of_the_code() -> None:
    page = DRAWN.read_text(encoding="utf-8")
    assert transition_table() in page, "paste what transition_table() returns into docs/transitions.md"
    explained = [*Phase, *(event_type.__name__ for event_type in EVENT_TYPES)]
    missing = [name for name in explained if f"- `{name}`" not in page]
    assert not missing, "docs/transitions.md explains every phase and every event"
