"""Dataslices: whose, how often, by whom; fetching them; roles."""

from typing import Any

import pytest

from learnae.machine import effects, events, slices
from learnae.machine.effects import Fetch, ForgetSlice, GatherValidation, Train
from learnae.machine.events import FileKind
from learnae.values.announcements import Retirement, SliceUse
from learnae.values.choices import Phase, Role
from learnae.values.journal import CycleEnded, Notice, SliceSkipped, SlicesQueued, SliceUsed
from learnae.values.manifest import Limits


def _list(lab: Any, it: Any, *entries: Any, author: str = "peer/a", name: str = "list", sequence: int = 1) -> Any:
    """Let a hashlist be offered and fetched; return the effects of the latter."""
    it.hear(lab.hashlist(name), author=author, sequence=sequence)
    return it.give(events.HashlistFetched(lab.named(author), lab.named(name), entries))


def _arrive(lab: Any, it: Any, *names: str, author: str = "peer/a") -> Any:
    made: tuple[effects.Effect, ...] = ()
    for name in names:
        made += it.give(events.SliceFetched(lab.named(author), lab.named(name), 10))
    return made


def _wanted(lab: Any, made: Any) -> set[str]:
    return {fetch.digest for fetch in lab.of(made, Fetch) if fetch.kind is FileKind.SLICE}


def test_every_slice_is_trained_on_as_often_as_the_terms_say(lab: Any, desk: Any) -> None:
    it = desk(passes=3)
    it.ready()
    made = it.cut("slice/1", "slice/2")
    (queued,) = lab.of(made, SlicesQueued)
    assert (queued.slices, queued.passes, queued.rows) == (2, 6, 20)
    assert {item.digest for item in it.machine.own_slices()} == {lab.named("slice/1"), lab.named("slice/2")}
    order = []
    while it.phase is Phase.TRAINING:
        order += [train.slices[0] for train in lab.of(made, Train)]
        assert it.machine.network_uses(order[-1]) == order.count(order[-1]), "counted before it begins"
        made = it.trained(f"model/{len(order)}")
    assert it.machine.cycle == len(order) == 6
    assert all(set(order[n : n + 2]) == {lab.named("slice/1"), lab.named("slice/2")} for n in (0, 2, 4)), "lowest pass first"
    assert it.machine.queued == 0
    assert it.cut("slice/1", "slice/2") == (), "known slices are no news"


def test_a_cycle_may_take_several_slices_but_none_twice(lab: Any, desk: Any) -> None:
    it = desk(slices_per_cycle=3, passes=2)
    it.ready()
    (train,) = lab.of(it.cut("slice/1", "slice/2"), Train)
    assert set(train.slices) == {lab.named("slice/1"), lab.named("slice/2")}
    it.trained("model/1")
    it.trained("model/2")
    assert (it.machine.queued, it.phase) == (0, Phase.IDLE)


def test_a_crashed_pass_begins_again_without_being_counted_again(lab: Any, desk: Any) -> None:
    it = desk(passes=1)
    it.ready()
    it.cut("slice/1")
    it.restore()
    made = it.start() + it.gather()
    assert lab.of(made, Train)
    assert not lab.of(made, SliceUsed)
    it.trained("model/1")
    assert (it.machine.queued, it.machine.network_uses(lab.named("slice/1"))) == (0, 1)
    it.restore()
    it.start()
    it.gather()
    it.cut("slice/1")
    assert it.phase is Phase.IDLE


