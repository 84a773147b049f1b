"""How a file lies in blocks (UnixFS 1), read from somebody who may be lying.

A file of one chunk is one raw block, and its content id says so. A larger one is a tree: dag-pb nodes that list the blocks below
them and how many bytes of the file each holds, and raw leaves with the bytes. Nodes are believed only in the form in which Kubo's
``add`` writes them, with nothing beside the links, so that a tree which passes costs what its size says:

- a node holds only links and sizes, and the sizes below it add up to its own: a tree is known to be too large by its root alone;
- every link leads to at least one byte of the file, and there are not more links than files of that size need;
- leaves are raw blocks, so that a leaf holds the bytes of the file and nothing else.

Only whether a leaf is as long as its node says is not known before it is here; whoever fetches leaves checks it one by one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from learnae.errors import DamagedError, TooLargeError
from learnae_ipfs.kubo.wire import is_cid, is_raw

MAX_NODE_BYTES = 262_144
"""A node that Kubo makes has at most 174 links and 9 KiB; with its newer profile 1,024 links and 53 KiB."""

MAX_LEAF_BYTES = 2 * 2**20
"""What daemons must be able to exchange in one block; Kubo makes leaves of 256 KiB, or of 1 MiB when so configured."""

MAX_DEPTH = 4
FEWEST_BYTES_A_LINK, FEWEST_BYTES_A_NODE = 16_384, 2**20
SOME = 8
"""How many links and nodes a file may have beyond what its size needs: the last of each level are not full."""

AT_ONCE = 8
"""How many leaves are fetched at the same time."""

_CID_BYTES = 36
_FILE = 2
_WORDS: Final = 0
_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file.

    Attributes:
        cid: Of the block where it begins: the part itself, or a node.
        size: How many bytes of the file it has.
    """

    cid: str
    size: int


@dataclass(frozen=True, slots=True)
class Tree:
    """A file of several blocks.

    Attributes:
        size: In bytes.
        leaves: The raw blocks, in order; one may occur several times.
        nodes: The content ids of the nodes, the root first, each once.
    """

    size: int
    leaves: tuple[Piece, ...]
    nodes: tuple[str, ...]


async def read_tree(root: str, fetch: Callable[[str], Awaitable[bytes]], *, max_bytes: int) -> Tree:
    """Fetch the nodes of a file, and nothing below them.

    Args:
        root: The content id of a dag-pb node.
        fetch: Returns a block; what it raises goes through.
        max_bytes: The largest file that is wanted.

    Raises:
        TooLargeError: It claims to have more than ``max_bytes``; only its root was fetched.
        DamagedError: It is not in the form in which files are put.
    """
    known = {root: read_node(await fetch(root))}
    level = known[root]
    size = sum(piece.size for piece in level)
    if size > max_bytes:
        raise TooLargeError(f"{root} has {size} bytes, more than the {max_bytes} allowed")
    links = nodes = 0
    for _ in range(MAX_DEPTH):
        links += len(level)
        nodes += sum(not is_raw(piece.cid) for piece in level)
        if links > SOME + size // FEWEST_BYTES_A_LINK or nodes > SOME + size // FEWEST_BYTES_A_NODE:
            raise DamagedError(f"{root} has far more blocks than a file of {size} bytes needs")
        if all(is_raw(piece.cid) for piece in level):
            return Tree(size, tuple(level), tuple(known))
        below: list[Piece] = []
        for piece in level:
            if is_raw(piece.cid):
                below.append(piece)
                continue
            if piece.cid not in known:
                known[piece.cid] = read_node(await fetch(piece.cid))
            if sum(part.size for part in known[piece.cid]) != piece.size:
                raise DamagedError(f"{piece.cid} in {root} is not as long as the node above it says")
            below += known[piece.cid]
        level = below
    raise DamagedError(f"{root} has more levels than any file that can be put")


