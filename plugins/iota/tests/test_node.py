"""One node: its commands, and what of its answers is believed. With both clients."""

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import Posting, prepare_bundle
from learnae_iota.bundles.transactions import encode_transaction
from learnae_iota.nodes.client import ClientName, open_client
from learnae_iota.nodes.exchange import RefusedError
from learnae_iota.nodes.node import Node, NodeInfo
from learnae_iota.stopping import Stop, StoppedError
from tangle_rig import Answer, ScriptedNode

from learnae.errors import ConfigError, DamagedError, UnavailableError

H, K, J = "H" * 81, "K" * 81, "J" * 81
ADDRESS = "HERE".ljust(81, "9")
TIPS = Tips("T" * 81, "U" * 81)
PREPARED = prepare_bundle([Posting(ADDRESS, "A" * 3000)], 1_600_000_000)
BUNDLE = attach_bundle(PREPARED, TIPS, 2)
INFO = {"latestMilestone": H, "latestSolidSubtangleMilestone": H}


@pytest.fixture(params=list(ClientName))
def node(request: pytest.FixtureRequest, scripted: ScriptedNode) -> Iterator[Node]:
    made = Node(open_client(scripted.url, request.param, timeout_s=20))
    yield made
    made.close()


def says(scripted: ScriptedNode, **replies: Any) -> None:
    """Let the node answer commands with these; all others it does not know."""

    def answer(request: Any) -> Answer:
        command = request.json["command"]
        if command not in replies:
            return Answer(b'{"error": "command [' + command.encode() + b'] is unknown"}', "400 Bad Request")
        return Answer(msgspec.json.encode(replies[command]))

    scripted.answer = answer


def test_it_says_who_it_is(scripted: ScriptedNode, node: Node) -> None:
    milestones = {"latestMilestoneIndex": 9, "latestSolidSubtangleMilestoneIndex": 8}
    whole = {"appName": "HORNET", "appVersion": "0.5.6\x1b[2J", "isSynced": True, "time": 1_700_000_000_000}
    says(scripted, getNodeInfo=INFO | milestones | whole | {"features": ["RemotePOW"], "coordinatorAddress": J, "more": [{}]})
    assert node.info() == NodeInfo("HORNET 0.5.6 [2J", 8, 9, H, True, 1_700_000_000_000, True, J)
    assert scripted.requests[0].json == {"command": "getNodeInfo"}
    says(scripted, getNodeInfo=INFO | milestones)
    assert node.info() == NodeInfo("a node", 8, 9, H, False, 0, False, "")
    says(scripted, getNodeInfo=INFO | milestones | {"latestSolidSubtangleMilestoneIndex": 9})
    assert node.info().synced


@pytest.mark.parametrize("time_ms", [3_812_798_742_493, -1, 2**70])
def test_a_clock_that_no_transaction_can_follow_is_none(time_ms: int, scripted: ScriptedNode, node: Node) -> None:
    says(scripted, getNodeInfo=INFO | {"time": time_ms})
    with pytest.raises(DamagedError):
        node.info()


def test_tips_are_asked_for(scripted: ScriptedNode, node: Node) -> None:
    says(scripted, getTransactionsToApprove={"trunkTransaction": H, "branchTransaction": K, "duration": 3})
    assert node.tips() == Tips(H, K)
    assert scripted.requests[0].json == {"command": "getTransactionsToApprove", "depth": 3}


def test_transactions_are_handed_over(scripted: ScriptedNode, node: Node) -> None:
    says(scripted, broadcastTransactions={"duration": 1}, storeTransactions={})
    node.broadcast(BUNDLE.trytes)
    node.store(BUNDLE.trytes[:1])
    assert [request.json for request in scripted.requests] == [
        {"command": "broadcastTransactions", "trytes": list(BUNDLE.trytes)},
        {"command": "storeTransactions", "trytes": list(BUNDLE.trytes[:1])},
    ]


