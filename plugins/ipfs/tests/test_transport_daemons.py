"""Real daemons that lose messages, have no PubSub, end, are shared, or are found from a single address."""

import asyncio
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from kubo_rig import Daemon, Daemons, new_swarm_key
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.wire import write_multibase
from learnae_ipfs.names import meeting_block, topic_of
from transport_rig import LossyPubsub, collect, open_transport, until

from learnae.errors import UnavailableError

ALICE, BOB, CAROL, DAVE, EVE = (f"{letter}1" * 32 for letter in "abcde")


def slot(number: int) -> str:
    return f"{number:064x}"


def messages(count: int) -> list[bytes]:
    return [b"message %d" % number for number in range(count)]


def test_what_pubsub_loses_comes_by_mailbox(swarm: Callable[..., list[Daemon]], any_kubo: Path, tmp_path: Path) -> None:
    one, two = swarm(2, any_kubo)
    lossy: list[LossyPubsub] = []

    def lose_half(kubo: Kubo) -> LossyPubsub:
        lossy.append(LossyPubsub(kubo, 0.5, seed=1))
        return lossy[0]

    async def run() -> None:
        alice = open_transport(one, tmp_path / "a", owner=ALICE, rendezvous="1" * 64)
        bob = open_transport(two, tmp_path / "b", owner=BOB, rendezvous="1" * 64, wrap=lose_half)
        await alice.publish(slot(0), b"first")
        await collect(bob, {b"first"})
        await until(lambda: bob._pubsub.works, "subscription")
        for number, message in enumerate(messages(60)):
            await alice.publish(slot(number), message)
        await collect(bob, messages(60))
        assert lossy[0].lost > 10, "the test must have lost something"
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())


def test_without_pubsub_in_the_daemons_all_arrives_and_the_operator_is_told_once(
    daemons: Daemons, any_kubo: Path, tmp_path: Path
) -> None:
    one, two = daemons.swarm(2, any_kubo, settings={"Pubsub.Enabled": False})
    told: list[str] = []

    async def run() -> None:
        alice = open_transport(one, tmp_path / "a", owner=ALICE)
        bob = open_transport(two, tmp_path / "b", owner=BOB, tell=told.append)
        for number, message in enumerate(messages(30)):
            await alice.publish(slot(number), message)
        await collect(bob, messages(30))
        bob._pubsub.renew()
        await bob.publish(slot(1), b"answer")
        await collect(alice, {b"answer"})
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())
    assert len(told) == 1
    assert "Pubsub.Enabled true" in told[0]


def test_who_comes_late_gets_what_is_held_also_from_who_left_and_from_who_was_killed(
    swarm: Callable[..., list[Daemon]], any_kubo: Path, tmp_path: Path
) -> None:
    one, two, three = swarm(3, any_kubo)

    async def run() -> None:
        alice = open_transport(one, tmp_path / "a", owner=ALICE, rendezvous="2" * 64)
        bob = open_transport(two, tmp_path / "b", owner=BOB, rendezvous="2" * 64)
        for number in range(100):  # only the latest 64 slots are held
            await alice.publish(slot(number), b"alice %d" % number)
        await alice.publish(slot(99), b"alice, the latest")
        await alice.aclose()
        await bob.publish(slot(0), b"bob")
        for task in bob._tasks:  # as kill -9 would: nothing is said, nothing is put in order
            task.cancel()
        again = open_transport(two, tmp_path / "b", owner=BOB, rendezvous="2" * 64)
        await again.publish(slot(1), b"bob again")
        carol = open_transport(three, tmp_path / "c", owner=CAROL, rendezvous="2" * 64)
        expected = {b"alice %d" % number for number in range(36, 99)} | {b"alice, the latest", b"bob", b"bob again"}
        assert await collect(carol, expected) == expected
        for transport in (again, carol, bob):
            await transport.aclose()

    asyncio.run(run())


