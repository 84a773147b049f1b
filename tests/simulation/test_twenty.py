"""Twenty peers over the memory ledger, with messages lost and peers offline."""

from collections.abc import Callable
from dataclasses import replace
from statistics import mean

import pytest

from learnae.simulation.peers import Interval, SimulatedPeer
from learnae.simulation.result import SimulationResult
from learnae.simulation.simulation import Simulation
from learnae.values.choices import Cycle, Phase
from learnae.values.journal import AnnouncementSent, CycleEnded, FetchFailed, FileFetched, Notice
from learnae.values.manifest import Manifest

PEERS = 20
LOSS = 0.3


@pytest.fixture(scope="module")
def manifest(terms: Callable[..., Manifest]) -> Manifest:
    return terms()


@pytest.fixture(scope="module")
def peers(peer: Callable[..., SimulatedPeer]) -> list[SimulatedPeer]:
    def offline(number: int) -> tuple[Interval, ...]:
        if number % 2 == 0:
            return ()
        return Interval(1.0 + number / 4, 12.0 + number), Interval(40.0 + number, 45.0 + number)

    return [peer(number, offline=offline(number)) for number in range(PEERS)]


@pytest.fixture(scope="module")
def result(manifest: Manifest, peers: list[SimulatedPeer], simulate: Callable[..., Simulation]) -> SimulationResult:
    with simulate(manifest, peers, seed=1, loss=LOSS) as simulation:
        return simulation.run(at_most_s=1_000.0)


@pytest.mark.parametrize(("seed", "is_same"), [pytest.param(1, True, id="equal seed"), pytest.param(2, False, id="another")])
def test_equal_seeds_give_equal_journals(
    result: SimulationResult,
    manifest: Manifest,
    peers: list[SimulatedPeer],
    simulate: Callable[..., Simulation],
    seed: int,
    is_same: bool,
) -> None:
    with simulate(manifest, peers, seed=seed, loss=LOSS) as simulation:
        again = simulation.run(at_most_s=1_000.0)
    assert (again.journal() == result.journal()) is is_same
    assert ([item.model for item in again.peers] == [item.model for item in result.peers]) is is_same


def test_everyone_finishes(result: SimulationResult) -> None:
    assert result.finished
    assert result.seconds < 300.0
    assert {item.phase for item in result.peers} == {Phase.FINISHED}


def test_together_is_better_than_alone(
    result: SimulationResult,
    manifest: Manifest,
    peers: list[SimulatedPeer],
    simulate: Callable[..., Simulation],
    tested: Callable[[SimulationResult, Manifest], dict[str, float]],
) -> None:
    alone: dict[str, float] = {}
    for single in peers:
        with simulate(manifest, [replace(single, offline=())], seed=1) as simulation:
            alone |= tested(simulation.run(), manifest)
    together = tested(result, manifest)
    assert together.keys() == alone.keys()
    assert mean(together.values()) > mean(alone.values()) + 1.0


def test_the_same_gradient_steps_are_taken_whoever_else_is_there(result: SimulationResult, manifest: Manifest) -> None:
    trained = {item.peer: 0 for item in result.peers}
    for line in result.lines:
        if isinstance(line.fact, CycleEnded) and line.fact.kind is Cycle.TRAIN:
            trained[line.peer] += 1
    # 250 rows, a fifth of them for validation: three or four dataslices of 64, each gone over three times.
    assert set(trained.values()) <= {3 * manifest.passes, 4 * manifest.passes}


def test_boards_are_equal_when_the_news_has_stopped(
    manifest: Manifest, peers: list[SimulatedPeer], simulate: Callable[..., Simulation]
) -> None:
    with simulate(manifest, peers, seed=1, loss=LOSS) as simulation:
        at_the_end = simulation.run(at_most_s=1_000.0)
        later = simulation.run(until_s=at_the_end.seconds + 200.0)
    assert later.seconds == at_the_end.seconds + 200.0
    assert len({item.board for item in later.peers}) == 1
    assert len(later.peers[0].board) == PEERS


def test_scores_never_fall_but_by_training(result: SimulationResult) -> None:
    cycles = [line.fact for line in result.lines if isinstance(line.fact, CycleEnded)]
    folded = [cycle for cycle in cycles if cycle.kind is not Cycle.TRAIN and cycle.kept]
    assert len(folded) > PEERS
    for cycle in folded:
        assert cycle.before is not None
        assert cycle.tried is not None
        assert cycle.tried.accuracy > cycle.before.accuracy


def test_nobody_is_heard_of_while_offline(result: SimulationResult, peers: list[SimulatedPeer]) -> None:
    ids = {item.peer: single for item, single in zip(result.peers, peers, strict=True)}
    assert any(isinstance(line.fact, Notice) and line.fact.text.endswith("offline") for line in result.lines)
    assert any(isinstance(line.fact, FetchFailed) and line.fact.reason == "offline" for line in result.lines)
    for line in result.lines:
        # A model is noted once it was averaged and scored, and that needs no network.
        if isinstance(line.fact, AnnouncementSent) or (isinstance(line.fact, FileFetched) and line.fact.kind != "model"):
            assert ids[line.peer].is_online(line.time, line.time)


def test_time_never_goes_back(result: SimulationResult) -> None:
    times = [line.time for line in result.lines]
    assert times == sorted(times)
