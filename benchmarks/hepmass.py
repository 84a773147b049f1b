"""Alone, together by two policies, FedAvg and pooled training on the same rows: accuracy and spread over several seeds.

    python benchmarks/hepmass.py --data all_test.csv.gz --peers 8 --rows 400 --seeds 10

Peers are processes in privacy mode. Paired by seed, equal gradient steps; every peer's final model is its current one when all
have finished. Nothing is chosen on the test rows: the settings are LEARNAE's defaults, and the better policy is named here.
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
from typing import Any

import numpy as np
from baselines import federated, pooled
from scipy.stats import t as student
from sessions import Member, RunningSession, Table, make_manifest, read_everything

from learnae.data.assignment import is_validation
from learnae.data.rows import to_rows
from learnae.data.slicing import cut
from learnae.interfaces.framework import ModelFramework
from learnae.interfaces.provider import Capability, Context
from learnae.plugins.facade import Plugins
from learnae.values.choices import Averaging, Judge
from learnae.values.ids import PeerId, SessionId
from learnae.values.manifest import Manifest

EPOCHS, BATCH_SIZE = 5, 32
TRAINING = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "optimiser": "adam", "learning_rate": 1e-3}
HIDDEN = (64, 32)
SLICE_SIZE = 80
PASSES = 3
POLICIES = {"pairwise": (Averaging.PAIRWISE, Judge.ACCURACY), "soup": (Averaging.SOUP, Judge.LOSS)}
"""The paper's policy, and the better one: greedy soup judged by the loss."""

EXPECTED_SHARES = {"pairwise": 1 / 2, "soup": 2 / 3}
"""Of the way from alone to pooled: about what a prototype saw. A few seeds vary by more than they miss it by."""


def open_framework(name: str, manifest: Manifest, folder: Path) -> ModelFramework:
    """Open a framework as a peer does."""
    nobody = "0" * 64
    training = {**TRAINING, "schedule": None, "optimiser_options": {}, "schedule_options": {}}
    context = Context(
        manifest=manifest,
        session=SessionId(nobody),
        rendezvous=nobody,
        peer=PeerId(nobody),
        owner=nobody,
        state=folder,
        training=training,
    )
    return Plugins.discover().open(Capability.FRAMEWORK, name, context)


class Trial:
    """One seed: the same rows for everybody."""

    def __init__(
        self,
        features: tuple[str, ...],
        rows: Table,
        classes: tuple[str, ...],
        options: argparse.Namespace,
        seed: int,
        folder: Path,
    ) -> None:
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))
        need = options.test_rows + options.peers * options.rows
        if len(rows) < need:
            sys.exit(f"{options.data}: {len(rows)} rows; {need} are needed")
        self.options, self.seed, self.folder = options, seed, folder
        self.test = rows[order[: options.test_rows]]
        mine = rows[order[options.test_rows : need]]
        self.members = [Member(f"peer{i}", mine[i * options.rows : (i + 1) * options.rows]) for i in range(options.peers)]
        self.manifests = {
            judge: make_manifest(
                "benchmark", features, classes, hidden=HIDDEN, seed=seed, judge=judge, slice_size=SLICE_SIZE, passes=PASSES
            )
            for judge in Judge
        }
        self.framework = open_framework(options.framework, self.manifests[Judge.ACCURACY], folder)

    def accuracy(self, weights: Any) -> float:
        """Score a model on the test rows, in percent."""
        return 100 * self.framework.evaluate(weights, to_rows(self.test, self.manifests[Judge.ACCURACY])).accuracy

    def alone(self) -> list[float]:
        """Let every peer train without neighbours."""
        session = RunningSession(self.folder / "alone", self.manifests[Judge.ACCURACY])
        for member in self.members:
            session.start(
                member,
                framework=self.options.framework,
                averaging=Averaging.PAIRWISE,
                training=TRAINING,
                ledger=f"ledger-{member.name}",
                until="converged",
                quiet_period_s=0.1,
            )
        session.wait()
        return [self.accuracy(session.model(member.name)) for member in self.members]

    def together(self, policy: str) -> list[float]:
        """Let all peers train together."""
        averaging, judge = POLICIES[policy]
        session = RunningSession(self.folder / policy, self.manifests[judge])
        for member in self.members:
            session.start(
                member,
                framework=self.options.framework,
                averaging=averaging,
                training=TRAINING,
                expect_peers=len(self.members) - 1,
            )
        session.wait()
        return [self.accuracy(session.model(member.name)) for member in self.members]

    def plain(self) -> dict[str, float]:
        """Run the baselines."""
        manifest = self.manifests[Judge.ACCURACY]
        clients = []
        for member in self.members:
            assert member.rows is not None
            training = member.rows[~is_validation(member.rows, manifest)]
            clients.append([to_rows(piece, manifest) for piece in cut(training, SLICE_SIZE)])
        terms = {"passes": PASSES, "epochs": EPOCHS, "batch_size": BATCH_SIZE, "seed": self.seed}
        return {
            "fedavg": self.accuracy(federated(self.framework, clients, **terms)),
            "pooled": self.accuracy(pooled(self.framework, clients, **terms)),
        }


