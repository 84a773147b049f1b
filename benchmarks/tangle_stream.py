"""The paper's table 5 beside ours: packets of 50 instances from a sensor to a HORNET node, with the coordinator apart.

    HORNET_BINARY=$(.ci/hornet) python benchmarks/tangle_stream.py --data all_test.csv.gz --packets 1000 --pure 100

Each stream is a process ``learnae sensor stream FILE``, with watches on its steps: with the compiled library and in pure NumPy,
which the product takes where the library was not built (``CC=none`` when it is installed). After each stream the node itself
attaches and broadcasts the same transactions of a few packets (``attachToTangle``, ``broadcastTransactions`` in one call). Then
the whole stream is read back with ``learnae sensor read``; the status is 1 unless every reading is there once, in order.

Packets are as large as the paper's, 35 KB, with numbers of 14 decimals; ``--as-read`` writes them as short as they can be.
Without ``--data`` the rows are synthetic. Too few rows are sent again and again, told apart by a column of their own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
from learnae_iota.bundles.attaching import detached
from learnae_iota.mam.channel import Channel, channel_root
from learnae_iota.nodes.client import PlainClient
from learnae_iota.nodes.node import Node
from learnae_iota.tangle.fetching import Query
from learnae_iota.tangle.tangle import Tangle, open_tangle
from sessions import Table, read_everything

from learnae.data.synthetic import SYNTHETIC_COLUMNS, synthetic_rows
from learnae.demo.children import peer_environment

sys.path.insert(0, str(Path(__file__).parents[1] / "plugins" / "iota" / "tests"))
from tangle_rig import SEED, SNAPSHOT, free_ports  # type: ignore[import-not-found]
from test_hornet_manual import milestone, written  # type: ignore[import-not-found]

PAPER_S = 13.9
"""Seconds a packet on the paper's sensor."""

INSTANCES = 50
SECURITY = 2
WEIGHT = 9
DEPTH = 11
SESSION = "benchmark"
PATIENCE_S = 180.0

STEPS = ("sign", "bundle", "tips", "work", "send", "look", "keep")
TOLD = {
    "sign": "sign: MAM, and the sensor's key",
    "bundle": "hash: the bundle, and each transaction",
    "tips": "tips, and who the node is",
    "work": "proof of work",
    "send": "send",
    "look": "look: cloned? confirmed?",
    "keep": "keep: the state folder",
}

SENSOR_PROCESS = """
import json, resource, runpy, sys, threading, time
result, pure, *sys.argv[1:] = sys.argv[1:]
clock, steps, open_watches, ends = time.perf_counter, {}, [], []

def watch(owner, name, step):
    work = getattr(owner, name)
    def watched(*given, **named):
        if threading.current_thread() is not threading.main_thread():
            return work(*given, **named)
        began = clock()
        open_watches.append(0.0)
        try:
            return work(*given, **named)
        finally:
            spent = clock() - began
            steps[step] = steps.get(step, 0.0) + spent - open_watches.pop()  # what a watch within took is not counted twice
            if open_watches:
                open_watches[-1] += spent
    setattr(owner, name, watched)

def mark(owner, name):
    work = getattr(owner, name)
    def marked(*given, **named):
        packet = work(*given, **named)
        ends.append((clock(), dict(steps), packet and len(packet.payload)))
        return packet
    setattr(owner, name, marked)

from learnae_iota.bundles import attaching
from learnae_iota.trinary import compiled
from learnae_iota.sensors import looking, sending, signing
from learnae_iota.tangle import tangle
from learnae_iota.nodes.node import Node
from learnae_iota.sensors.state import SensorState
if pure == "pure":
    compiled.load_compiled = lambda folder=None: None
watch(signing.Signer, "sign", "sign")
watch(sending, "write_head", "sign")
watch(tangle, "prepare_bundle", "bundle")
watch(attaching, "transaction_hash", "bundle")
watch(attaching, "find_nonce", "work")
watch(Node, "tips", "tips")
watch(Node, "info", "tips")
watch(tangle.Tangle, "broadcast", "send")
watch(tangle.Tangle, "is_confirmed", "look")
for name in ("refuse_later", "refuse_signed", "refuse_another"):
    watch(looking.Looks, name, "look")
for name in ("keep", "note_sent", "note_confirmed", "last", "packet", "tails"):
    watch(SensorState, name, "keep")
mark(sending.Feeder, "begin")
mark(sending.Feeder, "send")
try:
    runpy.run_module("learnae", run_name="__main__")
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
    json.dump({"ends": ends, "cpu_s": used.ru_utime + used.ru_stime, "peak_kb": peak}, open(result, "w"))
"""
"""What is run: the program itself, with watches. ``ru_maxrss`` would count what this benchmark needed before it."""


