"""What is derived from a rendezvous, and who gets which place on a shared daemon."""

import asyncio

from learnae_ipfs.kubo.wire import name_of_seed
from learnae_ipfs.names import PLACES, OwnName, leave_name, meeting_block, names_at, take_name, topic_of

R, OTHER = "7" * 64, "8" * 64
DAEMON = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"
OWNERS = [f"{number:x}" * 64 for number in range(6)]


class KeysOnly:
    """A daemon that has nothing but keys; ``meanwhile`` runs just before one is imported."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {"self": "k51" + "x" * 59, "somebody's": "k51" + "y" * 59}
        self.meanwhile: list[tuple[str, bytes]] = []

    async def keys(self) -> dict[str, str]:
        return dict(self.held)

    async def import_key(self, name: str, seed: bytes) -> str:
        self.held.update((other, name_of_seed(another)) for other, another in self.meanwhile)
        self.meanwhile = []
        self.held[name] = name_of_seed(seed)
        return self.held[name]

    async def remove_key(self, name: str) -> None:
        self.held.pop(name, None)


def take(kubo: KeysOnly, owner: str, *, is_own: bool = False, rendezvous: str = R) -> OwnName | None:
    return asyncio.run(take_name(kubo, is_own=is_own, rendezvous=rendezvous, owner=owner, daemon=DAEMON, settle_s=0))


def test_nothing_derived_shows_the_rendezvous_or_is_the_same_for_two_sessions() -> None:
    derived = [topic_of(R), meeting_block(R, shared=False).hex(), meeting_block(R, shared=True).hex()]
    derived += names_at(DAEMON, R, shared=True)
    assert len(set(derived)) == 3 + PLACES
    assert not any(R in text or R.encode().hex() in text or bytes.fromhex(R).hex() in text for text in derived)
    assert not set(derived) & {topic_of(OTHER), meeting_block(OTHER, shared=False).hex(), *names_at(DAEMON, OTHER, shared=True)}


def test_a_private_daemon_has_its_own_name_and_no_key_is_touched() -> None:
    kubo = KeysOnly()
    before = dict(kubo.held)
    name = take(kubo, OWNERS[0], is_own=True)
    assert name is not None
    assert (name.key, [name.name]) == ("self", list(names_at(DAEMON, R, shared=False)))
    assert kubo.held == before


def test_peers_of_a_shared_daemon_get_places_that_others_find_and_keep_them() -> None:
    kubo = KeysOnly()
    taken = [take(kubo, owner) for owner in OWNERS[:PLACES]]
    assert {name.name for name in taken if name} == set(names_at(DAEMON, R, shared=True))
    assert [take(kubo, owner) for owner in OWNERS[:PLACES]] == taken
    assert take(kubo, OWNERS[4]) is None
    assert take(kubo, OWNERS[4], rendezvous=OTHER) is not None, "another session has places of its own"
    assert {"self", "somebody's"} <= kubo.held.keys()


def test_a_place_that_was_given_back_is_free() -> None:
    kubo = KeysOnly()
    for owner in OWNERS[:PLACES]:
        take(kubo, owner)
    given = take(kubo, OWNERS[1])
    asyncio.run(leave_name(kubo, rendezvous=R, owner=OWNERS[1]))
    assert take(kubo, OWNERS[5]) is not None
    assert take(kubo, OWNERS[5]).name == given.name  # type: ignore[union-attr]
    asyncio.run(leave_name(kubo, rendezvous=R, owner=OWNERS[1]))


def test_of_two_who_take_a_place_at_once_one_gets_another() -> None:
    for rival in (OWNERS[0], OWNERS[2]):  # whose keys sort before and after
        kubo, alone = KeysOnly(), KeysOnly()
        take(alone, rival)
        key = next(name for name in alone.held if rival[:32] in name)
        kubo.meanwhile = [(key, b"x" * 32)]
        mine = take(kubo, OWNERS[1])
        theirs = take(kubo, rival)
        mine_again = take(kubo, OWNERS[1])
        assert mine is not None
        assert theirs is not None
        assert mine_again is not None
        assert theirs.name != mine_again.name
        assert sum(name.startswith("learnae-") for name in kubo.held) == 2, "nobody holds two"
