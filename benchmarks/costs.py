"""What a peer costs: bookkeeping of a cycle, from published to seen, start-up, memory. Medians of several.

python benchmarks/costs.py
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np

from learnae.codec.identity import Identity
from learnae.codec.manifests import session_id
from learnae.codec.seal import Seal
from learnae.codec.slices import encode_slice
from learnae.codec.weights import encode_weights
from learnae.config.settings import PeerSettings
from learnae.config.training import TrainingSection
from learnae.interfaces.framework import Trained
from learnae.interfaces.provider import Capability, Context
from learnae.machine import effects, events
from learnae.performing.assembling import Means, assemble
from learnae.performing.core import Observer
from learnae.performing.journal import Journal
from learnae.performing.ledgers import Ledgers
from learnae.performing.performer import Session
from learnae.performing.shelf import FolderShelf
from learnae.performing.store import Store
from learnae.plugins.facade import Plugins
from learnae.runtime.pace import ThreadPace
from learnae.testing.rows import toy_manifest
from learnae.values.announcements import (
    PROTOCOL,
    Announcement,
    ModelOffer,
    ModelRecord,
    Presence,
    SignedAnnouncement,
    SliceUse,
)
from learnae.values.arrays import Rows, Weights
from learnae.values.choices import Judge, Role
from learnae.values.ids import Locator, SessionId
from learnae.values.manifest import Manifest
from learnae.values.mlp import mlp_initial_weights
from learnae.values.scores import Score

REPEATS = 40
OTHERS = 50
"""How many other peers are on the board: each with a model and the uses of one dataslice."""


class NoNumbers:
    """A framework that computes nothing, so that what is left is bookkeeping. Fake, and named as one."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._made = 0

    def initial_weights(self) -> Weights:
        return mlp_initial_weights(self._manifest)

    def train(self, weights: Weights, optimiser_state: Weights | None, rows: Rows, **_: object) -> Trained:
        self._made += 1
        first, *rest = weights
        changed = weights[first].copy()
        changed.flat[0] = self._made
        return Trained({first: changed, **{path: weights[path] for path in rest}}, {}, 1, 0.0)

    def evaluate(self, weights: Weights, rows: Rows) -> Score:
        return Score(0.5, 1.0, len(rows))

    def predict(self, weights: Weights, features: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        raise NotImplementedError


def context(manifest: Manifest, identity: Identity, folder: Path, ledger: Path) -> Context:
    session = session_id(manifest)
    seal = Seal(session, None)
    folder.mkdir(parents=True, exist_ok=True)
    return Context(
        manifest=manifest, session=session, rendezvous=seal.rendezvous, peer=identity.peer, owner=seal.owner(identity.peer),
        state=folder, options={"folder": str(ledger)},
    )  # fmt: skip


async def bookkeeping(base: Path) -> tuple[int, list[float]]:
    """Time whole training cycles of a peer whose framework computes nothing: decide, sign, make durable, store, announce."""
    manifest = msgspec.structs.replace(
        toy_manifest(features=27, hidden=(64, 32), slice_size=4, passes=200), sharing=True, overuse_threshold=10**9
    )
    session, identity = session_id(manifest), Identity.generate()
    seal, plugins = Seal(session, None), Plugins.discover()
    ledger = base / "ledger"
    transport = plugins.open(Capability.TRANSPORT, "localfs", context(manifest, identity, base / "t", ledger))
    storage = plugins.open(Capability.STORAGE, "localfs", context(manifest, identity, base / "s", ledger))
    store = Store.open(base / "peer.sqlite", session)
    settings = PeerSettings(training=TrainingSection(epochs=1, batch_size=32))
    seconds: list[float] = []
    with closing(store), closing(Journal(identity.peer, time.time, base / "events.jsonl")) as journal:
        pace = ThreadPace(10.0, journal.write)
        means = Means(
            framework=NoNumbers(manifest), store=store, shelf=FolderShelf(base / "slices"), journal=journal, pace=pace,
            sign=identity.sign, clock=time.monotonic, observer=Observer(),
        )  # fmt: skip
        ledgers = Ledgers(transport=transport, storages=(storage,), transport_name="localfs", storage_name="localfs")
        peer = assemble(Session(session, manifest, seal, identity.peer), settings, ledgers, means)
        core, performer, shelf, workshop = peer.core, peer.performer, peer.shelf, peer.workshop
        raw = np.zeros((4, 28), dtype=np.float32)
        data = encode_slice(raw)
        shelf.put(seal.digest(data), data)

        async def drain(orders: list[effects.Effect], *, until_train: bool) -> list[effects.Effect]:
            waiting = list(orders)
            while waiting and not (until_train and all(isinstance(order, effects.Train) for order in waiting)):
                order = waiting.pop(0)
                if isinstance(order, effects.Train):
                    waiting.append(order)
                    continue
                event = await performer.perform(order)
                if event is not None:
                    waiting += core.step(event)
            return waiting

        orders = core.step(events.Started())
        for signed in neighbours(session, seal):
            orders += core.step(events.Heard(signed))
        orders += core.step(events.SlicesCut((events.CutSlice(seal.digest(data), 4),)))
        orders += core.step(events.ValidationGathered(*workshop.validate_on(raw)))
        left = await drain(orders, until_train=True)
        for _ in range(REPEATS):
            began_s = time.perf_counter()
            event = await performer.perform(left[0])
            assert event is not None
            left = await drain(core.step(event), until_train=True)
            seconds.append(time.perf_counter() - began_s)
        await pace.aclose()
    await transport.aclose()
    await storage.aclose()
    return len(encode_weights(mlp_initial_weights(manifest))) // 4, seconds


def neighbours(session: SessionId, seal: Seal) -> Iterator[SignedAnnouncement]:
    """Yield what others said: a model no better than this peer's, a dataslice that they used, and that they are here."""
    for number in range(OTHERS):
        identity, digest = Identity.generate(), seal.digest(number.to_bytes(4, "big"))
        place = (Locator(f"localfs:{seal.owner(identity.peer)}/{digest}"),)
        said = (
            ModelOffer(ModelRecord(digest, Score(0.1, 2.0, 80), number), place),
            SliceUse(digest, 1),
            Presence(Role.FULL, leaving=False, board=None, locators=()),
        )
        for sequence, content in enumerate(said, start=1):
            yield identity.sign(Announcement(PROTOCOL, session, identity.peer, sequence, content))


async def seen(base: Path) -> list[float]:
    """Time from published by one process to received by another, on this machine's clock, over the shared folder."""
    manifest = toy_manifest()
    identity = Identity.generate()
    reader = subprocess.Popen([sys.executable, __file__, "--read", str(base)], stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    transport = Plugins.discover().open(
        Capability.TRANSPORT, "localfs", context(manifest, identity, base / "writer", base / "ledger")
    )
    seconds = []
    try:
        reader.stdout.readline()
        for number in range(15):
            sent_s = time.time()
            await transport.publish(f"{number:064x}", repr(sent_s).encode())
            seconds.append(float(reader.stdout.readline()))
            await asyncio.sleep(0.037 * (number % 5))
    finally:
        reader.kill()
        reader.wait()
        await transport.aclose()
    return seconds


async def read(base: Path) -> None:
    """Be the other process."""
    manifest = toy_manifest()
    transport = Plugins.discover().open(
        Capability.TRANSPORT, "localfs", context(manifest, Identity.generate(), base / "reader", base / "ledger")
    )
    print("ready", flush=True)
    while True:
        message = await transport.receive()
        print(time.time() - float(message), flush=True)


def command(*arguments: str, repeats: int = 7) -> list[float]:
    """Time a command as a whole process, after one run to warm up."""
    seconds = []
    for _ in range(repeats + 1):
        began_s = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began_s)
    return seconds[1:]


def peak_mb(framework: str, base: Path) -> float:
    """Measure the peak memory of one peer that trains on synthetic rows until it has converged, in 10**6 bytes."""
    from sessions import Member, RunningSession, make_manifest  # noqa: PLC0415 - for this measure alone

    from learnae.data.synthetic import synthetic_rows  # noqa: PLC0415 - the same
    from learnae.values.choices import Averaging  # noqa: PLC0415 - the same

    columns, table = synthetic_rows(400, 0)
    rows = np.concatenate([table[:, 1:], table[:, :1]], axis=1)
    manifest = make_manifest(
        "memory", columns[1:], ("0", "1"), hidden=(64, 32), seed=0, judge=Judge.ACCURACY, slice_size=80, passes=1
    )
    session = RunningSession(base / framework, manifest)
    session.start(
        Member("peer", rows),
        framework=framework,
        averaging=Averaging.PAIRWISE,
        training={},
        until="converged",
        quiet_period_s=0.1,
    )
    process = session.processes["peer"]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError((session.folder / "peer.log").read_text())
    return usage.ru_maxrss * 1024 / 1e6


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--read"]:
        asyncio.run(read(Path(sys.argv[2])))
        return
    with tempfile.TemporaryDirectory(prefix="learnae-benchmark-") as name:
        base = Path(name)
        parameters, cycles = asyncio.run(bookkeeping(base / "cycles"))
        latency = asyncio.run(seen(base / "seen"))
        rows = [
            (
                f"a cycle's bookkeeping, {parameters} parameters, {OTHERS} peers on the board, localfs",
                1e3 * statistics.median(cycles),
                "ms",
                20.0,
            ),
            ("published to seen by another process, local disk", 1e3 * statistics.median(latency), "ms", 300.0),
            ("python -c pass", 1e3 * statistics.median(command("-c", "pass")), "ms", None),
            ("import learnae, whole process", 1e3 * statistics.median(command("-c", "import learnae")), "ms", 150.0),
            ("learnae --help, whole process", 1e3 * statistics.median(command("-m", "learnae", "--help")), "ms", 400.0),
            ("peak memory of a peer, numpy", peak_mb("numpy", base), "MB", None),
            ("peak memory of a peer, jax", peak_mb("jax", base), "MB", None),
        ]
    print(f"{'what':82} {'median':>9}       {'at most':>8}")
    for what, value, unit, most in rows:
        bar = "" if most is None else f"{most:8.0f}  {'met' if value <= most else 'MISSED'}"
        print(f"{what:82} {value:9.1f} {unit:4}  {bar}".rstrip())


if __name__ == "__main__":
    main()
