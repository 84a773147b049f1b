"""Which way a message takes when something is wrong, and what the caller hears of it."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from learnae_ipfs.kubo.values import PubsubMessage
from learnae_ipfs.settings import IpfsSettings
from learnae_ipfs.transport.transport import IpfsTransport
from transport_fakes import MemoryDaemon, MemoryNetwork

from learnae.errors import ConfigError, ProviderError, UnavailableError, UsageError

R = "7" * 64


class MemoryAccess:
    """The way to a daemon in memory."""

    def __init__(self, daemon: MemoryDaemon, *, is_own: bool = True) -> None:
        self.is_own, self.daemon = is_own, daemon
        self.error: Exception | None = None
        self.closed = 0

    async def kubo(self) -> MemoryDaemon:
        if self.error is not None:
            raise self.error
        if self.daemon.down:
            raise UnavailableError("the daemon is down; its log is in daemon.log")
        return self.daemon

    async def failed(self) -> None:
        pass

    async def aclose(self) -> None:
        self.closed += 1


class Table:
    """Transports on daemons in memory, all connected."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.network = folder, MemoryNetwork()
        self.told: list[str] = []
        self.opened: list[tuple[IpfsTransport, MemoryDaemon, MemoryAccess]] = []

    def open(self, *, pubsub: bool = True, number: int | None = None, interval_s: float = 0.02) -> IpfsTransport:
        number = len(self.opened) if number is None else number
        daemon = self.network.daemon(number)
        for other in list(self.network.daemons.values()):
            if other is not daemon:
                daemon.meet(other)
        access = MemoryAccess(daemon)
        folder = self.folder / str(number)
        folder.mkdir(exist_ok=True)
        transport = IpfsTransport(
            access,
            rendezvous=R,
            owner=f"{number:064x}",
            settings=IpfsSettings(pubsub=pubsub, slow_interval_s=interval_s),
            tell=self.told.append,
            addresses=folder / "addresses.json",
            letters=folder / "letters",
        )
        self.opened.append((transport, daemon, access))
        return transport

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            try:
                async with asyncio.timeout(120):
                    await work()
            finally:
                for transport, _, _ in self.opened:
                    await transport.aclose()

        asyncio.run(whole())


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


async def receive(transport: IpfsTransport, *expected: bytes) -> list[bytes]:
    """Receive until everything expected has come."""
    found: list[bytes] = []
    while not set(found) >= set(expected):
        try:
            found.append(await transport.receive())
        except UnavailableError:
            continue
    return found


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def slot(number: int) -> str:
    return f"{number:064x}"


def test_opening_does_nothing_and_closing_what_was_never_used_neither(table: Table) -> None:
    async def work() -> None:
        transport = table.open()
        await asyncio.sleep(0.05)
        await transport.aclose()
        await transport.aclose()
        assert not table.opened[0][1].calls
        assert table.opened[0][2].closed == 1
        for call in (transport.receive(), transport.publish(slot(0), b"x")):
            with pytest.raises(UnavailableError, match="closed"):
                await call

    table.run(work)


def test_the_mailbox_takes_what_pubsub_refuses(table: Table) -> None:
    async def work() -> None:
        alice, bob = table.open(), table.open()
        table.opened[0][1].refuses = {"pubsub/pub"}
        await alice.publish(slot(0), b"message")
        await receive(bob, b"message")

    table.run(work)


