"""Simulate N peers on synthetic rows, with message loss and peers going offline: what it costs, and what it brings.

``python benchmarks/simulated.py --peers 20`` prints a table; ``--json`` one object. With ``--sharing`` rows travel: the first
peer is a feeder, the next two are trainers without rows, and the uses of every dataslice are counted.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean
from tempfile import gettempdir

import msgspec
import numpy as np
from numpy.typing import NDArray

from learnae.builtins import numpy_framework
from learnae.builtins.memory import MemoryLedger
from learnae.codec.manifests import session_id
from learnae.config.settings import PeerSection, PeerSettings
from learnae.config.training import TrainingSection
from learnae.data.rows import to_rows
from learnae.data.synthetic import synthetic_rows
from learnae.interfaces.framework import ModelFramework
from learnae.interfaces.provider import Capability, Context
from learnae.plugins.facade import Plugins
from learnae.simulation.chance import Chance
from learnae.simulation.peers import Interval, SimulatedPeer
from learnae.simulation.result import SimulationResult, write_journals
from learnae.simulation.simulation import OpenFramework, Simulation
from learnae.testing.rows import toy_manifest
from learnae.values.choices import Role
from learnae.values.ids import PeerId
from learnae.values.manifest import Manifest

ROLES = (Role.FEEDER, Role.TRAINER, Role.TRAINER)
"""Of the first peers, with ``--sharing``."""


def raw_rows(count: int, seed: int) -> NDArray[np.float32]:
    """Draw rows with the target last."""
    _, rows = synthetic_rows(count, seed)
    return np.ascontiguousarray(np.roll(rows, -1, axis=1))


def numpy_opener(manifest: Manifest) -> OpenFramework:
    """Open the framework ``numpy`` through the plugin system, as a peer does."""
    plugins = Plugins.of(numpy_framework)
    session = session_id(manifest)

    def open_framework(training: TrainingSection) -> ModelFramework:
        context = Context(
            manifest=manifest,
            session=session,
            rendezvous=session,
            peer=PeerId(session),
            owner=session,
            state=Path(gettempdir()),
            training=training.for_framework(),
        )
        return plugins.open(Capability.FRAMEWORK, "numpy", context)

    return open_framework


def simulate(manifest: Manifest, peers: list[SimulatedPeer], seed: int, loss: float) -> SimulationResult:
    with Simulation(manifest, peers, ledger=MemoryLedger(), open_framework=numpy_opener(manifest), seed=seed, loss=loss) as all_:
        return all_.run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=int, default=20)
    parser.add_argument("--rows", type=int, default=400, help="of each peer, for training and validation")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--loss", type=float, default=0.3, help="share of messages that do not arrive")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sharing", action="store_true")
    parser.add_argument("--threshold", type=int, default=6, help="the overuse threshold, with --sharing")
    parser.add_argument("--out", type=Path, help="a folder for the journals, for `learnae report`")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    manifest = toy_manifest(features=27, hidden=(32,), slice_size=64, passes=args.passes)
    if args.sharing:
        manifest = msgspec.structs.replace(manifest, sharing=True, overuse_threshold=args.threshold)
    training = TrainingSection(framework="numpy", learning_rate=3e-3)
    chance = Chance(args.seed, "offline")
    peers = []
    for index in range(args.peers):
        away_s = chance.between(1.0, 20.0)
        offline = (Interval(away_s, away_s + chance.between(5.0, 30.0)),) if index % 2 else ()
        role = ROLES[index] if args.sharing and index < len(ROLES) else Role.FULL
        settings = PeerSettings(peer=PeerSection(role=role), training=training)
        rows = None if role is Role.TRAINER else raw_rows(args.rows, 1_000 * args.seed + index)
        peers.append(SimulatedPeer(name=f"peer-{index:03d}", rows=rows, settings=settings, offline=offline))

    began, began_cpu = time.perf_counter(), time.process_time()
    together = simulate(manifest, peers, args.seed, args.loss)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    test = to_rows(raw_rows(5_000, 999_999), manifest)
    framework = numpy_opener(manifest)(training)
    accuracy = together.accuracies(framework, test)
    alone: dict[str, float] = {}
    for peer in peers:
        if peer.settings.peer.role is not Role.FULL:
            continue
        alone |= simulate(manifest, [replace(peer, offline=())], args.seed, 0.0).accuracies(framework, test)
    if args.out:
        write_journals(together, args.out)

    figures = {
        "data": "synthetic",
        "peers": args.peers,
        "cycles": sum(peer.cycle for peer in together.peers),
        "events": together.events,
        "lines": len(together.lines),
        "virtual_seconds": round(together.seconds, 2),
        "real_seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "finished": together.finished,
        "mean_alone": round(100 * mean(alone.values()), 2),
        "mean_together": round(100 * mean(accuracy.values()), 2),
        "spread_alone": round(100 * (max(alone.values()) - min(alone.values())), 2),
        "spread_together": round(100 * (max(accuracy.values()) - min(accuracy.values())), 2),
    }
    if args.sharing:
        figures |= {
            "dataslices": len(together.slices),
            "threshold": args.threshold,
            "uses": sum(item.uses for item in together.slices),
            "most_uses": max(item.uses for item in together.slices),
            "overshoot": together.overshoot,
            "most_overshoot": max(item.overshoot for item in together.slices),
            "begun_unheard": sum(item.unheard for item in together.slices),
        }
    if args.json:
        each_peer = [
            {"peer": name, "alone": 100 * alone[name] if name in alone else None, "together": 100 * accuracy[name]}
            for name in accuracy
        ]
        print(json.dumps({**figures, "each": each_peer}))
        return
    print(f"{'peer':<12}{'cycles':>8}{'alone':>10}{'together':>10}   synthetic rows, % right of 5,000 that nobody saw")
    for each in together.peers:
        cells = "".join(f"{100 * found[each.name]:>10.2f}" if each.name in found else f"{'-':>10}" for found in (alone, accuracy))
        print(f"{each.name:<12}{each.cycle:>8}{cells}   {each.role}")
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):<20}{value!s:>12}")


if __name__ == "__main__":
    main()
