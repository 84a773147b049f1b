"""A forger floods the next address of a public stream, on a real HORNET and on our own node: the packet is found below."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from learnae_iota.bundles.attaching import attach_bundle
from learnae_iota.bundles.bundles import Posting, prepare_bundle
from learnae_iota.nodes.client import PlainClient
from learnae_iota.nodes.node import Node
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.following import Follower
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread
from learnae_iota.tangle.tangle import Tangle, open_tangle
from sensor_rig import OPEN, MemoryTangle, Sensor, stream
from tangle_rig import Hornet

from learnae.interfaces.sensors import Reading

WEIGHT = 3
FLOOD = 1_500
PACKETS: list[list[Reading | None]] = [
    [{f"f{column}": (row * 31 + column) / 7 for column in range(28)} for row in range(first, first + 50)] for first in (0, 50)
]


@pytest.fixture(params=["hornet", "development"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "hornet":
        node: Hornet = request.getfixturevalue("hornet")
        yield node.url
    else:
        with node_in_thread(settings=NodeSettings(weight=WEIGHT, milestone_interval_s=0.05, max_requests_per_s=0)) as running:
            yield running.url


def flood(url: str, address: str) -> None:
    """Send whole bundles of one transaction, and parts of longer ones."""
    node = Node(PlainClient(url))
    tips, now_s = node.tips(), int(time.time())
    with contextlib.closing(node), ThreadPoolExecutor(16) as pool:
        sent = []
        for number in range(FLOOD):
            bundle = prepare_bundle([Posting(address, "JUNK" * (1000 if number % 2 else 500))], now_s - number % 300)
            attached = attach_bundle(bundle, tips, WEIGHT)
            sent.append(pool.submit(node.broadcast, attached.trytes[-1:]))
        for each in sent:
            each.result()


@pytest.fixture
def tangle(url: str) -> Iterator[Tangle]:
    with contextlib.closing(open_tangle([url], weight=WEIGHT)) as opened:
        yield opened


@pytest.mark.slow
def test_a_packet_is_found_below_a_flood(url: str, tangle: Tangle, tmp_path: Path) -> None:
    stream(tmp_path / "flooded", tangle, PACKETS[0], size=50, sensor="flooded", give_up_s=None)
    follower = Follower(tangle, OPEN, Admission(everybody=True))
    first = follower.read("flooded", "", 100)
    assert list(first.readings) == PACKETS[0]
    flood(url, first.position.rpartition(":")[2])
    assert follower.read("flooded", first.position, 100).readings == ()
    with Sensor(tmp_path / "flooded", tangle, sensor="flooded", give_up_s=None) as sensor:
        sensor.send(*PACKETS[1])
    assert list(follower.read("flooded", first.position, 100).readings) == PACKETS[1]
    assert list(Follower(tangle, OPEN, Admission(everybody=True)).read("flooded", first.position, 100).readings) == PACKETS[1]


class Crowded(MemoryTangle):
    """Shows nothing of an address while it is ``buried`` but that there is more than it shows."""

    buried = ""

    def _findTransactions(self, arguments: Any) -> dict[str, Any]:  # noqa: N802
        found = super()._findTransactions(arguments)
        if arguments.get("addresses") != [self.buried]:
            return found
        junk = [digest for digest in self.ledger if digest not in found["hashes"]][: self.limit]
        return {"hashes": junk}


def test_a_sensor_attaches_a_buried_packet_again(tmp_path: Path) -> None:
    node = Crowded(limit=3)
    tangle: Callable[[], Tangle] = node.tangle
    with Sensor(tmp_path / "north", tangle()) as sensor:
        sensor.send({"x": 1})
        packet = sensor.state.last()
        assert packet
        root = packet.next_root
        node.buried = root  # the address of the next packet: the channel is public
        sensor.send({"x": 2})
        assert sensor.said == ["packet 1 is buried below what others wrote to its address; it is attached again"]
        assert sensor.feeder.unconfirmed == 1
        node.buried = ""
        sensor.feeder.finish()
        assert sensor.feeder.unconfirmed == 0
