"""The exam for sources of sensor readings."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from learnae.errors import DamagedError, NotFoundError
from learnae.interfaces.sensors import Reading, SensorSource
from learnae.testing.moments import moments, run_within, skip
from learnae.values.ids import SensorId

NORTH, SOUTH = SensorId("north"), SensorId("south")
_STRANGE = ("", ".", "..", "/", "../north", "north/../north", "x" * 100_000, "\0", "\udcff", "north\n", "NoSuchSensor")


class SensorSourceExam(ABC):
    """Examines a sensor source: every promise of ``learnae.interfaces.sensors.SensorSource`` that can be tested from outside.

    Derive a class whose name begins with ``Test``, say how to open a source and how sensors write, and let pytest find it::

        from collections.abc import Sequence
        from pathlib import Path

        from learnae.interfaces.sensors import Reading, SensorSource
        from learnae.testing.sensors import SensorSourceExam

        from weather import Station, Stations


        class TestStations(SensorSourceExam):
            def connect(self, folder: Path) -> SensorSource:
                return Stations(folder)

            def append(self, folder: Path, sensor: str, readings: Sequence[Reading | None]) -> None:
                for reading in readings:
                    Station(folder, sensor).send(b"no reading" if reading is None else reading)

            def end(self, folder: Path, sensor: str) -> None:
                Station(folder, sensor).send_end()

            def replace(self, folder: Path, sensor: str) -> None:
                Station(folder, sensor).forget_everything()

    What ``append`` and the others write must be there to be read when they return. All are called from a thread that is not the
    event loop's. Sensors are called ``north`` and ``south``.

    Attributes:
        deadline_s: How long one test may take.
        replaceable: Whether a stream can be cut or replaced at all; false where the ledger itself rules that out.
    """

    deadline_s = 60.0
    replaceable = True

    @abstractmethod
    def connect(self, folder: Path) -> SensorSource:
        """Open a source.

        Args:
            folder: The test's own; empty until a sensor writes.
        """

    @abstractmethod
    def append(self, folder: Path, sensor: str, readings: Sequence[Reading | None]) -> None:
        """Write readings to the end of a sensor's stream; the first call begins it.

        Args:
            folder: The test's own.
            sensor: The name.
            readings: What to write; for ``None``, something that is no reading.
        """

    @abstractmethod
    def end(self, folder: Path, sensor: str) -> None:
        """Say at the end of a sensor's stream that nothing will follow."""

    @abstractmethod
    def replace(self, folder: Path, sensor: str) -> None:
        """Cut a sensor's stream to nothing, or replace it by another one."""

    def append_half(self, folder: Path, sensor: str) -> Callable[[], None]:  # noqa: ARG002  # for whoever overrides it
        """Write the first half of the reading ``{"half": 1}``, and return what writes the rest; optional."""
        skip("the stream holds no half readings")

    def test_lists_sensors_in_order(self, tmp_path: Path) -> None:
        """List none, then two."""

        async def exam(bench: _Bench) -> None:
            assert list(await bench.source.sensors()) == []
            await bench.append(SOUTH, [{"x": 1}])
            await bench.append(NORTH, [{"x": 2}])
            assert list(await bench.source.sensors()) == [NORTH, SOUTH]

        self._run(tmp_path, exam)

    def test_returns_readings_in_order(self, tmp_path: Path) -> None:
        """Read streams of all kinds of cells, with things in them that are no readings."""

        async def exam(bench: _Bench) -> None:
            await bench.append(NORTH, _READINGS)
            await bench.append(SOUTH, [{"x": 7}])
            assert await bench.read_all(NORTH, 1000) == _READINGS
            assert await bench.read_all(SOUTH, 1000) == [{"x": 7}]

        self._run(tmp_path, exam)

    def test_packets_divide_the_stream_without_changing_it(self, tmp_path: Path) -> None:
        """Read in packets of one, three and a thousand readings."""

        async def exam(bench: _Bench) -> None:
            await bench.append(NORTH, _READINGS * 5)
            for size in (1, 3, 1000):
                assert await bench.read_all(NORTH, size) == _READINGS * 5, f"read by {size}, the stream is another"

        self._run(tmp_path, exam)

    def test_reading_is_idempotent(self, tmp_path: Path) -> None:
        """Read twice from every position, by this source and by a new one."""

        async def exam(bench: _Bench) -> None:
            await bench.append(NORTH, _READINGS)
            position = ""
            for expected in _READINGS:
                first = await bench.source.read(NORTH, position, max_readings=1)
                assert await bench.source.read(NORTH, position, max_readings=1) == first
                again = self.connect(tmp_path)
                assert (await again.read(NORTH, position, max_readings=1)).readings == (expected,)
                await again.aclose()
                assert len(first.position) <= 1000, "a position has at most 1,000 characters"
                position = first.position

        self._run(tmp_path, exam)

    def test_nothing_new_is_an_empty_packet(self, tmp_path: Path) -> None:
        """Read at the end of a stream, then go on when it goes on."""

        async def exam(bench: _Bench) -> None:
            await bench.append(NORTH, [{"x": 1}])
            packet = await bench.source.read(NORTH, "", max_readings=10)
            empty = await bench.source.read(NORTH, packet.position, max_readings=10)
            assert (empty.readings, empty.position, empty.ended) == ((), packet.position, False)
            await bench.append(NORTH, [{"x": 2}, {"x": 3}])
            packet = await bench.source.read(NORTH, packet.position, max_readings=10)
            assert packet.readings == ({"x": 2}, {"x": 3})

        self._run(tmp_path, exam)

    def test_the_end_is_told(self, tmp_path: Path) -> None:
        """Read to the end of a stream that ended, and ask again."""

        async def exam(bench: _Bench) -> None:
            await bench.append(NORTH, [{"x": 1}, {"x": 2}])
            assert not (await bench.source.read(NORTH, "", max_readings=10)).ended
            await asyncio.to_thread(self.end, tmp_path, NORTH)
            position, readings = "", list[Reading | None]()
            for _ in range(4):
                packet = await bench.source.read(NORTH, position, max_readings=1)
                readings += packet.readings
                position = packet.position
            assert readings == [{"x": 1}, {"x": 2}], "the end is no reading"
            assert packet.ended, "asked again, the source did not tell the end again"

        self._run(tmp_path, exam)

    def test_unknown_sensors_are_not_found(self, tmp_path: Path) -> None:
        """Read sensors that are not there, and names that are none."""

        async def exam(bench: _Bench) -> None:
            await bench.append(NORTH, [{"x": 1}])
            for name in _STRANGE:
                try:
                    await bench.source.read(SensorId(name), "", max_readings=1)
                except NotFoundError:
                    continue
                message = f"reading the sensor {name[:100]!r} did not raise NotFoundError"
                raise AssertionError(message)

        self._run(tmp_path, exam)

    def test_a_half_reading_is_awaited(self, tmp_path: Path) -> None:
        """Read while a reading is half there; it comes when it is whole."""

        async def exam(bench: _Bench) -> None:
            await bench.append(NORTH, [{"x": 1}])
            complete = await asyncio.to_thread(self.append_half, tmp_path, NORTH)
            packet = await bench.source.read(NORTH, "", max_readings=10)
            assert packet.readings == ({"x": 1},), "half a reading was returned or skipped"
            again = await bench.source.read(NORTH, packet.position, max_readings=10)
            assert again.readings == ()
            await asyncio.to_thread(complete)
            packet = await bench.source.read(NORTH, again.position, max_readings=10)
            assert packet.readings == ({"half": 1},)

        self._run(tmp_path, exam)

    def test_a_replaced_stream_is_noticed(self, tmp_path: Path) -> None:
        """Go on at a position of a stream that was cut or replaced."""

        async def exam(bench: _Bench) -> None:
            await bench.append(NORTH, _READINGS)
            packet = await bench.source.read(NORTH, "", max_readings=5)
            await asyncio.to_thread(self.replace, tmp_path, NORTH)
            try:
                await bench.source.read(NORTH, packet.position, max_readings=5)
            except (DamagedError, NotFoundError):
                return
            message = "a position of a stream that was replaced was taken"
            raise AssertionError(message)

        if not self.replaceable:
            skip("streams cannot be replaced")
        self._run(tmp_path, exam)

    def test_cancelled_read_is_harmless(self, tmp_path: Path) -> None:
        """Cancel ``read`` at many moments; the stream stays what it is."""

        async def exam(bench: _Bench) -> None:
            await bench.append(NORTH, _READINGS * 20)
            for patience in moments():
                task = asyncio.ensure_future(bench.source.read(NORTH, "", max_readings=50))
                await patience
                task.cancel()
                await asyncio.wait([task])
            assert await bench.read_all(NORTH, 7) == _READINGS * 20

        self._run(tmp_path, exam)

    def test_closing_twice_is_harmless(self, tmp_path: Path) -> None:
        """Close a source that was never used, and a used one, twice."""

        async def exam(bench: _Bench) -> None:
            unused = self.connect(tmp_path)
            await bench.source.sensors()
            for source in (unused, bench.source, unused, bench.source):
                await source.aclose()

        self._run(tmp_path, exam)

    def _run(self, folder: Path, exam: Callable[["_Bench"], Coroutine[Any, Any, None]]) -> None:
        """Run one exam against a new source, and close it."""

        async def run() -> None:
            bench = _Bench(self, folder)
            try:
                await exam(bench)
            finally:
                await bench.source.aclose()

        run_within(self.deadline_s, run(), "the source answers")


