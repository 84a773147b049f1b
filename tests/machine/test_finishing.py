"""Finishing and waking."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnae.machine import effects, events
from learnae.machine.events import FileKind
from learnae.values.choices import Phase, Role
from learnae.values.journal import Notice, PhaseChanged


def test_a_peer_finishes_when_nothing_relevant_came_for_the_quiet_period(lab: Any, desk: Any) -> None:
    it = desk(quiet_period_s=10.0, presence_interval_s=1_000.0)
    it.ready()
    it.stored()
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
    it.stored()
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
    it.stored()
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
    it.stored()
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
    it.stored()
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
    it.stored()
    it.rest(9.0)
    match event:
        case "model":
            it.hear(lab.model("model/1", 0.9))
        case "use":
            it.hear(lab.use("slice/1", 1))
        case _:
            it.cut("slice/2")
            it.stored()
    it.rest(9.0)
    assert it.phase is Phase.IDLE
    it.rest(1.0)
    assert it.phase is Phase.FINISHED
    it.give(events.ReadingsArrived("sensor", 1, 0))
    assert it.phase is Phase.IDLE


@pytest.mark.parametrize("outcome", ["stored", "failed", "another failed"])
def test_nobody_finishes_while_the_own_model_is_on_its_way(lab: Any, desk: Any, outcome: str) -> None:
    it = desk(quiet_period_s=1.0, retry_s=50.0)
    it.ready()
    it.rest(30.0)
    assert it.phase is Phase.IDLE, "who stopped now would take its model along"
    if outcome == "stored":
        it.store(FileKind.MODEL, "model/initial")
    else:
        name = "model/initial" if outcome == "failed" else "model/other"
        it.give(events.StoreFailed(FileKind.MODEL, lab.named(name), "disk full"))
    assert it.phase is (Phase.IDLE if outcome == "another failed" else Phase.FINISHED), "what failed is tried again anyway"


def test_only_the_latest_order_to_store_a_model_holds_a_peer_back(lab: Any, desk: Any) -> None:
    it = desk(quiet_period_s=1.0, passes=1)
    it.ready()
    it.cut("slice/1")
    it.trained("model/1")
    it.rest(5.0)
    it.store(FileKind.MODEL, "model/initial")
    assert it.phase is Phase.IDLE
    it.store(FileKind.MODEL, "model/1")
    assert it.phase is Phase.FINISHED


def test_a_model_that_is_offered_already_holds_nobody_back(lab: Any, desk: Any) -> None:
    it = desk(quiet_period_s=5.0, passes=1)
    it.ready()
    it.store(FileKind.MODEL, "model/initial")
    it.cut("slice/1")
    it.trained("model/1", 0.2)
    it.hear(lab.model("model/initial", 0.9))
    it.folded("average", 0.1)
    it.rest(5.0)
    assert it.phase is Phase.ADOPTING
    it.folded("model/initial", 0.9)
    it.rest(5.0)
    assert it.phase is Phase.FINISHED, "model/1 was asked for, and counts no more"


def test_nobody_finishes_while_slices_or_their_hashlist_are_on_their_way(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, quiet_period_s=1.0, retry_s=50.0, role=Role.FEEDER)
    it.start()
    it.cut("slice/1")
    it.rest(10.0)
    assert it.phase is Phase.IDLE
    it.give(events.SlicesStored((lab.entry("slice/1"),)))
    assert it.phase is Phase.IDLE
    it.give(events.StoreFailed(FileKind.HASHLIST, lab.named("list"), "disk full"))
    assert it.phase is Phase.FINISHED, "what failed does not hold it back for ever"


def _notices(lab: Any, made: Any) -> list[str]:
    return [notice.text for notice in lab.of(made, Notice)]


def test_who_waits_says_what_for_once(lab: Any, desk: Any) -> None:
    it = desk(role=Role.TRAINER, sharing=True, quiet_period_s=10.0, presence_interval_s=5.0)
    (told,) = _notices(lab, it.start(recovering=True))
    assert "listening for 20 s" in told
    (told,) = _notices(lab, it.hear(lab.presence()) + it.rest(20.0))
    assert "no evaluation slice" in told
    assert not _notices(lab, it.hear(lab.hashlist("list")))
    it.rest(15.0)
    assert it.phase is Phase.FINISHED
    (told,) = _notices(lab, it.hear(lab.hashlist("list/2"), sequence=2))
    assert "no evaluation slice" in told, "it waits again"


def test_who_shuts_everybody_out_is_told_so_once(lab: Any, desk: Any) -> None:
    it = desk(allow=frozenset({lab.named("peer/z")}), quiet_period_s=5.0)
    it.ready()
    it.stored()
    for author in ("peer/a", "peer/b", "peer/a"):
        it.hear(lab.presence(), author=author)
    (told,) = _notices(lab, it.rest(5.0))
    assert "2 other peers were heard of, and none of them" in told
    assert it.phase is Phase.FINISHED
    assert not _notices(lab, it.hear(lab.presence(), author="peer/c") + it.rest(20.0))


def test_who_shuts_only_some_out_is_told_nothing(lab: Any, desk: Any) -> None:
    it = desk(allow=frozenset({lab.named("peer/z")}), quiet_period_s=5.0)
    it.ready()
    it.hear(lab.presence(), author="peer/a")
    it.hear(lab.presence(), author="peer/z")
    assert not _notices(lab, it.rest(20.0))


def test_mere_presence_decides_nothing_anew(lab: Any, desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    it = desk(quiet_period_s=100.0, presence_interval_s=1_000.0, sharing=True)
    it.ready()
    it.stored()
    it.hear(lab.presence())
    decided: list[int] = []
    decide = it.machine._decide
    monkeypatch.setattr(it.machine, "_decide", lambda: (decided.append(1), decide()))
    for number in range(2, 12):
        it.hear(lab.presence(), sequence=number)
        it.hear(lab.use("slice/1", 1), sequence=100 + number)
        it.give(events.TimePassed(), after_s=0.1)
    assert decided == []
    it.hear(lab.presence(), author="peer/b")
    assert len(decided) == 1, "a peer more may be one that was expected"
    it.hear(lab.model("model/1", 0.1))
    assert len(decided) == 2


def test_a_board_that_did_not_change_is_not_put_together_again(lab: Any, desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    it = desk(presence_interval_s=5.0, quiet_period_s=1_000.0)
    it.ready()
    it.stored()
    it.rest(5.0)
    it.store(FileKind.BOARD, "board/1")
    monkeypatch.setattr(it.machine._board, "shareable", lambda: pytest.fail("nothing changed"))
    assert not lab.of(it.rest(20.0), effects.StoreBoard)