def test_it_searches(scripted: ScriptedNode, node: Node) -> None:
    says(scripted, findTransactions={"hashes": [J, H, J]})
    found = node.find(addresses=[ADDRESS], tags=["TAG".ljust(27, "9")], approvees=iter([K]))
    assert (found.hashes, found.cut) == ((H, J), False)
    assert scripted.requests[0].json == {
        "command": "findTransactions",
        "addresses": [ADDRESS],
        "tags": ["TAG".ljust(27, "9")],
        "approvees": [K],
    }
    assert node.find(bundles=[K]).hashes == (H, J)
    assert scripted.requests[-1].json == {"command": "findTransactions", "bundles": [K]}
    says(scripted, findTransactions={"hashes": []})
    assert node.find(bundles=[K]).hashes == ()


def test_a_full_answer_is_cut_off(scripted: ScriptedNode, node: Node) -> None:
    says(scripted, findTransactions={"hashes": [H, J]}, getNodeAPIConfiguration={"maxFindTransactions": 2, "maxGetTrytes": 9})
    assert node.find(addresses=[ADDRESS]).cut
    assert node.most_transactions() == 9
    assert node.find(addresses=[ADDRESS]).cut
    assert [request.json["command"] for request in scripted.requests].count("getNodeAPIConfiguration") == 1


@pytest.mark.parametrize(("count", "cut"), [(999, False), (1000, True)])
def test_a_full_answer_is_a_thousand_unless_it_says_otherwise(scripted: ScriptedNode, node: Node, count: int, cut: bool) -> None:
    says(scripted, findTransactions={"hashes": [H] * count})
    assert node.find(addresses=[ADDRESS]).cut == cut


def test_it_returns_transactions(scripted: ScriptedNode, node: Node) -> None:
    says(scripted, getTrytes={"trytes": [*BUNDLE.trytes, "9" * 2673]})
    found = node.transactions([*BUNDLE.hashes, H])
    assert found == dict(zip(BUNDLE.hashes, BUNDLE.transactions, strict=True))
    assert scripted.requests[0].json == {"command": "getTrytes", "hashes": [*BUNDLE.hashes, H]}


def test_what_nobody_can_read_is_told_apart(scripted: ScriptedNode, node: Node) -> None:
    from learnae_iota.bundles.work import transaction_hash

    unreadable = BUNDLE.trytes[0][:2322] + "Z99999999" + BUNDLE.trytes[0][2331:]
    digest = transaction_hash(unreadable)
    says(scripted, getTrytes={"trytes": [unreadable]})
    assert node.transactions([digest]) == {digest: None}


def test_it_says_what_is_confirmed(scripted: ScriptedNode, node: Node) -> None:
    says(scripted, getInclusionStates={"states": [True, False]}, checkConsistency={"state": True, "info": ""})
    assert node.confirmed([H, K]) == [True, False]
    assert scripted.requests[0].json | {"tips": []} == {"command": "getInclusionStates", "transactions": [H, K], "tips": []}
    assert node.consistent([H])
    assert scripted.requests[1].json == {"command": "checkConsistency", "tails": [H]}


def test_it_works_for_us(scripted: ScriptedNode, node: Node) -> None:
    says(scripted, attachToTangle={"trytes": list(BUNDLE.trytes)})
    assert node.attach(PREPARED, TIPS, 2) == BUNDLE
    assert scripted.requests[0].json == {
        "command": "attachToTangle",
        "trunkTransaction": TIPS.trunk,
        "branchTransaction": TIPS.branch,
        "minWeightMagnitude": 2,
        "trytes": list(PREPARED.trytes[::-1]),
    }
    with pytest.raises(DamagedError, match="attached a bundle wrongly"):
        node.attach(prepare_bundle([Posting(ADDRESS, "B" * 3000)], 1_600_000_000), TIPS, 2)


