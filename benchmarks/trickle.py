"""Peers that are fed by a trickle of readings beside peers that have the same rows in a file, with and without spacing of passes.

    python benchmarks/trickle.py --data all_test.csv.gz

Three full peers have rows for validation only; three sensors append packets of readings to files in a folder that all peers read,
a packet each every ``--interval`` seconds. In the same run, and with the same seed, the same session is run with every
``--pass-spacings``, and with all rows in files. Accuracy on rows that nobody has, means over the peers; then the differences from
the files over all seeds, with the standard error. What order does to a single learner: ``spacing.py``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from hepmass import HIDDEN, PASSES, POLICIES, SLICE_SIZE, TRAINING, open_framework
from sessions import Member, RunningSession, Table, make_manifest, read_everything
from sharing import accuracy
from spacing import mean_and_error
from tangle_sessions import await_readings

from learnae.data.assignment import is_validation
from learnae.performing.opening import STREAM_SPACING
from learnae.values.manifest import Manifest

PEERS = ("ann", "bob", "cyd")
SENSORS = ("north", "south", "east")
PACKET = 50


class FedSession(RunningSession):
    """Peers that read sensors' files in a folder."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        super().__init__(folder, manifest)
        self.sensors = folder / "sensors"
        self.sensors.mkdir()

    def network(self, name: str, ledger: str) -> dict[str, object]:
        """Return the settings by which a peer finds the others, and its sensors."""
        return {
            **super().network(name, ledger),
            "network.sensors": "localfs",
            "plugins.localfs.sensors_folder": self.sensors,
        }

    def trickle(self, streams: dict[str, Table], interval_s: float) -> None:
        """Append all readings, a packet of each sensor at a time."""
        columns = (*self.manifest.features, "label")
        for at in range(0, max(len(rows) for rows in streams.values()), PACKET):
            for name, rows in streams.items():
                lines = [json.dumps(dict(zip(columns, map(float, row), strict=True))) for row in rows[at : at + PACKET]]
                with (self.sensors / f"{name}.jsonl").open("a") as file:
                    file.write("".join(line + "\n" for line in lines))
            time.sleep(interval_s)
        for name in streams:
            with (self.sensors / f"{name}.jsonl").open("a") as file:
                file.write('{"learnae": "end"}\n')


class Trial:
    """One seed: the same rows, from a file and as a trickle."""

    def __init__(self, options: argparse.Namespace, seed: int, folder: Path) -> None:
        self.options, self.folder = options, folder
        features, rows, classes = read_everything(options.data, options.label, options.exclude)
        shuffled = rows[np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))]
        self._averaging, judge = POLICIES[options.policy]
        self.manifest = make_manifest(
            "trickle", features, classes, hidden=HIDDEN, seed=seed, judge=judge, slice_size=SLICE_SIZE, passes=PASSES
        )
        self.test, pool = shuffled[: options.test_rows], shuffled[options.test_rows :]
        side = is_validation(pool, self.manifest)
        training, validation = pool[~side][: options.rows], pool[side][: len(PEERS) * options.validation_rows]
        if len(training) < options.rows or len(validation) < len(PEERS) * options.validation_rows:
            sys.exit(f"{options.data}: {len(rows)} rows are too few")
        self.streams = dict(zip(SENSORS, np.array_split(training, len(SENSORS)), strict=True))
        self.validation = dict(zip(PEERS, np.array_split(validation, len(PEERS)), strict=True))
        self.framework = open_framework("numpy", self.manifest, folder)

    def by_file(self) -> float:
        """Let the peers train on the same rows in files; return their mean accuracy in percent."""
        session = RunningSession(self.folder / "files", self.manifest)
        everything = np.concatenate(list(self.streams.values()))
        self._start(session, {name: np.concatenate([rows, everything]) for name, rows in self.validation.items()})
        return self._score(session)

    def fed(self, spacing: int) -> float:
        """Let the peers train on what sensors stream; return their mean accuracy in percent."""
        session = FedSession(self.folder / f"fed-{spacing}", self.manifest)
        try:
            self._start(session, self.validation, pass_spacing=spacing, pass_hold_s=self.options.quiet_period)
            session.trickle(self.streams, self.options.interval)
            for name in PEERS:
                await_readings(session, name, self.options.rows, self.options.deadline)
        except BaseException:
            session.stop()
            raise
        return self._score(session)

    def _start(self, session: RunningSession, files: dict[str, Table], **training: float) -> None:
        for name, rows in files.items():
            session.start(
                Member(name, rows),
                framework="numpy",
                averaging=self._averaging,
                training={**TRAINING, **training},
                expect_peers=len(PEERS) - 1,
                quiet_period_s=self.options.quiet_period,
            )

    def _score(self, session: RunningSession) -> float:
        session.wait(self.options.deadline)
        return statistics.mean(accuracy(self.framework, session, name, self.test) for name in PEERS)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=["mass"])
    parser.add_argument("--rows", type=int, default=3_000, help="of all sensors together")
    parser.add_argument("--validation-rows", type=int, default=100, help="of each peer")
    parser.add_argument("--test-rows", type=int, default=1_600)
    parser.add_argument("--policy", choices=list(POLICIES), default="soup", help="pairwise is the paper's, soup the better one")
    parser.add_argument("--interval", type=float, default=0.7, help="seconds between two packets of a sensor")
    parser.add_argument("--quiet-period", type=float, default=3.0, help="seconds; of the peers, and the hold of passes")
    parser.add_argument("--pass-spacings", type=int, nargs="+", default=[0, STREAM_SPACING], help="each is tried")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--deadline", type=float, default=300.0, help="seconds for each step of a session")
    options = parser.parse_args()
    apart: dict[int, list[float]] = {spacing: [] for spacing in options.pass_spacings}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
        try:
            trial = Trial(options, seed, folder)
            fed = {spacing: trial.fed(spacing) for spacing in options.pass_spacings}
            files = trial.by_file()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        cells = "   ".join(f"fed, spacing {spacing}: {score:5.2f}" for spacing, score in fed.items())
        print(f"seed {seed}: files {files:5.2f}   {cells}", flush=True)
        for spacing, score in fed.items():
            apart[spacing].append(score - files)
    first = apart[options.pass_spacings[0]]
    for spacing, found in apart.items():
        gained = [one - other for one, other in zip(found, first, strict=True)]
        beside = f"   {mean_and_error(gained)} beside spacing {options.pass_spacings[0]}" if found is not first else ""
        print(f"spacing {spacing:5}: {mean_and_error(found)} beside files{beside}")


if __name__ == "__main__":
    main()
