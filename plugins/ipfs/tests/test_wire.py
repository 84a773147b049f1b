"""What Kubo writes in its own way: read strictly, and written as Kubo writes it."""

import base64
import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnae_ipfs.kubo import wire

RAW = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"  # ipfs add --cid-version=1 of "hello"
DAG_PB = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"  # an empty folder
PEER = "12D3KooWQKPpsroq4k4Ss9aF12ugkpgmJvBBLuKGeMhW5qUwxUyb"  # ipfs id, and ipfs key list -l of the same daemon
NAME = "k51qzi5uqu5dljwkjlvxyo180xyu2i8elowautxr8286x35ava70pr9tcw6v06"
SEED_NAME = "k51qzi5uqu5djmw2yvf8kk5cdjc1ddc00o4d5sjwi6f79xzcay9j3gkddw5uu4"  # ipfs key import of 32 bytes 0x01


def cid(*head: int, digest: bytes = b"\x12" * 32) -> str:
    return "b" + base64.b32encode(bytes(head) + digest).decode().rstrip("=").lower()


def test_content_ids() -> None:
    assert wire.is_cid(RAW)
    assert wire.is_raw(RAW)
    assert wire.raw_cid(b"hello") == RAW
    assert wire.is_cid(DAG_PB)
    assert not wire.is_raw(DAG_PB)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        RAW[:-1],
        RAW + "a",
        RAW + "\n",
        RAW.upper(),
        "z" + RAW[1:],
        "/ipfs/" + RAW,
        RAW + "/x",
        RAW[:-1] + chr(ord(RAW[-1]) + 1),  # bits after the digest that are not zero: another spelling of the same
        "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
        PEER,
        cid(1, 0x71, 0x12, 0x20),  # dag-cbor
        cid(1, 0x72, 0x12, 0x20),  # libp2p-key
        cid(1, 0x55, 0x13, 0x20),  # SHA-512 by name
        cid(1, 0x55, 0x00, 0x20),  # identity: the content itself
        cid(1, 0x55, 0x12, 0x1F),
        cid(0, 0x55, 0x12, 0x20),
        cid(2, 0x55, 0x12, 0x20),
        cid(1, 0x55, 0x12, 0x20, digest=b"\x12" * 31),
        cid(1, 0x55, 0x12, 0x20, digest=b"\x12" * 33),
        cid(0x81, 0x00, 0x55, 0x12, 0x20, digest=b"\x12" * 31),  # a number written longer than it is
        "b" * 10_000,
        "\uff42" + RAW[1:],
    ],
)
def test_everything_else_is_no_content_id(text: str) -> None:
    assert not wire.is_cid(text)


@given(st.binary(max_size=100))
def test_the_id_of_a_block_is_one(data: bytes) -> None:
    found = wire.raw_cid(data)
    assert wire.is_cid(found)
    assert len(found) == wire.CID_LENGTH
    assert base64.b32decode(found[1:].upper() + "======")[4:] == hashlib.sha256(data).digest()


@given(st.text(max_size=80))
def test_no_text_makes_reading_fail(text: str) -> None:
    for read in (wire.is_cid, wire.is_peer_id, wire.is_name, wire.read_multibase, wire.name_of_peer):
        read(text)


@given(st.binary(max_size=500))
def test_multibase_there_and_back(data: bytes) -> None:
    written = wire.write_multibase(data)
    assert written.startswith("u")
    assert "=" not in written
    assert wire.read_multibase(written) == data


@pytest.mark.parametrize("text", ["", "aGVsbG8", "maGVsbG8", "uaGVsbG8=", "ua+/b", "ua GVs", "uaGVsb\n", "ua", "uaaaaa", "uü"])
def test_what_is_no_base64url_is_not_read(text: str) -> None:
    assert wire.read_multibase(text) is None


def test_peer_ids_and_names() -> None:
    assert wire.is_peer_id(PEER)
    assert wire.is_name(PEER)
    assert wire.is_name(NAME)
    assert not wire.is_peer_id(NAME)
    assert wire.name_of_peer(PEER) == NAME
    assert wire.is_peer_id("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")  # a daemon with an RSA key
    assert not wire.is_name("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")
    assert wire.name_of_peer("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N") is None


@pytest.mark.parametrize(
    "text",
    ["", PEER[:-1], PEER + "x", PEER + "\n", PEER.replace("Q", "0"), PEER + "/p2p-circuit", NAME[:-1], NAME + "0", NAME.upper()],
)
def test_everything_else_is_neither(text: str) -> None:
    assert not wire.is_peer_id(text)
    assert not wire.is_name(text)
    assert wire.name_of_peer(text) is None


def test_a_peer_id_that_only_looks_like_one_has_no_name() -> None:
    assert wire.name_of_peer("12D3Koo" + "z" * 45) is None


def test_a_key_of_a_seed_is_what_kubo_makes_of_it() -> None:
    assert wire.name_of_seed(b"\x01" * 32) == SEED_NAME
    written = wire.private_key(b"\x01" * 32)
    assert written[:4] == b"\x08\x01\x12\x40"
    assert written[4:36] == b"\x01" * 32
    assert len(written) == 68


def test_names_of_seeds_are_names() -> None:
    chance = random.Random(4)
    names = [wire.name_of_seed(chance.randbytes(32)) for _ in range(50)]
    assert all(wire.is_name(name) for name in names)
    assert len(set(names)) == 50
