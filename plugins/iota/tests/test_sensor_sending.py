"""A sensor signs each packet once, keeps it before it leaves, and notices who signs with its keys."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from learnae_iota.bundles.bundles import Posting
from learnae_iota.sensors import sending
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.feeding import Batch
from learnae_iota.sensors.following import Follower
from learnae_iota.sensors.state import SensorState
from learnae_iota.tangle.tangle import Tangle
from sensor_rig import OPEN, SEALED, Clock, MemoryTangle, Sensor, stream, terms
from tangle_rig.memory import Fault

from learnae.errors import ClonedIdentityError, ConfigError, StateError, UnavailableError
from learnae.interfaces.sensors import Reading

READINGS: list[Reading | None] = [{"x": index} for index in range(12)]


class Crash(BaseException):
    """The process ends here."""


def read_all(node: MemoryTangle) -> list[Reading | None]:
    packet = Follower(node.tangle(), OPEN, Admission(everybody=True)).read("north", "", 1000)
    return list(packet.readings)


class CrashingTangle:
    """A tangle over which the process dies at one of its calls: before it, or after."""

    def __init__(self, tangle: Tangle, at: int, *, after: bool) -> None:
        self._tangle, self._at, self._after = tangle, at, after

    def __getattr__(self, name: str) -> object:
        def call(*args: object, **more: object) -> object:
            self._at -= 1
            if self._at == 0 and not self._after:
                raise Crash
            result = getattr(self._tangle, name)(*args, **more)
            if self._at == 0:
                raise Crash
            return result

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 22))
def test_crashing_anywhere_loses_and_repeats_nothing(at: int, after: bool, tmp_path: Path) -> None:
    node = MemoryTangle()
    tangle: object = CrashingTangle(node.tangle(), at, after=after)
    for _ in range(3):
        try:
            with Sensor(tmp_path, tangle) as sensor:  # type: ignore[arg-type]
                last = sensor.state.last()
                for start in range(int(last.input) if last else 0, 12, 3):
                    sensor.feeder.send(Batch(tuple(READINGS[start : start + 3]), str(start + 3)))
        except Crash:
            tangle = node.tangle()
    assert read_all(node) == READINGS


def test_the_same_payload_is_sent_again(tmp_path: Path) -> None:
    node = MemoryTangle()
    with Sensor(tmp_path, node.tangle()) as sensor:
        node.faults.add(Fault.FULL_DISK)
        with pytest.raises(UnavailableError, match="given up after 5 s"):
            sensor.send({"x": 1})
        assert "trying again in 1 s" in sensor.said[0]
        kept = sensor.state.last()
        assert kept is not None
        assert kept.sent_ms is None
    node.faults.clear()
    assert read_all(node) == []
    with Sensor(tmp_path, node.tangle()) as sensor:
        (again,) = sensor.state.unconfirmed(10)
        assert again.payload == kept.payload
        assert again.sent_ms is not None
        sensor.feeder.finish()
        assert sensor.state.unconfirmed(10) == []
    assert read_all(node) == [{"x": 1}]


def test_what_is_not_confirmed_is_attached_again(tmp_path: Path) -> None:
    node = MemoryTangle()
    with Sensor(tmp_path, node.tangle()) as sensor:
        node._getInclusionStates = lambda arguments: {"states": [False] * len(arguments["transactions"])}  # type: ignore[method-assign]
        sensor.send({"x": 1})
        sensor.feeder.settle()
        assert not sensor.said
        sensor.clock.seconds += sending.REATTACH_S
        before = len(node.ledger)
        sensor.feeder.settle()
        assert sensor.said == ["packet 0 is not confirmed yet; it is attached again"]
        assert len(node.ledger) > before
        assert len(sensor.state.tails(0)) == 2
    assert read_all(node) == [{"x": 1}]


def test_a_copied_folder_is_noticed_before_it_signs(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:3])
    shutil.copytree(tmp_path / "north", tmp_path / "copy")
    with Sensor(tmp_path / "copy", node.tangle()) as copy:
        with Sensor(tmp_path / "north", node.tangle()) as sensor:
            sensor.send(*READINGS[3:6])
        with pytest.raises(ClonedIdentityError, match="packet 1 is on the ledger, and is not the one that is kept here"):
            copy.send({"x": 666})
        last = copy.state.last()
        assert last is not None
        assert last.number == 0, "the copy signed all the same"


def test_an_old_copy_is_noticed_by_later_heads(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:3])
    shutil.copytree(tmp_path / "north", tmp_path / "copy")
    stream(tmp_path / "north", node.tangle(), READINGS[3:])
    with pytest.raises(ClonedIdentityError, match=r"a head of this sensor tells of packet 3, and 1 is the next one here"):
        stream(tmp_path / "copy", node.tangle(), READINGS[3:])


def test_two_that_signed_at_once_both_notice(tmp_path: Path) -> None:
    node, apart = MemoryTangle(), MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:1])
    apart.ledger.update(node.ledger)
    shutil.copytree(tmp_path / "north", tmp_path / "copy")
    for name, side, number in (("north", node, 1), ("copy", apart, 2)):  # two nodes that do not hear of each other
        side._getInclusionStates = lambda arguments: {"states": [False] * len(arguments["transactions"])}  # type: ignore[method-assign]
        with Sensor(tmp_path / name, side.tangle(), head_every=100) as sensor:
            sensor.send({"x": number})
    node.ledger.update(apart.ledger)
    for name in ("north", "copy"):
        with pytest.raises(ClonedIdentityError), Sensor(tmp_path / name, MemoryTangle(ledger=node.ledger).tangle()):
            pass


def test_a_changed_copy_of_an_own_packet_is_no_clone(tmp_path: Path) -> None:
    node = MemoryTangle()
    node._getInclusionStates = lambda arguments: {"states": [False] * len(arguments["transactions"])}  # type: ignore[method-assign]
    with Sensor(tmp_path, node.tangle()) as sensor:
        sensor.send({"x": 1})
        (kept,) = sensor.state.unconfirmed(10)
        tampered = ("9" if kept.payload[300] != "9" else "A").join((kept.payload[:300], kept.payload[301:]))
        for payload in (tampered, kept.payload + "JUNK", kept.payload[:1000]):
            node.tangle().send([Posting(kept.address, payload)])
    with Sensor(tmp_path, node.tangle()) as sensor:
        sensor.send({"x": 2})
    assert read_all(node) == [{"x": 1}, {"x": 2}]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A state folder that another process uses."""
    code = (
        "import sys; from pathlib import Path; from learnae_iota.sensors.state import *;"
        "from learnae_iota.mam.channel import Mode;"
        "state = SensorState.open(Path(sys.argv[1]), Terms('north', 'WEATHER 2026', False, Mode.PUBLIC, 1), lambda: 0);"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield tmp_path
        process.communicate("")


def test_two_processes_cannot_use_one_folder(held: Path) -> None:
    with pytest.raises(StateError, match="another process streams from this folder"):
        SensorState.open(held, terms(), Clock().now_ms)


def test_the_state_is_of_one_stream_and_private(tmp_path: Path) -> None:
    clock = Clock()
    SensorState.open(tmp_path, terms(), clock.now_ms).close()
    for others in (terms(SEALED), terms(sensor="south"), terms(security=2)):
        with pytest.raises(StateError, match="is the state of another stream: sensor north of WEATHER 2026"):
            SensorState.open(tmp_path, others, clock.now_ms)
    assert (tmp_path / "sensor.sqlite").stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="is no name of a sensor"):
        SensorState.open(tmp_path / "other", terms(sensor="../x"), clock.now_ms)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "sensor.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StateError, match="cannot be read or written"):
        SensorState.open(tmp_path / "damaged", terms(), clock.now_ms)


def test_nothing_follows_an_end(tmp_path: Path) -> None:
    node = MemoryTangle()
    with Sensor(tmp_path, node.tangle()) as sensor:
        sensor.send({"x": 1}, end=True)
        with pytest.raises(StateError, match="this stream was ended"):
            sensor.send({"x": 2})
    packet = Follower(node.tangle(), OPEN, Admission(everybody=True)).read("north", "", 10)
    assert (packet.readings, packet.ended) == (({"x": 1},), True)
