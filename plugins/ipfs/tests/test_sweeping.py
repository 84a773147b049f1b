"""What nobody keeps goes soon from a private daemon, and never from somebody else's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from learnae_ipfs.access import Access
from learnae_ipfs.storage.sweeping import MOMENT_S, MOMENTS, SWEEP_S, Sweeper

from learnae.errors import UnavailableError


class Daemon:
    """A daemon, and the way to it, that counts its sweeps."""

    def __init__(self, *, is_own: bool = True) -> None:
        self.is_own, self.sweeps, self.is_away = is_own, 0, False

    async def kubo(self) -> Any:
        if self.is_away:
            raise UnavailableError("it is away")
        return self

    async def collect_garbage(self) -> int:
        self.sweeps += 1
        return 0


class Pauses:
    """Pauses that end when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._go = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._go.clear()
        await self._go.wait()

    async def over(self) -> None:
        """End the pause, and wait for the next."""
        count = len(self.asked)
        self._go.set()
        while len(self.asked) == count:
            await asyncio.sleep(0)


def sweeper(daemon: Daemon, sleep: Callable[[float], Awaitable[None]]) -> Sweeper:
    return Sweeper(cast("Access", daemon), sleep=sleep)


async def begun(pauses: Pauses) -> None:
    while not pauses.asked:
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_own", [True, False])
def test_after_an_operation_one_sweep_and_only_at_home(is_own: bool) -> None:
    async def scene() -> None:
        daemon, pauses = Daemon(is_own=is_own), Pauses()
        sweeps = sweeper(daemon, pauses)
        async with sweeps.operation():
            pass
        if is_own:
            await begun(pauses)
            for _ in range(3):
                await pauses.over()
            assert all(pause >= SWEEP_S for pause in pauses.asked)
        await sweeps.aclose()
        assert daemon.sweeps == is_own, "nothing was done since"

    asyncio.run(scene())


def test_nothing_is_swept_away_under_an_operation_and_a_daemon_that_is_away_is_no_matter() -> None:
    async def scene() -> None:
        daemon, pauses = Daemon(), Pauses()
        sweeps = sweeper(daemon, pauses)
        async with sweeps.operation():
            pass
        await begun(pauses)
        async with sweeps.operation():
            await pauses.over()
            assert daemon.sweeps == 0
            assert pauses.asked[-1] == MOMENT_S
            for _ in range(MOMENTS):
                await pauses.over()
            assert daemon.sweeps == 1, "operations without end hold it back for a while only"
        daemon.is_away = True
        await pauses.over()
        daemon.is_away = False
        async with sweeps.operation():
            pass
        await pauses.over()
        assert daemon.sweeps == 2
        await sweeps.aclose()
        async with sweeps.operation():
            pass
        assert len([task for task in asyncio.all_tasks() if "sweeper" in task.get_name()]) == 0

    asyncio.run(scene())
