"""The machine under attack: what one stranger says never hides, vetoes or crowds out what another says."""

from typing import Any

import msgspec
import pytest

from learnae.codec.boards import encode_board
from learnae.machine.board import Board, Verdict
from learnae.machine.effects import Fetch, Fold
from learnae.machine.events import FileKind
from learnae.machine.fetching import MAX_REMEMBERED, Backoff
from learnae.machine.folding import MAX_MEASURED, Folding
from learnae.machine.memory import Memory, Own
from learnae.machine.notebook import Notebook
from learnae.machine.rules import Rules
from learnae.machine.slices import MAX_LOCATORS, Slices
from learnae.values.announcements import (
    PROTOCOL,
    Announcement,
    Content,
    HashlistEntry,
    HashlistOffer,
    ModelOffer,
    ModelRecord,
    SignedAnnouncement,
    SliceUse,
)
from learnae.values.choices import Judge, Role
from learnae.values.ids import Digest, Locator, PeerId, SessionId
from learnae.values.manifest import Limits
from learnae.values.scores import Score

SESSION = SessionId("5e" * 32)
ME = PeerId("00" * 32)
ROWS = Digest("ad" * 32)
HERE, THERE = Locator("mem:here"), Locator("mem:there")


def peer(number: int) -> PeerId:
    return PeerId(f"{number:064x}")


def digest(number: int) -> Digest:
    return Digest(f"{number:064x}")


def sign(announcement: Announcement) -> SignedAnnouncement:
    return SignedAnnouncement(announcement, "0" * 128)


def said(author: PeerId, content: Content, sequence: int = 1) -> SignedAnnouncement:
    return sign(Announcement(PROTOCOL, SESSION, author, sequence, content))


def offer(model: int, loss: float, *places: Locator) -> ModelOffer:
    return ModelOffer(ModelRecord(digest(model), Score(0.5, loss, 10), 1), places or (HERE,))


def notebook(**limits: int) -> Notebook:
    rules = Rules(
        session=SESSION, peer=ME, role=Role.FULL, initial=digest(1), sharing_allowed=True, sharing=True, judge=Judge.LOSS,
        min_gain=0.0, passes=2, overuse_threshold=20, limits=Limits(**limits), seed=1,
    )  # fmt: skip
    made = Notebook(rules, Memory(), sign)
    made.change_core(own=Own(digest(1), 1, Score(0.5, 0.7, 10), ROWS))
    return made


def listed(slice_: int, *, at: Locator = HERE, evaluation: bool = False) -> HashlistEntry:
    return HashlistEntry(digest(slice_), 10, evaluation, (at,))


def fetches(made: Notebook) -> list[Fetch]:
    return [effect for effect in made.take() if isinstance(effect, Fetch)]


@pytest.fixture
def slices() -> Any:
    """Make slices of a peer that has read the hashlists of peers 2 and 3."""
    made = notebook(subjects_per_peer=64)
    board = Board(made)
    for author in (2, 3):
        board.merge(said(peer(author), HashlistOffer(digest(1000 + author), (HERE,), 1)))
    return made, Slices(made, board)


def test_uses_cannot_keep_out_who_offers_a_model_and_a_board_stays_within_its_limit() -> None:
    made = notebook(board_bytes=20_000)
    board = Board(made)
    verdicts = [board.merge(said(peer(2), SliceUse(digest(number), 1))) for number in range(100)]
    assert {verdicts[0], verdicts[-1]} == {Verdict.NEW, Verdict.UNWANTED}
    places = tuple(Locator(f"mem:{letter * 196}") for letter in "abcd")
    models = [board.merge(said(peer(author), offer(author, 0.1, *places))) for author in range(3, 100)]
    assert {models[0], models[-1]} == {Verdict.NEW, Verdict.UNWANTED}
    assert board.merge(said(peer(3), offer(3, 0.1), sequence=2)) is Verdict.NEW
    assert len(encode_board(board.shareable())) <= 20_000


def test_a_full_board_is_full_after_a_restart_too() -> None:
    made = notebook(board_bytes=20_000)
    before = Board(made)
    while before.merge(said(peer(2), SliceUse(digest(len(made.memory.board)), 1))) is Verdict.NEW:
        pass
    assert Board(made).merge(said(peer(2), SliceUse(digest(5_000), 1))) is Verdict.UNWANTED


def adopt(folding: Folding, made: Notebook, loss: float) -> None:
    folding.folded(digest(90), ROWS, Score(0.5, loss, 10))
    folding.end()
    made.take()


def test_liars_do_not_hide_the_honest_one_from_adoption() -> None:
    made = notebook()
    board = Board(made)
    for liar in range(2, 8):
        board.merge(said(peer(liar), offer(liar, 0.0)))
    board.merge(said(peer(9), offer(9, 0.6)))
    folding = Folding(made, board)
    asked = []
    while (chosen := folding.adoptable(0)) is not None:
        asked.append(chosen.author)
        folding.begin_adoption(chosen)
        adopt(folding, made, 0.8)
    assert asked == [*(peer(liar) for liar in range(2, 8)), peer(9)]
    made.change_core(own=Own(digest(1_000), 2, Score(0.5, 0.69, 10), ROWS))
    assert folding.adoptable(0) is None, "what was worse than the old model is worse than the new one"
    made.change_core(own=Own(digest(1_001), 2, Score(0.5, 0.9, 10), ROWS))
    assert folding.adoptable(0) is not None, "the own model got worse by training: the same models may be better now"


