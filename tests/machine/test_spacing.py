"""Later passes over a dataslice wait for passes over others, while more keep coming."""

from typing import Any

import pytest

from learnae.machine import effects, events
from learnae.machine.effects import Train
from learnae.values.choices import Phase, Role
from learnae.values.journal import Notice, ReadingsReceived, SliceUsed

HOLD_S = 10.0


@pytest.fixture
def it(desk: Any) -> Any:
    made = desk(passes=3, pass_spacing=2, pass_hold_s=HOLD_S, quiet_period_s=1.0, presence_interval_s=1e6)
    made.ready()
    made.stored()
    return made


def _train(it: Any, lab: Any, made: tuple[effects.Effect, ...]) -> list[tuple[str, int]]:
    """Train for as long as it begins to; return the passes."""
    names = {lab.named(f"slice/{number}"): f"slice/{number}" for number in range(10)}
    passes = []
    while it.phase is Phase.TRAINING:
        passes += [(names[used.slice], used.own) for used in lab.of(made, SliceUsed)]
        made = it.trained(f"model/{it.machine.cycle}")
    return passes


def _readings(it: Any) -> tuple[effects.Effect, ...]:
    made: tuple[effects.Effect, ...] = it.give(events.ReadingsArrived("north", accepted=5, rejected=0))
    return made


def test_first_passes_come_at_once_and_later_ones_after_passes_over_others(lab: Any, it: Any) -> None:
    assert _train(it, lab, it.cut("slice/1")) == [("slice/1", 1)]
    assert (it.phase, it.machine.queued) == (Phase.IDLE, 2)
    assert _train(it, lab, it.cut("slice/2")) == [("slice/2", 1)]
    passes = _train(it, lab, it.cut("slice/3"))
    assert passes[:2] == [("slice/3", 1), ("slice/1", 2)], "two others were between"
    assert sorted(passes[2:]) == [("slice/1", 3), ("slice/2", 2), ("slice/2", 3), ("slice/3", 2), ("slice/3", 3)]
    order = ["slice/1", "slice/2", *(name for name, _ in passes)]
    assert all(len(set(order[at : at + 3])) == 3 for at in range(len(order) - 2))


def test_what_waits_comes_when_nothing_new_does(lab: Any, it: Any) -> None:
    _train(it, lab, it.cut("slice/1"))
    it.stored()
    assert not lab.of(it.rest(HOLD_S - 1), Train)
    assert it.phase is Phase.IDLE, "nobody finishes while a pass waits"
    assert it.machine.wake_at(it.now_s) == it.now_s + 1
    assert not lab.of(_readings(it), Train)
    it.hear(lab.presence())
    assert not lab.of(it.rest(HOLD_S - 1), Train), "readings promise more"
    made = it.rest(1)
    assert _train(it, lab, made) == [("slice/1", 2), ("slice/1", 3)]
    it.stored()
    it.rest(HOLD_S)
    assert it.phase is Phase.FINISHED


def test_news_of_other_peers_let_nothing_wait_longer(lab: Any, it: Any) -> None:
    _train(it, lab, it.cut("slice/1"))
    it.rest(HOLD_S - 1)
    it.hear(lab.model("model/remote", 0.1))
    it.give(events.FoldFailed("it is gone", wrong=False))
    assert it.phase is Phase.IDLE
    assert _train(it, lab, it.rest(1)) == [("slice/1", 2), ("slice/1", 3)]


def test_it_is_said_once_that_passes_wait(lab: Any, it: Any) -> None:
    it.cut("slice/1")
    made = it.trained("model/a") + _readings(it) + it.rest(1.0)
    assert [fact.text for fact in lab.of(made, Notice)] == ["later passes wait for 2 others, or for 10 s without anything new"]


@pytest.mark.parametrize("rejected", [pytest.param(5, id="rubbish"), pytest.param(0, id="nothing")])
def test_what_is_no_reading_promises_nothing(lab: Any, it: Any, rejected: int) -> None:
    _train(it, lab, it.cut("slice/1"))
    it.rest(HOLD_S - 1)
    made = it.give(events.ReadingsArrived("north", accepted=0, rejected=rejected))
    assert len(lab.of(made, ReadingsReceived)) == bool(rejected)
    assert lab.of(it.rest(1), Train)


