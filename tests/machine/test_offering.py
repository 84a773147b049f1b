"""Models, boards, presence: when they are shown, and when they are retired."""

from typing import Any

import pytest

from learnae.machine import effects, events
from learnae.machine.effects import Announce, Fetch, Release, StoreBoard, StoreModel
from learnae.machine.events import FileKind
from learnae.values.announcements import ModelOffer, Presence
from learnae.values.choices import Phase
from learnae.values.journal import ModelPublished, Notice


def _train_and_store(lab: Any, it: Any, name: str, accuracy: float = 0.5) -> Any:
    it.cut(f"slice/{name}")
    return it.trained(name, accuracy) + it.store(FileKind.MODEL, name)


def test_a_model_is_announced_when_it_is_stored(lab: Any, desk: Any) -> None:
    it = desk()
    assert StoreModel(lab.named("model/initial")) in it.ready(0.5)
    made = it.store(FileKind.MODEL, "model/initial")
    assert lab.said(made, ModelOffer) == [lab.model("model/initial", 0.5, at="model/initial")]
    assert lab.of(made, ModelPublished)[0].bytes == 9
    it.gather("rows/new")
    made = it.score(0.7, rows="rows/new")
    assert [offer.record.score.accuracy for offer in lab.said(made, ModelOffer)] == [0.7], "a new score is said anew"
    assert not lab.of(made, StoreModel)


def test_a_model_that_could_not_be_stored_is_stored_later(lab: Any, desk: Any) -> None:
    it = desk(retry_s=2.0, quiet_period_s=100.0, presence_interval_s=100.0)
    it.ready()
    it.give(events.StoreFailed(FileKind.MODEL, lab.named("model/initial"), "disk full"))
    assert not lab.of(it.rest(1.9), StoreModel)
    assert len(lab.of(it.rest(50.0), StoreModel)) == 1


def test_a_superseded_model_is_released_after_its_retention(lab: Any, desk: Any) -> None:
    it = desk(retention_s=50.0, passes=1)
    it.ready()
    it.store(FileKind.MODEL, "model/initial")
    _train_and_store(lab, it, "model/1")
    assert not lab.of(it.rest(49.9), Release)
    assert lab.of(it.rest(0.2), Release) == [Release(("mem:model/initial",))]
    assert not lab.of(it.rest(500.0), Release), "the current one stays"


def test_retention_begins_anew_with_a_restart(lab: Any, desk: Any) -> None:
    it = desk(retention_s=50.0, passes=1)
    it.ready()
    it.store(FileKind.MODEL, "model/initial")
    _train_and_store(lab, it, "model/1")
    it.rest(49.0)
    it.restore()
    made = it.start()
    assert [offer.record.digest for offer in lab.said(made, ModelOffer)] == [lab.named("model/1")]
    assert not lab.of(it.rest(49.9), Release)
    assert lab.of(it.rest(0.2), Release) == [Release(("mem:model/initial",))]


def test_a_superseded_model_that_is_adopted_again_stays(lab: Any, desk: Any) -> None:
    it = desk(retention_s=50.0, passes=1, quiet_period_s=5.0)
    it.ready()
    it.store(FileKind.MODEL, "model/initial")
    _train_and_store(lab, it, "model/1", 0.2)
    it.hear(lab.model("model/initial", 0.9, maturity=4))
    it.folded("average", 0.1)
    it.rest(5.0)
    assert it.phase is Phase.ADOPTING
    made = it.folded("model/initial", 0.9)
    assert not lab.of(made, StoreModel), "it is there"
    assert [offer.record.maturity for offer in lab.said(made, ModelOffer)] == [4]
    assert lab.of(it.rest(100.0), Release) == [Release(("mem:model/1",))]


def test_a_model_whose_storing_ends_late_does_not_retire_the_current_one(lab: Any, desk: Any) -> None:
    it = desk(retention_s=50.0, passes=1)
    it.ready()
    _train_and_store(lab, it, "model/1")
    made = it.store(FileKind.MODEL, "model/initial")
    assert not lab.said(made, ModelOffer)
    assert lab.of(it.rest(100.0), Release) == [Release(("mem:model/initial",))]


