"""Chance that can be resumed: the n-th draw is a function of the seed and n."""

import hashlib

DRAW_BITS = 64


def draw_bits(seed: int, position: int) -> int:
    """Return 64 evenly distributed bits, by BLAKE2b (RFC 7693) of seed and position.

    Args:
        seed: 0 to 2**64 - 1.
        position: How many draws came before, 0 to 2**64 - 1. It is all there is to store.
    """
    data = seed.to_bytes(8, "big") + position.to_bytes(8, "big")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, person=b"learnae-draw").digest(), "big")


def below(bits: int, bound: int) -> int:
    """Map 64 even bits to 0 … bound - 1; the bias is below bound / 2**64."""
    return (bits * bound) >> DRAW_BITS


def fraction(bits: int) -> float:
    """Map 64 even bits to [0, 1)."""
    return (bits >> 11) / (1 << 53)
