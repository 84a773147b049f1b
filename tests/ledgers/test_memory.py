"""The memory ledger passes the exams, and is what a simulation needs."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pluggy
import pytest

from learnae import hookspecs
from learnae.builtins import memory
from learnae.builtins.memory import MemoryLedger
from learnae.errors import NotFoundError, UsageError
from learnae.interfaces.provider import Context, Provider
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.testing import storage, transport
from learnae.testing.rows import toy_manifest
from learnae.values.ids import PeerId, SessionId

T = TypeVar("T")
ALICE, BOB, SLOT = "a1" * 32, "b2" * 32, "0" * 64


class TestMemoryTransport(transport.TransportExam):
    def connect(self, folder: Path) -> transport.Open:
        return MemoryLedger().transport


class TestMemoryStorage(storage.StorageExam):
    def connect(self, folder: Path) -> storage.Open:
        return MemoryLedger().storage


def context(owner: str, rendezvous: str = "7" * 64) -> Context:
    return Context(toy_manifest(), SessionId("5" * 64), rendezvous, PeerId(owner), owner, Path("unused"))


def run_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that must not suspend."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


def assert_nothing_for(reader: Transport) -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await reader.receive()

    asyncio.run(run())


def test_a_simulation_schedules_deliveries_itself() -> None:
    posted = []
    ledger = MemoryLedger(lambda *post: posted.append(post))
    alice, bob = ledger.transport(ALICE), ledger.transport(BOB)
    run_now(alice.publish(SLOT, b"hello"))
    assert posted == [(ALICE, SLOT, b"hello")]
    assert_nothing_for(bob)
    ledger.deliver(BOB, b"late")
    assert run_now(bob.receive()) == b"late"


def test_nothing_suspends_but_an_empty_inbox() -> None:
    ledger = MemoryLedger()
    alice, bob, files = ledger.transport(ALICE), ledger.transport(BOB), ledger.storage(ALICE)
    run_now(alice.publish(SLOT, b"hello"))
    assert run_now(bob.receive()) == b"hello"
    locator = run_now(files.put(b"file"))
    assert run_now(files.get(locator, max_bytes=4)) == b"file"
    run_now(files.release(locator))
    run_now(files.aclose())
    run_now(alice.aclose())


def test_own_messages_do_not_come_back_but_those_of_a_clone_do() -> None:
    ledger = MemoryLedger()
    first, clone = ledger.transport(ALICE), ledger.transport(ALICE)
    run_now(first.publish(SLOT, b"hello"))
    assert run_now(clone.receive()) == b"hello"
    assert_nothing_for(first)


def test_a_waiting_reader_is_woken() -> None:
    async def run() -> bytes:
        ledger = MemoryLedger()
        reader = ledger.transport(BOB)
        waiting = asyncio.ensure_future(reader.receive())
        await asyncio.sleep(0)
        ledger.post(ALICE, SLOT, b"hello")
        return await waiting

    assert asyncio.run(run()) == b"hello"


def test_kept_messages_are_the_latest_of_each_author_and_slot() -> None:
    ledger = MemoryLedger()
    for sender, message in ((ALICE, b"1"), (BOB, b"2"), (ALICE, b"3")):
        ledger.post(sender, SLOT, message)
    assert sorted(ledger.kept()) == [(ALICE, SLOT, b"3"), (BOB, SLOT, b"2")]


def test_a_closed_inbox_gets_nothing_more() -> None:
    ledger = MemoryLedger()
    reader = ledger.attach(BOB)
    ledger.detach(reader)
    ledger.detach(reader)
    ledger.post(ALICE, SLOT, b"hello")
    assert reader.pop() is None


def test_what_is_kept_is_a_copy() -> None:
    ledger = MemoryLedger()
    data = bytearray(b"file")
    locator = ledger.store(ALICE, data)
    data[0] = 0
    assert ledger.load(locator, 4) == b"file"


def test_providers_of_a_ledger_meet_on_it() -> None:
    ledger = MemoryLedger()
    transports, storages = ledger.providers()
    run_now(transports.open(context(ALICE)).publish(SLOT, b"hello"))
    assert list(ledger.kept()) == [(ALICE, SLOT, b"hello")]
    locator = run_now(storages.open(context(ALICE)).put(b"file"))
    assert ledger.load(locator, 4) == b"file"


def manager() -> pluggy.PluginManager:
    made = pluggy.PluginManager(hookspecs.PROJECT)
    made.add_hookspecs(hookspecs)
    made.register(memory)
    return made


def test_peers_of_one_plugin_manager_and_rendezvous_meet_and_no_others_do() -> None:
    def providers(made: pluggy.PluginManager) -> tuple[Provider[Transport], Provider[Storage]]:
        return made.hook.learnae_transports()[0][0], made.hook.learnae_storages()[0][0]

    (transport_here, storage_here), (transport_there, storage_there) = providers(manager()), providers(manager())
    alice = transport_here.open(context(ALICE))
    bob = transport_here.open(context(BOB))
    others = [transport_here.open(context(BOB, "8" * 64)), transport_there.open(context(BOB))]
    run_now(alice.publish(SLOT, b"hello"))
    assert run_now(bob.receive()) == b"hello"
    for other in others:
        assert_nothing_for(other)
    locator = run_now(storage_here.open(context(ALICE)).put(b"file"))
    assert run_now(storage_here.open(context(BOB)).get(locator, max_bytes=4)) == b"file"
    with pytest.raises(NotFoundError):
        storage_there.open(context(BOB)).get(locator, max_bytes=4).send(None)


def test_limits_are_named() -> None:
    with pytest.raises(UsageError, match="1048577 bytes; the ledger takes at most 1048576"):
        MemoryLedger().post(ALICE, SLOT, bytes(1_048_577))
