"""What a session's names on IPFS are derived from its rendezvous, and which IPNS name is a peer's own.

Everything is a hash of the rendezvous, never the rendezvous itself: who only sees topics, blocks and names on the network cannot
compute the others. A private daemon points its own key, ``self``, at its peer's mailbox. A daemon that is not ours has a ``self``
that is not ours to use, and may serve several peers: each takes one of four places there, and a key for it that every peer of the
session can compute, so that others find it knowing no more than the daemon's peer id.

What a malicious member of the session can do with a key that it can compute as well: point that name elsewhere, with a sequence
number that nobody passes. That makes the slow way of this one peer useless; PubSub, the boards and everybody else's mailboxes
go on, and a private daemon has no such key. It forges no announcement: those are signed.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from learnae.errors import UnavailableError
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.wire import name_of_peer, name_of_seed

PLACES = 4
"""How many peers of one session may share a daemon and still have mailboxes."""

_KEY = re.compile(r"learnae-(?P<session>[0-9a-f]{16})-(?P<place>[0-3])-(?P<owner>[0-9a-f]{32})")


def derive(purpose: str, rendezvous: str) -> bytes:
    """Derive 32 bytes from a session's rendezvous."""
    return hashlib.sha256(f"learnae/ipfs/1/{purpose}/{rendezvous}".encode()).digest()


def topic_of(rendezvous: str) -> str:
    """Name the PubSub topic on which a session's peers announce."""
    return f"learnae/1/{derive('topic', rendezvous).hex()}"


def meeting_block(rendezvous: str, *, shared: bool) -> bytes:
    """Make the block as whose providers a session's daemons find each other: one of private daemons, one of shared ones."""
    return b"learnae meeting 1 " + derive("meeting/shared" if shared else "meeting/own", rendezvous)


def names_at(daemon: str, rendezvous: str, *, shared: bool) -> Sequence[str]:
    """List the IPNS names under which a daemon's peers may have mailboxes.

    Args:
        daemon: Its libp2p peer id.
        rendezvous: The session's.
        shared: Whether it is one that several peers may share; else its own name is the only one.
    """
    if shared:
        return [name_of_seed(_seed(rendezvous, daemon, place)) for place in range(PLACES)]
    name = name_of_peer(daemon)
    return [name] if name is not None else []


@dataclass(frozen=True, slots=True)
class OwnName:
    """The IPNS name of a peer's own mailbox: the daemon's name for the key, and the name that others resolve."""

    key: str
    name: str


async def take_name(
    kubo: Kubo, *, is_own: bool, rendezvous: str, owner: str, daemon: str, settle_s: float = 1.0
) -> OwnName | None:
    """Return the name under which a peer's mailbox is found, and take a place on a shared daemon for it.

    The daemon's keys are the register of its places: our keys' names say who took which. Of two who take one place at the same
    time, the one whose key's name sorts first has it; the other one finds that out here, now or when it asks again, and takes
    another. So ask again before each use.

    Args:
        kubo: The daemon.
        is_own: Whether it is private.
        rendezvous: The session's.
        owner: The peer's own.
        daemon: The daemon's peer id.
        settle_s: How long to wait, when a place was just taken, for others who are taking it too.

    Returns:
        The name, or ``None`` if all places of a shared daemon are taken.

    Raises:
        UnavailableError: The daemon does not answer, or does not allow this.
    """
    if is_own:
        name = name_of_peer(daemon)
        if name is None:
            raise UnavailableError(f"the daemon's peer id {daemon} is not that of an Ed25519 key, so that it has no name to use")
        return OwnName("self", name)
    for _ in range(PLACES + 1):
        holders = await _holders(kubo, rendezvous)
        lost = [place for place, owners in holders.items() if owner[:32] in owners[1:]]
        for place in lost:
            await kubo.remove_key(_key(rendezvous, place, owner))
        mine = next((place for place, owners in holders.items() if owners[0] == owner[:32]), None)
        if mine is not None:
            return OwnName(_key(rendezvous, mine, owner), name_of_seed(_seed(rendezvous, daemon, mine)))
        wanted = int(owner[:8], 16)
        free = [place for place in ((wanted + offset) % PLACES for offset in range(PLACES)) if place not in holders]
        if not free:
            return None
        await kubo.import_key(_key(rendezvous, free[0], owner), _seed(rendezvous, daemon, free[0]))
        await asyncio.sleep(settle_s)
    return None


def keys_of(rendezvous: str) -> str:
    """Return how the names of all keys of a session's peers begin on a shared daemon."""
    return f"learnae-{_session(rendezvous)}-"


async def leave_name(kubo: Kubo, *, rendezvous: str, owner: str) -> None:
    """Give a place on a shared daemon back, for a peer that does not come back; idempotent. A private daemon's key stays."""
    for place in range(PLACES):
        await kubo.remove_key(_key(rendezvous, place, owner))


async def _holders(kubo: Kubo, rendezvous: str) -> dict[int, list[str]]:
    """Say which places of a session's are taken on a daemon, and by whom: first halves of owners, the rightful one first."""
    holders: dict[int, list[str]] = {}
    for key in sorted(await kubo.keys()):
        found = _KEY.fullmatch(key)
        if found is not None and found["session"] == _session(rendezvous):
            holders.setdefault(int(found["place"]), []).append(found["owner"])
    return holders


def _key(rendezvous: str, place: int, owner: str) -> str:
    return f"{keys_of(rendezvous)}{place}-{owner[:32]}"


def _session(rendezvous: str) -> str:
    return derive("keys", rendezvous).hex()[:16]


def _seed(rendezvous: str, daemon: str, place: int) -> bytes:
    return derive(f"name/{daemon}/{place}", rendezvous)
