"""Sensors' readings become dataslices: checked, buffered, cut at fixed positions, once each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

import numpy as np
import pytest

from learnae.codec.seal import Seal
from learnae.codec.slices import decode_slice
from learnae.data.readings import ReadingCheck
from learnae.errors import DamagedError, UnavailableError
from learnae.interfaces.sensors import Packet, Reading
from learnae.machine.events import CutSlice, ReadingsArrived, SlicesCut
from learnae.performing import ingestion
from learnae.performing.ingestion import Ingestion, Taken
from learnae.performing.shelf import MemoryShelf
from learnae.performing.store import SensorState
from learnae.testing.rows import toy_manifest
from learnae.values.choices import Task
from learnae.values.ids import SensorId, SessionId

T = TypeVar("T")
MANIFEST = toy_manifest(features=2, slice_size=3)
SESSION = SessionId("5" * 64)


class InlinePace:
    async def compute(self, job: Callable[[], T]) -> T:
        return job()

    async def decode(self, job: Callable[[], T]) -> T:
        return job()

    async def within(self, fetch: Awaitable[T]) -> T:
        return await fetch

    async def first(self, attempts: Sequence[Callable[[], Awaitable[T]]]) -> T:
        return await attempts[0]()


class ListSource:
    """A fake source: streams are lists."""

    def __init__(self, **streams: list[Reading | None]) -> None:
        self.streams = {SensorId(name): readings for name, readings in streams.items()}
        self.ended: set[str] = set()
        self.broken: dict[str, Exception] = {}
        self.numbered, self.shift = True, 0
        self.lost = 0  # readings from the beginning of every stream, as on a ledger that forgets

    async def sensors(self) -> Sequence[SensorId]:
        return sorted(self.streams)

    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        if sensor in self.broken:
            raise self.broken[sensor]
        start = max(int(position or 0), self.lost)
        found = tuple(self.streams[sensor][start : start + max_readings])
        end = start + len(found)
        ended = sensor in self.ended and end == len(self.streams[sensor])
        return Packet(found, str(end), ended, start + self.shift if self.numbered else None)

    async def aclose(self) -> None:
        pass


def reading(number: int) -> Reading:
    return {"f0": float(number), "f1": -1, "label": number % 2, "unused": "x"}


class Bench:
    def __init__(
        self, source: ListSource, states: dict[SensorId, SensorState] | None = None, shelf: MemoryShelf | None = None
    ) -> None:
        self.source = source
        self.shelf = shelf or MemoryShelf()
        self.states = dict(states or {})
        self.ingestion = Ingestion("list", source, MANIFEST, seal=Seal(SESSION, None), shelf=self.shelf, states=self.states)

    def poll(self) -> list[Taken]:
        async def collect() -> list[Taken]:
            found = []
            async for taken in self.ingestion.poll(InlinePace()):
                self.states[taken.sensor] = taken.state
                found.append(taken)
            return found

        return asyncio.run(collect())

    def rows(self, cut: CutSlice) -> list[float]:
        return [float(value) for value in decode_slice(self.shelf.get(cut.digest), MANIFEST)[:, 0]]


def slices(found: list[Taken]) -> list[CutSlice]:
    return [cut for taken in found for event in taken.events if isinstance(event, SlicesCut) for cut in event.slices]


def test_slices_are_cut_at_fixed_positions_however_the_stream_is_divided() -> None:
    at_once, source = Bench(ListSource(porch=[reading(i) for i in range(8)])), ListSource(porch=[])
    in_steps = Bench(source)
    whole = slices(at_once.poll())
    stepped = []
    for number in range(8):
        source.streams[SensorId("porch")].append(reading(number))
        stepped += slices(in_steps.poll())
    assert whole == stepped
    assert [at_once.rows(cut) for cut in whole] == [[0, 1, 2], [3, 4, 5]]


def test_a_restart_goes_on_with_buffer_and_position() -> None:
    source = ListSource(porch=[reading(i) for i in range(5)])
    first = Bench(source)
    before = slices(first.poll())
    source.streams[SensorId("porch")] += [reading(i) for i in range(5, 7)]
    second = Bench(source, first.states, first.shelf)
    assert [first.rows(cut) for cut in before] == [[0, 1, 2]]
    assert [second.rows(cut) for cut in slices(second.poll())] == [[3, 4, 5]]
    assert second.poll() == []


def test_the_end_of_a_stream_makes_a_short_slice_and_ends_the_reading() -> None:
    source = ListSource(porch=[reading(i) for i in range(4)])
    source.ended.add("porch")
    bench = Bench(source)
    assert [bench.rows(cut) for cut in slices(bench.poll())] == [[0, 1, 2], [3]]
    source.broken["porch"] = AssertionError("is not read any more")
    assert bench.poll() == []


def test_what_does_not_fit_is_left_out_and_counted() -> None:
    bad: list[Reading | None] = [None, {}, {**reading(1), "f0": "warm"}, {**reading(1), "label": "7"}, {**reading(1), "f1": None}]
    bench = Bench(ListSource(porch=[reading(0), *bad, reading(2), reading(4)]))
    (taken,) = bench.poll()
    assert taken.events[-1] == ReadingsArrived(SensorId("list/porch"), 3, 5)
    assert [bench.rows(cut) for cut in slices([taken])] == [[0]]
    assert taken.state.taken == 8


def test_slices_after_a_gap_are_those_of_readers_of_the_whole_stream() -> None:
    stream: list[Reading | None] = [reading(0), None, *map(reading, range(2, 14))]
    whole = Bench(ListSource(porch=list(stream)))
    all_of_them = slices(whole.poll())
    assert [whole.rows(cut) for cut in all_of_them] == [[0, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    late = Bench(ListSource(porch=list(stream)))
    late.source.lost = 4
    found = slices(late.poll())
    assert [late.rows(cut) for cut in found] == [[4, 5], [6, 7, 8], [9, 10, 11]]
    assert found[1:] == all_of_them[2:]


def test_a_gap_closes_the_slice_before_it() -> None:
    source = ListSource(porch=[reading(i) for i in range(4)])
    bench = Bench(source)
    assert [bench.rows(cut) for cut in slices(bench.poll())] == [[0, 1, 2]]
    source.streams[SensorId("porch")] += [reading(i) for i in range(4, 11)]
    source.lost = 7
    assert [bench.rows(cut) for cut in slices(bench.poll())] == [[3], [7, 8]]
    source.streams[SensorId("porch")].append(reading(11))
    assert [bench.rows(cut) for cut in slices(bench.poll())] == [[9, 10, 11]]


def test_a_gap_within_a_slice_leaves_one_slice() -> None:
    source = ListSource(porch=[reading(0)])
    bench = Bench(source)
    assert slices(bench.poll()) == []
    source.streams[SensorId("porch")] += [reading(1), reading(2)]
    source.lost = 2
    assert [bench.rows(cut) for cut in slices(bench.poll())] == [[0, 2]]


def test_a_stream_that_counts_backwards_is_left_alone_and_said() -> None:
    source = ListSource(porch=[reading(i) for i in range(4)])
    bench = Bench(source)
    bench.poll()
    source.streams[SensorId("porch")].append(reading(4))
    source.shift = -2
    (taken,) = bench.poll()
    assert taken.notice is not None
    assert "4 readings were taken, and the next one is said to be number 2" in taken.notice
    assert bench.poll() == []


def test_a_state_that_does_not_say_how_many_were_taken_goes_on() -> None:
    buffer = np.array([[0, -1, 0], [1, -1, 1]], dtype="<f4").tobytes()
    bench = Bench(ListSource(porch=[reading(2)]), {SensorId("list/porch"): SensorState(buffer=buffer)})
    bench.source.numbered = False
    assert [bench.rows(cut) for cut in slices(bench.poll())] == [[0, 1, 2]]


def test_a_sensor_that_sends_only_rubbish_is_not_read_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "MAX_REJECTED", 10)
    source = ListSource(junk=[None] * 12, good=[reading(i) for i in range(3)])
    bench = Bench(source)
    found = bench.poll()
    assert [taken.sensor for taken in found] == ["list/good", "list/junk"]
    assert found[1].notice is not None
    assert found[1].notice.endswith("it is not read any more: it is no reading at all")
    source.streams[SensorId("junk")] += [reading(i) for i in range(9)]
    assert bench.poll() == []


def test_a_stream_that_was_replaced_is_left_alone_and_said() -> None:
    source = ListSource(porch=[reading(0)])
    source.broken["porch"] = DamagedError("the position does not fit")
    bench = Bench(source)
    (taken,) = bench.poll()
    assert taken.notice == "sensor list/porch: its stream was cut or replaced: the position does not fit"
    assert bench.poll() == []


def test_one_sensor_that_does_not_answer_does_not_stop_the_others() -> None:
    source = ListSource(asleep=[reading(0)], porch=[reading(i) for i in range(3)])
    source.broken["asleep"] = UnavailableError("asleep")
    assert [taken.sensor for taken in Bench(source).poll()] == ["list/porch"]


def test_a_sensor_that_cannot_be_read_for_long_is_told_once() -> None:
    source = ListSource(asleep=[reading(0)])
    source.broken["asleep"] = UnavailableError("asleep")
    bench = Bench(source)
    notices = [taken.notice for _ in range(3 * ingestion.NOTABLE_FAILURES) for taken in bench.poll()]
    assert notices == ["sensor list/asleep: it could not be read 5 times in a row, and is tried on: asleep"]
    del source.broken["asleep"]
    (taken,) = bench.poll()
    assert taken.notice is None
    assert taken.events == (ReadingsArrived(SensorId("list/asleep"), 1, 0),)


class GatedSource(ListSource):
    """Answers when its gate opens."""

    def __init__(self, **streams: list[Reading | None]) -> None:
        super().__init__(**streams)
        self.gates: dict[str, asyncio.Event] = {}
        self.under_way: set[str] = set()
        self.most = 0

    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        self.under_way.add(sensor)
        self.most = max(self.most, len(self.under_way))
        try:
            if sensor in self.gates:
                await self.gates[sensor].wait()
            await asyncio.sleep(0)
            return await super().read(sensor, position, max_readings=max_readings)
        finally:
            self.under_way.remove(sensor)


def test_streams_are_read_side_by_side_and_a_slow_one_comes_last() -> None:
    source = GatedSource(**{f"s{number}": [reading(i) for i in range(3)] for number in range(7)})
    bench = Bench(source)

    async def run() -> list[str]:
        source.gates["s0"] = asyncio.Event()
        names = []
        async for taken in bench.ingestion.poll(InlinePace()):
            names.append(taken.sensor.removeprefix("list/"))
            if len(names) == 6:
                source.gates["s0"].set()
        return names

    assert asyncio.run(run()) == ["s1", "s2", "s3", "s4", "s5", "s6", "s0"]
    assert source.most == ingestion.MAX_READS


def test_who_looks_no_further_leaves_nothing_under_way() -> None:
    source = GatedSource(porch=[reading(0)], roof=[reading(0)])
    bench = Bench(source)

    async def run() -> None:
        source.gates["roof"] = asyncio.Event()
        async with aclosing(bench.ingestion.poll(InlinePace())) as found:
            async for taken in found:
                assert taken.sensor == "list/porch"
                break
            assert source.under_way == {"roof"}
        assert source.under_way == set()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param({}, "", id="fits"),
        pytest.param({"f1": "warm"}, "f1 = 'warm'", id="text"),
        pytest.param({"f0": 1e300}, "f0 = '1e+300'", id="large"),
        pytest.param({"f0": "nan"}, "f0 = 'nan'", id="nan"),
        pytest.param({"label": "seven"}, "label = 'seven'", id="label"),
    ],
)
def test_why_a_reading_does_not_fit(given: Reading, why: str) -> None:
    check = ReadingCheck(MANIFEST)
    assert check.complaint({**reading(1), **given}) == why
    assert check.complaint({"f0": 1, "label": 1}) == "it has no column 'f1'"


@pytest.mark.parametrize(
    ("task", "cell", "target"),
    [
        pytest.param(Task.BINARY, 1, 1.0, id="number"),
        pytest.param(Task.BINARY, "1.0", 1.0, id="text-of-a-number"),
        pytest.param(Task.BINARY, 0.0, 0.0, id="float"),
        pytest.param(Task.BINARY, True, None, id="bool"),
        pytest.param(Task.BINARY, 2, None, id="no-class"),
        pytest.param(Task.MULTICLASS, " 2 ", 2.0, id="spaces"),
        pytest.param(Task.REGRESSION, "2.5", 2.5, id="value"),
        pytest.param(Task.REGRESSION, "nan", None, id="nan"),
        pytest.param(Task.REGRESSION, 1e300, None, id="beyond-float32"),
        pytest.param(Task.REGRESSION, 10**400, None, id="beyond-float64"),
        pytest.param(Task.REGRESSION, None, None, id="missing"),
    ],
)
def test_targets(task: Task, cell: str | float | None, target: float | None) -> None:
    check = ReadingCheck(toy_manifest(task, features=1))
    rows = check.rows([{"f0": 0.5, "label": cell}])
    expected = [] if target is None else [[0.5, target]]
    assert np.array_equal(rows, np.array(expected, dtype=np.float32).reshape(-1, 2))
