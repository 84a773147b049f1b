"""Locators: one spelling each, and nothing else is ever taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnae_ipfs.kubo.wire import raw_cid
from learnae_ipfs.storage.locators import read_locator, write_locator
from storage_rig import Blocks, node_cid

RAW, TREE = raw_cid(b"a file"), Blocks().file(bytes(300_000))


@given(st.binary(max_size=100))
def test_what_is_written_is_read(data: bytes) -> None:
    for cid in (raw_cid(data), node_cid(data)):
        assert read_locator(write_locator(cid)) == cid


def test_locators_are_content_ids_with_a_scheme() -> None:
    assert write_locator(RAW) == f"ipfs:{RAW}"
    assert write_locator(TREE).startswith("ipfs:bafybei")


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "ipfs:",
        RAW,
        f"ipfs:{RAW}\n",
        f"ipfs:{RAW}/",
        f"ipfs:{RAW}/../..",
        f"ipfs:ipfs:{RAW}",
        f"IPFS:{RAW}",
        f"ipfs:{RAW.upper()}",
        f"ipfs:{RAW[:-1]}",
        f"ipfs:{RAW[:-1]}{'b' if RAW[-1] != 'b' else 'c'}",  # bits beyond the last byte
        "ipfs:QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",  # CIDv0
        "ipfs:bafkqaddimvwgy3zao5xxe3debi",  # identity: the content in the id
        "ipfs:bafyreihyrpefhacm6kkp4ql6j6udakdit7g3dmkzfriqfykhjw6cad5lrm",  # dag-cbor
        "ipfs:" + "x" * 100_000,
        "ipfs:\udcff" + RAW[1:],
    ],
)
def test_anything_else_is_none(wrong: str) -> None:
    assert read_locator(wrong) is None


@given(st.text(max_size=80))
def test_any_text_is_safe(text: str) -> None:
    assert read_locator(text) is None
    assert read_locator(f"ipfs:{text}") is None
