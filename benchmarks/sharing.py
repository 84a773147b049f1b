"""Dataslices that travel: a feeder, two trainers without rows, three full peers; uses of every slice, and the overshoot.

python benchmarks/sharing.py --data all_test.csv.gz --rows 400 --seeds 3
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
from hepmass import HIDDEN, PASSES, SLICE_SIZE, TRAINING, open_framework
from sessions import Member, RunningSession, Table, make_manifest, read_everything

from learnae.data.rows import to_rows
from learnae.interfaces.framework import ModelFramework
from learnae.values.choices import Averaging, Judge, Role
from learnae.values.journal import JournalLine, SliceSkipped, SliceUsed

LINES = msgspec.json.Decoder(JournalLine)


def uses_by_slice(folder: Path, names: list[str]) -> tuple[dict[str, int], int]:
    """Count the passes begun over every slice by all peers, and the passes dropped because of the threshold."""
    uses: dict[str, int] = defaultdict(int)
    skipped = 0
    for name in names:
        for line in (folder / name / "events.jsonl").read_bytes().splitlines():
            match LINES.decode(line).fact:
                case SliceUsed(slice=digest):
                    uses[digest] += 1
                case SliceSkipped():
                    skipped += 1
                case _:
                    pass
    return dict(uses), skipped


def accuracy(framework: ModelFramework, session: RunningSession, name: str, test: Table) -> float:
    """Score a peer's model on the test rows, in percent."""
    return 100 * framework.evaluate(session.model(name), to_rows(test, session.manifest)).accuracy


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=["mass"])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--test-rows", type=int, default=1600)
    parser.add_argument("--threshold", type=int, default=6, help="overuse threshold")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--framework", default="numpy", help="numpy starts faster; jax gives the same arithmetic")
    options = parser.parse_args()
    features, rows, classes = read_everything(options.data, options.label, options.exclude)
    roles = {
        "feeder": Role.FEEDER,
        "trainer0": Role.TRAINER,
        "trainer1": Role.TRAINER,
        "full0": Role.FULL,
        "full1": Role.FULL,
        "full2": Role.FULL,
    }
    for seed in range(options.seeds):
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))
        test = rows[order[: options.test_rows]]
        own = iter(np.array_split(rows[order[options.test_rows : options.test_rows + 4 * options.rows]], 4))
        members = [Member(name, None if role is Role.TRAINER else next(own), role) for name, role in roles.items()]
        manifest = make_manifest(
            "sharing",
            features,
            classes,
            hidden=HIDDEN,
            seed=seed,
            judge=Judge.ACCURACY,
            slice_size=SLICE_SIZE,
            passes=PASSES,
            sharing=True,
            overuse_threshold=options.threshold,
        )
        folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
        try:
            framework = open_framework(options.framework, manifest, folder)
            alone, together = RunningSession(folder / "alone", manifest), RunningSession(folder / "together", manifest)
            for member in members:
                if member.role is Role.FULL:
                    alone.start(
                        member, framework=options.framework, averaging=Averaging.PAIRWISE, training=TRAINING,
                        ledger=f"ledger-{member.name}", until="converged", quiet_period_s=0.1,
                    )  # fmt: skip
            alone.wait()
            for member in members:
                together.start(
                    member,
                    framework=options.framework,
                    averaging=Averaging.PAIRWISE,
                    training=TRAINING,
                    expect_peers=len(members) - 1,
                )
            together.wait()

            print(f"seed {seed}: accuracy in % on {len(test)} rows that nobody has")
            for member in members:
                if member.role is not Role.FEEDER:
                    before = f"{accuracy(framework, alone, member.name, test):6.2f}" if member.role is Role.FULL else "     -"
                    print(f"  {member.name:9} alone {before}   together {accuracy(framework, together, member.name, test):6.2f}")
            uses, skipped = uses_by_slice(together.folder, [member.name for member in members])
            over = {digest: count - options.threshold for digest, count in uses.items() if count > options.threshold}
            print(
                f"  {len(uses)} slices used, {sum(uses.values())} uses, {skipped} passes dropped; threshold {options.threshold}"
            )
            print("  uses of each slice: " + " ".join(f"{digest[:6]}:{count}" for digest, count in sorted(uses.items())))
            print(
                f"  overshoot: {len(over)} slices, at most {max(over.values(), default=0)}, "
                f"mean {statistics.mean([max(0, c - options.threshold) for c in uses.values()]):.2f} a slice"
            )
            sys.stdout.flush()
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
