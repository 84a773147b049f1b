"""Sensors' readings into dataslices (paper, section 4.2): checked, buffered, cut at fixed positions of each stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from learnae.codec.seal import Seal
from learnae.codec.slices import encode_slice
from learnae.data.readings import ReadingCheck
from learnae.errors import DamagedError, WorldError
from learnae.interfaces.sensors import Packet, Reading, SensorSource
from learnae.machine.events import CutSlice, Event, ReadingsArrived, SlicesCut
from learnae.performing.performer import Pace
from learnae.performing.shelf import Shelf
from learnae.performing.store import SensorState
from learnae.values.ids import SensorId
from learnae.values.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Rows = NDArray[np.float32]

MAX_READINGS = 1_000
"""How many readings are taken at once: it bounds memory, and lets many sensors take turns."""

MAX_READS = 4
"""How many streams are read at a time."""

NOTABLE_FAILURES = 5
"""So often in a row a stream cannot be read before the operator hears of it."""

MAX_REJECTED = 1_000
"""So many readings in a row that do not fit the schema end the reading of a stream."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one look at a stream came to: events for the machine, and the state to make durable with the first of them.

    ``notice`` is a sentence for the operator, if there is something to say.
    """

    sensor: SensorId
    state: SensorState
    events: tuple[Event, ...]
    notice: str | None = None


class Ingestion:
    """Reads the streams of one source, a few at a time. Every reader of a stream cuts the same slices."""

    def __init__(
        self,
        name: str,
        source: SensorSource,
        manifest: Manifest,
        *,
        seal: Seal,
        shelf: Shelf,
        states: dict[SensorId, SensorState],
    ) -> None:
        """Make an ingestion.

        Args:
            name: The source's provider: streams of two sources are kept apart by it.
            source: Where readings come from.
            manifest: The schema and the slice size.
            seal: Makes digests.
            shelf: Where slices go.
            states: How far the streams of all sources were read.
        """
        self._name = name
        self._source = source
        self._manifest = manifest
        self._check = ReadingCheck(manifest)
        self._seal = seal
        self._shelf = shelf
        self._states = dict(states)
        self._failures: dict[SensorId, int] = {}  # in a row

    async def poll(self, pace: Pace) -> AsyncGenerator[Taken, None]:
        """Look once at every stream, at several at a time; yield what is new as it comes.

        The caller makes it durable before it goes on.

        Raises:
            WorldError: The source does not answer.
            StateError: A slice cannot be written.
        """
        waiting = deque(await pace.within(self._source.sensors()))
        reading: dict[asyncio.Task[Packet | WorldError], SensorId] = {}
        try:
            while waiting or reading:
                while waiting and len(reading) < MAX_READS:
                    sensor = waiting.popleft()
                    if not self._is_over(self._state(sensor)):
                        reading[asyncio.create_task(self._read(sensor, pace))] = sensor
                if not reading:
                    continue
                await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in reading if task.done()]:
                    taken = await self._taken(reading.pop(task), task.result(), pace)
                    if taken is not None:
                        self._states[taken.sensor] = taken.state
                        yield taken
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    def _key(self, sensor: SensorId) -> SensorId:
        return SensorId(f"{self._name}/{sensor}")

    def _state(self, sensor: SensorId) -> SensorState:
        return self._states.get(self._key(sensor), SensorState())

    def _is_over(self, state: SensorState) -> bool:
        return state.ended or state.rejected >= MAX_REJECTED

    async def _read(self, sensor: SensorId, pace: Pace) -> Packet | WorldError:
        """Read what follows in a stream, or return why that cannot be."""
        try:
            return await pace.within(self._source.read(sensor, self._state(sensor).position, max_readings=MAX_READINGS))
        except WorldError as exc:
            return exc

    async def _taken(self, sensor: SensorId, packet: Packet | WorldError, pace: Pace) -> Taken | None:
        """Return what a look at a stream came to; ``None``: nothing."""
        key, state = self._key(sensor), self._state(sensor)
        failed = isinstance(packet, WorldError) and not isinstance(packet, DamagedError)
        self._failures[key] = self._failures.get(key, 0) + 1 if failed else 0
        match packet:
            case DamagedError():
                return _stopped(key, state, str(packet))
            case WorldError() if self._failures[key] == NOTABLE_FAILURES:
                notice = f"sensor {key}: it could not be read {NOTABLE_FAILURES} times in a row, and is tried on: {packet}"
                return Taken(key, state, (ReadingsArrived(key, 0, 0),), notice)
            case WorldError():
                return None
            case Packet(readings=readings, first=int(first)) if readings and first < state.taken:
                return _stopped(key, state, f"{state.taken} readings were taken, and the next one is said to be number {first}")
            case Packet(readings=readings, ended=ended) if readings or ended:
                return await pace.decode(partial(self._take, key, state, packet))
        return None

    def _take(self, key: SensorId, state: SensorState, packet: Packet) -> Taken:
        buffered = np.frombuffer(state.buffer, dtype="<f4").reshape(-1, len(self._manifest.features) + 1)
        window = _Window(self._manifest.slice_size, max(state.taken, len(buffered)), buffered)
        good = 0
        if packet.readings and packet.first is not None:
            window.skip_to(packet.first)
        for piece in window.divide(packet.readings):
            rows = self._check.rows(piece)
            window.add(rows, len(piece))
            good += len(rows)
        if packet.ended:
            window.close()
        cut = tuple(map(self._cut, window.closed))
        rejected = len(packet.readings) - good
        in_a_row = 0 if good else state.rejected + rejected
        after = SensorState(packet.position, window.rows.astype("<f4").tobytes(), packet.ended, in_a_row, window.taken)
        arrived = ReadingsArrived(key, good, rejected)
        notice = None
        if in_a_row >= MAX_REJECTED:
            why = self._check.complaint(packet.readings[-1])
            notice = f"sensor {key}: {in_a_row} readings in a row do not fit the schema; it is not read any more: {why}"
        return Taken(key, after, (SlicesCut(cut), arrived) if cut else (arrived,), notice)

    def _cut(self, rows: _Rows) -> CutSlice:
        data = encode_slice(np.ascontiguousarray(rows, dtype=np.float32))
        digest = self._seal.digest(data)
        self._shelf.put(digest, data)
        return CutSlice(digest, len(rows))


def _stopped(key: SensorId, state: SensorState, why: str) -> Taken:
    after = msgspec.structs.replace(state, ended=True)
    return Taken(key, after, (ReadingsArrived(key, 0, 0),), f"sensor {key}: its stream was cut or replaced: {why}")


@dataclass(slots=True)
class _Window:
    """The rows of one dataslice as they come: a stream's slices are windows of ``size`` readings, counted from its beginning.

    Readings that do not fit count too: so what is cut does not depend on where a reader began, but for the window it began in.

    Attributes:
        size: Readings in a window.
        taken: The number in the stream of the reading that comes next.
        rows: Those of the window that ``taken`` lies in: float32 ``[rows, features + 1]``.
        closed: The rows of the windows before it, but for those without any.
    """

    size: int
    taken: int
    rows: _Rows
    closed: list[_Rows] = field(default_factory=list)

    def divide(self, readings: Sequence[Reading | None]) -> Iterator[Sequence[Reading | None]]:
        """Divide readings at the ends of windows; each piece has to be added before the next is asked for."""
        while readings:
            room = self.size - self.taken % self.size
            yield readings[:room]
            readings = readings[room:]

    def add(self, rows: _Rows, readings: int) -> None:
        """Add what ``readings`` of this window came to."""
        self.rows = np.concatenate([self.rows, rows])
        self.taken += readings
        if self.taken % self.size == 0:
            self.close()

    def skip_to(self, number: int) -> None:
        """Go on with another reading: those between are lost."""
        if number // self.size != self.taken // self.size:
            self.close()
        self.taken = number

    def close(self) -> None:
        """End the window, whole or not."""
        if len(self.rows):
            self.closed.append(self.rows)
        self.rows = self.rows[:0]
