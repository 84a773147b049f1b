"""What tests of the storage share: ways to real daemons, and files as blocks, honest and crafted."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kubo_rig import Daemon
from learnae_ipfs.kubo import Endpoint, Kubo
from learnae_ipfs.kubo.wire import raw_cid

RENDEZVOUS, ALICE, BOB, CAROL = "7" * 64, "a1" * 32, "b2" * 32, "c3" * 32
CHUNK = 262_144


@dataclass
class DirectAccess:
    """An ``Access`` to a daemon that is there. It counts how often it was said to have failed."""

    daemon: Daemon
    is_own: bool = True
    failures: int = 0
    client: Kubo | None = None

    async def kubo(self) -> Kubo:
        if self.client is None:
            self.client = Kubo(Endpoint(self.daemon.api, self.daemon.authorization), timeout_s=20.0)
        return self.client

    async def failed(self) -> None:
        self.failures += 1

    async def aclose(self) -> None:
        if self.client is not None:
            await self.client.aclose()
            self.client = None


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field_of(number: int, value: int | bytes) -> bytes:
    """Write a field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def node_cid(block: bytes) -> str:
    """Return the content id of a dag-pb block."""
    return "b" + base64.b32encode(b"\x01\x70\x12\x20" + hashlib.sha256(block).digest()).decode().rstrip("=").lower()


def cid_bytes(cid: str) -> bytes:
    return base64.b32decode(cid[1:].upper() + "======")


def make_node(
    links: Sequence[tuple[str, int]],
    *,
    kind: int = 2,
    total: int | None = None,
    own: bytes | None = None,
    name: str = "",
    below: Mapping[str, int] | None = None,
) -> bytes:
    """Write a node as Kubo writes one, or a lie: links with the bytes of the file that each has.

    ``below`` says how long links are with all nodes below them.
    """
    below = below or {}
    described = field_of(1, kind) + (b"" if own is None else field_of(2, own))
    described += field_of(3, sum(size for _, size in links) if total is None else total)
    described += b"".join(field_of(4, size) for _, size in links)
    written = [
        field_of(1, cid_bytes(cid)) + field_of(2, name.encode()) + field_of(3, below.get(cid, size)) for cid, size in links
    ]
    return b"".join(field_of(2, link) for link in written) + field_of(1, described)


@dataclass
class Blocks:
    """Blocks by content id, from which files are built."""

    by_cid: dict[str, bytes] = field(default_factory=dict)
    below: dict[str, int] = field(default_factory=dict)

    def leaf(self, data: bytes) -> tuple[str, int]:
        """Make a raw leaf; return its content id and its length."""
        self.by_cid[raw_cid(data)] = data
        return raw_cid(data), len(data)

    def node(self, links: Sequence[tuple[str, int]], **lies: object) -> tuple[str, int]:
        """Make a node; return its content id, and the length that it truly has."""
        block = make_node(links, below=self.below, **lies)  # type: ignore[arg-type]
        cid = node_cid(block)
        self.by_cid[cid] = block
        self.below[cid] = len(block) + sum(self.below.get(link, size) for link, size in links)
        return cid, sum(size for _, size in links)

    def file(self, data: bytes) -> str:
        """Cut a file as Kubo does, at most two levels deep; return its content id."""
        chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)] or [b""]
        if len(chunks) == 1:
            return self.leaf(data)[0]
        level = [self.leaf(chunk) for chunk in chunks]
        while len(level) > 1:
            level = [self.node(level[start : start + 174]) for start in range(0, len(level), 174)]
        return level[0][0]

    def upload(self, daemon: Daemon) -> None:
        """Put all blocks on a daemon."""
        for cid, block in self.by_cid.items():
            codec = "raw" if cid.startswith("bafkrei") else "dag-pb"
            options = {"cid_codec": codec, "mhtype": "sha2-256", "allow_big_block": "true"}
            assert daemon.call("block/put", body=block, **options)["Key"] == cid


def run(work: object) -> None:
    """Run a test's coroutine, for at most a minute and a half."""
    asyncio.run(asyncio.wait_for(work, 90.0))  # type: ignore[arg-type]
