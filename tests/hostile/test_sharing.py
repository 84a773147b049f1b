"""A peer that shares, under attack by everything that strangers can write; then an honest one joins, and both train together."""

from collections.abc import Iterator

import pytest
from hostile_rig import contents, floods, folders, messages
from hostile_rig.arena import Arena
from hostile_rig.case import Case, Outcome, run_case
from hostile_rig.stranger import Stranger

from learnae.codec.weights import encode_weights
from learnae.values.choices import Cycle, Phase
from learnae.values.ids import PeerId
from learnae.values.journal import AnyFact, ContentRefused, CycleEnded, PeerQuarantined, PhaseChanged, SliceUsed

Table = list[tuple[str, str, str]]
CASES = (*messages.CASES, *contents.CASES, *folders.CASES)
MOST_MEMORY_BYTES = 400 * 2**20


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    made = Arena(tmp_path_factory.mktemp("sharing"), sharing=True)
    try:
        victim = made.start("victim", rows=120, seed=1, learning_rate=1e-7)
        victim.wait_for("to finish", lambda facts: any(isinstance(f, PhaseChanged) and f.after is Phase.FINISHED for f in facts))
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def guilty() -> set[PeerId]:
    """Collect who was charged rightly."""
    return set()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_each_hostile_input_has_its_outcome(arena: Arena, case: Case, table: Table, guilty: set[PeerId]) -> None:
    charged = run_case(arena, case)
    guilty |= {charged} if charged else set()
    table.append((case.name, case.outcome, "its signer" if charged else "nobody"))
    assert (charged is not None) == (case.outcome is Outcome.CHARGED)


def test_a_signer_of_bad_content_is_soon_ignored(arena: Arena, table: Table, guilty: set[PeerId]) -> None:
    since = len(arena.victim.facts())
    stranger = Stranger(arena)
    for count in range(1, arena.manifest.limits.quarantine_after + 1):
        stranger.offer_model(b"bad" * count)
        # A model of another size is fetched only if it is not larger.
        arena.victim.wait_for(
            f"charge {count}",
            lambda facts, count=count: any(isinstance(f, ContentRefused) and f.charges == count for f in facts),  # type: ignore[misc]
            since=since,
        )
    arena.victim.wait_for("quarantine", lambda facts: PeerQuarantined(stranger.peer) in facts, since=since)
    since = len(arena.victim.facts())
    stranger.offer_model(encode_weights(contents.noisy(arena)))
    arena.wait_until_everything_was_read()
    other = Stranger(arena).offer_model(encode_weights(contents.noisy(arena)))
    arena.victim.wait_for("another's model", lambda facts: _was_tried(facts, other.peer), since=since)
    assert not _was_tried(arena.victim.facts()[since:], stranger.peer)
    guilty.add(stranger.peer)
    table.append(("bad content, three times by one signer", "quarantined, then ignored", "its signer"))


def _was_tried(facts: list[AnyFact], author: PeerId) -> bool:
    return any(isinstance(fact, CycleEnded) and author in fact.partners for fact in facts)


def test_the_victims_files_come_back_when_they_are_deleted_or_overwritten(arena: Arena, table: Table) -> None:
    for name, attack in (
        ("all of the victim's files deleted", folders.everything_of_the_victims_deleted),
        ("the victim's messages overwritten", folders.victims_words_overwritten),
    ):
        attack(arena)
        arena.victim.wait_for(name, lambda _: folders.presence_is_back(arena))
        table.append((name, "presence is there again", "nobody"))


@pytest.mark.parametrize(
    ("name", "attack"),
    [
        pytest.param("500 messages rewritten in one slot", floods.garbage_that_changes, id="garbage"),
        pytest.param("100 boards that nobody keeps", floods.a_hundred_dead_boards, id="boards"),
        pytest.param("uses of 512 slices, where 256 subjects are allowed", floods.uses_without_end, id="uses"),
        pytest.param("30 perfect models that nobody keeps", floods.thirty_dead_models, id="models"),
        pytest.param("2,000 strangers", floods.two_thousand_strangers, id="strangers"),
    ],
)
def test_floods_take_bounded_time_and_memory(arena: Arena, name: str, attack: floods.Flood, table: Table) -> None:
    attack(arena)
    arena.wait_until_everything_was_read()
    memory = arena.victim.memory_bytes()
    assert memory < MOST_MEMORY_BYTES
    table.append((name, f"taken in; {memory >> 20} MB of memory", "nobody"))


def test_afterwards_the_peer_trains_averages_and_adopts_with_an_honest_one(
    arena: Arena, table: Table, guilty: set[PeerId]
) -> None:
    victim = arena.victim
    since = len(victim.facts())
    honest = arena.start("honest", rows=400, seed=2, learning_rate=0.01)

    def is_done(facts: list[AnyFact]) -> bool:
        kept = {fact.kind for fact in facts if isinstance(fact, CycleEnded) and fact.kept and honest.peer in fact.partners}
        trained = {fact.slice for fact in facts if isinstance(fact, SliceUsed)}
        return bool(kept & {Cycle.AVERAGE, Cycle.EXPLORE}) and Cycle.ADOPT in kept and bool(trained)

    victim.wait_for("to train, average and adopt", is_done, since=since)
    facts = victim.facts()
    assert {fact.author for fact in facts if isinstance(fact, ContentRefused)} == guilty
    assert {fact.author for fact in facts if isinstance(fact, PeerQuarantined)} <= guilty
    assert not {fact.author for fact in honest.facts() if isinstance(fact, ContentRefused)} & {victim.peer, honest.peer}
    assert victim.memory_bytes() < MOST_MEMORY_BYTES
    table.append(("an honest peer that joins after all that", "trained with, averaged with, adopted", "nobody"))
    assert victim.stop() == honest.stop() == 0
