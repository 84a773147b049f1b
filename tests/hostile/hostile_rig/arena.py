"""A session in a folder, with real peers in it and room for strangers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from learnae.codec.digests import plain_digest
from learnae.codec.identity import Identity
from learnae.codec.manifests import session_id, write_manifest
from learnae.codec.seal import Seal, secret_check, write_secret
from learnae.codec.weights import encode_weights
from learnae.config.settings import AveragingSection, NetworkSection, PeerSection, PeerSettings
from learnae.config.template import commented_toml
from learnae.config.training import TrainingSection
from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.values.choices import Judge, Task
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import AnyFact, JournalLine, MessageIgnored
from learnae.values.manifest import Limits, Manifest, Mlp
from learnae.values.mlp import mlp_initial_weights, mlp_parameters

FEATURES = tuple(f"blood_value_{index}" for index in range(27))
TARGET = "diagnosis"
DEADLINE_S = 60.0
SENTINEL_BYTES = 5_000
LIMITS = Limits(hashlist_bytes=2**20, board_bytes=2**21, subjects_per_peer=256)


def make_manifest(**terms: Any) -> Manifest:
    """Write the terms of a small binary session judged by loss."""
    mlp = Mlp((8,))
    draft = Manifest(
        name="hostile", task=Task.BINARY, features=FEATURES, target=TARGET, classes=("0", "1"), centre=(0.0,) * 27,
        scale=(1.0,) * 27, architecture=mlp, parameters=mlp_parameters(27, 1, mlp), initial=Digest("0" * 64), slice_size=40,
        passes=2, validation_share=0.3, judge=Judge.LOSS, min_gain=1e-3, limits=LIMITS,
    )  # fmt: skip
    return msgspec.structs.replace(draft, **{"initial": plain_digest(encode_weights(mlp_initial_weights(draft))), **terms})


@dataclass
class RunningPeer:
    """A real peer: ``learnae run`` in a process of its own."""

    state: Path
    peer: PeerId
    process: subprocess.Popen[bytes]
    log: Path
    _read: int = 0
    _facts: list[AnyFact] = field(default_factory=list)

    def facts(self) -> list[AnyFact]:
        """Return everything in its journal so far."""
        journal = self.state / "events.jsonl"
        if journal.exists():
            with journal.open("rb") as file:
                file.seek(self._read)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read += len(whole)
            self._facts += [msgspec.json.decode(line, type=JournalLine).fact for line in whole.splitlines()]
        return self._facts

    def wait_for(self, what: str, found: Callable[[list[AnyFact]], bool], *, since: int = 0) -> None:
        """Wait until the facts from ``since`` on satisfy a condition; fail with what it did instead."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not found(self.facts()[since:]):
            assert self.process.poll() is None, f"{what}: the peer ended: {self.log.read_text()[-3000:]}"
            assert time.monotonic() < deadline_s, f"{what}: not within {DEADLINE_S} s, but {self.facts()[since:][-12:]}"
            time.sleep(0.01)

    def memory_bytes(self) -> int:
        """Return the resident memory."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def stop(self) -> int:
        """Stop it in an orderly way and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Arena:
    """One session; leaves no process behind when it is closed."""

    def __init__(self, path: Path, *, secret: bytes | None = None, **terms: Any) -> None:
        self.path = path
        self.manifest = make_manifest(**terms, secret_check=secret_check(secret) if secret else None)
        self.session = session_id(self.manifest)
        self.seal = Seal(self.session, secret)
        self.ledger = path / "ledger"
        self.peers: dict[str, RunningPeer] = {}
        self._sentinels = 0
        write_manifest(path / "session.json", self.manifest)
        self.secret_file = path / "session.secret" if secret else None
        if secret:
            write_secret(path / "session.secret", secret)

    @property
    def messages(self) -> Path:
        """Where announcements lie."""
        return self.ledger / "learnae" / "v1" / self.seal.rendezvous / "messages"

    @property
    def files(self) -> Path:
        """Where files lie."""
        return self.ledger / "learnae" / "v1" / self.seal.rendezvous / "files"

    @property
    def victim(self) -> RunningPeer:
        """The peer under attack."""
        return self.peers["victim"]

    def start(
        self, name: str, *, rows: int, seed: int, learning_rate: float, private: bool | None = None, **network: Any
    ) -> RunningPeer:
        """Start a peer, or start it again.

        Args:
            name: Of its state folder.
            rows: How many of its own; validation rows are among them.
            seed: Of rows and identity.
            learning_rate: A tiny one makes a peer whose own training changes nothing, so that what it gains it got from others.
            private: Whether it keeps its rows; by default the manifest decides.
            **network: Settings that differ.
        """
        state = self.path / name
        key = identity_seed(seed)
        if not state.exists():
            state.mkdir(mode=0o700)
            pem = Ed25519PrivateKey.from_private_bytes(key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (state / "identity.key").write_bytes(pem)
            (state / "identity.key").chmod(0o600)
        _, table = synthetic_rows(rows, seed)
        write_csv(self.path / f"{name}.csv", (TARGET, *FEATURES), table)
        settings = PeerSettings(
            peer=PeerSection(
                session=self.path / "session.json",
                data=self.path / f"{name}.csv",
                state=state,
                secret_file=self.secret_file,
                private=private,
            ),
            training=TrainingSection(framework="numpy", epochs=1, learning_rate=learning_rate),
            averaging=AveragingSection(),
            network=NetworkSection(
                **{
                    "quiet_period_s": 0.3,
                    "presence_interval_s": 0.15,
                    "retry_s": 1.0,
                    "retention_s": 5.0,
                    "fetch_timeout_s": 5.0,
                    **network,
                }
            ),
            plugins={"localfs": {"folder": str(self.ledger), "poll_interval_s": 0.02, "fsync": False}},
        )
        (self.path / f"{name}.toml").write_text(commented_toml(settings))
        log = self.path / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "learnae", "run", "--config", str(self.path / f"{name}.toml"), "--quiet"],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self.peers[name] = RunningPeer(state, Identity.from_seed(key).peer, process, log)
        return self.peers[name]

    def is_sentinel(self, fact: AnyFact) -> bool:
        """Say whether a fact is about a sentinel."""
        return isinstance(fact, MessageIgnored) and SENTINEL_BYTES < fact.bytes <= SENTINEL_BYTES + self._sentinels

    def wait_until_everything_was_read(self) -> None:
        """Wait until the victim has read whatever lies in the folder now.

        A look at the folder may be under way, so the second of two sentinels, put there after the first was seen, proves it.
        """
        for _ in range(2):
            self._sentinels += 1
            size = SENTINEL_BYTES + self._sentinels
            since = len(self.victim.facts())
            self.post("5e" * 32, "5e" * 32, b"!" * size)
            self.victim.wait_for("a sentinel", lambda facts, size=size: _ignored(facts, size), since=since)  # type: ignore[misc]

    def post(self, owner: str, slot: str, message: bytes) -> Path:
        """Write a well-framed message."""
        from learnae_localfs.frames import write_frame

        return self.write(self.messages / owner / slot, write_frame(message))

    def write(self, path: Path, data: bytes) -> Path:
        """Write a file at once, as a careful writer would."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.parent / ".draft"
        draft.write_bytes(data)
        draft.replace(path)
        return path

    def close(self) -> None:
        """End every peer."""
        for peer in self.peers.values():
            peer.stop()


def _ignored(facts: list[AnyFact], size: int) -> bool:
    return any(isinstance(fact, MessageIgnored) and fact.bytes == size for fact in facts)


def identity_seed(number: int) -> bytes:
    """Return the seed of a key, by number."""
    return np.random.Generator(np.random.PCG64([77, number])).bytes(32)
