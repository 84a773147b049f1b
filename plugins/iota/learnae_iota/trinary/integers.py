"""One Curl state in two whole numbers: pure Python's fastest sponge.

Bit ``i`` of ``p`` says that trit ``i`` is 1, bit ``i`` of ``n`` that it is -1. A state whose trits are renumbered after every
round (see the head of ``curl.c``) needs no scatter: a round is a rotation of 729 bits and seven operations on whole numbers, some
0.5 µs, where one NumPy call on an array as small takes as long by itself.
"""

from collections.abc import Iterator

import numpy as np

from learnae_iota.trinary.kernel import MAM_ROUNDS, STATE_TRITS, TANGLE_ROUNDS
from learnae_iota.trinary.trytes import HASH_TRITS, Trits

FIRST_ROTATION = 365
NEXT_ROTATION = 364

_FULL = (1 << STATE_TRITS) - 1
_FRONT = (1 << HASH_TRITS) - 1
_HASH_BYTES = (HASH_TRITS + 7) // 8
_STATE_BYTES = (STATE_TRITS + 7) // 8


def rotations(rounds: int) -> list[int]:
    """Return by how many places each round rotates the renumbered state."""
    places = [FIRST_ROTATION]
    while len(places) < rounds:
        places.append(places[-1] * NEXT_ROTATION % STATE_TRITS)
    return places


def _stages(classes: int) -> list[tuple[int, int]]:
    """Return how to put trits back in order: trit k comes from ``k + 729 / classes * (k mod classes)``, bit after bit of that."""
    step = STATE_TRITS // classes
    stages = []
    for bit in range((classes - 1).bit_length()):
        mask = sum(1 << k for k in range(STATE_TRITS) if k % classes >> bit & 1)
        stages.append((step << bit, mask))
    return stages


_ROTATIONS = {rounds: tuple(rotations(rounds)) for rounds in (MAM_ROUNDS, TANGLE_ROUNDS)}
_STAGES = {MAM_ROUNDS: tuple(_stages(9)), TANGLE_ROUNDS: tuple(_stages(3))}


def permute(p: int, n: int, rounds: int) -> tuple[int, int]:
    """Transform a state, given and returned as its two planes of 729 bits."""
    full, size = _FULL, STATE_TRITS
    for by in _ROTATIONS[rounds]:
        back = size - by
        x = p ^ ((n << by | n >> back) & full)
        d = n ^ ((p << by | p >> back) & full)
        p = d ^ (d & p & x)
        n = full ^ (x | p)
    for by, mask in _STAGES[rounds]:
        back = size - by
        p ^= (p ^ (p >> by | p << back)) & mask
        n ^= (n ^ (n >> by | n << back)) & mask
    return p, n


class IntegerSponge:
    """A sponge in two whole numbers: see ``Sponge``.

    Args:
        rounds: 27 or 81.
    """

    __slots__ = ("_n", "_p", "_rounds")

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._p = 0
        self._n = 0

    def absorb(self, trits: Trits) -> None:
        """Absorb trits: see ``Sponge.absorb``."""
        for p, n, front in _chunks(trits):
            self._take_in(p, n, front)

    def squeeze(self, count: int) -> Trits:
        """Squeeze trits out: see ``Sponge.squeeze``."""
        planes = []
        for _ in range(-(-count // HASH_TRITS)):
            planes.append((self._p & _FRONT, self._n & _FRONT))
            self._p, self._n = permute(self._p, self._n, self._rounds)
        return _trits(planes, count)

    def state(self) -> Trits:
        """Copy the state: see ``Sponge.state``."""
        planes = [np.frombuffer(plane.to_bytes(_STATE_BYTES, "little"), dtype=np.uint8) for plane in (self._p, self._n)]
        p, n = (np.unpackbits(plane, count=STATE_TRITS, bitorder="little").view(np.int8) for plane in planes)
        return p - n

    def mask(self, plain: Trits) -> Trits:
        """Hide trits: see ``Sponge.mask``."""
        planes = []
        for p, n, front in _chunks(plain):
            planes.append(_add(p, n, self._p & front, self._n & front))
            self._take_in(p, n, front)
        return _trits(planes, len(plain))

    def unmask(self, masked: Trits) -> Trits:
        """Show hidden trits: see ``Sponge.unmask``."""
        planes = []
        for p, n, front in _chunks(masked):
            plain = _add(p, n, self._n & front, self._p & front)
            planes.append(plain)
            self._take_in(*plain, front)
        return _trits(planes, len(masked))

    def _take_in(self, p: int, n: int, front: int) -> None:
        self._p, self._n = permute(self._p & ~front | p, self._n & ~front | n, self._rounds)


def _add(p: int, n: int, key_p: int, key_n: int) -> tuple[int, int]:
    """Add planes trit by trit modulo 3."""
    some, key_some = p | n, key_p | key_n
    return (p & ~key_some) | (key_p & ~some) | (n & key_n), (n & ~key_some) | (key_n & ~some) | (p & key_p)


def _chunks(trits: Trits) -> Iterator[tuple[int, int, int]]:
    """Go over the chunks of 243 trits: their two planes, and the places that they fill."""
    count = -(-len(trits) // HASH_TRITS)
    table = np.zeros((count, HASH_TRITS), dtype=np.int8)
    table.reshape(-1)[: len(trits)] = trits
    ones, minuses = (np.packbits(plane, axis=1, bitorder="little") for plane in (table > 0, table < 0))
    for row in range(count):
        front = _FRONT if row + 1 < count else (1 << (len(trits) - row * HASH_TRITS)) - 1
        yield int.from_bytes(ones[row].tobytes(), "little"), int.from_bytes(minuses[row].tobytes(), "little"), front


def _trits(planes: list[tuple[int, int]], count: int) -> Trits:
    """Return the first ``count`` trits of chunks that are given as their two planes."""
    data = b"".join(plane.to_bytes(_HASH_BYTES, "little") for pair in planes for plane in pair)
    table = np.frombuffer(data, dtype=np.uint8).reshape(len(planes), 2, _HASH_BYTES)
    bits = np.unpackbits(table, axis=2, count=HASH_TRITS, bitorder="little").view(np.int8)
    return (bits[:, 0] - bits[:, 1]).reshape(-1)[:count]
