"""A place that is looked at again and again: nothing hides what belongs there for long, and rubbish is looked at once."""

from collections.abc import Collection
from dataclasses import replace

import pytest
from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import Bundle, Posting, prepare_bundle
from learnae_iota.bundles.transactions import NULL_HASH, Transaction, encode_transaction
from learnae_iota.bundles.work import transaction_hash
from learnae_iota.nodes.node import Node
from learnae_iota.nodes.several import Nodes
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetched, Query
from learnae_iota.tangle.tangle import Tangle
from learnae_iota.tangle.watching import Watch
from sensor_rig import MemoryTangle
from tangle_rig.memory import Fault

from learnae.errors import UnavailableError

HERE = "HERE".ljust(81, "9")
TIPS = Tips(NULL_HASH, NULL_HASH)


class Poor:
    """A tangle of which little is fetched at a time."""

    def __init__(self, tangle: Tangle, most: int) -> None:
        self._tangle, self._most = tangle, most

    def fetch(
        self, query: Query, *, known: Collection[str] = frozenset(), max_bundle: int = 1000, stop: Stop | None = None
    ) -> Fetched:
        return self._tangle.fetch(query, known=known, max_transactions=self._most, max_bundle=max_bundle, stop=stop)

    def now_ms(self, *, stop: Stop | None = None) -> int:
        return self._tangle.now_ms(stop=stop)


def bundle_of(transactions: int, second: int = 1) -> Bundle:
    bundle = prepare_bundle([Posting(HERE, "A" * 2187 * transactions)], second)
    return attach_bundle(bundle, TIPS, 0, clock=lambda: second * 1000)


def put(node: MemoryTangle, *transactions: Transaction) -> None:
    node.ledger.update({transaction_hash(text): text for text in map(encode_transaction, transactions)})


def flood(node: MemoryTangle, pieces: int) -> None:
    """Write pieces of as many bundles, each the second of two transactions."""
    for second in range(pieces):
        put(node, bundle_of(2, 1000 + second).transactions[1])


def look(watch: Watch, tangle: Tangle) -> Fetched:
    found = watch.look(tangle)
    watch.pass_over(found)
    return found


@pytest.mark.parametrize("strange", [False, True], ids=["parts-of-one", "several-of-a-place"])
def test_made_up_bundles_of_many_pieces_do_not_crowd_a_message_out(strange: bool) -> None:
    node = MemoryTangle(limit=60)
    tangle = Poor(node.tangle(), 150)
    watch = Watch(Query(addresses=(HERE,)), 100)
    piece = bundle_of(2).transactions[1]
    for letter in "BCDEF":
        for at in range(60):
            index = at // 3 if strange else at
            put(node, replace(piece, bundle=letter * 81, index=index + 1, last_index=80, message="BCD"[at % 3].ljust(2187, "9")))
    sent = bundle_of(20)
    put(node, *sent.transactions)
    for _ in range(4):
        found = watch.look(tangle)
        watch.pass_over(found)
        assert found.cut
        if found.bundles:
            break
    assert found.bundles == (sent,)


def test_who_writes_a_whole_bundle_of_a_messages_hash_does_not_hide_it() -> None:
    node = MemoryTangle(limit=30)
    flood(node, 40)
    sent = bundle_of(20)
    put(node, *sent.transactions, replace(sent.transactions[0], last_index=0, message="LIE".ljust(2187, "9")))
    watch = Watch(Query(addresses=(HERE,)), 100)
    found = [bundle for _ in range(8) for bundle in look(watch, node.tangle()).bundles]
    assert sent in found


def test_a_message_whose_beginning_came_last_is_found_below_a_flood() -> None:
    node = MemoryTangle(limit=60)
    tangle = node.tangle()
    watch = Watch(Query(addresses=(HERE,)), 100)
    sent = next(bundle for bundle in (bundle_of(20, second) for second in range(9)) if bundle.tail > "T")  # shown after others
    put(node, *sent.transactions[1:])
    assert look(watch, tangle).bundles == ()
    flood(node, 300)
    put(node, sent.transactions[0])
    shown = [digest for digest in sorted(node.ledger) if HERE in node.ledger[digest]][:60]
    assert sent.tail not in shown, "the flood hides nothing"
    found = [bundle for _ in range(6) for bundle in look(watch, tangle).bundles]
    assert sent in found


def test_beginnings_of_bundles_are_fetched_once_and_what_grows_is_found() -> None:
    node = MemoryTangle()
    tangle = node.tangle()
    watch = Watch(Query(addresses=(HERE,)), 100)
    for second in range(200):
        put(node, replace(bundle_of(2, second).transactions[0], trunk=bundle_of(1, second).tail))  # which is nowhere
    look(watch, tangle)
    for _ in range(30):
        node.asked.clear()
        assert look(watch, tangle).bundles == ()
        assert node.asked.count("findTransactions") <= 17
        assert node.asked.count("getTrytes") <= 2
    sent = bundle_of(20)
    put(node, sent.transactions[0])
    assert look(watch, tangle).bundles == ()
    put(node, *sent.transactions[1:])
    assert look(watch, tangle).bundles == (sent,)


def test_all_nodes_that_know_the_ledger_are_asked() -> None:
    one, two = MemoryTangle(name="one"), MemoryTangle(name="two")
    sent = bundle_of(3)
    put(two, *sent.transactions)
    tangle = Tangle(Nodes([Node(one), Node(two)]), weight=0)
    query = Query(addresses=(HERE,))
    assert tangle.fetch(query).bundles == ()
    everywhere = replace(query, everywhere=True)
    assert tangle.fetch(everywhere).bundles == (sent,)
    two.faults.add(Fault.BEHIND)
    assert tangle.fetch(everywhere).bundles == ()
    one.faults.add(Fault.BEHIND)
    with pytest.raises(UnavailableError, match="not synchronised"):
        tangle.fetch(everywhere)
