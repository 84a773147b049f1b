"""Sensors that stream to a tangle in memory, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from learnae_iota.clock import milliseconds
from learnae_iota.mam.channel import Mode
from learnae_iota.nodes.node import Node
from learnae_iota.nodes.several import Nodes
from learnae_iota.sensors.batching import Batch
from learnae_iota.sensors.kept import Terms
from learnae_iota.sensors.pacing import Pacing
from learnae_iota.sensors.sending import Feeder
from learnae_iota.sensors.sessions import SensorSession, sensor_session
from learnae_iota.sensors.state import SensorState
from learnae_iota.tangle.tangle import Tangle
from tangle_rig import MemoryNode

from learnae.interfaces.sensors import Reading

_BEGAN_MS = milliseconds()
SECRET = b"a secret of a session of tests!!"
OPEN = sensor_session("Weather 2026")
SEALED = sensor_session("Weather 2026", SECRET)


class MemoryTangle(MemoryNode):
    """A node in memory that confirms what it has; ``dies_after``: so many more commands, and it answers no more."""

    def __init__(self, **more: Any) -> None:
        super().__init__(weight=0, **more)

    def _getInclusionStates(self, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"states": [digest in self.ledger for digest in arguments["transactions"]]}

    def tangle(self) -> Tangle:
        """Open a tangle over this node."""
        return Tangle(Nodes([Node(self)]), weight=0)


class Clock:
    """Seconds that pass only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_s(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return _BEGAN_MS + int(self.seconds * 1000)

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


def terms(session: SensorSession = OPEN, sensor: str = "north", mode: Mode | None = None, security: int = 1) -> Terms:
    default = Mode.RESTRICTED if session.sealed else Mode.PUBLIC
    return Terms.of(session, sensor, mode or default, security)


class Sensor:
    """A sensor with its state in a folder; ``close`` it, or let it crash by forgetting it with ``crash``."""

    def __init__(
        self,
        folder: Path,
        tangle: Tangle,
        session: SensorSession = OPEN,
        *,
        sensor: str = "north",
        mode: Mode | None = None,
        head_every: int = 3,
        give_up_s: float | None = 5.0,
    ) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.state = SensorState.open(folder, terms(session, sensor, mode), self.clock.now_ms)
        pacing = Pacing(head_every=head_every, give_up_s=give_up_s, now_s=self.clock.now_s, wait=self.clock.wait)
        self.feeder = Feeder(self.state, session, tangle, pacing=pacing, tell=self.said.append)

    def __enter__(self) -> Sensor:
        try:
            self.feeder.begin()
        except BaseException:
            self.state.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.state.close()

    def send(self, *readings: Reading | None, end: bool = False) -> None:
        self.feeder.send(Batch(readings, end=end))


def stream(folder: Path, tangle: Tangle, readings: Sequence[Reading | None], size: int = 3, **more: Any) -> str:
    """Stream readings in packets of a size; return the sensor's key."""
    with Sensor(folder, tangle, **more) as sensor:
        for start in range(0, len(readings), size):
            sensor.send(*readings[start : start + size])
        return sensor.feeder.public
