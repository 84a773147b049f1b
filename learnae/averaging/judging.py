"""Which of two models is better, by the session's judge."""

from learnae.values.choices import Judge
from learnae.values.scores import Score


def merit(judge: Judge, score: Score) -> float:
    """Return the number that the judge looks at, turned so that higher is better."""
    return score.accuracy if judge is Judge.ACCURACY else -score.loss


def is_better(judge: Judge, min_gain: float, score: Score, than: Score) -> bool:
    """Say whether a score is strictly better than another, by more than ``min_gain``.

    The same rule orders reported scores and decides on the own rows; in the second case both are of the same rows.
    """
    gain = merit(judge, score) - merit(judge, than)
    return gain > min_gain if min_gain > 0 else gain > 0