def interval(values: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean, by Student's t."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values) - half, statistics.mean(values) + half


def summarise(trials: list[dict[str, list[float]]]) -> dict[str, Any]:
    """Compare everything with training alone, paired by seed."""
    rows = {}
    alone = [statistics.mean(trial["alone"]) for trial in trials]
    pooled_gain = statistics.mean(trial["pooled"][0] for trial in trials) - statistics.mean(alone)
    for name in trials[0]:
        means = [statistics.mean(trial[name]) for trial in trials]
        spreads = [max(trial[name]) - min(trial[name]) for trial in trials]
        gains = [mean - base for mean, base in zip(means, alone, strict=True)]
        rows[name] = {
            "mean": statistics.mean(means),
            "spread": statistics.mean(spreads),
            "gain": statistics.mean(gains),
            "gain_interval": interval(gains),
            "spread_change": statistics.mean(spreads) - statistics.mean(max(t["alone"]) - min(t["alone"]) for t in trials),
            "share_of_pooled": statistics.mean(gains) / pooled_gain,
        }
    return rows


def bars(rows: dict[str, Any]) -> list[tuple[str, bool]]:
    """Say what each policy must show, and whether it did."""
    told = []
    for policy in POLICIES:
        row = rows[policy]
        low, change, share = row["gain_interval"][0], row["spread_change"], row["share_of_pooled"]
        told += [
            (f"{policy}: the lower end of the gain's interval is above zero: {low:+.2f}", low > 0),
            (f"{policy}: the mean spread falls: {change:+.2f}", change < 0),
            (
                f"{policy}: the share of the way is about {EXPECTED_SHARES[policy]:.2f}: {share:.2f}",
                share >= EXPECTED_SHARES[policy],
            ),
        ]
    return told


def print_table(rows: dict[str, Any], seeds: int, options: argparse.Namespace) -> None:
    """Print the table."""
    print(f"{options.peers} peers x {options.rows} rows, {options.test_rows} test rows, {seeds} seeds, {options.framework}; in %")
    print(f"{'':10} {'mean':>7} {'spread':>7} {'gain':>7} {'95 % interval':>17} {'spread change':>14} {'share of gain':>14}")
    print("share of gain: of the way from alone to pooled")
    for name, row in rows.items():
        low, high = row["gain_interval"]
        print(
            f"{name:10} {row['mean']:7.2f} {row['spread']:7.2f} {row['gain']:+7.2f} {low:+8.2f} {high:+8.2f} "
            f"{row['spread_change']:+14.2f} {row['share_of_pooled']:14.2f}"
        )
    for bar, met in bars(rows):
        print(f"{'met' if met else 'MISSED':7} {bar}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=["mass"], help="columns that are no features")
    parser.add_argument("--peers", type=int, default=8)
    parser.add_argument("--rows", type=int, default=400, help="rows of a peer, for training and validation")
    parser.add_argument("--test-rows", type=int, default=1600)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--framework", default="numpy", help="numpy starts faster; jax gives the same arithmetic")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    features, rows, classes = read_everything(options.data, options.label, options.exclude)
    began_s = time.monotonic()
    trials: list[dict[str, list[float]]] = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
        try:
            trial = Trial(features, rows, classes, options, seed, folder)
            result = {"alone": trial.alone()} | {policy: trial.together(policy) for policy in POLICIES}
            trials.append(result | {name: [value] for name, value in trial.plain().items()})
        finally:
            shutil.rmtree(folder)
        means = {name: round(statistics.mean(values), 2) for name, values in trials[-1].items()}
        print(f"seed {seed}: {means} after {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
    summary = summarise(trials)
    if options.json:
        told = [{"bar": bar, "met": met} for bar, met in bars(summary)]
        chosen = {name: str(value) for name, value in vars(options).items()}
        print(json.dumps({"trials": trials, "summary": summary, "bars": told, "options": chosen}))
    else:
        print_table(summary, len(trials), options)


if __name__ == "__main__":
    main()
