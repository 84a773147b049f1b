"""Which of two models is better, and whom to average with."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnae.averaging.judging import is_better, merit
from learnae.averaging.partners import choose_partners, remote_share
from learnae.values.choices import Averaging, Judge
from learnae.values.scores import Score

NUMBER = st.floats(-1e30, 1e30)
SCORE = st.builds(Score, NUMBER, NUMBER, st.integers(0, 100))
GAIN = st.sampled_from([0.0, 0.001, 0.5])


@pytest.mark.parametrize(
    ("judge", "gain", "score", "than", "better"),
    [
        pytest.param(Judge.ACCURACY, 0.0, (0.8, 9.0), (0.7, 0.1), True, id="accuracy"),
        pytest.param(Judge.ACCURACY, 0.0, (0.7, 0.1), (0.7, 0.2), False, id="accuracy, a tie"),
        pytest.param(Judge.LOSS, 0.0, (0.1, 0.3), (0.9, 0.4), True, id="loss"),
        pytest.param(Judge.LOSS, 0.0, (0.9, 0.4), (0.1, 0.4), False, id="loss, a tie"),
        pytest.param(Judge.LOSS, 0.25, (0.5, 0.25), (0.5, 0.5), False, id="just the least gain"),
        pytest.param(Judge.LOSS, 0.25, (0.5, 0.24), (0.5, 0.5), True, id="more than the least gain"),
        pytest.param(Judge.ACCURACY, 0.25, (0.7, 0.5), (0.5, 0.5), False, id="accuracy, too small a gain"),
    ],
)
def test_better_means_by_more_than_the_least_gain(
    judge: Judge, gain: float, score: tuple[float, float], than: tuple[float, float], better: bool
) -> None:
    assert is_better(judge, gain, Score(*score, 10), Score(*than, 20)) is better


@settings(derandomize=True, deadline=None)
@given(judge=st.sampled_from(list(Judge)), gain=GAIN, one=SCORE, other=SCORE)
def test_better_is_a_strict_order(judge: Judge, gain: float, one: Score, other: Score) -> None:
    assert not is_better(judge, gain, one, one)
    assert not (is_better(judge, gain, one, other) and is_better(judge, gain, other, one))
    if is_better(judge, gain, one, other):
        assert merit(judge, one) > merit(judge, other)


def _draws(numbers: list[int]) -> Callable[[int], int]:
    left = iter(numbers)
    return lambda bound: next(left) % bound


DRAWS = st.lists(st.integers(0, 10**6), min_size=10, max_size=10)


@settings(derandomize=True, deadline=None)
@given(eligible=st.lists(st.integers(), min_size=1, max_size=10, unique=True), size=st.integers(1, 12), numbers=DRAWS)
def test_partners_are_chosen_without_repetition(eligible: list[int], size: int, numbers: list[int]) -> None:
    pair = choose_partners(Averaging.PAIRWISE, size, eligible, _draws(numbers))
    soup = choose_partners(Averaging.SOUP, size, eligible, _draws(numbers))
    assert len(pair) == 1
    assert len(soup) == len(set(soup)) == min(size, len(eligible))
    assert set(soup) <= set(eligible)
    assert pair[0] == soup[0] == eligible[numbers[0] % len(eligible)]


def test_every_partner_and_every_order_can_come() -> None:
    first = Counter(choose_partners(Averaging.SOUP, 3, "abc", _draws([a, b, 0])) for a in range(3) for b in range(2))
    assert len(first) == 6


def test_shares_make_all_folded_models_weigh_the_same() -> None:
    assert [remote_share(folded) for folded in range(4)] == [1 / 2, 1 / 3, 1 / 4, 1 / 5]
