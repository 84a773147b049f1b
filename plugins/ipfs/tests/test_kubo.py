"""The client on real daemons, of the newest and the oldest version that are supported."""

import asyncio
import contextlib
import hashlib
import json
import secrets
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kubo_rig import Daemon, Daemons, connected
from learnae_ipfs.endpoints import read_endpoint
from learnae_ipfs.kubo import MAX_BLOCK_BYTES, MAX_PUBSUB_BYTES, Endpoint, Kubo, wire

from learnae.errors import ConfigError, DamagedError, NotFoundError, TooLargeError, UnavailableError, UsageError

Two = tuple[Daemon, Daemon]


@pytest.fixture(scope="module")
def two(any_kubo: Path, module_daemons: Daemons) -> Two:
    """Two daemons that are connected; no test may end one."""
    one, other = module_daemons.shared(2, any_kubo)
    return one, other


@asynccontextmanager
async def clients(*daemons: Daemon) -> AsyncIterator[list[Kubo]]:
    opened = [Kubo(Endpoint(daemon.api, daemon.authorization)) for daemon in daemons]
    try:
        yield opened
    finally:
        for client in opened:
            await client.aclose()


def run(daemons: tuple[Daemon, ...], use: Callable[..., Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with clients(*daemons) as opened:
            return await use(*opened)

    return asyncio.run(main())


def nobodys() -> str:
    return wire.raw_cid(secrets.token_bytes(16))


async def eventually(condition: Callable[[], Awaitable[object]], what: str) -> Any:
    async with asyncio.timeout(30.0):
        while not (found := await condition()):
            await asyncio.sleep(0.05)
    assert found, what
    return found


def test_who_it_is(two: Two) -> None:
    async def use(kubo: Kubo, _: Kubo) -> None:
        version, identity, commands = await asyncio.gather(kubo.version(), kubo.identity(), kubo.commands())
        assert version == two[0].call("version")["Version"]
        assert identity.peer == two[0].peer
        assert sorted(identity.addresses) == list(two[0].addresses)
        assert identity.agent.startswith(f"kubo/{version}")
        assert {"add", "pin/add", "pubsub/pub", "routing/findprovs", "key/import"} <= commands
        assert await kubo.reachability() == "unknown"

    run(two, use)


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 1_000_000, 9_000_000])
def test_a_file_goes_from_daemon_to_daemon(two: Two, size: int) -> None:
    data = secrets.token_bytes(size)

    async def use(kubo: Kubo, other: Kubo) -> str:
        cid = await kubo.add(data)
        assert wire.is_cid(cid)
        assert wire.is_raw(cid) == (size <= 262_144)
        assert await other.cat(cid, max_bytes=size) == data
        assert await other.size(cid) == size
        await other.pin(cid)
        assert await other.is_pinned(cid)
        if size:
            with pytest.raises(TooLargeError):
                await other.cat(cid, max_bytes=size - 1)
        return cid

    assert run(two, use) == two[0].call("add", body=data, cid_version="1", only_hash="true")["Hash"]


