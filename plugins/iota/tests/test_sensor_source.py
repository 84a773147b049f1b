"""The sensor source passes its exam over a tangle in memory, and reads only what admitted sensors signed."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import Posting, prepare_bundle
from learnae_iota.bundles.transactions import NULL_HASH
from learnae_iota.mam.channel import Channel, Mode
from learnae_iota.mam.messages import create
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.following import Follower, Place
from learnae_iota.sensors.heads import OTHERS
from learnae_iota.sensors.sessions import SensorSession, sensor_session
from learnae_iota.sensors.source import IotaSensors, load_heads, save_heads
from sensor_rig import OPEN, SEALED, MemoryTangle, Sensor, stream

from learnae.errors import DamagedError, NotFoundError
from learnae.interfaces.sensors import Reading, SensorSource
from learnae.testing.sensors import SensorSourceExam
from learnae.values.ids import SensorId

READINGS: list[Reading | None] = [{"x": index, "label": f"é{index}"} for index in range(7)]


class _Exam(SensorSourceExam):
    replaceable = False
    session: SensorSession

    @pytest.fixture(autouse=True)
    def ledger(self) -> None:
        self.node = MemoryTangle()

    def connect(self, folder: Path) -> SensorSource:
        return IotaSensors(Follower(self.node.tangle(), self.session, Admission(everybody=True)), known=folder / "sensors.json")

    def append(self, folder: Path, sensor: str, readings: Sequence[Reading | None]) -> None:
        stream(folder / sensor, self.node.tangle(), readings, size=50, session=self.session, sensor=sensor)

    def end(self, folder: Path, sensor: str) -> None:
        with Sensor(folder / sensor, self.node.tangle(), self.session, sensor=sensor) as writer:
            writer.send(end=True)

    def append_half(self, folder: Path, sensor: str) -> Callable[[], None]:
        """Let half of a bundle's transactions arrive."""
        before = set(self.node.ledger)
        self.append(folder, sensor, [{"half": 1}])
        late = {digest: self.node.ledger.pop(digest) for digest in sorted(set(self.node.ledger) - before)[::2]}
        return lambda: self.node.ledger.update(late)

    def replace(self, folder: Path, sensor: str) -> None:
        raise AssertionError

    def test_a_replaced_stream_is_noticed(self, tmp_path: Path) -> None:
        """Nobody can cut or replace a stream on a ledger: who begins another one of that name is passed over."""

        async def exam() -> None:
            source = self.connect(tmp_path)
            packet = await source.read(SensorId("north"), "", max_readings=2)
            stream(tmp_path / "another", self.node.tangle(), [{"x": 666}], session=self.session)
            await source.sensors()
            rest = await source.read(SensorId("north"), packet.position, max_readings=10)
            assert [*packet.readings, *rest.readings] == READINGS
            await source.aclose()

        self.append(tmp_path, "north", READINGS)
        asyncio.run(exam())


class TestPublicStreams(_Exam):
    session = OPEN


class TestSealedStreams(_Exam):
    session = SEALED


def read_all(follower: Follower, sensor: str = "north", size: int = 1000) -> list[Reading | None]:
    readings: list[Reading | None] = []
    position = ""
    while (packet := follower.read(sensor, position, size)).readings:
        readings += packet.readings
        position = packet.position
    return readings


@pytest.mark.parametrize(
    ("session", "mode"),
    [
        pytest.param(OPEN, Mode.PUBLIC, id="public"),
        pytest.param(SEALED, Mode.PUBLIC, id="sealed-public"),
        pytest.param(SEALED, Mode.PRIVATE, id="sealed-private"),
        pytest.param(SEALED, Mode.RESTRICTED, id="sealed-restricted"),
    ],
)
def test_all_kinds_of_streams_are_read(session: SensorSession, mode: Mode, tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS, session=session, mode=mode)
    stream(tmp_path / "south", node.tangle(), READINGS[:2], session=session, mode=mode, sensor="south")
    follower = Follower(node.tangle(), session, Admission(everybody=True))
    assert [head.sensor for head in follower.discover()] == ["north", "south"]
    assert read_all(follower, "north") == READINGS
    assert read_all(follower, "south", 1) == READINGS[:2]