def test_the_next_best_is_looked_at_only_if_it_promises() -> None:
    made = notebook()
    board = Board(made)
    board.merge(said(peer(2), offer(2, 0.8)))
    board.merge(said(peer(3), offer(3, 0.9)))
    folding = Folding(made, board)
    chosen = folding.adoptable(0)
    assert chosen is not None
    assert chosen.author == peer(2)
    folding.begin_adoption(chosen)
    adopt(folding, made, 0.75)
    assert folding.adoptable(0) is None


def test_what_is_remembered_of_lies_and_failures_is_bounded() -> None:
    made = notebook()
    board = Board(made)
    folding = Folding(made, board)
    for number in range(MAX_MEASURED + 1):
        board.merge(said(peer(2), offer(2 + number, 0.0), sequence=number))
        folding.begin_adoption(board.offers()[0])
        adopt(folding, made, 0.8)
    assert len(folding._measured) == MAX_MEASURED
    backoff = Backoff(1.0)
    for number in range(MAX_REMEMBERED + 1):
        backoff.failed(number, 0.0)
    assert (backoff.has_failed(0), backoff.has_failed(1)) == (False, True)


def test_a_strangers_mark_is_no_veto(slices: Any) -> None:
    made, known = slices
    known.hashlist_fetched(peer(2), digest(1002), (listed(50),))
    known.hashlist_fetched(peer(3), digest(1003), (listed(50, evaluation=True),))
    assert not made.memory.slices[digest(50)].evaluation
    known.hashlist_fetched(peer(2), digest(1004), (listed(50, evaluation=True),))
    assert made.memory.slices[digest(50)].evaluation


def test_a_dead_place_does_not_hide_a_living_one(slices: Any) -> None:
    made, known = slices
    known.hashlist_fetched(peer(2), digest(1002), (listed(50, at=HERE),))
    known.hashlist_fetched(peer(3), digest(1003), (listed(50, at=THERE),))
    assert set(made.memory.slices[digest(50)].locators) == {HERE, THERE}
    for number in range(2 * MAX_LOCATORS):
        known.hashlist_fetched(peer(3), digest(2_000 + number), (listed(50, at=Locator(f"mem:{number}")),))
    assert len(made.memory.slices[digest(50)].locators) == MAX_LOCATORS


def test_an_author_whose_slices_do_not_come_is_asked_ever_less_often_and_delays_nobody(slices: Any) -> None:
    made, known = slices
    known.hashlist_fetched(peer(2), digest(1002), tuple(listed(number) for number in range(50, 100)))
    known.hashlist_fetched(peer(3), digest(1003), (listed(200),))
    known.fetch()
    first = fetches(made)
    assert {fetch.author for fetch in first} == {peer(2)}
    for fetch in first:
        known.fetch_failed(fetch.kind, fetch.author, fetch.digest)
    known.fetch()
    assert [fetch.author for fetch in fetches(made)] == [peer(3)]
    known.slice_fetched(peer(3), digest(200), 10)
    made.now_s = 2_000.0
    known.fetch()
    again = fetches(made)
    assert {fetch.digest for fetch in again}.isdisjoint({fetch.digest for fetch in first}), "what failed before comes last"
    known.slice_fetched(again[0].author, again[0].digest, 10)
    known.fetch()
    assert len(fetches(made)) == 1, "one that comes sets the author right"


def test_what_failed_is_fetched_when_nothing_else_is_left(slices: Any) -> None:
    made, known = slices
    known.hashlist_fetched(peer(2), digest(1002), (listed(50),))
    known.hashlist_fetched(peer(3), digest(1003), ())
    known.fetch()
    (fetch,) = fetches(made)
    known.fetch_failed(fetch.kind, fetch.author, fetch.digest)
    known.fetch()
    assert fetches(made) == []
    made.now_s = 100.0
    known.fetch()
    assert [again.digest for again in fetches(made)] == [digest(50)]


def test_models_of_one_digest_are_asked_for_from_each_author() -> None:
    made = notebook()
    board = Board(made)
    board.merge(said(peer(2), offer(7, 0.1, HERE)))
    board.merge(said(peer(3), offer(7, 0.1, THERE)))
    folding = Folding(made, board)
    asked = []
    for _ in range(2):
        chosen = folding.adoptable(0)
        assert chosen is not None
        folding.begin_adoption(chosen)
        asked += [effect.locators for effect in made.take() if isinstance(effect, Fold)]
        folding.failed("nobody keeps it", wrong=False)
        folding.end()
    assert asked == [(HERE,), (THERE,)]
    assert folding.adoptable(0) is None


def test_an_announcement_takes_no_more_of_a_board_than_a_few_kilobytes() -> None:
    places = tuple(Locator(f"{letter * 16}:{letter * 200}") for letter in "abcd")
    assert len(msgspec.json.encode(said(peer(2), offer(7, 0.1, *places)))) < 2_048


def test_a_board_that_names_an_honest_peers_model_does_not_have_it_refused() -> None:
    made = notebook()
    board = Board(made)
    board.merge(said(peer(3), offer(50, 0.1)))
    board.charge(peer(2), FileKind.BOARD, digest(50), "not a board")
    assert [found.author for found in board.offers()] == [peer(3)]
    board.charge(peer(3), FileKind.MODEL, digest(50), "not a model")
    assert board.offers() == ()


def test_a_hashlist_that_names_an_honest_peers_slice_neither_drops_nor_holds_it_up(slices: Any) -> None:
    made, known = slices
    known.hashlist_fetched(peer(2), digest(1002), (listed(50),))
    known.hashlist_fetched(peer(3), digest(1003), ())
    known.content_refused(FileKind.HASHLIST, peer(3), digest(50))
    assert digest(50) in made.memory.slices
    known.fetch()
    assert [fetch.digest for fetch in fetches(made)] == [digest(50)]
