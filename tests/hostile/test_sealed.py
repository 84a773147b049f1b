"""A session with a secret: who lacks it is not heard, and learns nothing but sizes and times."""

import base64
import hashlib
import os
from collections.abc import Callable, Iterator

import pytest
from hostile_rig.arena import FEATURES, TARGET, Arena
from hostile_rig.case import Case, Outcome, run_case
from hostile_rig.messages import HERE
from hostile_rig.stranger import PERFECT, Stranger
from learnae_localfs.frames import read_frame

from learnae.codec import canonical
from learnae.codec.messages import encode_message
from learnae.codec.seal import Seal
from learnae.errors import ForgedError
from learnae.values.announcements import ModelOffer, ModelRecord
from learnae.values.choices import Cycle, Phase
from learnae.values.ids import Digest
from learnae.values.journal import ContentRefused, CycleEnded, PhaseChanged

Table = list[tuple[str, str, str]]
SECRET = hashlib.blake2b(b"a secret for tests", digest_size=32).digest()


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    made = Arena(tmp_path_factory.mktemp("sealed"), secret=SECRET, sharing=True)
    try:
        victim = made.start("victim", rows=120, seed=1, learning_rate=1e-7)
        victim.wait_for("to finish", lambda facts: any(isinstance(f, PhaseChanged) and f.after is Phase.FINISHED for f in facts))
        yield made
    finally:
        made.close()


def posted(name: str, make: Callable[[Arena, Stranger], bytes], reason: str) -> Case:
    def attack(arena: Arena) -> Stranger:
        stranger = Stranger(arena)
        return stranger.post(make(arena, stranger))

    return Case(name, attack, Outcome.IGNORED, reason)


def flipped(arena: Arena, stranger: Stranger) -> bytes:
    message = encode_message(stranger.signed(HERE), arena.seal)
    return message[:-1] + bytes([message[-1] ^ 1])


def kept_as(purpose: str) -> Callable[[Arena], Stranger]:
    """Offer a model whose file was sealed for another purpose."""

    def attack(arena: Arena) -> Stranger:
        stranger = Stranger(arena)
        plain = os.urandom(100)
        _, locators = stranger.keep(plain, purpose)
        return stranger.say(ModelOffer(ModelRecord(arena.seal.digest(plain), PERFECT, 1), locators))

    return attack


def in_the_clear(arena: Arena) -> Stranger:
    """Offer a model whose file is not sealed."""
    stranger = Stranger(arena)
    plain = os.urandom(1_000)
    name = hashlib.sha256(plain).hexdigest()
    arena.write(arena.files / stranger.owner / name, plain)
    record = ModelRecord(arena.seal.digest(plain), PERFECT, 1)
    return stranger.say(ModelOffer(record, (f"localfs:{stranger.owner}/{name}",)))  # type: ignore[arg-type]  # a plain text for a Locator, as a liar's is


CASES = (
    posted("sealed: an announcement in the clear", lambda _, s: canonical.encode(s.signed(HERE)), "does not verify"),
    posted("sealed: another secret", lambda a, s: encode_message(s.signed(HERE), Seal(a.session, bytes(32))), "does not verify"),
    posted("sealed: a flipped bit", flipped, "does not verify"),
    posted("sealed: cut short", lambda a, s: encode_message(s.signed(HERE), a.seal)[:40], "no sealed message"),
    posted(
        "sealed: a file's seal on an announcement",
        lambda a, s: a.seal.seal(canonical.encode(s.signed(HERE)), "model"),
        "does not",
    ),
    Case("sealed: an announcement's seal on a model", kept_as("announcement"), Outcome.RETRIED, "does not open"),
    Case("sealed: a board's seal on a model", kept_as("board"), Outcome.RETRIED, "does not open"),
    Case("sealed: a model in the clear", in_the_clear, Outcome.RETRIED, "does not open"),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_each_hostile_input_has_its_outcome(arena: Arena, case: Case, table: Table) -> None:
    assert run_case(arena, case) is None
    table.append((case.name, case.outcome, "nobody"))


def test_afterwards_the_peers_train_together_and_the_folder_says_nothing(arena: Arena) -> None:
    since = len(arena.victim.facts())
    honest = arena.start("honest", rows=400, seed=2, learning_rate=0.01)
    arena.victim.wait_for(
        "to average",
        lambda facts: any(
            isinstance(f, CycleEnded) and f.kept and f.kind is not Cycle.TRAIN and honest.peer in f.partners for f in facts
        ),
        since=since,
    )
    assert not [fact for fact in arena.victim.facts() if isinstance(fact, ContentRefused)]
    peers = (arena.victim.peer, honest.peer)
    owners = {arena.seal.owner(peer) for peer in peers}
    assert arena.victim.stop() == honest.stop() == 0
    words: list[str] = [*FEATURES, TARGET, arena.session, *peers, "announcement", "author", "rows", "dense0"]
    telling = [word.encode() for word in words] + [bytes.fromhex(word) for word in (arena.session, *peers)]
    telling += [base64.b64encode(SECRET), SECRET, SECRET.hex().encode()]
    wrong = Seal(arena.session, bytes(32))
    found = 0
    for path in arena.ledger.rglob("*"):
        name = str(path.relative_to(arena.ledger)).encode()
        assert not [word for word in telling if word in name]
        # What strangers wrote in the clear says nothing of the peers.
        if not path.is_file() or path.parent.name not in owners:
            continue
        data = path.read_bytes()
        found += 1
        assert not [word for word in telling if word in data], path
        sealed = (read_frame(data) or b"") if path.parent.parent == arena.messages else data
        for purpose in ("announcement", "model", "slice", "hashlist", "board"):
            with pytest.raises(ForgedError):
                wrong.open(sealed, purpose)
        assert (
            sum(_opens(arena.seal, sealed, purpose) for purpose in ("announcement", "model", "slice", "hashlist", "board")) == 1
        )
    assert found > 10


def _opens(seal: Seal, data: bytes, purpose: str) -> bool:
    try:
        seal.open(data, purpose)
    except ForgedError:
        return False
    return True


def test_digests_tell_nothing_to_who_lacks_the_secret(arena: Arena) -> None:
    assert arena.seal.digest(b"rows") != Digest(hashlib.blake2b(b"rows", digest_size=32).hexdigest())
    assert arena.seal.rendezvous != arena.session
