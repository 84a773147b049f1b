"""Puts bundles together: what was fetched of them, what is missing, and what is worth asking for."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import partial

from learnae_iota.bundles.bundles import Bundle
from learnae_iota.bundles.transactions import Transaction
from learnae_iota.lanes import Lanes
from learnae_iota.nodes.node import Node
from learnae_iota.stopping import Stop

AT_ONCE = 50
"""Transactions in one call: 134,000 bytes."""


@dataclass(frozen=True, slots=True)
class Torn:
    """A bundle of which something was found and something is missing; anybody may have made it up.

    Attributes:
        bundle: Its hash.
        size: How many transactions it has at most.
        looks: How often it was asked for by its hash.
        shown: What a node named last, if all of that was fetched: asked again, it need not be; ``None`` otherwise.
    """

    bundle: str
    size: int
    looks: int = 0
    shown: int | None = None


@dataclass(frozen=True, slots=True)
class _Chain:
    """A first transaction, and how much of its bundle is here; ``missing`` comes next, and is empty where nothing does."""

    hashes: tuple[str, ...]
    transactions: tuple[Transaction, ...]
    missing: str

    @property
    def is_whole(self) -> bool:
        return len(self.transactions) > self.transactions[0].last_index


class Basket:
    """Transactions that were fetched, up to a number.

    Args:
        node: Is asked.
        most: How many transactions are fetched.
        max_bundle: Longer bundles are passed over.
        lanes: Make calls side by side.
        stop: Ends it early.
    """

    def __init__(self, node: Node, most: int, max_bundle: int, lanes: Lanes, stop: Stop) -> None:
        self._node, self._most, self._max_bundle, self._lanes, self._stop = node, most, max_bundle, lanes, stop
        self._asked: set[str] = set()
        self._here: dict[str, Transaction | None] = {}
        self.full = False

    @property
    def room(self) -> int:
        """How many more transactions are fetched."""
        return self._most - len(self._asked)

    def fetch(self, hashes: Iterable[str]) -> None:
        """Fetch what was not asked for yet, side by side."""
        wanted = [digest for digest in dict.fromkeys(hashes) if digest not in self._asked]
        self.full |= len(wanted) > self.room
        wanted = wanted[: self.room]
        self._asked.update(wanted)
        size = min(AT_ONCE, self._node.most_transactions(self._stop))
        pieces = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        for part in self._lanes.together([partial(self._node.transactions, piece, self._stop) for piece in pieces]):
            self._here.update(part)

    def follow(self, rounds: int) -> None:
        """Fetch what the bundles lack whose first transaction is here: in each round the next transaction of each."""
        for _ in range(rounds):
            before = len(self._asked)
            self.fetch([chain.missing for chain in self._chains() if chain.missing])
            if len(self._asked) == before:
                return

    def torn(self) -> list[Torn]:
        """Return the bundles of which only a part is here; those of which most is here come first.

        So rubbish at the same address, of which each piece is another bundle's, does not come before a message. What says two
        different things of one place comes last: no bundle does.
        """
        whole = {digest for chain in self._chains() if chain.is_whole for digest in chain.hashes}
        parts: dict[str, dict[int, str]] = {}
        sizes: dict[str, int] = {}
        strange: set[str] = set()
        for digest, part in self._here.items():
            if part is None or part.last_index >= self._max_bundle or digest in whole:
                continue
            if parts.setdefault(part.bundle, {}).setdefault(part.index, part.message) != part.message:
                strange.add(part.bundle)
            sizes[part.bundle] = max(sizes.get(part.bundle, 0), part.last_index + 1)
        ordered = sorted(parts, key=lambda bundle: (bundle in strange, -len(parts[bundle]), bundle))
        return [Torn(bundle, sizes[bundle]) for bundle in ordered]

    def unfinished(self) -> set[str]:
        """Return the hashes of the bundles whose first transaction is here, and whose next one was not asked for yet."""
        return {chain.transactions[0].bundle for chain in self._chains() if chain.missing and chain.missing not in self._asked}

    def whole_bundles(self) -> list[Bundle]:
        """Return the bundles to which nothing is missing; they are not checked."""
        return [Bundle(chain.transactions, chain.hashes) for chain in self._chains() if chain.is_whole]

    def seen(self) -> Set[str]:
        """Return the transactions that are here."""
        return self._here.keys()

    def begun(self) -> set[str]:
        """Return those of bundles whose first transaction is here, and that lack something."""
        return {digest for chain in self._chains() if chain.missing for digest in chain.hashes}

    def _chains(self) -> Iterator[_Chain]:
        for digest, first in self._here.items():
            if first is None or first.index or first.last_index >= self._max_bundle:
                continue
            hashes, parts, missing = [digest], [first], ""
            while len(parts) <= first.last_index:
                trunk = parts[-1].trunk
                if trunk not in self._here:
                    missing = trunk
                    break
                part = self._here[trunk]
                if part is None or part.bundle != first.bundle or part.index != len(parts):
                    break  # it leads elsewhere, and is no bundle
                hashes.append(trunk)
                parts.append(part)
            yield _Chain(tuple(hashes), tuple(parts), missing)