def test_the_mailbox_takes_what_we_may_not_publish(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        alice, bob = table.open(), table.open()

        async def forbidden(*_: object) -> None:
            raise ConfigError("HTTP status 403")

        monkeypatch.setattr(table.opened[0][1], "publish", forbidden)
        await alice.publish(slot(0), b"message")
        await receive(bob, b"message")

    table.run(work)


def test_what_a_dead_daemon_cannot_take_is_said_and_still_goes_out_later(table: Table) -> None:
    async def work() -> None:
        alice, bob = table.open(), table.open()
        await alice.publish(slot(0), b"before")
        await receive(bob, b"before")
        daemon = table.opened[0][1]
        daemon.down = True
        with pytest.raises(UnavailableError, match=r"daemon\.log"):
            await alice.publish(slot(1), b"meanwhile")
        daemon.down = False
        await receive(bob, b"meanwhile")

    table.run(work)


@pytest.mark.parametrize("pubsub", [True, False])
def test_where_the_file_cannot_be_written_pubsub_alone_may_do(table: Table, pubsub: bool) -> None:
    async def work() -> None:
        alice = table.open(pubsub=pubsub)
        (table.folder / "0").rmdir()
        if not pubsub:
            with pytest.raises(UnavailableError):
                await alice.publish(slot(0), b"message")
            return
        bob = table.open()
        await until(lambda: table.opened[1][1].topics_now or bob._begin())
        await alice.publish(slot(0), b"message")
        await receive(bob, b"message")
        assert any("keeping the latest messages" in text for text in table.told)

    table.run(work)


def test_a_dead_daemon_is_said_once_and_again_when_it_dies_again(table: Table) -> None:
    async def work() -> None:
        alice, bob = table.open(), table.open()
        daemon = table.opened[1][1]
        for number in range(3):
            await alice.publish(slot(0), b"%d" % number)
            await receive(bob, b"%d" % number)
            daemon.down = True
            daemon.hear(None)
            with pytest.raises(UnavailableError, match="asked again and again"):
                await bob.receive()
            waiting = asyncio.create_task(bob.receive())
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            daemon.down = False

    table.run(work)


def test_what_the_operator_has_to_put_right_ends_receiving_and_publishing(table: Table) -> None:
    async def work() -> None:
        transport = table.open()
        table.opened[0][2].error = ProviderError("Kubo 0.31 is too old; install 0.32 or later")
        for _ in range(2):
            with pytest.raises(ProviderError, match="too old"):
                await transport.receive()
        with pytest.raises(ProviderError, match="too old"):
            await transport.publish(slot(0), b"x")

    table.run(work)


def test_a_bug_is_not_swallowed(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        transport = table.open()

        async def broken() -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(table.opened[0][1], "neighbours", broken)
        with pytest.raises(ZeroDivisionError):
            await transport.receive()

    table.run(work)


def test_misuse_is_refused_before_anything_happens(table: Table) -> None:
    async def work() -> None:
        transport = table.open()
        for number, message in (("0" * 63, b""), ("G" * 64, b""), (slot(0), bytes(65_537))):
            with pytest.raises(UsageError):
                await transport.publish(number, message)
        assert not transport._tasks

    table.run(work)


def test_a_stranger_who_floods_the_topic_starves_nobody(table: Table) -> None:
    async def work() -> None:
        alice, bob = table.open(), table.open()
        await alice.publish(slot(0), b"hello")
        await receive(bob, b"hello")
        daemon = table.opened[1][1]
        await until(lambda: daemon.topics_now)
        flooding = True

        async def flood() -> None:
            number = 0
            while flooding:
                for _ in range(500):
                    number += 1
                    daemon.hear(PubsubMessage("mallory", b"%d" % number + bytes(1_000)))
                await asyncio.sleep(0)

        task = asyncio.create_task(flood())
        for number in range(5):
            await alice.publish(slot(number), b"honest %d" % number)
            found = await receive(bob, b"honest %d" % number)
            assert len(found) < 10_000
        flooding = False
        await task
        assert bob._inbox._live.bytes <= 8_388_608 + 70_000

    table.run(work)


def test_a_daemon_that_hangs_keeps_nobody_from_closing(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        transport = table.open()
        table.open()
        await transport.publish(slot(0), b"x")
        daemon = table.opened[0][1]

        async def hang(*_: object, **__: object) -> None:
            await asyncio.Event().wait()

        for call in ("name_publish", "name_resolve", "neighbours", "publish", "put_block"):
            monkeypatch.setattr(daemon, call, hang)
        async with asyncio.timeout(30):
            await transport.aclose()
        assert table.opened[0][2].closed == 1

    table.run(work)


def test_forty_peers_without_pubsub_hear_each_other(table: Table) -> None:
    async def work() -> None:
        transports = [table.open(pubsub=False, interval_s=0.5) for _ in range(40)]
        everything = {b"%d" % number for number in range(40)}
        for number, transport in enumerate(transports):
            await transport.publish(slot(0), b"%d" % number)
        await asyncio.gather(*(receive(transport, *everything - {b"%d" % number}) for number, transport in enumerate(transports)))

    table.run(work)
