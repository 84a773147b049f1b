"""Traffic adds up over a daemon's lives."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from fake_kubo import FakeAccess, FakeKubo
from hypothesis import given
from hypothesis import strategies as st
from kubo_rig import Daemons
from learnae_ipfs.kubo.values import Counters
from learnae_ipfs.storage.metering import Meter
from learnae_ipfs.storage.storage import IpfsStorage
from storage_rig import ALICE, BOB, RENDEZVOUS, DirectAccess, run

from learnae.errors import UnavailableError
from learnae.interfaces.abilities import Traffic, TrafficMeter

STEPS = st.lists(st.tuples(st.booleans(), *[st.integers(1, 1_000)] * 4), max_size=30)


def test_counting_begins_where_the_daemon_was() -> None:
    meter = Meter()
    meter.note(Counters(100, 200, 3, 50))
    assert meter.traffic(4) == Traffic(0, 0, 0, 4)
    meter.note(Counters(110, 220, 5, 60))
    assert meter.traffic(1) == Traffic(10, 20, 2, 1)


@given(STEPS)
def test_nothing_is_lost_or_counted_twice_when_the_daemon_begins_anew(steps: list[tuple[bool, int, int, int, int]]) -> None:
    """A daemon carries something in each step, looked at after each; before some of them it was started again."""
    meter, now, sent = Meter(), Counters(7, 7, 7, 7), 0
    meter.note(now)
    for anew, *counts in steps:
        if anew:
            now = Counters(0, 0, 0, 0)
            meter.note(now)
        old = now.sent_bytes, now.received_bytes, now.served_blocks, now.served_bytes
        now = Counters(*(before + new for before, new in zip(old, counts, strict=True)))
        meter.note(now)
        sent += counts[0]
        assert meter.traffic(0).sent_bytes == sent


def test_a_clock_that_was_set_is_no_restart() -> None:
    meter = Meter()
    for counters in (Counters(0, 0, 0, 0), Counters(500, 500, 5, 50), Counters(20, 510, 5, 50), Counters(510, 520, 6, 60)):
        meter.note(counters)
    assert meter.traffic(0) == Traffic(510, 520, 6, 0)


def test_after_a_failure_the_counters_are_looked_at_before_they_grow() -> None:
    """The daemon ends and begins anew between two calls of the storage, and then carries more than before."""
    fake = FakeKubo(counts=Counters(1_000, 1_000, 10, 500))
    access = FakeAccess(fake)
    storage = IpfsStorage(access, rendezvous=RENDEZVOUS, owner=ALICE, relaying=False)  # type: ignore[arg-type]

    async def work() -> None:
        assert isinstance(storage, TrafficMeter)
        await storage.offered()
        fake.counts = Counters(1_500, 1_500, 15, 600)
        assert (await storage.traffic()).sent_bytes == 500

        async def fail(_: str) -> None:
            raise UnavailableError("it is starting again")

        fake.before = fail
        with pytest.raises(UnavailableError):
            await storage.offered()
        fake.before, fake.counts = None, Counters(5, 5, 0, 0)
        await storage.offered()
        fake.counts = Counters(9_005, 9_005, 90, 9_000)
        assert await storage.traffic() == Traffic(9_505, 9_505, 95, 0)
        await storage.aclose()

    asyncio.run(work())
    assert access.failures == 1


def test_a_daemon_that_tells_no_counters_still_stores_files() -> None:
    fake = FakeKubo()
    storage = IpfsStorage(FakeAccess(fake), rendezvous=RENDEZVOUS, owner=ALICE, relaying=False)  # type: ignore[arg-type]

    async def refuse() -> Counters:
        raise UnavailableError("forbidden")

    fake.counters = refuse  # type: ignore[method-assign]

    async def work() -> None:
        assert await storage.get(await storage.put(b"a file"), max_bytes=6) == b"a file"

    asyncio.run(work())


def test_real_daemons_count_what_goes_between_them_and_survive_a_restart(daemons: Daemons, any_kubo: Path) -> None:
    one, other = daemons.swarm(2, any_kubo)
    files = [bytes([number]) * 200_000 for number in range(2)]

    async def work() -> None:
        alice, bob = (
            IpfsStorage(DirectAccess(daemon), rendezvous=RENDEZVOUS, owner=owner, relaying=False)
            for daemon, owner in ((one, ALICE), (other, BOB))
        )

        async def settled(storage: IpfsStorage, attribute: str, least: int) -> Traffic:
            deadline = time.monotonic() + 30.0
            while getattr(found := await storage.traffic(), attribute) < least:
                assert time.monotonic() < deadline, f"{found} has too few {attribute}"
                await asyncio.sleep(0.1)
            return found

        assert (await alice.traffic()).served_blocks == 0
        await bob.get(await alice.put(files[0]), max_bytes=len(files[0]))
        first = await settled(alice, "sent_bytes", len(files[0]))
        assert first.served_blocks == 1
        assert first.neighbours == 1
        await settled(bob, "received_bytes", len(files[0]))

        one.kill()
        with pytest.raises(UnavailableError):
            await alice.offered()
        await asyncio.to_thread(one.start)
        one.connect(other)
        again = await alice.traffic()
        assert again.served_blocks == 1
        assert again.sent_bytes >= first.sent_bytes
        await bob.get(await alice.put(files[1]), max_bytes=len(files[1]))
        last = await settled(alice, "sent_bytes", first.sent_bytes + len(files[1]))
        assert last.served_blocks == 2
        assert last.sent_bytes < 2 * sum(map(len, files))
        await alice.aclose()
        await bob.aclose()

    run(work())
