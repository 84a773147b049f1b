"""Kill one of several peers with SIGKILL at random moments, and start it again with the same command; then let a late peer join.

    python benchmarks/kills.py --data all_test.csv.gz --label label --exclude mass --kills 20

After every kill a separate reader takes the peer's state from a copy of its files: same key, no cycle lost that the journal saw
end, the model whole. After starts: the same bytes, the same cycle. In the end everybody finishes; one more peer joins when the
others have exited, and another time while they keep running, and is scored on rows that nobody trained or chose with.
Without ``--data`` the rows are synthetic.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hepmass import TRAINING, open_framework
from sessions import Member, RunningSession, Table, make_manifest, read_everything

from learnae.codec.digests import plain_digest
from learnae.data.rows import to_rows
from learnae.data.synthetic import SYNTHETIC_COLUMNS, synthetic_rows
from learnae.errors import LearnaeError
from learnae.report.reading import read_journal
from learnae.values.choices import Averaging, Judge
from learnae.values.journal import AnyFact, CycleEnded, PeerStarted, SliceUsed

HIDDEN = (64, 32)
SLICE_SIZE = 80
POLL_S = 0.02
STARTUP_SHARE = 0.2
"""How many of the kills fall into the start of the program; the others come while it trains, averages or rests."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a reader of its own finds in a peer's state."""

    key: bytes | None
    own: str | None
    model: str | None
    weights: bytes | None
    cycle: int
    sequence: int
    uses: dict[str, int]


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, and what was found.

    Attributes:
        after_s: How long the process had lived.
        at: What it was doing, as its journal says.
        cycle: Durable work cycles.
        lost: Cycles that the journal saw end and the state does not know: must be 0.
        same_key: The identity is as it was.
        whole: The stored model is what its digest says, and the one that the state names.
        same_model: What the next process began with is the same bytes; ``None`` until it began.
    """

    number: int
    after_s: float
    at: str
    cycle: int
    lost: int
    same_key: bool
    whole: bool
    same_model: bool | None = None

    @property
    def is_good(self) -> bool:
        """Whether all is as it must be."""
        return not self.lost and self.same_key and self.whole and self.same_model is not False


def read_snapshot(state: Path) -> Snapshot:
    """Read a state folder from copies of its files, so that looking changes nothing, and a running peer is not disturbed."""
    key = (state / "identity.key").read_bytes() if (state / "identity.key").exists() else None
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("-wal", ""):
            source = state / f"peer.sqlite{suffix}"
            if source.exists():
                shutil.copy(source, folder)
        connection = sqlite3.connect(Path(folder) / "peer.sqlite")
        try:
            if connection.execute("PRAGMA user_version").fetchone() == (0,):
                return Snapshot(key, None, None, None, 0, 0, {})
            found = connection.execute("SELECT value FROM record WHERE tab = 'core'").fetchone()
            core = json.loads(found[0]) if found else {"own": {"model": None}, "cycle": 0, "sequence": 0}
            uses = {name: json.loads(value)["begun"] for name, value in _all(connection, "SELECT key, value FROM record", "uses")}
            model, weights = connection.execute("SELECT digest, weights FROM model").fetchone() or (None, None)
        finally:
            connection.close()
    return Snapshot(key, core["own"]["model"], model, weights, core["cycle"], core["sequence"], uses)


def _all(connection: sqlite3.Connection, query: str, table: str) -> list[tuple[str, bytes]]:
    return connection.execute(f"{query} WHERE tab = ?", (table,)).fetchall()


def facts(state: Path) -> list[AnyFact]:
    """Read a journal as ``learnae report`` does; a line that is being written is left out."""
    path = state / "events.jsonl"
    return [line.fact for line in read_journal(path).lines] if path.exists() else []


class Victim:
    """The peer that is killed."""

    def __init__(self, session: RunningSession, member: Member, start: dict[str, Any]) -> None:
        self.session, self.member, self._start = session, member, start
        self.state = session.folder / member.name
        self._key: bytes | None = None
        self._starts = 0
        self._began_s = 0.0

    def start(self) -> None:
        """Start it, with the same command every time."""
        self._starts, self._began_s = self.starts(), time.monotonic()
        self.session.start(self.member, **self._start)

    def starts(self) -> int:
        """Count how often it began, by its journal."""
        return sum(isinstance(fact, PeerStarted) for fact in facts(self.state))

    def kill_after(self, number: int, delay_s: float, *, since_it_runs: bool, deadline_s: float) -> Kill:
        """Kill it some time after its process was started, or after it began to run; then look at what is there."""
        process = self.session.processes[self.member.name]
        while since_it_runs and self.starts() == self._starts:
            if time.monotonic() - self._began_s > deadline_s or process.poll() is not None:
                raise RuntimeError(f"{self.member.name} does not begin: {self.log()}")
            time.sleep(POLL_S)
        time.sleep(delay_s)
        if process.poll() is not None:
            raise RuntimeError(f"{self.member.name} ended by itself: {self.log()}")
        process.kill()
        process.wait()
        lived_s = time.monotonic() - self._began_s
        found = read_snapshot(self.state)
        seen = [fact for fact in facts(self.state) if isinstance(fact, CycleEnded)]
        same_key = self._key in (None, found.key)
        self._key = found.key
        whole = found.weights is None or plain_digest(found.weights) == found.model == found.own
        if seen and seen[-1].cycle == found.cycle:
            whole = whole and seen[-1].current == found.own
        lost = max(0, seen[-1].cycle - found.cycle) if seen else 0
        at = self.session.phase(self.member.name) if self.starts() > self._starts else "starting"
        return Kill(number, lived_s, at, found.cycle, lost, same_key, whole)

    def goes_on_from(self, last: Snapshot, deadline_s: float) -> bool:
        """Watch the state of a process that was just started: until its next cycle ends, it holds the same bytes."""
        until_s = time.monotonic() + deadline_s
        while self.starts() == self._starts:
            if read_snapshot(self.state) != last and self.starts() == self._starts:
                return False
            if time.monotonic() > until_s:
                raise RuntimeError(f"{self.member.name} does not begin: {self.log()}")
            time.sleep(POLL_S)
        started = [fact for fact in facts(self.state) if isinstance(fact, PeerStarted)][-1]
        now = read_snapshot(self.state)
        unchanged = now.cycle > last.cycle or (now.model, now.weights) == (last.model, last.weights)
        monotone = now.sequence >= last.sequence and all(now.uses.get(key, 0) >= uses for key, uses in last.uses.items())
        return unchanged and monotone and started.cycle == last.cycle and started.resumed == (last.own is not None)

    def log(self) -> str:
        """Return the end of what it said."""
        return (self.session.folder / f"{self.member.name}.log").read_text()[-1000:]


class Rehearsal:
    """One run of the benchmark."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        if options.data is None:
            _, drawn = synthetic_rows(options.test_rows + (options.peers + 1) * options.rows, options.seed)
            features, classes = SYNTHETIC_COLUMNS[1:], ("0", "1")
            rows: Table = np.concatenate([drawn[:, 1:], drawn[:, :1]], axis=1)
        else:
            features, rows, classes = read_everything(options.data, options.label, options.exclude)
        order = np.random.Generator(np.random.PCG64(options.seed)).permutation(len(rows))
        need = options.test_rows + (options.peers + 1) * options.rows
        if len(rows) < need:
            sys.exit(f"{options.data}: {len(rows)} rows; {need} are needed")
        self.test = rows[order[: options.test_rows]]
        mine = rows[order[options.test_rows : need]]
        self.members = [Member(f"peer{i}", mine[i * options.rows : (i + 1) * options.rows]) for i in range(options.peers + 1)]
        self.manifest = make_manifest(
            "kills",
            features,
            classes,
            hidden=HIDDEN,
            seed=options.seed,
            judge=Judge.ACCURACY,
            slice_size=SLICE_SIZE,
            passes=options.passes,
            overuse_threshold=options.passes,
        )
        self.framework = open_framework("numpy", self.manifest, folder)
        self._start = {
            "framework": options.framework,
            "averaging": Averaging.PAIRWISE,
            "training": {**TRAINING, "epochs": 1},
            "expect_peers": options.peers - 1,
        }
        self.session = RunningSession(folder / "session", self.manifest)

    def accuracy(self, session: RunningSession, member: Member) -> float:
        """Score a peer's model on the test rows, in percent."""
        return 100 * self.framework.evaluate(session.model(member.name), to_rows(self.test, self.manifest)).accuracy

    def finish(self, session: RunningSession, members: Sequence[Member]) -> None:
        """Wait until all of these are at rest at the same time."""
        until_s = time.monotonic() + self.options.deadline_s
        names = [member.name for member in members]
        while set(phases := [session.phase(name) for name in names]) != {"finished"}:
            ended = [name for name, process in session.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > until_s:
                raise RuntimeError(f"ended: {ended}; {dict(zip(names, phases, strict=True))}")
            time.sleep(0.2)

    def kill(self) -> list[Kill]:
        """Start everybody; kill the first again and again; let all finish and stop."""
        *members, _ = self.members
        for member in members[1:]:
            self.session.start(member, **self._start)
        victim = Victim(self.session, members[0], self._start)
        seeded = random.Random(self.options.seed)  # noqa: S311 - moments, not secrets
        victim.start()
        kills: list[Kill] = []
        early = [seeded.random() < STARTUP_SHARE for _ in range(self.options.kills)]
        for number, is_early in enumerate(early, start=1):
            delay_s = seeded.uniform(0.0, 1.0 if is_early else self.options.spacing_s)
            kill = victim.kill_after(number, delay_s, since_it_runs=not is_early, deadline_s=self.options.deadline_s)
            last = read_snapshot(victim.state)
            kills.append(kill)
            print(f"kill {number}: {kill}", file=sys.stderr, flush=True)
            victim.start()
            if not any(early[number : number + 1]):  # one that is to die before it runs cannot be watched
                same = victim.goes_on_from(last, self.options.deadline_s)
                kills[-1] = Kill(**{**asdict(kill), "same_model": same})
        self.finish(self.session, members)
        self.session.stop()
        return kills

    def join(self, *, running: bool) -> dict[str, Any]:
        """Let one more peer join what the others left, or while they are there at rest."""
        *members, late = self.members
        session = self.session
        if running:
            for member in members:
                session.start(member, **self._start)
            self.finish(session, members)
        else:
            session = RunningSession(self.folder / "left", self.manifest)
            for name in ["ledger", *(member.name for member in members)]:
                shutil.copytree(self.session.folder / name, session.folder / name)
        session.start(late, **{**self._start, "expect_peers": self.options.peers})
        began_s = time.monotonic()
        self.finish(session, self.members if running else [late])
        seconds = time.monotonic() - began_s
        session.stop()
        scores = [self.accuracy(session, member) for member in members]
        mine = self.accuracy(session, late)
        return {"others": scores, "late": mine, "behind": max(scores) - mine, "seconds": seconds}

    def check_uses(self) -> int:
        """Return the highest number of a pass that the victim ever began."""
        state = self.session.folder / self.members[0].name
        return max((fact.own for fact in facts(state) if isinstance(fact, SliceUsed)), default=0)


def print_tables(kills: Sequence[Kill], joins: dict[str, dict[str, Any]], most_begun: int, options: argparse.Namespace) -> None:
    """Print what happened, and whether it is as it must be."""
    data = "synthetic rows" if options.data is None else "rows of the file"
    print(f"{options.peers} peers x {options.rows} {data}, {options.framework}, {options.passes} passes, seed {options.seed}")
    print(f"{'kill':>4} {'after s':>8} {'while':>10} {'cycle':>6} {'lost':>5} {'same key':>9} {'whole':>6} {'same bytes':>11}")
    words = {True: "yes", False: "NO", None: "not looked"}
    for kill in kills:
        print(
            f"{kill.number:4} {kill.after_s:8.2f} {kill.at:>10} {kill.cycle:6} {kill.lost:5} {words[kill.same_key]:>9} "
            f"{words[kill.whole]:>6} {words[kill.same_model]:>11}"
        )
    good = sum(kill.is_good for kill in kills)
    looked = sum(kill.same_model is not None for kill in kills)
    print(f"{good} of {len(kills)} kills without harm, {looked} starts watched")
    print(f"highest pass begun over one slice: {most_begun} of {options.passes}")
    for name, join in joins.items():
        others = ", ".join(f"{score:.2f}" for score in join["others"])
        verdict = "within a point" if join["behind"] <= 1.0 else "MORE THAN A POINT BEHIND"
        print(
            f"a late peer, the others {name}: {join['late']:.2f} % after {join['seconds']:.1f} s; others {others}: "
            f"{join['behind']:+.2f} behind the best, {verdict}"
        )


def main() -> None:
    """Run the benchmark; exit with 1 if something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="CSV, gzipped CSV or Parquet; without it, synthetic rows")
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=[], help="columns that are no features")
    parser.add_argument("--framework", default="jax")
    parser.add_argument("--peers", type=int, default=4)
    parser.add_argument("--rows", type=int, default=400, help="rows of a peer, for training and validation")
    parser.add_argument("--test-rows", type=int, default=1600)
    parser.add_argument("--passes", type=int, default=100, help="many, so that the kills fall into work")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--spacing-s", type=float, default=2.0, help="the longest time from a start to a kill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deadline-s", type=float, default=180.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="learnae-kills-"))
    rehearsal = Rehearsal(options, folder)
    try:
        kills = rehearsal.kill()
        joins = {"have exited": rehearsal.join(running=False), "keep running": rehearsal.join(running=True)}
        most_begun = rehearsal.check_uses()
    except LearnaeError as exc:
        sys.exit(str(exc))
    finally:
        rehearsal.session.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        found = {"kills": [asdict(kill) for kill in kills], "joins": joins, "most_begun": most_begun}
        print(json.dumps({**found, "options": {key: str(value) for key, value in vars(options).items()}}))
    else:
        print_tables(kills, joins, most_begun, options)
    is_good = all(kill.is_good for kill in kills) and most_begun <= options.passes
    sys.exit(0 if is_good and all(join["behind"] <= 1.0 for join in joins.values()) else 1)


if __name__ == "__main__":
    main()
