"""Transactions: written and read, and nothing else taken for one."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learnae_iota.bundles.transactions import (
    LATEST_MS,
    NULL_TAG,
    TOTAL_SUPPLY,
    Transaction,
    decode_transaction,
    encode_transaction,
)
from learnae_iota.nodes.pyota import import_pyota
from learnae_iota.trinary.numbers import write_number
from learnae_iota.trinary.trytes import ALPHABET

from learnae.errors import DamagedError, UsageError


def trytes(count: int) -> st.SearchStrategy[str]:
    return st.text(ALPHABET, max_size=count).map(lambda text: text.ljust(count, "9"))


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    last_index = draw(st.integers(0, LATEST_MS))
    return Transaction(
        message=draw(trytes(2187)),
        address=draw(trytes(81)),
        obsolete_tag=draw(trytes(27)),
        timestamp_s=draw(st.integers(0, LATEST_MS)),
        index=draw(st.integers(0, last_index)),
        last_index=last_index,
        bundle=draw(trytes(81)),
        tag=draw(trytes(27)),
        value=draw(st.integers(-TOTAL_SUPPLY, TOTAL_SUPPLY)),
        trunk=draw(trytes(81)),
        branch=draw(trytes(81)),
        attached_ms=draw(st.integers(0, LATEST_MS)),
        attached_from_ms=draw(st.integers(0, LATEST_MS)),
        attached_to_ms=draw(st.integers(0, LATEST_MS)),
        nonce=draw(trytes(27)),
    )


PLAIN = Transaction("M" * 2187, "A" * 81, "O" * 27, 1_600_000_000, 1, 2)


@settings(max_examples=50)
@given(transactions())
def test_what_is_written_is_read(transaction: Transaction) -> None:
    text = encode_transaction(transaction)
    assert len(text) == 2673
    assert decode_transaction(text) == transaction
    assert encode_transaction(decode_transaction(text)) == text
    assert transaction.essence == text[2187:2349]


@settings(max_examples=10, deadline=None)
@given(transactions())
def test_pyota_reads_the_same(transaction: Transaction) -> None:
    iota = import_pyota()
    theirs = iota.Transaction.from_tryte_string(encode_transaction(transaction))
    assert str(theirs.signature_message_fragment) == transaction.message
    assert str(theirs.address) == transaction.address
    if transaction.obsolete_tag != NULL_TAG:  # else PyOTA takes the tag for it
        assert str(theirs.legacy_tag) == transaction.obsolete_tag
    assert str(theirs.bundle_hash) == transaction.bundle
    assert str(theirs.tag) == transaction.tag
    assert str(theirs.trunk_transaction_hash) == transaction.trunk
    assert str(theirs.branch_transaction_hash) == transaction.branch
    assert str(theirs.nonce) == transaction.nonce
    assert (theirs.value, theirs.timestamp) == (transaction.value, transaction.timestamp_s)
    assert (theirs.current_index, theirs.last_index) == (transaction.index, transaction.last_index)
    assert theirs.attachment_timestamp == transaction.attached_ms
    assert theirs.attachment_timestamp_lower_bound == transaction.attached_from_ms
    assert theirs.attachment_timestamp_upper_bound == transaction.attached_to_ms


def test_those_of_the_deployed_libraries_are_read(vectors: dict[str, Any]) -> None:
    for vector in vectors["transactions"]:
        assert encode_transaction(decode_transaction(vector["trytes"])) == vector["trytes"]


def changed(at: int, text: str) -> str:
    whole = encode_transaction(PLAIN)
    return whole[:at] + text + whole[at + len(text) :]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "2673 trytes.*0 characters", id="nothing"),
        pytest.param("9" * 2672, "2672 characters", id="too short"),
        pytest.param("9" * 2674, "2674 characters", id="too long"),
        pytest.param(changed(5, "a"), "the digit 9 and A to Z", id="no tryte"),
        pytest.param(changed(5, "É"), "the digit 9 and A to Z", id="no ASCII"),
        pytest.param(changed(2672, "\n"), "the digit 9 and A to Z", id="an end of a line"),
        pytest.param(changed(2268, "9" * 26 + "A"), "value is a number", id="more than all tokens"),
        pytest.param(changed(2268, write_number(-TOTAL_SUPPLY - 1, 27)), "value is a number", id="less than none"),
        pytest.param(changed(2322, "Z" + "9" * 8), "timestamp_s is a number from 0", id="negative time"),
        pytest.param(changed(2331, "Z" + "9" * 8), "index is a number from 0", id="negative index"),
        pytest.param(changed(2331, "C" + "9" * 8), "index 3 in a bundle whose last one is 2", id="index beyond the last"),
        pytest.param(changed(2619, "9" * 8 + "N"), "attached_ms is a number from 0", id="negative attachment"),
    ],
)
def test_what_is_none_is_not_read(text: str, sentence: str) -> None:
    with pytest.raises(DamagedError, match=sentence):
        decode_transaction(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"message": "M" * 2186},
        {"address": "a" * 81},
        {"nonce": ""},
        {"timestamp_s": -1},
        {"attached_to_ms": LATEST_MS + 1},
        {"index": 3},
        {"value": TOTAL_SUPPLY + 1},
    ],
)
def test_what_cannot_be_written_is_the_callers_fault(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        dataclasses.replace(PLAIN, **fields)
