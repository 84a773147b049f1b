"""Curl, with both kernels: as the deployed libraries compute it, and as each other."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learnae_iota.trinary.compiled import CompiledKernel
from learnae_iota.trinary.kernel import MAM_ROUNDS, TANGLE_ROUNDS, Kernel, curl_hash
from learnae_iota.trinary.trytes import to_trits, to_trytes

from learnae.errors import UsageError

SEEDS = st.integers(0, 2**32 - 1)
ROUNDS = st.sampled_from([MAM_ROUNDS, TANGLE_ROUNDS])


def random_trits(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).integers(-1, 2, shape).astype(np.int8)


def test_it_absorbs_and_squeezes_as_the_deployed_libraries(kernel: Kernel, vectors: dict[str, Any]) -> None:
    for vector in vectors["curl"]:
        sponge = kernel.sponge(vector["rounds"])
        sponge.absorb(to_trits(vector["input"]))
        assert to_trytes(sponge.squeeze(486)) == vector["squeeze_162_trytes"]


def test_it_masks_as_the_deployed_libraries(kernel: Kernel, vectors: dict[str, Any]) -> None:
    for vector in vectors["mask"]:
        hiding, showing = kernel.sponge(MAM_ROUNDS), kernel.sponge(MAM_ROUNDS)
        for sponge in (hiding, showing):
            sponge.absorb(to_trits(vector["absorb_first"]))
        assert to_trytes(hiding.mask(to_trits(vector["plain"]))) == vector["masked"]
        assert to_trytes(showing.unmask(to_trits(vector["masked"]))) == vector["plain"]
        for sponge in (hiding, showing):
            assert to_trytes(sponge.state()[:243]) == vector["rate_after"]


def test_it_finds_the_nonces_of_the_deployed_libraries(kernel: Kernel, vectors: dict[str, Any]) -> None:
    for vector in vectors["hamming"]:
        sponge = kernel.sponge(MAM_ROUNDS)
        sponge.absorb(to_trits(vector["absorb_first"]))
        nonce = kernel.find_nonce(sponge.state(), vector["security"], 1000)
        assert nonce is not None
        assert to_trytes(nonce) == vector["nonce"]
        sponge.absorb(nonce)
        assert to_trytes(sponge.state()[:243]) == vector["rate_after_absorbing_nonce"]


def test_a_sponge_does_what_the_definition_says(kernel: Kernel) -> None:
    for rounds in (MAM_ROUNDS, TANGLE_ROUNDS):
        trits = random_trits(rounds, 243)
        sponge = kernel.sponge(rounds)
        sponge.absorb(trits)
        expected = transform(np.concatenate((trits, np.zeros(486, dtype=np.int8))), rounds)
        assert sponge.state().tolist() == expected.tolist()


@settings(max_examples=40, deadline=None)
@given(
    SEEDS, ROUNDS, st.lists(st.tuples(st.sampled_from(["absorb", "squeeze", "mask", "unmask"]), st.integers(0, 800)), max_size=8)
)
def test_the_kernels_sponges_are_one(kernels: list[Kernel], seed: int, rounds: int, steps: list[tuple[str, int]]) -> None:
    sponges = [kernel.sponge(rounds) for kernel in kernels]
    for number, (step, count) in enumerate(steps):
        argument = count if step == "squeeze" else random_trits(seed + number, count)
        results = {str(getattr(sponge, step)(argument)) for sponge in sponges}
        assert len(results) == 1
        assert len({sponge.state().tobytes() for sponge in sponges}) == 1


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.lists(st.integers(0, 27), max_size=140))
def test_the_kernels_chains_are_one_and_hash_again_and_again(kernels: list[Kernel], seed: int, times: list[int]) -> None:
    hashes = random_trits(seed, len(times), 243)
    before = hashes.copy()
    results = [kernel.chains(hashes, times) for kernel in kernels]
    assert (hashes == before).all()
    for result in results:
        assert result.dtype == np.int8
        assert result.tolist() == results[0].tolist()
    for lane in range(min(len(times), 3)):
        expected = hashes[lane]
        for _ in range(times[lane]):
            expected = curl_hash(kernels[-1], expected)
        assert results[0][lane].tolist() == expected.tolist()


def test_more_chains_than_are_computed_at_once(kernels: list[Kernel]) -> None:
    hashes = random_trits(1, 1100, 243)
    times = [lane % 3 for lane in range(1100)]
    results = {kernel.chains(hashes, times).tobytes() for kernel in kernels}
    assert len(results) == 1


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 3), st.integers(0, 3))
def test_the_kernels_find_the_same_nonce(kernels: list[Kernel], seed: int, security: int, batches: int) -> None:
    state = random_trits(seed, 729)
    found = {str(kernel.find_nonce(state, security, batches)) for kernel in kernels}
    assert len(found) == 1
    if batches == 0:
        assert found == {"None"}


def test_the_nonces_counter_begins_again_behind_its_end(kernels: list[Kernel]) -> None:
    state = random_trits(1, 729)
    state[54:81] = 1
    found = {str(kernel.find_nonce(state, 1, 10)) for kernel in kernels}
    assert len(found) == 1
    assert found != {"None"}


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(0, 8), st.sampled_from([0, 5, 3**20, 2**62]), st.integers(0, 20))
def test_the_kernels_find_the_same_work(kernels: list[Kernel], seed: int, weight: int, first: int, batches: int) -> None:
    state = random_trits(seed, 729)
    found = [kernel.find_work(state, weight, first, batches) for kernel in kernels]
    assert len({str(result) for result in found}) == 1
    if found[0] is not None:
        batch, nonce = found[0]
        assert first <= batch < first + batches
        hashed = transform(np.concatenate((state[:162], nonce, state[243:])), TANGLE_ROUNDS)
        assert not hashed[243 - weight : 243].any()


def transform(state: Any, rounds: int) -> Any:
    """Transform a state by the definition."""
    truth = np.array([1, 0, -1, 1, -1, 0, -1, 1, 0])
    places = 364 * np.arange(730) % 729
    for _ in range(rounds):
        state = truth[state[places[:-1]] + 3 * state[places[1:]] + 4]
    return state


@pytest.mark.parametrize("shape", [(728,), (3, 243), (1, 729)])
def test_memory_of_another_size_never_reaches_the_library(kernels: list[Kernel], shape: tuple[int, ...]) -> None:
    for kernel in kernels:
        if isinstance(kernel, CompiledKernel):
            with pytest.raises(UsageError, match="a state of shape"):
                kernel.find_nonce(np.zeros(shape, dtype=np.int8), 1, 1)
            with pytest.raises(UsageError, match="hashes of shape"):
                kernel.chains(np.zeros(shape, dtype=np.int8), [1, 1])
