"""Resumable chance, and how long to wait after failures."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnae.machine import fetching
from learnae.machine.draws import below, draw_bits, fraction
from learnae.machine.fetching import Backoff

UINT64 = st.integers(0, 2**64 - 1)


@settings(derandomize=True, deadline=None)
@given(seed=UINT64, position=UINT64, bound=st.integers(1, 10**6))
def test_draws_are_in_range(seed: int, position: int, bound: int) -> None:
    bits = draw_bits(seed, position)
    assert 0 <= below(bits, bound) < bound
    assert 0.0 <= fraction(bits) < 1.0
    assert draw_bits(seed, position) == bits


def test_draws_never_change() -> None:
    assert draw_bits(1, 0) != draw_bits(1, 1) != draw_bits(2, 0)
    assert [below(draw_bits(42, position), 10) for position in range(8)] == [below(draw_bits(42, n), 10) for n in range(8)]
    assert fraction(2**64 - 1) < 1.0
    assert (below(0, 7), below(2**64 - 1, 7), fraction(0)) == (0, 6, 0.0)


def test_draws_are_even() -> None:
    drawn = Counter(below(draw_bits(3, position), 4) for position in range(4_000))
    assert all(900 < count < 1_100 for count in drawn.values())


def test_waits_double_up_to_64_times() -> None:
    backoff, now_s, waits = Backoff(2.0), 10.0, []
    assert backoff.is_due("it", now_s)
    for _ in range(9):
        backoff.failed("it", now_s)
        assert backoff.has_failed("it")
        assert not backoff.is_due("it", now_s)
        due_s = backoff.next_due_s(now_s)
        assert due_s is not None
        assert backoff.is_due("it", due_s)
        waits.append(due_s - now_s)
        now_s = due_s
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 128.0, 128.0]
    backoff.succeeded("it")
    assert backoff.is_due("it", 0.0)
    assert not backoff.has_failed("it")
    assert backoff.next_due_s(0.0) is None


def test_failures_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_REMEMBERED", 2)
    backoff = Backoff(2.0)
    for what in ("a", "b", "a", "c"):
        backoff.failed(what, 0.0)
    assert [backoff.has_failed(what) for what in ("a", "b", "c")] == [True, False, True]


def test_the_next_moment_is_that_of_what_still_waits() -> None:
    backoff = Backoff(2.0)
    assert backoff.failed("a", 0.0) == 2.0
    assert backoff.failed("b", 1.0) == 3.0
    assert backoff.failed("a", 1.5) == 5.5, "its first moment counts no more"
    assert backoff.next_due_s(1.5) == 3.0
    backoff.succeeded("b")
    assert backoff.next_due_s(1.5) == 5.5
    assert backoff.next_due_s(5.5) is None
    assert backoff.is_due("a", 5.5)
