"""A sensor streams to a training peer over HORNET; it is killed twice on the way, and the API node once: every reading once.

    HORNET_BINARY=$(.ci/hornet) python benchmarks/tangle_kills.py --data all_test.csv.gz --packets 100

Beside HORNET (a coordinator, and an API node apart from it) there are ``learnae sensor stream`` and a full peer that admits the
sensor and has a few rows of its own. The sensor dies by ``kill -9`` after a third of its packets, with one signed and not sent,
and after two thirds, with one of which a part is on the ledger; each time it is started again with the same command. The API node
dies by ``kill -9`` after half of them, stays away for ``--away-s`` seconds, and is started again.

What is counted, or the status is 1: the readings that the peer's journal says were received; the dataslices in its folder, row by
row against the rows that were sent; its passes over each of them; and what ``learnae sensor read`` finds on the ledger. Packets
that the killed node lost are attached again after 150 s. Without ``--data`` the rows are synthetic.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
from hepmass import HIDDEN, PASSES, SLICE_SIZE, TRAINING
from learnae_iota.nodes.client import PlainClient
from learnae_iota.nodes.node import Node
from sessions import Member, RunningSession, Table, make_manifest
from tangle_sessions import Tangle, sensor_settings
from tangle_stream import (
    INSTANCES,
    SECURITY,
    SESSION,
    WEIGHT,
    PrivateTangle,
    find_hornet,
    packet_addresses,
    read_back,
    read_rows,
    write_readings,
)

from learnae.codec.digests import plain_digest
from learnae.codec.slices import decode_slice, encode_slice
from learnae.data.assignment import is_validation
from learnae.data.slicing import cut
from learnae.demo.children import peer_environment
from learnae.performing.store import SensorState
from learnae.report.reading import read_journal
from learnae.values.choices import Averaging, Judge
from learnae.values.ids import Digest
from learnae.values.journal import AnyFact, ReadingsReceived, SlicesQueued, SliceUsed
from learnae.values.manifest import Manifest

SENSOR = "attic"
PEER = "peer"
SIGNED = "SELECT COALESCE(MAX(number) + 1, 0) FROM packets"
WAITING = "SELECT COUNT(*) FROM packets WHERE payload IS NOT NULL"
"""How many packets the sensor did not see confirmed: it forgets those that it did."""

UNSENT = "SELECT address FROM packets WHERE payload IS NOT NULL AND number NOT IN (SELECT number FROM tails) ORDER BY number"
"""Where packets lie that are signed and durable, and not known to be sent."""

POLL_S = 0.02


class FedSession(RunningSession):
    """A session over a folder, fed by sensors over a tangle."""

    def __init__(self, folder: Path, manifest: Manifest, url: str, keys: Path) -> None:
        super().__init__(folder, manifest)
        self.url, self.keys = url, keys

    def network(self, name: str, ledger: str) -> dict[str, object]:
        """Return the settings by which a peer finds others, and sensors."""
        return super().network(name, ledger) | sensor_settings(Tangle(self.url, WEIGHT), self.keys)

    def facts(self) -> list[AnyFact]:
        """Return what the peer's journal says."""
        path = self.folder / PEER / "events.jsonl"
        return [line.fact for line in read_journal(path).lines] if path.exists() else []

    def sensor(self) -> SensorState:
        """Return how far the peer has read the sensor's stream, as its state says."""
        path = self.folder / PEER / "peer.sqlite"
        if not path.exists():
            return SensorState()
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            if database.execute("PRAGMA user_version").fetchone() == (0,):
                return SensorState()  # it was just made
            found = database.execute("SELECT value FROM sensor WHERE id = ?", (f"iota/{SENSOR}",)).fetchone()
        return msgspec.msgpack.decode(found[0], type=SensorState) if found else SensorState()

    def readings(self) -> tuple[int, int]:
        """Return how many readings the journal says were accepted, and rejected."""
        facts = [fact for fact in self.facts() if isinstance(fact, ReadingsReceived)]
        return sum(fact.accepted for fact in facts), sum(fact.rejected for fact in facts)


