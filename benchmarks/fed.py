"""What the benchmarks of fed peers share: three peers with rows for validation, three sensors with the rows for training."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from hepmass import HIDDEN, PASSES, POLICIES, SLICE_SIZE, TRAINING, open_framework
from sessions import Member, RunningSession, Table, make_manifest
from sharing import accuracy
from tangle_sessions import draw_rows

from learnae.data.assignment import is_validation
from learnae.performing.opening import STREAM_SPACING

PEERS = ("ann", "bob", "cyd")
SENSORS = ("north", "south", "east")


class FedTrial:
    """One seed: the same rows from sensors and in files."""

    def __init__(self, options: argparse.Namespace, seed: int, folder: Path) -> None:
        self.options, self.folder = options, folder
        per_sensor = options.packets * options.instances_per_packet
        need = options.test_rows + 5 * per_sensor  # of which a fifth is for validation
        features, rows, classes = draw_rows(options, need)
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))
        self._averaging, judge = POLICIES[options.policy]
        self.manifest = make_manifest(
            "fed", features, classes, hidden=HIDDEN, seed=seed, judge=judge, slice_size=SLICE_SIZE, passes=PASSES,
            sharing=options.sharing, overuse_threshold=1_000,
        )  # fmt: skip
        self.columns = ("label", *features)
        self.test, pool = rows[order[: options.test_rows]], rows[order[options.test_rows :]]
        side = is_validation(pool, self.manifest)
        validation, training = pool[side], pool[~side]
        streamed, kept = len(SENSORS) * per_sensor, len(PEERS) * options.file_rows
        if len(training) < streamed + kept:
            sys.exit(f"{len(training)} rows are for training; {streamed + kept} are needed: choose fewer --packets")
        self.streams = dict(zip(SENSORS, np.array_split(training[:streamed], len(SENSORS)), strict=True))
        parts = np.array_split(training[streamed : streamed + kept], len(PEERS))
        self.kept: dict[str, Table] = dict(zip(PEERS, parts, strict=True))
        parts = np.array_split(validation[: len(PEERS) * options.validation_rows], len(PEERS))
        self.validation: dict[str, Table] = dict(zip(PEERS, parts, strict=True))
        self.framework = open_framework(options.framework, self.manifest, folder)

    def by_file(self) -> dict[str, float]:
        """Let the peers train on the same rows in files; return the accuracies."""
        session = RunningSession(self.folder / "files", self.manifest)
        everything = np.concatenate(list(self.streams.values()))
        # Who shares trains on the few rows of the others' files too, and equal rows make equal dataslices, which count once.
        shared = list(self.kept.values()) if self.options.sharing else []
        self._start(
            session,
            {name: np.concatenate([self.validation[name], *(shared or [self.kept[name]]), everything]) for name in PEERS},
        )
        session.wait(self.options.deadline)
        return self._scores(session)

    def _start_fed(self, session: RunningSession, spacing: int) -> None:
        """Start peers that have no rows but those for validation, and the few of their files."""
        files = {name: np.concatenate([self.validation[name], self.kept[name]]) for name in PEERS}
        self._start(session, files, pass_spacing=spacing, pass_hold_s=self.options.quiet_period)

    def _start(self, session: RunningSession, files: dict[str, Table], **training: float) -> None:
        for name, rows in files.items():
            session.start(
                Member(name, rows), framework=self.options.framework, averaging=self._averaging,
                training={**TRAINING, **training}, expect_peers=len(PEERS) - 1, quiet_period_s=self.options.quiet_period,
            )  # fmt: skip

    def _scores(self, session: RunningSession) -> dict[str, float]:
        return {name: accuracy(self.framework, session, name, self.test) for name in PEERS}


def add_fed_options(parser: argparse.ArgumentParser) -> None:
    """Add what the benchmarks of fed peers can be told, beside what those of the Tangle can."""
    parser.add_argument("--packets", type=int, default=20, help="of each honest sensor")
    parser.add_argument("--validation-rows", type=int, default=100, help="of each peer")
    parser.add_argument("--file-rows", type=int, default=0, help="rows for training in each peer's file")
    parser.add_argument("--test-rows", type=int, default=1_600)
    parser.add_argument("--sharing", action="store_true")
    parser.add_argument("--quiet-period", type=float, default=20.0, help="seconds; of the peers, and the hold of passes")
    parser.add_argument("--pass-spacings", type=int, nargs="+", default=[STREAM_SPACING], help="each is tried")