def test_a_daemon_that_ends_is_said_once_and_all_goes_on_when_it_is_back(daemons: Daemons, tmp_path: Path) -> None:
    one, two = daemons.swarm(2)

    async def run() -> None:
        alice = open_transport(one, tmp_path / "a", owner=ALICE, bootstrap=(two.address,))
        bob = open_transport(two, tmp_path / "b", owner=BOB, bootstrap=(one.address,))
        await alice.publish(slot(0), b"before")
        await collect(bob, {b"before"})
        await asyncio.to_thread(two.kill)
        with pytest.raises(UnavailableError, match="asked again and again"):
            async with asyncio.timeout(60):
                await bob.receive()
        with pytest.raises(UnavailableError):
            await bob.publish(slot(0), b"meanwhile by bob")
        await alice.publish(slot(1), b"meanwhile by alice")
        waiting = asyncio.create_task(bob.receive())
        done, _ = await asyncio.wait([waiting], timeout=3)
        assert not done, "it is said once"
        await asyncio.to_thread(two.start)
        assert await asyncio.wait_for(waiting, 60) == b"meanwhile by alice"
        await collect(alice, {b"meanwhile by bob"})
        await bob.publish(slot(2), b"after")
        await collect(alice, {b"after"})
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("pubsub", [True, False])
def test_peers_share_a_daemon_that_is_not_ours(
    swarm: Callable[..., list[Daemon]], any_kubo: Path, tmp_path: Path, pubsub: bool
) -> None:
    shared, other = swarm(2, any_kubo)
    rendezvous = ("3" if pubsub else "4") * 64
    keys = {key["Name"] for key in shared.call("key/list")["Keys"]}

    async def run() -> None:
        alice, bob = (
            open_transport(shared, tmp_path / owner[0], owner=owner, rendezvous=rendezvous, is_own=False, pubsub=pubsub)
            for owner in (ALICE, BOB)
        )
        carol = open_transport(other, tmp_path / "c", owner=CAROL, rendezvous=rendezvous, pubsub=pubsub)
        peers = {b"alice": alice, b"bob": bob, b"carol": carol}
        for name, transport in peers.items():
            await transport.publish(slot(0), name)
        for name, transport in peers.items():
            assert await collect(transport, peers.keys() - {name}) == peers.keys() - {name}
        for transport in peers.values():
            await transport.aclose()

    asyncio.run(run())
    ours = {key["Name"] for key in shared.call("key/list")["Keys"]} - keys
    assert len(ours) == 2
    assert all(name.startswith("learnae-") for name in ours)
    assert not any("learnae" in key["Name"] for key in other.call("key/list")["Keys"])


def test_peers_alone_on_one_daemon_reach_each_other_without_pubsub(daemons: Daemons, any_kubo: Path, tmp_path: Path) -> None:
    daemon = daemons.start(any_kubo)

    async def run() -> None:
        alice, bob = (
            open_transport(daemon, tmp_path / owner[0], owner=owner, is_own=False, pubsub=False) for owner in (ALICE, BOB)
        )
        await alice.publish(slot(0), b"alice")
        await collect(bob, {b"alice"})
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())


def test_a_fifth_peer_on_a_shared_daemon_is_told_and_reads_the_others(swarm: Callable[..., list[Daemon]], tmp_path: Path) -> None:
    shared, _ = swarm(2)
    told: list[str] = []

    async def run() -> None:
        transports = [
            open_transport(shared, tmp_path / owner[0], owner=owner, rendezvous="5" * 64, is_own=False, pubsub=False)
            for owner in (ALICE, BOB, CAROL, DAVE)
        ]
        for number, transport in enumerate(transports):
            await transport.publish(slot(0), b"%d" % number)
        await collect(transports[0], {b"1", b"2", b"3"})
        fifth = open_transport(
            shared, tmp_path / "e", owner=EVE, rendezvous="5" * 64, is_own=False, pubsub=False, tell=told.append
        )
        await fifth.publish(slot(0), b"unheard")
        await collect(fifth, {b"0", b"1", b"2", b"3"})
        await until(lambda: told, "word to the operator")
        for transport in (*transports, fifth):
            await transport.aclose()

    asyncio.run(run())
    assert len(told) == 1
    assert "four peers" in told[0]


