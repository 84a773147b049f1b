"""How much rubbish at the address of a public sensor's next packet hides that packet, and for how long.

    python benchmarks/tangle_floods.py --most 10000

A forger fills the address before the sensor sends there: with whole bundles of one transaction; with single pieces, each of a
bundle of its own; with bundles that are made up of a thousand pieces and never whole; or with beginnings of bundles.
Then the sensor sends its packet. For each kind and size: how long the forger needed at weight magnitude 1 (at 9 its work is what
counts: see ``mam.py``), after how many seconds and looks the packet is read by one who read the stream all along, and then by a
latecomer, and how often the sensor attached it again. The node is the development node in a thread of this process; of an address
it shows the first 1,000 by hash, where HORNET shows others each time.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from learnae_iota.bundles.bundles import Posting, prepare_bundle
from learnae_iota.bundles.transactions import Transaction, encode_transaction
from learnae_iota.bundles.work import find_nonce
from learnae_iota.mam.channel import Mode
from learnae_iota.nodes.client import PlainClient
from learnae_iota.nodes.node import Node
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.batching import Batch
from learnae_iota.sensors.following import Follower
from learnae_iota.sensors.kept import Terms
from learnae_iota.sensors.pacing import Pacing
from learnae_iota.sensors.sending import Feeder
from learnae_iota.sensors.sessions import sensor_session
from learnae_iota.sensors.state import SensorState
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread
from learnae_iota.tangle.tangle import Tangle, open_tangle
from learnae_iota.trinary.kernel import choose_kernel
from learnae_iota.trinary.numbers import write_number

SESSION = sensor_session("floods", None)
READINGS = tuple({f"f{column}": (row * 31 + column) / 7 for column in range(28)} for row in range(50))
PATIENCE_S = 120.0


def whole(number: int, base: Transaction) -> Transaction:
    """A bundle of one transaction."""
    return prepare_bundle([Posting(base.address, "JUNK" + write_number(number, 9))], base.timestamp_s).transactions[0]


def single(number: int, base: Transaction) -> Transaction:
    """A piece from the middle, of a bundle of its own."""
    return replace(base, index=1, last_index=30, bundle=write_number(number, 27) + "A" * 54)


def thousands(number: int, base: Transaction) -> Transaction:
    """One of a thousand pieces of a bundle that was made up."""
    bundle = write_number(number // 1000, 27) + "B" * 54
    return replace(base, index=1 + number % 40, last_index=40, bundle=bundle, message=write_number(number, 9).ljust(2187, "9"))


def beginning(number: int, base: Transaction) -> Transaction:
    """A first transaction that leads nowhere."""
    return replace(base, last_index=1, bundle=write_number(number, 27) + "C" * 54, trunk=write_number(number, 27) + "D" * 54)


KINDS: dict[str, Callable[[int, Transaction], Transaction]] = {
    "whole": whole,
    "single pieces": single,
    "made-up bundles": thousands,
    "beginnings": beginning,
}


def flood(url: str, address: str, kind: Callable[[int, Transaction], Transaction], size: int) -> None:
    """Write so many transactions to an address."""
    kernel = choose_kernel()
    with contextlib.closing(Node(PlainClient(url))) as node, ThreadPoolExecutor(4) as pool:
        tips, now_s = node.tips(), int(time.time())
        base = prepare_bundle([Posting(address, "JUNK")], now_s).transactions[0]
        base = replace(base, trunk=tips.trunk, branch=tips.branch, attached_ms=now_s * 1000, attached_to_ms=now_s * 1000)
        sent, some = [], list[str]()
        for number in range(size):
            made = kind(number, base)
            made = replace(made, trunk=base.trunk if kind is not beginning else made.trunk, branch=base.branch)
            made = replace(made, attached_ms=base.attached_ms, attached_to_ms=base.attached_to_ms)
            trytes = encode_transaction(made)
            work = find_nonce(trytes, 1, batches=64, kernel=kernel)
            assert work is not None, "a chance of 3 ** -4096"
            some.append(trytes[:-27] + work[1])
            if len(some) == 100 or number == size - 1:
                sent.append(pool.submit(node.broadcast, some))
                some = []
        for each in sent:
            each.result()


def found_after(follower: Follower, position: str, feeder: Feeder) -> str:
    """Read until the packet is there, while the sensor looks after it; say how long it took."""
    began, looks = time.monotonic(), 0
    while time.monotonic() - began < PATIENCE_S:
        looks += 1
        if len(follower.read("north", position, 100).readings) == len(READINGS):
            return f"{time.monotonic() - began:.1f} s, {looks}"
        feeder.settle()
        time.sleep(1.0)
    return f"not in {PATIENCE_S:.0f} s"


def measure(kind: str, size: int, folder: Path) -> tuple[str, ...]:
    """Let a sensor send into a flood; return a line of the table."""
    settings = NodeSettings(weight=1, milestone_interval_s=0.1, max_requests_per_s=0)
    with node_in_thread(settings=settings) as node, contextlib.closing(open_tangle([node.url], weight=1)) as tangle:
        terms = Terms.of(SESSION, "north", Mode.PUBLIC, 2)
        with SensorState.open(folder, terms, lambda: int(time.time() * 1000)) as state:
            buried: list[str] = []
            feeder = Feeder(state, SESSION, tangle, pacing=Pacing(), tell=buried.append)
            feeder.begin()
            feeder.send(Batch(READINGS))
            early = _follower(tangle)
            position = early.read("north", "", 100).position
            began = time.monotonic()
            flood(node.url, position.rpartition(":")[2], KINDS[kind], size)
            flooded_s = time.monotonic() - began
            early.read("north", position, 100)  # who reads all along sees the rubbish first
            began = time.monotonic()
            feeder.send(Batch(READINGS))
            sent_s = time.monotonic() - began
            live = found_after(early, position, feeder)
            latecomer = _follower(tangle)
            late = found_after(latecomer, latecomer.read("north", "", len(READINGS)).position, feeder)
            return kind, f"{size}", f"{flooded_s:.1f}", f"{sent_s:.1f}", live, late, f"{len(buried)}"


def _follower(tangle: Tangle) -> Follower:
    return Follower(tangle, SESSION, Admission(everybody=True))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=10_000, help="transactions of the largest flood")
    most = parser.parse_args().most
    if most < 1:
        sys.exit("--most: at least 1")
    row = "{:16} {:>8} {:>10} {:>9} {:>18} {:>18} {:>9}".format
    print(row("rubbish", "size", "flood, s", "sent, s", "live: s, looks", "late: s, looks", "attached"))
    for kind in KINDS:
        for size in sorted({min(1_500, most), min(5_000, most), most}):
            with tempfile.TemporaryDirectory() as folder:
                print(row(*measure(kind, size, Path(folder) / "state")), flush=True)


if __name__ == "__main__":
    main()
