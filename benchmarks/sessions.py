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

import msgspec
import numpy as np
from numpy.typing import NDArray

from learnae.codec.digests import plain_digest
from learnae.codec.manifests import session_id, write_manifest
from learnae.codec.weights import decode_weights, encode_weights
from learnae.config.settings import AveragingSection, NetworkSection, PeerSection, PeerSettings
from learnae.config.template import commented_toml
from learnae.config.training import TrainingSection
from learnae.data.describe import describe
from learnae.data.rows import BadRows, read_raw
from learnae.data.synthetic import write_csv
from learnae.performing.store import Store
from learnae.values.choices import Averaging, Judge, Role
from learnae.values.ids import Digest
from learnae.values.manifest import Manifest, Mlp
from learnae.values.mlp import mlp_initial_weights, mlp_parameters

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
) -> Manifest:
    """Write the terms of a binary session without scaling: HEPMASS is scaled already."""
    mlp = Mlp(hidden)
    draft = Manifest(
        name=name,
        task="binary",  # type: ignore[arg-type]
        features=tuple(features),
        target="label",
        classes=tuple(classes),
        centre=(0.0,) * len(features),
        scale=(1.0,) * len(features),
        architecture=mlp,
        parameters=mlp_parameters(len(features), 1, mlp),
        initial=Digest("0" * 64),
        seed=seed,
        slice_size=slice_size,
        passes=passes,
        sharing=sharing,
        overuse_threshold=overuse_threshold,
        judge=judge,
        min_gain=1e-4 if judge is Judge.LOSS else 0.0,
    )
    draft = msgspec.convert(msgspec.to_builtins(draft), Manifest)
    return msgspec.structs.replace(draft, initial=plain_digest(encode_weights(mlp_initial_weights(draft))))


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
        settings = PeerSettings(
            peer=PeerSection(session=self.folder / "session.json", data=data, state=state, role=member.role, until=until),
            training=TrainingSection(framework=framework, **training),  # type: ignore[arg-type]
            averaging=AveragingSection(policy=averaging),
            network=NetworkSection(
                transport="localfs",
                expect_peers=expect_peers,
                quiet_period_s=quiet_period_s,
                presence_interval_s=0.5,
                retry_s=0.5,
            ),
            plugins={"localfs": {"folder": str(self.folder / ledger), "poll_interval_s": 0.05}},
        )
        config = self.folder / f"{member.name}.toml"
        config.write_text(commented_toml(settings))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with (self.folder / f"{member.name}.log").open("ab") as log:
            self.processes[member.name] = subprocess.Popen(
                [sys.executable, "-m", "learnae", "run", "--config", str(config), "--quiet"],
                stdout=log,
                stderr=log,
                env=environment,
            )

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

    def model(self, name: str) -> dict[str, NDArray[np.float32]]:
        """Return the peer's final model: its current one."""
        store = Store.open(self.folder / name / "peer.sqlite", session_id(self.manifest))
        try:
            own = store.model()
            if own is None:
                return mlp_initial_weights(self.manifest)
            return decode_weights(own.weights, self.manifest)
        finally:
            store.close()