class KilledSensor:
    """The sensor: the same command every time."""

    def __init__(self, folder: Path, url: str) -> None:
        self.state = folder / "sensor"
        self.log = folder / "sensor.log"
        self.key = folder / "sensor.key"
        self.kills = 0
        self._command = [
            sys.executable, "-m", "learnae", "sensor", "stream", str(folder / "readings.csv"), "--session", SESSION,
            "--sensor", SENSOR, "--node", url, "--state", str(self.state), "--security", str(SECURITY), "--mwm", str(WEIGHT),
            "--instances-per-packet", str(INSTANCES), "--end",
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        with self.log.open("ab") as log, self.key.open("wb") as key:
            environment = peer_environment(os.environ)
            self.process = subprocess.Popen(self._command, stdout=key, stderr=log, env=environment)

    def kill(self) -> str:
        """``kill -9``; return what it was at."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.kills += 1
        return f"{self.count()} packets signed, {len(self.unsent())} of them not known to be sent, {self.confirmed()} confirmed"

    def confirmed(self) -> int:
        """Count the packets that it saw confirmed."""
        waiting = self.count(WAITING)
        return self.count() - waiting  # what is signed meanwhile counts as confirmed for a moment

    def count(self, query: str = SIGNED) -> int:
        """Count packets in its state; all that it signed, or others."""
        path = self.state / "sensor.sqlite"
        if not path.exists():
            return 0
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)) as database:
            if database.execute("PRAGMA user_version").fetchone() == (0,):
                return 0  # it was just made
            return int(database.execute(query).fetchone()[0])

    def unsent(self) -> list[str]:
        """Return where packets lie that are not known to be sent."""
        with closing(sqlite3.connect(self.state / "sensor.sqlite", timeout=10.0)) as database:
            return [address for (address,) in database.execute(UNSENT)]

    def stop(self) -> None:
        """End it if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Story:
    """Prints what happens, with the seconds since the beginning, and waits."""

    def __init__(self, patience_s: float) -> None:
        self._began_s, self._patience_s = time.monotonic(), patience_s

    def tell(self, what: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._began_s:6.1f} s  {what}", flush=True)

    def wait(
        self,
        condition: Callable[[], bool],
        what: str,
        *,
        sensor: KilledSensor,
        session: FedSession | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        """Wait for a condition.

        Raises:
            RuntimeError: The sensor or the peer failed meanwhile, or it takes too long.
        """
        began_s = time.monotonic()
        while not condition():
            if sensor.process is not None and sensor.process.poll() not in (None, 0):
                raise RuntimeError(f"{what}: the sensor failed: {sensor.log.read_text()[-2000:]}")
            if session is not None and session.processes[PEER].poll() is not None:
                raise RuntimeError(f"{what}: the peer ended: {(session.folder / f'{PEER}.log').read_text()[-2000:]}")
            if time.monotonic() > began_s + self._patience_s:
                raise RuntimeError(f"not within {self._patience_s:g} s: {what}")
            time.sleep(poll_s)


def admit(sensor: KilledSensor, keys: Path) -> None:
    """Admit the sensor, as its operator's friend would."""
    key = sensor.key.read_text().strip()
    command = [sys.executable, "-m", "learnae", "sensor", "admit", key, "--file", str(keys)]
    subprocess.run(command, check=True, capture_output=True, env=peer_environment(os.environ))


def expected_slices(sent: Table) -> list[Digest]:
    """Return the digests of the dataslices that every peer cuts of this stream, in order."""
    return [plain_digest(encode_slice(np.ascontiguousarray(piece))) for piece in cut(sent, SLICE_SIZE)]


def count_everything(
    session: FedSession, sensor: KilledSensor, sent: Table, own: Table, found: tuple[list[int], Table]
) -> list[str]:
    """Compare what was sent with what is on the ledger and what the peer has; return what is wrong, a sentence each."""
    wrong = []

    def check(what: str, seen: object, wanted: object) -> None:
        print(f"  {what:64} {seen!s:>8} of {wanted}")
        if seen != wanted:
            wrong.append(f"{what}: {seen} where {wanted} is right")

    accepted, rejected = session.readings()
    state, facts = session.sensor(), session.facts()
    digests = expected_slices(sent)
    check("packets that the sensor saw confirmed", sensor.confirmed() - 1, len(sent) // INSTANCES)  # without the end
    check("readings on the ledger, in order, by sensor read", sum(map(int.__eq__, found[0], range(len(sent)))), len(sent))
    check("  and no more", len(found[0]), len(sent))
    check("  the same row by row", int(np.array_equal(found[1], sent)), 1)
    check("readings accepted, by the peer's journal", accepted, len(sent))
    check("readings rejected", rejected, 0)
    check("readings that wait in the peer's buffer", len(state.buffer), 0)
    slices = session.folder / PEER / "slices"
    there = [slices / digest for digest in digests if (slices / digest).exists()]
    rows = [decode_slice(path.read_bytes(), session.manifest) for path in there]
    check("dataslices of the stream in the peer's folder", len(there), len(digests))
    got = Counter(row.tobytes() for piece in rows for row in piece)
    wanted = Counter(row.tobytes() for row in np.ascontiguousarray(sent))
    check("  rows in them that were sent, each as often as it was", (got & wanted).total(), len(sent))
    check("  rows in them that were not, or not so often", (got - wanted).total(), 0)
    training = int(np.count_nonzero(~is_validation(own, session.manifest)))
    queued = sum(fact.rows for fact in facts if isinstance(fact, SlicesQueued))
    check("rows queued for training, the peer's own with them", queued, len(sent) + training)
    uses = Counter(fact.slice for fact in facts if isinstance(fact, SliceUsed))
    wrong += [f"dataslice {digest[:8]}: {uses[digest]} passes, not {PASSES}" for digest in digests if uses[digest] != PASSES]
    check("passes over the stream's dataslices", sum(uses[digest] for digest in digests), PASSES * len(digests))
    check("passes over all", uses.total(), PASSES * (len(digests) + len(list(cut(own[:training], SLICE_SIZE)))))
    return wrong


def tell_attachments(url: str, sensor: KilledSensor) -> None:
    """Print how often packets were attached, in part at least: sent again they are the same signed bytes, and read once."""
    node = Node(PlainClient(url, timeout_s=60.0))
    times: Counter[int] = Counter()
    for address in packet_addresses(sensor.state)[:-1]:  # but that of the one that says that nothing follows
        hashes = node.find(addresses=[address]).hashes
        parts = [part for at in range(0, len(hashes), 100) for part in node.transactions(hashes[at : at + 100]).values()]
        times[max(Counter(part.index for part in parts if part is not None).values(), default=0)] += 1
    node.close()
    told = ", ".join(f"{count} times {packets}" for count, packets in sorted(times.items()))
    print(f"  packets that were attached, in part at least: {told}")


def play(hornet: PrivateTangle, sensor: KilledSensor, session: FedSession, own: Table, options: argparse.Namespace) -> None:
    """Let it happen: stream, kill and start again, until the peer has trained on everything."""
    story, node = Story(options.patience_s), Node(PlainClient(hornet.url, timeout_s=60.0))

    def passes() -> int:
        return sum(isinstance(fact, SliceUsed) for fact in session.facts())

    def kill_sensor(packets: int, *, half_sent: bool) -> None:
        def is_time() -> bool:
            unsent = sensor.unsent() if sensor.count() >= packets else []
            return bool(unsent) and (not half_sent or bool(node.find(addresses=unsent[-1:]).hashes))

        story.wait(is_time, f"packet {packets}", sensor=sensor)
        story.tell(f"kill -9 of the sensor: {sensor.kill()}; the peer has {session.readings()[0]} readings")
        sensor.start()

    sensor.start()
    story.wait(lambda: sensor.count() > 0, "the first packet", sensor=sensor)
    admit(sensor, session.keys)
    session.start(
        Member(PEER, own), framework=options.framework, averaging=Averaging.PAIRWISE, training=TRAINING | {"pass_hold_s": 5}
    )
    story.tell("the sensor streams; it is admitted, and the peer starts")
    kill_sensor(options.packets // 3, half_sent=False)

    story.wait(lambda: sensor.count() >= options.packets // 2, "half of the packets", sensor=sensor, session=session)
    hornet.kill_node()
    story.tell(f"kill -9 of the API node: {sensor.count()} packets signed, {sensor.confirmed()} confirmed")
    time.sleep(options.away_s)  # the fault itself
    story.tell(f"the API node is back and synchronised, {hornet.start_node():.1f} s after its start")

    kill_sensor(2 * options.packets // 3, half_sent=True)
    node.close()
    assert sensor.process is not None
    process = sensor.process
    story.wait(lambda: process.poll() == 0, "the sensor's end", sensor=sensor, session=session)
    story.tell("the sensor has seen everything confirmed, and ended")
    story.wait(lambda: session.sensor().ended, "the peer reads the end", sensor=sensor, session=session, poll_s=0.5)
    story.tell(f"the peer has read the stream to its end: {session.readings()[0]} readings")
    training = int(np.count_nonzero(~is_validation(own, session.manifest)))
    slices = -(-options.packets * INSTANCES // SLICE_SIZE) + -(-training // SLICE_SIZE)
    story.wait(lambda: passes() >= slices * PASSES, "all passes begun", sensor=sensor, session=session, poll_s=0.5)
    story.wait(lambda: session.phase(PEER) == "finished", "the peer has finished", sensor=sensor, session=session, poll_s=0.5)
    story.tell("the peer has trained on everything")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=["mass"], help="columns that are no features")
    parser.add_argument("--packets", type=int, default=100, help=f"of {INSTANCES} readings each; at least 6")
    parser.add_argument("--rows", type=int, default=400, help="the peer's own rows, for validation and training")
    parser.add_argument("--away-s", type=float, default=10.0, help="how long the killed API node stays away")
    parser.add_argument("--milestone-s", type=int, default=5, help="seconds between two milestones")
    parser.add_argument("--patience-s", type=float, default=900.0, help="how long each step may take")
    parser.add_argument("--framework", default="numpy")
    options = parser.parse_args()
    if options.packets < 6:
        parser.error("--packets: at least 6")
    program = find_hornet()
    need = options.packets * INSTANCES
    features, rows, classes = read_rows(options.data, options.label, options.exclude, need + options.rows)
    if len(rows) < need + options.rows:
        sys.exit(f"{options.data}: {len(rows)} rows; {need + options.rows} are needed")
    sent, own = rows[:need], rows[need:]
    manifest = make_manifest(
        SESSION, features, classes, hidden=HIDDEN, seed=0, judge=Judge.ACCURACY, slice_size=SLICE_SIZE, passes=PASSES
    )
    folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
    try:
        write_readings(folder / "readings.csv", features, sent)
        with PrivateTangle(program, folder / "tangle", interval_s=options.milestone_s) as hornet:
            sensor = KilledSensor(folder, hornet.url)
            session = FedSession(folder / "session", manifest, hornet.url, folder / "sensors.keys")
            try:
                play(hornet, sensor, session, own, options)
            finally:
                sensor.stop()
                session.stop()
            wrong = count_everything(session, sensor, sent, own, read_back(hornet.url, SENSOR, features))
            tell_attachments(hornet.url, sensor)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for sentence in wrong:
        print(sentence)
    if wrong:
        sys.exit(1)
    print(f"the sensor was killed {sensor.kills} times and the API node once: every reading arrived once")


if __name__ == "__main__":
    main()
