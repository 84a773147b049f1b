"""Reading the mailboxes of others: cheap while nothing changes, and bounded whatever is found there."""

import asyncio
import random
from collections.abc import Iterable

import pytest
from learnae_ipfs.kubo.wire import name_of_peer, raw_cid
from learnae_ipfs.names import derive, names_at
from learnae_ipfs.transport.directory import Directory, Trust
from learnae_ipfs.transport.inbox import KEPT_MESSAGES, Inbox
from learnae_ipfs.transport.letters import MAX_LETTERS_BYTES, Letter, Letters, Whereabouts, write_letters
from learnae_ipfs.transport.visiting import CALM_S, EAGER, FIRST_READS, READS, Visitor
from transport_fakes import Clock, MemoryDaemon, MemoryNetwork, dag_cid, peer_id

from learnae.errors import UnavailableError

R = "7" * 64
INTERVAL_S = 10.0


class Reader:
    """A visitor on a daemon of its own, and the mailboxes of others."""

    def __init__(self, *, shared: bool = False) -> None:
        self.clock, self.network = Clock(), MemoryNetwork()
        self.daemon = self.network.daemon(0)
        self.directory = Directory(interval_s=INTERVAL_S, clock=self.clock, draw=random.Random(1))
        self.directory.own = self.daemon.peer
        self.inbox = Inbox(self.clock)
        self.visitor = Visitor(self.directory, self.inbox, rendezvous=R, shared=shared, interval_s=INTERVAL_S, clock=self.clock)

    def author(self, number: int, *, trust: Trust = Trust.FOUND) -> MemoryDaemon:
        """Add somebody's daemon, and learn of it."""
        daemon = self.network.daemon(number)
        self.directory.learn(Whereabouts(daemon.peer, shared=False), trust)
        return daemon

    def round(self, *, after_s: float = INTERVAL_S, full: bool = True, relaxed: bool = False) -> list[bytes]:
        """Let time pass, look around, and return what came."""
        self.clock.now += after_s
        asyncio.run(self.visitor.round(self.daemon, full=full, relaxed=relaxed))
        return self.taken()

    def taken(self) -> list[bytes]:
        found = []
        while (message := self.inbox.take()) is not None:
            found.append(message)
        return found


def post(
    daemon: MemoryDaemon,
    messages: Iterable[bytes],
    *,
    author: Whereabouts | None = None,
    peers: tuple[Whereabouts, ...] = (),
    rendezvous: str = R,
    name: str | None = None,
) -> str:
    """Write a mailbox by hand, and point a name at it."""
    letters = tuple(Letter(number.to_bytes(32, "big"), message) for number, message in enumerate(messages))
    where = author or Whereabouts(daemon.peer, shared=False)
    return point(daemon, write_letters(Letters("learnae-mailbox-1", derive("mailbox", rendezvous), where, letters, peers)), name)


def point(daemon: MemoryDaemon, data: bytes, name: str | None = None) -> str:
    cid = raw_cid(data)
    daemon.blocks = {cid: data}
    daemon.network.names[name or daemon.held["self"]] = cid
    return cid


def test_what_is_new_comes_once() -> None:
    reader = Reader()
    alice = reader.author(1)
    post(alice, [b"a", b"b"])
    assert reader.round() == [b"a", b"b"]
    assert reader.round() == []
    post(alice, [b"a", b"c"])
    assert reader.round() == [b"c"]


def test_what_came_by_pubsub_does_not_come_again() -> None:
    reader = Reader()
    alice = reader.author(1)
    reader.inbox.offer(alice.peer, b"a")
    assert reader.taken() == [b"a"]
    post(alice, [b"a", b"b"])
    assert reader.round() == [b"b"]


def test_an_unchanged_mailbox_costs_one_call() -> None:
    reader = Reader()
    post(reader.author(1), [b"a"])
    reader.round()
    reader.daemon.calls.clear()
    reader.round()
    assert reader.daemon.calls == {"name/resolve": 1}


def test_while_pubsub_works_a_calm_mailbox_waits_longer_and_news_wake_it() -> None:
    reader = Reader()
    alice = reader.author(1)
    post(alice, [b"a"])
    for _ in range(EAGER + 10):
        reader.round(relaxed=True)
    reader.daemon.calls.clear()
    for _ in range(30):
        reader.round(relaxed=True)
    assert reader.daemon.calls["name/resolve"] == 30 * INTERVAL_S / CALM_S
    post(alice, [b"news"])
    while not reader.round(relaxed=True):
        pass
    reader.daemon.calls.clear()
    reader.round(relaxed=True)
    assert reader.daemon.calls["name/resolve"] == 1


