"""Files that were stored and that nobody remembers: found and released, and never one that is just being stored."""

from typing import Any

import pytest

from learnae.machine import events
from learnae.machine.effects import Keep, Release, StoreBoard, StoreHashlist, StoreModel, StoreSlices, TakeInventory
from learnae.machine.events import FileKind
from learnae.machine.stocktaking import RELEASED_AT_ONCE
from learnae.values.choices import Phase
from learnae.values.journal import Notice
from learnae.values.persistency import ALL, Persistency
from learnae.values.scores import Score

STORES = (StoreModel, StoreSlices, StoreHashlist, StoreBoard, Keep)
STRAYS = ("mem:stray/1", "mem:stray/2")


def _started(desk: Any, **changes: Any) -> Any:
    """Start a peer with a storage that lists what it offers; return it and what it ordered."""
    given = {"sharing": True, "retention_s": 50.0, "quiet_period_s": 1e6, "presence_interval_s": 1e6, "retry_s": 2.0}
    it = desk(**(given | changes))
    return it, it.start(inventory=True)


def _scored(it: Any) -> Any:
    it.gather()
    return it.score(0.5)


def test_an_inventory_is_taken_first_and_what_is_to_be_stored_waits_for_it(lab: Any, desk: Any) -> None:
    it, made = _started(desk)
    assert lab.of(made, TakeInventory)
    assert not lab.of(_scored(it) + it.cut("slice/1") + it.rest(10.0), (*STORES, TakeInventory))
    assert it.phase is Phase.TRAINING, "nothing else waits"
    made = it.give(events.InventoryTaken(()))
    assert [type(order) for order in lab.of(made, STORES)] == [StoreModel, StoreSlices]
    it.stored()
    assert not lab.of(it.rest(1_000.0), TakeInventory), "once"


def test_without_a_storage_that_can_tell_nothing_waits(lab: Any, desk: Any) -> None:
    it = desk()
    assert lab.of(it.start() + _scored(it), StoreModel)


def test_strays_are_released_before_anything_is_stored_because_it_may_be_the_same(lab: Any, desk: Any) -> None:
    it, _ = _started(desk)
    _scored(it)
    made = it.give(events.InventoryTaken(STRAYS))
    assert lab.of(made, Release) == [Release(STRAYS)]
    assert lab.of(made, Notice)[0].text.endswith("cut short: 2")
    assert not lab.of(made + it.rest(10.0), STORES)
    assert lab.of(it.give(events.FilesReleased(STRAYS)), STORES) == [StoreModel(it.machine.own.model)]


def test_what_is_remembered_is_no_stray(lab: Any, desk: Any) -> None:
    policy = Persistency(foreign_models=ALL)
    it, _ = _started(desk, persistency=policy)
    it.give(events.InventoryTaken(()))
    _scored(it)
    it.stored()
    it.cut("slice/1")
    it.stored()
    it.trained("model/1")
    it.hear(lab.model("model/a", 0.1))
    it.trained("model/2")
    it.give(events.ModelFolded(lab.named("average"), lab.named("rows"), Score(0.0, 9.0, 100), 7, "mem:kept"))
    memory = it.memory
    files = [*memory.offered.values(), *memory.kept.values(), *memory.slices.values()]
    known = {locator for file in files for locator in file.locators}
    assert len(known) == 4, "a model, a foreign one, a slice, a hashlist"
    it.restore()
    it.start(inventory=True)
    assert lab.of(it.give(events.InventoryTaken((*sorted(known), "mem:stray"))), Release) == [Release(("mem:stray",))]


def test_a_storage_that_does_not_answer_keeps_nothing_waiting_and_is_asked_again(lab: Any, desk: Any) -> None:
    it, _ = _started(desk)
    _scored(it)
    made = it.give(events.InventoryFailed("the daemon is gone"))
    assert [notice.text for notice in lab.of(made, Notice)] == [
        "cannot look for left-over files now, trying again: the daemon is gone"
    ]
    assert lab.of(made, StoreModel)
    assert not lab.of(it.rest(1.9), TakeInventory)
    assert not lab.of(it.rest(10.0), TakeInventory), "not while something is being stored: it would be taken for a stray"
    it.cut("slice/1")
    assert lab.of(it.store(FileKind.MODEL, "model/initial"), (TakeInventory, *STORES)) == [TakeInventory()]
    made = it.give(events.InventoryFailed("the daemon is gone"))
    assert not lab.of(made, Notice), "said once"
    assert [type(order) for order in lab.of(made, STORES)] == [StoreSlices]
    it.stored()
    made = it.rest(4.0)
    assert lab.of(made, TakeInventory)
    it.give(events.InventoryTaken((f"mem:{it.machine.own.model}", "mem:stray")))
    made = it.give(events.ReleaseFailed(("mem:stray",), "the daemon is gone"))
    assert lab.of(it.rest(8.0), TakeInventory), "and looked for again"


def test_many_strays_are_released_in_parts_between_which_others_have_their_turn(lab: Any, desk: Any) -> None:
    it, _ = _started(desk, retry_s=2.0)
    it.cut("slice/1")
    strays = tuple(f"mem:{number:03}" for number in range(RELEASED_AT_ONCE + 3))
    assert lab.of(it.give(events.InventoryTaken(strays)), Release) == [Release(strays[:RELEASED_AT_ONCE])]
    made = it.give(events.FilesReleased(strays[:RELEASED_AT_ONCE]))
    assert [type(order) for order in lab.of(made, (Release, *STORES))] == [StoreSlices]
    it.give(events.SlicesStored((lab.entry("slice/1", at="064"),)))
    it.store(FileKind.HASHLIST, "list")
    assert lab.of(it.rest(2.0), Release) == [Release(strays[-2:])], "one of them is an own slice now"
    it.give(events.FilesReleased(strays[-2:]))
    assert not lab.of(it.rest(40.0), (Release, TakeInventory))


