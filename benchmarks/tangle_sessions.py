"""Whole sessions of five peers with the Tangle in three parts: all of the ledger, announcements alone, or what sensors stream.

    python benchmarks/tangle_sessions.py --data all_test.csv.gz --ledger tangle --seeds 3
    KUBO_BINARY=ipfs HORNET_BINARY=hornet python benchmarks/tangle_sessions.py --data all_test.csv.gz --ledger paper --hornet

``--ledger tangle``: announcements and models over the Tangle. ``folder``: announcements over the Tangle, models in a folder.
``paper``: announcements and models over IPFS, on private Kubo daemons, and each peer fed over the Tangle by a sensor of its own,
which streams the peer's training rows but for ``--kept-rows`` of them: its file keeps those, and the validation rows.

For each seed the accuracy of every peer on rows that nobody has, alone (localfs, nobody to meet, all its rows in a file) and
together, and the seconds that the session took. With sensors it is checked that every peer trained on exactly the readings of its
own sensor, each once: else a sentence says what differs, and the exit status is 1. The node is the development node, or with
``--hornet`` a real HORNET. Without ``--data`` the rows are synthetic.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hepmass import HIDDEN, PASSES, POLICIES, SLICE_SIZE, TRAINING, open_framework
from ipfs_sessions import run_alone
from learnae_iota.sensors.admission import admit
from learnae_iota.serving.embedded import EmbeddedNode, running_node
from learnae_iota.serving.settings import NodeSettings
from sessions import Member, RunningSession, Table, make_manifest, read_everything
from sharing import accuracy
from swarms import SwarmSession

from learnae.codec.manifests import session_id
from learnae.codec.seal import Seal, new_secret, write_secret
from learnae.codec.slices import encode_slice
from learnae.data.assignment import is_validation, key_order, row_keys
from learnae.data.slicing import cut
from learnae.data.synthetic import SYNTHETIC_COLUMNS, synthetic_rows, write_csv
from learnae.demo.children import peer_environment
from learnae.report.reading import read_journal
from learnae.values.ids import Digest
from learnae.values.journal import ReadingsReceived, SliceUsed
from learnae.values.manifest import Manifest

RIGS = Path(__file__).parents[1] / "plugins" / "iota" / "tests"
QUIET_S, PRESENCE_S, RETRY_S = 10.0, 5.0, 2.0
"""The defaults of ``learnae run``: over a ledger whose every message costs work, quicker ones would measure something else."""


@dataclass(frozen=True, slots=True)
class Tangle:
    """A node of a private tangle, and the weight magnitude that it demands."""

    url: str
    weight: int


def sensor_settings(tangle: Tangle, keys: Path) -> dict[str, object]:
    """Return the settings by which a peer reads the sensors whose keys are in a file."""
    return {
        "network.sensors": "iota",
        "plugins.iota.nodes": tangle.url,
        "plugins.iota.weight": tangle.weight,
        "plugins.iota.sensor_keys_file": keys,
    }


@contextlib.contextmanager
def running_tangle(folder: Path, *, hornet: bool, weight: int) -> Iterator[Tangle]:
    """Run a node while the block lasts: HORNET with a coordinator (17 minutes at most), or the development node."""
    if hornet:
        found = shutil.which(os.environ.get("HORNET_BINARY", "hornet"))
        if found is None:
            sys.exit("no HORNET: set HORNET_BINARY to the program, which .ci/hornet builds")
        if str(RIGS) not in sys.path:
            sys.path.insert(0, str(RIGS))
        node = importlib.import_module("tangle_rig").Hornet(Path(found).absolute(), folder / "hornet", weight=weight)
        try:
            yield Tangle(node.url, weight)
        finally:
            node.close()
        return
    own = folder / "tangle"
    embedded = EmbeddedNode(own, NodeSettings(weight=weight, cors=False, max_requests_per_s=0))
    try:
        yield Tangle(embedded.url(), weight)
    finally:
        embedded.close()
        wait_until(lambda: running_node(own) is None, "the development node ends", 60.0)


class TangleSession(RunningSession):
    """Peers whose announcements go over the Tangle."""

    def __init__(self, folder: Path, manifest: Manifest, secret: bytes, tangle: Tangle, *, storage: str) -> None:
        super().__init__(folder, manifest)
        self._tangle, self._storage = tangle, storage
        self._secret_file = folder / "secret"
        write_secret(self._secret_file, secret)

    def network(self, name: str, ledger: str) -> dict[str, object]:
        """Return the settings by which a peer finds the others."""
        del name
        found: dict[str, object] = {
            "peer.secret_file": self._secret_file,
            "network.transport": "iota",
            "network.storage": self._storage,
            "network.presence_interval_s": PRESENCE_S,
            "network.retry_s": RETRY_S,
            "plugins.iota.nodes": self._tangle.url,
            "plugins.iota.weight": self._tangle.weight,
        }
        if self._storage == "localfs":
            found["plugins.localfs.folder"] = self.folder / ledger
        return found

    def command(self, name: str, config: Path) -> list[str]:
        """Return the command that is this peer; where cores are few, its training waits for the node."""
        return ["nice", "-n", "10", *super().command(name, config)]


class RunningSensor:
    """A sensor: ``learnae sensor stream`` as a process on a file that may grow; started again, it goes on.

    Attributes:
        key: What peers admit; known once it was started.
    """

    def __init__(
        self, folder: Path, name: str, tangle: Tangle, session: str, *, packet: int, secret_file: Path | None = None
    ) -> None:
        self.name, self.key = name, ""
        self.source = folder / f"{name}.sensor"
        self._state, self._log, self._keys = folder / f"{name}-sensor", folder / f"{name}-sensor.log", folder / f"{name}.key"
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [
            sys.executable, "-m", "learnae", "sensor", "stream", str(self.source), "--session", session, "--sensor", name,
            "--node", tangle.url, "--mwm", str(tangle.weight), "--state", str(self._state),
            "--instances-per-packet", str(packet), "--fill", "1",
        ]  # fmt: skip
        self._command += ["--secret-file", str(secret_file)] if secret_file else []

    def write(self, columns: Sequence[str], rows: Table) -> None:
        """Write the readings that it streams, in place of those before: the target is the last column of ``rows``."""
        write_csv(self.source, columns, np.concatenate([rows[:, -1:], rows[:, :-1]], axis=1))

    def start(self, *more: str) -> None:
        """Start it, and wait until its key is known."""
        with self._keys.open("wb") as data, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, *more], stdin=subprocess.DEVNULL, stdout=data, stderr=log, env=peer_environment(os.environ)
            )
        wait_until(lambda: self._keys.read_bytes().endswith(b"\n") or not self.is_running, f"{self.name} tells its key", 120.0)
        self._look()
        self.key = self._keys.read_text().strip()

    @property
    def is_running(self) -> bool:
        """Whether it runs; one that failed raises ``RuntimeError``."""
        self._look()
        return self._process is not None and self._process.poll() is None

    @property
    def packets(self) -> int:
        """How many packets it has signed."""
        path = self._state / "sensor.sqlite"
        if not path.exists():
            return 0
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            try:
                return int(database.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM packets").fetchone()[0])
            except sqlite3.OperationalError:
                return 0  # it was just made

    def kill(self) -> bool:
        """Kill it with ``kill -9``; return whether it was still running."""
        assert self._process is not None
        self._process.kill()
        killed = self._process.wait() == -signal.SIGKILL
        self._process = None
        return killed

    def finish(self, deadline_s: float) -> None:
        """Wait until its input has ended and all of it is confirmed."""
        wait_until(lambda: not self.is_running, f"{self.name} has sent everything", deadline_s)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _look(self) -> None:
        if self._process is not None and self._process.poll() not in (None, 0):
            raise RuntimeError(f"sensor {self.name}: {self._log.read_text()[-2000:]}")


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float) -> float:
    """Wait until a condition holds, and return the seconds that took.

    Raises:
        RuntimeError: It takes too long.
    """
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > deadline_s:
            raise RuntimeError(f"not within {deadline_s:g} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - began_s


def facts(session: RunningSession, name: str, kind: type[Any]) -> Iterator[Any]:
    """Return the facts of one kind in a peer's journal."""
    path = session.folder / name / "events.jsonl"
    return (line.fact for line in (read_journal(path).lines if path.exists() else ()) if isinstance(line.fact, kind))


