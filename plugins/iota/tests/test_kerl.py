"""Keccak-384 and Kerl, with both kernels."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learnae_iota.nodes.pyota import import_pyota
from learnae_iota.trinary.kerl import kerl_hash
from learnae_iota.trinary.kernel import Kernel
from learnae_iota.trinary.numbers import largest, read_number, write_number
from learnae_iota.trinary.trytes import ALPHABET, to_trits

from learnae.errors import UsageError

BLOCKS = st.lists(st.text(ALPHABET, min_size=81, max_size=81), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def iota() -> Any:
    return import_pyota()


def test_keccak_is_the_one_from_before_sha3(kernel: Kernel) -> None:
    digest = "2c23146a63a29acf99e73b88f8c24eaa7dc60aa771780ccc006afbfa8fe2479b2dd2b21362337441ac12b515911957ff"
    assert kernel.keccak_384(b"").hex() == digest


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 350), st.randoms(use_true_random=False))
def test_keccak_is_as_elsewhere(kernels: list[Kernel], count: int, random: Any) -> None:
    sha3 = pytest.importorskip("sha3")  # what PyOTA uses
    data = random.randbytes(count)
    assert {kernel.keccak_384(data) for kernel in kernels} == {sha3.keccak_384(data).digest()}


def test_kerl_is_as_published(kernel: Kernel) -> None:
    block = "GYOMKVTSNHVJNCNFBBAH9AAMXLPLLLROQY99QN9DLSJUHDPBLCFFAIQXZA9BKMBJCYSFHFPXAHDWZFEIZ"
    assert kerl_hash([block], kernel) == "OXJCNFHUNAHWDLKKPELTBFUCVW9KLXKOGWERKTJXQMXTKFKNWNNXYD9DMJJABSEIONOSJTTEVKVDQEWTW"


@settings(max_examples=25, deadline=None)
@given(BLOCKS)
def test_kerl_is_as_in_pyota(iota: Any, kernels: list[Kernel], blocks: list[str]) -> None:
    sponge, trits = iota.crypto.kerl.Kerl(), [0] * 243
    for block in blocks:
        sponge.absorb(to_trits(block).tolist())
    sponge.squeeze(trits)
    assert {kerl_hash(blocks, kernel) for kernel in kernels} == {str(iota.Hash.from_trits(trits))}


def test_the_last_trit_of_a_block_does_not_count(kernel: Kernel) -> None:
    for block in ("9" * 81, "M" * 81, "N" * 81, "A" * 80 + "E"):
        trits = to_trits(block)
        others = {block[:80] + letter for letter in ALPHABET if (to_trits(letter)[:2] == trits[240:242]).all()}
        assert len(others) == 3
        assert len({kerl_hash([other], kernel) for other in others}) == 1


@pytest.mark.parametrize("block", ["", "A", "9" * 80, "9" * 82, "a" * 81, "Ä" * 81, "9" * 80 + "\n"])
def test_a_block_is_81_trytes(kernel: Kernel, block: str) -> None:
    with pytest.raises(UsageError, match="Kerl takes blocks of 81 trytes"):
        kerl_hash([block], kernel)


@given(st.integers(1, 81), st.data())
def test_numbers_are_written_and_read(trytes: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(-largest(trytes), largest(trytes)))
    text = write_number(number, trytes)
    assert len(text) == trytes
    assert read_number(text) == number
    assert number == sum(int(trit) * 3**place for place, trit in enumerate(to_trits(text)))


def test_the_ends_of_the_numbers() -> None:
    assert largest(1) == 13
    assert [write_number(number, 1) for number in (-13, -1, 0, 1, 13)] == ["N", "Z", "9", "A", "M"]
    assert write_number(largest(9), 9) == "M" * 9
    assert read_number("N" * 27) == -largest(27)