def test_presence_is_announced_at_intervals_with_the_board_where_it_changed(lab: Any, desk: Any) -> None:
    it = desk(presence_interval_s=5.0, quiet_period_s=2.0)
    made = it.start()
    assert [presence.board for presence in lab.said(made, Presence)] == [None], "at once; the board is empty"
    it.gather()
    it.score(0.5)
    it.store(FileKind.MODEL, "model/initial")
    made = it.rest(5.0)
    assert len(lab.of(made, StoreBoard)) == 1
    assert not lab.said(made, Presence), "when the board is there"
    made = it.store(FileKind.BOARD, "board/1")
    (shown,) = lab.said(made, Presence)
    assert (shown.board, shown.locators) == (lab.named("board/1"), ("mem:board/1",))
    made = it.rest(20.0)
    assert (len(lab.said(made, Presence)), lab.of(made, StoreBoard)) == (4, [])
    it.hear(lab.presence())
    assert not lab.of(it.rest(5.0), StoreBoard), "presence is not on the board"
    it.hear(lab.model("model/initial", 0.4))
    assert len(lab.of(it.rest(20.0), StoreBoard)) == 1, "one at a time"
    made = it.give(events.StoreFailed(FileKind.BOARD, lab.named("board/2"), "disk full"))
    assert [presence.board for presence in lab.said(made, Presence)] == [lab.named("board/1")], "presence does not wait for it"
    assert len(lab.of(it.rest(5.0), StoreBoard)) == 1
    it.store(FileKind.BOARD, "board/2")
    assert Release(("mem:board/1",)) in lab.of(it.rest(20.1), Release), "an old board is kept for four intervals"


def test_a_moment_that_passes_while_something_else_happens_is_not_lost(lab: Any, desk: Any) -> None:
    it = desk(presence_interval_s=5.0, quiet_period_s=1_000.0)
    it.ready()
    assert lab.of(it.give(events.ReadingsArrived("sensor", 1, 0), after_s=5.1), (Announce, StoreBoard)), "done later"
    assert it.machine.wake_at(it.now_s) == it.now_s + 5.0
    assert it.machine.wake_at(it.now_s + 7.0) == it.now_s + 7.0, "due since: now"


def test_a_board_is_retired_after_a_restart(lab: Any, desk: Any) -> None:
    it = desk(presence_interval_s=5.0)
    it.ready()
    it.store(FileKind.BOARD, "board/1")
    it.restore()
    it.start()
    assert Release(("mem:board/1",)) in lab.of(it.rest(20.1), Release)


@pytest.mark.parametrize("is_started", [True, False])
def test_who_leaves_says_so(lab: Any, desk: Any, is_started: bool) -> None:
    it = desk()
    if is_started:
        it.ready()
    made = it.give(events.StopRequested())
    assert [presence.leaving for presence in lab.said(made, Presence)] == [True] * is_started
    assert it.machine.wake_at(it.now_s) is None


def _boards(lab: Any, made: Any) -> list[str]:
    return [fetch.digest for fetch in lab.of(made, Fetch) if fetch.kind is FileKind.BOARD]


def test_boards_are_fetched_one_at_a_time_and_one_an_interval(lab: Any, desk: Any) -> None:
    it = desk(presence_interval_s=5.0, quiet_period_s=1_000.0)
    it.ready()
    first = _boards(lab, it.hear(lab.presence("board/a")))
    assert first == [lab.named("board/a")]
    made = it.hear(lab.presence("board/b"), author="peer/b") + it.hear(lab.presence(), author="peer/c") + it.rest(50.0)
    assert not _boards(lab, made), "one is under way"
    made = it.give(
        events.BoardFetched(lab.named("peer/a"), lab.named("board/a"), (lab.say(lab.model("model/1", 0.1), author="peer/d"),))
    )
    assert not _boards(lab, made)
    assert it.phase is Phase.EXPLORING, "a board is news like what is heard"
    assert not _boards(lab, it.rest(4.9))
    assert _boards(lab, it.rest(0.1)) == [lab.named("board/b")]
    it.give(events.FetchFailed(FileKind.BOARD, lab.named("peer/b"), lab.named("board/b"), "gone"))
    assert _boards(lab, it.rest(5.0)) == [lab.named("board/b")], "again later"
    it.give(events.FetchFailed(FileKind.BOARD, lab.named("peer/b"), lab.named("board/b"), "no board", wrong=True))
    assert not _boards(lab, it.rest(100.0))
    assert it.memory.charges.keys() == {lab.named("peer/b")}


