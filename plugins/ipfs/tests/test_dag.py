"""Trees of blocks: those that Kubo makes are read, and every lie is found before it costs more than its size says."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubo_rig import Daemon, Daemons
from learnae_ipfs.kubo.wire import raw_cid
from learnae_ipfs.storage.dag import (
    FEWEST_BYTES_A_LINK,
    MAX_LEAF_BYTES,
    SOME,
    Piece,
    Tree,
    fetch_leaves,
    is_content,
    is_content_of,
    read_node,
    read_tree,
)
from storage_rig import CHUNK, Blocks, field_of, make_node, varint

from learnae.errors import DamagedError, NotFoundError, TooLargeError

LARGE = 2**40


class Source:
    """Gives blocks, and counts what was asked for."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks, self.asked = blocks, Counter[str]()

    async def block(self, cid: str) -> bytes:
        self.asked[cid] += 1
        await asyncio.sleep(0)
        if cid not in self.blocks.by_cid:
            raise NotFoundError(cid)
        return self.blocks.by_cid[cid]

    async def size(self, cid: str) -> int:
        return len(await self.block(cid))


def read(blocks: Blocks, root: str, max_bytes: int = LARGE) -> Tree:
    return asyncio.run(read_tree(root, Source(blocks).block, max_bytes=max_bytes))


def refused(blocks: Blocks, root: tuple[str, int] | str, max_bytes: int = LARGE) -> int:
    """Expect a refusal of what is no file; return how many blocks were fetched."""
    source = Source(blocks)
    with pytest.raises(DamagedError):
        asyncio.run(read_tree(root if isinstance(root, str) else root[0], source.block, max_bytes=max_bytes))
    return source.asked.total()


@pytest.mark.parametrize("size", [CHUNK + 1, 3 * CHUNK, 174 * CHUNK, 175 * CHUNK + 5])
def test_files_are_read_as_they_were_cut(size: int) -> None:
    blocks, data = Blocks(), (bytes(range(256)) * (size // 256 + 1))[:size]
    tree = read(blocks, blocks.file(data), max_bytes=size)
    assert tree.size == size
    assert b"".join(blocks.by_cid[leaf.cid] for leaf in tree.leaves) == data
    assert is_content_of(tree, data)
    assert not is_content_of(tree, data[:-1])
    assert not is_content_of(tree, b"\xff" + data[1:])


def test_real_daemons_make_trees_that_are_read(daemons: Daemons, any_kubo: Path) -> None:
    daemon = daemons.start(any_kubo)
    data = os.urandom(1_000_000)
    options = {"cid_version": "1", "raw_leaves": "true", "chunker": "size-262144"}
    for content in (data, data * 60):
        blocks = Blocks()
        cid = daemon.call("add", body=content, **options)["Hash"]
        assert blocks.file(content) == cid, "the tests cut files in another way than Kubo does"

        async def fetch(block: str, daemon: Daemon = daemon) -> bytes:
            return daemon.request("block/get", block)

        tree = asyncio.run(read_tree(cid, fetch, max_bytes=len(content)))
        assert is_content_of(tree, content)


def test_the_root_alone_tells_that_a_file_is_too_large() -> None:
    blocks = Blocks()
    root = blocks.file(bytes(5 * CHUNK))
    source = Source(blocks)
    with pytest.raises(TooLargeError, match=str(5 * CHUNK)):
        asyncio.run(read_tree(root, source.block, max_bytes=5 * CHUNK - 1))
    assert source.asked == {root: 1}


def test_equal_nodes_are_fetched_once() -> None:
    blocks = Blocks()
    source = Source(blocks)
    tree = asyncio.run(read_tree(blocks.file(bytes(174 * CHUNK * 3)), source.block, max_bytes=LARGE))
    assert source.asked.total() == 2
    assert len(tree.leaves) == 174 * 3
    asyncio.run(fetch_leaves(tree, source.size))
    assert source.asked.total() == 3


def test_what_is_no_file_is_refused_by_its_root() -> None:
    blocks = Blocks()
    leaf = blocks.leaf(b"x" * CHUNK)
    for root in (
        blocks.node([leaf], kind=1),  # a folder
        blocks.node([leaf], kind=5),  # a folder in shards
        blocks.node([leaf], kind=4),  # a link
        blocks.node([leaf], kind=0),
        blocks.node([]),
        blocks.node([leaf, leaf], total=CHUNK),
        blocks.node([leaf], total=2**50),
        blocks.node([leaf, (leaf[0], 0)]),  # a link that leads to no byte of the file
        blocks.node([leaf], own=b"bytes of its own"),
        blocks.node([leaf], name="named"),
        blocks.node([(leaf[0], MAX_LEAF_BYTES + 1)]),
    ):
        assert refused(blocks, root) == 1


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\xff" * 40,
        b"\x0a\x02\x08\x02",  # an empty file
        make_node([(raw_cid(b""), 1)]) + field_of(3, b"more"),
        make_node([(raw_cid(b""), 1)]) + field_of(1, b"again"),
        make_node([(raw_cid(b""), 1)])[:-1],
        field_of(2, field_of(1, b"short")) + field_of(1, field_of(1, 2) + field_of(3, 1) + field_of(4, 1)),
        field_of(2, field_of(3, 1)) + field_of(1, field_of(1, 2) + field_of(3, 1) + field_of(4, 1)),
        varint(2 << 3 | 2) + varint(2**62),
        varint(2 << 3 | 5) + b"\0\0\0\0",
        b"\x08" + b"\xff" * 12,
    ],
)
def test_bytes_that_are_no_node_are_refused(block: bytes) -> None:
    with pytest.raises(DamagedError):
        read_node(block)


