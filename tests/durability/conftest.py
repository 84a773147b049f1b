"""A small session over a folder, in which another peer has left its model, its rows and its board."""

import hashlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from learnae import offered_locators
from learnae.codec.boards import decode_board
from learnae.codec.digests import plain_digest
from learnae.codec.manifests import session_id, write_manifest
from learnae.codec.messages import decode_message
from learnae.codec.seal import Seal
from learnae.codec.weights import encode_weights
from learnae.config.settings import AveragingSection, NetworkSection, PeerSection, PeerSettings
from learnae.config.template import commented_toml
from learnae.config.training import TrainingSection
from learnae.data.synthetic import FEATURES, synthetic_rows, write_csv
from learnae.errors import BadContentError, ForgedError
from learnae.report.reading import read_journal
from learnae.values.announcements import SignedAnnouncement
from learnae.values.choices import Role, Task
from learnae.values.ids import Digest
from learnae.values.journal import CycleEnded, JournalLine, SliceUsed
from learnae.values.manifest import Manifest, Mlp
from learnae.values.mlp import mlp_initial_weights, mlp_parameters

CHILD = Path(__file__).with_name("child.py")
PASSES = 2
DEADLINE_S = 60.0


@dataclass(frozen=True)
class State:
    """What a reader of its own finds in a copy of ``peer.sqlite``."""

    own: str
    model: str | None
    weights: bytes | None
    cycle: int
    sequence: int
    uses: dict[str, int]
    queued: int


@dataclass
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str
    diary: list[dict[str, Any]] = field(default_factory=list)

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Stage:
    """A session's folder with some peers, each a process with the same command every time."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.session = session_id(manifest)
        self.ledger = folder / "ledger"

    def state(self, name: str) -> Path:
        return self.folder / name

    def describe(self, name: str, *, rows: int, seed: int, state: str | None = None, **options: Any) -> None:
        columns, table = synthetic_rows(rows, seed)
        data = self.folder / f"rows-{seed}.csv"
        if not data.exists():
            write_csv(data, columns, table)
        network = {"quiet_period_s": 0.3, "presence_interval_s": 0.2, "retry_s": 0.1, "transport": "localfs"}
        peer = {"until": "converged", "state": self.state(state or name), "role": Role.FULL, "data": data}
        settings = PeerSettings(
            peer=PeerSection(session=self.folder / "session.json", **{**peer, **options}),
            training=TrainingSection(framework="numpy", epochs=1, batch_size=16),
            averaging=AveragingSection(),
            network=NetworkSection(**network),
            plugins={"localfs": {"folder": str(self.ledger), "poll_interval_s": 0.05}},
        )
        self.config(name).write_text(commented_toml(settings))

    def config(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def diary(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.diary"
        return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    def start(self, name: str, *fate: object) -> subprocess.Popen[str]:
        command = [sys.executable, str(CHILD), str(self.config(name)), str(self.folder / f"{name}.diary"), *map(str, fate)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, process: subprocess.Popen[str]) -> Ended:
        try:
            out, err = process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"the peer does not end: {out} {err}") from None
        return Ended(process.returncode, out, err)

    def run(self, name: str, *fate: object) -> Ended:
        """Run a peer to its end; ``diary`` is what it wrote this time."""
        before = len(self.diary(name))
        ended = self.end(self.start(name, *fate))
        ended.diary = self.diary(name)[before:]
        return ended

    def read(self, name: str) -> State | None:
        """Read the durable state from a copy, so that looking changes nothing; ``None`` before the first commit."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for suffix in ("", "-wal"):
            source = self.state(name) / f"peer.sqlite{suffix}"
            if source.exists():
                shutil.copy(source, copy / source.name)
        if not (copy / "peer.sqlite").exists():
            return None
        connection = sqlite3.connect(copy / "peer.sqlite")
        try:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            if connection.execute("PRAGMA user_version").fetchone() == (0,):
                return None
            records = {(tab, key): json.loads(value) for tab, key, value in connection.execute("SELECT * FROM record")}
            model = connection.execute("SELECT digest, weights FROM model").fetchone() or (None, None)
        finally:
            connection.close()
        if ("core", "core") not in records:
            return None
        core = records["core", "core"]
        return State(
            own=core["own"]["model"],
            model=model[0],
            weights=model[1],
            cycle=core["cycle"],
            sequence=core["sequence"],
            uses={key: value["begun"] for (tab, key), value in records.items() if tab == "uses"},
            queued=sum(tab == "queue" for tab, _ in records),
        )

    def key(self, name: str) -> bytes | None:
        path = self.state(name) / "identity.key"
        return path.read_bytes() if path.exists() else None

    def journal(self, name: str) -> list[JournalLine]:
        """Read the journal as ``learnae report`` does: strictly."""
        return list(read_journal(self.state(name) / "events.jsonl").lines)

    def trained(self, name: str) -> Counter[str]:
        """Count the completed training cycles of each dataslice."""
        facts = [line.fact for line in self.journal(name)]
        return Counter(f.slice for f in facts if isinstance(f, CycleEnded) and f.kind == "train" and f.slice)

    def most_begun(self, name: str) -> int:
        return max((line.fact.own for line in self.journal(name) if isinstance(line.fact, SliceUsed)), default=0)

    def announcements(self, *names: str) -> list[SignedAnnouncement]:
        """Collect everything that was ever given to the ledger or lies there: messages and boards."""
        limits, seal = self.manifest.limits, Seal(self.session, None)
        found = []
        messages = [entry["published"].encode() for name in names for entry in self.diary(name) if "published" in entry]
        messages += [path.read_bytes()[48:] for path in self.ledger.glob("learnae/v1/*/messages/*/[0-9a-f]*")]
        for message in messages:
            try:
                found.append(decode_message(message, seal, session=self.session, limits=limits))
            except ForgedError:
                continue
        for path in self.ledger.glob("learnae/v1/*/files/*/[0-9a-f]*"):
            try:
                found.extend(decode_board(path.read_bytes(), session=self.session, limits=limits))
            except BadContentError:
                continue  # another kind of file
        return found

    def strays(self, name: str) -> set[str]:
        """Return the files that a peer offers and does not remember."""
        (peer,) = {line.peer for line in self.journal(name)}
        owner = Seal(self.session, None).owner(peer)
        there = {f"localfs:{owner}/{path.name}" for path in self.ledger.glob(f"learnae/v1/*/files/{owner}/[0-9a-f]*")}
        return there - offered_locators(self.state(name))

    def check_numbers(self, *names: str) -> None:
        """No author ever signed two different statements with one number."""
        seen: dict[tuple[str, int], SignedAnnouncement] = {}
        for signed in self.announcements(*names):
            place = (signed.announcement.author, signed.announcement.sequence)
            assert seen.setdefault(place, signed) == signed

    def initial_sha256(self) -> str:
        return hashlib.sha256(encode_weights(mlp_initial_weights(self.manifest))).hexdigest()


