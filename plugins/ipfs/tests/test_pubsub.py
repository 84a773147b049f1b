"""PubSub while it is there, when it is not, and when it is back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from learnae_ipfs.kubo.values import PubsubMessage
from learnae_ipfs.transport.letters import MAX_MESSAGE_BYTES
from learnae_ipfs.transport.pubsub import Pubsub
from transport_fakes import MemoryDaemon, MemoryNetwork

from learnae.errors import UnavailableError

TOPIC = "learnae/1/test"


class Ear:
    """A subscription of one daemon, with what it took and told."""

    def __init__(self, look_again_s: float = 0.01) -> None:
        self.daemon: MemoryDaemon = MemoryNetwork().daemon(1)
        self.taken: list[tuple[str, bytes]] = []
        self.told: list[str] = []
        self.pubsub = Pubsub(TOPIC, take=lambda *what: self.taken.append(what), tell=self.told.append, look_again_s=look_again_s)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.pubsub.listen(self.daemon))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


def test_messages_are_taken_and_oversize_ones_dropped() -> None:
    async def run() -> None:
        ear = Ear()
        async with ear.listening():
            await until(lambda: ear.pubsub.works)
            ear.daemon.hear(PubsubMessage("x", bytes(MAX_MESSAGE_BYTES + 1)))
            ear.daemon.hear(PubsubMessage("x", bytes(MAX_MESSAGE_BYTES)))
            await ear.pubsub.publish(ear.daemon, b"mine")
            await until(lambda: len(ear.taken) == 2)
        assert ear.taken == [("x", bytes(MAX_MESSAGE_BYTES)), (ear.daemon.peer, b"mine")]
        assert not ear.pubsub.works
        assert not ear.daemon.topics_now, "the subscription ended"

    asyncio.run(run())


def test_a_subscription_that_breaks_is_said() -> None:
    async def run() -> None:
        ear = Ear()
        async with ear.listening() as task:
            await until(lambda: ear.pubsub.works)
            ear.daemon.hear(None)
            with pytest.raises(UnavailableError, match="ended the subscription"):
                await task
        assert not ear.pubsub.works

    asyncio.run(run())


def test_switched_off_is_told_once_and_looked_at_again() -> None:
    async def run() -> None:
        ear = Ear()
        ear.daemon.refuses = {"pubsub/ls"}
        for _ in range(3):
            await ear.pubsub.listen(ear.daemon)
            with pytest.raises(UnavailableError):
                await ear.pubsub.publish(ear.daemon, b"unheard")
        assert len(ear.told) == 1
        assert "Pubsub.Enabled true" in ear.told[0]
        assert not ear.daemon.calls["pubsub/pub"]
        ear.daemon.refuses = set()
        async with ear.listening():
            await until(lambda: ear.pubsub.works)
            await ear.pubsub.publish(ear.daemon, b"heard")
            await until(lambda: ear.taken)
        assert len(ear.told) == 2

    asyncio.run(run())


def test_a_daemon_that_does_not_answer_is_no_daemon_without_pubsub() -> None:
    async def run() -> None:
        ear = Ear()
        ear.daemon.down = True
        with pytest.raises(UnavailableError):
            await ear.pubsub.listen(ear.daemon)
        assert not ear.told

    asyncio.run(run())


def test_a_subscription_that_the_daemon_does_not_know_any_more_is_renewed() -> None:
    async def run() -> None:
        ear = Ear()
        async with ear.listening() as task:
            await until(lambda: ear.pubsub.works)
            await ear.pubsub.look(ear.daemon)
            await asyncio.sleep(0)
            assert not task.done()
            ear.daemon.topics_now.clear()
            await ear.pubsub.look(ear.daemon)
            await asyncio.wait_for(task, 30)

    asyncio.run(run())


def test_before_there_is_a_subscription_there_is_none_to_look_at_or_renew() -> None:
    async def run() -> None:
        ear = Ear()
        ear.pubsub.renew()
        await ear.pubsub.look(ear.daemon)
        assert not ear.daemon.calls

    asyncio.run(run())