async def fetch_leaves(tree: Tree, fetch: Callable[[str], Awaitable[int]]) -> None:
    """Fetch the leaves of a file, each once and several at a time.

    Args:
        tree: The file.
        fetch: Fetches a block, and returns its size; what it raises goes through.

    Raises:
        DamagedError: A leaf is not as long as the node above it says; no further one is fetched.
    """
    sizes = {leaf.cid: leaf.size for leaf in tree.leaves}
    if any(sizes[leaf.cid] != leaf.size for leaf in tree.leaves):
        raise DamagedError(f"{tree.nodes[0]} says of one block that it has two lengths")
    waiting = iter(sizes.items())

    async def work() -> None:
        for cid, size in waiting:
            found = await fetch(cid)
            if found != size:
                raise DamagedError(f"the block {cid} has {found} bytes, where {tree.nodes[0]} says {size}")

    workers = [asyncio.create_task(work()) for _ in range(min(AT_ONCE, len(sizes)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def is_content(cid: str, data: bytes) -> bool:
    """Say whether a raw block's content id is that of these bytes."""
    return digest_of(cid) == hashlib.sha256(data).digest()


def is_content_of(tree: Tree, data: bytes) -> bool:
    """Say whether these are the bytes of a file, by the content ids of its leaves."""
    if len(data) != tree.size:
        return False
    view, position = memoryview(data), 0
    for leaf in tree.leaves:
        if digest_of(leaf.cid) != hashlib.sha256(view[position : position + leaf.size]).digest():
            return False
        position += leaf.size
    return True


def digest_of(cid: str) -> bytes:
    """Return the SHA-256 that a content id holds."""
    return base64.b32decode(cid[1:].upper() + "======")[4:]


def read_node(data: bytes) -> list[Piece]:
    """Read a node of a file's tree.

    Raises:
        DamagedError: It is not a node of a file, or not in the form in which Kubo writes one.
    """
    try:
        return _read_node(data)
    except (_StrangeError, IndexError) as exc:
        raise DamagedError(f"a block of {len(data)} bytes is no node of a file as it can be put: {exc}") from exc


class _StrangeError(Exception):
    """Bytes that Kubo would not write."""


def _read_node(data: bytes) -> list[Piece]:
    cids: list[str] = []
    described: bytes | None = None
    for number, value in _fields(data):
        match number, value:
            case 2, bytes() if described is None:
                cids.append(_read_link(value))
            case 1, bytes() if described is None:
                described = value
            case _:
                raise _StrangeError(f"field {number} of the node")
    sizes = _read_sizes(described or b"")
    if not cids or len(cids) != len(sizes):
        raise _StrangeError(f"{len(cids)} links and {len(sizes)} sizes")
    pieces = [Piece(cid, size) for cid, size in zip(cids, sizes, strict=True)]
    if any(piece.size > MAX_LEAF_BYTES for piece in pieces if is_raw(piece.cid)):
        raise _StrangeError("a leaf larger than any daemon sends")
    return pieces


def _read_link(data: bytes) -> str:
    """Return the content id in a ``PBLink``; files' links have no names, and nobody needs the cumulative size."""
    cid = None
    for number, value in _fields(data):
        match number, value:
            case 1, bytes() if cid is None and len(value) == _CID_BYTES:
                cid = "b" + base64.b32encode(value).decode("ascii").rstrip("=").lower()
            case 2, b"":
                pass
            case 3, int():
                pass
            case _:
                raise _StrangeError(f"field {number} of a link")
    if cid is None or not is_cid(cid):
        raise _StrangeError("a link that leads to no block of a file")
    return cid


def _read_sizes(data: bytes) -> list[int]:
    """Return how many bytes each link has, from a UnixFS ``Data`` of type ``File`` without bytes of its own."""
    kind = total = None
    sizes: list[int] = []
    for number, value in _fields(data):
        match number, value:
            case 1, int() if kind is None:
                kind = value
            case 2, b"":
                pass
            case 3, int() if total is None:
                total = value
            case 4, int() if value > 0:
                sizes.append(value)
            case _:
                raise _StrangeError(f"field {number} of what describes it")
    if kind != _FILE or total != sum(sizes):
        raise _StrangeError("a folder or something else, or sizes that do not add up")
    return sizes


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Go over the fields of a protobuf message: numbers, and varints or bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        if key & 7 == _WORDS:
            value, position = _varint(data, position)
            yield key >> 3, value
        elif key & 7 == _BYTES:
            length, position = _varint(data, position)
            if length > len(data) - position:
                raise _StrangeError("it ends too early")
            yield key >> 3, data[position : position + length]
            position += length
        else:
            raise _StrangeError(f"wire type {key & 7}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 63, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _StrangeError("a number of more than 63 bits")
