"""What a demo is to do, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from learnae.errors import ConfigError, LearnaeError
from learnae.values.choices import Averaging, Judge, Phase, Task

SYNTHETIC = "synthetic"
"""What rows that were made up are called wherever they are shown."""

LEAST_ROWS_PER_PEER = 20
LEAST_TEST_ROWS = 100
MOST_TEST_ROWS = 4_000
MOST_PEERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """What the operator chose.

    Attributes:
        out: The folder for everything that the demo makes.
        peers: How many, 2 to 64.
        data: The operator's own table; ``None`` for synthetic rows.
        label: The column to predict; needed with ``data``.
        features: The model's inputs, in order; none takes all other columns.
        exclude: Columns that are no features.
        skip_bad_rows: Leave out rows that cannot be read instead of stopping.
        rows_per_peer: Rows of each peer, for training and validation together; at least 20.
        seed: Chooses the rows, who gets which, and the initial weights; 0 to 2**53 - 1.
        transport: What carries announcements between processes.
        storage: What keeps models; by default the one that comes with the transport.
        framework: What computes; ``None`` takes JAX where it is installed, else NumPy.
        averaging: The policy of all peers.
        judge: What makes a model better.
        hidden: Widths of the built-in model's hidden layers.
        epochs: Passes over the rows of one work cycle.
        passes: How often a peer goes over each of its dataslices.
        overrides: Any further settings of every peer: dotted key to value, such as ``training.learning_rate``.
        limit_s: Seconds after which peers that still train together are stopped and scored as they are.
    """

    out: Path
    peers: int = 4
    data: Path | None = None
    label: str | None = None
    features: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    skip_bad_rows: bool = False
    rows_per_peer: int = 400
    seed: int = 0
    transport: str = "localfs"
    storage: str | None = None
    framework: str | None = None
    averaging: Averaging = Averaging.PAIRWISE
    judge: Judge = Judge.ACCURACY
    hidden: tuple[int, ...] = (64, 32)
    epochs: int = 5
    passes: int = 3
    overrides: Mapping[str, object] = field(default_factory=dict)
    limit_s: float = 600.0

    def check(self) -> None:
        """Refuse what cannot work, before anything is written.

        Raises:
            ConfigError: Something in it cannot be used.
        """
        for option, value, low, high in (
            ("--peers", self.peers, 2, MOST_PEERS),
            ("--rows-per-peer", self.rows_per_peer, LEAST_ROWS_PER_PEER, 10_000_000),
            ("--seed", self.seed, 0, 2**53 - 1),
        ):
            if not low <= value <= high:
                raise ConfigError(f"{option} {value}: a whole number from {low} to {high} is accepted")
        if not 1.0 <= self.limit_s <= 86_400.0:
            raise ConfigError(f"--limit {self.limit_s:g}: 1 to 86400 seconds are accepted")
        if self.data is not None and self.label is None:
            raise ConfigError(f"--data {self.data}: name the column to predict with --label NAME")
        if self.data is None and (self.label is not None or self.features or self.exclude):
            raise ConfigError("--label, --features and --exclude speak of a table of your own: name it with --data FILE")
        if "memory" in {self.transport, self.storage}:
            raise ConfigError(
                "the ledger memory connects peers of one process only, and every peer of a demo is a process of its own; "
                "choose --transport localfs"
            )

    @property
    def source(self) -> str:
        """Say where the rows come from."""
        return SYNTHETIC if self.data is None else str(self.data)


@dataclass(frozen=True, slots=True)
class PeerView:
    """What one peer is doing.

    Attributes:
        name: Such as ``peer-1``.
        phase: Where its machine stands.
        cycle: Work cycles ended.
        trained: How many of these trained.
        accuracy: Of its current model on its own validation rows, in percent; ``None`` before the first score.
    """

    name: str
    phase: Phase = Phase.NEW
    cycle: int = 0
    trained: int = 0
    accuracy: float | None = None


class Watcher:
    """Is told how a demo goes on; this one does not care."""

    def said(self, text: str) -> None:
        """Take a sentence: what begins, or what is not as it should be."""

    def seen(self, peers: tuple[PeerView, ...]) -> None:
        """Take what every peer is doing, several times a second."""


@dataclass(frozen=True, slots=True)
class PeerResult:
    """What one peer reached on the test rows, in percent: alone, and together with the others."""

    peer: str
    alone: float
    together: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What came of a demo.

    Attributes:
        peers: One each, in order.
        task: What is predicted; the number is R² for a regression, else the accuracy, in percent.
        test_rows: Rows that no peer trained or chose with.
        data: ``synthetic``, or the operator's file.
        framework: What computed.
        seconds: How long everything took.
        folder: Where everything lies.
        pictures: What was drawn.
        complete: Whether all peers finished before the limit.
    """

    peers: tuple[PeerResult, ...]
    task: Task
    test_rows: int
    data: str
    framework: str
    seconds: float
    folder: Path
    pictures: tuple[Path, ...]
    complete: bool

    @property
    def mean_alone(self) -> float:
        """Average what the peers reached alone."""
        return sum(each.alone for each in self.peers) / len(self.peers)

    @property
    def mean_together(self) -> float:
        """Average what the peers reached together."""
        return sum(each.together for each in self.peers) / len(self.peers)

    @property
    def spread_alone(self) -> float:
        """Take the worst from the best, alone."""
        return max(each.alone for each in self.peers) - min(each.alone for each in self.peers)

    @property
    def spread_together(self) -> float:
        """Take the worst from the best, together."""
        return max(each.together for each in self.peers) - min(each.together for each in self.peers)

    @property
    def metric(self) -> str:
        """Name the number."""
        return "R²" if self.task is Task.REGRESSION else "accuracy"


class PeerFailedError(LearnaeError):
    """A peer's process ended by itself; the message holds the end of its log."""
