"""Who is known, how well, and who is dialled next."""

import itertools
import random

import pytest
from learnae_ipfs.transport.directory import (
    FAR_S,
    FORGOTTEN_S,
    LATELY_S,
    MAX_CONNECTED,
    MAX_KNOWN,
    MAX_VAIN,
    NEAR_S,
    Directory,
    Trust,
)
from learnae_ipfs.transport.letters import MAX_ADDRESSES, MAX_PEERS, Whereabouts
from transport_fakes import Clock, peer_id

INTERVAL_S = 10.0


class Book(Directory):
    """A directory with a clock of its own."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(interval_s=INTERVAL_S, clock=self.clock, draw=random.Random(1))
        self.own = peer_id(0)

    def hear(self, number: int, trust: Trust, *addresses: str, itself: bool = False) -> str:
        self.learn(Whereabouts(peer_id(number), shared=False, addresses=addresses), trust, itself=itself)
        return peer_id(number)

    def meet(self, *numbers: int) -> list[str]:
        return [known.peer for known in self.see({peer_id(number): f"/ip4/10.0.0.1/tcp/{4000 + number}" for number in numbers})]

    def dial(self, at_most: int = 8) -> list[str]:
        return [known.peer for known in self.due(at_most=at_most)]


@pytest.fixture
def book() -> Book:
    return Book()


def test_what_strangers_claim_is_bounded_and_crowds_out_nobody(book: Book) -> None:
    friend = book.hear(1, Trust.BOOTSTRAP, "/ip4/10.0.0.1/tcp/4001")
    met = book.hear(2, Trust.TOLD, "/ip4/10.0.0.1/tcp/4002")
    book.meet(2)
    book.meet()
    told = book.hear(3, Trust.TOLD, "/ip4/10.0.0.1/tcp/4003")
    for number in range(100, 2_100):
        book.hear(number, Trust.FOUND, f"/ip4/10.1.{number // 256}.{number % 256}/tcp/4001")
    assert len(list(book)) == MAX_KNOWN
    assert {friend, met, told} <= set(book.dial())
    assert len(book.dial()) <= 4 * 8
    for number in range(20_000, 22_000):
        book.hear(number, Trust.TOLD)
    assert {friend, met} <= {known.peer for known in book}
    newcomer = book.hear(5, Trust.TOLD)
    assert book.get(newcomer) is not None, "somebody new can still be heard of"


def test_among_strangers_luck_decides_so_that_nobody_waits_for_ever(book: Book) -> None:
    honest = book.hear(1, Trust.FOUND)
    for number in range(100, 300):
        book.hear(number, Trust.FOUND)
    chosen: list[str] = []
    rounds = 0
    while honest not in chosen:
        book.clock.now += INTERVAL_S
        chosen = book.dial()
        for peer in chosen:
            book.failed(peer)
        rounds += 1
        assert rounds < 400


def test_a_full_book_of_connected_daemons_stays(book: Book) -> None:
    for number in range(1, MAX_KNOWN + 1):
        book.hear(number, Trust.FOUND)
    book.meet(*range(1, MAX_KNOWN + 1))
    book.hear(MAX_KNOWN + 1, Trust.TOLD)
    assert book.get(peer_id(MAX_KNOWN + 1)) is None


def test_who_cannot_be_reached_is_tried_ever_more_seldom(book: Book) -> None:
    book.hear(1, Trust.FOUND)
    book.hear(2, Trust.BOOTSTRAP)
    tries: dict[str, list[float]] = {peer_id(1): [], peer_id(2): []}
    for _ in range(4_000):
        book.clock.now += 1
        for peer in book.dial():
            tries[peer].append(book.clock.now)
            book.failed(peer)
    pauses = {peer: [later - earlier for earlier, later in itertools.pairwise(times)] for peer, times in tries.items()}
    assert INTERVAL_S * 0.8 <= pauses[peer_id(1)][0] <= INTERVAL_S + 1
    assert max(pauses[peer_id(1)]) <= FAR_S + 1
    assert max(pauses[peer_id(2)]) <= NEAR_S + 1, "a bootstrap address is tried for ever"


def test_who_was_lost_is_tried_at_once_and_within_a_minute_for_a_while(book: Book) -> None:
    peer = book.hear(1, Trust.FOUND)
    assert book.meet(1) == [peer]
    assert book.meet(1) == [], "it was connected already"
    book.meet()
    assert book.dial() == [peer]
    for _ in range(20):
        book.failed(peer)
    book.clock.now += NEAR_S + 1
    assert book.dial() == [peer]


def test_one_who_is_back_is_a_sign_that_all_may_be(book: Book) -> None:
    peers = {book.hear(number, Trust.FOUND) for number in (1, 2, 3)}
    book.meet(1, 2, 3)
    book.meet()
    for _ in range(10):
        for peer in peers:
            book.failed(peer)
    assert book.dial() == []
    book.meet(1)
    book.clock.now += 2
    assert set(book.dial()) == {peer_id(2), peer_id(3)}


def test_from_some_number_on_only_bootstrap_addresses_are_dialled_and_strangers_do_not_count(book: Book) -> None:
    numbers = range(1, MAX_CONNECTED + 1)
    for number in numbers:
        book.hear(number, Trust.FOUND)
    book.meet(*numbers)
    told = book.hear(1_000, Trust.TOLD)
    friend = book.hear(1_001, Trust.BOOTSTRAP)
    assert set(book.dial()) == {friend, told}, "of those that are connected nobody has shown a mailbox"
    for number in numbers:
        book.read(peer_id(number))
    assert book.dial() == [friend]


def test_whoever_is_gone_for_hours_is_forgotten_but_a_bootstrap_address_never(book: Book) -> None:
    book.hear(1, Trust.TOLD)
    friend = book.hear(2, Trust.BOOTSTRAP)
    book.meet(1, 2)
    book.meet()
    book.clock.now += FORGOTTEN_S + 1
    book.meet()
    assert [known.peer for known in book] == [friend]


def test_what_is_worth_telling(book: Book) -> None:
    read = book.hear(1, Trust.FOUND, "/ip4/10.0.0.9/tcp/4009")
    book.hear(2, Trust.FOUND)
    book.meet(1, 2)
    book.read(read)
    book.read(peer_id(77))
    (told,) = book.whereabouts()
    assert told.peer == read
    assert told.addresses[0] == "/ip4/10.0.0.1/tcp/4001", "where it was reached comes first"
    assert book.remembered() == [f"/ip4/10.0.0.1/tcp/4001/p2p/{read}"], "and no other is remembered"
    book.meet()
    book.clock.now += LATELY_S + 1
    assert book.whereabouts() == ()
    assert book.remembered()


def test_of_many_each_tells_of_others_and_always_of_the_same(book: Book) -> None:
    numbers = range(1, 3 * MAX_PEERS)
    for number in numbers:
        book.hear(number, Trust.FOUND)
    book.meet(*numbers)
    for number in numbers:
        book.read(peer_id(number))
    told = book.whereabouts()
    assert len(told) == MAX_PEERS
    assert told == book.whereabouts()
    book.own = peer_id(10_000)
    assert told != book.whereabouts()


def test_rumours_displace_no_address_that_served(book: Book) -> None:
    book.hear(1, Trust.FOUND, "/ip4/10.0.0.1/tcp/4001")
    book.meet(1)
    book.hear(1, Trust.FOUND, "/ip4/10.0.0.2/tcp/4001", itself=True)
    for number in range(100):
        book.hear(1, Trust.TOLD, f"/ip4/10.9.9.9/tcp/{4000 + number}")
        book.hear(1, Trust.FOUND, f"/ip4/10.8.8.8/tcp/{4000 + number}")
    known = book.get(peer_id(1))
    assert known is not None
    assert known.addresses[:2] == ("/ip4/10.0.0.1/tcp/4001", "/ip4/10.0.0.2/tcp/4001")
    assert len(known.addresses) == MAX_ADDRESSES
    assert not any("10.8.8.8" in address for address in known.addresses), "who was met is not found any more"


def test_nobody_tells_who_we_are_and_failures_of_strangers_are_no_matter(book: Book) -> None:
    book.hear(0, Trust.TOLD)
    assert list(book) == []
    book.failed(peer_id(5))


def test_one_who_makes_up_daemons_takes_no_room_from_others(book: Book) -> None:
    honest = book.hear(1, Trust.TOLD, "/ip4/10.0.0.1/tcp/4001")
    for number in range(100, 2_100):
        book.learn(Whereabouts(peer_id(number), shared=False), Trust.TOLD, teller=peer_id(99))
    assert len(list(book)) == 1 + MAX_PEERS
    for _ in range(MAX_VAIN):
        book.clock.now += FAR_S
        for known in book:
            book.failed(known.peer)
    assert list(book) == [], "who was never met, and cannot be, is forgotten"
    assert book.get(honest) is None


def test_whoever_was_met_in_an_earlier_run_is_tried_for_ever(book: Book) -> None:
    book.recall(peer_id(1), "/dns4/friend.example/tcp/443")
    for _ in range(2 * MAX_VAIN):
        book.clock.now += FAR_S
        assert book.dial() == [peer_id(1)]
        book.failed(peer_id(1))
    (known,) = book
    assert known.addresses == ("/dns4/friend.example/tcp/443",)


@pytest.mark.parametrize(
    ("address", "heard", "said"),
    [
        ("/ip4/203.0.113.7/tcp/4001", True, True),
        ("/ip4/192.168.1.7/udp/4001/quic-v1", True, True),
        ("/dns4/friend.example/tcp/4001", False, True),
        ("/dns4/friend.example/tcp/443/tls/ws", False, True),
        ("/dns4/friend.example/tcp/22", False, False),
        ("/ip4/192.168.1.1/tcp/22", False, False),
        ("/ip4/192.168.1.1/tcp/443", False, False),
        ("/ip4/127.0.0.1/tcp/4001", False, False),
        ("/ip6/::1/tcp/4001", False, False),
        ("/ip4/169.254.169.254/tcp/8080", False, False),
        ("/ip4/224.0.0.1/udp/4001/quic-v1", False, False),
        ("/ip4/0.0.0.0/tcp/4001", False, False),
    ],
)
def test_a_member_makes_nobody_knock_at_any_door(book: Book, address: str, heard: bool, said: bool) -> None:
    for number, trust in ((1, Trust.TOLD), (2, Trust.FOUND)):
        book.hear(number, trust, address)
        known = book.get(peer_id(number))
        assert known is not None
        assert (known.addresses == (address,)) is heard
    book.hear(3, Trust.FOUND)
    book.meet(3)
    book.hear(3, Trust.FOUND, address, itself=True)
    known = book.get(peer_id(3))
    assert known is not None
    assert (address in known.addresses) is said, "who was met may have a name"


def test_on_a_machine_without_a_network_neighbours_on_it_are_dialled(book: Book) -> None:
    book.is_machine_only = True
    book.hear(1, Trust.TOLD, "/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/tcp/80")
    (known,) = book
    assert known.addresses == ("/ip4/127.0.0.1/tcp/4001",)
