"""The transport passes its exam over a development node and over HORNET; what strangers write does no harm."""

import asyncio
import secrets
from pathlib import Path

import pytest
from learnae_iota.access import open_access
from learnae_iota.bundles.bundles import Posting
from learnae_iota.settings import TangleSettings
from learnae_iota.tangle.content import place_of
from learnae_iota.tangle.tangle import Tangle
from learnae_iota.transport.pages import EPOCH_S, FULL_AT
from learnae_iota.transport.transport import MAX_MESSAGE_BYTES, IotaTransport
from ledger_rig import RENDEZVOUS, Clock, OverADevelopmentNode, OverHornet

from learnae.errors import UnavailableError, UsageError
from learnae.testing.rows import toy_manifest
from learnae.testing.transport import Open, TransportExam, slot


class TestOverADevelopmentNode(OverADevelopmentNode, TransportExam):
    deadline_s = 240.0
    again_s = 10.0

    def connect(self, folder: Path) -> Open:
        rendezvous = secrets.token_hex(32)
        return lambda _: IotaTransport(open_access(self.settings), rendezvous, poll_interval_s=0.02)


class TestOverHornet(OverHornet, TestOverADevelopmentNode):
    """The same exam on the real thing."""


def test_the_announcements_of_a_default_session_fit() -> None:
    assert toy_manifest().limits.announcement_bytes + 64 <= MAX_MESSAGE_BYTES


def opened(settings: TangleSettings, clock: Clock) -> IotaTransport:
    async def now_ms() -> int:
        return clock.milliseconds()

    tangle = open_access(settings)
    return IotaTransport(tangle, RENDEZVOUS, poll_interval_s=0.01, now_ms=now_ms, monotonic=clock.monotonic)


async def gather(transport: IotaTransport, count: int) -> list[bytes]:
    async with asyncio.timeout(60):
        return [await transport.receive() for _ in range(count)]


async def silent(transport: IotaTransport) -> bool:
    try:
        async with asyncio.timeout(0.3):
            await transport.receive()
    except TimeoutError:
        return True
    return False


def test_duplicates_are_dropped(settings: TangleSettings) -> None:
    async def run() -> None:
        clock = Clock()
        alice, bob = opened(settings, clock), opened(settings, clock)
        for _ in range(3):
            await alice.publish(slot(1), b"once")
        assert await gather(bob, 1) == [b"once"]
        assert await silent(bob)
        assert await silent(alice), "what was published comes back"
        for transport in (alice, bob):
            await transport.aclose()

    asyncio.run(run())


def test_what_was_said_is_said_again_in_the_next_epoch(settings: TangleSettings) -> None:
    """Who comes when the first epoch is out of reach gets the latest word, and nothing older."""

    async def run() -> None:
        clock = Clock()
        alice, bob = opened(settings, clock), opened(settings, clock)
        await alice.publish(slot(1), b"outdated")
        await alice.publish(slot(1), b"latest")
        await alice.publish(slot(2), b"other")
        assert sorted(await gather(bob, 3)) == [b"latest", b"other", b"outdated"]
        for _ in range(6):
            clock.now_s += EPOCH_S
            assert await silent(alice)
            assert await silent(bob), "what is said again comes again"
        late = opened(settings, clock)
        assert sorted(await gather(late, 2)) == [b"latest", b"other"]
        assert await silent(late)
        for transport in (alice, bob, late):
            await transport.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("behind_s", [-EPOCH_S, 0, EPOCH_S])
def test_clocks_may_differ(settings: TangleSettings, behind_s: int) -> None:
    async def run() -> None:
        ahead, behind = Clock(), Clock()
        behind.now_s -= behind_s
        alice, bob = opened(settings, ahead), opened(settings, behind)
        await alice.publish(slot(1), b"from elsewhen")
        assert await gather(bob, 1) == [b"from elsewhen"]
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())


def test_a_clock_that_is_put_right_is_followed(settings: TangleSettings) -> None:
    """What was said at a wrong time is said again at the right one."""

    async def run() -> None:
        wrong, right = Clock(), Clock()
        wrong.now_s += 12 * EPOCH_S
        alice, bob = opened(settings, wrong), opened(settings, right)
        await alice.publish(slot(1), b"from an hour ahead")
        assert await silent(bob)
        wrong.now_s = right.now_s
        assert await silent(alice)
        assert await gather(bob, 1) == [b"from an hour ahead"]
        await bob.publish(slot(2), b"answer")
        assert await gather(alice, 1) == [b"answer"]
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())


def test_a_full_page_makes_the_next_one_begin(settings: TangleSettings, tangle: Tangle) -> None:
    """A stranger who fills a page hides nothing that is said afterwards."""
    clock = Clock()
    place = place_of("announcements", RENDEZVOUS, int(clock.now_s) // EPOCH_S, 0)
    for start in range(0, FULL_AT, 100):
        tangle.send([Posting(place.address, "AZ"[number % 2], place.tag) for number in range(start, start + 100)])

    async def run() -> None:
        alice, bob = opened(settings, clock), opened(settings, clock)
        for number in range(5):
            await alice.publish(slot(number), b"said %d" % number)
        assert alice._pages.writable(int(clock.now_s) // EPOCH_S).number == 1
        assert sorted(await gather(bob, 5)) == [b"said %d" % number for number in range(5)]
        assert await silent(bob)
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())


def test_what_strangers_write_is_passed_over(settings: TangleSettings, tangle: Tangle) -> None:
    clock = Clock()
    place = place_of("announcements", RENDEZVOUS, int(clock.now_s) // EPOCH_S, 0)
    for trytes in ("", "9", "A", "ZZZZ", "ZZZZZZZZ", "M" * 3000, "99999999", "A9999999" + "Z9" * 5):
        tangle.send([Posting(place.address, trytes, place.tag)])

    async def run() -> None:
        alice, bob = opened(settings, clock), opened(settings, clock)
        await alice.publish(slot(1), b"good")
        seen = [await bob.receive()]
        while b"good" not in seen:
            seen.append(await bob.receive())
        assert set(seen) <= {b"good", b"", b"Z"}
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())


def test_a_tangle_that_does_not_answer_is_unavailable() -> None:
    async def run() -> None:
        transport = IotaTransport(open_access(TangleSettings(nodes=("http://127.0.0.1:9",), weight=1)), RENDEZVOUS)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await transport.receive()
            with pytest.raises(UnavailableError):
                await transport.publish(slot(1), b"message")
        with pytest.raises(UsageError):
            await transport.publish("x", b"message")
        await transport.aclose()
        with pytest.raises(UnavailableError, match="was closed"):
            await transport.publish(slot(1), b"message")

    asyncio.run(run())
