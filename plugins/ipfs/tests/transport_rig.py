"""Transports on real daemons for tests: the way to a daemon, ways that lose things, and waiting for what must come."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from kubo_rig import Daemon
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.values import Endpoint
from learnae_ipfs.settings import IpfsSettings
from learnae_ipfs.transport.transport import IpfsTransport

from learnae.errors import UnavailableError

WITHIN_S = 120.0
INTERVAL_S = 0.3


class RigAccess:
    """The way to a daemon that a test runs. ``wrap`` may put something between."""

    def __init__(self, daemon: Daemon, *, is_own: bool = True, wrap: Callable[[Kubo], Any] = lambda kubo: kubo) -> None:
        self.is_own = is_own
        self._client = Kubo(Endpoint(daemon.api, daemon.authorization))
        self._kubo = wrap(self._client)
        self._doubtful = False

    async def kubo(self) -> Kubo:
        if self._doubtful:
            await self._client.version()
            self._doubtful = False
        return self._kubo

    async def failed(self) -> None:
        self._doubtful = True

    async def aclose(self) -> None:
        await self._client.aclose()


class LossyPubsub:
    """A daemon's client that loses a share of the PubSub messages that arrive, drawn with a seed; all else passes."""

    def __init__(self, kubo: Kubo, share: float, seed: int) -> None:
        self._kubo, self._share, self._draw = kubo, share, random.Random(seed)
        self.lost = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kubo, name)

    def subscribe(self, topic: str) -> Any:
        return _LossySubscription(self._kubo.subscribe(topic), self)

    def loses(self) -> bool:
        lost = self._draw.random() < self._share
        self.lost += lost
        return lost


class _LossySubscription:
    def __init__(self, subscription: Any, lossy: LossyPubsub) -> None:
        self._subscription, self._lossy = subscription, lossy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._subscription, name)

    def __aiter__(self) -> _LossySubscription:
        return self

    async def __anext__(self) -> Any:
        while True:
            message = await self._subscription.__anext__()
            if not self._lossy.loses():
                return message


def open_transport(
    daemon: Daemon,
    folder: Path,
    *,
    rendezvous: str = "7" * 64,
    owner: str = "a1" * 32,
    is_own: bool = True,
    pubsub: bool = True,
    bootstrap: tuple[str, ...] = (),
    interval_s: float = INTERVAL_S,
    tell: Callable[[str], None] = lambda _: None,
    wrap: Callable[[Kubo], Any] = lambda kubo: kubo,
) -> IpfsTransport:
    """Open a transport on a daemon; its files lie in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    return IpfsTransport(
        RigAccess(daemon, is_own=is_own, wrap=wrap),
        rendezvous=rendezvous,
        owner=owner,
        settings=IpfsSettings(pubsub=pubsub, slow_interval_s=interval_s, bootstrap=bootstrap),
        tell=tell,
        addresses=folder / "addresses.json",
        letters=folder / "letters",
    )


async def collect(transport: IpfsTransport, expected: Collection[bytes], *, within_s: float = WITHIN_S) -> set[bytes]:
    """Receive until everything expected has come; return everything received."""
    received: set[bytes] = set()
    try:
        async with asyncio.timeout(within_s):
            while not received.issuperset(expected):
                try:
                    received.add(await transport.receive())
                except UnavailableError:
                    continue
    except TimeoutError:
        missing = len(set(expected) - received)
        raise AssertionError(f"{missing} of {len(expected)} messages did not come within {within_s} s") from None
    return received


async def until(condition: Callable[[], object], what: str, *, within_s: float = WITHIN_S) -> None:
    """Wait until something is so."""
    try:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"no {what} within {within_s} s") from None