def test_adding_the_same_again_is_the_same(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        data = secrets.token_bytes(300_000)
        assert len({await kubo.add(data), await kubo.add(data, pin=True), await other.add(data)}) == 1
        assert await kubo.is_pinned(await kubo.add(data))

    run(two, use)


def test_a_daemon_that_prefers_other_ids_makes_the_same(daemons: Daemons, any_kubo: Path) -> None:
    preferring = daemons.start(
        any_kubo,
        settings={"Import.CidVersion": 0, "Import.HashFunction": "blake2b-256", "Import.UnixFSChunker": "size-1048576"},
    )
    data = secrets.token_bytes(1_500_000)
    usual = daemons.start(any_kubo)

    async def use(one: Kubo, other: Kubo) -> None:
        assert await one.add(data) == await other.add(data)
        assert await one.add(data[:100]) == wire.raw_cid(data[:100])
        assert await one.put_block(data[:100]) == wire.raw_cid(data[:100])

    run((preferring, usual), use)


def test_what_nobody_has(two: Two) -> None:
    async def use(kubo: Kubo, _: Kubo) -> None:
        for call in (
            kubo.cat(nobodys(), max_bytes=10, patience_s=0.3),
            kubo.size(nobodys(), patience_s=0.3),
            kubo.pin(nobodys(), patience_s=0.3),
            kubo.block(nobodys(), max_bytes=10, patience_s=0.3),
            kubo.name_resolve(wire.name_of_seed(secrets.token_bytes(32)), patience_s=1.0),
        ):
            with pytest.raises(NotFoundError):
                await call
        assert not await kubo.has_block(nobodys())
        assert not await kubo.is_pinned(nobodys())
        assert await kubo.find_providers(nobodys(), at_most=5, patience_s=1.0) == ()

    run(two, use)


def varint(number: int) -> bytes:
    low, number = number & 127, number >> 7
    return bytes([low | 128]) + varint(number) if number else bytes([low])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def unixfs(kind: int, data: bytes = b"", size: int | None = None, sizes: tuple[int, ...] = ()) -> bytes:
    """Write the data field of a node: a file (2), a folder (1), a link (4), or what there is not."""
    return (
        varint(1 << 3)
        + varint(kind)
        + (field(2, data) if data else b"")
        + (b"" if size is None else varint(3 << 3) + varint(size))
        + b"".join(varint(4 << 3) + varint(number) for number in sizes)
    )


def node(data: bytes, *leaves: bytes) -> bytes:
    """Write a dag-pb node over raw leaves."""
    cids = (b"\x01\x55\x12\x20" + hashlib.sha256(leaf).digest() for leaf in leaves)
    return b"".join(field(2, field(1, cid) + field(2, b"")) for cid in cids) + field(1, data)


LEAF = b"leaf" * 25
STRANGE = {
    "garbage": b"\xff\xfe\xfdgarbage",
    "no file system": node(b"hello"),
    "folder": node(unixfs(1)),
    "sharded folder": node(unixfs(5, b"\xff")),
    "metadata": node(unixfs(3)),
    "what there is not": node(unixfs(99)),
    "too long": node(unixfs(2, size=10_000, sizes=(10_000,)), LEAF),
    "much too long": node(unixfs(2, size=2**64 - 1, sizes=(2**64 - 1,)), LEAF),
    "too short": node(unixfs(2, size=0, sizes=(100,)), LEAF),
    "nothing but a size": node(unixfs(2, b"abc", size=2**40)),
    "a missing piece": node(unixfs(2, size=200, sizes=(100, 100)), LEAF, b"missing"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_file_is_no_trouble_of_the_daemons(two: Two, name: str) -> None:
    daemon, _ = two
    daemon.call("block/put", body=LEAF, cid_codec="raw", mhtype="sha2-256")
    cid = daemon.call("block/put", body=STRANGE[name], cid_codec="dag-pb", mhtype="sha2-256")["Key"]

    async def use(kubo: Kubo, _: Kubo) -> None:
        if name == "much too long":  # the daemon gives nothing, and says that this is all
            assert await kubo.cat(cid, max_bytes=100_000, patience_s=0.5) == b""
        else:
            with pytest.raises((DamagedError, NotFoundError, TooLargeError)):
                await kubo.cat(cid, max_bytes=100_000, patience_s=0.5)
        with contextlib.suppress(NotFoundError):
            assert await kubo.size(cid, patience_s=0.5) >= 0
        if name in {"garbage", "a missing piece"}:
            with pytest.raises(NotFoundError):
                await kubo.pin(cid, patience_s=0.5)

    run(two, use)


def test_blocks(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        data = secrets.token_bytes(MAX_BLOCK_BYTES)
        cid = await kubo.put_block(data)
        assert await kubo.has_block(cid)
        assert not await other.has_block(cid)
        assert await other.block(cid, max_bytes=len(data)) == data
        assert await other.has_block(cid)
        with pytest.raises(UsageError):
            await kubo.put_block(data + b"x")
        assert await kubo.cat(await kubo.put_block(b""), max_bytes=0) == b""

    run(two, use)


def test_pins(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        cid = await kubo.add(secrets.token_bytes(600_000))
        assert not await other.is_pinned(cid)
        await other.pin(cid)
        await other.pin(cid)
        assert await other.is_pinned(cid)
        assert not await kubo.is_pinned(cid)
        await other.unpin(cid)
        await other.unpin(cid)
        assert not await other.is_pinned(cid)

    run(two, use)


def test_references(two: Two) -> None:
    async def use(kubo: Kubo, _: Kubo) -> None:
        root = f"/learnae/{secrets.token_hex(8)}"
        one, two = await kubo.add(secrets.token_bytes(100)), await kubo.add(secrets.token_bytes(300_000))
        assert await kubo.mfs_list(root) == ()
        for _ in range(2):
            await kubo.mfs_link(one, f"{root}/a b/&ü?")
            await kubo.mfs_link(two, f"{root}/a b/c")
        assert sorted(await kubo.mfs_list(f"{root}/a b")) == ["&ü?", "c"]
        assert await kubo.mfs_cid(f"{root}/a b/c") == two
        await kubo.mfs_link(one, f"{root}/a b/c")
        assert await kubo.mfs_cid(f"{root}/a b/c") == one
        for _ in range(2):
            await kubo.mfs_remove(f"{root}/a b/c")
        assert await kubo.mfs_list(f"{root}/a b") == ("&ü?",)
        for _ in range(2):
            await kubo.mfs_remove(root)
        assert await kubo.mfs_list(root) == ()
        await kubo.mfs_remove("/nowhere/at/all")
        for path in ("/", "//", "relative", "/a/../b"):
            with pytest.raises(UsageError):
                await kubo.mfs_remove(path)

    run(two, use)


def test_references_keep_what_the_collector_would_drop(daemons: Daemons, any_kubo: Path) -> None:
    async def use(kubo: Kubo) -> None:
        cids = [await kubo.add(secrets.token_bytes(400_000)) for _ in range(3)]
        await kubo.mfs_link(cids[0], "/learnae/kept")
        await kubo.pin(cids[1])
        before = await kubo.repository_bytes()
        assert await kubo.collect_garbage() >= 3
        assert [await kubo.has_block(cid) for cid in cids] == [True, True, False]
        assert 0 < await kubo.repository_bytes() < before
        assert await kubo.cat(cids[0], max_bytes=400_000)

    run((daemons.start(any_kubo),), use)


def test_messages_arrive(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        topic = f"learnae/1/{secrets.token_hex(8)} ü?&="
        subscription, own = other.subscribe(topic), kubo.subscribe(topic)
        await subscription.opened()
        await own.opened()
        assert topic in await other.topics()
        sent = [b"", bytes(range(256)), b"line\nline", secrets.token_bytes(MAX_PUBSUB_BYTES)]

        for message in sent:

            async def heard(message: bytes = message) -> bool:
                await kubo.publish(topic, message)
                with contextlib.suppress(TimeoutError):  # PubSub loses what it likes
                    async with asyncio.timeout(1.0):
                        while (came := await anext(subscription)).data != message:
                            pass
                        assert came.sender == two[0].peer
                        return True
                return False

            await eventually(heard, f"message of {len(message)} bytes")
        assert (await anext(own)).sender == two[0].peer
        with pytest.raises(UsageError):
            await kubo.publish(topic, bytes(MAX_PUBSUB_BYTES + 1))
        await subscription.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)

        async def gone() -> bool:
            return topic not in await other.topics()

        await eventually(gone, "end of the subscription at the daemon")

    run(two, use)


def test_pubsub_switched_off(daemons: Daemons, any_kubo: Path) -> None:
    async def use(kubo: Kubo) -> None:
        subscription = kubo.subscribe("a")
        with pytest.raises(UnavailableError, match="pubsub"):
            await subscription.opened()
        with pytest.raises(UnavailableError, match="PubSub is switched off"):
            await kubo.topics()
        with pytest.raises(UnavailableError, match="pubsub"):
            await kubo.publish("a", b"b")

    run((daemons.start(any_kubo, settings={"Pubsub.Enabled": False}),), use)


def test_providers(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        cid = await kubo.put_block(secrets.token_bytes(64), pin=True)
        await kubo.provide(cid)

        async def found() -> Any:
            return await other.find_providers(cid, at_most=5, patience_s=2.0)

        (holder,) = await eventually(found, "provider")
        assert holder.peer == two[0].peer
        assert any("/tcp/" in address and "/p2p/" not in address for address in holder.addresses)
        await other.put_block(await other.block(cid, max_bytes=64))
        await other.provide(cid)
        assert len(await other.find_providers(cid, at_most=1)) == 1
        with pytest.raises(UnavailableError):
            await kubo.provide(nobodys())

    run(two, use)


def test_names(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        seed, name = secrets.token_bytes(32), f"learnae-{secrets.token_hex(4)}"
        key = await kubo.import_key(name, seed)
        assert await kubo.import_key(name, seed) == key == wire.name_of_seed(seed)
        keys = await kubo.keys()
        assert (keys[name], keys["self"]) == (key, wire.name_of_peer(two[0].peer))
        for published in ("self", name):
            resolved = two[0].peer if published == "self" else key
            for _ in range(3):
                cid = await kubo.put_block(secrets.token_bytes(32))
                await kubo.name_publish(published, cid, lifetime_s=3600)
                assert await other.name_resolve(resolved) == cid
        other_key = await kubo.import_key(name, secrets.token_bytes(32))
        assert (await kubo.keys())[name] == other_key != key
        await kubo.remove_key(name)
        await kubo.remove_key(name)
        assert name not in await kubo.keys()

    run(two, use)


def test_a_name_that_points_to_something_else_points_nowhere(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        seed, name = secrets.token_bytes(32), f"learnae-{secrets.token_hex(4)}"
        key = await kubo.import_key(name, seed)
        for path in (f"/ipfs/{nobodys()}/below", f"/ipns/{two[0].peer}"):
            two[0].call("name/publish", path, key=name, resolve="false", ttl="1s")
            with pytest.raises(NotFoundError):
                await other.name_resolve(key, patience_s=2.0)
        await kubo.remove_key(name)

    run(two, use)


def test_neighbours_come_and_go(daemons: Daemons, any_kubo: Path) -> None:
    one, two, gone = (daemons.start(any_kubo) for _ in range(3))
    gone.end()

    async def use(kubo: Kubo, other: Kubo) -> None:
        assert await kubo.neighbours() == ()
        assert not await kubo.ping(two.peer, patience_s=1.0)
        with pytest.raises(NotFoundError, match="cannot connect to"):
            await kubo.connect(gone.address, patience_s=2.0)
        for _ in range(2):
            await kubo.connect(two.address)
        (there,), (here,) = await kubo.neighbours(), await other.neighbours()
        assert (there.peer, here.peer) == (two.peer, one.peer)
        assert (there.inbound, here.inbound) == (False, True)
        assert f"{there.address}/p2p/{there.peer}" in two.addresses
        assert await kubo.ping(two.peer)
        assert not await kubo.ping(gone.peer, patience_s=1.0)
        for _ in range(2):
            await kubo.disconnect(two.peer)
        assert await kubo.neighbours() == ()
        for address in ("", two.address.partition("/p2p/")[0], "/p2p-circuit", f"{two.peer}"):
            with pytest.raises(UsageError):
                await kubo.connect(address)

    run((one, two), use)


def test_counters_grow(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        before, theirs = await kubo.counters(), await other.counters()
        await other.cat(await kubo.add(secrets.token_bytes(700_000)), max_bytes=700_000)

        async def counted() -> bool:
            after = await kubo.counters()
            return after.served_bytes >= before.served_bytes + 700_000 and after.sent_bytes >= before.sent_bytes + 700_000

        await eventually(counted, "served bytes")
        assert (await kubo.counters()).served_blocks >= before.served_blocks + 3
        assert (await other.counters()).received_bytes >= theirs.received_bytes + 700_000

    run(two, use)


def test_counters_of_a_daemon_that_does_not_count_bandwidth(daemons: Daemons, any_kubo: Path) -> None:
    async def use(kubo: Kubo) -> None:
        counters = await kubo.counters()
        assert (counters.sent_bytes, counters.received_bytes) == (0, 0)

    run((daemons.start(any_kubo, settings={"Swarm.DisableBandwidthMetrics": True}),), use)


def test_a_unix_socket(daemons: Daemons, any_kubo: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    daemon = daemons.start(any_kubo, unix_socket=True)
    endpoint = read_endpoint(f"unix://{daemon.folder / 'rpc.sock'}")

    async def main() -> None:
        kubo = Kubo(endpoint)
        try:
            data = secrets.token_bytes(1_000_000)
            assert await kubo.cat(await kubo.add(data), max_bytes=len(data)) == data
            subscription = kubo.subscribe("a")
            await subscription.opened()
            await kubo.publish("a", b"hello")
            assert (await anext(subscription)).data == b"hello"
        finally:
            await kubo.aclose()

    asyncio.run(main())


def test_who_may_come_in(daemons: Daemons, any_kubo: Path) -> None:
    allowed = {"AuthSecret": "basic:user:pass:word", "AllowedPaths": ["/api/v0/id"]}
    authorizations = {
        "all": {"AuthSecret": "bearer:t0ken", "AllowedPaths": ["/api/v0"]},
        "some": allowed,
    }
    daemon = daemons.new(any_kubo, token="t0ken", settings={"API.Authorizations": authorizations})
    daemon.make_repository()
    daemon.configure({"API.Authorizations": authorizations})
    daemon.start()

    async def main() -> None:
        for typed, calls, refused in (
            (None, (), ("version", "identity", "keys")),
            ("bearer:wrong", (), ("version", "identity")),
            ("bearer:t0ken", ("version", "identity", "keys"), ()),
            ("basic:user:pass:word", ("version", "identity"), ("keys",)),
            ("basic:user:wrong", (), ("version",)),
        ):
            kubo = Kubo(read_endpoint(daemon.api, typed))
            for call in calls:
                assert await getattr(kubo, call)()
            for call in refused:
                with pytest.raises(ConfigError, match="--ipfs-auth-file"):
                    await getattr(kubo, call)()
            if typed != "bearer:t0ken":
                with pytest.raises((ConfigError, UnavailableError)):
                    await kubo.add(bytes(3_000_000))
            await kubo.aclose()

    asyncio.run(main())


def test_a_daemon_ends_and_comes_back(daemons: Daemons, any_kubo: Path) -> None:
    daemon = daemons.start(any_kubo)

    async def use(kubo: Kubo) -> None:
        subscription = kubo.subscribe("a")
        await subscription.opened()
        await kubo.shutdown()  # which does not wait for our own subscription
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)
        assert daemon.process is not None
        await asyncio.to_thread(daemon.process.wait, 20)
        with pytest.raises(UnavailableError, match="Connection refused"):
            await kubo.version()
        await kubo.shutdown()
        daemon.process = None
        await asyncio.to_thread(daemon.start)
        assert await kubo.identity()
        subscription = kubo.subscribe("a")
        await subscription.opened()
        waiting = asyncio.create_task(kubo.cat(nobodys(), max_bytes=10, patience_s=20.0))
        await asyncio.sleep(0)
        await asyncio.to_thread(daemon.kill)
        with pytest.raises(UnavailableError):
            await waiting
        with pytest.raises(UnavailableError):
            await anext(subscription)

    run((daemon,), use)


def test_a_cancelled_fetch_is_given_up_by_the_daemon(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        cid = nobodys()
        waiting = asyncio.create_task(kubo.cat(cid, max_bytes=10, patience_s=60.0))

        async def wanted() -> bool:
            return cid in json.dumps(two[0].call("bitswap/wantlist"))

        async def unwanted() -> bool:
            return not await wanted()

        await eventually(wanted, "want")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await eventually(unwanted, "end of the want")

    run(two, use)


def test_many_calls_at_once(two: Two) -> None:
    async def use(kubo: Kubo, other: Kubo) -> None:
        files = [secrets.token_bytes(20_000 + number) for number in range(60)]
        cids = await asyncio.gather(*(kubo.add(data) for data in files))
        waiting = [asyncio.create_task(other.cat(nobodys(), max_bytes=10, patience_s=60.0)) for _ in range(10)]
        found = await asyncio.gather(*(other.cat(cid, max_bytes=30_000) for cid in cids), *(other.has_block(c) for c in cids))
        assert found[:60] == files
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    run(two, use)


def test_a_swarm_of_two_versions(daemons: Daemons, kubo_binary: Path, kubo_oldest_binary: Path) -> None:
    new, old = daemons.start(kubo_binary), daemons.start(kubo_oldest_binary)
    connected([new, old])

    async def use(one: Kubo, other: Kubo) -> None:
        for here, there, daemon in ((one, other, new), (other, one, old)):
            data = secrets.token_bytes(500_000)
            cid = await here.add(data, pin=True)
            await here.name_publish("self", cid, lifetime_s=600)
            assert await there.name_resolve(daemon.peer) == cid
            assert await there.cat(cid, max_bytes=len(data)) == data

    run((new, old), use)


def test_the_command_line_makes_the_same_ids(two: Two, any_kubo: Path, tmp_path: Path) -> None:
    data = secrets.token_bytes(600_000)
    (tmp_path / "file").write_bytes(data)
    command = [str(any_kubo), "add", "-Q", "--only-hash", "--cid-version=1", "--raw-leaves", str(tmp_path / "file")]
    said = subprocess.run(command, env=two[0].environment(), check=True, capture_output=True, timeout=60)

    async def use(kubo: Kubo, _: Kubo) -> str:
        return await kubo.add(data)

    assert run(two, use) == said.stdout.decode().strip()
