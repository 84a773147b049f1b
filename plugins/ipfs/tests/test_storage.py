"""The storage where things go wrong: a daemon that fails, a caller that gives up, files that are traps, and large ones."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_kubo import FakeAccess, FakeKubo
from kubo_rig import Daemon
from learnae_ipfs.kubo.wire import raw_cid
from learnae_ipfs.storage.storage import MAX_FILE_BYTES, IpfsStorage
from storage_rig import ALICE, BOB, CHUNK, RENDEZVOUS, Blocks, DirectAccess, run

from learnae.errors import DamagedError, LearnaeError, NotFoundError, TooLargeError, UnavailableError, UsageError
from learnae.interfaces.abilities import Inventory, Keeper
from learnae.values.ids import Locator

Swarm = Callable[..., list[Daemon]]
SLACK_BYTES = 8 * 2**20
"""How much a refused file may leave behind: a few blocks of at most 2 MiB each that were under way."""


def on_fake(fake: FakeKubo | None = None) -> tuple[IpfsStorage, FakeKubo, FakeAccess]:
    fake = fake or FakeKubo()
    access = FakeAccess(fake)
    return IpfsStorage(access, rendezvous=RENDEZVOUS, owner=ALICE, relaying=False), fake, access  # type: ignore[arg-type]


def locator_of(cid: str) -> Locator:
    return Locator(f"ipfs:{cid}")


# A fake daemon


def test_opening_and_closing_ask_nobody() -> None:
    storage, fake, access = on_fake()

    async def work() -> None:
        await storage.aclose()
        await storage.aclose()

    asyncio.run(work())
    assert not fake.asked
    assert access.closed == 2


def test_it_keeps_and_lists() -> None:
    storage, *_ = on_fake()
    assert isinstance(storage, Keeper)
    assert isinstance(storage, Inventory)


def test_too_large_a_file_is_refused_before_anybody_is_asked() -> None:
    storage, fake, _ = on_fake()
    with pytest.raises(UsageError, match=str(MAX_FILE_BYTES)):
        asyncio.run(storage.put(bytes(MAX_FILE_BYTES + 1)))
    assert not fake.asked


def test_what_is_no_locator_is_not_asked_for() -> None:
    storage, fake, _ = on_fake()

    async def work() -> None:
        for wrong in ("", "ipfs:", f"localfs:{raw_cid(b'a file')}", f"ipfs:{raw_cid(b'a file')}/.."):
            with pytest.raises(NotFoundError):
                await storage.get(Locator(wrong), max_bytes=10)
            with pytest.raises(NotFoundError):
                await storage.keep(Locator(wrong), max_bytes=10)
            await storage.release(Locator(wrong))

    asyncio.run(work())
    assert not fake.asked


def test_a_daemon_that_is_away_and_one_that_fails_are_told_of() -> None:
    storage, fake, access = on_fake()

    async def work() -> None:
        access.away = True
        with pytest.raises(UnavailableError, match="away"):
            await storage.put(b"a file")
        assert access.failures == 0
        access.away = False
        locator = await storage.put(b"a file")

        async def fail(name: str) -> None:
            raise UnavailableError(f"{name} failed")

        fake.before = fail
        calls = (
            lambda: storage.put(b"a file"),
            lambda: storage.get(locator, max_bytes=6),
            lambda: storage.keep(locator, max_bytes=6),
            lambda: storage.release(locator),
            storage.offered,
            storage.traffic,
        )
        for number, call in enumerate(calls, start=1):
            with pytest.raises(UnavailableError, match="failed"):
                await call()
            assert access.failures == number
        fake.before = None
        assert await storage.get(locator, max_bytes=6) == b"a file"
        await storage.aclose()

    asyncio.run(work())


def test_a_daemon_that_gives_other_bytes_is_found_out() -> None:
    storage, fake, _ = on_fake()

    async def work() -> None:
        locator = await storage.put(b"a file")
        fake.here[locator.removeprefix("ipfs:")] = b"a lie!"
        with pytest.raises(DamagedError, match="other bytes"):
            await storage.get(locator, max_bytes=6)

    asyncio.run(work())


def test_the_empty_file_needs_nobody() -> None:
    storage, fake, _ = on_fake()

    async def work() -> None:
        empty = locator_of(raw_cid(b""))
        assert await storage.get(empty, max_bytes=0) == b""
        assert not fake.asked
        await storage.keep(empty, max_bytes=0)
        assert await storage.offered() == [empty]
        await storage.release(empty)
        assert await storage.offered() == []

    asyncio.run(work())


def test_keep_is_idempotent_bounded_and_ends_with_release() -> None:
    storage, fake, _ = on_fake()
    blocks = Blocks()
    file = locator_of(blocks.file(b"x" * 3 * CHUNK + b"y"))
    fake.elsewhere = dict(blocks.by_cid)

    async def work() -> None:
        with pytest.raises(TooLargeError):
            await storage.keep(file, max_bytes=3 * CHUNK)
        assert set(fake.here) == {file.removeprefix("ipfs:")}
        for _ in range(2):
            await storage.keep(file, max_bytes=3 * CHUNK + 1)
        assert fake.here == fake.elsewhere
        assert await storage.offered() == [file]
        assert len(fake.pins) == 1
        await storage.release(file)
        assert not fake.pins
        with pytest.raises(TooLargeError):
            await storage.keep(await storage.put(b"small"), max_bytes=4)
        with pytest.raises(NotFoundError):
            await storage.keep(locator_of(raw_cid(b"nobody's")), max_bytes=10)

    asyncio.run(work())


def test_a_cancelled_put_cannot_bring_back_what_is_released_after_it() -> None:
    """Cancel ``put`` before each of its calls, and release at once."""
    for last in range(12):
        storage, fake, _ = on_fake()

        async def slow_links(name: str) -> None:
            await asyncio.sleep(0.002 if name == "mfs_link" else 0)

        fake.before = slow_links

        async def work(storage: IpfsStorage = storage, fake: FakeKubo = fake, last: int = last) -> None:
            task = asyncio.ensure_future(storage.put(b"a file"))
            for _ in range(last):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await storage.release(locator_of(raw_cid(b"a file")))
            await storage.aclose()
            assert not fake.mfs
            assert not fake.pins

        asyncio.run(work())


def test_closing_waits_for_what_a_cancelled_caller_began() -> None:
    storage, fake, _ = on_fake()

    async def slow_pins(name: str) -> None:
        await asyncio.sleep(0.002 if name == "pin" else 0)

    fake.before = slow_pins

    async def work() -> None:
        task = asyncio.ensure_future(storage.put(b"a file"))
        while not fake.made("mfs_link"):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await storage.aclose()
        assert fake.pins == {raw_cid(b"a file")}

    asyncio.run(work())


def test_put_makes_as_many_calls_with_many_references_as_with_none() -> None:
    storage, fake, access = on_fake()

    async def work(storage: IpfsStorage) -> list[str]:
        for _ in range(30):
            await storage.put(os.urandom(10))
        fake.asked.clear()
        await storage.put(os.urandom(10))
        return [call[0] for call in fake.asked]

    assert asyncio.run(work(storage)) == ["add", "mfs_link", "pin"]
    access.is_own = False
    shared = IpfsStorage(access, rendezvous=RENDEZVOUS, owner=BOB, relaying=False)  # type: ignore[arg-type]
    assert asyncio.run(work(shared)) == ["add", "is_pinned", "is_pinned", "mfs_link", "pin"]


# Real daemons


def test_what_nobody_has_is_not_there_nor_what_nobody_has_whole(swarm: Swarm, any_kubo: Path) -> None:
    daemon, other = swarm(2, any_kubo)
    blocks = Blocks()
    partly = blocks.file(os.urandom(3 * CHUNK))
    blocks.by_cid.pop(next(cid for cid in blocks.by_cid if cid != partly))
    blocks.upload(other)

    async def work() -> None:
        storage = IpfsStorage(DirectAccess(daemon), rendezvous=RENDEZVOUS, owner=ALICE, patience_s=1.0)
        for cid in (raw_cid(os.urandom(10)), Blocks().file(os.urandom(3 * CHUNK)), partly):
            with pytest.raises(NotFoundError):
                await storage.get(locator_of(cid), max_bytes=10**6)
            with pytest.raises(NotFoundError):
                await storage.keep(locator_of(cid), max_bytes=10**6)
        assert await storage.offered() == []
        await storage.aclose()

    run(work())


def traps() -> dict[str, tuple[str, Blocks, type[LearnaeError]]]:
    """Make files that are none: by name, their content id, their blocks, and what asking for them must raise."""
    made: dict[str, tuple[str, Blocks, type[LearnaeError]]] = {}

    def trap(name: str, build: Callable[[Blocks], tuple[str, int]], error: type[LearnaeError] = DamagedError) -> None:
        blocks = Blocks()
        made[name] = build(blocks)[0], blocks, error

    def repeated(blocks: Blocks, link: tuple[str, int], levels: int, times: int) -> tuple[str, int]:
        for _ in range(levels):
            link = blocks.node([link] * times)
        return link

    def large_block(blocks: Blocks, size: int) -> tuple[str, int]:
        return blocks.leaf(os.urandom(size))

    trap("a folder", lambda b: b.node([b.leaf(b"x" * CHUNK)], kind=1, name="file"))
    trap("a folder in shards", lambda b: b.node([b.leaf(b"x" * CHUNK)], kind=5))
    trap("a symbolic link", lambda b: b.node([], kind=4, own=b"/etc/passwd"))
    trap("no node at all", lambda b: b.node([], own=os.urandom(100)))
    trap("a large file that repeats itself", lambda b: repeated(b, b.leaf(b"x" * CHUNK), 5, 100), TooLargeError)
    trap("the same that says it is small", lambda b: b.node([(repeated(b, b.leaf(b"x" * CHUNK), 4, 100)[0], 1_000)]))
    trap("nothing, times without number", lambda b: b.node([(repeated(b, (b.leaf(b"")[0], 0), 5, 1_000)[0], 0)] * 1_000))
    trap("nothing that says it is large", lambda b: b.node([(repeated(b, (b.leaf(b"")[0], 0), 3, 100)[0], CHUNK)]))
    trap("a deep one", lambda b: repeated(b, b.leaf(b"x" * CHUNK), 200, 1))
    trap("a wide one", lambda b: b.node([b.leaf(number.to_bytes(2, "big")) for number in range(1_000)]))
    trap("leaves longer than they say", lambda b: b.node([(large_block(b, 900_000)[0], CHUNK) for _ in range(6)]))
    trap("leaves shorter than they say", lambda b: b.node([(large_block(b, 1_000)[0], CHUNK) for _ in range(4)]))
    trap("bytes in a node", lambda b: b.node([b.leaf(b"x" * CHUNK)], own=b"y" * 1_000, total=CHUNK + 1_000))
    trap("a node that is too large", lambda b: b.node([b.leaf(b"x" * CHUNK)], own=b"y" * 1_000_000, total=CHUNK + 10**6))
    trap("a block that is too large", lambda b: large_block(b, 2_000_001), TooLargeError)
    return made


@pytest.mark.parametrize("name", traps())
def test_traps_are_found_out_and_cost_little(swarm: Swarm, any_kubo: Path, name: str) -> None:
    mallory, daemon = swarm(2, any_kubo)
    cid, blocks, error = traps()[name]
    blocks.upload(mallory)
    before = daemon.call("repo/stat", size_only="true")["RepoSize"]
    pins = daemon.call("pin/ls", type="recursive")

    async def work() -> None:
        storage = IpfsStorage(DirectAccess(daemon), rendezvous=RENDEZVOUS, owner=BOB, patience_s=10.0)
        with pytest.raises(error):
            await storage.get(locator_of(cid), max_bytes=2_000_000)
        with pytest.raises(TooLargeError if error is TooLargeError else NotFoundError):
            await storage.keep(locator_of(cid), max_bytes=2_000_000)
        assert await storage.offered() == []
        assert await storage.get(await storage.put(b"all is well"), max_bytes=100) == b"all is well"
        await storage.release(locator_of(raw_cid(b"all is well")))
        await storage.aclose()

    run(work())
    assert daemon.call("pin/ls", type="recursive") == pins
    assert daemon.call("repo/stat", size_only="true")["RepoSize"] - before < 2_000_000 + SLACK_BYTES


GET = """
import asyncio, json, resource, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1]]
from kubo_rig import Daemon
from learnae_ipfs.storage.storage import IpfsStorage
from storage_rig import ALICE, RENDEZVOUS, DirectAccess

