"""The tangle: messages go in and come out again, whatever nodes and strangers do."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import Bundle, Posting, prepare_bundle
from learnae_iota.bundles.transactions import decode_transaction, encode_transaction
from learnae_iota.bundles.work import transaction_hash
from learnae_iota.nodes.node import Node
from learnae_iota.nodes.several import Nodes
from learnae_iota.stopping import Stop, StoppedError
from learnae_iota.tangle.fetching import Query
from learnae_iota.tangle.tangle import Tangle, open_tangle
from learnae_iota.trinary.kernel import Kernel
from tangle_rig import Fault, MemoryNode

from learnae.errors import ConfigError, UnavailableError, UsageError

HERE, THERE = "HERE".ljust(81, "9"), "THERE".ljust(81, "9")
TIPS = Tips("T" * 81, "U" * 81)
NOW_MS = 1_600_000_000_000
AT_HERE = Query(addresses=(HERE,))


class World:
    """A tangle of two nodes with one ledger."""

    def __init__(self, **options: Any) -> None:
        self.ledger: dict[str, str] = {}
        self.one = MemoryNode(self.ledger, name="node 1", **options)
        self.two = MemoryNode(self.ledger, name="node 2", **options)
        nodes = Nodes([Node(self.one), Node(self.two)], clock=lambda: NOW_MS)
        self.tangle = Tangle(nodes, weight=1)

    def put(self, bundle: Bundle) -> Bundle:
        """Write a bundle into the ledger as somebody else may."""
        self.ledger.update(zip(bundle.hashes, bundle.trytes, strict=True))
        return bundle

    def post(self, *postings: Posting, at_s: int = 1_600_000_000) -> Bundle:
        return self.put(attach_bundle(prepare_bundle(postings, at_s), TIPS, 0))

    def messages(self, query: Query = AT_HERE) -> list[str]:
        return [posting.trytes.rstrip("9") for bundle in self.tangle.fetch(query).bundles for posting in bundle.postings]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.tangle.close()


def test_what_is_sent_is_fetched(world: World) -> None:
    bundle = world.tangle.send([Posting(HERE, "MESSAGE" * 1000, "TAG")])
    assert bundle.transactions[0].timestamp_s == NOW_MS // 1000
    assert {part.attached_ms for part in bundle.transactions} == {NOW_MS}
    for query in (AT_HERE, Query(tags=("TAG",)), Query(bundles=(bundle.hash,))):
        fetched = world.tangle.fetch(query)
        assert fetched.bundles == (bundle,)
        assert fetched.seen == set(bundle.hashes)
        assert not fetched.cut
    assert world.tangle.fetch(Query(addresses=(THERE,))).bundles == ()


def test_several_messages_in_one_bundle(world: World) -> None:
    bundle = world.tangle.send([Posting(HERE, "A" * 3000, "FIRST"), Posting(THERE, "B", "SECOND")])
    for query in (AT_HERE, Query(tags=("SECOND",)), Query(addresses=(THERE,), tags=("SECOND",))):
        [found] = world.tangle.fetch(query).bundles if query.addresses[:1] == (HERE,) else [bundle]
        assert found == bundle
    assert world.tangle.fetch(Query(addresses=(HERE,), tags=("SECOND",))).bundles == ()


def test_a_dead_node_is_passed_over(world: World) -> None:
    world.one.faults.add(Fault.DEAD)
    bundle = world.tangle.send([Posting(HERE, "A" * 5000)])
    assert world.tangle.fetch(AT_HERE).bundles == (bundle,)
    world.two.faults.add(Fault.DEAD)
    with pytest.raises(UnavailableError, match="node 2 does not answer; node 1 does not answer"):
        world.tangle.fetch(AT_HERE)


@pytest.mark.parametrize("fault", [Fault.FULL_DISK, Fault.STOPS_TAKING])
def test_a_node_that_does_not_take_it_all_is_passed_over(fault: Fault) -> None:
    one, two = MemoryNode(name="node 1"), MemoryNode(name="node 2")  # that do not share what they have
    one.faults.add(fault)
    tangle = Tangle(Nodes([Node(one), Node(two)]), weight=1)
    bundle = tangle.send([Posting(HERE, "A" * 20_000)])
    assert set(two.ledger) == set(bundle.hashes)
    assert len(one.ledger) < len(bundle.hashes)
    tangle.close()


def test_a_lying_node_is_passed_over(world: World) -> None:
    bundle = world.post(Posting(HERE, "A"))
    world.one.faults.add(Fault.LYING)
    assert world.tangle.fetch(AT_HERE).bundles == (bundle,)
    assert "getTrytes" in world.two.asked


def test_attached_again_it_is_one_message_still(world: World) -> None:
    once = world.tangle.send([Posting(HERE, "A" * 3000)])
    world.one.tips = (once.tail, once.tail)
    again = world.tangle.attach(once)
    assert again.hash == once.hash
    assert again.tail != once.tail
    fetched = world.tangle.fetch(AT_HERE)
    assert len(fetched.bundles) == 1
    assert fetched.bundles[0].hash == once.hash
    assert fetched.seen == {*once.hashes, *again.hashes}
    world.two.confirmed.add(again.tail)
    assert not world.tangle.is_confirmed([once.tail, again.tail])
    world.one.confirmed.add(again.tail)
    assert world.tangle.is_confirmed([once.tail, again.tail])


def test_a_bundle_is_handed_over_once_more(world: World) -> None:
    bundle = world.tangle.send([Posting(HERE, "A" * 3000)])
    world.ledger.clear()
    world.tangle.broadcast(bundle)
    assert world.tangle.fetch(AT_HERE).bundles == (bundle,)


def test_two_messages_with_one_bundle_hash_are_two(world: World) -> None:
    """The hash of a bundle does not cover its messages: anybody may attach others under it."""
    bundle = world.post(Posting(HERE, "A"))
    forged = dataclasses.replace(bundle.transactions[0], message="B" * 2187)
    world.put(attach_bundle(Bundle((forged,)), TIPS, 0))
    fetched = world.tangle.fetch(Query(bundles=(bundle.hash,)))
    assert {found.postings[0].trytes[0] for found in fetched.bundles} == {"A", "B"}
    assert bundle in fetched.bundles


def test_what_is_known_is_not_fetched_again(world: World) -> None:
    world.post(Posting(HERE, "A" * 3000))
    seen = world.tangle.fetch(AT_HERE).seen
    world.one.asked.clear()
    assert world.tangle.fetch(AT_HERE, known=seen).bundles == ()
    assert "getTrytes" not in world.one.asked
    second = world.post(Posting(HERE, "B"), at_s=1_600_000_001)
    fetched = world.tangle.fetch(AT_HERE, known=seen)
    assert fetched.bundles == (second,)
    assert fetched.seen == set(second.hashes)


@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_bundle_that_is_not_all_there_yet_comes_later(world: World, late: int) -> None:
    bundle = world.post(Posting(HERE, "A" * 6000))
    trytes = world.ledger.pop(bundle.hashes[late])
    first = world.tangle.fetch(AT_HERE)
    assert first.bundles == ()
    world.ledger[bundle.hashes[late]] = trytes
    assert world.tangle.fetch(AT_HERE, known=first.seen).bundles == (bundle,)


def test_what_the_query_does_not_find_is_followed(world: World) -> None:
    bundle = world.post(Posting(HERE, "A"), Posting(THERE, "B" * 9000))
    assert world.tangle.fetch(AT_HERE).bundles == (bundle,)


def test_what_is_no_bundle_is_passed_over(world: World) -> None:
    good = world.post(Posting(HERE, "GOOD"))
    whole = attach_bundle(prepare_bundle([Posting(HERE, "A" * 6000)], 1), TIPS, 0)

    def put(*trytes: str) -> None:
        world.ledger.update({transaction_hash(text): text for text in trytes})

    put(*whole.trytes[1:])  # no beginning
    lonely = attach_bundle(prepare_bundle([Posting(HERE, "B" * 6000)], 2), TIPS, 0)
    put(lonely.trytes[0])  # no end
    part = attach_bundle(prepare_bundle([Posting(HERE, "C")], 3), TIPS, 0).transactions[0]
    put(encode_transaction(dataclasses.replace(part, bundle="Z" * 81)))  # another hash
    put(encode_transaction(dataclasses.replace(part, value=1)))  # value
    put(encode_transaction(dataclasses.replace(part, last_index=2**40)))  # an endless bundle
    put(encode_transaction(dataclasses.replace(part, last_index=1, trunk=good.tail)))  # leads elsewhere
    put(encode_transaction(part)[:2322] + "Z99999999" + encode_transaction(part)[2331:])  # nothing that can be read
    assert world.messages() == ["GOOD"]


def test_what_is_none_is_not_fetched_again_and_again(world: World) -> None:
    junk = [
        dataclasses.replace(attach_bundle(prepare_bundle([Posting(HERE, "C")], second), TIPS, 0).transactions[0], value=1)
        for second in range(5)
    ]
    world.ledger.update({transaction_hash(text): text for text in map(encode_transaction, junk)})
    seen = world.tangle.fetch(AT_HERE).seen
    assert len(seen) == 5
    world.one.asked.clear()
    world.tangle.fetch(AT_HERE, known=seen)
    assert world.one.asked == ["findTransactions"]


def test_a_full_answer_is_told_and_its_bundles_are_found_whole() -> None:
    world = World(limit=20)
    sent = {world.post(Posting(HERE, letter * 10_000), at_s=ord(letter)).hash for letter in "ABCDEF"}  # 5 transactions each
    fetched = world.tangle.fetch(AT_HERE)
    assert fetched.cut
    assert {bundle.hash for bundle in fetched.bundles} == sent
    assert world.tangle.fetch(AT_HERE, known=fetched.seen).cut
    world.tangle.close()


def test_no_more_is_fetched_than_is_allowed(world: World) -> None:
    for second in range(10):
        world.post(Posting(HERE, "A" * 3000), at_s=second)
    fetched = world.tangle.fetch(AT_HERE, max_transactions=15)
    assert fetched.cut
    assert 0 < len(fetched.bundles) < 10
    rest = world.tangle.fetch(AT_HERE, max_transactions=15, known=fetched.seen)
    assert len(rest.seen | fetched.seen) > len(fetched.seen)


def test_a_chain_without_end_is_followed_as_far_as_is_allowed(world: World) -> None:
    parts = prepare_bundle([Posting(HERE, "A" * 2187 * 200)], 1)
    bundle = attach_bundle(parts, TIPS, 0)
    world.ledger.update(zip(bundle.hashes, bundle.trytes, strict=True))
    only_first = dict(world.ledger)
    for digest in bundle.hashes[1:]:
        changed = dataclasses.replace(decode_transaction(only_first[digest]), address=THERE)
        world.ledger[digest] = encode_transaction(changed)  # a lie about the hash: the node is passed over
    with pytest.raises(UnavailableError, match="another transaction than"):
        world.tangle.fetch(AT_HERE, max_transactions=50)


def test_work_is_left_to_a_node_that_offers_it(world: World) -> None:
    class Works(MemoryNode):
        def _getNodeInfo(self, arguments: Any) -> Any:  # noqa: N802
            return {**super()._getNodeInfo(arguments), "features": ["RemotePOW"]}

        def _attachToTangle(self, arguments: Any) -> Any:  # noqa: N802
            bundle = Bundle(tuple(decode_transaction(trytes) for trytes in reversed(arguments["trytes"])))
            tips = Tips(arguments["trunkTransaction"], arguments["branchTransaction"])
            return {"trytes": attach_bundle(bundle, tips, arguments["minWeightMagnitude"]).trytes}

    for node in (Works(), MemoryNode()):
        tangle = Tangle(Nodes([Node(node)]), weight=1, work_on_nodes=True)
        bundle = tangle.send([Posting(HERE, "A" * 3000)])
        assert tangle.fetch(AT_HERE).bundles == (bundle,)
        assert ("attachToTangle" in node.asked) == isinstance(node, Works)
        tangle.close()


def test_a_node_that_wants_more_weight_says_so(world: World) -> None:
    world.one.weight = world.two.weight = 60
    with pytest.raises(UnavailableError, match="Invalid transaction hash"):
        world.tangle.send([Posting(HERE, "A")])


def test_everything_can_be_stopped(world: World) -> None:
    stop = Stop()
    stop.ask()
    bundle = world.post(Posting(HERE, "A"))
    calls: list[Any] = [
        lambda: world.tangle.send([Posting(HERE, "A")], stop=stop),
        lambda: world.tangle.attach(bundle, stop=stop),
        lambda: world.tangle.broadcast(bundle, stop=stop),
        lambda: world.tangle.fetch(AT_HERE, stop=stop),
        lambda: world.tangle.is_confirmed([bundle.tail], stop=stop),
        lambda: world.tangle.look(stop=stop),
    ]
    for call in calls:
        with pytest.raises(StoppedError):
            call()


def test_once_closed_nothing_is_sent(world: World) -> None:
    world.tangle.close()
    world.tangle.close()
    with pytest.raises(UnavailableError):
        world.tangle.send([Posting(HERE, "A" * 5000)])


@pytest.mark.parametrize(
    "arguments",
    [{}, {"addresses": ("A",)}, {"addresses": ("a" * 81,)}, {"bundles": ("A" * 82,)}, {"tags": ("A" * 28,)}, {"tags": ("é",)}],
)
def test_a_query_is_for_something(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Query(**arguments)


def test_it_is_opened_by_url(kernel: Kernel) -> None:
    for client in ("plain", "pyota"):
        tangle = open_tangle(["http://127.0.0.1:9", "http://127.0.0.1:10"], weight=1, client=client, timeout_s=2, kernel=kernel)
        looks = tangle.look()
        assert [look.name for look in looks] == ["the node at http://127.0.0.1:9", "the node at http://127.0.0.1:10"]
        assert all("does not answer" in look.trouble for look in looks)
        tangle.close()
    with pytest.raises(ConfigError, match="weight magnitude of 21"):
        open_tangle(["http://127.0.0.1:9"], weight=21)
    with pytest.raises(ConfigError, match="no node is given"):
        open_tangle([], weight=1)
