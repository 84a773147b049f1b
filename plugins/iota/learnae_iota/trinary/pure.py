"""The kernel that needs Python and NumPy only.

Many states side by side are sliced: word ``i`` of a plane holds trit ``i`` of 64 states. Each plane lies there twice, one copy
behind the other, so that a rotated plane is a view.
"""

import numpy as np
import numpy.typing as npt

from learnae_iota.trinary.integers import IntegerSponge, rotations
from learnae_iota.trinary.keccak import keccak_384
from learnae_iota.trinary.kernel import MAM_ROUNDS, STATE_TRITS, TANGLE_ROUNDS, Sponge
from learnae_iota.trinary.trytes import HASH_TRITS, Trits

_Words = npt.NDArray[np.uint64]

_LANES = 64
_MAX_WORDS = 8  # 64 * 8 states at once still lie in a small cache
_THIRD = 81
_NONCE = slice(162, HASH_TRITS)
_LANE_BITS = 6


class PureKernel:
    """Computes Curl and Keccak with Python and NumPy: see ``Kernel``."""

    name = "pure"

    def sponge(self, rounds: int) -> Sponge:
        """Make a sponge: see ``Kernel.sponge``."""
        return IntegerSponge(rounds)

    def chains(self, hashes: Trits, times: list[int]) -> Trits:
        """Hash again and again: see ``Kernel.chains``."""
        result = hashes.copy()
        for start in range(0, len(times), _LANES * _MAX_WORDS):
            part = slice(start, start + _LANES * _MAX_WORDS)
            result[part] = _chains(hashes[part], np.array(times[part], dtype=np.int32))
        return result

    def find_nonce(self, state: Trits, security: int, batches: int) -> Trits | None:
        """Search a message's nonce: see ``Kernel.find_nonce``."""
        base = state.copy()
        lanes = np.arange(_LANES)
        candidates = np.empty((_LANES, STATE_TRITS), dtype=np.int8)
        for _ in range(batches):
            _count_up(base[54:_THIRD])
            candidates[:] = base
            candidates[:, :4] = (lanes[:, np.newaxis] // (1, 3, 9, 27) + 1) % 3 - 1
            rate = _unslice(_permuted(_slice(candidates), MAM_ROUNDS)[:, :HASH_TRITS], _LANES)
            sums = rate.reshape(_LANES, 3, _THIRD).sum(axis=2, dtype=np.int32).cumsum(axis=1)
            good = (sums[:, security - 1] == 0) & (sums[:, : security - 1] != 0).all(axis=1)
            if good.any() and not good[0]:  # the deployed libraries pass over a batch whose lane 0 is good
                return candidates[good.argmax(), :_THIRD].copy()
        return None

    def find_work(self, state: Trits, weight: int, first: int, batches: int) -> tuple[int, Trits] | None:
        """Search a transaction's nonce: see ``Kernel.find_work``."""
        batch, end, words = first, first + batches, 1
        while batch < end:
            width = min(words, end - batch)
            candidates = np.empty((_LANES * width, STATE_TRITS), dtype=np.int8)
            candidates[:] = state
            candidates[:, _NONCE] = _work_candidates(batch, width)
            hashes = _permuted(_slice(candidates), TANGLE_ROUNDS)[:, HASH_TRITS - weight : HASH_TRITS]
            bad: _Words = np.bitwise_or.reduce(hashes, axis=(0, 1))
            good = ~_bits(bad[np.newaxis])[0].astype(bool)
            if good.any():
                found = int(good.argmax())
                return batch + found // _LANES, candidates[found, _NONCE].copy()
            batch, words = batch + width, min(2 * words, _MAX_WORDS)
        return None

    def keccak_384(self, data: bytes) -> bytes:
        """Hash bytes: see ``Kernel.keccak_384``."""
        return keccak_384(data)


def _count_up(trits: Trits) -> None:
    """Add one to a balanced counter, the least significant trit first."""
    for place, trit in enumerate(trits.tolist()):
        trits[place] = -1 if trit == 1 else trit + 1
        if trit != 1:
            return


def _work_candidates(batch: int, words: int) -> Trits:
    """Return the nonces of batches: ``int8``, ``[64 * words, 81]``."""
    nonces = np.zeros((words, _LANES, _THIRD), dtype=np.int8)
    nonces[:, :, :_LANE_BITS] = np.arange(_LANES)[:, np.newaxis] >> np.arange(_LANE_BITS) & 1
    for word in range(words):
        place, digits = _LANE_BITS, batch + word
        while digits:
            digits, digit = divmod(digits, 3)
            nonces[word, :, place] = -1 if digit == 2 else digit
            place += 1
    return nonces.reshape(-1, _THIRD)


def _chains(hashes: Trits, times: npt.NDArray[np.int32]) -> Trits:
    planes = _slice(hashes)
    state = np.zeros((2, STATE_TRITS, planes.shape[2]), dtype=np.uint64)
    for done in range(int(times.max(initial=0))):
        state[:, :HASH_TRITS] = planes
        hashed = _permuted(state, MAM_ROUNDS)[:, :HASH_TRITS]
        planes ^= (planes ^ hashed) & _words((times > done)[np.newaxis])
    return _unslice(planes, len(hashes))


def _words(bits: npt.NDArray[np.bool_]) -> _Words:
    """Pack bits, ``[rows, lanes]``, into ``[rows, words]``."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    full = np.zeros((packed.shape[0], -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    full[:, : packed.shape[1]] = packed
    return full.view(np.uint64)


def _bits(words: _Words) -> npt.NDArray[np.uint8]:
    """Unpack ``[..., words]`` into ``[..., 64 * words]``."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")


def _slice(trits: Trits) -> _Words:
    """Turn ``[lanes, n]`` into two planes, ``[2, n, words]``."""
    columns = np.ascontiguousarray(trits.T)
    return np.stack((_words(columns > 0), _words(columns < 0)))


def _unslice(planes: _Words, lanes: int) -> Trits:
    """Undo ``_slice``."""
    bits = _bits(planes)[:, :, :lanes].view(np.int8)
    return np.ascontiguousarray((bits[0] - bits[1]).T)


def _permuted(state: _Words, rounds: int) -> _Words:
    """Transform states, ``[2, 729, words]``, into new ones; the renumbering is the one at the head of ``curl.c``."""
    words = state.shape[2]
    size = STATE_TRITS * words
    twice = np.concatenate((state, state), axis=1).reshape(2, 2 * size)
    now, copy, swapped = twice[:, :size], twice[:, size:], twice[::-1]
    p, n = now
    mixed, kept = np.empty((2, size), dtype=np.uint64), np.empty(size, dtype=np.uint64)
    x, d = mixed
    for by in rotations(rounds):
        start = size - by * words
        np.bitwise_xor(now, swapped[:, start : start + size], out=mixed)
        np.bitwise_and(p, x, out=kept)
        np.bitwise_and(kept, d, out=kept)
        np.bitwise_xor(d, kept, out=p)
        np.bitwise_or(x, p, out=n)
        np.invert(n, out=n)
        copy[:] = now
    order = np.arange(STATE_TRITS) * (82 if rounds == MAM_ROUNDS else 244) % STATE_TRITS
    return now.reshape(2, STATE_TRITS, words)[:, order]
