"""Resilience: who holds a file and answers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from fake_kubo import ME, FakeAccess, FakeKubo
from kubo_rig import Daemons
from learnae_ipfs.kubo.wire import raw_cid
from learnae_ipfs.storage.holders import AT_ONCE, count_holders
from learnae_ipfs.storage.storage import IpfsStorage
from storage_rig import ALICE, BOB, CAROL, RENDEZVOUS, DirectAccess, run

from learnae.errors import UnavailableError
from learnae.interfaces.abilities import HolderCounter
from learnae.values.ids import Locator

CID = raw_cid(b"a file")
PEERS = [f"12D3KooW{'A' * 42}{first}{second}" for first in "ABCDEFGH" for second in "ABCDEFGH"]


def count(kubo: FakeKubo, at_most: int = 100) -> int:
    return asyncio.run(count_holders(kubo, CID, at_most=at_most))  # type: ignore[arg-type]


def test_those_count_who_answer() -> None:
    assert count(FakeKubo()) == 0
    assert count(FakeKubo(holders=PEERS[:5], answering={*PEERS[1:3], PEERS[9]})) == 2


def test_oneself_counts_by_what_is_here_and_not_by_what_is_recorded() -> None:
    kubo = FakeKubo(holders=[ME, *PEERS[:3]], answering={ME, *PEERS[:2]})
    assert count(kubo) == 2
    kubo.here[CID] = b"a file"
    assert count(kubo) == 3


def test_nobody_counts_twice() -> None:
    assert count(FakeKubo(holders=[PEERS[0], PEERS[0]], answering={PEERS[0]})) == 1


@pytest.mark.parametrize("at_most", [-1, 0, 1, 2, 7])
def test_no_more_are_asked_or_counted_than_wanted(at_most: int) -> None:
    for here, holders in (({}, PEERS), ({}, [ME, *PEERS]), ({CID: b"a file"}, PEERS), ({CID: b"a file"}, [ME, *PEERS])):
        kubo = FakeKubo(here=dict(here), holders=holders, answering=set(PEERS))
        assert count(kubo, at_most) == max(0, at_most)
        assert len(kubo.made("ping")) <= max(0, at_most)
        assert all(int(call[2]) <= at_most + 1 for call in kubo.made("find_providers"))


def test_many_are_asked_at_once_and_not_all() -> None:
    waiting = most = 0

    async def slowly(name: str) -> None:
        nonlocal waiting, most
        waiting += name == "ping"
        most = max(most, waiting)
        await asyncio.sleep(0.001)
        waiting -= name == "ping"

    assert count(FakeKubo(holders=PEERS, answering=set(PEERS), before=slowly)) == len(PEERS)
    assert most == AT_ONCE


def test_a_daemon_that_is_away_is_told_of() -> None:
    async def away(name: str) -> None:
        if name == "ping":
            raise UnavailableError("away")

    access = FakeAccess(FakeKubo(holders=PEERS, before=away))
    storage = IpfsStorage(access, rendezvous=RENDEZVOUS, owner=ALICE, relaying=False)  # type: ignore[arg-type]

    async def work() -> None:
        with pytest.raises(UnavailableError):
            await storage.count_holders(Locator(f"ipfs:{CID}"), at_most=5)
        assert await storage.count_holders(Locator("no locator"), at_most=5) == 0

    asyncio.run(work())
    assert access.failures == 1


def test_a_holder_that_left_does_not_count_though_its_record_stays(daemons: Daemons, any_kubo: Path) -> None:
    swarm = daemons.swarm(4, any_kubo)

    async def work() -> None:
        alice, bob, carol, asker = (
            IpfsStorage(DirectAccess(daemon), rendezvous=RENDEZVOUS, owner=owner, relaying=False)
            for daemon, owner in zip(swarm, (ALICE, BOB, CAROL, "d4" * 32), strict=True)
        )

        async def counted(storage: IpfsStorage, expected: int) -> None:
            deadline = time.monotonic() + 30.0
            while (found := await storage.count_holders(locator, at_most=10)) != expected:
                assert time.monotonic() < deadline, f"{found} holders, not {expected}"
                await asyncio.sleep(0.05)

        assert isinstance(asker, HolderCounter)
        locator = await alice.put(b"a model " * 50_000)
        await counted(asker, 1)
        await counted(alice, 1)
        for storage in (bob, carol):
            await storage.keep(locator, max_bytes=10**6)
        await counted(asker, 3)
        await counted(bob, 3)
        assert await asker.count_holders(locator, at_most=2) == 2
        await asker.keep(locator, max_bytes=10**6)
        await counted(asker, 4)
        swarm[1].kill()
        await counted(asker, 3)
        await counted(carol, 3)
        for storage in (alice, bob, carol, asker):
            await storage.aclose()

    run(work())