def readings(session: RunningSession, name: str) -> tuple[Counter[str], Counter[str]]:
    """Count the readings that a peer accepted, and those that it rejected, by sensor."""
    accepted, rejected = Counter[str](), Counter[str]()
    for fact in facts(session, name, ReadingsReceived):
        sensor = fact.sensor.removeprefix("iota/")
        accepted[sensor] += fact.accepted
        rejected[sensor] += fact.rejected
    return accepted, rejected


def await_readings(session: RunningSession, name: str, least: int, deadline_s: float) -> None:
    """Wait until a peer has accepted so many readings.

    Raises:
        RuntimeError: It takes too long, or a peer failed.
    """
    began_s = time.monotonic()
    while (found := readings(session, name)[0].total()) < least:
        for peer, process in session.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{peer}: {(session.folder / f'{peer}.log').read_text()[-2000:]}")
        if time.monotonic() - began_s > deadline_s:
            raise RuntimeError(f"{name} has {found} of {least} readings after {deadline_s:g} s")
        time.sleep(1.0)


def stream_slices(session: RunningSession, rows: Table, secret: bytes | None) -> list[Digest]:
    """Return the dataslices that every reader of a stream cuts, by their digests."""
    seal = Seal(session_id(session.manifest), secret)
    return [seal.digest(encode_slice(np.ascontiguousarray(piece))) for piece in cut(rows, session.manifest.slice_size)]


