"""Rows that travel: a feeder, two trainers without rows, three full peers."""

from collections.abc import Callable
from typing import Any

import pytest

from learnae.simulation.peers import SimulatedPeer
from learnae.simulation.result import SimulationResult
from learnae.simulation.simulation import Simulation
from learnae.values.choices import Phase, Role
from learnae.values.journal import CycleEnded, FileFetched, SlicesQueued, SliceUsed
from learnae.values.manifest import Manifest

ROLES = (Role.FEEDER, Role.TRAINER, Role.TRAINER, Role.FULL, Role.FULL, Role.FULL)
TRAINERS = 5
THRESHOLD = 6


@pytest.fixture(scope="module")
def manifest(terms: Callable[..., Manifest]) -> Manifest:
    return terms(sharing=True, overuse_threshold=THRESHOLD, passes=3)


@pytest.fixture(scope="module")
def result(
    manifest: Manifest, peer: Callable[..., SimulatedPeer], settings: Callable[..., Any], simulate: Callable[..., Simulation]
) -> SimulationResult:
    peers = [peer(number, settings=settings(role)) for number, role in enumerate(ROLES)]
    with simulate(manifest, peers, seed=3, loss=0.05) as simulation:
        return simulation.run(at_most_s=2_000.0)


def test_everyone_finishes(result: SimulationResult) -> None:
    assert result.finished
    assert {item.phase for item in result.peers} == {Phase.FINISHED}


def test_slices_travel_to_those_who_train(result: SimulationResult) -> None:
    fetched = {line.peer for line in result.lines if isinstance(line.fact, FileFetched) and line.fact.kind == "slice"}
    assert fetched == {item.peer for item in result.peers if item.role is not Role.FEEDER}
    feeder = next(item for item in result.peers if item.role is Role.FEEDER)
    queued = [line.fact for line in result.lines if isinstance(line.fact, SlicesQueued)]
    assert any(fact.author == feeder.peer and fact.passes > 0 for fact in queued)


def test_trainers_learn_from_what_others_share(
    result: SimulationResult, manifest: Manifest, tested: Callable[[SimulationResult, Manifest], dict[str, float]]
) -> None:
    accuracy = tested(result, manifest)
    assert accuracy.keys() == {item.name for item in result.peers if item.role is not Role.FEEDER}
    assert min(accuracy.values()) > 75.0
    for item in result.peers:
        assert (item.score is None) is (item.role is Role.FEEDER)


def test_the_feeder_does_not_train(result: SimulationResult) -> None:
    feeder = next(item for item in result.peers if item.role is Role.FEEDER)
    assert not any(line.peer == feeder.peer for line in result.lines if isinstance(line.fact, CycleEnded | SliceUsed))


def test_uses_are_counted_and_the_overshoot_is_bounded_by_those_at_work_unheard(result: SimulationResult) -> None:
    assert sum(item.uses for item in result.slices) == sum(isinstance(line.fact, SliceUsed) for line in result.lines)
    assert len(result.slices) > 8
    for item in result.slices:
        assert item.uses >= 3
        assert item.users <= TRAINERS
        assert item.overshoot == max(0, item.uses - THRESHOLD)
        assert item.overshoot <= min(item.unheard, TRAINERS - 1)
    assert result.overshoot == sum(item.overshoot for item in result.slices)
    assert max(item.uses for item in result.slices) >= THRESHOLD


def test_nobody_begins_a_slice_that_it_knows_to_be_at_the_threshold(result: SimulationResult) -> None:
    uses = [line.fact for line in result.lines if isinstance(line.fact, SliceUsed)]
    assert all(use.network <= THRESHOLD for use in uses)
