"""What others say: merging, limits, trust, lost state and copied state."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnae.machine import effects, events
from learnae.machine.board import Board
from learnae.machine.events import FileKind
from learnae.machine.memory import Memory
from learnae.machine.notebook import Notebook
from learnae.values.announcements import HashlistOffer, ModelOffer, Presence, Retirement, SliceUse
from learnae.values.choices import Phase
from learnae.values.journal import ContentRefused, FetchFailed, PeerQuarantined, PeerSeen
from learnae.values.manifest import Limits


def _on_board(desk: Any) -> set[str]:
    return {signed.announcement.subject for key, signed in desk.memory.board.items() if not key.startswith(desk.rules.peer)}


AUTHOR = st.sampled_from(["peer/a", "peer/b", "peer/c"])
SEQUENCE = st.integers(1, 6)


@settings(derandomize=True, deadline=None)
@given(data=st.data())
def test_boards_merge_to_the_same_in_any_order_and_repeated(lab: Any, data: st.DataObject) -> None:
    content = st.one_of(
        st.builds(lab.model, st.sampled_from(["model/1", "model/2"]), st.sampled_from([0.1, 0.9])),
        st.builds(lab.hashlist, st.sampled_from(["list/1", "list/2"])),
        st.builds(lab.use, st.sampled_from(["slice/1", "slice/2"]), st.integers(1, 5)),
        st.builds(lab.presence, st.sampled_from([None, "board/1"])),
        st.builds(Retirement, st.sampled_from(["model", "hashlist"])),
    )
    said = data.draw(
        st.lists(st.tuples(content, AUTHOR, SEQUENCE).map(lambda drawn: lab.say(drawn[0], author=drawn[1], sequence=drawn[2])))
    )
    again = data.draw(st.lists(st.sampled_from(said), max_size=5)) if said else []
    one, other = (Board(Notebook(lab.rules(), Memory(), lab.sign)) for _ in range(2))
    for signed in said:
        one.merge(signed)
    for signed in data.draw(st.permutations([*said, *again])):
        other.merge(signed)
    assert set(one.shareable()) == set(other.shareable())
    assert list(one.offers()) == list(other.offers())
    assert list(one.hashlists()) == list(other.hashlists())
    assert list(one.presences()) == list(other.presences())
    assert one.network_uses(lab.named("slice/1")) == other.network_uses(lab.named("slice/1"))
    memory = Memory(board={f"{s.announcement.author}/{s.announcement.subject}": s for s in one.shareable()})
    assert list(Board(Notebook(lab.rules(), memory, lab.sign)).offers()) == list(one.offers()), "a restart changes nothing"


def test_only_the_latest_word_counts(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready()
    first = it.hear(lab.use("slice/1", 2), sequence=5)
    assert [fact.peers for fact in lab.of(first, PeerSeen)] == [2]
    assert it.machine.peers == 2
    assert not lab.of(it.hear(lab.use("slice/1", 1), sequence=4), effects.Save), "older"
    assert not lab.of(it.hear(lab.use("slice/1", 2), sequence=5), effects.Save), "the same"
    assert it.machine.is_known(lab.say(lab.use("slice/1", 2), sequence=5))
    assert not it.machine.is_known(lab.say(lab.use("slice/1", 1), sequence=4))
    assert it.machine.network_uses(lab.named("slice/1")) == 2


def test_what_its_author_retired_does_not_come_back(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    it.hear(Retirement("model"), sequence=9)
    it.hear(Retirement("hashlist"), sequence=9)
    made = it.hear(lab.model("model/old", 0.9), sequence=8) + it.hear(lab.hashlist("list"), sequence=8)
    assert it.phase is Phase.IDLE
    assert not lab.of(made, effects.Fetch)


def test_a_retired_model_is_no_candidate_any_more(lab: Any, desk: Any) -> None:
    it = desk()
    it.start()
    it.hear(lab.model("model/better", 0.9))
    it.hear(Retirement("model"), sequence=2)
    it.gather()
    it.score(0.5)
    assert it.phase is Phase.IDLE


def test_statements_about_slices_are_unwanted_where_nothing_is_shared(lab: Any, desk: Any) -> None:
    it = desk(sharing_allowed=False)
    it.ready()
    for content in (lab.use("slice/1", 2), lab.hashlist("list"), lab.presence()):
        it.hear(content)
    assert _on_board(it) == {"presence"}


def test_a_private_peer_of_a_sharing_session_hears_of_slices_but_fetches_none(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready()
    made = it.hear(lab.hashlist("list")) + it.hear(lab.use("slice/1", 2))
    assert _on_board(it) == {"hashlist", f"use/{lab.named('slice/1')}"}
    assert not lab.of(made, effects.Fetch)


def test_only_admitted_peers_and_oneself_count_where_a_list_says_so(lab: Any, desk: Any) -> None:
    it = desk(allow=frozenset({lab.named("peer/a")}))
    it.ready()
    it.store(FileKind.MODEL, "model/initial")
    it.hear(lab.model("model/1", 0.1), author="peer/b")
    assert it.phase is Phase.IDLE
    it.hear(lab.model("model/1", 0.1), author="peer/a")
    assert it.phase is Phase.EXPLORING
    (order,) = lab.of(it.rest(5.0), effects.StoreBoard)
    assert {signed.announcement.author for signed in order.entries} == {lab.me, lab.named("peer/a")}


def test_peers_and_subjects_are_limited(lab: Any, desk: Any) -> None:
    it = desk(limits=Limits(peers=2, subjects_per_peer=2))
    it.ready()
    it.hear(lab.presence())
    it.hear(lab.use("slice/1", 1))
    it.hear(lab.use("slice/2", 1))
    it.hear(lab.use("slice/1", 2), sequence=2)
    it.hear(lab.presence(), author="peer/b")
    assert it.machine.network_uses(lab.named("slice/1")) == 2, "a later word on a known subject is always heard"
    assert it.machine.network_uses(lab.named("slice/2")) == 0, "one subject too many"
    assert it.machine.peers == 2, "this peer is one of the two that count"


def test_a_board_stays_within_its_limit_and_keeps_room_for_models(lab: Any, desk: Any) -> None:
    it = desk(limits=Limits(board_bytes=8_192))
    it.ready()
    for number in range(40):
        it.hear(lab.use(f"slice/{number}", 1))
    uses = len(_on_board(it))
    assert 0 < uses < 40
    it.hear(lab.model("model/1", 0.1), author="peer/b")
    assert len(_on_board(it)) == uses + 1


def test_bad_content_is_charged_to_its_signer_who_is_ignored_in_the_end(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, limits=Limits(quarantine_after=2), overuse_threshold=1)
    it.ready()
    it.hear(lab.use("slice/9", 2), sequence=1)
    assert it.machine.network_uses(lab.named("slice/9")) == 2
    for number in (1, 2):
        (fetch,) = lab.of(it.hear(lab.hashlist(f"list/{number}"), sequence=number), effects.Fetch)
        made = it.give(events.FetchFailed(fetch.kind, fetch.author, fetch.digest, "no list", wrong=True))
        assert [fact.charges for fact in lab.of(made, ContentRefused)] == [number]
        assert len(lab.of(made, PeerQuarantined)) == number - 1
    assert it.machine.network_uses(lab.named("slice/9")) == 0, "its statements do not count any more"
    before = dict(it.memory.board)
    it.hear(lab.model("model/1", 0.9), sequence=7)
    assert it.memory.board == before
    it.hear(lab.model("model/2", 0.9), author="peer/b")
    assert it.phase is Phase.AVERAGING
    it.restore()
    it.start()
    it.hear(lab.model("model/1", 0.9), sequence=8)
    assert it.memory.charges.keys() == {lab.named("peer/a")}


def test_what_cannot_be_had_is_charged_to_nobody(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.ready()
    it.hear(lab.hashlist("list"))
    made = it.give(events.FetchFailed(FileKind.HASHLIST, lab.named("peer/a"), lab.named("list"), "gone"))
    assert lab.of(made, FetchFailed)
    assert it.memory.charges == {}
    assert it.memory.refused == {}


def test_a_wrong_model_is_charged_and_never_fetched_again(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready()
    it.hear(lab.model("model/bad", 0.9))
    it.give(events.FoldFailed("not finite", wrong=True))
    assert it.memory.charges[lab.named("peer/a")].count == 1
    assert it.phase is Phase.IDLE
    it.hear(lab.model("model/bad", 0.95), author="peer/b")
    assert it.phase is Phase.IDLE


def test_an_echo_of_the_own_words_changes_nothing(lab: Any, desk: Any) -> None:
    it = desk()
    made = it.ready() + it.stored() + it.rest(20.0)
    for announce in lab.of(made, effects.Announce):
        assert not lab.of(it.give(events.Heard(announce.signed)), effects.Halt)
    assert it.phase is Phase.FINISHED


@pytest.mark.parametrize("on_a_board", [False, True])
@pytest.mark.parametrize("sequence", [99, 1])
def test_another_process_with_the_same_key_stops_the_peer(lab: Any, desk: Any, on_a_board: bool, sequence: int) -> None:
    it = desk()
    it.start()
    clone = lab.say(lab.presence("board/other"), author="peer/me", sequence=sequence)
    made = it.give(
        events.BoardFetched(lab.named("peer/a"), lab.named("board/a"), (clone, lab.say(lab.presence())))
        if on_a_board
        else events.Heard(clone)
    )
    assert it.phase is Phase.STOPPED
    (halt,) = lab.of(made, effects.Halt)
    assert "another process signs with this peer's key" in halt.text
    assert it.machine.peers == 1, "nothing after it is looked at"


def test_a_peer_that_lost_its_state_listens_before_it_says_anything(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, presence_interval_s=5.0, quiet_period_s=3.0)
    made = it.start(recovering=True) + it.gather() + it.cut("slice/1", "slice/2")
    assert it.machine.queued == 4
    past = [
        lab.say(content, author="peer/me", sequence=sequence)
        for sequence, content in (
            (70, lab.use("slice/2", 1)),
            (75, lab.use("slice/nowhere", 2)),
            (71, lab.model("model/past", 0.9)),
            (72, lab.hashlist("list/past")),
            (60, lab.presence()),
            (73, lab.presence("board/past")),
        )
    ]
    made += it.give(events.BoardFetched(lab.named("peer/a"), lab.named("board/a"), tuple(past)))
    assert it.machine.queued == 3, "a pass that was begun in an earlier life is not begun again"
    assert not lab.of(it.give(events.Heard(past[0])), effects.Save), "heard again: known"
    it.restore()
    made += it.start() + it.gather() + it.rest(19.0)
    assert it.phase is Phase.WAITING
    assert not lab.of(made, (effects.Announce, effects.Train, effects.Score, effects.StoreSlices))
    made = it.rest(1.0)
    assert it.memory.core["core"].sequence >= 75 + 2**32, "numbers that nobody remembers are left out"
    assert it.phase is Phase.SCORING
    assert lab.of(made, effects.StoreSlices)
    it.score(0.5)
    made = it.store(FileKind.MODEL, "model/initial")
    assert [offer.record.digest for offer in lab.said(made, ModelOffer)] == [lab.named("model/initial")], (
        "what holds is said anew"
    )
    it.give(events.SlicesStored((lab.entry("slice/1"), lab.entry("slice/2"))))
    made = it.store(FileKind.HASHLIST, "list/new")
    assert [offer.digest for offer in lab.said(made, HashlistOffer)] == [lab.named("list/new")]
    assert it.machine.network_uses(lab.named("slice/nowhere")) == 2
    it.give(events.Heard(lab.say(lab.presence(), author="peer/me", sequence=2**40)))
    assert it.phase is Phase.STOPPED, "once recovered, an unknown number means a clone"


def test_a_peer_that_lost_its_state_stops_without_a_word(lab: Any, desk: Any) -> None:
    it = desk()
    it.start(recovering=True)
    assert not lab.of(it.give(events.StopRequested()), effects.Announce)


def test_a_hashlist_of_an_earlier_life_is_offered_again_even_if_it_is_the_same(lab: Any, desk: Any) -> None:
    it = desk(sharing=True)
    it.start(recovering=True)
    it.cut("slice/1")
    it.give(events.Heard(lab.say(lab.hashlist("list", slices=1), author="peer/me", sequence=50)))
    it.rest(20.0)
    assert lab.of(it.give(events.SlicesStored((lab.entry("slice/1"),))), effects.StoreHashlist)


def test_a_hashlist_of_an_earlier_life_is_retired_by_a_peer_that_shares_no_more(lab: Any, desk: Any) -> None:
    it = desk()
    it.start(recovering=True)
    it.give(events.Heard(lab.say(lab.hashlist("list/past"), author="peer/me", sequence=50)))
    assert set(lab.said(it.rest(20.0), Retirement)) == {Retirement("hashlist")}


def test_a_private_peer_says_nothing_but_presence_and_models(lab: Any, desk: Any) -> None:
    it = desk()
    made = it.ready() + it.cut("slice/1", "slice/2") + it.cut("slice/3", evaluation=True)
    while it.phase is Phase.TRAINING:
        made += it.trained(f"model/{it.machine.cycle}")
        made += it.store(FileKind.MODEL, f"model/{it.machine.cycle - 1}")
    made += it.store(FileKind.BOARD, "board") + it.rest(30.0)
    assert it.machine.cycle == 4
    assert {type(announce.signed.announcement.content) for announce in lab.of(made, effects.Announce)} == {ModelOffer, Presence}
    assert not lab.of(made, (effects.StoreSlices, effects.StoreHashlist, effects.Fetch))
    board = lab.of(made, effects.StoreBoard)[-1].entries
    assert not [signed for signed in board if isinstance(signed.announcement.content, SliceUse | HashlistOffer)]


@pytest.mark.parametrize("kind", [FileKind.BOARD, FileKind.HASHLIST, FileKind.SLICE])
def test_what_is_no_board_may_be_a_good_model(lab: Any, desk: Any, kind: FileKind) -> None:
    """A stranger may sign that an honest peer's model is its board: it is charged, and the model stays wanted."""
    it = desk(sharing=True)
    it.ready()
    it.give(events.FetchFailed(kind, lab.named("peer/a"), lab.named("model/good"), "not one", wrong=True))
    assert it.memory.charges.keys() == {lab.named("peer/a")}
    it.hear(lab.model("model/good", 0.9), author="peer/b")
    assert it.phase is Phase.AVERAGING


def test_a_peer_that_shares_no_more_passes_nothing_about_slices_on(lab: Any, desk: Any) -> None:
    it = desk(sharing=True, presence_interval_s=5.0)
    it.ready()
    it.cut("slice/1")
    it.stored()
    it.hear(lab.use("slice/1", 1))
    it.hear(lab.hashlist("list"))
    it.restore(sharing=False)
    made = it.start()
    it.gather()
    made += it.stored() + it.hear(lab.use("slice/2", 1), sequence=2) + it.rest(5.0)
    boards = lab.of(made, effects.StoreBoard)
    assert boards
    for board in boards:
        said = {type(signed.announcement.content) for signed in board.entries}
        assert said <= {ModelOffer, Retirement}
    it.store(FileKind.BOARD, "board")
    made = it.hear(lab.use("slice/3", 1), sequence=3) + it.rest(20.0)
    assert not lab.of(made, effects.StoreBoard), "what is not passed on is no change"
