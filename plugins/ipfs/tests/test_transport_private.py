"""Transports on private daemons, as a peer has them: found from one address, and their daemons killed under them."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from learnae_ipfs.settings import IpfsSettings
from learnae_ipfs.transport.transport import IpfsTransport
from private_daemons import Home, end_all
from transport_rig import INTERVAL_S, collect, until


@pytest.fixture(autouse=True)
def no_daemon_stays(tmp_path: Path) -> Iterator[None]:
    yield
    end_all(tmp_path)


class Peer:
    """A transport, on a private daemon that it starts."""

    def __init__(self, program: Path, folder: Path, number: int, *, bootstrap: tuple[str, ...] = ()) -> None:
        self.home = Home(program, folder, clock=time.monotonic)  # type: ignore[arg-type]  # what it waits for must come
        folder.mkdir(exist_ok=True)
        self.transport = IpfsTransport(
            self.home.access(bootstrap=bootstrap),
            rendezvous="7" * 64,
            owner=f"{number}" * 64,
            settings=IpfsSettings(slow_interval_s=INTERVAL_S, bootstrap=bootstrap),
            tell=self.home.told.append,
            addresses=folder / "addresses.json",
            letters=folder / "letters",
        )

    async def address(self) -> str:
        kubo = await self.transport._access.kubo()
        return (await kubo.identity()).addresses[0]


def slot(number: int) -> str:
    return f"{number:064x}"


def test_three_peers_of_whom_two_know_the_first_and_a_daemon_that_is_killed(any_kubo: Path, tmp_path: Path) -> None:
    async def run() -> None:
        first = Peer(any_kubo, tmp_path / "0", 0)
        peers = [first]
        try:
            address = await first.address()
            peers += [Peer(any_kubo, tmp_path / f"{number}", number, bootstrap=(address,)) for number in (1, 2)]
            for number, peer in enumerate(peers):
                await peer.transport.publish(slot(0), b"hello %d" % number)
            for number, peer in enumerate(peers):
                await collect(peer.transport, {b"hello %d" % other for other in range(3) if other != number})
            killed = peers[1]
            process = killed.home.process
            process.kill()
            await until(lambda: not process.is_running() or process.status() == "zombie", "end of the daemon")
            await peers[0].transport.publish(slot(1), b"meanwhile")
            await collect(killed.transport, {b"meanwhile"})
            await killed.transport.publish(slot(1), b"back")
            await collect(peers[2].transport, {b"back"})
        finally:
            for peer in peers:
                await peer.transport.aclose()
        assert not any(peer.home.runs() for peer in peers)

    asyncio.run(run())


@pytest.mark.parametrize("times", [2])
def test_who_comes_back_is_found_again_and_still_offers_what_it_said(kubo_binary: Path, tmp_path: Path, times: int) -> None:
    async def run() -> None:
        first, second = Peer(kubo_binary, tmp_path / "0", 0), None
        try:
            address = await first.address()
            second = Peer(kubo_binary, tmp_path / "1", 1, bootstrap=(address,))
            await first.transport.publish(slot(0), b"hello")
            await second.transport.publish(slot(0), b"said before")
            await collect(first.transport, {b"said before"})
            await collect(second.transport, {b"hello"})
            for turn in range(times):
                await second.transport.aclose()
                await first.transport.publish(slot(1), b"turn %d" % turn)
                second = Peer(kubo_binary, tmp_path / "1", 1)  # it remembers where the first one is
                await collect(second.transport, {b"hello", b"turn %d" % turn})
            await first.transport.aclose()
            (tmp_path / "0" / "letters").unlink()
            first = Peer(kubo_binary, tmp_path / "0", 0, bootstrap=(await second.address(),))
            assert await collect(first.transport, {b"said before"}) == {b"said before"}
        finally:
            for peer in (first, second):
                if peer is not None:
                    await peer.transport.aclose()

    asyncio.run(run())
