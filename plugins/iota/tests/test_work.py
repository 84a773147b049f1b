"""Hashes of transactions and proof of work."""

from typing import Any

import pytest
from learnae_iota.bundles.work import find_nonce, transaction_hash, weight_of
from learnae_iota.trinary.kernel import Kernel

from learnae.errors import UsageError

BLANK = "A" * 2646 + "9" * 27


def test_transactions_hash_as_in_the_deployed_libraries(kernel: Kernel, vectors: dict[str, Any]) -> None:
    for vector in vectors["transactions"]:
        assert transaction_hash(vector["trytes"], kernel) == vector["hash"]


def test_a_nonce_gives_the_weight(kernel: Kernel, kernels: list[Kernel]) -> None:
    for weight in (0, 1, 6, 8):
        found = find_nonce(BLANK, weight, batches=3000, kernel=kernel)
        assert found is not None
        batch, nonce = found
        assert weight_of(transaction_hash(BLANK[:-27] + nonce, kernel)) >= weight
        for other in kernels:
            assert find_nonce(BLANK[:-27] + "X" * 27, weight, batches=3000, kernel=other) == found
            assert find_nonce(BLANK, weight, first=batch, batches=1, kernel=other) == found
            assert find_nonce(BLANK, weight, batches=batch, kernel=other) is None


def test_the_weight_is_the_zeros_at_the_end() -> None:
    assert weight_of("9" * 81) == 243
    assert weight_of("9" * 80 + "A") == 2
    assert weight_of("A9") == 5
    assert weight_of("9" * 80 + "M") == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param({"transaction": "A"}, "a transaction is 2673 trytes", id="transaction"),
        pytest.param({"weight": -1}, "a weight of -1", id="negative weight"),
        pytest.param({"weight": 244}, "a weight of 244", id="too much weight"),
        pytest.param({"first": -1}, "from -1 on", id="negative batch"),
        pytest.param({"batches": 2**62 + 1}, "in 4611686018427387905 batches", id="too many batches"),
    ],
)
def test_what_cannot_be_searched_is_the_callers_fault(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        find_nonce(**{"transaction": BLANK, "weight": 1, "batches": 1} | arguments)