class _Bench:
    """A source under examination, and the sensors that write to it."""

    def __init__(self, exam: SensorSourceExam, folder: Path) -> None:
        self.source = exam.connect(folder)
        self._exam = exam
        self._folder = folder

    async def append(self, sensor: SensorId, readings: Sequence[Reading | None]) -> None:
        """Write readings, off the event loop."""
        await asyncio.to_thread(self._exam.append, self._folder, sensor, readings)

    async def read_all(self, sensor: SensorId, size: int) -> list[Reading | None]:
        """Read a stream from the beginning until nothing comes, in packets of at most this size."""
        readings: list[Reading | None] = []
        position = ""
        while True:
            packet = await self.source.read(sensor, position, max_readings=size)
            assert len(packet.readings) <= size, f"{len(packet.readings)} readings came where {size} were allowed"
            if not packet.readings:
                assert packet.position == position, "an empty packet moved the position"
                return readings
            assert packet.first in (None, len(readings)), f"reading {len(readings)} is said to be number {packet.first}"
            readings += packet.readings
            position = packet.position


_READINGS: list[Reading | None] = [
    {"x": 1, "y": 2.5, "label": "a"},
    {"x": -1, "y": 1e-9, "label": "\u00e9\u2192\U0001f600"},
    None,
    {"x": None, "y": True, "label": ""},
    {},
    {"x": 2**53, "y": 0.1, "label": 'quoted "text",\n\\'},
    None,
    {"only": 3},
]