OTHER = encode_transaction(attach_bundle(PREPARED, TIPS, 1).transactions[0])


@pytest.mark.parametrize(
    ("call", "reply"),
    [
        pytest.param("info", INFO | {"isSynced": "yes"}, id="text for truth"),
        pytest.param("info", INFO | {"time": -1}, id="negative time"),
        pytest.param("info", INFO | {"time": 10**30}, id="endless time"),
        pytest.param("info", INFO | {"appName": "x" * 1001}, id="long name"),
        pytest.param("info", INFO | {"coordinatorAddress": "x"}, id="no address"),
        pytest.param("tips", {"trunkTransaction": H}, id="one tip"),
        pytest.param("tips", {"trunkTransaction": H, "branchTransaction": "U" * 82}, id="a long tip"),
        pytest.param("tips", {"trunkTransaction": H, "branchTransaction": "u" * 81}, id="a tip of no trytes"),
        pytest.param("find", {"hashes": ["H" * 82]}, id="a long hash"),
        pytest.param("find", {"hashes": [H + "\n"]}, id="an end of a line"),
        pytest.param("find", {"hashes": {"a": 1}}, id="no list"),
        pytest.param("transactions", {"trytes": []}, id="too few"),
        pytest.param("transactions", {"trytes": ["9" * 2673] * 2}, id="too many"),
        pytest.param("transactions", {"trytes": [OTHER]}, id="another one"),
        pytest.param("transactions", {"trytes": ["A"]}, id="too short"),
        pytest.param("confirmed", {"states": []}, id="no state"),
        pytest.param("confirmed", {"states": [1]}, id="a number for truth"),
        pytest.param("consistent", {}, id="nothing"),
    ],
)
def test_what_no_node_says_is_noticed(scripted: ScriptedNode, node: Node, call: str, reply: Any) -> None:
    commands = {
        "info": "getNodeInfo",
        "tips": "getTransactionsToApprove",
        "find": "findTransactions",
        "transactions": "getTrytes",
        "confirmed": "getInclusionStates",
        "consistent": "checkConsistency",
    }
    says(scripted, **{commands[call]: reply})
    arguments: Any = {"find": ((), {"bundles": [H]}), "info": ((), {}), "tips": ((), {})}.get(call, (([H],), {}))
    with pytest.raises((DamagedError, UnavailableError)) as caught:
        getattr(node, call)(*arguments[0], **arguments[1])
    assert scripted.url in str(caught.value)
    assert len(str(caught.value)) < 700
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff", b"[" * 100_000, b'{"a":' * 100_000], ids=range(6))
def test_what_is_no_json_is_noticed(scripted: ScriptedNode, node: Node, body: bytes) -> None:
    scripted.answer = lambda _: Answer(body)
    with pytest.raises(UnavailableError, match="answers getNodeInfo with what is no JSON object"):
        node.info()


def test_deep_answers_are_no_danger(scripted: ScriptedNode, node: Node) -> None:
    scripted.answer = lambda _: Answer(b'{"deep":' + b"[" * 900 + b"]" * 900 + b',"state":true}')
    with contextlib.suppress(UnavailableError):
        assert node.consistent([H])


def test_what_it_does_not_know_it_refuses(scripted: ScriptedNode, node: Node) -> None:
    says(scripted)
    with pytest.raises(RefusedError, match=r"command \[getNodeInfo\] is unknown"):
        node.info()


def test_it_can_be_stopped(node: Node) -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(StoppedError):
        node.info(stop)
    node.close()
    with pytest.raises(UnavailableError, match="was closed"):
        node.info()


def test_there_are_two_clients() -> None:
    with pytest.raises(ConfigError, match="no client of nodes named 'curl'; there are: plain, pyota"):
        open_client("http://127.0.0.1:1", "curl")
    for name in ClientName:
        with pytest.raises(ConfigError, match="cannot be used"):
            open_client("127.0.0.1", name)
