"""The same session over IPFS twice: with every message, and with half of them lost in our transport, out and in alike.

    KUBO_BINARY=ipfs python benchmarks/ipfs_loss.py --data all_test.csv.gz --seeds 3

In the end the boards of all peers must be equal, and the mean accuracy on rows that nobody has within 0.3 points.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from hepmass import HIDDEN, PASSES, SLICE_SIZE, TRAINING, open_framework
from sessions import Member, make_manifest, read_everything
from sharing import accuracy
from swarms import SwarmSession

from learnae.codec.manifests import session_id
from learnae.codec.seal import new_secret
from learnae.performing.store import Store
from learnae.values.choices import Averaging, Judge
from learnae.values.manifest import Manifest


class LossySession(SwarmSession):
    """Peers that lose a share of their messages; with a share of 0 the same program, which loses none."""

    def __init__(self, folder: Path, manifest: Manifest, secret: bytes, *, share: float, seed: int) -> None:
        super().__init__(folder, manifest, secret)
        self._share, self._seed = share, seed

    def command(self, name: str, config: Path) -> list[str]:
        """Return the command of a peer with faults."""
        names = list(self.processes)
        seed = self._seed * 1000 + (names.index(name) if name in names else len(names))
        return [sys.executable, str(Path(__file__).with_name("lossy_peer.py")), str(config), str(seed), str(self._share)]


def board(state: Path, manifest: Manifest) -> set[tuple[str, int]]:
    """Return what a peer's board holds when it ended, but for presence, which is of the moment: place and sequence number."""
    store = Store.open(state / "peer.sqlite", session_id(manifest))
    try:
        entries = store.load().board
    finally:
        store.close()
    return {(key, entry.announcement.sequence) for key, entry in entries.items() if entry.announcement.subject != "presence"}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=["mass"])
    parser.add_argument("--peers", type=int, default=5)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--test-rows", type=int, default=1600)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--framework", default="numpy")
    options = parser.parse_args()
    features, rows, classes = read_everything(options.data, options.label, options.exclude)
    print(f"{'seed':>4} {'lost':>5} {'mean accuracy':>14} {'boards':>7} {'entries':>8}")
    means: dict[float, list[float]] = {0.0: [], options.share: []}
    for seed in range(options.seeds):
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))
        test, mine = rows[order[: options.test_rows]], rows[order[options.test_rows :]]
        members = [
            Member(f"peer{index}", part)
            for index, part in enumerate(np.array_split(mine[: options.peers * options.rows], options.peers))
        ]
        secret = new_secret()
        manifest = make_manifest(
            "loss", features, classes, hidden=HIDDEN, seed=seed, judge=Judge.ACCURACY, slice_size=SLICE_SIZE, passes=PASSES,
            overuse_threshold=PASSES, secret=secret,
        )  # fmt: skip
        for share, found in means.items():
            folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
            try:
                framework = open_framework(options.framework, manifest, folder)
                session = LossySession(folder / "session", manifest, secret, share=share, seed=seed)
                for member in members:
                    session.start(
                        member, framework=options.framework, averaging=Averaging.PAIRWISE, training=TRAINING,
                        expect_peers=len(members) - 1, quiet_period_s=20.0,
                    )  # fmt: skip
                    if not session.bootstrap:
                        session.bootstrap = [session.address(member.name)]
                session.wait(600.0)
                mean = statistics.mean(accuracy(framework, session, member.name, test) for member in members)
                boards = [board(session.folder / member.name, manifest) for member in members]
                equal = "equal" if all(each == boards[0] for each in boards) else "differ"
                print(f"{seed:4} {share:5.0%} {mean:14.2f} {equal:>7} {len(boards[0]):8}", flush=True)
                found.append(mean)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    whole, lossy = (statistics.mean(each) for each in means.values())
    print(f"{options.seeds} seeds: {whole:.2f} whole, {lossy:.2f} with {options.share:.0%} lost: {lossy - whole:+.2f}")


if __name__ == "__main__":
    main()
