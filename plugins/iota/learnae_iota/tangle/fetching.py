"""Fetches bundles: what a query finds, and what belongs to it, put together again and checked.

Anybody may write anything to any address and under any tag. What is no bundle is passed over, and all that is fetched is bounded.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from learnae.errors import DamagedError, UsageError
from learnae_iota.bundles.bundles import MAX_TRANSACTIONS, Bundle, check_bundle
from learnae_iota.bundles.transactions import TAG_TRYTES
from learnae_iota.lanes import Lanes
from learnae_iota.nodes.node import Found, Node
from learnae_iota.stopping import Stop
from learnae_iota.tangle.basket import Basket, Torn
from learnae_iota.trinary.kernel import Kernel
from learnae_iota.trinary.trytes import HASH_TRYTES, are_trytes

_ATTACHMENTS = 4
"""Of such a bundle, whose transactions are fetched at once; anybody can attach it again."""

_MAX_RESCUES = 1_000
"""Torn bundles that are asked for by their hash in one look: as many as a full answer can name."""

_RESCUES_AGAIN = 16
"""The same, of new and of earlier ones, where the caller looks again and again and keeps those that did not get their turn."""

_LOOKS = 30
"""How often one is asked for that can only be waited for: nothing else of it would go unseen."""

_SHORT = 4
"""Transactions up to which a bundle is followed from one to the next; longer ones are asked for by their hash first."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to search: transactions with one of these values; of several kinds, with one of each kind.

    Attributes:
        addresses: 81 trytes each.
        tags: Up to 27 trytes each.
        bundles: Hashes of bundles, 81 trytes each.
        torn: ``Fetched.torn`` of the look before, empty at first, where one looks again and again: they are asked for by their
            hashes, in turns; ``None`` where this is the only look.
        everywhere: Ask every node that knows the ledger as it is now, instead of the first that answers.

    Raises:
        UsageError: There is none, or one of them is not as it has to be.
    """

    addresses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    torn: tuple[Torn, ...] | None = None
    everywhere: bool = False

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
        seen: Hashes of transactions that need not be fetched again: give them as ``known`` next time. Where ``torn`` is not given
            back, those of a bundle whose first transaction is there are not among them as long as it lacks something.
        cut: There may be more: the node's answer was full, or ``max_transactions`` were fetched. A full answer stays full; what
            is missing may be found by another address or tag.
        torn: Bundles that are not there as a whole: those first whose turn comes next.
    """

    bundles: tuple[Bundle, ...]
    seen: frozenset[str] = field(repr=False)
    cut: bool
    torn: tuple[Torn, ...] = ()


class Fetches(Protocol):
    """What readers need of ``Tangle``."""

    def fetch(
        self, query: Query, *, known: Collection[str] = frozenset(), max_bundle: int = MAX_TRANSACTIONS, stop: Stop | None = None
    ) -> Fetched:
        """Fetch bundles: see ``Tangle.fetch``."""
        ...

    def now_ms(self, *, stop: Stop | None = None) -> int:
        """Return the time by the nodes: see ``Tangle.now_ms``."""
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
    basket = Basket(node, max_transactions, max_bundle, lanes, stop)
    basket.fetch(digest for digest in found.hashes if digest not in known)
    basket.follow(_SHORT)
    torn = _rescue(basket, node, query.torn, lanes, stop, cut=found.cut)
    basket.follow(max_bundle)
    bundles: dict[object, Bundle] = {}
    for bundle in basket.whole_bundles():
        try:
            check_bundle(bundle, kernel)
        except DamagedError:
            continue
        bundles.setdefault(_content(bundle), bundle)
    seen = basket.seen() if query.torn is not None else basket.seen() - basket.begun()
    return Fetched(_ordered(bundles.values()), frozenset(seen), found.cut or basket.full, tuple(torn))


def united(answers: Sequence[Fetched]) -> Fetched:
    """Unite what several nodes said."""
    bundles = {_content(bundle): bundle for fetched in answers for bundle in fetched.bundles}
    seen = frozenset[str]().union(*(fetched.seen for fetched in answers))
    return Fetched(_ordered(bundles.values()), seen, any(fetched.cut for fetched in answers))


def _content(bundle: Bundle) -> object:
    return tuple((part.essence, part.message, part.tag) for part in bundle.transactions)


def _ordered(bundles: Iterable[Bundle]) -> tuple[Bundle, ...]:
    return tuple(sorted(bundles, key=lambda bundle: (bundle.hash, bundle.tail)))


def _rescue(basket: Basket, node: Node, earlier: Sequence[Torn] | None, lanes: Lanes, stop: Stop, *, cut: bool) -> list[Torn]:
    """Ask for torn bundles by their hashes; return those that are torn still, and those whose turn did not come first.

    Every bundle has room for one of its attachments before any has room for another: whoever makes up bundles of a thousand
    pieces crowds nobody out. One of which something new was found is asked for at once if the answer was cut, if it is longer
    than is followed, or if it was torn before; in an answer that was not cut, what it lacks is not there yet otherwise.
    """
    new = basket.torn()
    names, unfinished = {torn.bundle for torn in new}, basket.unfinished()
    waiting = [torn for torn in earlier or () if torn.bundle not in names]
    grown = names & {torn.bundle for torn in earlier or ()}
    most = _MAX_RESCUES if earlier is None else _RESCUES_AGAIN
    picked = [torn for torn in new if cut or torn.bundle in unfinished | grown][:most]
    youngest = sorted(waiting, key=lambda torn: torn.looks)[: most // 2]
    picked += list(dict.fromkeys(youngest + waiting))[:most]
    answers = lanes.together([partial(node.find, bundles=[torn.bundle], stop=stop) for torn in picked])
    asked: list[tuple[Torn, Found]] = []
    wanted: list[str] = []
    others: list[str] = []
    for torn, answer in zip(picked, answers, strict=True):
        share = () if torn.shown == hash(answer.hashes) else answer.hashes[: torn.size]
        if len(wanted) + len(share) <= basket.room:
            wanted += share
            others += answer.hashes[torn.size : _ATTACHMENTS * torn.size]
            asked.append((torn, answer))
    basket.fetch([*wanted, *others[: basket.room - len(wanted)]])
    tried = {torn.bundle: _asked(torn, answer, basket) for torn, answer in asked}
    torn_still = {torn.bundle: torn for torn in basket.torn()}
    done = {bundle.hash for bundle in basket.whole_bundles()} - torn_still.keys()
    rest = {torn.bundle: torn for torn in [*waiting, *torn_still.values()] if torn.bundle not in tried}
    again = [torn for torn in tried.values() if torn.bundle not in done and (cut or torn.looks < _LOOKS)]
    return [*rest.values(), *again]


def _asked(torn: Torn, answer: Found, basket: Basket) -> Torn:
    """Note that a torn bundle was asked for, and whether all that a node named was fetched."""
    names = hash(answer.hashes)
    is_known = torn.shown == names or basket.seen() >= set(answer.hashes)
    return replace(torn, looks=torn.looks + 1, shown=names if is_known else None)
