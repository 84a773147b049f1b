"""The transport passes its exam on real daemons of both ends of what is supported, by both ways and by the slow one alone."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from kubo_rig import Daemon
from transport_rig import open_transport

from learnae.testing.transport import ALICE, BOB, CAROL, Open, TransportExam

OWNERS = (ALICE, BOB, CAROL, "d4" * 32)


class OnRealDaemons(TransportExam):
    pubsub = True

    @pytest.fixture(autouse=True)
    def daemons_of_the_swarm(self, swarm: Callable[..., list[Daemon]], any_kubo: Path) -> None:
        self._daemons = dict(zip(OWNERS, swarm(len(OWNERS), any_kubo), strict=True))

    def connect(self, folder: Path) -> Open:
        rendezvous = hashlib.sha256(str(folder).encode()).hexdigest()
        return lambda owner: open_transport(
            self._daemons[owner], folder / owner[:2], owner=owner, rendezvous=rendezvous, pubsub=self.pubsub
        )


class TestBothWays(OnRealDaemons):
    pass


class TestSlowWayAlone(OnRealDaemons):
    pubsub = False
    again_s = 5.0


class TestDaemonsThatAreShared(TransportExam):
    """Two peers on each of two daemons that are not theirs."""

    @pytest.fixture(autouse=True)
    def daemons_of_the_swarm(self, swarm: Callable[..., list[Daemon]]) -> None:
        one, two = swarm(2)
        self._daemons = dict(zip(OWNERS, (one, one, two, two), strict=True))

    def connect(self, folder: Path) -> Open:
        rendezvous = hashlib.sha256(str(folder).encode()).hexdigest()
        return lambda owner: open_transport(
            self._daemons[owner], folder / owner[:2], owner=owner, rendezvous=rendezvous, is_own=False
        )
