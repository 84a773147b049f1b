"""Sessions of real peers for the benchmarks: each peer a process of its own, over a folder on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learnae.applying.states import read_own_model
from learnae.codec.manifests import write_manifest
from learnae.codec.seal import secret_check
from learnae.config.resolve import load_settings
from learnae.config.template import commented_toml
from learnae.data.describe import describe
from learnae.data.rows import BadRows, read_raw
from learnae.data.synthetic import write_csv
from learnae.demo.children import peer_environment
from learnae.founding.model import with_model
from learnae.founding.session import LEAST_LOSS_GAIN
from learnae.values.arrays import Weights
from learnae.values.choices import Averaging, Judge, Role, Task
from learnae.values.ids import Digest
from learnae.values.manifest import Manifest, Mlp
from learnae.values.mlp import mlp_initial_weights

Table = NDArray[np.float32]
"""float32 ``[rows, features + 1]``, unscaled, the target last."""


@dataclass(frozen=True, slots=True)
class Member:
    """One peer of a session; ``rows`` is ``None`` for a trainer."""

    name: str
    rows: Table | None
    role: Role = Role.FULL


def read_everything(path: Path, label: str, exclude: Sequence[str]) -> tuple[tuple[str, ...], Table, tuple[str, ...]]:
    """Read a benchmark's file whole: feature names, rows, classes."""
    found = describe(path, label=label, exclude=tuple(exclude), bad_rows=BadRows(), validation_share=0.2, seed=0)
    raw = np.concatenate(list(read_raw(path, found, bad_rows=BadRows())))
    return found.features, raw, found.classes


def make_manifest(
    name: str,
    features: Sequence[str],
    classes: Sequence[str],
    *,
    hidden: tuple[int, ...],
    seed: int,
    judge: Judge,
    slice_size: int,
    passes: int,
    sharing: bool = False,
    overuse_threshold: int = 20,
    secret: bytes | None = None,
) -> Manifest:
    """Write the terms of a binary session without scaling: HEPMASS is scaled already."""
    draft = Manifest(
        name=name,
        task=Task.BINARY,
        features=tuple(features),
        target="label",
        classes=tuple(classes),
        centre=(0.0,) * len(features),
        scale=(1.0,) * len(features),
        architecture=Mlp(hidden),
        parameters=(),
        initial=Digest("0" * 64),
        seed=seed,
        slice_size=slice_size,
        passes=passes,
        sharing=sharing,
        overuse_threshold=overuse_threshold,
        judge=judge,
        min_gain=LEAST_LOSS_GAIN if judge is Judge.LOSS else 0.0,
        secret_check=None if secret is None else secret_check(secret),
    )
    return with_model(draft, None)


class RunningSession:
    """Peers as processes; leaves none behind."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True)
        write_manifest(folder / "session.json", manifest)

    def start(
        self,
        member: Member,
        *,
        framework: str,
        averaging: Averaging,
        training: Mapping[str, object],
        ledger: str = "ledger",
        until: str = "forever",
        expect_peers: int = 0,
        quiet_period_s: float = 1.5,
    ) -> None:
        """Start a peer, or start it again."""
        state = self.folder / member.name
        data = None
        if member.rows is not None:
            data = self.folder / f"{member.name}.csv"
            if not data.exists():
                columns = ("label", *self.manifest.features)
                write_csv(data, columns, np.concatenate([member.rows[:, -1:], member.rows[:, :-1]], axis=1))
        given: dict[str, object] = {
            "peer.session": self.folder / "session.json",
            "peer.state": state,
            "peer.role": member.role,
            "peer.until": until,
            "training.framework": framework,
            "averaging.policy": averaging,
            "network.expect_peers": expect_peers,
            "network.quiet_period_s": quiet_period_s,
            "network.presence_interval_s": 0.5,
            "network.retry_s": 0.5,
        }
        given |= self.network(member.name, ledger)
        given |= {} if data is None else {"peer.data": data}
        settings = load_settings(None, {key: str(value) for key, value in given.items()} | _dotted("training", training)).settings
        config = self.folder / f"{member.name}.toml"
        config.write_text(commented_toml(settings))
        with (self.folder / f"{member.name}.log").open("ab") as log:
            self.processes[member.name] = subprocess.Popen(
                self.command(member.name, config), stdout=log, stderr=log, env=peer_environment(os.environ)
            )

    def network(self, name: str, ledger: str) -> dict[str, object]:
        """Return the settings by which a peer finds the others: here a shared folder of this name."""
        del name
        return {
            "network.transport": "localfs",
            "plugins.localfs.folder": self.folder / ledger,
            "plugins.localfs.poll_interval_s": 0.05,
        }

    def command(self, name: str, config: Path) -> list[str]:
        """Return the command that is this peer."""
        del name
        return [sys.executable, "-m", "learnae", "run", "--config", str(config), "--quiet"]

    def phase(self, name: str) -> str:
        """Return the peer's latest phase, as its journal says."""
        journal = self.folder / name / "events.jsonl"
        if not journal.exists():
            return "new"
        phases = [
            json.loads(line)["fact"]["after"]
            for line in journal.read_text().splitlines()
            if '"type":"phase"' in line and line.endswith("}")
        ]
        return str(phases[-1]) if phases else "new"

    def wait(self, deadline_s: float = 300.0) -> None:
        """Wait until every peer has finished at the same time, or has ended; then stop those that run.

        Raises:
            RuntimeError: A peer failed, or it takes too long.
        """
        began_s = time.monotonic()
        try:
            while True:
                codes = {name: process.poll() for name, process in self.processes.items()}
                failed = [name for name, code in codes.items() if code not in (None, 0)]
                if failed:
                    raise RuntimeError(f"{failed[0]}: {(self.folder / f'{failed[0]}.log').read_text()[-2000:]}")
                if all(code is not None or self.phase(name) == "finished" for name, code in codes.items()):
                    return
                if time.monotonic() - began_s > deadline_s:
                    phases = {name: self.phase(name) for name in codes}
                    raise RuntimeError(f"not finished after {deadline_s:g} s: {phases}")
                time.sleep(0.2)
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop every peer in an orderly way."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def model(self, name: str) -> Weights:
        """Return the peer's final model: its current one."""
        found = read_own_model(self.folder / name, self.manifest)
        return mlp_initial_weights(self.manifest) if found is None else found.weights


def _dotted(section: str, values: Mapping[str, object]) -> dict[str, object]:
    return {f"{section}.{name}": value for name, value in values.items()}
