"""Wants: who gets nothing says so, neighbours fetch it, and strangers can cost them only so much."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from fake_kubo import ME, FakeAccess, FakeKubo
from hypothesis import given
from hypothesis import strategies as st
from kubo_rig import Daemon, Daemons, new_swarm_key
from learnae_ipfs.kubo.values import PubsubMessage
from learnae_ipfs.kubo.wire import raw_cid
from learnae_ipfs.storage.allowance import Allowance
from learnae_ipfs.storage.relaying import (
    LARGEST_BLOCK_BYTES,
    MARK,
    WAITING_EACH,
    Limits,
    Relay,
    read_want,
    wants_topic_of,
    write_want,
)
from learnae_ipfs.storage.storage import IpfsStorage
from storage_rig import ALICE, BOB, CAROL, CHUNK, RENDEZVOUS, Blocks, DirectAccess, run

from learnae.errors import NotFoundError, TooLargeError, UnavailableError

FRIEND, STRANGER = ("12D3KooW" + letter * 44 for letter in "FS")
FILE = bytes(range(256)) * (5 * CHUNK // 256) + b"end"
SMALL = Limits(minute_bytes=60, file_bytes=4 * CHUNK, foreign_bytes=8 * CHUNK, patience_s=1.0, help_s=5.0)


@given(st.binary(max_size=200))
def test_wants_are_read_as_written_and_nothing_else_is_one(data: bytes) -> None:
    want = write_want(raw_cid(data))
    assert read_want(want) == raw_cid(data)
    for wrong in (data, want[:-1], want + b"\n", want.upper(), MARK + data, b" " + want, b"\xff" * len(want)):
        assert read_want(wrong) is None


def test_the_topic_does_not_tell_the_rendezvous() -> None:
    assert RENDEZVOUS not in wants_topic_of(RENDEZVOUS)
    assert wants_topic_of(RENDEZVOUS) != wants_topic_of("8" * 64)


def test_an_allowance_fills_slowly_and_ends() -> None:
    now = [100.0]
    allowance = Allowance(60, 1_000, 1_500, lambda: now[0])
    allowance.check()
    allowance.charge(1_200)  # nobody knew before that it would be so long
    with pytest.raises(UnavailableError):
        allowance.check()
    now[0] += 199.0
    with pytest.raises(UnavailableError):
        allowance.check()
    now[0] += 2.0
    allowance.check()
    assert not allowance.is_used_up
    allowance.charge(300)
    assert allowance.is_used_up
    now[0] += 1e9
    with pytest.raises(UnavailableError):
        allowance.check()


def test_an_allowance_does_not_grow_beyond_where_it_began() -> None:
    now = [0.0]
    allowance = Allowance(60, 1_000, None, lambda: now[0])
    now[0] = 1e9
    allowance.check()
    allowance.charge(1_000)
    with pytest.raises(UnavailableError):
        allowance.check()
    assert not allowance.is_used_up


class Neighbourhood:
    """A relay on a fake daemon, with a clock that the test moves."""

    def __init__(self, limits: Limits = SMALL, *, is_own: bool = True) -> None:
        self.kubo = FakeKubo(answering={FRIEND})
        self.now_s = 0.0
        self.told: list[str] = []
        access = FakeAccess(self.kubo, is_own)
        self.relay = Relay(access, RENDEZVOUS, self.told.append, limits=limits, clock=lambda: self.now_s)  # type: ignore[arg-type]
        self.relay._own_peer = ME

    def elsewhere(self, data: bytes) -> str:
        """Let others have a file, and the friend want it; return its content id."""
        blocks = Blocks()
        cid = blocks.file(data)
        self.kubo.elsewhere.update(blocks.by_cid)
        self.kubo.wants[FRIEND] = self.kubo.wants.get(FRIEND, frozenset()) | {cid}
        return cid

    async def hear(self, cid: str, sender: str = FRIEND) -> None:
        """Let somebody want a file, and wait until that has been looked after."""
        self.relay._hear(PubsubMessage(sender, write_want(cid)))
        await self.settle()

    async def settle(self) -> None:
        while self.relay._waiting and not self.relay._closed:
            await asyncio.sleep(0)

    def fetched(self) -> int:
        return sum(len(block) for block in self.kubo.here.values())

    async def __aenter__(self) -> Neighbourhood:
        self.relay.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.relay.aclose()


def test_what_a_neighbour_wants_is_fetched_whole_and_not_pinned() -> None:
    async def work() -> None:
        async with Neighbourhood() as here:
            for data in (b"small", FILE[: 4 * CHUNK], b"z" * 4 * CHUNK):
                cid = here.elsewhere(data)
                await here.hear(cid)
                assert cid in here.kubo.here
            assert here.kubo.here == here.kubo.elsewhere
            assert not here.kubo.made("pin", "mfs_link", "publish", "cat")

    run(work())


def test_what_is_here_is_not_fetched_again_and_what_is_missing_is() -> None:
    async def work() -> None:
        async with Neighbourhood() as here:
            cid = here.elsewhere(FILE[: 3 * CHUNK])
            *there, missing = [block for block in here.kubo.elsewhere if block != cid]
            for block in (cid, *there):
                here.kubo.here[block] = here.kubo.elsewhere[block]
            here.kubo.wants = {FRIEND: frozenset({raw_cid(b"something else")})}
            await here.hear(cid)
            assert missing not in here.kubo.here, "the friend waits for something else"
            here.now_s += SMALL.again_s
            here.kubo.wants = {FRIEND: frozenset({missing})}
            await here.hear(cid)
            assert missing in here.kubo.here

    run(work())


def test_nothing_is_fetched_for_who_does_not_ask_this_daemon_for_it() -> None:
    async def work() -> None:
        async with Neighbourhood() as here:
            cid = here.elsewhere(b"a file")
            here.kubo.wants[ME] = frozenset({cid})
            await here.hear(cid, STRANGER)
            await here.hear(cid, ME)
            here.kubo.wants = {FRIEND: frozenset({raw_cid(b"another")})}
            await here.hear(cid)
            assert not here.kubo.here
            assert not here.kubo.made("block", "block_size")

    run(work())


def test_the_same_want_is_looked_after_once_in_a_while() -> None:
    async def work() -> None:
        async with Neighbourhood() as here:
            cid = here.elsewhere(b"a file")
            del here.kubo.elsewhere[cid]
            for _ in range(5):
                await here.hear(cid)
            assert len(here.kubo.made("wanted_by")) == 1
            here.now_s += SMALL.again_s
            await here.hear(cid)
            assert len(here.kubo.made("wanted_by")) == 2

    run(work())


def test_too_large_files_and_what_is_no_file_are_left_alone() -> None:
    async def work() -> None:
        async with Neighbourhood() as here:
            large = here.elsewhere(FILE)
            await here.hear(large)
            assert set(here.kubo.here) == {large}
            blocks = Blocks()
            folder, _ = blocks.node([blocks.leaf(b"x" * CHUNK)], kind=1)
            lie, _ = blocks.node([blocks.leaf(b"y" * CHUNK), blocks.leaf(b"z" * CHUNK)], total=CHUNK)
            here.kubo.elsewhere.update(blocks.by_cid)
            here.kubo.wants = {FRIEND: frozenset(blocks.by_cid)}
            await here.hear(folder)
            await here.hear(lie)
            assert set(here.kubo.here) == {large, folder, lie}

    run(work())


def test_strangers_cost_so_many_bytes_a_minute() -> None:
    """A neighbour wants one new file after the other, for ten minutes."""

    async def work() -> None:
        limits = Limits(minute_bytes=2 * CHUNK, file_bytes=4 * CHUNK)
        async with Neighbourhood(limits) as here:
            for number in range(120):
                here.now_s += 5.0
                here.kubo.wants.clear()
                await here.hear(here.elsewhere(number.to_bytes(4, "big") * (CHUNK // 4)))
            most = limits.file_bytes + 10 * limits.minute_bytes + limits.at_once * CHUNK
            assert most / 2 < here.fetched() <= most

    run(work())


def test_on_a_daemon_of_others_it_ends_for_good_and_says_so() -> None:
    async def work() -> None:
        async with Neighbourhood(SMALL, is_own=False) as here:
            for number in range(100):
                here.now_s += 3_600_000.0
                await here.hear(here.elsewhere(number.to_bytes(4, "big") * (CHUNK // 4)))
            assert here.fetched() == SMALL.foreign_bytes
            (said,) = here.told
            assert "not its own" in said
            await here.hear(here.elsewhere(b"later"))
            assert here.fetched() == SMALL.foreign_bytes

    run(work())


def test_a_block_that_is_far_too_large_is_charged() -> None:
    async def work() -> None:
        async with Neighbourhood(Limits(minute_bytes=1, file_bytes=LARGEST_BLOCK_BYTES)) as here:

            async def too_large(*_: object, **__: object) -> bytes:
                raise TooLargeError("it is")

            here.kubo.block = too_large  # type: ignore[method-assign]
            await here.hear(here.elsewhere(FILE))
            await here.hear(here.elsewhere(b"small"))
            assert not here.kubo.made("block_size")

    run(work())


def test_one_daemon_cannot_fill_the_queue() -> None:
    async def work() -> None:
        async with Neighbourhood() as here:
            for number in range(100):
                here.relay._hear(PubsubMessage(STRANGER, write_want(raw_cid(bytes([number])))))
            assert here.relay._waiting[STRANGER] == WAITING_EACH
            here.relay._hear(PubsubMessage(FRIEND, write_want(raw_cid(b"a file"))))
            assert here.relay._waiting[FRIEND] == 1
            await here.settle()
            assert len(here.kubo.made("wanted_by")) == WAITING_EACH + 1

    run(work())


def test_who_gets_nothing_says_so_again_and_who_gets_something_does_not() -> None:
    async def work() -> None:
        here = Neighbourhood(Limits(ask_after_s=(0.0, 0.02, 0.04)))
        cid = raw_cid(b"a file")
        async with here.relay.asking(here.kubo, cid):  # type: ignore[arg-type]
            while len(here.kubo.published) < 3:
                await asyncio.sleep(0)
        assert here.kubo.published == [(wants_topic_of(RENDEZVOUS), write_want(cid))] * 3
        async with Neighbourhood().relay.asking(here.kubo, cid):  # type: ignore[arg-type]
            pass
        assert len(here.kubo.published) == 3

    run(work())


def test_without_pubsub_nothing_happens() -> None:
    async def work() -> None:
        here = Neighbourhood(Limits(ask_after_s=(0.0, 0.01)))
        tried = []

        async def off(topic: str, data: bytes = b"") -> None:
            tried.append(topic)
            raise UnavailableError("PubSub is switched off")

        here.kubo.publish = off  # type: ignore[method-assign]
        async with here, here.relay.asking(here.kubo, raw_cid(b"a file")):  # type: ignore[arg-type]
            while len(tried) < 2:
                await asyncio.sleep(0)

    run(work())


def test_where_no_daemon_answers_it_does_not_ask_without_a_pause() -> None:
    async def work() -> None:
        here = Neighbourhood()
        asked = []

        async def away() -> FakeKubo:
            asked.append(1)
            raise UnavailableError("the daemon is away")

        here.relay._access.kubo = away  # type: ignore[method-assign, assignment]
        async with here:
            for _ in range(200):
                await asyncio.sleep(0)
        assert len(asked) == 1

    run(work())


# Real daemons: Alice and Carol are both connected to Bob, and can never be to each other.

HOSTS = {ALICE: "127.0.0.11", BOB: "127.0.0.12", CAROL: "127.0.0.13"}


def in_a_row(daemons: Daemons, program: Path, *, pubsub: bool = True) -> dict[str, Daemon]:
    """Start daemons of Alice, Bob and Carol; those of Alice and Carol refuse each other's addresses."""
    refused = {ALICE: HOSTS[CAROL], BOB: "127.0.0.99", CAROL: HOSTS[ALICE]}
    key = new_swarm_key()
    row = {}
    for owner, host in HOSTS.items():
        settings = {
            "Addresses.Swarm": [f"/ip4/{host}/tcp/0"],
            "Swarm.AddrFilters": [f"/ip4/{refused[owner]}/ipcidr/32"],
            "Pubsub.Enabled": pubsub,
        }
        row[owner] = daemons.start(program, swarm_key=key, settings=settings)
    row[ALICE].connect(row[BOB])
    row[CAROL].connect(row[BOB])
    with pytest.raises(AssertionError, match="gater disallows"):
        row[ALICE].connect(row[CAROL])
    return row