def test_who_was_just_met_is_asked_at_once_and_soon_again() -> None:
    reader = Reader()
    alice = reader.author(1)
    post(alice, [b"a"])
    for _ in range(EAGER + 10):
        reader.round(relaxed=True)
    assert not reader.visitor.is_eager
    known = reader.directory.get(alice.peer)
    assert known is not None
    reader.visitor.hurry([known])
    assert reader.visitor.is_eager
    post(alice, [b"b"])
    assert reader.round(after_s=0, full=False) == [b"b"]
    post(alice, [b"c"])
    assert reader.round(after_s=3, full=False) == [b"c"]


def test_only_the_latest_block_that_was_fetched_stays() -> None:
    reader = Reader()
    alice = reader.author(1)
    for number in range(5):
        cid = post(alice, [b"%d" % number])
        reader.round()
        assert set(reader.daemon.blocks) == {cid}


def test_a_block_that_was_there_before_is_never_dropped() -> None:
    reader = Reader()
    alice = reader.author(1)
    treasure = post(alice, [b"a"])
    reader.daemon.blocks.update(alice.blocks)
    reader.round()
    post(alice, [b"b"])
    reader.round()
    assert treasure in reader.daemon.blocks
    reader.daemon.blocks[raw_cid(b"somebody's file")] = b"somebody's file"
    point(alice, b"somebody's file")
    reader.round()
    assert raw_cid(b"somebody's file") in reader.daemon.blocks


MALLORY = 1


def _another_author(mallory: MemoryDaemon) -> None:
    post(mallory, [b"evil"], author=Whereabouts(peer_id(2), shared=False))


def _shared_in_private(mallory: MemoryDaemon) -> None:
    post(mallory, [b"evil"], author=Whereabouts(mallory.peer, shared=True))


def _another_session(mallory: MemoryDaemon) -> None:
    post(mallory, [b"evil"], rendezvous="8" * 64)


def _huge(mallory: MemoryDaemon) -> None:
    point(mallory, bytes(MAX_LETTERS_BYTES + 1))


def _no_raw_block(mallory: MemoryDaemon) -> None:
    mallory.network.names[mallory.held["self"]] = dag_cid(1)


def _noise(mallory: MemoryDaemon) -> None:
    point(mallory, random.Random(3).randbytes(10_000))


@pytest.mark.parametrize("evil", [_another_author, _shared_in_private, _another_session, _huge, _no_raw_block, _noise])
def test_anything_but_a_mailbox_is_dropped_asked_for_ever_more_seldom_and_leaves_nothing(evil: object) -> None:
    reader = Reader()
    mallory = reader.author(MALLORY)
    evil(mallory)  # type: ignore[operator]
    for _ in range(100):
        assert reader.round() == []
    assert reader.daemon.calls["name/resolve"] < 25
    assert reader.daemon.calls["cat"] < (1 if evil is _no_raw_block else 25)
    assert not reader.daemon.blocks
    reader.visitor.hurry([known for known in reader.directory if known.peer == mallory.peer])
    assert not reader.visitor.is_eager, "who comes and goes is not asked more often for nonsense"
    reader.clock.now += 1_000
    post(mallory, [b"honest now"])
    assert reader.round() == [b"honest now"]


def test_a_crowd_of_names_costs_bounded_work_a_round_and_starves_nobody() -> None:
    reader = Reader()
    for number in range(1, 301):
        reader.author(number)
    alice = reader.author(1_000)
    post(alice, [b"first"])
    rounds = 0
    while not reader.round():
        rounds += 1
        assert rounds < 100
    for number in range(1, 301):
        post(reader.network.daemons[peer_id(number)], [b"flood %d" % number])
    for _ in range(60):
        reader.round()
    waits = []
    for number in range(5):
        post(alice, [b"honest %d" % number])
        wait = 0
        while True:
            for flooder in range(1, 301):
                post(reader.network.daemons[peer_id(flooder)], [b"flood %d %d %d" % (flooder, number, wait)])
            before = reader.daemon.calls["name/resolve"]
            found = reader.round()
            assert reader.daemon.calls["name/resolve"] - before <= READS + FIRST_READS
            wait += 1
            if b"honest %d" % number in found:
                break
            assert wait < 100
        waits.append(wait)
    assert max(waits) <= 301 / READS + 2