def test_a_board_that_is_the_own_one_is_not_fetched(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready()
    it.store(FileKind.BOARD, "board")
    assert not _boards(lab, it.hear(lab.presence("board")))


def test_a_restarted_peer_says_again_what_it_offers(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready()
    it.store(FileKind.MODEL, "model/initial")
    it.restore()
    made = it.start()
    assert len(lab.said(made, ModelOffer)) == 1
    assert not lab.of(made, effects.StoreModel)


def _superseded(lab: Any, desk: Any) -> Any:
    it = desk(retention_s=50.0, passes=1, retry_s=2.0, presence_interval_s=1_000.0)
    it.ready()
    it.store(FileKind.MODEL, "model/initial")
    _train_and_store(lab, it, "model/1")
    assert lab.of(it.rest(50.0), Release) == [Release(("mem:model/initial",))]
    return it


def test_what_is_released_is_remembered_until_it_is(lab: Any, desk: Any) -> None:
    it = _superseded(lab, desk)
    assert f"model/{lab.named('model/initial')}" in it.memory.offered
    made = it.give(events.ReleaseFailed(("mem:model/initial",), "daemon gone"))
    assert "cannot be released now" in lab.of(made, Notice)[0].text
    assert not lab.of(it.rest(1.9), Release)
    assert lab.of(it.rest(0.1), Release)
    made = it.give(events.ReleaseFailed(("mem:model/initial",), "daemon gone"))
    assert not lab.of(made, Notice), "said once"
    assert not lab.of(it.rest(3.9), Release)
    assert lab.of(it.rest(0.1), Release)
    it.give(events.FilesReleased(("mem:model/initial",)))
    assert it.memory.offered.keys() == {f"model/{lab.named('model/1')}"}
    assert not lab.of(it.rest(500.0), Release)


def test_what_was_not_released_is_released_after_a_restart(lab: Any, desk: Any) -> None:
    it = _superseded(lab, desk)
    it.restore()
    it.start()
    assert lab.of(it.rest(50.0), Release) == [Release(("mem:model/initial",))]


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_that_becomes_current_while_it_is_released_is_stored_again(lab: Any, desk: Any, fails: bool) -> None:
    it = _superseded(lab, desk)
    it.gather()
    it.hear(lab.model("model/initial", 0.9))
    it.folded("average", 0.1)
    it.rest(10.0)
    assert it.phase is Phase.ADOPTING
    it.folded("model/initial", 0.9)
    it.rest(100.0)
    assert it.phase is Phase.IDLE, "it is not sure that others can fetch it"
    if fails:
        made = it.give(events.ReleaseFailed(("mem:model/initial",), "daemon gone"))
        assert not lab.of(made, (StoreModel, Notice))
    else:
        made = it.give(events.FilesReleased(("mem:model/initial",)))
        assert lab.of(made, StoreModel) == [StoreModel(lab.named("model/initial"))]
        it.store(FileKind.MODEL, "model/initial")
    it.rest(10.0)
    assert it.phase is Phase.FINISHED
    assert f"model/{lab.named('model/initial')}" in it.memory.offered


def test_no_board_is_stored_while_one_is_released_nor_the_other_way_round(lab: Any, desk: Any) -> None:
    """They may be the same again: nobody could tell which came last."""
    it = desk(presence_interval_s=5.0, quiet_period_s=1_000.0)
    it.ready()
    it.stored()
    for name in ("board/1", "board/2"):
        it.rest(5.0)
        it.store(FileKind.BOARD, name)
        it.hear(lab.model(f"of/{name}", 0.1), author=f"peer/{name}")
    made = it.rest(20.0)
    assert (len(lab.of(made, StoreBoard)), lab.of(made, Release)) == (1, [])
    it.hear(lab.model("of/a", 0.1))
    assert lab.of(it.store(FileKind.BOARD, "board/3"), Release) == [Release(("mem:board/1",))]
    assert not lab.of(it.rest(5.0), StoreBoard)
    assert lab.of(it.give(events.ReleaseFailed(("mem:board/1",), "gone")), StoreBoard), "at once"