def test_nothing_is_said_where_nothing_waits(lab: Any, desk: Any) -> None:
    it = desk(passes=1, pass_spacing=2, pass_hold_s=HOLD_S)
    it.ready()
    it.cut("slice/1")
    assert not lab.of(it.trained("model/1") + _readings(it) + it.rest(HOLD_S), Notice)
    assert it.phase is not Phase.TRAINING


def test_slices_of_others_promise_more_too(lab: Any, desk: Any) -> None:
    it = desk(passes=2, pass_spacing=2, pass_hold_s=HOLD_S, sharing=True, role=Role.TRAINER, overuse_threshold=9)
    it.start()
    it.hear(lab.hashlist("list"))
    listed = [lab.entry("slice/1"), lab.entry("slice/2"), lab.entry("rows", evaluation=True)]
    it.give(events.HashlistFetched(lab.named("peer/a"), lab.named("list"), tuple(listed)))
    for name in ("rows", "slice/1"):
        it.give(events.SliceFetched(lab.named("peer/a"), lab.named(name), 10))
    it.gather()
    assert _train(it, lab, it.score(0.5)) == [("slice/1", 1)]
    it.rest(HOLD_S - 1)
    assert _train(it, lab, it.give(events.SliceFetched(lab.named("peer/a"), lab.named("slice/2"), 10))) == [("slice/2", 1)]
    assert not lab.of(it.rest(HOLD_S - 1), Train)
    assert len(_train(it, lab, it.rest(1))) == 2


def test_a_pass_that_waits_may_be_lost(lab: Any, it: Any) -> None:
    _train(it, lab, it.cut("slice/1"))
    it.stored()
    it.give(events.SlicesLost((lab.named("slice/1"),)))
    it.rest(2.0)
    assert (it.machine.queued, it.phase) == (0, Phase.FINISHED)


def test_rows_to_validate_on_may_come_when_the_wait_is_over(lab: Any, desk: Any) -> None:
    it = desk(passes=2, pass_spacing=2, pass_hold_s=HOLD_S, quiet_period_s=1.0)
    it.start()
    it.cut("slice/1")
    it.rest(2 * HOLD_S)
    it.gather()
    assert _train(it, lab, it.score(0.5)) == [("slice/1", 1), ("slice/1", 2)]


def test_turns_are_counted_before_they_matter_and_may_be_missing(lab: Any, desk: Any) -> None:
    it = desk(passes=2)
    it.ready()
    assert len(_train(it, lab, it.cut("slice/1", "slice/2", "slice/3"))) == 6
    it.restore(passes=3, pass_spacing=2, pass_hold_s=HOLD_S)
    assert {uses.turn for uses in it.memory.uses.values()} == {4, 5, 6}
    it.tables["uses"] = dict.fromkeys(it.tables["uses"], b'{"begun": 2}')
    it.restore()
    it.start()
    it.gather()
    assert _train(it, lab, it.cut("slice/4")) == [("slice/4", 1)]


def test_what_was_between_is_durable(lab: Any, it: Any) -> None:
    _train(it, lab, it.cut("slice/1"))
    _train(it, lab, it.cut("slice/2"))
    it.restore()
    it.start()
    assert not lab.of(it.gather(), Train)
    assert it.phase is Phase.IDLE
    passes = _train(it, lab, it.cut("slice/3"))
    assert passes[:2] == [("slice/3", 1), ("slice/1", 2)]


def test_a_pass_that_a_crash_interrupted_does_not_wait(lab: Any, it: Any) -> None:
    _train(it, lab, it.cut("slice/1"))
    it.rest(HOLD_S)
    assert it.phase is Phase.TRAINING
    it.restore()
    made = it.start() + it.gather()
    assert [train.slices for train in lab.of(made, Train)] == [(lab.named("slice/1"),)]
    it.trained("model/again")
    assert (it.phase, it.machine.queued) == (Phase.IDLE, 1), "the third does"


def test_without_spacing_nothing_waits(lab: Any, desk: Any) -> None:
    it = desk(passes=3)
    it.ready()
    assert _train(it, lab, it.cut("slice/1")) == [("slice/1", 1), ("slice/1", 2), ("slice/1", 3)]


def test_several_passes_of_one_cycle_count_each(lab: Any, desk: Any) -> None:
    it = desk(passes=2, pass_spacing=2, slices_per_cycle=3)
    it.ready()
    (train,) = lab.of(it.cut("slice/1", "slice/2", "slice/3"), Train)
    assert len(train.slices) == 3
    (again,) = lab.of(it.trained("model/1"), Train)
    assert again.slices == (train.slices[0],), "for the others two are not between"
