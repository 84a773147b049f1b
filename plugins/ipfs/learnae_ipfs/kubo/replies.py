"""The shapes of what Kubo answers; what is not named here is skipped, and what does not fit is an error."""

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number of bytes or of blocks."""


class Reply(msgspec.Struct, frozen=True, rename="pascal"):
    """An answer, or a line of one."""


class Version(Reply, frozen=True):
    """``version``."""

    version: str


class Id(Reply, frozen=True):
    """``id``."""

    id: str = msgspec.field(name="ID")
    addresses: list[str] | None = None
    agent_version: str = ""


class Added(Reply, frozen=True):
    """A line of ``add``."""

    hash: str = ""


class Block(Reply, frozen=True):
    """``block/put``, ``block/stat``."""

    key: str
    size: Count


class RemovedBlock(Reply, frozen=True):
    """``block/rm``."""

    error: str = ""


class Wantlist(Reply, frozen=True):
    """``bitswap/wantlist``: content ids as links."""

    keys: list[dict[str, str]] | None = None


class FileStat(Reply, frozen=True):
    """``files/stat``."""

    hash: str
    size: Annotated[int, msgspec.Meta(ge=0)]  # whoever made the file claims this
    type: str


class Entry(Reply, frozen=True):
    """An entry of a folder."""

    name: str


class Entries(Reply, frozen=True):
    """``files/ls``."""

    entries: list[Entry] | None = None


class Strings(Reply, frozen=True):
    """``pubsub/ls``, ``swarm/connect`` and others."""

    strings: list[str] | None = None


class Message(Reply, frozen=True, rename=None):
    """A line of ``pubsub/sub``."""

    sender: str = msgspec.field(name="from")
    data: str


class FoundPeer(Reply, frozen=True):
    """A daemon that the routing system names."""

    id: str = msgspec.field(name="ID", default="")
    addrs: list[str] | None = None


class RoutingEvent(Reply, frozen=True):
    """A line of ``routing/findprovs``; type 4 is a provider."""

    type: int
    responses: list[FoundPeer] | None = None


class Resolved(Reply, frozen=True):
    """``name/resolve``."""

    path: str


class Key(Reply, frozen=True):
    """``key/import``, and an item of ``key/list``."""

    name: str
    id: str


class Keys(Reply, frozen=True):
    """``key/list``."""

    keys: list[Key] | None = None


class SwarmPeer(Reply, frozen=True):
    """An item of ``swarm/peers``; direction 1 is inbound."""

    peer: str
    addr: str
    direction: int = 0


class SwarmPeers(Reply, frozen=True):
    """``swarm/peers``."""

    peers: list[SwarmPeer] | None = None


class Pong(Reply, frozen=True):
    """A line of ``ping``; a pong has no text."""

    success: bool
    text: str = ""


class Bandwidth(Reply, frozen=True):
    """``stats/bw``."""

    total_in: Count
    total_out: Count


class Bitswap(Reply, frozen=True):
    """``bitswap/stat``."""

    blocks_sent: Count
    data_sent: Count
    data_received: Count


class Repository(Reply, frozen=True):
    """``repo/stat``."""

    repo_size: Count


class Collected(Reply, frozen=True):
    """A line of ``repo/gc``."""

    key: dict[str, str] | None = None


class AutoNat(Reply, frozen=True, rename=None):
    """``swarm/addrs/autonat``."""

    reachability: str = "unknown"  # before 0.40 there is no such call, and swarm/addrs answers


class Command(Reply, frozen=True):
    """``commands``: a call, and those below it."""

    name: str
    subcommands: "list[Command] | None" = None
