"""Trits, trytes and bytes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnae_iota.trinary.trytes import (
    ALPHABET,
    add_integer,
    are_trytes,
    decode_bytes,
    encode_bytes,
    hash_trits,
    to_trits,
    to_trytes,
    tryte_values,
)

from learnae.errors import BadContentError, UsageError

TRYTES = st.text(alphabet=ALPHABET, max_size=100)


def test_the_alphabet_stands_for_the_values_of_three_trits() -> None:
    trits = to_trits(ALPHABET).reshape(-1, 3)
    assert tryte_values(trits).tolist() == [*range(14), *range(-13, 0)]
    assert trits.dtype == np.int8
    assert trits[ALPHABET.index("B")].tolist() == [-1, 1, 0]


@given(TRYTES)
def test_trytes_come_back(trytes: str) -> None:
    assert to_trytes(to_trits(trytes)) == trytes


def test_a_tryte_that_is_not_full_is_filled_with_zeros() -> None:
    assert to_trytes(np.array([1, 1, 1, -1], dtype=np.int8)) == "MZ"


@pytest.mark.parametrize("text", ["a", "8", "A B", "Ä", "A\n", "\n", "\0", "\ud800"])
def test_what_is_not_trytes_is_refused(text: str) -> None:
    assert not are_trytes(text)
    with pytest.raises(UsageError, match="not trytes"):
        to_trits(text)
    with pytest.raises(BadContentError):
        decode_bytes(text + "9")


def test_a_hash_has_81_trytes_and_is_not_shown() -> None:
    assert hash_trits("A" * 81, "a seed").shape == (243,)
    with pytest.raises(UsageError, match=r"a seed has to be 81 trytes.*it has 80 characters") as raised:
        hash_trits("SECRET" + "A" * 74, "a seed")
    assert "SECRET" not in str(raised.value)


def test_text_is_written_as_the_deployed_libraries_do(vectors: dict[str, Any]) -> None:
    for vector in vectors["ascii"]:
        assert encode_bytes(vector["ascii"].encode()) == vector["trytes"]
        assert decode_bytes(vector["trytes"]) == vector["ascii"].encode()


@given(st.binary(max_size=300))
def test_bytes_come_back(data: bytes) -> None:
    assert decode_bytes(encode_bytes(data)) == data


@given(TRYTES)
def test_trytes_that_are_no_bytes_are_refused(trytes: str) -> None:
    try:
        data = decode_bytes(trytes)
    except BadContentError:
        return
    assert encode_bytes(data) == trytes


@given(st.integers(-(3**30), 3**30), st.integers(0, 3**30))
def test_integers_are_added(number: int, more: int) -> None:
    assert value(add_integer(trits_of(number), more)) == number + more


def test_what_overflows_is_lost() -> None:
    assert add_integer(np.ones(243, dtype=np.int8), 1).tolist() == [-1] * 243


def trits_of(number: int) -> Any:
    trits = []
    for _ in range(60):
        number, digit = divmod(number + 1, 3)
        trits.append(digit - 1)
    return np.array(trits, dtype=np.int8)


def value(trits: Any) -> int:
    return sum(trit * 3**place for place, trit in enumerate(trits.tolist()))