def test_if_what_was_stray_is_remembered_by_its_turn_it_is_looked_again(lab: Any, desk: Any) -> None:
    it, _ = _started(desk)
    it.cut("slice/1")
    strays = tuple(f"mem:{number:03}" for number in range(RELEASED_AT_ONCE + 1))
    it.give(events.InventoryTaken(strays))
    it.give(events.FilesReleased(strays[:-1]))
    it.give(events.SlicesStored((lab.entry("slice/1", at="064"),)))
    it.store(FileKind.HASHLIST, "list")
    assert lab.of(it.rest(2.0), (Release, TakeInventory)) == [TakeInventory()]


def test_of_what_waits_only_the_latest_is_stored(lab: Any, desk: Any) -> None:
    it, _ = _started(desk, passes=2)
    _scored(it)
    it.cut("slice/1")
    for name in ("model/1", "model/2"):
        it.trained(name)
    made = it.give(events.InventoryTaken(()))
    assert lab.of(made, StoreModel) == [StoreModel(lab.named("model/2"))]


def test_a_model_that_was_overtaken_and_is_never_answered_keeps_nothing_waiting(lab: Any, desk: Any) -> None:
    it, _ = _started(desk, passes=1, quiet_period_s=5.0)
    it.give(events.InventoryTaken(()))
    _scored(it)
    it.store(FileKind.MODEL, "model/initial")
    it.give(events.StoreFailed(FileKind.BOARD, lab.named("board"), "full"))
    it.cut("slice/1")
    it.stored()
    assert lab.of(it.trained("model/1", 0.4), StoreModel)
    it.hear(lab.model("model/initial", 0.9))
    it.folded("average", 0.1)
    it.rest(5.0)
    assert it.phase is Phase.ADOPTING
    assert not lab.of(it.folded("model/initial", 0.9), StoreModel), "it is there; the other is not at hand any more"
    assert lab.of(it.rest(50.0), TakeInventory)


def test_what_could_not_be_stored_may_have_been_stored_and_is_looked_for_later(lab: Any, desk: Any) -> None:
    it, _ = _started(desk)
    it.give(events.InventoryTaken(()))
    _scored(it)
    made = it.give(events.StoreFailed(FileKind.MODEL, it.machine.own.model, "no answer")) + it.rest(2.0)
    assert lab.of(made, StoreModel)
    it.store(FileKind.MODEL, "model/initial")
    assert not lab.of(it.rest(47.0), TakeInventory), "others may be fetching"
    assert lab.of(it.rest(1.0), TakeInventory)
    assert lab.of(it.give(events.InventoryTaken(STRAYS)), Release) == [Release(STRAYS)]


@pytest.mark.parametrize("has_inventory", [True, False])
def test_after_a_lost_state_files_stay_for_their_time(lab: Any, desk: Any, has_inventory: bool) -> None:
    it = desk(sharing=True, retention_s=50.0, presence_interval_s=5.0, quiet_period_s=1e6)
    made = it.start(recovering=True, inventory=has_inventory) + it.rest(20.0)
    assert not it.memory.core["core"].recovering
    it.stored()
    it.store(FileKind.BOARD, "board")
    assert not lab.of(made + it.rest(49.9), TakeInventory), "others may be fetching; and what is stored again is known then"
    assert len(lab.of(it.rest(0.1), TakeInventory)) == int(has_inventory)


def test_what_is_stored_slowly_keeps_only_the_inventory_waiting(lab: Any, desk: Any) -> None:
    it, _ = _started(desk, passes=1)
    it.give(events.InventoryFailed("gone"))
    it.cut("slice/1", "slice/2")
    it.rest(2.0)
    assert lab.of(_scored(it), StoreModel), "many slices take long"
    it.store(FileKind.MODEL, "model/initial")
    made = it.stored()
    assert lab.of(made, TakeInventory), "when they are there"
    assert not lab.of(made, StoreHashlist)
    assert lab.of(it.give(events.InventoryTaken(())), StoreHashlist)


def test_a_file_that_is_being_kept_is_no_stray(lab: Any, desk: Any) -> None:
    it, _ = _started(desk, persistency=Persistency(foreign_models=ALL))
    it.give(events.InventoryFailed("gone"))
    _scored(it)
    it.store(FileKind.MODEL, "model/initial")
    it.hear(lab.model("model/a", 0.1))
    made = it.give(events.ModelFolded(lab.named("average"), lab.named("rows"), Score(0.0, 9.0, 100), 7, "mem:kept"))
    assert lab.of(made, Keep)
    assert not lab.of(it.rest(10.0), TakeInventory)
    assert lab.of(it.give(events.KeepFailed(FileKind.MODEL, lab.named("model/a"), "gone")), TakeInventory)
    assert not lab.of(it.rest(10.0), Keep)
    assert lab.of(it.give(events.InventoryTaken(("mem:kept",))), (Keep, Release)) == [
        Keep(FileKind.MODEL, lab.named("peer/a"), lab.named("model/a"), ("mem:kept",))
    ]
