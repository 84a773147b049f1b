"""One-time keys and their trees."""

from typing import Any

import pytest
from learnae_iota.mam.merkle import Plan, climb, grow
from learnae_iota.mam.signatures import leaf_addresses, private_key, sign, signer_address
from learnae_iota.trinary.kernel import Kernel, curl_hash
from learnae_iota.trinary.trytes import to_trits, to_trytes

from learnae.errors import UsageError

SEED = "SEED".ljust(81, "9")


def test_keys_sign_as_those_of_the_deployed_libraries(kernel: Kernel, vectors: dict[str, Any]) -> None:
    for vector in vectors["iss"]:
        seed, digest, security = to_trits(vector["seed"]), to_trits(vector["signed_hash"]), vector["security"]
        key = private_key(kernel, seed, vector["index"], security)
        assert to_trytes(key.reshape(-1)) == vector["private_key"]
        signature = sign(kernel, key, digest)
        assert to_trytes(signature) == vector["signature"]
        assert to_trytes(curl_hash(kernel, to_trits(vector["digest"]))) == vector["leaf_address"]
        assert to_trytes(leaf_addresses(kernel, seed, vector["index"], 1, security)[0]) == vector["leaf_address"]
        assert to_trytes(signer_address(kernel, signature, digest)) == vector["leaf_address"]


def test_trees_grow_as_those_of_the_deployed_libraries(kernel: Kernel, vectors: dict[str, Any]) -> None:
    for vector in vectors["merkle"]:
        if vector["count"] not in {1, 2, 4, 8}:
            continue  # their own readers refuse such trees, so we grow none
        tree = grow(Plan(vector["seed"], vector["start"], vector["count"], vector["security"]), kernel)
        assert [to_trytes(leaf) for leaf in tree.levels[0]] == vector["leaves"]
        assert to_trytes(tree.root) == vector["root"]
        for branch in vector["branches"]:
            siblings = tree.siblings(branch["index"])
            assert [to_trytes(sibling) for sibling in siblings] == branch["siblings"]
            assert to_trytes(climb(kernel, tree.levels[0][branch["index"]], branch["index"], siblings)) == vector["root"]


def test_more_leaves_than_are_grown_at_once(kernels: list[Kernel]) -> None:
    trees = [grow(Plan(SEED, 5, 32, 1), kernel) for kernel in kernels]
    assert len({tree.root.tobytes() for tree in trees}) == 1
    alone = leaf_addresses(kernels[-1], to_trits(SEED), 5 + 29, 1, 1)[0]
    assert trees[0].levels[0][29].tolist() == alone.tolist()


@pytest.mark.parametrize(
    ("start", "count", "security", "sentence"),
    [
        pytest.param(0, 3, 1, "a tree of 3 leaves", id="no power of two"),
        pytest.param(0, 0, 1, "a tree of 0 leaves", id="no leaf"),
        pytest.param(0, 2**17, 1, "a tree of 131072 leaves", id="too many leaves"),
        pytest.param(-1, 1, 1, "starts at leaf -1", id="before the first leaf"),
        pytest.param(2**62 + 1, 1, 1, "starts at leaf", id="behind the last leaf"),
        pytest.param(0, 1, 0, "a security of 0", id="no security"),
        pytest.param(0, 1, 4, "a security of 4", id="too much security"),
    ],
)
def test_trees_that_cannot_be_are_the_callers_fault(start: int, count: int, security: int, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Plan(SEED, start, count, security)


def test_a_seed_is_not_shown() -> None:
    assert "SEED" not in repr(Plan(SEED, 0, 1, 1))
    with pytest.raises(UsageError, match="a seed has to be 81 trytes"):
        Plan("SEED", 0, 1, 1)
