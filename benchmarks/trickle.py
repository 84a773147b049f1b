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
import tempfile
import time
from pathlib import Path

from fed import PEERS, FedTrial, add_fed_options
from sessions import RunningSession, Table
from spacing import mean_and_error
from tangle_sessions import add_options, await_readings

from learnae.performing.opening import STREAM_SPACING
from learnae.values.manifest import Manifest


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

    def trickle(self, streams: dict[str, Table], interval_s: float, packet: int) -> None:
        """Append all readings, a packet of each sensor at a time."""
        columns = (*self.manifest.features, "label")
        for at in range(0, max(len(rows) for rows in streams.values()), packet):
            for name, rows in streams.items():
                lines = [json.dumps(dict(zip(columns, map(float, row), strict=True))) for row in rows[at : at + packet]]
                with (self.sensors / f"{name}.jsonl").open("a") as file:
                    file.write("".join(line + "\n" for line in lines))
            time.sleep(interval_s)
        for name in streams:
            with (self.sensors / f"{name}.jsonl").open("a") as file:
                file.write('{"learnae": "end"}\n')


class Trial(FedTrial):
    """One seed: the same rows as a trickle and in files."""

    def fed(self, spacing: int) -> dict[str, float]:
        """Let the peers train on what sensors stream; return the accuracies."""
        session = FedSession(self.folder / f"fed-{spacing}", self.manifest)
        try:
            self._start_fed(session, spacing)
            session.trickle(self.streams, self.options.interval, self.options.instances_per_packet)
            for name in PEERS:
                await_readings(session, name, sum(map(len, self.streams.values())), self.options.deadline)
            session.wait(self.options.deadline)
        finally:
            session.stop()
        return self._scores(session)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    add_fed_options(parser)
    parser.add_argument("--interval", type=float, default=0.7, help="seconds between two packets of a sensor")
    parser.set_defaults(seeds=12, quiet_period=3.0, pass_spacings=[0, STREAM_SPACING], deadline=300.0)
    options = parser.parse_args()
    apart: dict[int, list[float]] = {spacing: [] for spacing in options.pass_spacings}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
        try:
            trial = Trial(options, seed, folder)
            fed = {spacing: statistics.mean(trial.fed(spacing).values()) for spacing in options.pass_spacings}
            files = statistics.mean(trial.by_file().values())
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
