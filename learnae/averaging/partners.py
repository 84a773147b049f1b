"""Which remote models an averaging cycle folds in, and with what share."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from learnae.values.choices import Averaging

T = TypeVar("T")


def choose_partners(policy: Averaging, soup_size: int, eligible: Sequence[T], draw: Callable[[int], int]) -> tuple[T, ...]:
    """Pick the models of one averaging cycle at random.

    Args:
        policy: ``pairwise`` picks one (paper, section 4.3); ``soup`` up to ``soup_size`` (greedy soup: Wortsman et al., 2022).
        soup_size: At least 1.
        eligible: At least one, in an order that does not depend on chance.
        draw: ``draw(n)`` returns 0 to n - 1, evenly.

    Returns:
        The chosen ones, without repetition, in the order in which to try them.
    """
    left = list(eligible)
    size = 1 if policy is Averaging.PAIRWISE else min(soup_size, len(left))
    return tuple(left.pop(draw(len(left))) for _ in range(size))


def remote_share(folded: int) -> float:
    """Return the share of the next remote model in an average of the own model and ``folded`` remote ones: all weigh the same."""
    return 1.0 / (folded + 2)
