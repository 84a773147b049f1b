"""Six peers over IPFS that join and leave for half an hour: what one that stays costs, minute after minute.

    KUBO_BINARY=ipfs python benchmarks/ipfs_soak.py --minutes 30 --figure soak.png --table soak.csv

Two peers stay; the others stop, are killed, and come back, on a seeded schedule. Every few seconds memory, open files and threads
of the peers that stay and of their daemons are read, and the sizes of their repositories. Growth is told for the second half: the
slope of a straight line through the samples, for ten minutes. The rows are synthetic.
"""

from __future__ import annotations

import argparse
import csv
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import psutil
from ipfs_faults import TRAINING, Scene
from numpy.typing import NDArray

STAY = ("ann", "bob")
COME_AND_GO = ("cyd", "dan", "eve", "fay")
SLOWLY = {**TRAINING, "epochs": 2_000}
"""Work cycles of seconds, as those of larger models on a machine of one's own."""

SAMPLE_S = 5.0
LEAVING_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one peer costs at one moment; bytes in MB."""

    seconds: float
    peer_mb: float
    peer_files: int
    peer_threads: int
    daemon_mb: float
    daemon_files: int
    repository_mb: float
    state_mb: float


GROWING = tuple(field.name for field in fields(Sample) if field.name != "seconds")


def size_mb(folder: Path) -> float:
    """Add up the files below a folder, some of which vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total / 1e6


def sample(scene: Scene, name: str, began_s: float) -> Sample | None:
    """Look at one peer and its daemon; ``None`` while one of them does not run."""
    peer = psutil.Process(scene.session.processes[name].pid)
    daemon = scene.session.daemon(name)
    if daemon is None:
        return None
    state = scene.session.folder / name
    repository = size_mb(state / "plugin-ipfs" / "repo")
    try:
        return Sample(
            time.monotonic() - began_s, peer.memory_info().rss / 1e6, peer.num_fds(), peer.num_threads(),
            daemon.memory_info().rss / 1e6, daemon.num_fds(), repository, size_mb(state) - repository,
        )  # fmt: skip
    except psutil.Error:
        return None


def growth(samples: list[Sample], field: str) -> float:
    """Return by how much a number grows in ten minutes, over the second half."""
    half = samples[len(samples) // 2 :]
    seconds: NDArray[np.float64] = np.array([each.seconds for each in half])
    values: NDArray[np.float64] = np.array([getattr(each, field) for each in half], dtype=np.float64)
    return float(600.0 * np.polyfit(seconds, values, 1)[0])


def disturb(scene: Scene, draw: random.Random) -> str:
    """Let one of those that come and go do so."""
    name = draw.choice(COME_AND_GO)
    process = scene.session.processes.get(name)
    if process is None or process.poll() is not None:
        scene.start(name)
        return f"{name} joins"
    kind = draw.choice(["leaves", "is killed"])
    process.send_signal(signal.SIGKILL if kind == "is killed" else signal.SIGINT)
    try:
        process.wait(LEAVING_S)
    except subprocess.TimeoutExpired:
        kind = f"does not leave within {LEAVING_S:g} s, and is killed"
        process.kill()
        process.wait()
    scene.session.processes.pop(name)
    return f"{name} {kind}"


def draw_figure(path: Path, samples: dict[str, list[Sample]]) -> None:
    """Draw every number over time, one panel each."""
    import matplotlib as mpl  # noqa: PLC0415 - only who wants the figure needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - the same

    titles = {
        "peer_mb": "peer: memory [MB]", "peer_files": "peer: open files", "peer_threads": "peer: threads",
        "daemon_mb": "daemon: memory [MB]", "daemon_files": "daemon: open files", "repository_mb": "repository [MB]",
        "state_mb": "peer's own state [MB]",
    }  # fmt: skip
    figure, panels = plt.subplots(4, 2, figsize=(12, 13), sharex=True, layout="constrained")
    for panel, (field, title) in zip(panels.flat, titles.items(), strict=False):
        for name, each in samples.items():
            panel.plot([one.seconds / 60 for one in each], [getattr(one, field) for one in each], label=name)
        panel.set_title(title)
        panel.set_ylim(bottom=0)
        panel.grid(visible=True, alpha=0.3)
        panel.legend(loc="lower right")
    panels.flat[-1].axis("off")
    for panel in panels[-1]:
        panel.set_xlabel("minutes")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every-s", type=float, default=20.0, help="seconds between two that come or go")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--framework", default="numpy")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    options.data, draw = None, random.Random(options.seed)  # noqa: S311 - moments, not secrets
    samples: dict[str, list[Sample]] = {name: [] for name in STAY}
    with Scene([*STAY, *COME_AND_GO], options, training=SLOWLY) as scene:
        for name in scene.members:  # else as peers are by default, but what is replaced goes sooner
            scene.session.extra[name] = {"network.retention_s": 60.0, "plugins.ipfs.slow_interval_s": 10.0}
        scene.start_all()
        began_s = time.monotonic()
        next_s = options.every_s
        events: list[str] = []
        while (now_s := time.monotonic() - began_s) < 60.0 * options.minutes:
            for name in STAY:
                if scene.session.processes[name].poll() is not None:
                    sys.exit(f"{name} ended: {(scene.session.folder / f'{name}.log').read_text()[-2000:]}")
                if (found := sample(scene, name, began_s)) is not None:
                    samples[name].append(found)
            if now_s >= next_s:
                next_s += options.every_s
                events.append(disturb(scene, draw))
                print(f"{now_s:6.0f} s  {events[-1]}", file=sys.stderr, flush=True)
            time.sleep(SAMPLE_S)  # the rhythm of the measurement
        print(f"{options.minutes:g} minutes, {len(events)} joins, leaves and kills; cycles: ", end="")
        print(", ".join(f"{name} {scene.cycles(name)}" for name in STAY))
    print(f"{'':16}" + "".join(f"{name + ': end':>14}{'10 min':>10}" for name in STAY))
    for field in GROWING:
        print(
            f"{field:16}" + "".join(f"{getattr(each[-1], field):14.1f}{growth(each, field):+10.2f}" for each in samples.values())
        )
    if options.table:
        with options.table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["peer", "seconds", *GROWING])
            writer.writerows(
                [name, each.seconds, *(getattr(each, field) for field in GROWING)] for name in STAY for each in samples[name]
            )
    if options.figure:
        draw_figure(options.figure, samples)


if __name__ == "__main__":
    main()
