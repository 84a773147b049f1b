"""Five peers over five real Kubo daemons in a private swarm on loopback: alone and together, privately and with sharing.

    KUBO_BINARY=ipfs python benchmarks/ipfs_sessions.py --data all_test.csv.gz --rows 400 --seeds 3

For each seed the accuracy of every peer on rows that nobody has, alone (localfs, nobody to meet) and together; from how many
daemons its model could be fetched (holders that answer), and the bytes that its daemon sent. With ``--sharing`` one peer is a
feeder and one a trainer: uses of every dataslice, the overshoot, and the blocks that each daemon served, by its own count.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from hepmass import HIDDEN, PASSES, POLICIES, SLICE_SIZE, TRAINING, open_framework
from sessions import Member, RunningSession, make_manifest, read_everything
from sharing import accuracy, uses_by_slice
from swarms import SwarmSession, each_fact

from learnae.codec.seal import new_secret
from learnae.report.overview import render_overview
from learnae.report.reading import read_histories
from learnae.report.summarising import summarise
from learnae.values.choices import Averaging, Role
from learnae.values.ids import PeerId
from learnae.values.journal import HoldersCounted, TrafficMeasured


def roles(*, sharing: bool) -> dict[str, Role]:
    """Name five peers."""
    if not sharing:
        return {f"peer{index}": Role.FULL for index in range(5)}
    return {"feeder": Role.FEEDER, "trainer": Role.TRAINER, "full0": Role.FULL, "full1": Role.FULL, "full2": Role.FULL}


def run_alone(session: RunningSession, members: list[Member], framework: str, averaging: Averaging) -> None:
    """Let each train by itself."""
    for member in members:
        if member.role is Role.FULL:
            session.start(
                member, framework=framework, averaging=averaging, training=TRAINING, ledger=f"ledger-{member.name}",
                until="converged", quiet_period_s=0.1,
            )  # fmt: skip
    session.wait()


def run_together(session: SwarmSession, members: list[Member], framework: str, averaging: Averaging) -> float:
    """Let them train together; return the seconds that took."""
    began_s = time.monotonic()
    for member in members:
        session.extra[member.name] = {"network.measure_interval_s": 2.0}
        session.start(
            member, framework=framework, averaging=averaging, training=TRAINING, expect_peers=len(members) - 1,
            quiet_period_s=6.0,
        )  # fmt: skip
        if not session.bootstrap:
            session.bootstrap = [session.address(member.name)]
    session.wait(600.0)
    return time.monotonic() - began_s


def print_ledger(session: SwarmSession, names: list[str]) -> None:
    """Print resilience and traffic, as the daemons themselves tell them."""
    for name in names:
        holders = [fact.holders for fact in each_fact(session, name, HoldersCounted)]
        traffic = list(each_fact(session, name, TrafficMeasured))
        last = traffic[-1] if traffic else None
        mean = f"{statistics.mean(holders):4.1f}" if holders else "   -"
        told = "no traffic measured" if last is None else (
            f"sent {last.sent_bytes / 1e6:7.2f} MB, received {last.received_bytes / 1e6:7.2f} MB, "
            f"served {last.served_blocks:5d} blocks, {last.neighbours} neighbours"
        )  # fmt: skip
        print(f"  {name:9} resilience {mean} (mean of {len(holders)} counts, most {max(holders, default=0)}); {told}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=["mass"])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--test-rows", type=int, default=1600)
    parser.add_argument("--threshold", type=int, default=6, help="overuse threshold, with --sharing")
    parser.add_argument("--sharing", action="store_true")
    parser.add_argument("--policy", choices=list(POLICIES), default="soup", help="pairwise is the paper's, soup the better one")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--framework", default="numpy", help="numpy starts faster; jax gives the same arithmetic")
    parser.add_argument("--picture", type=Path, help="write the report's picture of the last seed here")
    options = parser.parse_args()
    features, rows, classes = read_everything(options.data, options.label, options.exclude)
    averaging, judge = POLICIES[options.policy]
    for seed in range(options.seeds):
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))
        test, mine = rows[order[: options.test_rows]], rows[order[options.test_rows :]]
        parts = iter(np.array_split(mine[: 5 * options.rows], 5))
        members = [
            Member(name, None if role is Role.TRAINER else next(parts), role)
            for name, role in roles(sharing=options.sharing).items()
        ]
        secret = new_secret()
        manifest = make_manifest(
            "swarm", features, classes, hidden=HIDDEN, seed=seed, judge=judge, slice_size=SLICE_SIZE, passes=PASSES,
            sharing=options.sharing, overuse_threshold=options.threshold if options.sharing else PASSES, secret=secret,
        )  # fmt: skip
        folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
        try:
            framework = open_framework(options.framework, manifest, folder)
            open_terms = make_manifest(
                "swarm", features, classes, hidden=HIDDEN, seed=seed, judge=judge, slice_size=SLICE_SIZE, passes=PASSES,
            )  # fmt: skip
            alone = RunningSession(folder / "alone", open_terms)
            together = SwarmSession(folder / "together", manifest, secret)
            run_alone(alone, members, options.framework, averaging)
            seconds = run_together(together, members, options.framework, averaging)

            trains = [member for member in members if member.role is not Role.FEEDER]
            before = {m.name: accuracy(framework, alone, m.name, test) for m in trains if m.role is Role.FULL}
            after = {m.name: accuracy(framework, together, m.name, test) for m in trains}
            gains = [after[name] - before[name] for name in before]
            print(f"seed {seed}: accuracy in % on {len(test)} rows that nobody has; together {seconds:.0f} s")
            for name, score in after.items():
                print(f"  {name:9} alone {f'{before[name]:6.2f}' if name in before else '     -'}   together {score:6.2f}")
            mean, joint = statistics.mean(before.values()), statistics.mean(after[name] for name in before)
            print(f"  mean      alone {mean:6.2f}   together {joint:6.2f}   gain {joint - mean:+.2f}, least {min(gains):+.2f}")
            print_ledger(together, [member.name for member in members])
            if options.sharing:
                uses, skipped = uses_by_slice(together.folder, [member.name for member in members])
                over = [max(0, count - options.threshold) for count in uses.values()]
                print(f"  {len(uses)} slices, {sum(uses.values())} uses, {skipped} passes dropped; threshold {options.threshold}")
                print("  uses of each slice: " + " ".join(f"{digest[:6]}:{count}" for digest, count in sorted(uses.items())))
                print(f"  overshoot: {sum(map(bool, over))} slices, at most {max(over)}, mean {statistics.mean(over):.2f}")
            if options.picture:
                journals = [together.folder / member.name / "events.jsonl" for member in members]
                names = {PeerId(together.peer_id(member.name)): member.name for member in members}
                histories = read_histories(journals, names=names)
                options.picture.write_bytes(render_overview(histories, summarise(histories)))
            sys.stdout.flush()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
