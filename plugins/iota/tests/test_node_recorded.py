"""What a HORNET 0.5.6 answered, once recorded, is understood the same by both clients, with both kernels."""

import json
from typing import Any

import pytest
from learnae_iota.bundles.bundles import Bundle
from learnae_iota.nodes.client import ClientName, open_client
from learnae_iota.nodes.node import Found, Node
from learnae_iota.trinary.kernel import Kernel
from tangle_rig import Answer, ScriptedNode
from tangle_rig.conversation import RECORD, converse


@pytest.fixture
def replaying(scripted: ScriptedNode) -> ScriptedNode:
    left = json.loads(RECORD.read_text())

    def answer(request: Any) -> Answer:
        asked = {key: value for key, value in request.json.items() if value != []}  # PyOTA sends lists that are empty
        for exchange in left:
            if exchange["request"] == asked:
                left.remove(exchange)
                return Answer(exchange["reply"].encode(), f"{exchange['status']} Said")
        return Answer(b'{"error": "this was not recorded"}', "599 Unknown")

    scripted.answer = answer
    return scripted


@pytest.mark.parametrize("client", list(ClientName))
def test_a_recorded_conversation_is_understood(replaying: ScriptedNode, client: str, kernel: Kernel) -> None:
    node = Node(open_client(replaying.url, client), kernel)
    said = converse(node)
    node.close()
    assert said["info"].program == "HORNET 0.5.6"
    assert said["info"].works
    assert said["info"].synced
    assert len(said["info"].coordinator) == 81
    assert said["broadcast"] is said["broadcast again"] is said["store"] is None
    found = said["find addresses"]
    assert len(found.hashes) == 2
    assert not found.cut
    assert said["find tags"] == said["find bundles"] == said["find approvees"] == found
    assert said["find nothing"] == said["find both"] == Found((), False)
    assert set(said["transactions"]) == set(found.hashes)
    assert {part.message[:7] for part in said["transactions"].values()} == {"MESSAGE", "SAGEMES"}
    assert said["confirmed"] == [True, False, False]
    assert said["consistent"] is True
    assert isinstance(said["attach"], Bundle)
    for call, sentence in {
        "attach with another weight": "Wrong MinWeightMagnitude. requested: 4, expected: 3",
        "broadcast without work": "invalid transaction hash",
        "broadcast from the future": "invalid timestamp",
    }.items():
        assert said[call] == ("RefusedError", f" refuses (HTTP status 400): {sentence}")
    if client == ClientName.PLAIN:  # PyOTA fills what is too short with 9
        assert "Invalid reference hash supplied" in said["transactions of no hash"][1]