def make_manifest() -> Manifest:
    columns, _ = synthetic_rows(1, 0)
    mlp = Mlp((4,))
    draft = Manifest(
        name="durable",
        task=Task.BINARY,
        features=columns[1:],
        target="label",
        classes=("0", "1"),
        centre=(0.0,) * FEATURES,
        scale=(1.0,) * FEATURES,
        architecture=mlp,
        parameters=mlp_parameters(FEATURES, 1, mlp),
        initial=Digest("0" * 64),
        seed=1,
        slice_size=20,
        passes=PASSES,
        sharing=True,
        overuse_threshold=20,
    )
    return msgspec.structs.replace(draft, initial=plain_digest(encode_weights(mlp_initial_weights(draft))))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let a peer called bob train alone, share, and leave."""
    stage = Stage(tmp_path_factory.mktemp("prepared"), make_manifest())
    write_manifest(stage.folder / "session.json", stage.manifest)
    stage.ledger.mkdir()
    stage.describe("bob", rows=60, seed=2)
    ended = stage.run("bob")
    assert (ended.code, ended.out) == (0, "converged\n"), ended.err
    return stage.folder


@pytest.fixture
def stage(prepared: Path, tmp_path: Path) -> Stage:
    """Set a stage on which bob has been."""
    folder = tmp_path / "stage"
    shutil.copytree(prepared, folder)
    stage = Stage(folder, make_manifest())
    stage.describe("bob", rows=60, seed=2)
    stage.describe("anna", rows=120, seed=3)
    return stage
