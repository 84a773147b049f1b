"""The sensor source ``iota``: readings that sensors stream over a tangle."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from learnae.errors import NotFoundError, UnavailableError
from learnae.interfaces.sensors import Packet
from learnae.values.ids import SensorId
from learnae_iota.sensors.envelopes import is_sensor_name
from learnae_iota.sensors.following import MAX_SENSORS, Follower
from learnae_iota.sensors.heads import Head
from learnae_iota.stopping import Stop, StoppedError

_MAX_KNOWN_BYTES = 16_000_000
_T = TypeVar("_T")


class IotaSensors:
    """A ``SensorSource`` over a tangle. One call is under way at a time, others wait.

    Args:
        follower: Finds and reads.
        known: The file where the heads that were found are kept, so that a restart does without them; ``None`` keeps nothing.
        close: Closes the tangle.
    """

    def __init__(self, follower: Follower, *, known: Path | None = None, close: Callable[[], None] = lambda: None) -> None:
        self._follower, self._known, self._close = follower, known, close
        self._thread = ThreadPoolExecutor(1, "learnae-iota-sensors")
        self._stops: set[Stop] = set()
        self._closed = False

    @property
    def follower(self) -> Follower:
        """What finds and reads; its ``counts`` say what was passed over."""
        return self._follower

    async def sensors(self) -> Sequence[SensorId]:
        """List the admitted sensors whose heads were found: see ``SensorSource.sensors``."""
        return await self._run(self._list)

    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        """Read what follows a position: see ``SensorSource.read``."""
        if not is_sensor_name(sensor):
            raise NotFoundError(f"{sensor[:100]!r} is no name of a sensor")
        return await self._run(lambda stop: self._follower.read(sensor, position, max_readings, stop))

    async def aclose(self) -> None:
        """End what is under way, and close the tangle; idempotent."""
        self._closed = True
        for stop in self._stops:
            stop.ask()
        self._close()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    def _list(self, stop: Stop) -> list[SensorId]:
        before = self._follower.heads
        heads = self._follower.discover(stop)
        if self._known is not None and {head.sensor for head in heads} != {head.sensor for head in before}:
            save_heads(self._known, heads)
        return [SensorId(head.sensor) for head in heads]

    async def _run(self, work: Callable[[Stop], _T]) -> _T:
        if self._closed:
            raise UnavailableError("the source of sensors was closed")
        stop = Stop()
        self._stops.add(stop)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, stop)
        except StoppedError as exc:
            raise UnavailableError("the source of sensors was closed") from exc
        finally:
            stop.ask()
            self._stops.discard(stop)


def save_heads(path: Path, heads: Sequence[Head]) -> None:
    """Keep heads that were verified; where that fails, they will be looked for again."""
    made = path.with_name(f"{path.name}.new")
    with contextlib.suppress(OSError):
        with made.open("wb") as file:
            file.write(msgspec.json.encode(heads))
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)


def load_heads(path: Path) -> list[Head]:
    """Read what ``save_heads`` wrote; what cannot be read is looked for again."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_KNOWN_BYTES)
        return msgspec.json.decode(data, type=list[Head])[:MAX_SENSORS]
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return []