class PrivateTangle:
    """HORNET as ``docs/tangle.md`` configures it, on loopback: a coordinator, and an API node apart from it.

    Args:
        program: HORNET 0.5.6.
        folder: Its own.
        interval_s: Seconds between two milestones; there are 2 ** 11 of them.
    """

    def __init__(self, program: Path, folder: Path, *, interval_s: int) -> None:
        self.program, self.folder = program, folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        api = dict(zip(("coordinator", "node"), free_ports(2), strict=True))
        gossip = dict(zip(("coordinator", "node"), free_ports(2), strict=True))
        self.url = f"http://127.0.0.1:{api['node']}"
        files: dict[str, dict[str, Any]] = written()
        for name, other in (("coordinator", "node"), ("node", "coordinator")):
            config = files[f"{name}/config.json"]
            config["httpAPI"]["bindAddress"] = f"127.0.0.1:{api[name]}"
            config["network"]["gossip"] = {
                "bindAddress": f"127.0.0.1:{gossip[name]}",
                "reconnectAttemptIntervalSeconds": 1,
            }
            config["coordinator"] |= {"merkleTreeDepth": DEPTH, "mwm": WEIGHT}
            files[f"{name}/peering.json"]["peers"][0]["identity"] = f"127.0.0.1:{gossip[other]}"
        files["coordinator/config.json"]["coordinator"]["intervalSeconds"] = interval_s
        self._write(files)
        root = self._merkle_root()
        for name in ("coordinator", "node"):
            files[f"{name}/config.json"]["coordinator"]["address"] = root
        self._write(files)

    def __enter__(self) -> Self:
        try:
            self.start("coordinator", "--cooBootstrap", "--cooStartIndex", "0")
            self.start_node()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, name: str, *more: str) -> None:
        """Start one of the two."""
        with (self.folder / name / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [self.program, "-c", "config", *more],
                cwd=self.folder / name,
                env={**os.environ, "COO_SEED": SEED},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start_node(self) -> float:
        """Start the API node, wait until it is synchronised, and return the seconds that took."""
        began_s = time.monotonic()
        self.start("node")
        while milestone(self.url) < 1:
            for name, process in self.processes.items():
                if process.poll() is not None or time.monotonic() > began_s + PATIENCE_S:
                    raise RuntimeError(f"{name}: {(self.folder / name / 'log').read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)
        return time.monotonic() - began_s

    def kill_node(self) -> None:
        """``kill -9`` of the API node."""
        self.processes["node"].kill()
        self.processes["node"].wait()

    def cpu_s(self, name: str) -> float:
        """Return the CPU seconds that one of the two has used."""
        used = psutil.Process(self.processes[name].pid).cpu_times()
        return float(used.user + used.system)

    def close(self) -> None:
        """End both in order; idempotent."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _write(self, files: dict[str, dict[str, Any]]) -> None:
        for path, content in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(json.dumps(content))
            (self.folder / path).with_name("snapshot.csv").write_text(SNAPSHOT)

    def _merkle_root(self) -> str:
        told = subprocess.run(
            [self.program, "-c", "config", "tool", "merkle"],
            cwd=self.folder / "coordinator",
            env={**os.environ, "COO_SEED": SEED},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
        root = re.search(r"Merkle tree root: ([9A-Z]{81})", told.stdout + told.stderr)
        if root is None:
            raise RuntimeError(f"no Merkle tree: {told.stdout}{told.stderr}")
        return root[1]


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a stream cost.

    Attributes:
        seconds: Of each packet, from the end of the one before.
        steps: Seconds of each step, on average a packet.
        total_s: Of the whole process, until everything is confirmed.
        packet_bytes: Of a packet, signed: half of its trytes, as the sensor's progress counts; the median.
        transactions: Of a packet.
        peak_mb: Of the process.
        cpu_s: Of the process.
        node_cpu_s: Of the API node meanwhile.
        own: Seconds of the node's own attaching and broadcasting of the same transactions, packet by packet.
    """

    seconds: list[float]
    steps: dict[str, float]
    total_s: float
    packet_bytes: float
    transactions: int
    peak_mb: float
    cpu_s: float
    node_cpu_s: float
    own: list[tuple[float, float]]


def find_hornet() -> Path:
    """Return the program: ``HORNET_BINARY``; without one there is no benchmark."""
    found = shutil.which(os.environ.get("HORNET_BINARY", "hornet"))
    if found is None:
        sys.exit("no HORNET 0.5.6: set HORNET_BINARY to the program, which .ci/hornet prints")
    return Path(found).absolute()


def read_rows(data: Path | None, label: str, exclude: list[str], count: int) -> tuple[tuple[str, ...], Table, tuple[str, ...]]:
    """Return feature names, rows and classes: so many different rows, or as many as there are."""
    if data is None:
        _, drawn = synthetic_rows(count, 0)
        return SYNTHETIC_COLUMNS[1:], np.concatenate([drawn[:, 1:], drawn[:, :1]], axis=1), ("0", "1")
    features, rows, classes = read_everything(data, label, exclude)
    return features, rows[:count], classes


def write_readings(path: Path, features: tuple[str, ...], rows: Table, *, as_read: bool = False) -> None:
    """Write rows for a sensor, their number in a column of its own; they read back as they are."""
    with path.open("w") as file:
        file.write(",".join(("number", "label", *features)) + "\n")
        for number, row in enumerate(rows):
            cells = [str(cell) if as_read else f"{cell:.14e}" for cell in row[:-1]]
            file.write(",".join((str(number), str(int(row[-1])), *cells)) + "\n")


def read_back(url: str, sensor: str, features: tuple[str, ...]) -> tuple[list[int], Table]:
    """Read the sensor's stream from the ledger with ``learnae sensor read``: the numbers, and the rows."""
    command = [sys.executable, "-m", "learnae", "sensor", "read", sensor, "--session", SESSION, "--node", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=peer_environment(os.environ))
    if done.returncode:
        raise RuntimeError(f"sensor read: {done.stderr[-2000:]}")
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    table = [[float(reading[name]) for name in (*features, "label")] for reading in readings]
    return [reading["number"] for reading in readings], np.array(table, dtype=np.float32).reshape(-1, len(features) + 1)


def attach_by_node(url: str, tangle: Tangle, addresses: list[str]) -> tuple[list[tuple[float, float]], int]:
    """Let the node attach and broadcast what lies at addresses; return the seconds of both, and the transactions of one."""
    node = Node(PlainClient(url, timeout_s=600.0))
    seconds, count = [], 0
    for address in addresses:
        bundle = tangle.fetch(Query(addresses=(address,))).bundles[0]
        count, tips = len(bundle.transactions), node.tips()
        began_s = time.perf_counter()
        attached = node.attach(detached(bundle), tips, WEIGHT)
        attached_s = time.perf_counter()
        node.broadcast(attached.trytes)
        seconds.append((attached_s - began_s, time.perf_counter() - attached_s))
    node.close()
    return seconds, count


def packet_addresses(state: Path) -> list[str]:
    """Return where the packets of a public stream lie: the state folder forgets confirmed ones, but not its seed."""
    with closing(sqlite3.connect(state / "sensor.sqlite", timeout=10.0)) as database:
        (count,) = database.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM packets").fetchone()
        seed, security = database.execute("SELECT seed, security FROM stream").fetchone()
    return [channel_root(Channel(seed, security=security, start=number)) for number in range(count)]


def stream(hornet: PrivateTangle, source: Path, state: Path, *, pure: bool, beside: int) -> Streamed:
    """Stream a file, and let the node do the same with a few of the packets."""
    result = state.with_suffix(".json")
    command = [
        sys.executable, "-c", SENSOR_PROCESS, str(result), "pure" if pure else "compiled",
        "sensor", "stream", str(source), "--session", SESSION, "--sensor", state.name, "--node", hornet.url,
        "--state", str(state), "--security", str(SECURITY), "--mwm", str(WEIGHT),
        "--instances-per-packet", str(INSTANCES), "--end",
    ]  # fmt: skip
    node_before_s, began_s = hornet.cpu_s("node"), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=peer_environment(os.environ)) as process:
        try:
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    if code:
        raise RuntimeError(f"the sensor ended with status {code}")
    total_s, node_cpu_s = time.monotonic() - began_s, hornet.cpu_s("node") - node_before_s
    told = json.loads(result.read_text())
    ends = told["ends"][:-1]  # the last one only says that nothing follows
    packets = len(ends) - 1
    tangle = open_tangle([hornet.url], weight=WEIGHT)
    addresses = packet_addresses(state)[:-1]  # but that of the one that says that nothing follows
    own, transactions = attach_by_node(hornet.url, tangle, addresses[: -max(beside, 1) - 1 : -1])
    tangle.close()
    return Streamed(
        seconds=[after[0] - before[0] for before, after in itertools.pairwise(ends)],
        steps={step: (ends[-1][1].get(step, 0.0) - ends[0][1].get(step, 0.0)) / packets for step in STEPS},
        total_s=total_s,
        packet_bytes=statistics.median(end[2] for end in ends[1:]) / 2,
        transactions=transactions,
        peak_mb=told["peak_kb"] / 1024,
        cpu_s=told["cpu_s"],
        node_cpu_s=node_cpu_s,
        own=own,
    )


def lines(told: Streamed) -> list[tuple[str, str]]:
    """Tell what a stream cost: what, and how much."""
    mean = statistics.mean(told.seconds)
    attach_s, broadcast_s = (statistics.median(each) for each in zip(*told.own, strict=True))
    return [
        ("packets", f"{len(told.seconds)}"),
        ("seconds a packet, mean", f"{mean:.2f}"),
        ("seconds a packet, median", f"{statistics.median(told.seconds):.2f}"),
        ("seconds a packet, 95 of 100 are below", f"{np.percentile(told.seconds, 95):.2f}"),
        ("total seconds, all confirmed", f"{told.total_s:.0f}"),
        ("bytes of a packet, signed", f"{told.packet_bytes:.0f}"),
        ("transactions of a packet", f"{told.transactions}"),
        ("sensor: peak memory, MB", f"{told.peak_mb:.0f}"),
        ("sensor: CPU seconds, start included", f"{told.cpu_s:.1f}"),
        ("sensor: CPU seconds a packet", f"{told.cpu_s / len(told.seconds):.2f}"),
        ("API node: CPU seconds a packet", f"{told.node_cpu_s / len(told.seconds):.2f}"),
        *((f"  {TOLD[step]}, ms", f"{1e3 * seconds:.0f}") for step, seconds in told.steps.items()),
        ("  the rest, ms", f"{1e3 * (mean - sum(told.steps.values())):.0f}"),
        (f"the node's own attachToTangle, s, median of {len(told.own)}", f"{attach_s:.2f}"),
        ("the node's own broadcast in one call, s", f"{broadcast_s:.2f}"),
    ]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=[], help="columns that are no features; the paper sent all")
    parser.add_argument("--packets", type=int, default=1000, help="of the stream with the compiled library; 0 leaves it out")
    parser.add_argument("--pure", type=int, default=50, help="packets of the stream in pure NumPy; 0 leaves it out")
    parser.add_argument("--beside", type=int, default=5, help="packets that the node attaches itself, after each stream")
    parser.add_argument("--milestone-s", type=int, default=5, help="seconds between two milestones")
    parser.add_argument("--as-read", action="store_true", help="write numbers as short as they can be")
    options = parser.parse_args()
    program = find_hornet()
    columns = {name: packets for name, packets in (("compiled", options.packets), ("pure", options.pure)) if packets}
    results, wrong = {}, []
    most = max(columns.values(), default=0) * INSTANCES
    if not most:
        parser.error("there is nothing to stream")
    features, known, _ = read_rows(options.data, options.label, options.exclude, most)
    rows = np.resize(known, (most, known.shape[1]))  # again from the beginning where there are too few
    folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
    try:
        with PrivateTangle(program, folder / "tangle", interval_s=options.milestone_s) as hornet:
            for name, packets in columns.items():
                sent = rows[: packets * INSTANCES]
                write_readings(folder / f"{name}.csv", features, sent, as_read=options.as_read)
                source, state = folder / f"{name}.csv", folder / name
                results[name] = stream(hornet, source, state, pure=name == "pure", beside=options.beside)
                numbers, found = read_back(hornet.url, name, features)
                if numbers != list(range(len(sent))) or not np.array_equal(found, sent):
                    wrong.append(f"{name}: {len(sent)} readings were sent, and {len(numbers)} came back, not one by one the same")
                print(f"{name}: done, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    print(f"Packets of {INSTANCES} instances, security {SECURITY}, weight magnitude {WEIGHT}, over HORNET, coordinator apart")
    print(f"{'':46} {'paper':>10}" + "".join(f"{name:>12}" for name in results))
    for told in zip(*map(lines, results.values()), strict=True):
        paper = f"{PAPER_S:.1f}" if told[0][0] == "seconds a packet, mean" else ""
        print(f"{told[0][0]:46} {paper:>10}" + "".join(f"{value:>12}" for _, value in told))
    for sentence in wrong:
        print(sentence)
    if wrong:
        sys.exit(1)
    print("every reading came back once, in order, as it was sent")


if __name__ == "__main__":
    main()
