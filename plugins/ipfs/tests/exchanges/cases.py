"""The calls that are recorded and replayed: each method of ``Kubo``, and each answer that it treats in its own way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from learnae_ipfs.kubo import Kubo, PubsubMessage, wire

from learnae.errors import LearnaeError

FILE = bytes(range(256))
TEXT = b"so long, and thanks for all the fish\r\n"
BLOCK = b"a block of its own"
WANTED = wire.raw_cid(b"the other daemon asks for this")
NOBODYS = wire.raw_cid(b"nobody ever added this")
UNKNOWN = wire.name_of_seed(b"\x07" * 32)
EMPTY_FOLDER = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
SEED, OTHER_SEED = b"\x01" * 32, b"\x02" * 32
TOPIC = "learnae/1/ünïcode?&="
PATH = "/learnae/rendezvous/owner"

Case = Callable[[Kubo, Mapping[str, str]], Awaitable[Any]]


async def _hear(kubo: Kubo, _: Mapping[str, str]) -> list[PubsubMessage]:
    subscription = kubo.subscribe(TOPIC)
    try:
        return [await anext(subscription), await anext(subscription)]
    finally:
        await subscription.aclose()


async def _link(kubo: Kubo, cid: str, name: str) -> None:
    await kubo.mfs_link(cid, f"{PATH}/{name}")


# In the order in which they are recorded: some need what others did. ``known`` holds what the recorder knows of its daemons.
CASES: dict[str, Case] = {
    "version": lambda kubo, _: kubo.version(),
    "identity": lambda kubo, _: kubo.identity(),
    "commands": lambda kubo, _: kubo.commands(),
    "connect": lambda kubo, known: kubo.connect(known["address"]),
    "connect nowhere": lambda kubo, known: kubo.connect(f"/ip4/127.0.0.1/tcp/1/p2p/{known['stranger']}", patience_s=2.0),
    "neighbours": lambda kubo, _: kubo.neighbours(),
    "ping": lambda kubo, known: kubo.ping(known["other"]),
    "ping nobody": lambda kubo, known: kubo.ping(known["stranger"], patience_s=2.0),
    "add": lambda kubo, _: kubo.add(FILE),
    "add and pin": lambda kubo, _: kubo.add(TEXT, pin=True),
    "add nothing": lambda kubo, _: kubo.add(b""),
    "cat": lambda kubo, _: kubo.cat(wire.raw_cid(FILE), max_bytes=len(FILE)),
    "cat a text": lambda kubo, _: kubo.cat(wire.raw_cid(TEXT), max_bytes=100_000),
    "cat too much": lambda kubo, _: kubo.cat(wire.raw_cid(FILE), max_bytes=len(FILE) - 1),
    "cat nothing": lambda kubo, _: kubo.cat(wire.raw_cid(b""), max_bytes=0),
    "cat a folder": lambda kubo, _: kubo.cat(EMPTY_FOLDER, max_bytes=10),
    "size": lambda kubo, _: kubo.size(wire.raw_cid(FILE)),
    "size of nobody's": lambda kubo, _: kubo.size(NOBODYS, patience_s=0.2),
    "size of a folder": lambda kubo, _: kubo.size(EMPTY_FOLDER),
    "has block": lambda kubo, _: kubo.has_block(wire.raw_cid(FILE)),
    "has block not": lambda kubo, _: kubo.has_block(NOBODYS),
    "put block": lambda kubo, _: kubo.put_block(BLOCK),
    "put block and pin": lambda kubo, _: kubo.put_block(BLOCK, pin=True),
    "block": lambda kubo, _: kubo.block(wire.raw_cid(BLOCK), max_bytes=100),
    "block size": lambda kubo, _: kubo.block_size(wire.raw_cid(BLOCK)),
    "drop pinned block": lambda kubo, _: kubo.drop_block(wire.raw_cid(BLOCK)),
    "drop block": lambda kubo, _: kubo.drop_block(wire.raw_cid(b"")),
    "wanted by": lambda kubo, known: kubo.wanted_by(known["other"]),
    "pin": lambda kubo, _: kubo.pin(wire.raw_cid(FILE)),
    "pin nobody's": lambda kubo, _: kubo.pin(NOBODYS, patience_s=0.2),
    "is pinned": lambda kubo, _: kubo.is_pinned(wire.raw_cid(FILE)),
    "is pinned not": lambda kubo, _: kubo.is_pinned(NOBODYS),
    "unpin": lambda kubo, _: kubo.unpin(wire.raw_cid(FILE)),
    "unpin again": lambda kubo, _: kubo.unpin(wire.raw_cid(FILE)),
    "link": lambda kubo, _: _link(kubo, wire.raw_cid(TEXT), "one"),
    "link again": lambda kubo, _: _link(kubo, wire.raw_cid(TEXT), "one"),
    "link another": lambda kubo, _: _link(kubo, wire.raw_cid(FILE), "one"),
    "mfs cid": lambda kubo, _: kubo.mfs_cid(f"{PATH}/one"),
    "mfs cid of nothing": lambda kubo, _: kubo.mfs_cid(f"{PATH}/two"),
    "mfs list": lambda kubo, _: kubo.mfs_list(PATH),
    "mfs list of nothing": lambda kubo, _: kubo.mfs_list("/nothing"),
    "mfs remove": lambda kubo, _: kubo.mfs_remove(PATH),
    "mfs remove again": lambda kubo, _: kubo.mfs_remove(PATH),
    "mfs list of an empty folder": lambda kubo, _: kubo.mfs_list("/learnae/rendezvous"),
    "subscribe": _hear,
    "topics": lambda kubo, _: kubo.topics(),
    "publish": lambda kubo, _: kubo.publish(TOPIC, FILE),
    "provide": lambda kubo, _: kubo.provide(wire.raw_cid(BLOCK)),
    "provide what is not there": lambda kubo, _: kubo.provide(NOBODYS),
    "find providers": lambda kubo, known: kubo.find_providers(known["theirs"], at_most=1),
    "find no providers": lambda kubo, _: kubo.find_providers(NOBODYS, at_most=5),
    "keys": lambda kubo, _: kubo.keys(),
    "import key": lambda kubo, _: kubo.import_key("learnae-test", SEED),
    "import key again": lambda kubo, _: kubo.import_key("learnae-test", SEED),
    "import another key": lambda kubo, _: kubo.import_key("learnae-test", OTHER_SEED),
    "name publish": lambda kubo, _: kubo.name_publish("learnae-test", wire.raw_cid(FILE), lifetime_s=3600),
    "name resolve": lambda kubo, _: kubo.name_resolve(wire.name_of_seed(OTHER_SEED)),
    "name resolve nothing": lambda kubo, _: kubo.name_resolve(UNKNOWN, patience_s=2.0),
    "remove key": lambda kubo, _: kubo.remove_key("learnae-test"),
    "remove key again": lambda kubo, _: kubo.remove_key("learnae-test"),
    "counters": lambda kubo, _: kubo.counters(),
    "repository bytes": lambda kubo, _: kubo.repository_bytes(),
    "reachability": lambda kubo, _: kubo.reachability(),
    "disconnect": lambda kubo, known: kubo.disconnect(known["other"]),
    "disconnect again": lambda kubo, known: kubo.disconnect(known["other"]),
    "collect garbage": lambda kubo, _: kubo.collect_garbage(),
    "shutdown": lambda kubo, _: kubo.shutdown(),
}


async def outcome(case: Case, kubo: Kubo, known: Mapping[str, str]) -> Any:
    """Make a case's calls; an error of ours is an outcome as well: the class, and nothing of its text."""
    try:
        return await case(kubo, known)
    except LearnaeError as exc:
        return type(exc)
