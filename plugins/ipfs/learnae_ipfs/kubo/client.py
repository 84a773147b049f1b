"""A Kubo daemon's RPC interface as LEARNAE uses it: asynchronous, bounded, and with our errors.

The calls themselves are made by ``learnae_ipfs.kubo.calls``, in threads. Whatever comes back is a daemon's word, and is checked
for shape and size before it is believed.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from learnae.errors import UnavailableError
from learnae_ipfs.kubo.subscription import Subscription
from learnae_ipfs.kubo.threads import Seats
from learnae_ipfs.kubo.values import (
    SLOWEST,
    Counters,
    Endpoint,
    Holder,
    Identity,
    Neighbour,
)

if TYPE_CHECKING:
    from learnae_ipfs.kubo.stop import Stop


CALLS, FETCHES = 8, 48
"""How many calls, and how many that wait for other daemons, are under way at a time."""

SLACK_S = 15.0
"""How much longer than everything else a call may take before it is ended from outside: a daemon that trickles ends like this."""

GARBAGE_S = 600.0
"""How long the collector of a large repository may work."""

_T = TypeVar("_T")


class Kubo:
    """One daemon. All methods belong to one event loop; each raises ``UnavailableError`` if the daemon does not answer in time.

    Cancelling a call returns at once; what it left running in a thread ends by itself within its time-out and harms nothing.
    Paths in the MFS are absolute. Content ids are CIDv1 in base32, checked by ``learnae_ipfs.kubo.wire``.
    """

    def __init__(self, endpoint: Endpoint, *, timeout_s: float = 30.0) -> None:
        """Make a client; nothing is contacted.

        Raises:
            ConfigError: The address is none that can be used.
        """
        from learnae_ipfs.kubo.calls import Calls  # noqa: PLC0415  # it imports the HTTP client, and that takes a while

        self._calls = Calls(endpoint, timeout_s=timeout_s)
        self._timeout_s = timeout_s
        self._quick, self._patient = Seats(CALLS, "learnae-ipfs-call"), Seats(FETCHES, "learnae-ipfs-fetch")
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()

    async def version(self) -> str:
        """Return the daemon's version, such as ``0.43.0``."""
        return await self._call(self._calls.version)

    async def identity(self) -> Identity:
        """Say who the daemon is."""
        return await self._call(self._calls.identity)

    async def add(self, data: bytes, *, pin: bool = False) -> str:
        """Add a file as ``ipfs add --cid-version=1 --raw-leaves`` does; return its content id."""
        return await self._call(lambda stop: self._calls.add(data, stop, pin=pin), extra_s=len(data) / SLOWEST)

    async def cat(self, cid: str, *, max_bytes: int, patience_s: float = 15.0) -> bytes:
        """Return a file; peak memory is about the file's size.

        Args:
            cid: Its content id.
            max_bytes: At most so many are read, and one more.
            patience_s: How long to wait for the first and for each further piece.

        Raises:
            NotFoundError: Nobody had it within ``patience_s``.
            TooLargeError: There are more than ``max_bytes``.
            DamagedError: It is no file, or its blocks do not fit together.
        """
        limit_s = patience_s + max_bytes / SLOWEST
        return await self._fetch(lambda stop: self._calls.cat(cid, stop, max_bytes=max_bytes, patience_s=patience_s), limit_s)

    async def has_block(self, cid: str) -> bool:
        """Say whether the daemon itself holds a block; nobody else is asked."""
        return await self._call(lambda stop: self._calls.has_block(cid, stop))

    async def block(self, cid: str, *, max_bytes: int, patience_s: float = 15.0) -> bytes:
        """Return one block, from whoever has it.

        Raises:
            NotFoundError: Nobody had it within ``patience_s``.
            TooLargeError: It has more than ``max_bytes``.
        """
        return await self._fetch(
            lambda stop: self._calls.block(cid, stop, max_bytes=max_bytes, patience_s=patience_s), patience_s
        )

    async def block_size(self, cid: str, *, patience_s: float = 15.0) -> int:
        """Have the daemon fetch one block, unless it has it, and return its size.

        Raises:
            NotFoundError: Nobody had it within ``patience_s``.
        """
        return await self._fetch(lambda stop: self._calls.block_size(cid, stop, patience_s=patience_s), patience_s)

    async def wanted_by(self, peer: str) -> frozenset[str]:
        """List the blocks that a neighbour's Bitswap asks this daemon for right now; none if it is no neighbour."""
        return await self._call(lambda stop: self._calls.wanted_by(peer, stop))

    async def put_block(self, data: bytes, *, pin: bool = False) -> str:
        """Store a raw block of at most 1 MiB; return its content id."""
        return await self._call(lambda stop: self._calls.put_block(data, stop, pin=pin))

    async def drop_block(self, cid: str) -> bool:
        """Remove one block that is here because we put or fetched it, so that it need not wait for a collector.

        Returns:
            Whether it is gone: a block that anybody pins stays.
        """
        return await self._call(lambda stop: self._calls.drop_block(cid, stop))

    async def pin(self, cid: str, *, patience_s: float = 30.0) -> None:
        """Fetch a file whole and hold it (recursively); idempotent.

        Raises:
            NotFoundError: It could not be had whole within ``patience_s``.
        """
        await self._fetch(lambda stop: self._calls.pin(cid, stop, patience_s=patience_s), patience_s)

    async def unpin(self, cid: str) -> None:
        """End ``pin``; idempotent."""
        await self._call(lambda stop: self._calls.unpin(cid, stop))

    async def is_pinned(self, cid: str, *, directly: bool = False) -> bool:
        """Say whether it is pinned recursively, by whomever; or only the one block, ``directly``."""
        return await self._call(lambda stop: self._calls.is_pinned(cid, stop, directly=directly))

    async def size(self, cid: str, *, patience_s: float = 15.0) -> int:
        """Return the size in bytes that a file claims to have (``files/stat`` of ``/ipfs/CID``).

        Raises:
            NotFoundError: Nobody had its root within ``patience_s``.
        """
        return await self._fetch(lambda stop: self._calls.size(cid, stop, patience_s=patience_s), patience_s)

    async def mfs_list(self, path: str) -> Sequence[str]:
        """List the names in a folder of the MFS; empty if there is no such folder. At most 100,000."""
        return await self._call(lambda stop: self._calls.mfs_list(path, stop))

    async def mfs_cid(self, path: str) -> str | None:
        """Return what a name in the MFS refers to; ``None`` if there is no such name, empty for content of other kinds."""
        return await self._call(lambda stop: self._calls.mfs_cid(path, stop))

    async def mfs_link(self, cid: str, path: str) -> None:
        """Put a reference to a file into the MFS, and make the folders above it; idempotent."""
        await self._call(lambda stop: self._calls.mfs_link(cid, path, stop))

    async def mfs_remove(self, path: str) -> None:
        """Remove a file or a whole folder of the MFS; idempotent."""
        await self._call(lambda stop: self._calls.mfs_remove(path, stop))

    async def publish(self, topic: str, data: bytes) -> None:
        """Publish a PubSub message of at most ``MAX_PUBSUB_BYTES``.

        Raises:
            UsageError: It is larger.
        """
        await self._call(lambda stop: self._calls.publish(topic, data, stop))

    def subscribe(self, topic: str) -> Subscription:
        """Return the messages of a topic as they come, without end; larger ones than ``MAX_PUBSUB_BYTES`` are dropped.

        Iteration raises ``UnavailableError`` when the daemon ends or ends the subscription. ``aclose`` of the iterator ends it,
        and its thread, at once. ``opened`` of the iterator waits until the daemon listens.
        """
        subscription = Subscription(lambda stop, opened: self._calls.subscribe(topic, stop, opened))
        self._subscriptions.add(subscription)
        return subscription

    async def topics(self) -> Sequence[str]:
        """List what is subscribed to; raises ``UnavailableError`` naming PubSub where it is switched off."""
        return await self._call(self._calls.topics)

    async def provide(self, cid: str, *, patience_s: float = 30.0) -> None:
        """Tell the routing system that the daemon provides a block it holds."""
        await self._fetch(lambda stop: self._calls.provide(cid, stop, patience_s=patience_s), patience_s)

    async def find_providers(self, cid: str, *, at_most: int, patience_s: float = 10.0) -> Sequence[Holder]:
        """Ask the routing system who provides some content; what was found when the time is over is returned."""
        return await self._fetch(
            lambda stop: self._calls.find_providers(cid, stop, at_most=at_most, patience_s=patience_s), patience_s
        )

    async def name_publish(self, key: str, cid: str, *, lifetime_s: int, patience_s: float = 60.0) -> None:
        """Point an IPNS name (``self``, or the name of a key of the daemon's) at a file, with a TTL of one second."""
        await self._fetch(
            lambda stop: self._calls.name_publish(key, cid, stop, lifetime_s=lifetime_s, patience_s=patience_s), patience_s
        )

    async def name_resolve(self, name: str, *, patience_s: float = 10.0) -> str:
        """Return the content id that an IPNS name (a peer id or key id) points at, not from a cache.

        Raises:
            NotFoundError: It points nowhere, nowhere to a plain content id, or no answer came in time.
        """
        return await self._fetch(lambda stop: self._calls.name_resolve(name, stop, patience_s=patience_s), patience_s)

    async def keys(self) -> dict[str, str]:
        """Return the daemon's keys: name to id."""
        return await self._call(self._calls.keys)

    async def import_key(self, name: str, seed: bytes) -> str:
        """Give the daemon an Ed25519 key made of 32 bytes (libp2p protobuf, cleartext); return its id. Idempotent."""
        return await self._call(lambda stop: self._calls.import_key(name, seed, stop))

    async def remove_key(self, name: str) -> None:
        """Remove a key; idempotent."""
        await self._call(lambda stop: self._calls.remove_key(name, stop))

    async def neighbours(self) -> Sequence[Neighbour]:
        """List who is connected."""
        return await self._call(self._calls.neighbours)

    async def connect(self, *addresses: str, patience_s: float = 10.0) -> None:
        """Connect to a daemon: multiaddresses that end in its ``/p2p/PEER``, of which any will do.

        Raises:
            NotFoundError: It cannot be reached now; the message says why.
        """
        await self._fetch(lambda stop: self._calls.connect(addresses, stop, patience_s=patience_s), patience_s)

    async def disconnect(self, peer: str) -> None:
        """End all connections to a daemon; idempotent."""
        await self._call(lambda stop: self._calls.disconnect(peer, stop))

    async def ping(self, peer: str, *, patience_s: float = 5.0) -> bool:
        """Say whether a daemon answers."""
        return await self._fetch(lambda stop: self._calls.ping(peer, stop, patience_s=patience_s), patience_s)

    async def counters(self) -> Counters:
        """Return the daemon's statistics (``stats/bw``, ``bitswap/stat``)."""
        return await self._call(self._calls.counters)

    async def repository_bytes(self) -> int:
        """Return the size of the daemon's repository (``repo/stat``)."""
        return await self._call(self._calls.repository_bytes)

    async def collect_garbage(self) -> int:
        """Drop what nobody keeps (``repo/gc``); return how many blocks went. Only ever on a daemon of our own."""
        return await self._fetch(lambda stop: self._calls.collect_garbage(stop, patience_s=GARBAGE_S), GARBAGE_S)

    async def reachability(self) -> str:
        """Return ``public``, ``private`` or ``unknown``, as AutoNAT found; ``unknown`` where the daemon cannot say."""
        return await self._call(self._calls.reachability)

    async def commands(self) -> frozenset[str]:
        """List the RPC calls that the daemon knows, such as ``pin/add``."""
        return await self._call(self._calls.commands)

    async def shutdown(self) -> None:
        """End the daemon, or do nothing if it has ended.

        What this client listens to is ended first. A daemon waits up to 30 seconds for what other clients listen to.
        """
        await self._end_subscriptions()
        with contextlib.suppress(UnavailableError):
            await self._call(self._calls.shutdown)

    async def aclose(self) -> None:
        """Close connections, end subscriptions; idempotent."""
        await self._end_subscriptions()
        await self._quick.aclose()
        await self._patient.aclose()
        self._calls.close()

    async def _end_subscriptions(self) -> None:
        for subscription in list(self._subscriptions):
            await subscription.aclose()

    async def _call(self, work: Callable[[Stop], _T], extra_s: float = 0.0) -> _T:
        return await self._quick.run(work, limit_s=2 * self._timeout_s + SLACK_S + extra_s)

    async def _fetch(self, work: Callable[[Stop], _T], limit_s: float) -> _T:
        return await self._patient.run(work, limit_s=limit_s + self._timeout_s + SLACK_S)
