"""Numbers that say where they end."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnae_iota.mam import pascal

from learnae.errors import DamagedError, UsageError

LARGEST = (27**pascal.MAX_GROUPS - 1) // 2


def test_numbers_are_written_as_the_deployed_libraries_do(vectors: dict[str, Any]) -> None:
    for vector in vectors["pascal"]:
        assert pascal.encode(vector["value"]).tolist() == vector["trits"]
        assert pascal.decode(np.array(vector["trits"], dtype=np.int8), 0) == (vector["value"], vector["decoded"]["end"])


@given(st.integers(0, LARGEST), st.lists(st.integers(-1, 1), max_size=9), st.lists(st.integers(-1, 1), max_size=9))
def test_numbers_come_back_wherever_they_stand(number: int, before: list[int], behind: list[int]) -> None:
    encoded = pascal.encode(number)
    trits = np.array([*before, *encoded, *behind], dtype=np.int8)
    assert pascal.decode(trits, len(before)) == (number, len(before) + len(encoded))


@given(st.lists(st.integers(-1, 1), max_size=60), st.integers(0, 60))
def test_whatever_the_trits_there_is_a_number_or_an_error(trits: list[int], start: int) -> None:
    given_trits = np.array(trits, dtype=np.int8)
    try:
        number, end = pascal.decode(given_trits, start)
    except DamagedError:
        return
    assert pascal.encode(number).tolist() == trits[start:end]


@pytest.mark.parametrize(
    "trits",
    [
        pytest.param([], id="nothing"),
        pytest.param([1, 0], id="less than a group"),
        pytest.param([-1] * 1000, id="no last group"),
        pytest.param([0] * 1000, id="zeros"),
        pytest.param([1, 1, 1], id="no flags"),
        pytest.param([1, 0, 0, 1], id="a negative number"),
        pytest.param([0, 0, 0, 1, 0, 0, 0, 0], id="a zero that is not negated"),
    ],
)
def test_what_is_no_number_is_damaged(trits: list[int]) -> None:
    with pytest.raises(DamagedError, match="no number at trit 0"):
        pascal.decode(np.array(trits, dtype=np.int8), 0)


@pytest.mark.parametrize("number", [-1, LARGEST + 1])
def test_numbers_out_of_range_are_the_callers_fault(number: int) -> None:
    with pytest.raises(UsageError, match="is not a number from 0"):
        pascal.encode(number)