@given(st.binary(max_size=300))
def test_any_bytes_are_safe(block: bytes) -> None:
    with pytest.raises(DamagedError):
        read_node(block)


@given(st.data())
@settings(max_examples=300)
def test_a_node_with_any_byte_changed_is_safe(data: st.DataObject) -> None:
    node = bytearray(make_node([(raw_cid(bytes([number])), 1 + number) for number in range(4)]))
    position = data.draw(st.integers(0, len(node) - 1))
    node[position] = data.draw(st.integers(0, 255))
    try:
        pieces = read_node(bytes(node))
    except DamagedError:
        return
    assert all(isinstance(piece, Piece) and 0 < piece.size < 2**63 for piece in pieces)


def test_a_tree_that_repeats_itself_cannot_grow() -> None:
    """Each node has a hundred times the one below it: nine blocks, and 10**16 leaves."""
    blocks = Blocks()
    link = blocks.leaf(b"x")
    for _ in range(8):
        link = blocks.node([link] * 100)
    with pytest.raises(TooLargeError):
        read(blocks, link[0], max_bytes=2**30)
    lying = blocks.node([(link[0], 1)] * 100)  # and if it says that it is small
    assert refused(blocks, lying, max_bytes=2**30) == 1


def test_nothing_but_a_lie_about_its_size_hides_what_a_node_has() -> None:
    blocks = Blocks()
    inner = blocks.node([blocks.leaf(b"x" * CHUNK)] * 4)
    assert refused(blocks, blocks.node([(inner[0], 3 * CHUNK)])) == 2


def test_a_wide_tree_of_tiny_leaves_is_refused_by_its_root() -> None:
    blocks = Blocks()
    assert refused(blocks, blocks.node([blocks.leaf(bytes([n % 256, n // 256])) for n in range(4_000)])) == 1
    few = blocks.node([blocks.leaf(bytes([n])) for n in range(SOME)])
    assert len(read(blocks, few[0]).leaves) == SOME


def test_a_deep_tree_is_refused() -> None:
    blocks = Blocks()
    link = blocks.leaf(b"x" * CHUNK)
    for _ in range(50):
        link = blocks.node([link])
    assert refused(blocks, link) <= SOME


def test_the_number_of_nodes_is_bounded_by_the_size() -> None:
    blocks = Blocks()
    inner = [blocks.node([blocks.leaf(number.to_bytes(2, "big") * (FEWEST_BYTES_A_LINK // 2))]) for number in range(200)]
    assert refused(blocks, blocks.node(inner)) == 1


def test_leaves_are_fetched_once_and_a_lie_about_their_length_ends_it() -> None:
    blocks = Blocks()
    leaves = [blocks.leaf(number.to_bytes(2, "big") * 20_000) for number in range(60)]
    honest = read(blocks, blocks.node(leaves)[0])
    source = Source(blocks)
    asyncio.run(fetch_leaves(honest, source.size))
    assert source.asked == dict.fromkeys((cid for cid, _ in leaves), 1)
    lying = read(blocks, blocks.node([leaves[0], (leaves[1][0], 39_999), *leaves[2:]])[0])
    source = Source(blocks)
    with pytest.raises(DamagedError, match="40000 bytes"):
        asyncio.run(fetch_leaves(lying, source.size))
    assert source.asked.total() < 30
    twice = read(blocks, blocks.node([leaves[0], (leaves[0][0], 39_999)])[0])
    with pytest.raises(DamagedError, match="two lengths"):
        asyncio.run(fetch_leaves(twice, source.size))


def test_a_leaf_that_nobody_has_ends_it() -> None:
    blocks = Blocks()
    leaves = [blocks.leaf(number.to_bytes(2, "big") * 20_000) for number in range(60)]
    tree = read(blocks, blocks.node(leaves)[0])
    del blocks.by_cid[leaves[7][0]]
    with pytest.raises(NotFoundError):
        asyncio.run(fetch_leaves(tree, Source(blocks).size))


def test_content_is_told_by_its_id() -> None:
    assert is_content(raw_cid(b"a file"), b"a file")
    assert not is_content(raw_cid(b"a file"), b"another")
