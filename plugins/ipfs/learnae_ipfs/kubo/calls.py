"""Kubo's RPC calls, one method each: what is sent, what is read of the answer, and what its errors mean.

Every method blocks, may be called in any thread, and is ended by its ``stop``. What it promises is said by the method of ``Kubo``
with the same name.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Generator, Sequence

from learnae.errors import DamagedError, NotFoundError, TooLargeError, UnavailableError, UsageError
from learnae_ipfs.kubo import replies, wire
from learnae_ipfs.kubo.answers import RefusedError, SlowError
from learnae_ipfs.kubo.asking import (
    MAX_LINE_BYTES,
    MAX_LIST_BYTES,
    MAX_REPLY_BYTES,
    NOT_HERE,
    checked_cid,
    checked_path,
    checked_peer,
    is_plain,
    plain,
    read_reply,
)
from learnae_ipfs.kubo.block_calls import BlockCalls
from learnae_ipfs.kubo.stop import Stop
from learnae_ipfs.kubo.values import (
    MAX_PUBSUB_BYTES,
    SLOWEST,
    Counters,
    Holder,
    Identity,
    Neighbour,
    PubsubMessage,
)

MAX_MESSAGE_LINE_BYTES = 2 * MAX_PUBSUB_BYTES
MAX_NAMES = 100_000
_PIECE_BYTES = 262_144
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}[0-9A-Za-z.+-]{0,64}")


class Calls(BlockCalls):
    """The calls of one daemon."""

    # About the daemon

    def version(self, stop: Stop) -> str:
        """``version``."""
        version = self.reply(replies.Version, "version", stop=stop).version
        if not _VERSION.fullmatch(version):
            raise self.nonsense("version")
        return version

    def identity(self, stop: Stop) -> Identity:
        """``id``."""
        reply = self.reply(replies.Id, "id", stop=stop)
        if not wire.is_peer_id(reply.id):
            raise self.nonsense("id")
        return Identity(reply.id, plain(reply.addresses), reply.agent_version if is_plain(reply.agent_version) else "")

    def commands(self, stop: Stop) -> frozenset[str]:
        """``commands``: all of them, as paths."""
        found: set[str] = set()
        waiting = [("", self.reply(replies.Command, "commands", stop=stop))]
        while waiting:
            above, command = waiting.pop()
            for below in command.subcommands or ():
                found.add(above + below.name)
                waiting.append((f"{above}{below.name}/", below))
        return frozenset(found)

    def reachability(self, stop: Stop) -> str:
        """``swarm/addrs/autonat``: ``public``, ``private`` or ``unknown``."""
        try:
            found = self.reply(replies.AutoNat, "swarm/addrs/autonat", stop=stop).reachability.lower()
        except RefusedError:  # older than this call, or switched off
            return "unknown"
        return found if found in {"public", "private"} else "unknown"

    def counters(self, stop: Stop) -> Counters:
        """``stats/bw`` and ``bitswap/stat``."""
        bitswap = self.reply(replies.Bitswap, "bitswap/stat", stop=stop)
        try:
            bandwidth = self.reply(replies.Bandwidth, "stats/bw", stop=stop)
        except RefusedError:  # switched off by Swarm.DisableBandwidthMetrics: what blocks carried is what is left
            bandwidth = replies.Bandwidth(bitswap.data_received, bitswap.data_sent)
        return Counters(bandwidth.total_out, bandwidth.total_in, bitswap.blocks_sent, bitswap.data_sent)

    def repository_bytes(self, stop: Stop) -> int:
        """``repo/stat``."""
        return self.reply(replies.Repository, "repo/stat", stop=stop, options={"size-only": "true"}).repo_size

    def collect_garbage(self, stop: Stop, patience_s: float) -> int:
        """``repo/gc``: how many blocks went."""
        with self.rpc.ask("repo/gc", stop=stop, give_up_s=patience_s) as answer:
            found = (read_reply(replies.Collected, line) for line in answer.lines(MAX_LINE_BYTES))
            count = sum(1 for line in found if line is not None and line.key is not None)
            answer.expect_success()
        return count

    def shutdown(self, stop: Stop) -> None:
        """``shutdown``."""
        with self.rpc.ask("shutdown", stop=stop) as answer:
            answer.read(MAX_REPLY_BYTES)

    # Files

    def add(self, data: bytes, stop: Stop, *, pin: bool) -> str:
        """``add``: the content id."""
        options = {
            "cid-version": "1",
            "raw-leaves": "true",
            "hash": "sha2-256",
            "chunker": "size-262144",  # whatever the daemon is told to prefer: equal files have equal ids everywhere
            "pin": "true" if pin else "false",
            "progress": "false",
        }
        with self.rpc.ask("add", stop=stop, file=data, give_up_s=self.timeout_s + len(data) / SLOWEST, options=options) as answer:
            lines = answer.read(MAX_REPLY_BYTES).splitlines()
        found = read_reply(replies.Added, lines[-1]) if lines else None
        if found is None or not wire.is_cid(found.hash):
            raise self.nonsense("add")
        return found.hash

    def cat(self, cid: str, stop: Stop, *, max_bytes: int, patience_s: float) -> bytes:
        """``cat``: the whole file."""
        if cid == wire.EMPTY:
            return b""
        content = io.BytesIO()  # gives away what it holds without a copy
        with (
            self.looking_for(cid, stop, wrong=DamagedError),
            self.rpc.ask(
                "cat",
                checked_cid(cid),
                stop=stop,
                patience_s=patience_s,
                give_up_s=patience_s + max_bytes / SLOWEST,
                options={"length": str(max_bytes + 1)},
            ) as answer,
        ):
            if (answer.length or 0) > max_bytes:
                raise TooLargeError(f"{cid} has more than {max_bytes} bytes")
            piece = memoryview(bytearray(_PIECE_BYTES))
            while count := answer.read_into(piece[: max_bytes + 1 - content.tell()]):
                content.write(piece[:count])
                if content.tell() > max_bytes:
                    raise TooLargeError(f"{cid} has more than {max_bytes} bytes")
            answer.expect_success()
            if answer.length is not None and answer.length != content.tell():
                raise DamagedError(f"{cid} claims to have {answer.length} bytes, and has {content.tell()}")
        return content.getvalue()

    def size(self, cid: str, stop: Stop, *, patience_s: float) -> int:
        """``files/stat``: the size that a file claims to have."""
        if cid == wire.EMPTY:
            return 0
        with self.looking_for(cid, stop):
            reply = self.reply(replies.FileStat, "files/stat", f"/ipfs/{checked_cid(cid)}", stop=stop, give_up_s=patience_s)
        if reply.type != "file":
            raise NotFoundError(f"{cid} is no file, but a {reply.type[:40]}")
        return reply.size

    # Pins

    def pin(self, cid: str, stop: Stop, *, patience_s: float) -> None:
        """``pin/add``."""
        if cid == wire.EMPTY:
            self.put_block(b"", stop, pin=True)
            return
        with self.looking_for(cid, stop):
            self.reply(replies.Reply, "pin/add", checked_cid(cid), stop=stop, give_up_s=patience_s)

    def unpin(self, cid: str, stop: Stop) -> None:
        """``pin/rm``."""
        self.did("not pinned", "pin/rm", checked_cid(cid), stop=stop)

    def is_pinned(self, cid: str, stop: Stop, *, directly: bool) -> bool:
        """``pin/ls``."""
        options = {"type": "direct" if directly else "recursive"}
        return self.did("not pinned", "pin/ls", checked_cid(cid), stop=stop, options=options)

    # The MFS

    def mfs_list(self, path: str, stop: Stop) -> Sequence[str]:
        """``files/ls``."""
        try:
            reply = self.reply(replies.Entries, "files/ls", checked_path(path), stop=stop, max_bytes=MAX_LIST_BYTES)
        except RefusedError as exc:
            if exc.says("does not exist"):
                return ()
            raise
        return tuple(entry.name for entry in reply.entries or ())[:MAX_NAMES]

    def mfs_link(self, cid: str, path: str, stop: Stop) -> None:
        """``files/cp``; what else is there is replaced."""
        for _ in range(2):
            try:
                self.ask("files/cp", f"/ipfs/{checked_cid(cid)}", checked_path(path), stop=stop, options={"parents": "true"})
            except RefusedError as exc:
                if not exc.says("already has entry"):
                    raise
                if self.reply(replies.FileStat, "files/stat", path, stop=stop).hash == cid:
                    return
                self.mfs_remove(path, stop)
            else:
                return
        raise UnavailableError(f"{path} of {self.rpc.name} is changed by somebody else as well")

    def mfs_remove(self, path: str, stop: Stop) -> None:
        """``files/rm``."""
        if not checked_path(path).strip("/"):
            raise UsageError("the root of the MFS cannot be removed")
        self.did("does not exist", "files/rm", path, stop=stop, options={"recursive": "true", "force": "true"})

    # PubSub

    def publish(self, topic: str, data: bytes, stop: Stop) -> None:
        """``pubsub/pub``."""
        if len(data) > MAX_PUBSUB_BYTES:
            raise UsageError(f"a message of {len(data)} bytes; PubSub carries at most {MAX_PUBSUB_BYTES}")
        self.ask("pubsub/pub", wire.write_multibase(topic.encode()), stop=stop, file=data)

    def subscribe(self, topic: str, stop: Stop, opened: Callable[[], None]) -> Generator[PubsubMessage, None, None]:
        """``pubsub/sub``: the messages, without end; ``opened`` is called when the daemon has begun to listen."""
        with self.rpc.ask(
            "pubsub/sub", wire.write_multibase(topic.encode()), stop=stop, patience_s=self.timeout_s, give_up_s=math.inf
        ) as answer:
            answer.wait_for_ever()
            opened()
            for line in answer.lines(MAX_MESSAGE_LINE_BYTES):
                reply = read_reply(replies.Message, line)
                data = None if reply is None else wire.read_multibase(reply.data)
                if reply is not None and data is not None and len(data) <= MAX_PUBSUB_BYTES and wire.is_peer_id(reply.sender):
                    yield PubsubMessage(reply.sender, data)
            raise UnavailableError(f"{self.rpc.name} ended the subscription: {answer.failure[:400] or 'it does not say why'}")

    def topics(self, stop: Stop) -> Sequence[str]:
        """``pubsub/ls``."""
        try:
            reply = self.reply(replies.Strings, "pubsub/ls", stop=stop)
        except RefusedError as exc:
            raise UnavailableError(f"PubSub is switched off at {self.rpc.name}: {exc.reason[:200]}") from exc
        found = (wire.read_multibase(text) for text in reply.strings or ())
        return tuple(topic.decode("utf-8", "replace") for topic in found if topic is not None)

    # Routing and names

    def provide(self, cid: str, stop: Stop, *, patience_s: float) -> None:
        """``routing/provide``."""
        with self.rpc.ask("routing/provide", checked_cid(cid), stop=stop, give_up_s=patience_s) as answer:
            answer.read(MAX_LIST_BYTES)

    def find_providers(self, cid: str, stop: Stop, *, at_most: int, patience_s: float) -> Sequence[Holder]:
        """``routing/findprovs``: whoever was found when ``at_most`` were, or the patience is over."""
        found: dict[str, Holder] = {}
        if at_most < 1:
            return ()
        options = {"num-providers": str(at_most)}
        try:
            with self.rpc.ask("routing/findprovs", checked_cid(cid), stop=stop, give_up_s=patience_s, options=options) as answer:
                for line in answer.lines(MAX_LINE_BYTES, MAX_LIST_BYTES):
                    event = read_reply(replies.RoutingEvent, line)
                    for peer in (event.responses or ()) if event is not None and event.type == 4 else ():
                        if wire.is_peer_id(peer.id) and (len(found) < at_most or peer.id in found):
                            found[peer.id] = Holder(peer.id, plain(peer.addrs))
                    if len(found) >= at_most:
                        break
        except RefusedError as exc:
            if not exc.says(NOT_HERE):
                raise
        except SlowError:
            self.version(stop)
        return tuple(found.values())

    def name_publish(self, key: str, cid: str, stop: Stop, *, lifetime_s: int, patience_s: float) -> None:
        """``name/publish``."""
        options = {"key": key, "lifetime": f"{lifetime_s}s", "ttl": "1s", "resolve": "false"}
        self.ask("name/publish", f"/ipfs/{checked_cid(cid)}", stop=stop, give_up_s=patience_s, options=options)

    def name_resolve(self, name: str, stop: Stop, *, patience_s: float) -> str:
        """``name/resolve``: the content id."""
        if not wire.is_name(name):
            raise UsageError(f"{name[:100]!r} is no IPNS name")
        with self.looking_for(name, stop):
            path = self.reply(
                replies.Resolved,
                "name/resolve",
                name,
                stop=stop,
                give_up_s=patience_s,
                options={"nocache": "true", "recursive": "false"},
            ).path
        cid = path.removeprefix("/ipfs/")
        if not wire.is_cid(cid):
            raise NotFoundError(f"{name} points to {path[:100]!r}, and that is no plain content id")
        return cid

    # Keys

    def keys(self, stop: Stop) -> dict[str, str]:
        """``key/list``."""
        reply = self.reply(replies.Keys, "key/list", stop=stop, max_bytes=MAX_LIST_BYTES)
        return {key.name: key.id for key in reply.keys or ()}

    def import_key(self, name: str, seed: bytes, stop: Stop) -> str:
        """``key/import``; another key of that name is replaced."""
        wanted = wire.name_of_seed(seed)
        for _ in range(2):
            if (there := self.keys(stop).get(name)) == wanted:
                return wanted
            if there is not None:
                self.remove_key(name, stop)
            try:
                self.ask(
                    "key/import", name, stop=stop, file=wire.private_key(seed), options={"format": "libp2p-protobuf-cleartext"}
                )
            except RefusedError as exc:
                if not exc.says("already exists"):
                    raise
            else:
                return wanted
        raise UnavailableError(f"{self.rpc.name} has a key {name} that somebody else changes as well")

    def remove_key(self, name: str, stop: Stop) -> None:
        """``key/rm``."""
        self.did("no key named", "key/rm", name, stop=stop)

    # The swarm

    def neighbours(self, stop: Stop) -> Sequence[Neighbour]:
        """``swarm/peers``."""
        reply = self.reply(replies.SwarmPeers, "swarm/peers", stop=stop, max_bytes=MAX_LIST_BYTES, options={"direction": "true"})
        return tuple(
            Neighbour(peer.peer, peer.addr, peer.direction == 1)
            for peer in reply.peers or ()
            if wire.is_peer_id(peer.peer) and is_plain(peer.addr)
        )

    def connect(self, addresses: Sequence[str], stop: Stop, *, patience_s: float) -> None:
        """``swarm/connect``."""
        if not addresses:
            raise UsageError("there is no address to connect to")
        for address in addresses:
            if not wire.is_peer_id(address.rpartition("/p2p/")[2]) or not address.startswith("/"):
                raise UsageError(f"{address[:200]!r} is no multiaddress that ends in /p2p/PEER")
        try:
            self.reply(replies.Strings, "swarm/connect", *addresses, stop=stop, give_up_s=patience_s)
        except RefusedError as exc:
            if not exc.says(""):
                raise
            raise NotFoundError(f"cannot connect to {', '.join(addresses)}: {exc.reason[:400]}") from exc

    def disconnect(self, peer: str, stop: Stop) -> None:
        """``swarm/disconnect``."""
        self.did("not connected", "swarm/disconnect", f"/p2p/{checked_peer(peer)}", stop=stop)

    def ping(self, peer: str, stop: Stop, *, patience_s: float) -> bool:
        """``ping``."""
        try:
            with self.rpc.ask("ping", checked_peer(peer), stop=stop, give_up_s=patience_s, options={"count": "1"}) as answer:
                for line in answer.lines(MAX_LINE_BYTES, MAX_REPLY_BYTES):
                    pong = read_reply(replies.Pong, line)
                    if pong is not None and pong.success and not pong.text:
                        return True  # the daemon itself would wait for another second
        except RefusedError as exc:
            if not exc.says(""):
                raise
        return False
