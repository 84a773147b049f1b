"""The sensor source ``iota``: readings that sensors stream over a tangle."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from learnae.errors import LearnaeError, NotFoundError, UnavailableError
from learnae.interfaces.sensors import Packet
from learnae.values.ids import SensorId
from learnae_iota.sensors.discovery import MAX_SENSORS
from learnae_iota.sensors.envelopes import is_sensor_name
from learnae_iota.sensors.following import Follower
from learnae_iota.sensors.heads import Head
from learnae_iota.sensors.intervals import Interval
from learnae_iota.sensors.telling import Once
from learnae_iota.stopping import Stop, StoppedError

_MAX_KNOWN_BYTES = 16_000_000
_LANES = 4
_DISCOVER_S = 3.0
_WAIT_S = 1.5
_FREE_LOOKS = 5
_T = TypeVar("_T")


class IotaSensors:
    """A ``SensorSource`` over a tangle. Four streams are read at a time, other calls wait.

    Where nothing came for a while, it is looked less often, up to every ten seconds. Sensors that are known are listed at once,
    while it is looked for others.

    Args:
        follower: Finds and reads.
        known: The file where the heads that were found are kept, so that a restart does without them; ``None`` keeps nothing.
        close: Closes the tangle.
        tell: Takes a sentence for the operator, in any thread.
        now_s: Seconds that only grow.
    """

    def __init__(
        self,
        follower: Follower,
        *,
        known: Path | None = None,
        close: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda _: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._follower, self._known, self._close, self._tell, self._now_s = follower, known, close, Once(tell), now_s
        self._readers = ThreadPoolExecutor(_LANES, "learnae-iota-streams")
        self._finder = ThreadPoolExecutor(1, "learnae-iota-sensors")
        self._stops: set[Stop] = set()
        self._discovery = Interval(_DISCOVER_S, free=_FREE_LOOKS, now_s=now_s)
        self._discovering: asyncio.Task[None] | None = None
        self._waits: dict[str, tuple[str, Interval]] = {}  # by sensor: at which position, and how
        self._closed = False

    @property
    def follower(self) -> Follower:
        """What finds and reads; its ``counts`` say what was passed over."""
        return self._follower

    async def sensors(self) -> Sequence[SensorId]:
        """List the admitted sensors whose heads were found: see ``SensorSource.sensors``."""
        self._check_open()
        if not self._follower.heads:
            if self._discovery.is_due:
                await self._run(self._finder, self._discover)
        elif self._discovery.is_due and (self._discovering is None or self._discovering.done()):
            if self._discovering is not None:
                self._discovering.result()
            self._discovering = asyncio.create_task(self._discover_beside())
        return [SensorId(head.sensor) for head in self._follower.heads]

    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        """Read what follows a position: see ``SensorSource.read``."""
        if not is_sensor_name(sensor):
            raise NotFoundError(f"{sensor[:100]!r} is no name of a sensor")
        self._check_open()
        at, interval = self._waits.get(sensor, ("", None))
        if interval is None or at != position:
            interval = Interval(_WAIT_S, free=_FREE_LOOKS, now_s=self._now_s)
        if not interval.is_due:
            return Packet((), position)
        try:
            packet = await self._run(self._readers, lambda stop: self._follower.read(sensor, position, max_readings, stop))
        except UnavailableError:
            self._note(sensor, position, interval, came=False)
            raise
        self._note(sensor, position, interval, came=bool(packet.readings) or packet.ended)
        return packet

    async def aclose(self) -> None:
        """End what is under way, and close the tangle; idempotent."""
        self._closed = True
        for stop in self._stops:
            stop.ask()
        await asyncio.to_thread(self._close)
        await asyncio.to_thread(self._readers.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._finder.shutdown, cancel_futures=True)
        if self._discovering is not None:
            await asyncio.wait([self._discovering])

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError("the source of sensors was closed")

    def _note(self, sensor: str, position: str, interval: Interval, *, came: bool) -> None:
        interval.looked(came=came)
        self._waits[sensor] = (position, interval)
        if came or len(self._waits) > MAX_SENSORS:
            del self._waits[sensor]

    async def _discover_beside(self) -> None:
        try:
            await self._run(self._finder, self._discover)
        except LearnaeError as exc:  # those that are known can be read all the same
            if not self._closed:
                self._tell(f"cannot look for more sensors now: {exc}")

    def _discover(self, stop: Stop) -> None:
        before, news = {head.sensor for head in self._follower.heads}, False
        try:
            heads = self._follower.discover(stop)
            news = {head.sensor for head in heads} != before
            if self._known is not None and news:
                save_heads(self._known, heads)
        finally:
            self._discovery.looked(came=news)

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[Stop], _T]) -> _T:
        self._check_open()
        stop = Stop()
        self._stops.add(stop)
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work, stop)
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
