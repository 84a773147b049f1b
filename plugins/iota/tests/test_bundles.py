"""Bundles: made, read, and checked as the deployed libraries do."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import Bundle, Posting, bundle_hash, check_bundle, prepare_bundle, read_bundle
from learnae_iota.nodes.pyota import import_pyota
from learnae_iota.trinary.kernel import Kernel, choose_kernel
from learnae_iota.trinary.trytes import ALPHABET

from learnae.errors import DamagedError, UsageError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "bundles.json").read_text())
ADDRESS = "HERE".ljust(81, "Z")
TWO = [Posting(ADDRESS, "B" * 2200, "LEARNAE"), Posting("9" * 81, "C")]
NOW_S = 1_600_000_000


@pytest.fixture(scope="module")
def attached() -> Bundle:
    return attach_bundle(prepare_bundle(TWO, NOW_S), Tips("T" * 81, "U" * 81), 1, clock=lambda: 1000 * NOW_S)


@pytest.mark.parametrize("maker", ["mam.js", "PyOTA"])
def test_those_of_the_deployed_libraries_are_read(kernel: Kernel, maker: str) -> None:
    for vector in VECTORS[maker]:
        bundle = read_bundle(vector["trytes"], kernel)
        assert bundle.trytes == tuple(reversed(vector["trytes"]))
        assert bundle.tail == ""


def test_messages_of_the_deployed_libraries_are_in_them(vectors: dict[str, Any]) -> None:
    messages = {message["id"]: message for message in vectors["messages"]}
    read = 0
    for vector in VECTORS["mam.js"]:
        message = messages.get(vector["message"])
        if message is not None:
            [posting] = read_bundle(vector["trytes"]).postings
            assert posting.address == message["address"]
            assert posting.trytes.rstrip("9") == message["payload"].rstrip("9")
            read += 1
    assert read


def test_pyota_finds_ours_in_order(kernel: Kernel) -> None:
    iota = import_pyota()
    bundle = prepare_bundle(TWO, NOW_S, kernel)
    theirs = iota.Bundle.from_tryte_strings([iota.TransactionTrytes(trytes) for trytes in bundle.trytes])
    validator = iota.transaction.BundleValidator(theirs)
    assert validator.is_valid(), validator.errors
    assert [str(part) for part in theirs.as_tryte_strings(head_to_tail=True)] == list(bundle.trytes)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.builds(
            Posting,
            address=st.text(ALPHABET, min_size=81, max_size=81),
            trytes=st.integers(0, 5000).map(lambda count: ("LEARNAE" * 1000)[:count]),
            tag=st.text(ALPHABET, max_size=27),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda posting: posting.address,
    ),
    st.integers(0, 2**33),
)
def test_what_was_sent_is_read(postings: list[Posting], now_s: int) -> None:
    bundle = prepare_bundle(postings, now_s, choose_kernel())
    assert read_bundle(bundle.trytes) == read_bundle(bundle.trytes[::-1]) == bundle
    assert {part.timestamp_s for part in bundle.transactions} == {now_s}
    assert len(bundle.postings) == len(postings)
    for sent, found in zip(postings, bundle.postings, strict=True):
        assert found.address == sent.address
        assert found.tag == sent.tag.ljust(27, "9")
        assert found.trytes == sent.trytes.ljust(max(1, -(-len(sent.trytes) // 2187)) * 2187, "9")


def test_the_hash_tells_contents_apart_and_is_repeatable(kernels: list[Kernel]) -> None:
    hashes = [prepare_bundle([Posting(ADDRESS, text)], NOW_S, kernel).hash for kernel in kernels for text in ("A", "B")]
    assert len(set(hashes)) == 2
    assert prepare_bundle(TWO, NOW_S).hash != prepare_bundle(TWO, NOW_S + 1).hash


def test_the_last_trit_of_an_address_does_not_count() -> None:
    bundle = prepare_bundle([Posting("9" * 80 + "A", "M")], NOW_S)
    [one] = bundle.transactions
    other = dataclasses.replace(one, address="9" * 80 + "J")  # the last trit of a J is 1, of an A 0
    assert bundle_hash([other]) == bundle.hash


@pytest.mark.parametrize(
    "arguments", [("A" * 80, "A", ""), (ADDRESS, "a", ""), (ADDRESS, "A", "a"), (ADDRESS, "A", "A" * 28), (ADDRESS, "É", "")]
)
def test_what_cannot_be_posted_is_the_callers_fault(arguments: tuple[str, str, str]) -> None:
    with pytest.raises(UsageError):
        Posting(*arguments)


def test_a_bundle_has_a_size() -> None:
    with pytest.raises(UsageError, match="messages of 0 transactions"):
        prepare_bundle([], NOW_S)
    with pytest.raises(UsageError, match="messages of 1001 transactions"):
        prepare_bundle([Posting(ADDRESS, "A" * (1000 * 2187 + 1))], NOW_S)
    with pytest.raises(DamagedError, match="0 transactions"):
        read_bundle([])
    with pytest.raises(DamagedError, match="1001 transactions"):
        read_bundle([""] * 1001)


def test_an_attached_one_is_kept_and_read(attached: Bundle) -> None:
    assert read_bundle(attached.trytes) == read_bundle(attached.trytes[::-1]) == attached
    assert attached.tail == attached.hashes[0]
    assert attached.hash == prepare_bundle(TWO, NOW_S).hash


def with_part(bundle: Bundle, place: int, fields: dict[str, Any]) -> Bundle:
    parts = list(bundle.transactions)
    parts[place] = dataclasses.replace(parts[place], **fields)
    return dataclasses.replace(bundle, transactions=tuple(parts))


@pytest.mark.parametrize(
    ("index", "fields", "trouble"),
    [
        pytest.param(1, {"index": 2}, "at place 1 is number 2 of 0 … 2", id="place"),
        pytest.param(1, {"last_index": 3}, "number 1 of 0 … 3", id="last place"),
        pytest.param(1, {"bundle": "9" * 81}, "number 1 is of another one", id="hash of one"),
        pytest.param(1, {"value": 1}, "moves a value of 1", id="value"),
        pytest.param(0, {"obsolete_tag": "9" * 27}, "its hash is another one", id="essence"),
        pytest.param(2, {"address": "A" * 81}, "its hash is another one", id="address"),
        pytest.param(0, {"trunk": "A" * 81}, "do not lead from one to the next", id="chain"),
    ],
)
def test_what_is_none_is_noticed(attached: Bundle, index: int, fields: dict[str, Any], trouble: str) -> None:
    check_bundle(attached)
    with pytest.raises(DamagedError, match=trouble):
        check_bundle(with_part(attached, index, fields))


def test_parts_that_miss_are_noticed(attached: Bundle) -> None:
    for trytes in (attached.trytes[1:], attached.trytes[:2], attached.trytes * 2):
        with pytest.raises(DamagedError):
            read_bundle(trytes)
    with pytest.raises(DamagedError, match="one has"):
        check_bundle(Bundle(()))
