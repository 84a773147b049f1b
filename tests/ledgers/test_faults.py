"""Faults do what they say, and only where the schedule says."""

import asyncio

import pytest

from learnae.builtins.memory import MemoryLedger
from learnae.errors import NotFoundError, UnavailableError, UsageError, WorldError
from learnae.testing.faults import Fault, FaultyStorage, FaultyTransport, draw_schedule, spoil

MESSAGES = [b"zero", b"one.", b"two.", b"tri.", b"four", b"five"]
SLOTS = [f"{number:064x}" for number in range(6)]
Z, N, T, R, F, V = MESSAGES


def outcome(fault: Fault, side: str) -> tuple[list[bytes], int]:
    """Send all messages with a fault at the second; return what arrives, and how often something was unavailable."""

    async def run() -> tuple[list[bytes], int]:
        ledger = MemoryLedger()
        sender = FaultyTransport(ledger.transport("a" * 64), **({"published": {1: fault}} if side == "published" else {}))
        reader = FaultyTransport(ledger.transport("b" * 64), **({"received": {1: fault}} if side == "received" else {}))
        failures = 0
        for slot, message in zip(SLOTS, MESSAGES, strict=True):
            try:
                await sender.publish(slot, message)
            except UnavailableError:
                failures += 1
        got: list[bytes] = []
        while not got or got[-1] != V:
            try:
                got.append(await reader.receive())
            except UnavailableError:
                failures += 1
        await reader.aclose()
        return got, failures

    return asyncio.run(run())


@pytest.mark.parametrize("side", ["published", "received"])
@pytest.mark.parametrize(
    ("fault", "arrives"),
    [
        pytest.param(Fault.LOST, [Z, T, R, F, V], id="lost"),
        pytest.param(Fault.DUPLICATED, [Z, N, N, T, R, F, V], id="duplicated"),
        pytest.param(Fault.REORDERED, [Z, T, N, R, F, V], id="reordered"),
        pytest.param(Fault.DELAYED, [Z, T, R, F, N, V], id="delayed"),
        pytest.param(Fault.DAMAGED, [Z, b"on\x64.", T, R, F, V], id="damaged"),
        pytest.param(Fault.TRUNCATED, [Z, b"on", T, R, F, V], id="truncated"),
    ],
)
def test_each_fault_hits_the_message_that_the_schedule_names(fault: Fault, arrives: list[bytes], side: str) -> None:
    assert outcome(fault, side) == (arrives, 0)


def test_unavailable_raises_and_does_nothing() -> None:
    assert outcome(Fault.UNAVAILABLE, "published") == ([Z, T, R, F, V], 1)
    assert outcome(Fault.UNAVAILABLE, "received") == (MESSAGES, 1)


def test_empty_messages_cannot_be_damaged() -> None:
    assert spoil(b"", Fault.DAMAGED) == b""


def test_equal_seeds_draw_equal_schedules() -> None:
    drawn = draw_schedule(3, length=1000, share=0.2)
    assert drawn == draw_schedule(3, length=1000, share=0.2) != draw_schedule(4, length=1000, share=0.2)
    assert 150 < len(drawn) < 250
    assert set(drawn.values()) == set(Fault)
    assert set(draw_schedule(3, length=100, share=1.0, faults=[Fault.LOST]).values()) == {Fault.LOST}


def test_a_file_has_no_order() -> None:
    with pytest.raises(UsageError, match="use delayed"):
        FaultyStorage(MemoryLedger().storage("a" * 64), gets={0: Fault.REORDERED})


@pytest.mark.parametrize(
    ("fault", "first"),
    [
        pytest.param(Fault.LOST, NotFoundError, id="lost"),
        pytest.param(Fault.DELAYED, NotFoundError, id="delayed"),
        pytest.param(Fault.UNAVAILABLE, UnavailableError, id="unavailable"),
        pytest.param(Fault.DUPLICATED, b"file", id="duplicated"),
        pytest.param(Fault.DAMAGED, b"fime", id="damaged"),
        pytest.param(Fault.TRUNCATED, b"fi", id="truncated"),
    ],
)
def test_fetching_meets_the_fault_once(fault: Fault, first: bytes | type[WorldError]) -> None:
    async def run() -> None:
        storage = FaultyStorage(MemoryLedger().storage("a" * 64), gets={0: fault})
        locator = await storage.put(b"file")
        if isinstance(first, bytes):
            assert await storage.get(locator, max_bytes=4) == first
        else:
            with pytest.raises(first):
                await storage.get(locator, max_bytes=4)
        assert await storage.get(locator, max_bytes=4) == b"file"
        await storage.release(locator)
        await storage.aclose()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        pytest.param(Fault.LOST, [False, False], id="lost"),
        pytest.param(Fault.DELAYED, [False, True], id="delayed"),
        pytest.param(Fault.DUPLICATED, [True, True], id="duplicated"),
        pytest.param(Fault.DAMAGED, [True, True], id="damaged"),
    ],
)
def test_storing_meets_the_fault_once(fault: Fault, found: list[bool]) -> None:
    async def run() -> list[bool]:
        storage = FaultyStorage(MemoryLedger().storage("a" * 64), puts={0: fault})
        locator = await storage.put(b"file")
        seen = []
        for _ in found:
            try:
                seen.append(await storage.get(locator, max_bytes=4) == b"file")
            except NotFoundError:
                seen.append(False)
        assert await storage.put(b"file") == locator
        assert await storage.get(locator, max_bytes=4) == b"file"
        return seen

    assert asyncio.run(run()) == found


def test_an_unavailable_put_stores_nothing() -> None:
    ledger = MemoryLedger()
    storage = FaultyStorage(ledger.storage("a" * 64), puts={0: Fault.UNAVAILABLE})
    with pytest.raises(UnavailableError):
        asyncio.run(storage.put(b"file"))
    locator = MemoryLedger().store("a" * 64, b"file")
    with pytest.raises(NotFoundError):
        ledger.load(locator, 4)