def test_a_full_inbox_is_waited_for_and_nothing_is_lost() -> None:
    async def run() -> None:
        reader = Reader()
        expected = set()
        for number in range(1, KEPT_MESSAGES // 64 + 5):
            messages = [b"%d of %d" % (index, number) for index in range(64)]
            expected.update(messages)
            post(reader.author(number), messages)
        found: set[bytes] = set()
        async with asyncio.timeout(60):
            while not found >= expected:
                reader.clock.now += INTERVAL_S
                reading = asyncio.create_task(reader.visitor.round(reader.daemon, full=True, relaxed=False))
                while not reading.done():
                    found.update(reader.taken())
                    await asyncio.sleep(0)
                await reading
                found.update(reader.taken())

    asyncio.run(run())


def test_a_round_that_is_cut_short_is_made_good() -> None:
    async def run() -> None:
        reader = Reader()
        post(reader.author(1), [b"%d" % number for number in range(64)])
        for _ in range(KEPT_MESSAGES):
            await reader.inbox.put("filler", random.randbytes(16))
        reading = asyncio.create_task(reader.visitor.round(reader.daemon, full=True, relaxed=False))
        for _ in range(50):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        reader.taken()
        reader.clock.now += INTERVAL_S
        await reader.visitor.round(reader.daemon, full=True, relaxed=False)
        assert len(reader.taken()) == 64

    asyncio.run(run())


def test_mailboxes_tell_where_others_are() -> None:
    reader = Reader()
    alice = reader.author(1)
    bob = Whereabouts(peer_id(2), shared=True, addresses=("/ip4/203.0.113.7/tcp/4001",))
    carol = Whereabouts(peer_id(0), shared=False, addresses=("/ip4/203.0.113.8/tcp/4001",))
    me = Whereabouts(alice.peer, shared=False, addresses=("/ip4/203.0.113.9/tcp/4001",))
    post(alice, [], author=me, peers=(bob, carol))
    reader.round()
    known = reader.directory.get(bob.peer)
    assert known is not None
    assert (known.trust, known.kinds, known.addresses) == (Trust.TOLD, {True}, bob.addresses)
    told = reader.directory.get(alice.peer)
    assert told is not None
    assert told.addresses == me.addresses
    assert reader.directory.get(reader.daemon.peer) is None, "nobody tells us where we are"


def test_who_is_known_to_be_private_is_not_asked_for_as_shared() -> None:
    reader = Reader()
    alice = reader.author(1)
    post(alice, [b"a"])
    reader.round()
    reader.directory.learn(Whereabouts(alice.peer, shared=True), Trust.TOLD)
    reader.daemon.calls.clear()
    reader.round()
    assert reader.daemon.calls["name/resolve"] == 1


def test_who_shares_a_daemon_reads_the_others_there_and_not_itself() -> None:
    reader = Reader(shared=True)
    names = names_at(reader.daemon.peer, R, shared=True)
    reader.visitor.own_name = names[0]
    where = Whereabouts(reader.daemon.peer, shared=True)
    for number in range(3):
        data = write_letters(Letters("learnae-mailbox-1", derive("mailbox", R), where, (Letter(bytes(32), b"%d" % number),), ()))
        reader.daemon.blocks[raw_cid(data)] = data
        reader.network.names[names[number]] = raw_cid(data)
    assert sorted(reader.round()) == [b"1", b"2"]


def test_what_the_daemon_refuses_ends_no_round_and_a_dead_daemon_does() -> None:
    reader = Reader()
    post(reader.author(1), [b"a"])
    reader.daemon.refuses = {"name/resolve"}
    assert reader.round() == []
    reader.daemon.refuses, reader.daemon.down = set(), True
    with pytest.raises(UnavailableError):
        reader.round()
    reader.daemon.down = False
    assert reader.round() == [b"a"]


def test_whoever_is_forgotten_is_not_asked_any_more() -> None:
    reader = Reader()
    alice = reader.author(1)
    reader.round()
    del reader.directory._known[alice.peer]
    reader.daemon.calls.clear()
    reader.round()
    assert not reader.daemon.calls
    assert name_of_peer(alice.peer) is not None


def test_the_mailbox_of_a_connected_daemon_is_read_before_any_that_somebody_made_up() -> None:
    reader = Reader()
    for number in range(100, 400):
        reader.author(number, trust=Trust.TOLD)
    reader.round()
    newcomer = reader.author(1)
    post(newcomer, [b"hello"])
    reader.directory.see({newcomer.peer: None})
    assert reader.round() == [b"hello"]
