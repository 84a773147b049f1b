"""Finishing and waking."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnae.machine import events
from learnae.values.choices import Phase, Role
from learnae.values.journal import PhaseChanged


def test_a_peer_finishes_when_nothing_relevant_came_for_the_quiet_period(lab: Any, desk: Any) -> None:
    it = desk(quiet_period_s=10.0, presence_interval_s=1_000.0)
    it.ready()
    assert it.machine.wake_at(it.now_s) == it.now_s + 10.0
    it.rest(6.0)
    it.hear(lab.presence())
    it.rest(3.9)
    assert it.phase is Phase.IDLE
    made = it.rest(0.1)
    assert it.phase is Phase.FINISHED, "presence is no news"
    assert lab.of(made, PhaseChanged) == [PhaseChanged(Phase.IDLE, Phase.FINISHED, 0)]


@settings(derandomize=True, deadline=None)
@given(now_s=st.floats(0.0, 1e9), quiet_s=st.floats(0.0, 1e4))
def test_rounding_never_keeps_a_peer_from_finishing(lab: Any, now_s: float, quiet_s: float) -> None:
    it = lab.Desk(lab.rules(quiet_period_s=quiet_s, presence_interval_s=1e12))
    it.now_s = now_s
    it.ready()
    due_s = it.machine.wake_at(now_s)
    if it.phase is not Phase.FINISHED:
        assert due_s is not None
        it.now_s = due_s
        it.give(events.TimePassed())
    assert it.phase is Phase.FINISHED


@pytest.mark.parametrize(
    ("event", "phase"),
    [
        pytest.param("model", Phase.EXPLORING, id="a model"),
        pytest.param("readings", Phase.IDLE, id="readings"),
        pytest.param("slice", Phase.TRAINING, id="a slice"),
        pytest.param("hashlist", Phase.IDLE, id="a hashlist"),
        pytest.param("rows", Phase.SCORING, id="validation rows"),
        pytest.param("presence", Phase.FINISHED, id="presence"),
        pytest.param("use", Phase.FINISHED, id="a use"),
        pytest.param("own model", Phase.FINISHED, id="the own model"),
        pytest.param("known slice", Phase.FINISHED, id="a known slice"),
    ],
)
def test_relevant_news_wakes_and_nothing_else_does(lab: Any, desk: Any, event: str, phase: Phase) -> None:
    it = desk(sharing=True)
    it.ready()
    it.cut("slice/1", evaluation=True)
    it.rest(30.0)
    assert it.phase is Phase.FINISHED
    match event:
        case "model":
            it.hear(lab.model("model/1", 0.1))
        case "readings":
            it.give(events.ReadingsArrived("sensor", 1, 0))
        case "slice":
            it.cut("slice/2")
        case "hashlist":
            it.hear(lab.hashlist("list"))
        case "rows":
            it.gather("rows/new")
        case "presence":
            it.hear(lab.presence("board"))
        case "use":
            it.hear(lab.use("slice/1", 1))
        case "own model":
            it.hear(lab.model("model/initial", 0.9))
        case _:
            it.cut("slice/1", evaluation=True)
    assert it.phase is phase


def test_who_was_woken_finishes_again(lab: Any, desk: Any) -> None:
    it = desk(quiet_period_s=10.0)
    it.ready()
    it.hear(lab.model("model/1", 0.9))
    it.folded("average", 0.1)
    it.rest(10.0)
    for _ in range(3):
        assert it.phase is Phase.ADOPTING
        it.give(events.FoldFailed("gone"))
        assert it.phase is Phase.FINISHED
        it.give(events.ReadingsArrived("sensor", 1, 0), after_s=500.0)
        assert it.phase is Phase.IDLE
        it.rest(10.0)


def test_a_peer_waits_for_as_many_peers_as_are_expected(lab: Any, desk: Any) -> None:
    it = desk(expect_peers=2, quiet_period_s=10.0)
    it.ready()
    it.rest(100.0)
    it.hear(lab.presence())
    assert it.phase is Phase.IDLE
    it.hear(lab.presence(), author="peer/b")
    assert it.phase is Phase.FINISHED


@pytest.mark.parametrize("role", [Role.TRAINER, Role.FULL])
def test_without_validation_rows_a_peer_waits_and_then_finishes(lab: Any, desk: Any, role: Role) -> None:
    it = desk(role=role, quiet_period_s=10.0)
    it.start()
    it.hear(lab.model("model/1", 0.9))
    assert it.phase is Phase.WAITING
    it.rest(10.0)
    assert it.phase is Phase.FINISHED
    it.gather()
    assert it.phase is Phase.SCORING


@pytest.mark.parametrize("event", ["model", "use", "slice"])
def test_a_feeder_serves_as_long_as_others_work(lab: Any, desk: Any, event: str) -> None:
    it = desk(role=Role.FEEDER, sharing=True, quiet_period_s=10.0)
    it.start()
    it.cut("slice/1")
    it.rest(9.0)
    match event:
        case "model":
            it.hear(lab.model("model/1", 0.9))
        case "use":
            it.hear(lab.use("slice/1", 1))
        case _:
            it.cut("slice/2")
    it.rest(9.0)
    assert it.phase is Phase.IDLE
    it.rest(1.0)
    assert it.phase is Phase.FINISHED
    it.give(events.ReadingsArrived("sensor", 1, 0))
    assert it.phase is Phase.IDLE
