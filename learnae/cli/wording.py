"""How numbers, peers and phases are written for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from learnae.values.choices import Cycle, Phase, Role, Task
from learnae.values.ids import PeerId
from learnae.values.scores import Score

DOINGS = {
    Phase.NEW: "beginning",
    Phase.WAITING: "waiting for rows to evaluate on",
    Phase.SCORING: "scoring its model on its own rows",
    Phase.TRAINING: "training",
    Phase.AVERAGING: "averaging with a model that is reported to be better",
    Phase.EXPLORING: "exploring: averaging with a new model",
    Phase.ADOPTING: "looking at the best model that was reported",
    Phase.IDLE: "nothing to do now, listening for news",
    Phase.FINISHED: "finished, until news comes",
    Phase.STOPPED: "stopped",
}
PAST = {Cycle.TRAIN: "trained", Cycle.AVERAGE: "averaged", Cycle.EXPLORE: "explored", Cycle.ADOPT: "adopted"}
_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Metric:
    """The session's metric: accuracy in percent, or R² for regression."""

    task: Task

    @property
    def name(self) -> str:
        """What it is called."""
        return "R²" if self.task is Task.REGRESSION else "accuracy"

    def value(self, score: Score) -> str:
        """Write a score's metric."""
        if self.task is Task.REGRESSION:
            return f"{score.accuracy:.4f}" if abs(score.accuracy) < 1e6 else f"{score.accuracy:.2g}"
        return f"{100 * score.accuracy:.2f} %"

    def whole(self, score: Score) -> str:
        """Write metric and loss."""
        return f"{self.name} {self.value(score)}, loss {score.loss:.4g}"


def short(peer: PeerId) -> str:
    """Write the beginning of a peer's id."""
    return peer[:8]


def doing(phase: Phase, role: Role) -> str:
    """Say what a peer does in a phase."""
    if role is Role.FEEDER and phase is Phase.IDLE:
        return "serving its rows to others"
    return DOINGS[phase]


def listed(partners: Sequence[PeerId]) -> str:
    """Write peers as ``a, b and 3 more``."""
    names = [short(peer) for peer in partners[:3]]
    rest = len(partners) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")


def others(peers: int) -> str:
    """Write how many peers were met; the number that the journal tells counts this one in."""
    return f"{peers - 1} other peer{'' if peers == 2 else 's'} met so far"


def neighbours(count: int) -> str:
    """Write how many participants are connected."""
    return f"{count} neighbour{'' if count == 1 else 's'}"


def ago(seconds: float) -> str:
    """Write a length of time in its two largest units: ``12 s``, ``3 min 5 s``, ``2 h 10 min``, ``4 d 3 h``."""
    total = max(0, round(seconds))
    for size, unit, below, name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if total >= size:
            return f"{total // size} {unit} {total % size // below} {name}"
    return f"{total} s"


def size(count: int) -> str:
    """Write a number of bytes."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


def curve(values: Sequence[float]) -> str:
    """Draw values as a line of blocks, one a value, the lowest at the bottom."""
    if not values:
        return ""
    low, high = min(values), max(values)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(steps * (value - low) / (high - low)) if high > low else steps // 2] for value in values)