def test_one_address_is_enough_to_meet_all_and_then_it_may_be_gone(daemons: Daemons, any_kubo: Path, tmp_path: Path) -> None:
    key = new_swarm_key()
    all_daemons = [daemons.new(any_kubo, swarm_key=key) for _ in range(5)]
    for daemon in all_daemons:
        daemon.launch()
    for daemon in all_daemons:
        daemon.wait()
    first, *others = all_daemons
    newcomer = others[-1]

    def open_all(which: list[Daemon], **options: object) -> list:
        return [
            open_transport(daemon, tmp_path / daemon.peer, owner=f"{all_daemons.index(daemon)}" * 64, **options)
            for daemon in which
        ]

    async def run() -> None:
        # Each knows the first one's address, and nothing else.
        transports = open_all(all_daemons, bootstrap=(first.address,))
        for number, transport in enumerate(transports):
            await transport.publish(slot(0), b"%d" % number)
        for number, transport in enumerate(transports):
            await collect(transport, {b"%d" % other for other in range(5) if other != number})
        everybody = {daemon.peer for daemon in all_daemons}
        for daemon in all_daemons:
            await until(lambda d=daemon: d.neighbours() == everybody - {d.peer}, "whole swarm")
        await until(lambda: len(transports[-1]._directory.remembered()) >= 4, "addresses worth remembering")
        await transports[-1].aclose()
        await transports[0].aclose()
        await asyncio.to_thread(first.kill)
        # Restarted, the daemon knows nobody any more; the transport remembers.
        await asyncio.to_thread(newcomer.kill)
        await asyncio.to_thread(newcomer.start)
        (back,) = open_all([newcomer], bootstrap=(first.address,))
        await back.publish(slot(0), b"back")
        for transport in transports[1:-1]:
            await collect(transport, {b"back"})
        for transport in (*transports, back):
            await transport.aclose()

    asyncio.run(run())


def test_after_a_cut_all_find_each_other_again(daemons: Daemons, tmp_path: Path) -> None:
    """A cut is made by telling one daemon to refuse every address."""
    trio = daemons.swarm(3)
    alone = trio[0]

    async def run() -> None:
        transports = [
            open_transport(daemon, tmp_path / f"{number}", owner=f"{number}" * 64) for number, daemon in enumerate(trio)
        ]
        for number, transport in enumerate(transports):
            await transport.publish(slot(0), b"before %d" % number)
        for transport in transports:
            await collect(transport, {b"before %d" % other for other in range(3) if transports[other] is not transport})
        await until(lambda: len(transports[0]._directory.whereabouts()) == 2, "acquaintance")
        alone.call("swarm/filters/add", "/ip4/127.0.0.0/ipcidr/8")
        for daemon in trio[1:]:
            alone.call("swarm/disconnect", f"/p2p/{daemon.peer}")
        await until(lambda: not alone.neighbours(), "cut")
        await transports[0].publish(slot(1), b"from the island")
        await transports[1].publish(slot(1), b"from the mainland")
        await collect(transports[2], {b"from the mainland"})
        await asyncio.sleep(2)
        assert not alone.neighbours(), "the cut must hold"
        alone.call("swarm/filters/rm", "/ip4/127.0.0.0/ipcidr/8")
        await collect(transports[0], {b"from the mainland"})
        await collect(transports[1], {b"from the island"})
        await collect(transports[2], {b"from the island"})
        for transport in transports:
            await transport.aclose()

    asyncio.run(run())


def test_a_stranger_in_the_open_network_starves_nobody(daemons: Daemons, tmp_path: Path) -> None:
    """It provides the block, floods the topic, and publishes what is no mailbox; later a huge one."""
    rendezvous = "6" * 64
    one, two, three, stranger = daemons.swarm(4)
    cid = stranger.call("block/put", body=meeting_block(rendezvous, shared=False), cid_codec="raw")["Key"]
    topic = write_multibase(topic_of(rendezvous).encode())
    evil = [bytes(10), random.Random(1).randbytes(1_000_000), b"\x85\xa6format\xb1learnae-mailbox-1" + bytes(300_000)]
    ended = threading.Event()

    def misbehave() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            stranger.call("routing/provide", cid)
            lie = stranger.call("add", body=evil[number % 3], cid_version="1", raw_leaves="true", quieter="true")["Hash"]
            stranger.call("name/publish", f"/ipfs/{lie}", ttl="1s", resolve="false")
            for _ in range(50):
                stranger.request("pubsub/pub", topic, body=random.randbytes(60_000))

    async def run() -> None:
        flood = asyncio.create_task(asyncio.to_thread(misbehave))
        try:
            transports = [
                open_transport(daemon, tmp_path / f"{number}", owner=f"{number}" * 64, rendezvous=rendezvous)
                for number, daemon in enumerate((one, two, three))
            ]
            for turn in range(3):
                for number, transport in enumerate(transports):
                    await transport.publish(slot(turn), b"%d, turn %d" % (number, turn))
                for number, transport in enumerate(transports):
                    await collect(transport, {b"%d, turn %d" % (other, turn) for other in range(3) if other != number})
            assert all(transport._inbox._live.bytes < 10_000_000 for transport in transports)
        finally:
            ended.set()
            await flood
        for transport in transports:
            await transport.aclose()

    asyncio.run(run())