def peak():
    status = Path("/proc/self/status")
    if status.exists():  # on Linux the other one begins where the parent's was
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

async def work(api, small, large):
    daemon = Daemon(Path("."), Path("."))
    daemon.api = api
    storage = IpfsStorage(DirectAccess(daemon), rendezvous=RENDEZVOUS, owner=ALICE)
    await storage.get(small, max_bytes=10**6)
    before = peak()
    size = len(await storage.get(large, max_bytes=10**8))
    await storage.aclose()
    print(json.dumps([size, peak() - before]))

asyncio.run(work(*sys.argv[2:]))
"""


def test_fetching_a_large_file_takes_little_more_memory_than_the_file(swarm: Swarm, any_kubo: Path) -> None:
    one, other = swarm(2, any_kubo)

    async def put() -> list[Locator]:
        storage = IpfsStorage(DirectAccess(one), rendezvous=RENDEZVOUS, owner=ALICE)
        locators = [await storage.put(os.urandom(size)) for size in (300_000, 50_000_000)]
        await storage.aclose()
        return locators

    locators: list[Locator] = []
    run(_into(locators, put))
    command = [sys.executable, "-c", GET, str(Path(__file__).parent), other.api, *locators]
    size, grown = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout)
    assert size == 50_000_000
    assert grown > 40_000_000, "the peak was not measured"
    assert grown <= 120_000_000, f"the peak grew by {grown / 1e6:.0f} MB"


async def _into(found: list[Locator], work: Callable[[], object]) -> None:
    found += await work()  # type: ignore[misc]
