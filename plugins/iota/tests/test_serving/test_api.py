"""The API over plain HTTP. What ``LIKE_HORNET`` lists was asked of HORNET 0.5.6 too, and it said the same."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import Bundle, Posting, prepare_bundle
from learnae_iota.bundles.transactions import LATEST_MS, NULL_HASH, decode_transaction
from learnae_iota.bundles.work import find_nonce, transaction_hash, weight_of
from learnae_iota.serving.development import DevelopmentNode
from learnae_iota.serving.threads import node_in_thread
from learnae_iota.trinary.kerl import kerl_hash
from serving_rig import NOW_S, WEIGHT, ask_node, request, until

Ask = Callable[..., tuple[int, dict[str, Any]]]
Attach = Callable[..., Bundle]

A, NINES = "A" * 81, "9" * 2673

LIKE_HORNET: list[tuple[str, dict[str, Any], int, dict[str, Any]]] = [
    ("unknown command", {"command": "mine"}, 400, {"error": "command [mine] is unknown"}),
    ("no command", {"bundles": []}, 400, {"error": "error parsing command"}),
    ("send nothing", {"command": "broadcastTransactions"}, 400, {"error": "No trytes provided"}),
    ("send null", {"command": "storeTransactions", "trytes": None}, 400, {"error": "No trytes provided"}),
    ("send empty", {"command": "broadcastTransactions", "trytes": [""]}, 400, {"error": "invalid trytes"}),
    ("send no trytes", {"command": "broadcastTransactions", "trytes": ["a" * 2673]}, 400, {"error": "invalid trytes"}),
    ("send short", {"command": "broadcastTransactions", "trytes": ["A" * 2672]}, 400, {"error": "invalid transaction trytes"}),
    ("find nothing", {"command": "findTransactions"}, 200, {"hashes": []}),
    ("find in empty", {"command": "findTransactions", "tags": []}, 200, {"hashes": []}),
    ("find unknown", {"command": "FINDTRANSACTIONS", "tags": ["NOBODY"]}, 200, {"hashes": []}),
    ("find bad tag", {"command": "findTransactions", "tags": ["a"]}, 400, {"error": "tag invalid: a"}),
    ("find empty tag", {"command": "findTransactions", "tags": [""]}, 400, {"error": "tag invalid: "}),
    ("find long tag", {"command": "findTransactions", "tags": ["A" * 28]}, 400, {"error": f"tag invalid length: {'A' * 28}"}),
    ("find bad address", {"command": "findTransactions", "addresses": ["A"]}, 400, {"error": "address hash invalid: A"}),
    (
        "find checksum",
        {"command": "findTransactions", "addresses": ["A" * 90]},
        400,
        {"error": f"address hash invalid: {'A' * 90}"},
    ),
    ("find bad approvee", {"command": "findTransactions", "approvees": ["A"]}, 400, {"error": "aprovee hash invalid: A"}),
    ("find bad bundle", {"command": "findTransactions", "bundles": ["a"]}, 400, {"error": "bundle hash invalid: a"}),
    (
        *("find too many", {"command": "findTransactions", "addresses": [A] * 1001}, 400),
        {"error": "too many bundle, address, approvee or tag hashes. max. allowed: 1000"},
    ),
    ("get nothing", {"command": "getTrytes"}, 200, {"trytes": []}),
    ("get bad", {"command": "getTrytes", "hashes": ["A"]}, 400, {"error": "Invalid hash supplied: A"}),
    ("get unknown", {"command": "getTrytes", "hashes": [A, NULL_HASH]}, 200, {"trytes": [NINES] * 2}),
    ("get too many", {"command": "getTrytes", "hashes": [A] * 1001}, 400, {"error": "Too many hashes. Max. allowed: 1000"}),
    ("states of nothing", {"command": "getInclusionStates"}, 200, {"states": []}),
    ("states of unknown", {"command": "getInclusionStates", "transactions": [A], "tips": []}, 200, {"states": [False]}),
    (
        *("states of bad", {"command": "getInclusionStates", "transactions": ["A"]}, 400),
        {"error": "Invalid reference hash supplied: A"},
    ),
    ("balances of nobody", {"command": "getBalances", "threshold": 100}, 400, {"error": "No addresses provided"}),
    ("balances of bad", {"command": "getBalances", "addresses": ["A"]}, 400, {"error": "invalid address: A"}),
    ("spent by nobody", {"command": "wereAddressesSpentFrom"}, 400, {"error": "No addresses provided"}),
    ("spent by bad", {"command": "wereAddressesSpentFrom", "addresses": ["A"]}, 400, {"error": "Provided address invalid: A"}),
    ("spent", {"command": "wereAddressesSpentFrom", "addresses": ["B" * 81]}, 200, {"states": [False]}),
    (
        "bad reference",
        {"command": "getTransactionsToApprove", "reference": "A"},
        400,
        {"error": "invalid reference hash supplied"},
    ),
    ("bad tip", {"command": "getTipInfo", "tailTransaction": "A"}, 400, {"error": "invalid tail hash supplied"}),
    ("unknown tip", {"command": "getTipInfo", "tailTransaction": A}, 400, {"error": "unknown tail transaction"}),
    ("consistent nothing", {"command": "checkConsistency"}, 200, {"state": True}),
    ("neighbours", {"command": "getNeighbors"}, 200, {"neighbors": []}),
    ("add none", {"command": "addNeighbors", "uris": []}, 200, {"addedNeighbors": 0}),
    ("remove none", {"command": "removeNeighbors", "uris": []}, 200, {"removedNeighbors": 0}),
    (
        *("no work", {"command": "attachToTangle", "trunkTransaction": A, "branchTransaction": A, "trytes": []}),
        *(400, {"error": "No trytes given."}),
    ),
]


@pytest.mark.parametrize(("what", "arguments", "status", "answer"), LIKE_HORNET, ids=[row[0] for row in LIKE_HORNET])
def test_answers_as_hornet_does(what: str, arguments: dict[str, Any], status: int, answer: dict[str, Any], shared: str) -> None:
    del what
    found, body, headers = request(shared, "POST", "/", json.dumps(arguments).encode())
    said = json.loads(body)
    said.pop("duration", None)
    assert (found, said) == (status, answer)
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["access-control-allow-origin"] == "*"


@pytest.fixture(scope="module", params=["ours", "hornet"])
def shared(request: pytest.FixtureRequest) -> Iterator[str]:
    """A node to which nobody writes: ours, or a real HORNET."""
    if request.param == "hornet":
        yield request.getfixturevalue("hornet").url
        return
    with node_in_thread() as node:
        yield node.url


def test_a_bundle_goes_all_the_way(ask: Ask) -> None:
    bundle = prepare_bundle([Posting(A, "HELLO" * 1000, "TAG")], NOW_S)
    status, tips = ask("getTransactionsToApprove", depth=3)
    assert (status, tips) == (200, {"trunkTransaction": NULL_HASH, "branchTransaction": NULL_HASH})
    status, attached = ask("attachToTangle", **tips, minWeightMagnitude=WEIGHT, trytes=list(bundle.trytes[::-1]))
    assert status == 200
    transactions = [decode_transaction(each) for each in attached["trytes"]]
    hashes = [transaction_hash(each) for each in attached["trytes"]]
    assert [each.index for each in transactions] == [0, 1, 2]
    assert all(weight_of(each) >= WEIGHT for each in hashes)
    assert [each.trunk for each in transactions] == [*hashes[1:], NULL_HASH]
    assert {(each.attached_ms, each.attached_from_ms, each.attached_to_ms) for each in transactions} == {
        (1000 * NOW_S, 0, LATEST_MS)
    }
    assert ask("broadcastTransactions", trytes=attached["trytes"]) == (200, {})
    assert ask("storeTransactions", trytes=attached["trytes"]) == (200, {})
    assert ask("findTransactions", tags=["TAG"], addresses=[A + kerl_hash([A])[-9:]]) == (200, {"hashes": sorted(hashes)})
    assert ask("findTransactions", tags=["TAG"], maxResults=2) == (200, {"hashes": sorted(hashes)[:2]})
    assert ask("findTransactions", tags=["TAG"], maxresults=1) == (200, {"hashes": sorted(hashes)[:1]})
    assert ask("findTransactions", addresses=[A], valueOnly=True) == (200, {"hashes": []})
    assert ask("findTransactions", approvees=[NULL_HASH]) == (200, {"hashes": sorted(hashes)})
    assert ask("getTrytes", hashes=[hashes[2], A, hashes[0]])[1]["trytes"] == [
        attached["trytes"][2],
        NINES,
        attached["trytes"][0],
    ]
    until(lambda: ask("getInclusionStates", transactions=hashes) == (200, {"states": [True] * 3}))
    assert ask("getTransactionsToApprove")[1] == {"trunkTransaction": hashes[0], "branchTransaction": hashes[0]}
    assert ask("getTransactionsToApprove", reference=A)[1] == {"trunkTransaction": hashes[0], "branchTransaction": A}
    assert ask("getTips") == (200, {"hashes": [hashes[0]]})
    assert ask("checkConsistency", tails=[hashes[0]]) == (200, {"state": True})
    assert ask("getBalances", addresses=[A])[1] == {"balances": ["0"], "references": [hashes[0]], "milestoneIndex": 2}
    tip = {"confirmed": True, "conflicting": False, "shouldPromote": False, "shouldReattach": False}
    assert ask("getTipInfo", tailTransaction=hashes[0]) == (200, tip)
    assert ask("getTipInfo", tailTransaction=hashes[1]) == (400, {"error": "transaction is not a tail"})


def test_says_what_it_is(ask: Ask, node: DevelopmentNode) -> None:
    status, info = ask("getNodeInfo")
    assert status == 200
    assert {name: info[name] for name in ("appName", "latestMilestone", "latestMilestoneIndex", "isSynced", "time", "tips")} == {
        "appName": "LEARNAE development node",
        "latestMilestone": NULL_HASH,
        "latestMilestoneIndex": 1,
        "isSynced": True,
        "time": 1000 * NOW_S,
        "tips": 0,
    }
    assert info["features"] == ["RemotePOW", "WereAddressesSpentFrom"]
    assert ask("getNodeInfo")[1]["coordinatorAddress"] == info["coordinatorAddress"]
    with node_in_thread() as another:
        assert ask_node(another.url, "getNodeInfo")[1]["coordinatorAddress"] != info["coordinatorAddress"]
    assert ask("getNodeAPIConfiguration")[1]["maxFindTransactions"] == 1000
    assert request(node.url, "GET", "/healthz")[:2] == (200, b"")


def test_what_waits_is_missed_and_not_consistent(ask: Ask, attach: Attach) -> None:
    first = attach(transactions=2)
    second = attach(trunk=first.tail)
    assert ask("broadcastTransactions", trytes=list(second.trytes)) == (200, {})
    assert ask("getMissingTransactions") == (200, {"hashes": [first.tail]})
    assert ask("getNodeInfo")[1]["transactionsToRequest"] == 1
    info = f"tails are not solid (missing a referenced tx): {second.tail}"
    assert ask("checkConsistency", tails=[second.tail]) == (200, {"state": False, "info": info})
    assert ask("getTipInfo", tailTransaction=second.tail) == (400, {"error": "transaction is not solid"})
    assert ask("checkConsistency", tails=[first.tail]) == (400, {"error": f"Invalid transaction, missing: {first.tail}"})
    assert ask("broadcastTransactions", trytes=list(first.trytes)) == (200, {})
    assert ask("checkConsistency", tails=[first.tail, second.tail]) == (200, {"state": True})
    error = f"Invalid transaction, not a tail: {first.hashes[1]}"
    assert ask("checkConsistency", tails=[first.hashes[1]]) == (400, {"error": error})


def test_times_may_be_ten_minutes_ahead_and_any_behind(ask: Ask, attach: Attach) -> None:
    ahead = attach(clock=lambda: 1000 * NOW_S + 600_000)
    assert ask("broadcastTransactions", trytes=list(ahead.trytes)) == (400, {"error": "invalid timestamp"})
    for moment in (1000 * NOW_S + 599_999, 1):
        assert ask("broadcastTransactions", trytes=list(attach(clock=lambda moment=moment: moment).trytes)) == (200, {})
    never_attached = attach(now_s=NOW_S + 601, clock=lambda: 0)
    assert ask("broadcastTransactions", trytes=list(never_attached.trytes)) == (400, {"error": "invalid timestamp"})


def test_a_wrong_bundle_that_came_in_parts_is_not_consistent_and_wants_to_be_attached_again(ask: Ask, attach: Attach) -> None:
    bundle = attach(transactions=2)
    tail = replace(bundle.transactions[0], timestamp_s=NOW_S - 1)
    wrong = attach_bundle(Bundle((replace(tail, last_index=0),)), Tips(tail.trunk, tail.branch), 0, clock=lambda: 1)
    wrong = Bundle((replace(wrong.transactions[0], last_index=1),))
    nonce = find_nonce(wrong.trytes[0], WEIGHT, batches=1000)
    assert nonce is not None
    trytes = wrong.trytes[0][:-27] + nonce[1]
    assert ask("broadcastTransactions", trytes=[trytes]) == (200, {})
    assert ask("broadcastTransactions", trytes=list(bundle.trytes)) == (200, {})
    name = transaction_hash(trytes)
    info = f"tails are not consistent (bundle is invalid): {name}"
    assert ask("checkConsistency", tails=[bundle.tail, name]) == (200, {"state": False, "info": info})
    tip = {"confirmed": False, "conflicting": False, "shouldPromote": False, "shouldReattach": True}
    assert ask("getTipInfo", tailTransaction=name) == (200, tip)


@pytest.mark.parametrize(
    ("command", "arguments", "what"),
    [
        ("getInclusionStates", "transactions", "transactions"),
        ("checkConsistency", "tails", "tails"),
        ("getBalances", "addresses", "addresses"),
        ("wereAddressesSpentFrom", "addresses", "addresses"),
    ],
)
def test_nobody_asks_for_more_than_a_thousand_at_once(command: str, arguments: str, what: str, ask: Ask) -> None:
    assert ask(command, **{arguments: [A] * 1001}) == (400, {"error": f"Too many {what}. Max. allowed: 1000"})


def test_one_wrong_transaction_leaves_nothing_of_a_call(ask: Ask, attach: Attach) -> None:
    good, light = attach(tag="GOOD"), prepare_bundle([Posting(A, "FEATHER")], NOW_S).trytes[0]
    assert weight_of(transaction_hash(light)) < WEIGHT
    trytes = [*good.trytes, light]
    assert ask("broadcastTransactions", trytes=trytes) == (400, {"error": "invalid transaction hash"})
    assert ask("findTransactions", tags=["GOOD"]) == (200, {"hashes": []})


@pytest.mark.parametrize(
    ("place", "trytes", "error"),
    [
        pytest.param(2268, "A", "invalid value: 1; a development node keeps no tokens, so that every value is 0", id="value"),
        pytest.param(2331, "B", "invalid transaction: a transaction of index 2 in a bundle whose last one is 0", id="index"),
        pytest.param(2619, "Z", "invalid transaction: a transaction's attached_ms", id="negative time"),
        pytest.param(0, "B", "invalid transaction hash", id="message"),
    ],
)
def test_the_layout_is_checked(place: int, trytes: str, error: str, ask: Ask) -> None:
    (blank,) = prepare_bundle([Posting(A, "")], NOW_S).trytes
    status, answer = ask("broadcastTransactions", trytes=[blank[:place] + trytes + blank[place + 1 :]])
    assert status == 400
    assert answer["error"].startswith(error)


def test_the_hash_that_stands_for_the_beginning_is_nobodys(ask: Ask) -> None:
    assert ask("broadcastTransactions", trytes=[NINES]) == (400, {"error": "invalid transaction hash"})


def work(bundle: Bundle, **more: object) -> dict[str, Any]:
    return {"trunkTransaction": A, "branchTransaction": A, "trytes": list(bundle.trytes), **more}


def test_work_is_done_for_whole_bundles_only(ask: Ask) -> None:
    bundle = prepare_bundle([Posting(A, "A" * 5000)], NOW_S)
    attach: Callable[..., tuple[int, dict[str, Any]]] = lambda **more: ask("attachToTangle", **work(bundle, **more))  # noqa: E731
    assert attach(minWeightMagnitude=14) == (400, {"error": f"Wrong MinWeightMagnitude. requested: 14, expected: {WEIGHT}"})
    missing = {"error": "Invalid bundle length. Received txs: 2, Bundle requires: 3"}
    assert attach(trytes=list(bundle.trytes[1:])) == (400, missing)
    assert attach(trytes=[bundle.trytes[0]] * 3) == (400, {"error": "Invalid transaction index. Got: 0, expected: 2"})
    assert attach(trunkTransaction="A") == (400, {"error": "invalid trunk transaction: A"})
    assert attach(branchTransaction="A") == (400, {"error": "invalid branch transaction: A"})
    status, answer = attach(trytes=["A"])
    assert (status, answer["error"][:27]) == (400, "invalid transaction trytes:")
    assert attach(trytes=["A"] * 1001) == (400, {"error": "Too many trytes. Max. allowed: 1000"})
