"""Files that should be on offer and are gone from their storage: noticed, and offered again."""

from typing import Any

from learnae.machine import events
from learnae.machine.effects import Keep, Release, StoreBoard, StoreHashlist, StoreModel, StoreSlices
from learnae.machine.events import FileKind
from learnae.values.journal import Notice
from learnae.values.persistency import ALL, Persistency
from learnae.values.scores import Score

STORES = (StoreModel, StoreSlices, StoreHashlist, Keep)


def _offering(desk: Any, lab: Any, *, retention_s: float = 1e6) -> Any:
    """Return a peer that offers a model, an older one, a foreign one, a slice, a hashlist and a board."""
    it = desk(
        sharing=True,
        retention_s=retention_s,
        quiet_period_s=1e6,
        presence_interval_s=5.0,
        persistency=Persistency(foreign_models=ALL),
    )
    it.start(inventory=True)
    it.give(events.InventoryTaken((), ("mem",)))
    it.gather()
    it.score(0.5)
    it.store(FileKind.BOARD, "board")
    it.stored()
    it.cut("slice/1")
    it.stored()
    it.hear(lab.model("model/a", 0.9))
    it.trained("model/1")
    it.stored()
    it.give(events.ModelFolded(lab.named("average"), lab.named("rows"), Score(0.0, 9.0, 100), 7, "mem:kept"))
    it.give(events.Kept(FileKind.MODEL, lab.named("model/a")))
    return it


def _restarted(it: Any) -> Any:
    it.restore()
    return it.start(inventory=True)


def test_what_the_storage_has_lost_is_offered_again(lab: Any, desk: Any) -> None:
    it = _offering(desk, lab)
    assert not lab.of(_restarted(it), STORES), "nobody knows yet"
    made = it.give(events.InventoryTaken((), ("mem",)))
    assert [notice.text for notice in lab.of(made, Notice)] == [
        "files that this peer offers are gone from its storage, offering them again: 4"
    ], "the model, the foreign one, the slice and its hashlist; not the older model, of which nothing is at hand"
    stored = lab.of(made, STORES)
    assert StoreModel(lab.named("model/1")) in stored
    assert StoreSlices(((lab.named("slice/1"), False),)) in stored
    assert Keep(FileKind.MODEL, lab.named("peer/a"), lab.named("model/a"), ("mem:kept",)) in stored
    assert lab.of(it.stored(), StoreHashlist)
    assert set(it.memory.offered) >= {f"model/{lab.named('model/1')}"}
    assert not lab.of(it.rest(100.0), (*STORES, Release)), "once"


def test_a_hashlist_alone_is_stored_again_also_after_a_crash_in_between(lab: Any, desk: Any) -> None:
    it = _offering(desk, lab)
    _restarted(it)
    files = [*it.memory.offered.values(), *it.memory.kept.values(), *it.memory.slices.values()]
    left = tuple(where for file in files if getattr(file, "kind", None) is not FileKind.HASHLIST for where in file.locators)
    assert len(lab.of(it.give(events.InventoryTaken(left, ("mem",))), StoreHashlist)) == 1
    assert not lab.of(_restarted(it), STORES), "nothing is stored while an inventory is taken"
    assert len(lab.of(it.give(events.InventoryTaken(left, ("mem",))), StoreHashlist)) == 1


def test_a_storage_that_cannot_tell_has_lost_nothing(lab: Any, desk: Any) -> None:
    it = _offering(desk, lab)
    _restarted(it)
    assert not lab.of(it.give(events.InventoryTaken((), ("other",))), (*STORES, Notice))


def test_a_board_that_is_lost_goes_out_with_the_next_presence(lab: Any, desk: Any) -> None:
    it = _offering(desk, lab, retention_s=20.0)
    it.rest(5.0)
    it.store(FileKind.BOARD, "board/2")
    assert not lab.of(it.rest(5.0), StoreBoard), "nothing is new"
    it.give(events.StoreFailed(FileKind.SLICE, lab.named("slice/1"), "no answer"))
    for released in lab.of(it.rest(20.0), Release):
        it.give(events.FilesReleased(released.locators))
    it.give(events.InventoryTaken((), ("mem",)))
    assert lab.of(it.rest(5.0), StoreBoard)
