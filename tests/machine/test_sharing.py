"""What a sharing peer offers of its own data, and what becomes of it when things fail."""

from typing import Any

import pytest

from learnae.machine import effects, events
from learnae.machine.effects import Release, StoreHashlist, StoreSlices
from learnae.machine.events import FileKind
from learnae.values.announcements import HashlistOffer, Retirement
from learnae.values.journal import Notice


def _share(lab: Any, it: Any, *names: str) -> Any:
    it.cut(*names)
    it.give(events.SlicesStored(tuple(lab.entry(name, at=name[-1]) for name in names)))
    return it.store(FileKind.HASHLIST, "list/" + "".join(names))


def test_slices_then_the_hashlist_then_the_announcement(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    (order,) = lab.of(it.cut("slice/1"), StoreSlices)
    assert order.slices == ((lab.named("slice/1"), False),)
    (order,) = lab.of(it.give(events.SlicesStored((lab.entry("slice/1"),))), StoreHashlist)
    assert order.entries == (lab.entry("slice/1"),)
    assert lab.said(it.store(FileKind.HASHLIST, "list"), HashlistOffer) == [HashlistOffer(lab.named("list"), ("mem:list",), 1)]


def test_one_order_at_a_time_so_that_the_latest_hashlist_is_announced_last(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    assert lab.of(it.cut("slice/1"), StoreSlices)
    assert not lab.of(it.cut("slice/2"), StoreSlices)
    (order,) = lab.of(it.give(events.SlicesStored((lab.entry("slice/1"),))), (StoreSlices, StoreHashlist))
    assert order == StoreSlices(((lab.named("slice/2"), False),))
    (order,) = lab.of(it.give(events.SlicesStored((lab.entry("slice/2"),))), (StoreSlices, StoreHashlist))
    assert {entry.digest for entry in order.entries} == {lab.named("slice/1"), lab.named("slice/2")}
    assert list(order.entries) == sorted(order.entries, key=lambda entry: entry.digest)
    it.store(FileKind.HASHLIST, "list")
    assert not lab.of(it.rest(100.0), (StoreSlices, StoreHashlist)), "nothing changed"


def test_what_cannot_be_offered_now_is_offered_later(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, retry_s=2.0)
    it.ready()
    it.cut("slice/1")
    made = it.give(events.StoreFailed(FileKind.SLICE, lab.named("slice/1"), "disk full"))
    assert "cannot offer slice" in lab.of(made, Notice)[0].text
    assert not lab.of(it.rest(1.9), StoreSlices)
    assert lab.of(it.rest(0.1), StoreSlices)
    it.give(events.SlicesStored((lab.entry("slice/1"),)))
    it.give(events.StoreFailed(FileKind.HASHLIST, lab.named("list"), "disk full"))
    assert lab.of(it.rest(2.0), StoreHashlist)
    it.give(events.StoreFailed(FileKind.HASHLIST, lab.named("list"), "disk full"))
    assert not lab.of(it.rest(3.9), StoreHashlist)
    assert lab.of(it.rest(0.1), StoreHashlist)


def test_a_crash_before_the_hashlist_was_announced_does_not_keep_it_back(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    it.cut("slice/1")
    it.restore()
    assert lab.of(it.start(), StoreSlices)
    it.give(events.SlicesStored((lab.entry("slice/1"),)))
    it.restore()
    assert lab.of(it.start(), StoreHashlist)
    it.store(FileKind.HASHLIST, "list")
    it.restore()
    made = it.start()
    assert not lab.of(made, (StoreSlices, StoreHashlist))
    assert [offer.digest for offer in lab.said(made, HashlistOffer)] == [lab.named("list")], "said once more"


def test_a_slice_that_is_lost_while_it_is_stored_is_not_on_the_hashlist(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    it.cut("slice/1")
    it.give(events.TrainingFailed("lost", (lab.named("slice/1"),)))
    made = it.give(events.SlicesStored((lab.entry("slice/1"),)))
    assert not lab.of(made, StoreHashlist)
    assert it.memory.slices == {}


def test_a_new_hashlist_replaces_the_old_one_which_runs_out(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, retention_s=50.0)
    it.ready()
    _share(lab, it, "slice/1")
    _share(lab, it, "slice/2")
    assert not [release for release in lab.of(it.rest(49.9), Release) if "mem:list/slice/1" in release.locators]
    assert Release(("mem:list/slice/1",)) in lab.of(it.rest(0.2), Release)


def test_a_peer_that_does_not_share_any_more_withdraws_what_it_offered(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, retention_s=50.0)
    it.ready()
    _share(lab, it, "slice/1")
    _share(lab, it, "slice/2")
    it.restore(sharing=False)
    made = it.start()
    assert {release.locators for release in lab.of(made, Release)} == {("mem:1",), ("mem:2",)}
    assert Retirement("hashlist") in lab.said(made, Retirement)
    for locators in (("mem:1",), ("mem:2",)):
        it.give(events.FilesReleased(locators))
    assert Release(("mem:list/slice/2",)) in lab.of(it.rest(50.0), Release)
    it.restore()
    assert not lab.of(it.start(), Release), "once"
    it.restore(sharing=True)
    assert lab.of(it.start(), StoreSlices), "and offers it again, if asked to"


def test_slices_that_were_stored_but_never_listed_are_withdrawn_too(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    it.cut("slice/1")
    it.give(events.SlicesStored((lab.entry("slice/1", at="1"),)))
    it.restore(sharing=False)
    made = it.start()
    assert lab.of(made, Release) == [Release(("mem:1",))]
    assert not lab.said(made, Retirement)
    assert not lab.of(made, effects.StoreHashlist)


def test_no_hashlist_is_stored_while_one_is_released_nor_the_other_way_round(lab: Any, desk: Any) -> None:
    """They may be the same again: nobody could tell which came last."""
    it = desk(sharing=True, retention_s=50.0)
    it.ready()
    _share(lab, it, "slice/1")
    _share(lab, it, "slice/2")
    it.cut("slice/3")
    assert lab.of(it.give(events.SlicesStored((lab.entry("slice/3"),))), StoreHashlist)
    assert Release(("mem:list/slice/1",)) not in lab.of(it.rest(50.0), Release)
    assert Release(("mem:list/slice/1",)) in lab.of(it.store(FileKind.HASHLIST, "list/slice/3"), Release)
    it.cut("slice/4")
    assert not lab.of(it.give(events.SlicesStored((lab.entry("slice/4"),))), StoreHashlist)
    assert lab.of(it.give(events.FilesReleased(("mem:list/slice/1",))), StoreHashlist)


def test_a_slice_that_is_lost_while_it_is_stored_is_released(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, retention_s=50.0, retry_s=5.0)
    it.ready()
    it.cut("slice/1")
    it.give(events.SlicesLost((lab.named("slice/1"),)))
    it.give(events.SlicesStored((lab.entry("slice/1", at="1"),)))
    assert Release(("mem:1",)) in lab.of(it.rest(50.0), Release)
    assert not lab.of(it.cut("slice/1"), StoreSlices), "it is being released"
    assert lab.of(it.give(events.FilesReleased(("mem:1",))), StoreSlices)


def _withdrawn(lab: Any, desk: Any) -> Any:
    it = desk(sharing=True, retention_s=50.0, presence_interval_s=1_000.0)
    it.ready()
    _share(lab, it, "slice/1")
    it.restore(sharing=False)
    assert Release(("mem:1",)) in lab.of(it.start(), Release)
    return it


def test_a_withdrawn_slice_is_released_after_a_restart_if_it_was_not_before(lab: Any, desk: Any) -> None:
    it = _withdrawn(lab, desk)
    it.restore()
    assert Release(("mem:1",)) in lab.of(it.start(), Release)
    it.give(events.ReleaseFailed(("mem:1",), "daemon gone"))
    assert Release(("mem:1",)) in lab.of(it.rest(2.0), Release)
    it.give(events.FilesReleased(("mem:1",)))
    it.restore()
    assert Release(("mem:1",)) not in lab.of(it.start() + it.rest(500.0), Release)


@pytest.mark.parametrize("where", ["1", "elsewhere"])
def test_a_withdrawn_slice_that_is_shared_again_is_not_released_from_where_it_is(lab: Any, desk: Any, where: str) -> None:
    it = _withdrawn(lab, desk)
    it.restore(sharing=True)
    assert lab.of(it.start(), StoreSlices)
    assert Release(("mem:1",)) not in lab.of(it.rest(200.0), Release), "it is about to be stored, perhaps there"
    it.give(events.SlicesStored((lab.entry("slice/1", at=where),)))
    assert (Release(("mem:1",)) in lab.of(it.rest(200.0), Release)) == (where != "1")
