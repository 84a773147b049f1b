"""The storage passes its exam on real daemons: each peer with a daemon of its own, and all peers on one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kubo_rig import Daemon
from learnae_ipfs.storage.storage import IpfsStorage
from storage_rig import ALICE, BOB, CAROL, DirectAccess, run

from learnae.testing.storage import Open, StorageExam

Swarm = Callable[..., list[Daemon]]


class OnDaemons(StorageExam):
    """Each test gets a session of its own, so that the daemons can serve all of them."""

    forgets = False  # what was released stays in daemons' repositories until their collectors come
    daemons: list[Daemon]
    sessions = 0

    def connect(self, folder: Path) -> Open:
        type(self).sessions += 1
        rendezvous = f"{type(self).__name__}/{self.sessions}"
        places = dict(zip((ALICE, BOB, CAROL), self.daemons * 3, strict=False))
        is_own = len(self.daemons) > 1
        return lambda owner: IpfsStorage(DirectAccess(places[owner], is_own), rendezvous=rendezvous, owner=owner)


class TestEachOnAnOwnDaemon(OnDaemons):
    @pytest.fixture(autouse=True)
    def _daemons(self, swarm: Swarm, any_kubo: Path) -> None:
        self.daemons = swarm(3, any_kubo)


class TestAllOnOneDaemon(OnDaemons):
    @pytest.fixture(autouse=True)
    def _daemons(self, swarm: Swarm, any_kubo: Path) -> None:
        self.daemons = swarm(1, any_kubo)


def test_sessions_on_one_daemon_are_kept_apart(swarm: Swarm, any_kubo: Path) -> None:
    (daemon,) = swarm(1, any_kubo)

    async def work() -> None:
        here, there = (
            IpfsStorage(DirectAccess(daemon, is_own=False), rendezvous=f"apart/{name}", owner=ALICE) for name in ("here", "there")
        )
        both, only = await here.put(b"of both sessions"), await here.put(b"of one session")
        assert await there.put(b"of both sessions") == both
        assert await here.offered() == sorted((both, only))
        assert await there.offered() == [both]
        await there.release(only)
        await there.release(both)
        assert await here.offered() == sorted((both, only))
        for locator in (both, only):
            assert daemon.call("pin/ls", locator.removeprefix("ipfs:"), type="recursive")
            await here.release(locator)
        assert await here.offered() == []
        await here.aclose()
        await there.aclose()

    run(work())
