"""References and pins: whose they are, in which order they come and go, and what is left when something ends in between."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from fake_kubo import FakeKubo, Turns
from kubo_rig import Daemon, Daemons
from learnae_ipfs.kubo.wire import raw_cid
from learnae_ipfs.storage.references import FOLDER, LENT, References
from learnae_ipfs.storage.storage import IpfsStorage
from storage_rig import ALICE, BOB, RENDEZVOUS, DirectAccess, run

from learnae.errors import UnavailableError

CID, OTHER = raw_cid(b"a file"), raw_cid(b"another file")
ALICES, BOBS = References(RENDEZVOUS, ALICE), References(RENDEZVOUS, BOB)
ELSEWHERE = References("8" * 64, ALICE)


def ours(kubo: FakeKubo) -> list[str]:
    """List the references that rely on our pin."""
    return [path for path in kubo.mfs if path.startswith(FOLDER) and not path.endswith(LENT)]


def test_the_reference_is_there_before_the_pin_and_goes_after_it() -> None:
    kubo = FakeKubo()
    asyncio.run(ALICES.take(kubo, CID))  # type: ignore[arg-type]
    asyncio.run(ALICES.drop(kubo, CID))  # type: ignore[arg-type]
    assert [call[0] for call in kubo.made("mfs_link", "pin", "unpin", "mfs_remove")][:4] == [
        "mfs_link",
        "pin",
        "unpin",
        "mfs_remove",
    ]
    assert not kubo.pins
    assert not kubo.mfs


def test_neither_the_session_nor_the_owner_is_written_in_full() -> None:
    kubo = FakeKubo()
    asyncio.run(ALICES.take(kubo, CID))  # type: ignore[arg-type]
    (path,) = kubo.mfs
    assert RENDEZVOUS not in path
    assert ALICE not in path
    assert path.endswith(f"/{CID[-2]}/{CID}")


def test_taking_again_asks_little_and_changes_nothing() -> None:
    kubo = FakeKubo()
    asyncio.run(ALICES.take(kubo, CID))  # type: ignore[arg-type]
    kubo.asked.clear()
    asyncio.run(ALICES.take(kubo, CID))  # type: ignore[arg-type]
    assert {call[0] for call in kubo.asked} == {"is_pinned", "mfs_cid"}


def test_on_a_private_daemon_nobody_elses_pins_are_looked_for() -> None:
    kubo, references = FakeKubo(), References(RENDEZVOUS, ALICE, is_own=True)
    asyncio.run(references.take(kubo, CID))  # type: ignore[arg-type]
    asyncio.run(references.take(kubo, CID))  # type: ignore[arg-type]
    assert [call[0] for call in kubo.asked] == ["mfs_link", "pin"] * 2
    asyncio.run(references.drop(kubo, CID))  # type: ignore[arg-type]
    assert not kubo.pins
    assert not kubo.mfs


def test_others_are_all_peers_of_all_sessions_but_oneself() -> None:
    kubo = FakeKubo(mfs={"/learnae/notes": CID})

    async def work() -> None:
        for references in (ALICES, BOBS, ELSEWHERE):
            await references.take(kubo, CID)  # type: ignore[arg-type]
        assert {other.folder for other in await ALICES.others(kubo)} == {BOBS.folder, ELSEWHERE.folder}  # type: ignore[arg-type]
        for other in await ALICES.others(kubo):  # type: ignore[arg-type]
            assert await other.kept(kubo) == [CID]  # type: ignore[arg-type]
            await other.drop(kubo, CID)  # type: ignore[arg-type]
        assert list(kubo.mfs.values()) == [CID, CID]

    asyncio.run(work())


def test_what_is_kept_is_listed_for_each_peer_and_session() -> None:
    kubo = FakeKubo(mfs={"/notes.txt": CID, f"{FOLDER}/strange": CID, f"{FOLDER}/{'x' * 32}/{'y' * 32}/z/{CID}": CID})
    kubo.pins.add(OTHER)

    async def take() -> None:
        await ALICES.take(kubo, CID)  # type: ignore[arg-type]
        await ALICES.take(kubo, OTHER)  # type: ignore[arg-type]
        await BOBS.take(kubo, CID)  # type: ignore[arg-type]
        for references, expected in ((ALICES, sorted((CID, OTHER))), (BOBS, [CID]), (ELSEWHERE, [])):
            assert await references.kept(kubo) == expected  # type: ignore[arg-type]

    asyncio.run(take())


def test_what_was_pinned_before_is_never_unpinned_and_never_pinned_again() -> None:
    for pins in ("pins", "direct_pins"):
        kubo = FakeKubo(**{pins: {CID}})

        async def take_and_drop(kubo: FakeKubo = kubo) -> None:
            for references in (ALICES, BOBS):
                await references.take(kubo, CID)  # type: ignore[arg-type]
                await references.take(kubo, CID)  # type: ignore[arg-type]
                assert await references.kept(kubo) == [CID]  # type: ignore[arg-type]
            for references in (ALICES, BOBS):
                await references.drop(kubo, CID)  # type: ignore[arg-type]
                assert await references.kept(kubo) == []  # type: ignore[arg-type]

        asyncio.run(take_and_drop())
        assert not kubo.made("pin", "unpin")


def test_the_pin_stays_until_the_last_peer_drops_the_file() -> None:
    kubo = FakeKubo()

    async def take_and_drop() -> None:
        for references in (ALICES, BOBS, ELSEWHERE):
            await references.take(kubo, CID)  # type: ignore[arg-type]
        for references in (ALICES, BOBS, ELSEWHERE):
            assert CID in kubo.pins
            await references.drop(kubo, CID)  # type: ignore[arg-type]
            await references.drop(kubo, CID)  # type: ignore[arg-type]
        assert CID not in kubo.pins

    asyncio.run(take_and_drop())
    assert len(kubo.made("pin")) == 1


def test_dropping_what_one_does_not_keep_does_nothing() -> None:
    kubo = FakeKubo(pins={OTHER})
    asyncio.run(BOBS.take(kubo, CID))  # type: ignore[arg-type]
    before = kubo.pins.copy(), kubo.mfs.copy()
    asyncio.run(ALICES.drop(kubo, CID))  # type: ignore[arg-type]
    asyncio.run(ALICES.drop(kubo, OTHER))  # type: ignore[arg-type]
    assert (kubo.pins, kubo.mfs) == before


def test_a_pin_that_its_owner_ended_meanwhile_is_made_ours() -> None:
    kubo = FakeKubo(pins={CID})

    async def take_and_drop() -> None:
        await ALICES.take(kubo, CID)  # type: ignore[arg-type]
        kubo.pins.clear()
        await ALICES.take(kubo, CID)  # type: ignore[arg-type]
        assert CID in kubo.pins
        assert await ALICES.kept(kubo) == [CID]  # type: ignore[arg-type]
        await ALICES.drop(kubo, CID)  # type: ignore[arg-type]

    asyncio.run(take_and_drop())
    assert not kubo.mfs
    assert not kubo.pins


@pytest.mark.parametrize("step", ["take", "drop"])
def test_ended_anywhere_no_pin_is_left_without_a_reference_and_dropping_mends_it(step: str) -> None:
    """End the peer before each of its calls, as ``kill -9`` does."""
    for last in range(20):
        kubo = FakeKubo()
        if step == "drop":
            asyncio.run(ALICES.take(kubo, CID))  # type: ignore[arg-type]
        calls = iter(range(last))

        async def count(_: str, calls: Any = calls) -> None:
            if next(calls, None) is None:
                raise UnavailableError("killed")

        kubo.before = count
        ended = False
        try:
            asyncio.run(getattr(ALICES, step)(kubo, CID))
            ended = True
        except UnavailableError:
            pass
        kubo.before = None
        assert not kubo.pins or ours(kubo), f"killed before call {last} of {step}, a pin was left that nobody knows of"
        if ours(kubo):
            assert asyncio.run(ALICES.kept(kubo)) == [CID]  # type: ignore[arg-type]
        asyncio.run(ALICES.drop(kubo, CID))  # type: ignore[arg-type]
        assert not kubo.pins
        assert not kubo.mfs
        if ended:
            return
    pytest.fail("it never ended")


Work = Callable[[References, FakeKubo], Coroutine[Any, Any, None]]


@pytest.mark.parametrize(
    ("alice", "bob", "before"),
    [
        pytest.param("take", "take", "", id="both take"),
        pytest.param("drop", "take", "a", id="one drops and one takes"),
        pytest.param("drop", "drop", "ab", id="both drop"),
        pytest.param("drop", "take", "ab", id="one drops and one takes again"),
        pytest.param("take", "drop", "bu", id="somebody else pinned it"),
        pytest.param("drop", "take", "ua", id="somebody else pinned it first"),
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_peers_on_one_daemon_do_not_drop_each_others_pins(alice: str, bob: str, before: str, is_own: bool) -> None:
    """Mix the calls of two peers in many ways: afterwards it is pinned just if somebody relies on that."""
    if is_own and "u" in before:
        return  # there is nobody else
    alices, bobs = References(RENDEZVOUS, ALICE, is_own=is_own), References(RENDEZVOUS, BOB, is_own=is_own)
    draw = random.Random(4)
    for _ in range(300):
        turns = Turns()
        kubo = FakeKubo()

        async def act(turns: Turns = turns, kubo: FakeKubo = kubo) -> None:
            for who in before:
                if who == "u":
                    kubo.pins.add(CID)
                else:
                    await {"a": alices, "b": bobs}[who].take(kubo, CID)  # type: ignore[arg-type]
            views = [dataclasses.replace(kubo, before=turns.gate(name)) for name in "ab"]
            steps = [getattr(alices, alice)(views[0], CID), getattr(bobs, bob)(views[1], CID)]
            tasks = [asyncio.create_task(step) for step in steps]
            await asyncio.sleep(0)
            while not all(task.done() for task in tasks):
                await turns.go(draw.choice("ab"))
            for task in tasks:
                task.result()

        asyncio.run(act())
        theirs = before.startswith("u")
        assert (CID in kubo.pins) == (bool(ours(kubo)) or theirs), kubo.asked
        assert not theirs or not kubo.made("pin", "unpin")


def pinned(daemon: Daemon) -> set[str]:
    return set(daemon.call("pin/ls", type="recursive")["Keys"] or ())


def test_a_users_pins_and_files_on_a_real_daemon_stay(daemons: Daemons, any_kubo: Path) -> None:
    daemon = daemons.start(any_kubo)
    shared, small = b"a model " * 50_000, b"a small file"
    options = {"cid_version": "1", "raw_leaves": "true"}
    by_pin = daemon.call("add", body=shared, pin="true", **options)["Hash"]
    by_block = daemon.call("add", body=small, pin="false", **options)["Hash"]
    daemon.call("pin/add", by_block, recursive="false")
    alone = daemon.call("add", body=b"only theirs", pin="true", **options)["Hash"]
    daemon.call("files/cp", f"/ipfs/{alone}", "/mine")
    before = pinned(daemon)

    async def use() -> None:
        alice, bob = (
            IpfsStorage(DirectAccess(daemon, is_own=False), rendezvous=RENDEZVOUS, owner=owner) for owner in (ALICE, BOB)
        )
        for storage in (alice, bob):
            assert await storage.put(shared) == f"ipfs:{by_pin}"
            assert await storage.put(small) == f"ipfs:{by_block}"
            await storage.put(b"ours")
        for storage in (alice, bob):
            for locator in await storage.offered():
                await storage.release(locator)
            assert await storage.offered() == []
        await alice.release(f"ipfs:{alone}")  # type: ignore[arg-type]
        await alice.aclose()
        await bob.aclose()

    run(use())
    assert pinned(daemon) == before
    assert by_block in daemon.call("pin/ls", type="direct")["Keys"]
    daemon.request("repo/gc")
    assert daemon.request("cat", by_pin) == shared
    assert daemon.request("cat", by_block) == small
    assert daemon.request("cat", "/ipfs/" + daemon.call("files/stat", "/mine")["Hash"]) == b"only theirs"


def test_what_is_referred_to_outlasts_the_collector_and_what_is_released_does_not(daemons: Daemons, any_kubo: Path) -> None:
    daemon = daemons.start(any_kubo)
    kept, released = b"kept " * 100_000, b"released " * 100_000

    async def use() -> None:
        alice, bob = (IpfsStorage(DirectAccess(daemon), rendezvous=RENDEZVOUS, owner=owner) for owner in (ALICE, BOB))
        both, gone = [await alice.put(data) for data in (kept, released)]
        assert await bob.put(kept) == both
        assert pinned(daemon) >= {both.removeprefix("ipfs:"), gone.removeprefix("ipfs:")}
        await alice.release(both)
        await alice.release(gone)
        daemon.request("repo/gc")
        assert await bob.get(both, max_bytes=len(kept)) == kept
        assert not has(daemon, gone)
        assert pinned(daemon).isdisjoint({gone.removeprefix("ipfs:")})
        await bob.release(both)
        daemon.request("repo/gc")
        assert not has(daemon, both)
        await alice.aclose()
        await bob.aclose()

    run(use())


def has(daemon: Daemon, locator: str) -> bool:
    """Say whether a daemon has the first block of a file."""
    try:
        daemon.request("block/stat", locator.removeprefix("ipfs:"), offline="true")
    except AssertionError:
        return False
    return True
