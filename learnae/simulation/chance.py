"""The chance of a simulation: streams of draws, each of which depends on the seed and its own name alone."""

from hashlib import blake2b

from learnae.machine.draws import draw_bits, fraction


class Chance:
    """One stream. Draws of one stream never change those of another."""

    def __init__(self, seed: int, name: str) -> None:
        """Begin a stream.

        Args:
            seed: Of the whole simulation; any integer.
            name: Of the stream.
        """
        self._key = blake2b(f"{seed}/{name}".encode(), digest_size=32).digest()
        self._seed = int.from_bytes(self._key[:8], "big")
        self._drawn = 0

    def between(self, low: float, high: float) -> float:
        """Draw a number, evenly: ``low`` is possible, ``high`` is not, unless they are equal."""
        return low + (high - low) * self.share()

    def share(self) -> float:
        """Draw a number in [0, 1)."""
        self._drawn += 1
        return fraction(draw_bits(self._seed, self._drawn - 1))

    def entropy(self, size: int) -> bytes:
        """Draw bytes for seals: never the same ones twice in a simulation, and no secret."""
        made = b""
        while len(made) < size:
            self._drawn += 1
            made += blake2b(self._drawn.to_bytes(8, "big"), key=self._key, digest_size=64).digest()
        return made[:size]


def seed_bytes(seed: int, name: str) -> bytes:
    """Return 32 bytes that depend on the seed and a name."""
    return blake2b(f"{seed}/{name}".encode(), digest_size=32).digest()
