"""How daemons find each other: by a block, by those they met, by what they remember; and what strangers can do about it."""

import asyncio
import random
from pathlib import Path

import pytest
from learnae_ipfs.kubo.wire import raw_cid
from learnae_ipfs.names import meeting_block
from learnae_ipfs.transport.directory import Directory, Known, Trust
from learnae_ipfs.transport.letters import Whereabouts
from learnae_ipfs.transport.meeting import ADDRESSES, DIALS, PROVIDE_S, PROVIDERS, REMEMBER_S, Meeting
from transport_fakes import Clock, MemoryDaemon, MemoryNetwork, peer_id

from learnae.errors import UnavailableError

R = "7" * 64
INTERVAL_S = 10.0
BLOCK = raw_cid(meeting_block(R, shared=False))


class Seeker:
    """Somebody who looks for the session's daemons."""

    def __init__(
        self,
        network: MemoryNetwork,
        number: int,
        folder: Path,
        *,
        bootstrap: tuple[str, ...] = (),
        shared: bool = False,
        everybody: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.daemon = network.daemons.get(peer_id(number)) or network.daemon(number)
        self.directory = Directory(interval_s=INTERVAL_S, clock=self.clock, draw=random.Random(number))
        self.complaints: list[tuple[str, Exception | None]] = []
        self.addresses = folder / f"addresses-{number}.json"
        self.meeting = Meeting(
            self.directory,
            rendezvous=R,
            shared=shared,
            everybody=everybody,
            bootstrap=bootstrap,
            addresses=self.addresses,
            interval_s=INTERVAL_S,
            clock=self.clock,
            complain=lambda what, failure: self.complaints.append((what, failure)),
        )

    def round(self, after_s: float = INTERVAL_S) -> list[Known]:
        self.clock.now += after_s
        return asyncio.run(self.meeting.round(self.daemon))


def address(daemon: MemoryDaemon) -> str:
    return f"{daemon.address}/p2p/{daemon.peer}"


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


def test_whoever_knows_one_address_meets_all_who_provide_the_block(network: MemoryNetwork, tmp_path: Path) -> None:
    first = network.daemon(1)
    seekers = [Seeker(network, number, tmp_path, bootstrap=(address(first),)) for number in range(1, 7)]
    for _ in range(3):
        for seeker in seekers:
            seeker.round()
    everybody = {seeker.daemon.peer for seeker in seekers}
    assert all(seeker.daemon.connected == everybody - {seeker.daemon.peer} for seeker in seekers)
    assert all(known.trust <= Trust.MET and known.connected for seeker in seekers for known in seeker.directory)


def test_a_quiet_round_costs_two_calls(network: MemoryNetwork, tmp_path: Path) -> None:
    first = network.daemon(1)
    seekers = [Seeker(network, number, tmp_path, bootstrap=(address(first),)) for number in range(1, 5)]
    for _ in range(20):
        for seeker in seekers:
            seeker.round()
    quiet = seekers[-1]
    quiet.daemon.calls.clear()
    for _ in range(600):
        quiet.round(after_s=1)
    calls = quiet.daemon.calls
    assert calls["id"] == calls["swarm/peers"] == 600
    assert calls["routing/findprovs"] <= 2 * 11
    assert calls["routing/provide"] <= 600 / PROVIDE_S + 1
    assert sum(calls.values()) < 1_300


def test_ten_thousand_provider_records_cost_bounded_work_and_hide_no_friend(network: MemoryNetwork, tmp_path: Path) -> None:
    friend = network.daemon(1)
    for number in range(10_000):
        network.providers[BLOCK][peer_id(100_000 + number)] = (f"/ip4/10.0.{number // 250}.{number % 250}/tcp/4001",) * 50
    seeker = Seeker(network, 2, tmp_path, bootstrap=(address(friend),))
    for _ in range(30):
        before = seeker.daemon.calls["swarm/connect"]
        seeker.round()
        assert seeker.daemon.calls["swarm/connect"] - before <= 2 * 2 * 4 * DIALS
    assert seeker.daemon.connected == {friend.peer}
    assert len(list(seeker.directory)) <= 512
    # Somebody honest is told of by the friend, among all that noise, and met.
    honest = network.daemon(3)
    seeker.directory.learn(Whereabouts(honest.peer, shared=False, addresses=(honest.address,)), Trust.TOLD)
    seeker.round()
    assert honest.peer in seeker.daemon.connected


def test_what_providers_give_as_addresses_is_checked(network: MemoryNetwork, tmp_path: Path) -> None:
    friend = network.daemon(1)
    evil = (
        "/unix/run/docker.sock",
        "/ip4/127.0.0.1/tcp/22/http",
        "x" * 10_000,
        "/dnsaddr/evil.example",
        "/ip4/10.0.0.1/tcp/4001",
    )
    network.providers[BLOCK] = {peer_id(5): evil, "../../etc/passwd": (), peer_id(6): evil * 1_000}
    seeker = Seeker(network, 2, tmp_path, bootstrap=(address(friend),))
    for _ in range(3):
        seeker.round()
    dialled = {address.rpartition("/p2p/")[0] for address in seeker.daemon.dialled}
    assert dialled == {friend.address, "/ip4/10.0.0.1/tcp/4001", ""}
    assert ADDRESSES < PROVIDERS


def test_private_and_shared_daemons_provide_blocks_of_their_own_and_find_each_other(
    network: MemoryNetwork, tmp_path: Path
) -> None:
    private = Seeker(network, 1, tmp_path)
    shared = Seeker(network, 2, tmp_path, shared=True, bootstrap=(address(private.daemon),))
    hub = network.daemon(3)
    private.daemon.meet(hub)
    shared.daemon.meet(hub)
    for _ in range(3):
        private.round()
        shared.round()
    assert [(known.peer, True in known.kinds) for known in private.directory] == [(shared.daemon.peer, True)]
    assert False in next(iter(shared.directory)).kinds
    assert BLOCK not in shared.daemon.blocks, "a block that lies there might be provided as well"


def test_in_a_network_of_its_own_whoever_is_connected_counts(network: MemoryNetwork, tmp_path: Path) -> None:
    neighbour = network.daemon(1)
    for everybody in (False, True):
        seeker = Seeker(network, 2, tmp_path, everybody=everybody)
        seeker.daemon.meet(neighbour)
        assert [known.peer for known in seeker.round()] == [neighbour.peer] * everybody


def test_addresses_are_remembered_and_a_dead_bootstrap_does_not_matter(network: MemoryNetwork, tmp_path: Path) -> None:
    first, other = network.daemon(1), network.daemon(3)
    network.providers[BLOCK][other.peer] = (other.address,)
    before = Seeker(network, 2, tmp_path, bootstrap=(address(first),))
    before.round()
    for known in before.directory:
        before.directory.read(known.peer)
    before.round(after_s=REMEMBER_S + 1)
    assert before.addresses.exists()
    for daemon in (first, other):
        before.daemon.part(daemon)
    first.down = True
    again = Seeker(network, 2, tmp_path, bootstrap=(address(first),))
    again.round()
    assert again.daemon.connected == {other.peer}
    first.down = False
    for _ in range(4):
        again.round(after_s=30)
    assert again.daemon.connected == {other.peer, first.peer}, "a bootstrap address is tried for ever"


def test_a_cut_of_a_minute_is_over_within_a_minute(network: MemoryNetwork, tmp_path: Path) -> None:
    clock = Clock()
    first = network.daemon(1)
    seekers = [Seeker(network, number, tmp_path, bootstrap=(address(first),), clock=clock) for number in range(1, 6)]
    for _ in range(10):
        for seeker in seekers:
            seeker.round(after_s=1)
    for seeker in seekers:
        for other in seekers:
            seeker.daemon.part(other.daemon)
    far = {seeker.daemon.peer: seeker.daemon.address for seeker in seekers}
    for seeker in seekers:
        seeker.daemon.address = "/ip4/10.0.0.0/tcp/4001"
    for _ in range(20):
        for seeker in seekers:
            seeker.round(after_s=3 / 5)
    assert not any(seeker.daemon.connected for seeker in seekers)
    healed = clock.now
    for seeker in seekers:
        seeker.daemon.address = far[seeker.daemon.peer]
    while not all(len(seeker.daemon.connected) == 4 for seeker in seekers):
        for seeker in seekers:
            seeker.round(after_s=3 / 5)
        assert clock.now - healed < 60


def test_nobody_is_asked_for_providers_while_nobody_is_connected(network: MemoryNetwork, tmp_path: Path) -> None:
    seeker = Seeker(network, 1, tmp_path)
    for _ in range(10):
        assert seeker.round() == []
    assert seeker.meeting.alone
    assert seeker.daemon.calls.keys() == {"id", "swarm/peers"}


def test_what_the_daemon_refuses_is_complained_of_and_the_rest_goes_on(network: MemoryNetwork, tmp_path: Path) -> None:
    friend = network.daemon(1)
    seeker = Seeker(network, 2, tmp_path, bootstrap=(address(friend),))
    seeker.daemon.refuses = {"routing/provide", "routing/findprovs"}
    seeker.round()
    assert seeker.daemon.connected == {friend.peer}
    assert {what for what, failure in seeker.complaints if failure is not None} == {"being found by others", "finding others"}
    seeker.daemon.refuses = set()
    seeker.complaints.clear()
    for _ in range(10):
        seeker.round()
    assert all(failure is None for _, failure in seeker.complaints)
    assert seeker.daemon.peer in network.providers[BLOCK]


def test_a_daemon_that_is_gone_ends_the_round(network: MemoryNetwork, tmp_path: Path) -> None:
    seeker = Seeker(network, 1, tmp_path)
    seeker.daemon.down = True
    with pytest.raises(UnavailableError):
        seeker.round()


def test_a_file_that_cannot_be_written_is_done_without(network: MemoryNetwork, tmp_path: Path) -> None:
    friend = network.daemon(1)
    seeker = Seeker(network, 2, tmp_path / "no" / "folder", bootstrap=(address(friend),))
    seeker.round()
    seeker.directory.read(friend.peer)
    seeker.round(after_s=REMEMBER_S + 1)
    assert any(what == "remembering addresses" and isinstance(failure, OSError) for what, failure in seeker.complaints)
