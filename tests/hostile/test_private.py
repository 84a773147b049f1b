"""What leaves a private peer is a closed list; and somebody else with its key stops it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile_rig.arena import Arena, RunningPeer, identity_seed
from hostile_rig.stranger import Stranger
from learnae_localfs.frames import read_frame

from learnae.codec.boards import decode_board
from learnae.codec.identity import Identity
from learnae.codec.messages import decode_message
from learnae.codec.weights import decode_weights
from learnae.errors import LearnaeError
from learnae.values.announcements import PROTOCOL, Announcement, HashlistOffer, ModelOffer, Presence, SliceUse
from learnae.values.choices import Cycle, Phase, Role
from learnae.values.ids import Digest
from learnae.values.journal import ContentRefused, CycleEnded, PeerSeen, PhaseChanged, SliceUsed

Table = list[tuple[str, str, str]]


@pytest.fixture
def arena(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Arena]:
    made = Arena(tmp_path, sharing=getattr(request, "param", False))
    try:
        yield made
    finally:
        made.close()


def finished(peer: RunningPeer) -> None:
    peer.wait_for("to finish", lambda facts: any(isinstance(f, PhaseChanged) and f.after is Phase.FINISHED for f in facts))


@pytest.mark.parametrize(
    "arena",
    [pytest.param(False, id="the session forbids sharing"), pytest.param(True, id="the peer does not share")],
    indirect=True,
)
def test_every_byte_that_a_private_peer_writes_is_on_the_closed_list(arena: Arena, table: Table) -> None:
    victim = arena.start("victim", rows=120, seed=1, learning_rate=1e-7, private=True)
    finished(victim)
    since = len(victim.facts())
    stranger = Stranger(arena)
    stranger.offer_hashlist(b"{}").say(SliceUse(Digest("c" * 64), 2))
    honest = arena.start("honest", rows=400, seed=2, learning_rate=0.01, private=True)
    victim.wait_for(
        "to average",
        lambda facts: any(
            isinstance(f, CycleEnded) and f.kept and f.kind is not Cycle.TRAIN and honest.peer in f.partners for f in facts
        ),
        since=since,
    )
    facts = victim.facts()
    assert not [fact for fact in facts if isinstance(fact, ContentRefused)]
    used = {fact.slice for fact in facts if isinstance(fact, SliceUsed)}
    assert used
    assert victim.stop() == honest.stop() == 0
    kinds: dict[str, int] = {}
    for path, data in _written(arena, (victim, honest)):
        assert not [digest for digest in used if digest.encode() in data or bytes.fromhex(digest) in data]
        kind = _kind(arena, path, data)
        kinds[kind] = kinds.get(kind, 0) + 1
    assert kinds.keys() == {"presence", "model record", "model", "board"}
    _assert_no_row(arena, "victim", [data for _, data in _written(arena, (victim, honest))])
    table.append(("private: a hashlist and a use, from a stranger", "not looked at", "nobody"))


def _written(arena: Arena, peers: tuple[RunningPeer, ...]) -> Iterator[tuple[str, bytes]]:
    for peer in peers:
        owner = arena.seal.owner(peer.peer)
        for where in (arena.messages, arena.files):
            for path in _whole(where / owner):
                yield where.name, path.read_bytes()


def _whole(folder: Path) -> list[Path]:
    """Return the files of a running peer that it is not just writing."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _kind(arena: Arena, where: str, data: bytes) -> str:
    """Say what bytes are, by decoding them; fail for anything that is not on the closed list."""
    limits = arena.manifest.limits
    if where == "messages":
        signed = decode_message(read_frame(data) or b"", arena.seal, session=arena.session, limits=limits)
        match signed.announcement.content:
            case Presence():
                return "presence"
            case ModelOffer():
                return "model record"
            case other:
                raise AssertionError(other)
    try:
        decode_weights(data, arena.manifest)
    except LearnaeError:
        own = {peer.peer for peer in arena.peers.values()}
        for entry in decode_board(data, session=arena.session, limits=limits):
            if entry.announcement.author in own:
                assert isinstance(entry.announcement.content, ModelOffer)
            else:
                assert not isinstance(entry.announcement.content, HashlistOffer | SliceUse)
        return "board"
    return "model"


def _assert_no_row(arena: Arena, name: str, written: list[bytes]) -> None:
    table = np.loadtxt(arena.path / f"{name}.csv", delimiter=",", skiprows=1, dtype=np.float32)
    for row in table:
        pieces = (row[1:4].tobytes(), ",".join(f"{value:.6g}" for value in row[1:4]).encode())
        assert not [piece for piece in pieces for data in written if piece in data]


def test_who_has_the_peers_key_stops_it_with_a_sentence(arena: Arena, table: Table) -> None:
    victim = arena.start("victim", rows=120, seed=1, learning_rate=1e-7, private=True)
    finished(victim)
    clone = Identity.from_seed(identity_seed(1))
    assert clone.peer == victim.peer
    stranger = Stranger(arena)
    stranger.publish(clone.sign(Announcement(PROTOCOL, arena.session, clone.peer, 2**40, Presence(Role.FULL, False, None, ()))))
    assert victim.process.wait(20) == 2
    assert "another process signs with this peer's key" in victim.log.read_text()
    table.append(("the victim's own key, in other hands", "the victim stops with a sentence", "nobody"))


def test_a_stranger_who_only_copies_the_victims_words_does_not_stop_it(arena: Arena) -> None:
    victim = arena.start("victim", rows=120, seed=1, learning_rate=1e-7, private=True)
    finished(victim)
    since = len(victim.facts())
    stranger = Stranger(arena)
    kept = [path.read_bytes() for path in _whole(arena.messages / arena.seal.owner(victim.peer))]
    for index, data in enumerate(kept):
        arena.write(arena.messages / stranger.owner / f"{index:064x}", data)
    arena.wait_until_everything_was_read()
    assert victim.process.poll() is None
    assert not [fact for fact in victim.facts()[since:] if isinstance(fact, PeerSeen)]
