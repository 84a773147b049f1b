"""Fetches bundles: what a query finds, and what belongs to it, put together again and checked.

Anybody may write anything to any address and under any tag. What is no bundle is passed over, and all that is fetched is bounded.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from learnae.errors import DamagedError, UsageError
from learnae_iota.bundles.bundles import MAX_TRANSACTIONS, Bundle, check_bundle
from learnae_iota.bundles.transactions import TAG_TRYTES, Transaction
from learnae_iota.lanes import Lanes
from learnae_iota.nodes.node import Node
from learnae_iota.stopping import Stop
from learnae_iota.trinary.kernel import Kernel
from learnae_iota.trinary.trytes import HASH_TRYTES, are_trytes

AT_ONCE = 50
"""Transactions in one call: 134,000 bytes."""

_ATTACHMENTS = 4
"""Of such a bundle, whose transactions are fetched at once; anybody can attach it again."""

_MAX_RESCUES = 1_000
"""Bundles that are asked for by name where an answer was full: as many as it can name."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to search: transactions with one of these values; of several kinds, with one of each kind.

    Attributes:
        addresses: 81 trytes each.
        tags: Up to 27 trytes each.
        bundles: Hashes of bundles, 81 trytes each.

    Raises:
        UsageError: There is none, or one of them is not as it has to be.
    """

    addresses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.addresses + self.tags + self.bundles:
            raise UsageError("a query for nothing; give an address, a tag or the hash of a bundle")
        for text in self.addresses + self.bundles:
            if not are_trytes(text, HASH_TRYTES):
                raise UsageError(f"{text[:100]!r} is no address and no hash of a bundle, which are {HASH_TRYTES} trytes")
        for tag in self.tags:
            if not are_trytes(tag) or len(tag) > TAG_TRYTES:
                raise UsageError(f"{tag[:100]!r} is no tag, which is up to {TAG_TRYTES} trytes")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched.

    Attributes:
        bundles: Each once, however often it is attached; sorted by hash, which says nothing about time.
        seen: Hashes of transactions that need not be fetched again: give them as ``known`` next time.
        cut: There may be more: the node's answer was full, or ``max_transactions`` were fetched. A full answer stays full; what
            is missing may be found by another address or tag.
    """

    bundles: tuple[Bundle, ...]
    seen: frozenset[str] = field(repr=False)
    cut: bool


class Fetches(Protocol):
    """What readers need of ``Tangle``."""

    def fetch(
        self, query: Query, *, known: Collection[str] = frozenset(), max_bundle: int = MAX_TRANSACTIONS, stop: Stop | None = None
    ) -> Fetched:
        """Fetch bundles: see ``Tangle.fetch``."""
        ...


def fetch_bundles(
    node: Node,
    query: Query,
    *,
    known: Collection[str],
    max_transactions: int,
    max_bundle: int = MAX_TRANSACTIONS,
    lanes: Lanes,
    stop: Stop,
    kernel: Kernel,
) -> Fetched:
    """Fetch the bundles of which a query finds a transaction.

    Args:
        node: Is asked.
        query: Finds.
        known: Hashes of transactions that are passed over where the query finds them.
        max_transactions: The most to fetch; some 3,000 bytes of memory each.
        max_bundle: Longer bundles are passed over before the rest of them is fetched.
        lanes: Make calls side by side.
        stop: Ends it early.
        kernel: Computes.
    """
    found = node.find(addresses=query.addresses, tags=query.tags, bundles=query.bundles, stop=stop)
    basket = _Basket(node, max_transactions, max_bundle, lanes, stop)
    basket.fetch(digest for digest in found.hashes if digest not in known)
    if found.cut:
        lost = basket.torn_bundles()[:_MAX_RESCUES]
        answers = lanes.together([partial(node.find, bundles=[digest], stop=stop) for digest in lost])
        basket.fetch(digest for answer in answers for digest in answer.hashes[: _ATTACHMENTS * max_bundle])
    basket.follow()
    bundles: dict[object, Bundle] = {}
    for bundle in basket.whole_bundles():
        try:
            check_bundle(bundle, kernel)
        except DamagedError:
            continue
        content = tuple((part.essence, part.message, part.tag) for part in bundle.transactions)
        bundles.setdefault(content, bundle)
    ordered = sorted(bundles.values(), key=lambda bundle: (bundle.hash, bundle.tail))
    return Fetched(tuple(ordered), frozenset(basket.seen()), found.cut or basket.full)


@dataclass(frozen=True, slots=True)
class _Chain:
    """A first transaction, and how much of its bundle is here; ``missing`` comes next, and is empty where nothing does."""

    hashes: tuple[str, ...]
    transactions: tuple[Transaction, ...]
    missing: str


class _Basket:
    """Transactions that were fetched, up to a number."""

    def __init__(self, node: Node, most: int, max_bundle: int, lanes: Lanes, stop: Stop) -> None:
        self._node, self._most, self._max_bundle, self._lanes, self._stop = node, most, max_bundle, lanes, stop
        self._asked: set[str] = set()
        self._here: dict[str, Transaction | None] = {}
        self.full = False

    def fetch(self, hashes: Iterable[str]) -> None:
        """Fetch what was not asked for yet, side by side."""
        wanted = [digest for digest in dict.fromkeys(hashes) if digest not in self._asked]
        room = self._most - len(self._asked)
        self.full |= len(wanted) > room
        wanted = wanted[:room]
        self._asked.update(wanted)
        size = min(AT_ONCE, self._node.most_transactions(self._stop))
        pieces = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        for part in self._lanes.together([partial(self._node.transactions, piece, self._stop) for piece in pieces]):
            self._here.update(part)

    def follow(self) -> None:
        """Fetch what the bundles lack whose first transaction is here."""
        before = -1
        while before < len(self._asked):
            before = len(self._asked)
            self.fetch([chain.missing for chain in self._chains() if chain.missing])

    def torn_bundles(self) -> list[str]:
        """Return the hashes of the bundles of which only a part is here; those of which most is here come first.

        So rubbish at the same address, of which each piece is another bundle's, does not come before a message.
        """
        counts = Counter(part.bundle for part in self._here.values() if part and part.last_index < self._max_bundle)
        whole = {chain.transactions[0].bundle for chain in self._chains() if not chain.missing}
        return sorted(counts.keys() - whole, key=lambda digest: (-counts[digest], digest))

    def whole_bundles(self) -> list[Bundle]:
        """Return the bundles to which nothing is missing; they are not checked."""
        return [Bundle(chain.transactions, chain.hashes) for chain in self._chains() if not chain.missing]

    def seen(self) -> set[str]:
        """Return the transactions that are here, but those of bundles that still lack something."""
        return set(self._here) - {digest for chain in self._chains() if chain.missing for digest in chain.hashes}

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
