"""A peer that shares, under attack by everything that strangers can write; then an honest one joins, and both train together."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_rig import contents, folders, messages
from hostile_rig.arena import Arena
from hostile_rig.case import Case, Outcome, run_case

from learnae.values.choices import Phase
from learnae.values.ids import PeerId
from learnae.values.journal import ContentRefused, PhaseChanged

Table = list[tuple[str, str, str]]


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
    return set()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in (*messages.CASES, *contents.CASES, *folders.CASES)])
def test_each_hostile_input_has_its_outcome(arena: Arena, case: Case, table: Table, guilty: set[PeerId]) -> None:
    charged = run_case(arena, case)
    guilty |= {charged} if charged else set()
    table.append((case.name, case.outcome, "its signer" if charged else "nobody"))
    assert {fact.author for fact in arena.victim.facts() if isinstance(fact, ContentRefused)} == guilty
    assert (charged is not None) == (case.outcome is Outcome.CHARGED)
