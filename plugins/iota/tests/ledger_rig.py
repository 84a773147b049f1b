"""Tangles for transports and storages: a node in memory, a development node, and one that another program serves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread
from learnae_iota.settings import TangleSettings
from tangle_rig import Hornet

RENDEZVOUS = "7" * 64
ALICE, BOB, CAROL = "a1" * 32, "b2" * 32, "c3" * 32


@contextmanager
def development_tangle(weight: int = 1) -> Iterator[TangleSettings]:
    """Serve a development node, and say how it is reached."""
    with node_in_thread(settings=NodeSettings(weight=weight, milestone_interval_s=0.1, max_requests_per_s=0)) as node:
        yield TangleSettings(nodes=(node.url,), weight=weight)


class OverADevelopmentNode:
    """Whoever inherits gets ``settings``: of a development node."""

    settings: TangleSettings

    @pytest.fixture(autouse=True)
    def _node(self) -> Iterator[None]:
        with development_tangle() as self.settings:
            yield


class OverHornet:
    """Whoever inherits gets ``settings``: of a real HORNET."""

    settings: TangleSettings

    @pytest.fixture(autouse=True)
    def _node(self, hornet: Hornet) -> None:
        self.settings = TangleSettings(nodes=(hornet.url,), weight=hornet.weight)


@dataclass
class Clock:
    """Time that passes when the test says so."""

    now_s: float = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def milliseconds(self) -> int:
        return int(self.now_s * 1000)
