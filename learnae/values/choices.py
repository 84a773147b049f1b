"""The closed choices of the protocol and of a peer's settings."""

from enum import StrEnum


class Role(StrEnum):
    """What a peer does (architecture, section 2)."""

    FULL = "full"
    """Trains on rows of its own."""
    TRAINER = "trainer"
    """Trains on what others share; has no rows of its own."""
    FEEDER = "feeder"
    """Shares its rows; does not train."""


class Task(StrEnum):
    """What the network predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Judge(StrEnum):
    """By which number a model counts as better."""

    ACCURACY = "accuracy"
    """The session's metric: higher is better."""
    LOSS = "loss"
    """The loss: lower is better; a finer yardstick where validation rows are few."""


class Averaging(StrEnum):
    """How many remote models one averaging cycle folds in."""

    PAIRWISE = "pairwise"
    """One, as in the paper (section 4.3)."""
    SOUP = "soup"
    """Up to ``soup_size``, one after the other, each kept only if the average so far got better."""


class Cycle(StrEnum):
    """What a work cycle did."""

    TRAIN = "train"
    AVERAGE = "average"
    EXPLORE = "explore"
    ADOPT = "adopt"


class Phase(StrEnum):
    """Where a peer's machine stands; ``learnae.machine.transitions`` says what each phase allows."""

    NEW = "new"
    """Made, or restored; nothing has happened yet."""
    WAITING = "waiting"
    """No validation rows yet: a trainer before its first evaluation slice."""
    SCORING = "scoring"
    """The own model is being scored on the own validation rows, which are new or changed."""
    TRAINING = "training"
    AVERAGING = "averaging"
    EXPLORING = "exploring"
    ADOPTING = "adopting"
    IDLE = "idle"
    """Nothing to do now; the quiet period runs, or passes wait for their time. A feeder serves here."""
    FINISHED = "finished"
    """Converged, until news comes."""
    STOPPED = "stopped"