def test_only_admitted_keys_are_read(tmp_path: Path) -> None:
    node = MemoryTangle()
    key = stream(tmp_path / "north", node.tangle(), READINGS)
    stream(tmp_path / "south", node.tangle(), READINGS, sensor="south")
    follower = Follower(node.tangle(), OPEN, Admission([key]))
    assert [head.sensor for head in follower.discover()] == ["north"]
    assert [head.sensor for head in follower.strangers] == ["south"]
    assert follower.counts.strangers
    with pytest.raises(NotFoundError, match="no admitted sensor named 'south'"):
        follower.read("south", "", 10)


def test_a_key_is_admitted_while_the_source_runs(tmp_path: Path) -> None:
    node = MemoryTangle()
    key = stream(tmp_path / "north", node.tangle(), READINGS)
    follower = Follower(node.tangle(), OPEN, Admission(file=tmp_path / "keys"))
    assert follower.discover() == []
    (tmp_path / "keys").write_text(f"# ours\n{key}  # north\n")
    assert [head.sensor for head in follower.discover()] == ["north"]


def test_a_stranger_cannot_take_a_name(tmp_path: Path) -> None:
    node = MemoryTangle()
    key = stream(tmp_path / "north", node.tangle(), READINGS)
    stream(tmp_path / "rival", node.tangle(), [{"x": 666}])
    for admission in (Admission([key]), Admission([key, "aa" * 32])):
        assert read_all(Follower(node.tangle(), OPEN, admission)) == READINGS


def test_who_lacks_the_secret_feeds_nobody_and_sees_nothing(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS, session=SEALED)
    other = sensor_session("Weather 2026", b"another secret than that one....")
    for session in (OPEN, other):
        assert Follower(node.tangle(), session, Admission(everybody=True)).discover() == []
    stream(tmp_path / "other", node.tangle(), READINGS, session=other, sensor="other")
    follower = Follower(node.tangle(), SEALED, Admission(holders=True))
    assert [head.sensor for head in follower.discover()] == ["north"]
    assert all(b"north".hex() not in trytes for trytes in node.ledger.values())


def test_forged_messages_at_the_next_address_are_passed_over(tmp_path: Path) -> None:
    node = MemoryTangle()
    tangle = node.tangle()
    stream(tmp_path / "north", tangle, READINGS[:3])
    follower = Follower(tangle, OPEN, Admission(everybody=True))
    packet = follower.read("north", "", 100)
    root = packet.position.rpartition(":")[2]  # known to everybody in a public channel
    forged = create(Channel("FORGER".ljust(81, "9"), security=1), "A" * 100)
    for payload in (forged.payload, "", "9" * 3000, "JUNK" * 1000):
        tangle.send([Posting(root, payload)])
    before = follower.counts.messages
    assert follower.read("north", packet.position, 100).readings == ()
    assert follower.counts.messages > before
    passed = follower.counts.messages
    assert follower.read("north", packet.position, 100).readings == ()
    assert follower.counts.messages == passed, "what was passed over was fetched again"
    with Sensor(tmp_path / "north", tangle) as sensor:
        sensor.send(*READINGS[3:])
    assert read_all(follower) == READINGS


def test_a_packet_is_found_below_a_flood(tmp_path: Path) -> None:
    """A forger who knows the next address fills it before the sensor gets there, with pieces that look like parts of bundles."""
    node = MemoryTangle(limit=100)
    tangle = node.tangle()
    stream(tmp_path / "north", tangle, READINGS[:3])
    follower = Follower(tangle, OPEN, Admission(everybody=True))
    packet = follower.read("north", "", 100)
    root = packet.position.rpartition(":")[2]
    for second in range(150):
        bundle = attach_bundle(prepare_bundle([Posting(root, "JUNK" * 1000)], second), Tips(NULL_HASH, NULL_HASH), 0)
        node.ledger[bundle.hashes[second % 2]] = bundle.trytes[second % 2]
    assert follower.read("north", packet.position, 100).readings == ()
    with Sensor(tmp_path / "north", tangle) as sensor:
        sensor.send(*READINGS[3:])
        sensor.feeder.finish()
    assert list(follower.read("north", packet.position, 100).readings) == READINGS[3:]
    assert read_all(Follower(node.tangle(), OPEN, Admission(everybody=True))) == READINGS


