"""Orders to keep files of others, and to list what is offered, carried out by storages that can and those that cannot."""

import asyncio
from typing import Any

import pytest

from learnae.builtins.memory import MemoryLedger
from learnae.errors import NotFoundError, TooLargeError, UnavailableError
from learnae.machine.effects import Keep, TakeInventory
from learnae.machine.events import FileKind, InventoryFailed, InventoryTaken, KeepFailed, Kept
from learnae.performing.persisting import Persisting
from learnae.testing.faults import FaultyStorage
from learnae.values.ids import Digest, Locator, PeerId

ALICE, BOB = PeerId("a1" * 32), PeerId("b2" * 32)
DIGEST = Digest("d" * 64)


class AtOnce:
    """A pace that waits for nothing."""

    async def within(self, job: Any) -> Any:
        return await job


class Broken:
    """A storage that keeps and lists nothing now."""

    scheme = "broken"
    max_file_bytes = 1

    async def keep(self, locator: Locator, *, max_bytes: int) -> None:
        raise UnavailableError("the daemon is gone")

    async def offered(self) -> list[Locator]:
        raise UnavailableError("the daemon is gone")


def _persisting(*storages: Any, most: int = 1_000) -> Persisting:
    return Persisting({storage.scheme: storage for storage in storages}, AtOnce(), lambda _: most)


def _perform(persisting: Persisting, order: Any) -> Any:
    return asyncio.run(persisting.perform(order))


def test_a_file_is_kept_until_it_is_released() -> None:
    ledger = MemoryLedger()
    locator = ledger.store(ALICE, b"a model")
    order = Keep(FileKind.MODEL, ALICE, DIGEST, (locator,))
    for _ in range(2):
        assert _perform(_persisting(ledger.storage(BOB)), order) == Kept(FileKind.MODEL, DIGEST)
    ledger.drop(ALICE, locator)
    assert ledger.load(locator, 100) == b"a model"
    assert ledger.held(BOB) == [locator]


@pytest.mark.parametrize(
    ("locator", "reason"),
    [
        pytest.param("memory:" + "0" * 64, "nobody holds", id="gone"),
        pytest.param("other:x", "no storage here keeps other:x on offer", id="no-such-storage"),
        pytest.param("faulty:x", "no storage here keeps faulty:x on offer", id="no-keeper"),
        pytest.param("broken:x", "the daemon is gone", id="broken"),
    ],
)
def test_what_cannot_be_kept_is_said(locator: str, reason: str) -> None:
    faulty = FaultyStorage(MemoryLedger().storage(BOB))
    faulty.scheme = "faulty"
    persisting = _persisting(MemoryLedger().storage(BOB), faulty, Broken())
    event = _perform(persisting, Keep(FileKind.SLICE, ALICE, DIGEST, (Locator(locator),)))
    assert isinstance(event, KeepFailed)
    assert (event.kind, event.digest) == (FileKind.SLICE, DIGEST)
    assert reason in event.reason


def test_no_more_is_kept_than_a_file_of_its_kind_may_have() -> None:
    ledger = MemoryLedger()
    locator = ledger.store(ALICE, bytes(101))
    event = _perform(_persisting(ledger.storage(BOB), most=100), Keep(FileKind.HASHLIST, ALICE, DIGEST, (locator,)))
    assert isinstance(event, KeepFailed)
    assert ledger.held(BOB) == []


def test_the_inventory_is_that_of_all_storages_that_can_tell() -> None:
    first, second = MemoryLedger(), MemoryLedger()
    mine = {first.store(BOB, b"1"), first.store(BOB, b"2"), second.store(BOB, b"3")}
    first.store(ALICE, b"not mine")
    other = second.storage(BOB)
    other.scheme = "other"  # type: ignore[misc]  # two storages of two schemes
    assert not _persisting(FaultyStorage(first.storage(BOB))).has_inventory
    persisting = _persisting(first.storage(BOB), other)
    assert persisting.has_inventory
    assert _perform(persisting, TakeInventory()) == InventoryTaken(tuple(sorted(mine)), ("memory", "other"))


def test_who_does_not_answer_spoils_the_inventory() -> None:
    persisting = _persisting(MemoryLedger().storage(BOB), Broken())
    assert _perform(persisting, TakeInventory()) == InventoryFailed("the daemon is gone")


def test_what_holds_nothing_any_more_is_forgotten_by_the_memory_ledger() -> None:
    ledger = MemoryLedger()
    locator = ledger.store(ALICE, b"data")
    ledger.keep(BOB, locator, 4)
    with pytest.raises(TooLargeError):
        ledger.keep("carol", locator, 3)
    for holder in (ALICE, BOB, BOB):
        ledger.drop(holder, locator)
    assert ledger.held(BOB) == []
    with pytest.raises(NotFoundError):
        ledger.keep(BOB, locator, 4)