@contextlib.asynccontextmanager
async def storages(row: dict[str, Daemon], **options: object) -> AsyncIterator[list[IpfsStorage]]:
    opened = [
        IpfsStorage(DirectAccess(daemon), rendezvous=RENDEZVOUS, owner=owner, **options)  # type: ignore[arg-type]
        for owner, daemon in row.items()
    ]
    try:
        yield opened
    finally:
        for storage in opened:
            await storage.aclose()


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + 30.0
    while not await condition():
        assert time.monotonic() < deadline, f"there was no {what}"
        await asyncio.sleep(0.05)


async def hear_each_other(row: dict[str, Daemon]) -> None:
    topic = "u" + base64.urlsafe_b64encode(wants_topic_of(RENDEZVOUS).encode()).decode().rstrip("=")

    async def known() -> bool:
        listeners = [await asyncio.to_thread(daemon.call, "pubsub/peers", topic) for daemon in row.values()]
        return all(row[BOB].peer in (found["Strings"] or ()) for found in (listeners[0], listeners[2]))

    await until(known, "listener on the topic of wants")


def test_a_file_goes_through_a_peer_that_both_reach(daemons: Daemons, any_kubo: Path) -> None:
    row = in_a_row(daemons, any_kubo)
    pinned = row[BOB].call("pin/ls", type="recursive")
    large, small = os.urandom(3_000_000), os.urandom(10_000)
    limits = Limits(ask_after_s=(0.3, 1.0, 3.0, 6.0, 12.0))

    async def work() -> None:
        async with storages(row, limits=limits) as (alice, bob, carol):
            locators = [await carol.put(data) for data in (large, small)]
            await bob.offered()  # from now on he listens
            await alice.offered()
            await hear_each_other(row)
            for locator, data in zip(locators, (large, small), strict=True):
                assert await alice.get(locator, max_bytes=len(data)) == data
            kept = await alice.put(b"Alice's own")
            await carol.keep(kept, max_bytes=100)
            assert await carol.offered() == sorted([*locators, kept])
            assert await bob.offered() == []

    run(work())
    assert row[CAROL].peer not in row[ALICE].neighbours()
    assert row[BOB].call("pin/ls", type="recursive") == pinned


@pytest.mark.parametrize("pubsub", [True, False])
def test_nothing_else_brings_it_and_without_pubsub_it_is_just_not_there(
    daemons: Daemons, kubo_binary: Path, pubsub: bool
) -> None:
    """Bob does not relay; or PubSub is switched off."""
    row = in_a_row(daemons, kubo_binary, pubsub=pubsub)

    async def work() -> None:
        limits = Limits(ask_after_s=(0.1, 0.5, 1.0))
        async with storages(row, limits=limits, patience_s=3.0, relaying=not pubsub) as (alice, bob, carol):
            locator = await carol.put(os.urandom(1_000_000))
            await bob.offered()
            with pytest.raises(NotFoundError):
                await alice.get(locator, max_bytes=1_000_000)

    run(work())