def test_uses_are_announced_of_what_is_shared_only(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    made = it.cut("slice/1")
    assert not lab.said(made, SliceUse), "nobody else can know it yet"
    made = it.give(events.SlicesStored((lab.entry("slice/1"),)))
    assert lab.said(made, SliceUse) == [lab.use("slice/1", 1)], "now its uses so far count for others"
    assert lab.said(it.trained("model/1"), SliceUse) == [lab.use("slice/1", 2)]


def test_a_slice_known_to_be_at_its_threshold_is_not_started(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, passes=2, overuse_threshold=3)
    it.ready()
    it.cut("slice/1")
    it.hear(lab.use("slice/1", 9))
    assert it.machine.network_uses(lab.named("slice/1")) == 3, "of others at most the passes count"
    it.restore()
    made = it.start() + it.gather()
    assert lab.of(made, Train), "the pass that a crash interrupted was counted: it goes on"
    (skipped,) = lab.of(made, SliceSkipped)
    assert (skipped.slice, skipped.network) == (lab.named("slice/1"), 3)
    it.trained("model/1")
    assert it.phase is Phase.IDLE


def test_of_an_overused_slice_only_queued_passes_are_said_to_be_skipped(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, passes=1, overuse_threshold=2)
    it.start()
    it.cut("slice/1")
    it.restore(passes=2)
    it.start()
    it.hear(lab.use("slice/1", 2))
    it.gather()
    assert len(lab.of(it.score(0.5), SliceSkipped)) == 1


def test_a_foreign_slice_that_is_overused_is_forgotten_or_not_even_fetched(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, overuse_threshold=2)
    it.start()
    it.hear(lab.use("slice/1", 2), author="peer/b")
    made = _list(lab, it, lab.entry("slice/1"), lab.entry("slice/2"))
    assert _wanted(lab, made) == {lab.named("slice/2")}
    _arrive(lab, it, "slice/2")
    it.hear(lab.use("slice/2", 2), author="peer/b")
    it.gather()
    made = it.score(0.5)
    assert [forgotten.slice for forgotten in lab.of(made, ForgetSlice)] == [lab.named("slice/2")]
    assert it.phase is Phase.IDLE


def test_a_slice_of_anothers_is_fetched_trained_on_and_let_go(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, passes=1)
    it.ready()
    (offered,) = lab.of(it.hear(lab.hashlist("list")), Fetch)
    assert (offered.kind, offered.author) == (FileKind.HASHLIST, lab.named("peer/a"))
    made = it.give(events.HashlistFetched(offered.author, offered.digest, (lab.entry("slice/1"), lab.entry("slice/2"))))
    assert _wanted(lab, made) == {lab.named("slice/1"), lab.named("slice/2")}
    made = _arrive(lab, it, "slice/1")
    assert lab.said(made, SliceUse) == [lab.use("slice/1", 1)]
    assert [queued.author for queued in lab.of(made, SlicesQueued)] == [lab.named("peer/a")]
    made = it.trained("model/1")
    assert [forgotten.slice for forgotten in lab.of(made, ForgetSlice)] == [lab.named("slice/1")]
    assert not lab.of(_arrive(lab, it, "slice/1"), effects.Save), "it was here"
    assert _arrive(lab, it, "slice/unknown")[-1] == ForgetSlice(lab.named("slice/unknown"))


def test_no_more_is_fetched_at_once_than_allowed(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, max_fetches=2)
    it.ready()
    entries = tuple(lab.entry(f"slice/{number}") for number in range(5))
    under_way = [fetch.digest for fetch in lab.of(_list(lab, it, *entries), Fetch)]
    assert len(under_way) == 2
    made = it.give(events.SliceFetched(lab.named("peer/a"), under_way[0], 10))
    assert len(_wanted(lab, made)) == 1, "one ends, one begins"


def test_what_did_not_come_is_fetched_again_later(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, retry_s=2.0, presence_interval_s=1_000.0, quiet_period_s=500.0)
    it.ready()
    _list(lab, it, lab.entry("slice/1"))
    it.give(events.FetchFailed(FileKind.SLICE, lab.named("peer/a"), lab.named("slice/1"), "gone"))
    assert not _wanted(lab, it.rest(1.9))
    assert _wanted(lab, it.rest(0.1)) == {lab.named("slice/1")}
    it.give(events.FetchFailed(FileKind.SLICE, lab.named("peer/a"), lab.named("slice/1"), "gone"))
    assert not _wanted(lab, it.rest(3.9))
    assert _wanted(lab, it.rest(0.1)) == {lab.named("slice/1")}
    assert it.memory.charges == {}


def test_slices_that_failed_come_after_those_that_did_not(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, retry_s=2.0, max_fetches=1, presence_interval_s=1_000.0)
    it.ready()
    (first,) = _wanted(lab, _list(lab, it, *(lab.entry(f"slice/{number}") for number in range(3))))
    it.give(events.FetchFailed(FileKind.SLICE, lab.named("peer/a"), first, "gone"))
    (second,) = _wanted(lab, it.rest(2.0))
    (third,) = _wanted(lab, it.give(events.SliceFetched(lab.named("peer/a"), second, 10)))
    assert len({first, second, third}) == 3
    assert _wanted(lab, it.give(events.SliceFetched(lab.named("peer/a"), third, 10))) == {first}


def test_a_slice_that_several_offer_is_looked_for_with_all(lab: Any, desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MAX_LOCATORS", 2)
    it = desk(sharing=True, retry_s=2.0)
    it.ready()
    for number in range(3):
        _list(lab, it, lab.entry("slice/1", at=f"at-{number}"), author=f"peer/{number}", name=f"list/{number}")
    it.give(events.FetchFailed(FileKind.SLICE, lab.named("peer/0"), lab.named("slice/1"), "gone"))
    (again,) = [fetch for fetch in lab.of(it.rest(2.0), Fetch) if fetch.kind is FileKind.SLICE]
    assert again.locators == ("mem:at-2", "mem:at-1")


def test_a_hashlist_that_one_cannot_give_is_fetched_from_another_at_once(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    (first,) = lab.of(it.hear(lab.hashlist("list")), Fetch)
    it.hear(lab.hashlist("list"), author="peer/b")
    (second,) = lab.of(it.give(events.FetchFailed(FileKind.HASHLIST, first.author, first.digest, "gone")), Fetch)
    assert (first.author, second.author) == (lab.named("peer/a"), lab.named("peer/b"))


def test_a_wrong_slice_is_never_fetched_again(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    _list(lab, it, lab.entry("slice/1"))
    it.give(events.FetchFailed(FileKind.SLICE, lab.named("peer/a"), lab.named("slice/1"), "three columns", wrong=True))
    assert lab.named("slice/1") not in it.memory.slices
    made = _list(lab, it, lab.entry("slice/1"), author="peer/b", name="list/b")
    assert not _wanted(lab, made)
    made = _list(lab, it, lab.entry("slice/1"), lab.entry("slice/2"), name="list/2", sequence=2)
    assert _wanted(lab, made) == {lab.named("slice/2")}


@pytest.mark.parametrize("why", ["quarantined", "retired"])
def test_slices_of_one_who_offers_none_any_more_are_learned_anew_from_others(lab: Any, desk: Any, why: str) -> None:
    it = desk(sharing=True, max_fetches=1, limits=Limits(quarantine_after=1))
    it.ready()
    _list(lab, it, lab.entry("slice/1"), lab.entry("slice/2"))
    it.hear(lab.hashlist("list/b"), author="peer/b")
    if why == "retired":
        it.hear(Retirement("hashlist"), sequence=2)
        it.give(events.FetchFailed(FileKind.SLICE, lab.named("peer/a"), lab.named("slice/1"), "gone"))
    else:
        it.give(events.FetchFailed(FileKind.SLICE, lab.named("peer/a"), lab.named("slice/1"), "wrong", wrong=True))
    assert it.memory.slices == {}
    it.give(events.HashlistFetched(lab.named("peer/b"), lab.named("list/b"), (lab.entry("slice/2"),)))
    assert it.memory.slices[lab.named("slice/2")].author == lab.named("peer/b")


def test_one_author_names_no_more_slices_than_it_may_have_subjects(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, limits=Limits(subjects_per_peer=3))
    it.ready()
    _list(lab, it, *(lab.entry(f"slice/{number}") for number in range(5)))
    _list(lab, it, lab.entry("slice/9"), name="list/2", sequence=2)
    assert len(it.memory.slices) == 3


def test_nobody_trains_on_evaluation_slices(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    it.cut("slice/own", evaluation=True)
    made = _list(lab, it, lab.entry("slice/1", evaluation=True))
    made += _list(lab, it, lab.entry("slice/1"), author="peer/b", name="list/b")
    assert not _wanted(lab, made), "whoever names it later"
    assert it.phase is Phase.IDLE


def test_a_slice_that_its_author_sets_aside_later_leaves_the_queue(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, slices_per_cycle=1, passes=3)
    it.ready()
    _list(lab, it, lab.entry("slice/1"), lab.entry("slice/2"))
    _arrive(lab, it, "slice/1", "slice/2")
    assert it.machine.queued == 6
    _list(lab, it, lab.entry("slice/1", evaluation=True), author="peer/b", name="list/b")
    assert it.machine.queued == 6, "nobody vetoes the rows of others"
    _list(lab, it, lab.entry("slice/1", evaluation=True), lab.entry("slice/2", evaluation=True), name="list/2", sequence=2)
    assert it.machine.queued == 0
    it.trained("model/1")
    assert it.phase is Phase.IDLE, "what was under way ended well"


def test_own_slices_are_not_set_aside_by_others(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    it.cut("slice/1")
    _list(lab, it, lab.entry("slice/1", evaluation=True))
    assert it.machine.queued == 2


def test_a_trainer_waits_for_evaluation_slices_and_validates_on_them(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, role=Role.TRAINER)
    it.start()
    made = _list(lab, it, lab.entry("slice/1"), lab.entry("slice/2", evaluation=True))
    assert _wanted(lab, made) == {lab.named("slice/1"), lab.named("slice/2")}
    _arrive(lab, it, "slice/1")
    assert it.phase is Phase.WAITING
    made = _arrive(lab, it, "slice/2")
    assert lab.of(made, GatherValidation) == [GatherValidation((lab.named("slice/2"),))]
    it.gather()
    it.score(0.5)
    assert it.phase is Phase.TRAINING
    it.trained("model/1")
    _list(lab, it, lab.entry("slice/1", evaluation=True), lab.entry("slice/3", evaluation=True), name="list/2", sequence=2)
    made = _arrive(lab, it, "slice/3")
    (gather,) = lab.of(made, GatherValidation)
    assert set(gather.slices) == {lab.named("slice/2"), lab.named("slice/3")}, "it trained on the other"
    it.restore()
    assert lab.of(it.start(), GatherValidation) == [gather]


def test_a_feeder_never_trains_and_fetches_nothing(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, role=Role.FEEDER)
    made = it.start() + it.gather() + it.cut("slice/1") + it.hear(lab.hashlist("list")) + it.hear(lab.model("model/1", 0.9))
    made += it.stored() + it.rest(100.0)
    assert (it.phase, it.machine.cycle, it.machine.queued) == (Phase.FINISHED, 0, 0)
    assert not lab.of(made, (Train, effects.Fold, effects.Score, effects.StoreModel, Fetch))
    assert lab.of(made, effects.StoreSlices)


def test_training_that_diverges_drops_the_pass_and_goes_on(lab: Any, desk: Any) -> None:
    it = desk(passes=1)
    it.ready()
    it.cut("slice/1", "slice/2")
    own = it.machine.own
    made = it.give(events.TrainingFailed("not finite; lower --learning-rate"))
    assert "not finite" in lab.of(made, Notice)[0].text
    (ended,) = lab.of(made, CycleEnded)
    assert (ended.kept, ended.tried) == (False, None)
    assert (it.machine.own, it.phase, it.machine.queued) == (own, Phase.TRAINING, 1)


def test_own_rows_that_are_lost_come_back_when_they_are_cut_again(lab: Any, desk: Any) -> None:
    it = desk(passes=2)
    it.ready()
    it.cut("slice/1")
    made = it.give(events.TrainingFailed("lost", (lab.named("slice/1"),)))
    assert any("come back at the next start" in notice.text for notice in lab.of(made, Notice))
    assert (it.phase, it.machine.queued) == (Phase.IDLE, 0)
    it.restore()
    it.start()
    it.gather()
    it.cut("slice/1")
    assert it.machine.queued == 1, "the pass that began counts"


def test_foreign_rows_that_are_lost_are_fetched_again(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    _list(lab, it, lab.entry("slice/1"))
    _arrive(lab, it, "slice/1")
    made = it.give(events.TrainingFailed("lost", (lab.named("slice/1"),)))
    assert _wanted(lab, made) == {lab.named("slice/1")}
    _arrive(lab, it, "slice/1")
    assert (it.phase, it.machine.queued) == (Phase.TRAINING, 1)