def test_a_pruned_stream_is_read_from_a_later_head_on(tmp_path: Path) -> None:
    node = MemoryTangle()
    more = READINGS * 3  # 21 readings, 11 packets; heads at packets 0, 3, 6, 9
    kept: list[set[str]] = []
    with Sensor(tmp_path / "north", node.tangle()) as sensor:
        for start in range(0, len(more), 2):
            sensor.send(*more[start : start + 2])
            kept.append(set(node.ledger))
    said: list[str] = []
    early = Follower(node.tangle(), OPEN, Admission(everybody=True))
    behind = early.read("north", "", 3)
    for digest in kept[4]:  # packets 0 to 4, and the heads before them
        node.ledger.pop(digest)
    late = Follower(node.tangle(), OPEN, Admission(everybody=True), tell=said.append)
    assert read_all(late) == more[12:]
    assert ["packets 0 to 5 are on the ledger no more" in text for text in said] == [True]
    assert late.read("north", "", 100).first == 12
    rest = early.read("north", behind.position, 100)  # it has the rest of packet 1
    assert (list(rest.readings), rest.first) == ([more[3]], 3)
    after = early.read("north", rest.position, 100)
    assert (list(after.readings), after.first) == (more[12:], 12)


def test_what_is_only_late_is_waited_for(tmp_path: Path) -> None:
    """A packet that the sensor did not see confirmed may come yet: nothing is left out."""
    node = MemoryTangle()
    node._getInclusionStates = lambda arguments: {"states": [False] * len(arguments["transactions"])}  # type: ignore[method-assign]
    before: set[str] = set()
    with Sensor(tmp_path / "north", node.tangle()) as sensor:
        sensor.send(*READINGS[:1])
        before = set(node.ledger)
        for reading in READINGS[1:]:
            sensor.send(reading)
    hidden = {digest: node.ledger.pop(digest) for digest in before}
    follower = Follower(node.tangle(), OPEN, Admission(everybody=True))
    assert follower.read("north", "", 100).readings == ()
    node.ledger.update(hidden)
    assert read_all(follower) == READINGS


def test_a_wrong_secret_is_noticed(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS, session=SEALED)
    other = sensor_session("Weather 2026", b"another secret than that one....")
    said: list[str] = []
    Follower(node.tangle(), other, Admission(everybody=True), tell=said.append).discover()
    assert said == [OTHERS]
    with Sensor(tmp_path / "wrong", node.tangle(), other) as sensor:
        assert sensor.said == [OTHERS]
    with Sensor(tmp_path / "right", node.tangle(), SEALED, sensor="right") as sensor:
        assert sensor.said == []


def test_junk_under_the_tag_is_counted_and_passed_over(tmp_path: Path) -> None:
    node = MemoryTangle()
    tangle = node.tangle()
    for trytes in ("", "ABC", "PBPBPBPB" * 200, "A" * 8000):
        tangle.send([Posting(OPEN.address, trytes, OPEN.tag)])
    stream(tmp_path / "north", tangle, READINGS)
    follower = Follower(tangle, OPEN, Admission(everybody=True))
    assert [head.sensor for head in follower.discover()] == ["north"]
    assert follower.counts.heads == 4


@pytest.mark.parametrize("position", ["x", "1:0:0:" + "A" * 81, "1:-1:0:" + "9" * 81, "1:1:0:short", "2:1:0:" + "9" * 81])
def test_positions_that_are_none_are_refused(position: str, tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS)
    with pytest.raises(DamagedError):
        Follower(node.tangle(), OPEN, Admission(everybody=True)).read("north", position, 1)


def test_a_place_fits_into_a_position() -> None:
    assert len(str(Place(10**14, 10**5, "9" * 81))) <= 1000


def test_heads_outlive_a_restart_and_damage(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS)
    file = tmp_path / "sensors.json"

    async def run(known: Path) -> list[str]:
        source = IotaSensors(Follower(node.tangle(), OPEN, Admission(everybody=True), known=load_heads(known)), known=known)
        found = list(await source.sensors())
        await source.aclose()
        return [str(name) for name in found]

    assert asyncio.run(run(file)) == ["north"]
    buried = Follower(MemoryTangle(ledger=node.ledger).tangle(), OPEN, Admission(everybody=True), known=load_heads(file))
    assert [head.sensor for head in buried.heads] == ["north"]
    file.write_bytes(b"[{")
    assert load_heads(file) == []
    save_heads(tmp_path / "no" / "such", [])  # it is only a shortcut
