"""What the order of passes costs a peer that trains faster than its sensors send: one learner, the same rows and steps.

    python benchmarks/spacing.py --data all_test.csv.gz

Dataslices come one by one, each after all that may begin was done, as where a stream trickles; the peer's machine chooses the
passes with the ``pass_spacing`` of each line, and makes the last ones when nothing new comes. Beside them all dataslices at once,
as from a file: whole passes over everything; and the first passes of the stream alone. Accuracy and loss on rows that nobody
trained on, means over the seeds, and the difference of the accuracy from that of the file, with the standard error over the
seeds. Nobody averages: only the order differs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hepmass import BATCH_SIZE, EPOCHS, HIDDEN, PASSES, SLICE_SIZE, open_framework
from sessions import make_manifest, read_everything

from learnae.data.rows import to_rows
from learnae.interfaces.framework import ModelFramework
from learnae.machine import events
from learnae.machine.effects import Effect, Train
from learnae.machine.machine import Machine
from learnae.machine.memory import Memory
from learnae.machine.rules import Rules
from learnae.performing.opening import STREAM_SPACING
from learnae.values.announcements import SignedAnnouncement
from learnae.values.arrays import Rows, Weights
from learnae.values.choices import Judge, Role
from learnae.values.ids import Digest, PeerId, SessionId
from learnae.values.manifest import Limits
from learnae.values.scores import Score

NOBODY = "0" * 64
HOLD_S = 10.0
SCORE = Score(accuracy=0.5, loss=0.5, rows=1)


class Learner:
    """A machine whose training is only written down."""

    def __init__(self, spacing: int, seed: int) -> None:
        told = Rules(
            session=SessionId(NOBODY), peer=PeerId(NOBODY), role=Role.FULL, initial=Digest(NOBODY), sharing_allowed=False,
            sharing=False, judge=Judge.LOSS, min_gain=0.0, passes=PASSES, overuse_threshold=1_000, limits=Limits(), seed=seed,
            pass_spacing=spacing, pass_hold_s=HOLD_S, presence_interval_s=1e9,
        )  # fmt: skip
        self._machine = Machine(told, Memory(), lambda said: SignedAnnouncement(said, "0" * 128))
        self.order: list[str] = []
        self._tell(events.Started(), 0.0)
        self._tell(events.ValidationGathered(Digest(NOBODY), 1), 0.0)
        self._tell(events.OwnScored(Digest(NOBODY), Digest(NOBODY), SCORE), 0.0)

    def cut(self, *slices: str) -> None:
        """Let dataslices come, and all happen that then may."""
        self._tell(events.SlicesCut(tuple(events.CutSlice(Digest(name), SLICE_SIZE, evaluation=False) for name in slices)), 0.0)

    def rest(self) -> None:
        """Let nothing new come any more."""
        self._tell(events.TimePassed(), HOLD_S)

    def _tell(self, event: events.Event, now_s: float) -> None:
        orders: list[Effect] = list(self._machine.handle(event, now_s))
        while orders:
            order = orders.pop(0)
            if isinstance(order, Train):
                self.order += order.slices
                made = Digest(f"{len(self.order):064x}")
                orders += self._machine.handle(events.ModelTrained(made, Digest(NOBODY), SCORE), now_s)


def train(framework: ModelFramework, slices: dict[str, Rows], order: list[str]) -> Weights:
    """Train on dataslices in an order."""
    weights: Weights = framework.initial_weights()
    state: Weights | None = None
    for step, name in enumerate(order):
        made = framework.train(weights, state, slices[name], epochs=EPOCHS, batch_size=BATCH_SIZE, seed=step)
        weights, state = made.weights, made.optimiser_state
    return weights


def orders(names: tuple[str, ...], spacings: list[int], seed: int) -> dict[str, list[str]]:
    """Return the order of passes of each line of the table."""
    from_file = Learner(0, seed)
    from_file.cut(*names)
    found = {"a file": from_file.order}
    for spacing in spacings:
        fed = Learner(spacing, seed)
        for name in names:
            fed.cut(name)
        fed.rest()
        found[f"a stream, spacing {spacing}"] = fed.order
    for order in found.values():
        if sorted(order) != sorted(names * PASSES):
            raise RuntimeError("a pass is missing, or was made twice")
    return {**found, "a stream, one pass": list(names)}


def mean_and_error(values: Sequence[float]) -> str:
    """Write a mean with its standard error."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):+.2f} ± {error:.2f}"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=["mass"])
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--test-rows", type=int, default=1_600)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--framework", default="numpy")
    parser.add_argument("--spacings", type=int, nargs="+", default=[0, 32, 64, STREAM_SPACING])
    options = parser.parse_args()
    features, rows, classes = read_everything(options.data, options.label, options.exclude)
    found: dict[str, list[Score]] = {}
    for seed in range(options.seeds):
        shuffled = rows[np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))]
        test, mine = shuffled[: options.test_rows], shuffled[options.test_rows : options.test_rows + options.rows]
        manifest = make_manifest(
            "spacing", features, classes, hidden=HIDDEN, seed=seed, judge=Judge.LOSS, slice_size=SLICE_SIZE, passes=PASSES
        )
        slices = {
            f"{at:064x}": to_rows(mine[at : at + SLICE_SIZE], manifest) for at in range(0, len(mine), SLICE_SIZE)
        }  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="learnae-benchmark-") as folder:
            framework = open_framework(options.framework, manifest, Path(folder))
            for name, order in orders(tuple(slices), options.spacings, seed).items():
                found.setdefault(name, []).append(framework.evaluate(train(framework, slices, order), to_rows(test, manifest)))
    print(
        f"{options.rows} rows, {SLICE_SIZE} in a dataslice; {PASSES} passes; {options.test_rows} test rows; {options.seeds} seeds"
    )
    print(f"{'rows come from':24} {'accuracy %':>10} {'loss':>7} {'beside a file':>18}")
    for name, scores in found.items():
        apart = [100 * (one.accuracy - other.accuracy) for one, other in zip(scores, found["a file"], strict=True)]
        accuracy, loss = (statistics.mean(values) for values in zip(*((s.accuracy, s.loss) for s in scores), strict=True))
        print(f"{name:24} {100 * accuracy:10.2f} {loss:7.3f}     {mean_and_error(apart)}")


if __name__ == "__main__":
    main()
