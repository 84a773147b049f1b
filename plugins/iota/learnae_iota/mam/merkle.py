"""Trees of one-time keys: the root of one is what a reader knows of the writer."""

from dataclasses import dataclass, field

import numpy as np

from learnae.errors import UsageError
from learnae_iota.mam.signatures import MAX_SECURITY, leaf_addresses
from learnae_iota.trinary.kernel import Kernel, curl_hash
from learnae_iota.trinary.trytes import HASH_TRITS, Trits, hash_trits

MAX_DEPTH = 16
"""Levels above the leaves of the largest tree."""

_LARGEST_LEAF = 2**62


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tree grows from.

    Attributes:
        seed: 81 trytes: a secret.
        start: The number of its first leaf.
        count: Of leaves: a power of two, because the deployed libraries' own readers refuse messages of other trees.
        security: 1, 2 or 3.

    Raises:
        UsageError: One of them is not as it has to be.
    """

    seed: str = field(repr=False)
    start: int
    count: int
    security: int

    def __post_init__(self) -> None:
        hash_trits(self.seed, "a seed")
        if self.security not in range(1, MAX_SECURITY + 1):
            message = f"a security of {self.security}; it is 1, 2 or 3"
            raise UsageError(message)
        if self.count not in [1 << depth for depth in range(MAX_DEPTH + 1)]:
            message = f"a tree of {self.count} leaves; it has 1, 2, 4 … {1 << MAX_DEPTH}"
            raise UsageError(message)
        if not 0 <= self.start <= _LARGEST_LEAF:
            message = f"a tree that starts at leaf {self.start}; it starts at 0 … {_LARGEST_LEAF}"
            raise UsageError(message)


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A tree that has grown.

    Attributes:
        plan: What it grew from.
        levels: From the leaves to the root, each ``int8``, ``[nodes, 243]``; the last has one node.
    """

    plan: Plan
    levels: tuple[Trits, ...]

    @property
    def root(self) -> Trits:
        """The root: ``int8``, ``[243]``."""
        return self.levels[-1].reshape(-1)

    def siblings(self, leaf: int) -> Trits:
        """Return what leads from a leaf to the root.

        Args:
            leaf: Its place in the tree, 0 … ``count - 1``.

        Returns:
            ``int8``, ``[depth, 243]``, the leaf's own sibling first.
        """
        path = [level[leaf >> depth ^ 1] for depth, level in enumerate(self.levels[:-1])]
        return np.array(path, dtype=np.int8).reshape(len(path), HASH_TRITS)


def grow(plan: Plan, kernel: Kernel) -> Tree:
    """Grow a tree; its leaves are what takes the time, some thousand hashes each."""
    seed = hash_trits(plan.seed, "a seed")
    levels = [leaf_addresses(kernel, seed, plan.start, plan.count, plan.security)]
    while len(levels[-1]) > 1:
        below = levels[-1].reshape(-1, 2, levels[-1].shape[1])
        levels.append(np.stack([curl_hash(kernel, left, right) for left, right in below]))
    return Tree(plan, tuple(levels))


def climb(kernel: Kernel, leaf: Trits, place: int, siblings: Trits) -> Trits:
    """Return the root that a leaf and its siblings lead to.

    Args:
        kernel: Computes.
        leaf: ``int8``, ``[243]``.
        place: Of the leaf in its tree.
        siblings: ``int8``, ``[depth, 243]``, the leaf's own sibling first.

    Returns:
        ``int8``, ``[243]``.
    """
    node = leaf
    for depth, sibling in enumerate(siblings):
        node = curl_hash(kernel, sibling, node) if place >> depth & 1 else curl_hash(kernel, node, sibling)
    return node