def file_slices(session: RunningSession, rows: Table, secret: bytes | None) -> list[Digest]:
    """Return the dataslices that a peer cuts from its file, by their digests."""
    training = rows[~is_validation(rows, session.manifest)]
    return stream_slices(session, training[key_order(row_keys(training, session.manifest.seed))] + np.float32(0), secret)


def complaints(
    session: RunningSession, name: str, streams: Mapping[str, Table], others: Sequence[Digest], secret: bytes | None
) -> list[str]:
    """Say where what a peer took in and trained on is not every reading of its sensors, each once.

    Args:
        session: The session, which has ended.
        name: The peer.
        streams: The readings of the sensors that it admits, by the sensor's name.
        others: The other dataslices that it was to train on: of its file, or shared.
        secret: The session's.
    """
    told = []
    accepted, _ = readings(session, name)
    expected = Counter({sensor: len(rows) for sensor, rows in streams.items()})
    if +accepted != expected:
        told.append(f"{name} took in {dict(+accepted)} readings and not {dict(expected)}")
    fed = Counter(digest for rows in streams.values() for digest in stream_slices(session, rows, secret))
    wanted = dict.fromkeys([*fed, *others], session.manifest.passes)
    if max(fed.values(), default=1) > 1 or set(fed) & set(others):
        told.append("two streams have a dataslice in common, and cannot be told apart")
    uses = Counter(fact.slice for fact in facts(session, name, SliceUsed))
    told += [
        f"{name} trained on the dataslice {digest[:12]}, which is none of the admitted readings"
        for digest in sorted(set(uses) - set(wanted))
    ]
    told += [
        f"{name} trained {uses[digest]} times on the dataslice {digest[:12]}, and not {often} times"
        for digest, often in wanted.items()
        if uses[digest] != often
    ]
    return told


