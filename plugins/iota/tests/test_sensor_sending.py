"""A sensor signs each packet once, keeps it before it leaves, and notices who signs with its keys."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from learnae_iota.bundles.bundles import Posting
from learnae_iota.bundles.transactions import decode_transaction
from learnae_iota.sensors import unconfirmed
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.batching import Batch
from learnae_iota.sensors.following import Follower
from learnae_iota.sensors.pacing import REATTACH_S
from learnae_iota.sensors.sessions import sensor_session
from learnae_iota.sensors.signing import Signer
from learnae_iota.sensors.state import MAX_TAILS, SensorState
from learnae_iota.tangle.tangle import Tangle
from learnae_iota.trinary.kernel import choose_kernel
from sensor_rig import OPEN, SEALED, Clock, MemoryTangle, Sensor, stream, terms
from tangle_rig.memory import Fault

from learnae.errors import ClonedIdentityError, ConfigError, StateError, UnavailableError
from learnae.interfaces.sensors import Reading

READINGS: list[Reading | None] = [{"x": index} for index in range(12)]


class FloodedTangle(MemoryTangle):
    """A tangle whose node shows only what strangers wrote to addresses where they wrote more than it shows at a time."""

    def __init__(self) -> None:
        super().__init__(limit=2)
        self.rubbish: set[str] = set()

    def flood(self, address: str) -> None:
        before = set(self.ledger)
        self.tangle().send([Posting(address, "JUNK" * 1000)])
        self.rubbish |= set(self.ledger) - before

    def _findTransactions(self, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = [
            each for each in self.ledger if all(value in self.ledger[each] for values in arguments.values() for value in values)
        ]
        shown = [digest for digest in found if digest in self.rubbish] if "addresses" in arguments else []
        return {"hashes": (shown or found)[: self.limit]}


def never(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"states": [False] * len(arguments["transactions"])}


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


def refuse_to_sign(copy: Sensor) -> None:
    """Insist that a copy, which stands at packet 1, notices the other one before it signs."""
    with pytest.raises(ClonedIdentityError, match="packet 1 is on the ledger, and is not the one that is kept here"):
        copy.send({"x": 666})
    last = copy.state.last()
    assert last is not None
    assert last.number == 0, "the copy signed all the same"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 27))
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
    signed: dict[tuple[str, int], set[str]] = {}
    for part in map(decode_transaction, node.ledger.values()):
        if part.tag != OPEN.tag:
            signed.setdefault((part.tag, part.index), set()).add(part.message)
    assert all(len(messages) == 1 for messages in signed.values()), "a leaf signed twice"


def test_the_same_payload_is_sent_again(tmp_path: Path) -> None:
    node = MemoryTangle()
    with Sensor(tmp_path, node.tangle()) as sensor:
        node.faults.add(Fault.FULL_DISK)
        with pytest.raises(UnavailableError, match="given up after 5 s"):
            sensor.send({"x": 1})
        assert "trying again in 1 s" in sensor.said[0]
        kept = sensor.state.last()
        assert kept is not None
        assert sensor.state.tails(0) == []
    node.faults.clear()
    assert read_all(node) == []
    with Sensor(tmp_path, node.tangle()) as sensor:
        assert sensor.state.unconfirmed() == {0: len(kept.payload)}
        assert sensor.state.packet(0) == kept
        assert len(sensor.state.tails(0)) == 1
        sensor.feeder.finish()
        assert sensor.state.unconfirmed() == {}
    assert read_all(node) == [{"x": 1}]


def test_what_is_not_confirmed_is_attached_again(tmp_path: Path) -> None:
    node = MemoryTangle()
    with Sensor(tmp_path, node.tangle()) as sensor:
        node._getInclusionStates = never  # type: ignore[method-assign]
        sensor.send({"x": 1})
        sensor.feeder.settle()
        assert not sensor.said
        sensor.clock.seconds += REATTACH_S
        before = len(node.ledger)
        sensor.feeder.settle()
        assert sensor.said == ["packet 0 is not confirmed yet; it is attached again"]
        assert len(node.ledger) > before
        assert len(sensor.state.tails(0)) == 2
    assert read_all(node) == [{"x": 1}]


def test_after_a_restart_what_is_not_confirmed_is_attached_again_whatever_the_clock_says(tmp_path: Path) -> None:
    node = MemoryTangle()
    node._getInclusionStates = never  # type: ignore[method-assign]
    with Sensor(tmp_path, node.tangle()) as sensor:
        sensor.send({"x": 1})
    with Sensor(tmp_path, node.tangle()) as sensor:  # its clock begins anew
        sensor.feeder.settle()
        assert sensor.said == ["packet 0 is not confirmed yet; it is attached again"]
        sensor.feeder.settle()
        assert len(sensor.state.tails(0)) == 2


def test_of_too_many_unconfirmed_packets_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unconfirmed, "MAX_UNCONFIRMED", 2)
    node = MemoryTangle()
    with Sensor(tmp_path, node.tangle()) as sensor:
        at_last = node._getInclusionStates

        def states(arguments: Mapping[str, Any]) -> dict[str, Any]:
            return at_last(arguments) if sensor.clock.seconds >= 5 else never(arguments)

        node._getInclusionStates = states  # type: ignore[method-assign]
        for number in range(3):
            sensor.send({"x": number})
        assert sensor.said == ["2 packets are not confirmed; nothing more is sent before one of them is"]
        assert sensor.clock.seconds == 6
        sensor.feeder.finish()
    assert read_all(node) == [{"x": 0}, {"x": 1}, {"x": 2}]


def test_payloads_that_wait_are_counted_and_stay_in_the_folder() -> None:
    waiting = unconfirmed.Unconfirmed({7: unconfirmed.MAX_UNCONFIRMED_TRYTES - 10})
    assert not waiting.are_too_many
    waiting.add(8, 10)
    assert waiting.are_too_many
    waiting.remove(7)
    assert (waiting.numbers, waiting.are_too_many) == ([8], False)


def test_all_that_waits_is_looked_at_in_turns() -> None:
    waiting = unconfirmed.Unconfirmed(dict.fromkeys(range(5), 1))
    assert [[each.number for each in waiting.due(0.0, 2)] for _ in range(3)] == [[0, 1], [2, 3], [4, 0]]


def test_what_is_confirmed_is_forgotten_but_the_last_packet(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path, node.tangle(), READINGS)
    with closing(sqlite3.connect(tmp_path / "sensor.sqlite")) as database:
        assert database.execute("SELECT number, payload FROM packets").fetchall() == [(3, None)]
        assert database.execute("SELECT COUNT(*) FROM tails").fetchone() == (0,)
    stream(tmp_path, node.tangle(), [{"x": 12}])
    assert read_all(node) == [*READINGS, {"x": 12}]


def test_the_newest_attachments_are_remembered(tmp_path: Path) -> None:
    with SensorState.open(tmp_path, terms(), Clock().now_ms) as state:
        tails = [str(number * 37 % 1000) for number in range(MAX_TAILS + 5)]
        for tail in tails:
            state.note_sent(0, tail)
        assert state.tails(0) == tails[:4:-1]


def test_a_buried_packet_is_attached_again_a_few_times(tmp_path: Path) -> None:
    node = FloodedTangle()
    with Sensor(tmp_path, node.tangle()) as sensor:
        node._getInclusionStates = never  # type: ignore[method-assign]
        sensor.send({"x": 1})
        packet = sensor.state.packet(0)
        node.flood(packet.address)
        del node._getInclusionStates  # type: ignore[method-assign]
        sensor.feeder.finish()
        buried = "packet 0 is buried below what others wrote to its address; it is attached again"
        left = "packet 0 is confirmed, and still buried below what others wrote; the same command tries again"
        waited = "1 packets and 0 heads are not confirmed yet; they are waited for"
        assert waited in sensor.said
        assert [text for text in sensor.said if text != waited] == [buried] * unconfirmed.MAX_UNCOVERED + [left]
        assert sensor.clock.seconds >= 10 + 20 + 40 + 80 + 160
        assert len(sensor.state.tails(0)) == 1 + unconfirmed.MAX_UNCOVERED
    node.rubbish.clear()  # readers find it again
    with Sensor(tmp_path, node.tangle()) as sensor:
        sensor.feeder.finish()
        assert not sensor.said
        assert sensor.state.unconfirmed() == {}


def test_a_flood_hides_no_packet_from_a_restored_folder(tmp_path: Path) -> None:
    node = FloodedTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:3])
    shutil.copytree(tmp_path / "north", tmp_path / "copy")
    with Sensor(tmp_path / "copy", node.tangle()) as copy:
        with Sensor(tmp_path / "north", node.tangle()) as sensor:
            sensor.send(*READINGS[3:6])
            last = sensor.state.last()
            assert last is not None
        node.flood(last.address)
        refuse_to_sign(copy)


def test_a_restored_folder_is_noticed_where_its_next_packets_are_pruned(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:3])
    shutil.copytree(tmp_path / "north", tmp_path / "copy")
    with Sensor(tmp_path / "north", node.tangle(), head_every=100) as sensor:
        for reading in READINGS[3:]:
            before = set(node.ledger)
            sensor.send(reading)
    for digest in before:
        del node.ledger[digest]
    with pytest.raises(ClonedIdentityError, match="packet 1 or a later one is on the ledger, and 1 is the next one here"):
        stream(tmp_path / "copy", node.tangle(), READINGS[3:])


def test_a_part_of_a_packet_is_noticed_too(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:3])
    shutil.copytree(tmp_path / "north", tmp_path / "copy")
    before = set(node.ledger)
    with Sensor(tmp_path / "north", node.tangle()) as sensor:
        sensor.send(*READINGS[3:6])
    parts = [digest for digest in node.ledger if digest not in before and OPEN.tag not in node.ledger[digest]]
    for digest in parts[1:]:
        del node.ledger[digest]
    with pytest.raises(ClonedIdentityError), Sensor(tmp_path / "copy", node.tangle()):
        pass


def test_nothing_is_signed_over_a_node_that_is_behind(tmp_path: Path) -> None:
    node = MemoryTangle()
    with Sensor(tmp_path, node.tangle()) as sensor:
        node.faults.add(Fault.BEHIND)
        with pytest.raises(UnavailableError, match="is not synchronised"):
            sensor.send({"x": 1})
        assert sensor.state.last() is None


def test_a_message_that_only_the_channel_vouches_for_stops_nobody(tmp_path: Path) -> None:
    node = MemoryTangle()
    node._getInclusionStates = never  # type: ignore[method-assign]
    kernel = choose_kernel()
    with Sensor(tmp_path, node.tangle()) as sensor:
        sensor.send({"x": 1})
        known = sensor.state.stream
    forger = Signer(replace(known, private=bytes(32)), OPEN, kernel)
    forged = forger.sign(0, Batch(({"x": 666},)), 0)
    assert forger.reader(forged).parse(forged.payload).trytes, "the channel does not vouch for it"
    node.tangle().send([Posting(forged.address, forged.payload)])
    with Sensor(tmp_path, node.tangle()):
        pass
    again = Signer(known, OPEN, kernel).sign(0, Batch(({"x": 2},)), 0)
    node.tangle().send([Posting(again.address, again.payload)])
    with pytest.raises(ClonedIdentityError), Sensor(tmp_path, node.tangle()):
        pass


def test_a_copied_folder_is_noticed_before_it_signs(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:3])
    shutil.copytree(tmp_path / "north", tmp_path / "copy")
    with Sensor(tmp_path / "copy", node.tangle()) as copy:
        with Sensor(tmp_path / "north", node.tangle()) as sensor:
            sensor.send(*READINGS[3:6])
        refuse_to_sign(copy)


def test_an_old_copy_is_noticed_by_later_heads(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:3])
    shutil.copytree(tmp_path / "north", tmp_path / "copy")
    with Sensor(tmp_path / "north", node.tangle(), head_every=2) as sensor:
        for reading in READINGS[3:6]:
            sensor.clock.wait(60)
            sensor.send(reading)
    node.ledger = {digest: trytes for digest, trytes in node.ledger.items() if OPEN.tag in trytes}  # packets are pruned
    with pytest.raises(ClonedIdentityError, match=r"a head of this sensor tells of packet 3, and 1 is the next one here"):
        stream(tmp_path / "copy", node.tangle(), READINGS[3:])


def test_two_that_signed_at_once_both_notice(tmp_path: Path) -> None:
    node, apart = MemoryTangle(), MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:1])
    apart.ledger.update(node.ledger)
    shutil.copytree(tmp_path / "north", tmp_path / "copy")
    for name, side, number in (("north", node, 1), ("copy", apart, 2)):  # two nodes that do not hear of each other
        side._getInclusionStates = never  # type: ignore[method-assign]
        with Sensor(tmp_path / name, side.tangle(), head_every=100) as sensor:
            sensor.send({"x": number})
    node.ledger.update(apart.ledger)
    for name in ("north", "copy"):
        with pytest.raises(ClonedIdentityError), Sensor(tmp_path / name, MemoryTangle(ledger=node.ledger).tangle()):
            pass


def test_a_changed_copy_of_an_own_packet_is_no_clone(tmp_path: Path) -> None:
    node = MemoryTangle()
    node._getInclusionStates = never  # type: ignore[method-assign]
    with Sensor(tmp_path, node.tangle()) as sensor:
        sensor.send({"x": 1})
        kept = sensor.state.packet(0)
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
        "import sys; from pathlib import Path; from learnae_iota.mam.channel import Mode;"
        "from learnae_iota.sensors.kept import Terms; from learnae_iota.sensors.state import SensorState;"
        "state = SensorState.open(Path(sys.argv[1]), Terms('north', 'WEATHER 2026', '', Mode.PUBLIC, 1), lambda: 0);"
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
    SensorState.open(tmp_path / "sealed", terms(SEALED), clock.now_ms).close()
    with pytest.raises(StateError, match="was begun with another secret of the session"):
        SensorState.open(tmp_path / "sealed", terms(sensor_session("Weather 2026", b"another secret")), clock.now_ms)
    with pytest.raises(ConfigError, match="is no name of a sensor"):
        SensorState.open(tmp_path / "other", terms(sensor="../x"), clock.now_ms)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "sensor.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StateError, match="cannot be read or written"):
        SensorState.open(tmp_path / "damaged", terms(), clock.now_ms)


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "sensor.sqlite")) as database:
        database.execute("PRAGMA user_version = 1")
    with pytest.raises(
        StateError, match=r"another version of this program \(format 1\); end that stream with it, or begin a new"
    ):
        SensorState.open(tmp_path, terms(), Clock().now_ms)


def test_nothing_follows_an_end(tmp_path: Path) -> None:
    node = MemoryTangle()
    with Sensor(tmp_path, node.tangle()) as sensor:
        sensor.send({"x": 1}, end=True)
        with pytest.raises(StateError, match="this stream was ended"):
            sensor.send({"x": 2})
    packet = Follower(node.tangle(), OPEN, Admission(everybody=True)).read("north", "", 10)
    assert (packet.readings, packet.ended) == (({"x": 1},), True)
