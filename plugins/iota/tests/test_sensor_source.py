"""The sensor source passes its exam over a tangle in memory, and reads only what admitted sensors signed."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import Posting, prepare_bundle
from learnae_iota.bundles.transactions import NULL_HASH
from learnae_iota.mam.channel import Channel, Mode
from learnae_iota.mam.messages import create
from learnae_iota.sensors import discovery, reading
from learnae_iota.sensors.admission import Admission, SensorKey
from learnae_iota.sensors.following import Follower
from learnae_iota.sensors.gaps import GAP_S
from learnae_iota.sensors.heads import OTHERS, Head, write_head
from learnae_iota.sensors.places import Place
from learnae_iota.sensors.sessions import EPOCH_MS, SensorSession, sensor_session
from learnae_iota.sensors.source import IotaSensors, load_heads, save_heads
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetched, Fetches, Query
from learnae_iota.tangle.tangle import Tangle
from msgspec.structs import replace
from sensor_rig import OPEN, SEALED, Clock, MemoryTangle, Sensor, stream
from tangle_rig.memory import Fault

from learnae.errors import DamagedError, NotFoundError, UnavailableError
from learnae.interfaces.sensors import Packet, Reading, SensorSource
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


def stream_slowly(node: MemoryTangle, folder: Path, readings: Sequence[Reading | None]) -> list[set[str]]:
    """Stream packets of two readings, a minute apart; return what was on the ledger after each."""
    kept = []
    with Sensor(folder, node.tangle()) as sensor:
        for start in range(0, len(readings), 2):
            sensor.clock.wait(60)
            sensor.send(*readings[start : start + 2])
            kept.append(set(node.ledger))
    return kept


def mid_epoch_ms() -> int:
    """The time, but for some minutes: no hour ends while a test runs."""
    return int(time.time() * 1000) // EPOCH_MS * EPOCH_MS + EPOCH_MS // 2


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
    kept = stream_slowly(node, tmp_path / "north", more)
    said: list[str] = []
    clock = Clock()
    early = Follower(node.tangle(), OPEN, Admission(everybody=True), now_s=clock.now_s)
    behind = early.read("north", "", 3)
    for digest in kept[4]:  # packets 0 to 4, and the heads before them
        node.ledger.pop(digest)
    late = Follower(node.tangle(), OPEN, Admission(everybody=True), tell=said.append, now_s=clock.now_s)
    assert late.read("north", "", 100).readings == ()
    assert late.heads[0].index == 9
    clock.wait(GAP_S - 1)
    assert late.read("north", "", 100).readings == ()
    assert ["packet 0 was confirmed, its head says, and no node shows a valid one" in text for text in said] == [True]
    clock.wait(1)
    assert read_all(late) == more[12:]
    assert ["packets 0 to 5 are on the ledger no more" in text for text in said] == [False, True]
    rest = early.read("north", behind.position, 100)  # it has the rest of packet 1
    assert (list(rest.readings), rest.first) == ([more[3]], 3)
    assert early.read("north", rest.position, 100).readings == ()
    clock.wait(GAP_S)
    after = early.read("north", rest.position, 100)
    assert (list(after.readings), after.first) == (more[12:], 12)


@pytest.mark.parametrize("fault", ["behind", "away", "full"])
def test_what_a_node_cannot_know_is_not_taken_for_pruned(fault: str, tmp_path: Path) -> None:
    """A node that catches up has the newest packets and not yet those before them; a full answer shows none of what is there."""
    node = MemoryTangle(limit=1000 if fault != "full" else 40)
    kept = stream_slowly(node, tmp_path / "north", READINGS * 3)
    hidden = {digest: node.ledger.pop(digest) for digest in kept[4]}
    clock = Clock()
    follower = Follower(node.tangle(), OPEN, Admission(everybody=True), now_s=clock.now_s)
    follower.discover()
    if fault == "behind":
        node.faults.add(Fault.BEHIND)
    elif fault == "full":
        [root] = {head.first_root for head in follower.heads}
        junk = attach_bundle(prepare_bundle([Posting(root, "JUNK" * 80_000)], 1), Tips(NULL_HASH, NULL_HASH), 0)
        node.ledger.update(zip(junk.hashes[:140], junk.trytes[:140], strict=True))
    for _ in range(20):
        if fault == "away":
            node.faults ^= {Fault.BEHIND}
        assert follower.read("north", "", 100).readings == ()
        clock.wait(GAP_S / 2)
    node.ledger = {**hidden, **node.ledger}
    node.limit, node.faults = 1000, set()
    assert read_all(follower) == READINGS * 3


def test_a_head_of_a_mode_that_a_session_has_not_is_passed_over(tmp_path: Path) -> None:
    """A stranger signs one for a session without a secret: there is no side key to read it with."""
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS)
    stranger = SensorKey(b"s" * 32)
    head = Head(
        sensor="bad", created_ms=1, key=stranger.public, mode=Mode.RESTRICTED, security=1, first_root="A" * 81, root="A" * 81,
        index=0, readings=0,
    )  # fmt: skip
    node.tangle().send([write_head(head, stranger, OPEN)])
    follower = Follower(node.tangle(), OPEN, Admission(everybody=True), known=[head])
    assert [found.sensor for found in follower.discover()] == ["north"]
    assert follower.counts.heads == 1
    with pytest.raises(NotFoundError):
        follower.read("bad", "", 10)


def test_a_position_of_another_stream_is_refused(tmp_path: Path) -> None:
    """The sensor began anew under its name, with another folder."""
    node = MemoryTangle()
    old = stream(tmp_path / "old", node.tangle(), READINGS)
    new = stream(tmp_path / "new", node.tangle(), READINGS)
    position = Follower(node.tangle(), OPEN, Admission([old])).read("north", "", 4).position
    with pytest.raises(DamagedError, match=f"no position in the stream of sensor north with the key {new[:16]}"):
        Follower(node.tangle(), OPEN, Admission([new])).read("north", position, 4)


def test_what_a_sensor_miscounts_is_divided_there(tmp_path: Path) -> None:
    """However a stream is divided, its readings have the same numbers."""
    node, numbers = MemoryTangle(), [0, 1, 9]
    with Sensor(tmp_path / "north", node.tangle()) as sensor:
        sign = sensor.feeder._signer.sign
        sensor.feeder._signer.sign = lambda number, batch, _: sign(number, batch, numbers[number])  # type: ignore[method-assign]
        for start in (0, 2, 4):
            sensor.send(*READINGS[start : start + 2])
    follower, position = Follower(node.tangle(), OPEN, Admission(everybody=True)), ""
    for start, number in zip((0, 2, 4), numbers, strict=True):
        packet = follower.read("north", position, 100)
        assert (list(packet.readings), packet.first) == (READINGS[start : start + 2], number)
        position = packet.position


def test_a_new_stream_under_a_name_that_another_one_had_is_said(tmp_path: Path) -> None:
    node, said = MemoryTangle(), list[str]()
    keys = [stream(tmp_path / name, node.tangle(), READINGS[:2]) for name in ("old", "new")]
    (tmp_path / "keys").write_text(keys[0])
    follower = Follower(node.tangle(), OPEN, Admission(file=tmp_path / "keys"), tell=said.append)
    assert [head.key for head in follower.discover()] == keys[:1]
    (tmp_path / "keys").write_text(keys[1] + "\n")
    assert [head.key for head in follower.discover()] == keys[1:]
    assert ["began another stream under this name" in text for text in said].count(True) == 1


def test_heads_move_to_other_addresses_as_time_passes(tmp_path: Path) -> None:
    node = MemoryTangle()
    now_ms = mid_epoch_ms()
    node.time_ms = now_ms
    with Sensor(tmp_path / "north", node.tangle()) as sensor:
        sensor.send(*READINGS[:2])
        for hours in (5, 10):
            node.time_ms = now_ms + hours * EPOCH_MS
            sensor.feeder._tangle = node.tangle()  # which asks the node anew
            sensor.clock.wait(5 * 3600)
            sensor.feeder.settle()  # nothing to send: its head is repeated all the same
            sensor.send(*READINGS[2:4])
        sensor.feeder.finish()
    places = [trytes[2187:2268] for trytes in node.ledger.values() if trytes[2592:2619] == OPEN.tag]
    epochs = [(now_ms + hours * EPOCH_MS) // EPOCH_MS for hours in (5, 10)]
    last = epochs[-1:]  # once more when there is nothing left to send
    assert sorted(places) == sorted([OPEN.address, *map(OPEN.epoch_address, epochs + last)])
    follower = Follower(node.tangle(), OPEN, Admission(everybody=True))
    assert [(head.sensor, head.index) for head in follower.discover()] == [("north", 3)]
    for digest in [each for each, trytes in node.ledger.items() if trytes[2187:2268] == OPEN.address]:
        del node.ledger[digest]
    assert [head.index for head in Follower(node.tangle(), OPEN, Admission(everybody=True)).discover()] == [3]


def test_heads_are_a_minute_apart_and_the_last_one_is_where_all_look(tmp_path: Path) -> None:
    node = MemoryTangle()
    with Sensor(tmp_path / "north", node.tangle()) as sensor:
        for reading in READINGS:
            sensor.send(reading)
        sensor.clock.wait(60)
        sensor.send(READINGS[0])
        sensor.send(end=True)
        sensor.feeder.finish()
    places = [trytes[2187:2268] for trytes in node.ledger.values() if trytes[2592:2619] == OPEN.tag]
    assert (len(places), places.count(OPEN.address)) == (3, 2)
    with Sensor(tmp_path / "north", node.tangle()):  # its first head is there: it need not be where all look
        pass
    places = [trytes[2187:2268] for trytes in node.ledger.values() if trytes[2592:2619] == OPEN.tag]
    assert (len(places), places.count(OPEN.address)) == (4, 2)


def test_a_gap_of_hours_is_crossed_with_the_heads_of_long_ago(tmp_path: Path) -> None:
    """The reader was away: what is left of the stream begins hours before now, at a head that lies where heads lay then."""
    node = MemoryTangle()
    now_ms = mid_epoch_ms()
    snapshots: list[set[str]] = []
    with Sensor(tmp_path / "north", node.tangle()) as sensor:
        for hours in range(0, 60, 2):
            node.time_ms = now_ms + hours * EPOCH_MS
            sensor.feeder._tangle = node.tangle()
            sensor.clock.wait(2 * 3600)
            sensor.send({"hours": hours})
            snapshots.append(set(node.ledger))
        sensor.feeder.finish()
    for digest in snapshots[9]:
        del node.ledger[digest]
    clock = Clock()
    head = replace(Follower(node.tangle(), OPEN, Admission(everybody=True)).discover()[0], created_ms=now_ms)
    follower = Follower(node.tangle(), OPEN, Admission(everybody=True), known=[head], now_s=clock.now_s)
    assert follower.read("north", "", 100).readings == ()
    clock.wait(GAP_S)
    packets = [follower.read("north", "", 100) for _ in range(4)]
    found = next(packet for packet in packets if packet.readings)
    assert (found.readings[0], found.first) == ({"hours": 20}, 10)


def test_what_is_only_late_is_waited_for(tmp_path: Path) -> None:
    """A packet that the sensor did not see confirmed may come yet: nothing is left out."""
    node = MemoryTangle()
    node._getInclusionStates = lambda arguments: {"states": [False] * len(arguments["transactions"])}  # type: ignore[method-assign]
    before: set[str] = set()
    with Sensor(tmp_path / "north", node.tangle()) as sensor:
        sensor.send(*READINGS[:1])
        before = set(node.ledger)
        sensor.clock.wait(60)  # after which a head is due again
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


@pytest.mark.parametrize(
    "position",
    [
        "x",
        "1:{}:0:0:" + "A" * 81,
        "1:{}:-1:0:" + "9" * 81,
        "1:{}:1:0:short",
        "2:{}:1:0:" + "9" * 81,
        f"1:{'0' * 16}:1:0:{'9' * 81}",
    ],
)
def test_positions_that_are_none_are_refused(position: str, tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS)
    follower = Follower(node.tangle(), OPEN, Admission(everybody=True))
    stream_name = follower.read("north", "", 1).position.split(":")[1]
    with pytest.raises(DamagedError):
        follower.read("north", position.replace("{}", stream_name), 1)


def test_a_place_fits_into_a_position() -> None:
    assert len(str(Place("a" * 16, 10**14, 10**5, "9" * 81))) <= 1000


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


class Watched:
    """A tangle that tells of each query before it answers."""

    def __init__(self, tangle: Tangle, before: Callable[[Query], None]) -> None:
        self._tangle, self._before = tangle, before

    def fetch(
        self, query: Query, *, known: Collection[str] = frozenset(), max_bundle: int = 1000, stop: Stop | None = None
    ) -> Fetched:
        self._before(query)
        return self._tangle.fetch(query, known=known, max_bundle=max_bundle, stop=stop)

    def now_ms(self, *, stop: Stop | None = None) -> int:
        return self._tangle.now_ms(stop=stop)


def source_of(tangle: Fetches, clock: Clock, said: list[str] | None = None) -> IotaSensors:
    tell = (lambda _: None) if said is None else said.append
    return IotaSensors(Follower(tangle, OPEN, Admission(everybody=True), now_s=clock.now_s), tell=tell, now_s=clock.now_s)


def test_an_idle_stream_is_looked_at_less_and_less(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS[:3])
    clock, asked = Clock(), list[float]()
    source = source_of(Watched(node.tangle(), lambda query: None if query.tags else asked.append(clock.seconds)), clock)

    async def run() -> None:
        (north,) = await source.sensors()
        packet = await source.read(north, "", max_readings=10)
        asked.clear()
        for _ in range(60):
            assert await source.read(north, packet.position, max_readings=10) == Packet((), packet.position)
            clock.wait(1)
        assert asked[:6] == [0, 1, 2, 3, 4, 6]
        assert {after - before for before, after in pairwise(asked[-3:])} == {10}
        with Sensor(tmp_path / "north", node.tangle()) as sensor:
            sensor.send(*READINGS[3:])
        clock.wait(10)
        rest = await source.read(north, packet.position, max_readings=10)
        assert list(rest.readings) == READINGS[3:]
        asked.clear()
        for _ in range(5):
            await source.read(north, rest.position, max_readings=10)
        assert len(asked) == 5
        await source.aclose()

    asyncio.run(run())


def test_known_streams_are_read_while_nothing_can_be_discovered(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS)
    clock, said, broken = Clock(), list[str](), list[Query]()

    def refuse(query: Query) -> None:
        if query.tags and clock.seconds:
            broken.append(query)
            raise UnavailableError("too many requests")

    source = source_of(Watched(node.tangle(), refuse), clock, said)

    async def run() -> None:
        assert await source.sensors() == ["north"]
        for _ in range(3):
            clock.wait(60)
            assert await source.sensors() == ["north"]
            assert len((await source.read(SensorId("north"), "", max_readings=10)).readings) == 7
            while len(broken) == 0 or not said:
                await asyncio.sleep(0)
        await source.aclose()

    asyncio.run(run())
    assert broken
    assert said == ["cannot look for more sensors now: too many requests"]


def test_a_slow_stream_holds_no_other_up(tmp_path: Path) -> None:
    node = MemoryTangle()
    for name in ("north", "south"):
        stream(tmp_path / name, node.tangle(), READINGS, sensor=name)
    follower = Follower(node.tangle(), OPEN, Admission(everybody=True))
    (root,) = (head.first_root for head in follower.discover() if head.sensor == "north")
    go_on = threading.Event()
    source = source_of(Watched(node.tangle(), lambda query: query.addresses != (root,) or go_on.wait(30)), Clock())  # type: ignore[arg-type, return-value]

    async def run() -> None:
        north, south = await source.sensors()
        slow = asyncio.create_task(source.read(north, "", max_readings=10))
        assert len((await source.read(south, "", max_readings=10)).readings) == 7
        assert not slow.done()
        go_on.set()
        assert len((await slow).readings) == 7
        await source.aclose()

    asyncio.run(run())


def test_a_slow_read_hands_over_what_it_has(tmp_path: Path) -> None:
    node = MemoryTangle()
    stream(tmp_path / "north", node.tangle(), READINGS, size=1)
    clock = Clock()
    follower = Follower(Watched(node.tangle(), lambda _: clock.wait(2)), OPEN, Admission(everybody=True), now_s=clock.now_s)
    first = follower.read("north", "", 100)
    assert list(first.readings) == READINGS[:3]
    assert list(follower.read("north", first.position, 100).readings) == READINGS[3:6]


def test_much_that_is_passed_over_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (discovery, reading):
        monkeypatch.setattr(module, "NOTABLE", 3)
    node = MemoryTangle()
    tangle = node.tangle()
    stream(tmp_path / "north", tangle, READINGS)
    said: list[str] = []
    follower = Follower(tangle, OPEN, Admission(everybody=True), tell=said.append)
    end = follower.read("north", "", 100).position
    for number in range(6):
        tangle.send([Posting(end.rpartition(":")[2], "JUNK" * (number + 1))])
        tangle.send([Posting(OPEN.address, "JUNK" * (number + 1), OPEN.tag)])
    for _ in range(3):
        follower.discover()
        follower.read("north", end, 100)
    assert said == [
        "3 messages under this session's tag are no heads of its sensors; they are passed over",
        "sensor north: 3 messages at the addresses of its packets are not its own; they are passed over",
    ]