def draw_rows(options: argparse.Namespace, need: int) -> tuple[tuple[str, ...], Table, tuple[str, ...]]:
    """Read the file, or make rows up: names of features, at least ``need`` rows with the target last, classes."""
    if options.data is None:
        _, drawn = synthetic_rows(need, 0)
        return SYNTHETIC_COLUMNS[1:], np.concatenate([drawn[:, 1:], drawn[:, :1]], axis=1), ("0", "1")
    features, rows, classes = read_everything(options.data, options.label, options.exclude)
    if len(rows) < need:
        sys.exit(f"{options.data}: {len(rows)} rows; {need} are needed")
    return features, rows, classes


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what all benchmarks of fed peers can be told."""
    parser.add_argument("--data", type=Path)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=["mass"])
    parser.add_argument("--instances-per-packet", type=int, default=50)
    parser.add_argument("--policy", choices=list(POLICIES), default="soup", help="pairwise is the paper's, soup the better one")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--framework", default="numpy", help="numpy starts faster; jax gives the same arithmetic")
    parser.add_argument("--deadline", type=float, default=900.0, help="seconds for each step of a session")


def add_tangle_options(parser: argparse.ArgumentParser) -> None:
    """Add what those over the Tangle can be told."""
    add_options(parser)
    parser.add_argument("--hornet", action="store_true", help="a real HORNET (HORNET_BINARY) instead of the development node")


class Trial:
    """One seed: the same rows for everybody, alone and together."""

    def __init__(self, options: argparse.Namespace, seed: int, folder: Path) -> None:
        need = options.test_rows + options.peers * options.rows
        features, rows, classes = draw_rows(options, need)
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))
        parts = np.array_split(rows[order[options.test_rows : need]], options.peers)
        self.options, self.folder, self.secret = options, folder, new_secret()
        self.test = rows[order[: options.test_rows]]
        self.members = [Member(f"peer{index}", part) for index, part in enumerate(parts)]
        self._averaging, judge = POLICIES[options.policy]
        terms: dict[str, Any] = {
            "hidden": HIDDEN, "seed": seed, "judge": judge, "slice_size": SLICE_SIZE, "passes": PASSES,
        }  # fmt: skip
        self.open_terms = make_manifest("tangle", features, classes, **terms)
        self.manifest = make_manifest("tangle", features, classes, **terms, secret=self.secret)
        self.framework = open_framework(options.framework, self.manifest, folder)

    def alone(self) -> dict[str, float]:
        """Let every peer train without neighbours; return the accuracies."""
        session = RunningSession(self.folder / "alone", self.open_terms)
        run_alone(session, self.members, self.options.framework, self._averaging)
        return self._scores(session)

    def together(self, tangle: Tangle) -> tuple[dict[str, float], float, list[str]]:
        """Let all train together; return accuracies, the seconds that took, and what is wrong with what sensors fed."""
        if self.options.ledger == "paper":
            return self._fed(tangle)
        storage = "iota" if self.options.ledger == "tangle" else "localfs"
        session = TangleSession(self.folder / "together", self.manifest, self.secret, tangle, storage=storage)
        began_s = time.monotonic()
        try:
            for member in self.members:
                self._start(session, member)
            session.wait(self.options.deadline)
        finally:
            session.stop()
        return self._scores(session), time.monotonic() - began_s, []

    def _fed(self, tangle: Tangle) -> tuple[dict[str, float], float, list[str]]:
        session = SwarmSession(self.folder / "together", self.manifest, self.secret)
        sensors: list[RunningSensor] = []
        began_s = time.monotonic()
        kept, streams = {}, {}
        try:
            for member in self.members:
                assert member.rows is not None
                training = ~is_validation(member.rows, self.manifest)
                streamed = training & (np.cumsum(training) > self.options.kept_rows)
                kept[member.name], streams[member.name] = member.rows[~streamed], member.rows[streamed]
                keys = session.folder / f"{member.name}.keys"
                session.extra[member.name] = {
                    "network.presence_interval_s": PRESENCE_S,
                    "network.retry_s": RETRY_S,
                    **sensor_settings(tangle, keys),
                    "plugins.iota.admit_secret_holders": False,
                }
                self._start(session, Member(member.name, kept[member.name]))
                if not session.bootstrap:
                    session.bootstrap = [session.address(member.name)]
                sensor = RunningSensor(
                    session.folder, f"sensor-{member.name}", tangle, self.manifest.name,
                    packet=self.options.instances_per_packet, secret_file=session.secret_file,
                )  # fmt: skip
                sensors.append(sensor)
                sensor.write(("label", *self.manifest.features), streams[member.name])
                sensor.start("--end")
                admit(keys, sensor.key)
            for sensor in sensors:
                sensor.finish(self.options.deadline)
            for name, rows in streams.items():
                await_readings(session, name, len(rows), self.options.deadline)
            session.wait(self.options.deadline)
        finally:
            session.stop()
            for sensor in sensors:
                sensor.stop()
        seconds = time.monotonic() - began_s
        wrong = [
            text
            for name, rows in streams.items()
            for text in complaints(
                session, name, {f"sensor-{name}": rows}, file_slices(session, kept[name], self.secret), self.secret
            )
        ]
        if not wrong:
            counts = ", ".join(f"{name} {len(rows)}" for name, rows in streams.items())
            print(f"  each peer trained on every reading of its own sensor, {PASSES} passes over each: {counts};")
            print(f"  beside them only on the {self.options.kept_rows} rows for training that its file holds")
        return self._scores(session), seconds, wrong

    def _start(self, session: RunningSession, member: Member) -> None:
        session.start(
            member, framework=self.options.framework, averaging=self._averaging, training=TRAINING | {"pass_hold_s": QUIET_S},
            expect_peers=len(self.members) - 1, quiet_period_s=QUIET_S,
        )  # fmt: skip

    def _scores(self, session: RunningSession) -> dict[str, float]:
        return {member.name: accuracy(self.framework, session, member.name, self.test) for member in self.members}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_tangle_options(parser)
    parser.add_argument("--ledger", choices=["tangle", "folder", "paper"], required=True)
    parser.add_argument("--peers", type=int, default=5)
    parser.add_argument("--rows", type=int, default=400, help="rows of a peer, for training and validation")
    parser.add_argument("--test-rows", type=int, default=6000)
    parser.add_argument("--weight", type=int, default=9, help="weight magnitude of the tangle")
    parser.add_argument("--kept-rows", type=int, default=0, help="training rows that no sensor streams, with paper")
    options = parser.parse_args()
    wrong: list[str] = []
    gains = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
        try:
            trial = Trial(options, seed, folder)
            before = trial.alone()
            print(f"seed {seed}: accuracy in % on {options.test_rows} rows that nobody has, {options.ledger}", flush=True)
            with running_tangle(folder, hornet=options.hornet, weight=options.weight) as tangle:
                after, seconds, told = trial.together(tangle)
            wrong += [f"seed {seed}: {text}" for text in told]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        for name, score in after.items():
            print(f"  {name:9} alone {before[name]:6.2f}   together {score:6.2f}")
        mean, joint = statistics.mean(before.values()), statistics.mean(after.values())
        least = min(after[name] - before[name] for name in before)
        gains.append(joint - mean)
        print(
            f"  mean      alone {mean:6.2f}   together {joint:6.2f}   gain {gains[-1]:+.2f}, least {least:+.2f}; {seconds:.0f} s"
        )
        sys.stdout.flush()
    node = "HORNET" if options.hornet else "development node"
    print(f"{options.ledger}, {node}, weight {options.weight}: mean gain over {len(gains)} seeds {statistics.mean(gains):+.2f}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
