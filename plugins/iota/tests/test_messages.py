"""Messages as a writer makes them."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from learnae_iota import Channel, Kernel, Mode, Reader, address_of, channel_root, create
from learnae_iota.mam.merkle import Tree
from learnae_iota.mam.messages import MAX_MESSAGE_TRYTES
from learnae_iota.mam.pascal import encode
from learnae_iota.trinary.pure import PureKernel
from learnae_iota.trinary.trytes import ALPHABET, Trits, to_trits, to_trytes

from learnae.errors import UsageError

SEED = "WRITER".ljust(81, "9")


def channel_of(vector: dict[str, Any]) -> Channel:
    told = vector["channel_before"]
    counts = told["start"], told["count"], told["nextCount"], told["index"]
    return Channel(told["seed"], told["mode"], told.get("sideKey") or "", told["security"], *counts)


def test_messages_are_those_of_the_deployed_libraries(kernel: Kernel, vectors: dict[str, Any]) -> None:
    modes = set()
    for vector in vectors["messages"]:
        channel = channel_of(vector)
        signed = create(channel, vector["message_trytes"], kernel=kernel)
        assert signed.payload == vector["payload"]
        assert (signed.root, signed.next_root, signed.address) == (vector["root"], vector["next_root"], vector["address"])
        assert (signed.after.start, signed.after.index) == (vector["channel_after"]["start"], vector["channel_after"]["index"])
        assert channel_root(channel, kernel) == vector["root"]
        modes.add((channel.mode, channel.security))
    assert {mode for mode, _ in modes} == set(Mode)


def test_a_long_message_is_that_of_the_deployed_library(kernel: Kernel, vectors: dict[str, Any]) -> None:
    vector = vectors["long"]
    message = "".join(ALPHABET[(7 * i * i + 3 * i) % 27] for i in range(vector["count"]))
    signed = create(Channel(vector["seed"], vector["mode"], vector["side_key"], vector["security"]), message, kernel=kernel)
    assert hashlib.sha256(signed.payload.encode()).hexdigest() == vector["payload_sha256"]
    assert (signed.root, signed.next_root, signed.address) == (vector["root"], vector["next_root"], vector["address"])
    reader = Reader(signed.root, Mode.RESTRICTED, vector["side_key"])
    assert reader.parse(signed.payload, kernel).trytes == message


def test_the_middle_of_the_work_is_as_described(kernel: Kernel, vectors: dict[str, Any]) -> None:
    for walk in vectors["walkthrough"]:
        vector = next(vector for vector in vectors["messages"] if vector["id"] == walk["message_index"])
        sponge = kernel.sponge(27)
        sponge.absorb(to_trits("9" * 81))
        sponge.absorb(to_trits(vector["root"]))
        assert to_trytes(sponge.state()[:243]) == walk["rate_after_key_and_root"]
        sponge.absorb(np.concatenate((encode(vector["channel_before"]["index"]), encode(walk["length_trits"]))))
        assert to_trytes(sponge.state()[:243]) == walk["rate_after_header"]
        sponge.mask(to_trits(vector["next_root"]))
        sponge.mask(to_trits(vector["message_trytes"]))
        assert to_trytes(sponge.state()[:243]) == walk["rate_after_nextroot_and_message"]
        sponge.mask(to_trits(walk["nonce_plain"]))
        assert to_trytes(sponge.state()[:243]) == walk["h"]


def test_addresses_are_those_of_the_deployed_libraries(kernel: Kernel, vectors: dict[str, Any]) -> None:
    for vector in vectors["address_of_root"]:
        for mode in (Mode.PRIVATE, Mode.RESTRICTED):
            assert address_of(vector["root"], mode, kernel) == vector["address_private_and_restricted"]
        assert address_of(vector["root"], Mode.PUBLIC, kernel) == vector["root"]


@pytest.mark.parametrize(("count", "next_count"), [(1, 1), (1, 2), (2, 4), (4, 1)])
def test_trees_of_other_sizes_follow_one_another(count: int, next_count: int) -> None:
    channel = Channel(SEED, count=count, next_count=next_count, security=1)
    reader, used = Reader(channel_root(channel)), set()
    trees: tuple[Tree, ...] = ()
    for number in range(8):
        used.add(channel.start + channel.index)
        signed = create(channel, ALPHABET[number], trees=trees)
        assert signed == create(channel, ALPHABET[number])  # trees change nothing but the time it takes
        message = reader.parse(signed.payload)
        assert (message.trytes, message.index) == (ALPHABET[number], channel.index)
        assert message.last == (channel.index + 1 == channel.count)
        if message.last:
            reader = reader.following(message)
        channel, trees = signed.after, signed.trees
    assert len(used) == 8  # no key signed twice


def test_trees_of_another_place_are_ignored() -> None:
    channel = Channel(SEED, security=1)
    other = create(Channel("B" * 81, security=1), "A")
    assert create(channel, "A", trees=other.trees) == create(channel, "A")


@pytest.mark.parametrize("message", ["", "a", "A" * (MAX_MESSAGE_TRYTES + 1)])
def test_messages_that_cannot_be_are_the_callers_fault(message: str) -> None:
    with pytest.raises(UsageError, match=f"a message is 1 … {MAX_MESSAGE_TRYTES} trytes"):
        create(Channel(SEED), message)


def test_a_message_without_a_nonce_is_refused() -> None:
    class Unlucky(PureKernel):
        def find_nonce(self, state: Trits, security: int, batches: int) -> Trits | None:
            return None

    with pytest.raises(UsageError, match="no nonce for this message"):
        create(Channel(SEED, security=1), "A", kernel=Unlucky())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"seed": "SHORT"}, "a seed has to be 81 trytes", id="seed"),
        pytest.param({"security": 4}, "a security of 4", id="security"),
        pytest.param({"count": 3}, "a tree of 3 leaves", id="count"),
        pytest.param({"next_count": 0}, "a tree of 0 leaves", id="next count"),
        pytest.param({"start": -1}, "starts at leaf -1", id="start"),
        pytest.param({"start": 2**62}, "starts at leaf 4611686018427387905", id="no next tree"),
        pytest.param({"index": 1}, "leaf 1 of a tree of 1", id="index"),
        pytest.param({"index": -1}, "leaf -1 of a tree of 1", id="negative index"),
        pytest.param({"mode": "secret"}, "no mode named 'secret'; there are: public, private, restricted", id="mode"),
        pytest.param({"mode": Mode.RESTRICTED}, "a restricted channel needs a side key", id="no side key"),
        pytest.param({"side_key": "KEY"}, "a public channel has no side key", id="side key"),
        pytest.param({"mode": Mode.RESTRICTED, "side_key": "A" * 82}, "this has 82 characters", id="long side key"),
        pytest.param({"mode": Mode.RESTRICTED, "side_key": "key"}, "a side key is up to 81 trytes", id="no trytes"),
    ],
)
def test_channels_that_cannot_be_are_the_callers_fault(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        replace(Channel(SEED), **changes)


def test_secrets_are_not_shown() -> None:
    channel = Channel(SEED, Mode.RESTRICTED, "SIDEKEY", security=1)
    signed = create(channel, "A")
    shown = repr(channel) + repr(signed) + repr(Reader(signed.root, Mode.RESTRICTED, "SIDEKEY"))
    assert "WRITER" not in shown
    assert "SIDEKEY" not in shown
