"""A peer's own mailbox: what it holds, what survives, and what it leaves on a daemon."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from learnae_ipfs.names import OwnName, derive
from learnae_ipfs.transport.letters import MAX_MESSAGE_BYTES, MAX_MESSAGES_BYTES, MAX_SLOTS, Letters, Whereabouts, read_letters
from learnae_ipfs.transport.mailbox import AGAIN_S, REFRESH_S, Mailbox, withdraw
from transport_fakes import Clock, MemoryDaemon, MemoryNetwork

from learnae.errors import UnavailableError

R = "7" * 64


class Desk:
    """A mailbox, and the daemon on which it is offered."""

    def __init__(self, folder: Path) -> None:
        self.file, self.clock = folder / "letters", Clock()
        self.daemon: MemoryDaemon = MemoryNetwork().daemon(1)
        self.name = OwnName("self", self.daemon.held["self"])
        self.open()

    def open(self) -> None:
        """Open it, as after a crash."""
        self.mailbox = Mailbox(self.file, rendezvous=R, clock=self.clock)
        self.mailbox.introduce(Whereabouts(self.daemon.peer, shared=False), ())

    def offered(self) -> Letters:
        letters = read_letters(self.daemon.blocks[self.daemon.network.names[self.name.name]], session=derive("mailbox", R))
        assert letters is not None
        return letters

    def messages(self) -> list[bytes]:
        return [letter.message for letter in self.offered().letters]

    async def offer(self) -> None:
        await self.mailbox.offer(self.daemon, self.name)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def slot(number: int) -> str:
    return f"{number:064x}"


def test_it_holds_the_latest_of_each_slot_and_survives(desk: Desk) -> None:
    async def work() -> None:
        desk.mailbox.post(slot(1), b"first")
        desk.mailbox.post(slot(2), b"second")
        desk.mailbox.post(slot(1), b"first, again")
        await desk.mailbox.save()
        desk.open()
        desk.mailbox.post(slot(3), b"third")
        desk.mailbox.post(slot(2), b"second, again")
        await desk.offer()
        assert desk.messages() == [b"first, again", b"third", b"second, again"]

    run(work())


def test_it_is_bounded_and_those_published_last_stay(desk: Desk) -> None:
    async def work() -> None:
        for number in range(3 * MAX_SLOTS):
            desk.mailbox.post(slot(number), b"%d" % number)
        await desk.offer()
        assert desk.messages() == [b"%d" % number for number in range(2 * MAX_SLOTS, 3 * MAX_SLOTS)]
        for number in range(5):
            desk.mailbox.post(slot(number), bytes([number]) * MAX_MESSAGE_BYTES)
        await desk.offer()
        assert [message[0] for message in desk.messages()] == [1, 2, 3, 4]
        assert sum(map(len, desk.messages())) <= MAX_MESSAGES_BYTES

    run(work())


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80", bytes(10_000_000)])
def test_a_damaged_file_is_as_good_as_none(desk: Desk, content: bytes) -> None:
    async def work() -> None:
        desk.file.write_bytes(content)
        desk.mailbox.post(slot(1), b"new")
        await desk.offer()
        assert desk.messages() == [b"new"]
        desk.open()
        await desk.offer()
        assert desk.messages() == [b"new"]

    run(work())


def test_a_file_that_cannot_be_written_is_said(desk: Desk) -> None:
    async def work() -> None:
        desk.mailbox = Mailbox(desk.file / "no" / "folder", rendezvous=R, clock=desk.clock)
        desk.mailbox.post(slot(1), b"new")
        with pytest.raises(UnavailableError, match="cannot be kept in"):
            await desk.mailbox.save()

    run(work())


def test_cancelling_who_waits_leaves_the_writing_under_way(desk: Desk) -> None:
    async def work() -> None:
        for number in range(20):
            desk.mailbox.post(slot(number), b"%d" % number)
            saving = asyncio.create_task(desk.mailbox.save())
            await asyncio.sleep(0)
            saving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await saving
        await desk.mailbox.save()
        desk.open()
        await desk.offer()
        assert desk.messages() == [b"%d" % number for number in range(20)]

    run(work())


def test_what_it_pointed_at_before_goes(desk: Desk) -> None:
    async def work() -> None:
        for number in range(10):
            desk.mailbox.post(slot(0), b"%d" % number)
            await desk.offer()
            assert set(desk.daemon.blocks) == desk.daemon.pins == {desk.daemon.network.names[desk.name.name]}

    run(work())


def test_no_crash_leaves_a_block_behind_for_ever(desk: Desk) -> None:
    async def work() -> None:
        for number, call in enumerate(["block/put", "name/publish", "pin/rm", "block/rm"]):
            desk.mailbox.post(slot(0), b"before %d" % number)
            await desk.offer()
            desk.mailbox.post(slot(0), b"after %d" % number)
            desk.daemon.refuses = {call}
            with pytest.raises(UnavailableError):
                await desk.offer()
            desk.daemon.refuses = set()
            desk.open()
            await desk.offer()
            assert desk.messages() == [b"after %d" % number]
            assert set(desk.daemon.blocks) == desk.daemon.pins == {desk.daemon.network.names[desk.name.name]}

    run(work())


def test_while_the_name_cannot_be_pointed_no_more_than_two_blocks_are_held(desk: Desk) -> None:
    async def work() -> None:
        desk.mailbox.post(slot(0), b"pointed")
        await desk.offer()
        desk.daemon.refuses = {"name/publish"}
        for number in range(10):
            desk.mailbox.post(slot(0), b"%d" % number)
            with pytest.raises(UnavailableError):
                await desk.offer()
            assert len(desk.daemon.pins) == len(desk.daemon.blocks) == 2
            assert desk.messages() == [b"pointed"]

    run(work())


def test_it_is_offered_again_when_it_changed_when_somebody_was_met_and_now_and_then(desk: Desk) -> None:
    async def work() -> None:
        def due() -> bool:
            return desk.mailbox.is_due(desk.name)

        assert not Mailbox(desk.file, rendezvous=R, clock=desk.clock).is_due(desk.name), "nobody knows yet whose it is"
        assert due()
        await desk.offer()
        assert not due()
        desk.mailbox.post(slot(0), b"new")
        assert due()
        await desk.offer()
        assert not due()
        desk.mailbox.introduce(Whereabouts(desk.daemon.peer, shared=False), (Whereabouts(desk.daemon.peer, shared=True),))
        assert due()
        await desk.offer()
        desk.clock.now += REFRESH_S + 1
        assert due()
        await desk.offer()
        desk.mailbox.point_again()
        for wait_s in AGAIN_S:
            desk.clock.now += wait_s
            assert due()
            await desk.offer()
        assert not due()
        assert not desk.mailbox.is_eager
        assert desk.mailbox.is_due(OwnName("another", "place"))

    run(work())


def test_who_does_not_come_back_leaves_nothing(desk: Desk) -> None:
    async def work() -> None:
        desk.mailbox.post(slot(0), b"new")
        await desk.offer()
        for _ in range(2):
            await withdraw(desk.file, desk.daemon)
            assert not desk.daemon.blocks
            assert not desk.daemon.pins
            assert not desk.file.exists()

    run(work())
