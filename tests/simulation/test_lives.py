"""Crashes, late joiners, leavers, liars and policies."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest

from learnae.averaging.judging import merit
from learnae.builtins.memory import MemoryLedger
from learnae.codec.identity import Identity
from learnae.codec.manifests import session_id
from learnae.codec.messages import encode_message
from learnae.codec.seal import Seal
from learnae.errors import UsageError
from learnae.simulation.chance import seed_bytes
from learnae.simulation.peers import Computer, Interval, SimulatedPeer
from learnae.simulation.result import SimulationResult
from learnae.simulation.simulation import Simulation
from learnae.values.announcements import PROTOCOL, Announcement, Content, ModelOffer, Presence
from learnae.values.choices import Averaging, Cycle, Judge, Phase, Role
from learnae.values.journal import CycleEnded, MessageIgnored, Notice, PeerStarted, PeerStopped, SliceUsed
from learnae.values.manifest import Manifest
from learnae.values.scores import Score

Tested = Callable[[SimulationResult, Manifest], dict[str, float]]


def test_a_crashed_peer_goes_on_from_what_was_durable(
    terms: Callable[..., Manifest], peer: Callable[..., SimulatedPeer], simulate: Callable[..., Simulation]
) -> None:
    manifest = terms()
    slow = Computer(rows_per_s=300.0)
    crashes = (Interval(1.0, 3.0), Interval(4.1, 4.2), Interval(6.0, 30.0))
    peers = [peer(0, crashes=crashes, computer=slow), *(peer(number, computer=slow) for number in range(1, 5))]
    with simulate(manifest, peers) as simulation:
        before = simulation.run(until_s=5.99).peers[0]
        dead = simulation.run(until_s=6.5).peers[0]
        back = simulation.run(until_s=30.0).peers[0]
        result = simulation.run()
    assert before.phase not in (Phase.NEW, Phase.FINISHED)
    assert (dead.phase, dead.weights) == (Phase.NEW, None)
    assert (dead.model, dead.cycle, dead.board) == (before.model, before.cycle, before.board)
    assert back.model == before.model
    assert result.finished
    own = [line.fact for line in result.lines if line.peer == before.peer]
    started = [fact for fact in own if isinstance(fact, PeerStarted)]
    assert [fact.resumed for fact in started] == [False, True, True, True]
    assert started[-1].cycle == before.cycle > 0
    cycles = [fact.cycle for fact in own if isinstance(fact, CycleEnded)]
    assert cycles == list(range(1, len(cycles) + 1))
    uses = [(fact.slice, fact.own) for fact in own if isinstance(fact, SliceUsed)]
    assert len(set(uses)) == len(uses)
    assert len(uses) % manifest.passes == 0


def test_a_late_joiner_ends_within_a_point_of_the_best(
    terms: Callable[..., Manifest], peer: Callable[..., SimulatedPeer], simulate: Callable[..., Simulation], tested: Tested
) -> None:
    manifest = terms()
    peers = [*(peer(number) for number in range(6)), peer(9, joins_s=400.0)]
    with simulate(manifest, peers, loss=0.3) as simulation:
        early = simulation.run(until_s=399.0)
        result = simulation.run()
    assert {item.phase for item in early.peers[:-1]} == {Phase.FINISHED}
    assert early.peers[-1].phase is Phase.NEW
    assert result.finished
    accuracy = tested(result, manifest)
    assert accuracy["peer-09"] > max(accuracy.values()) - 1.0


def test_one_that_leaves_says_so_and_the_others_go_on(
    terms: Callable[..., Manifest], peer: Callable[..., SimulatedPeer], simulate: Callable[..., Simulation]
) -> None:
    peers = [peer(0, leaves_s=1.5), peer(1), peer(2)]
    with simulate(terms(), peers) as simulation:
        result = simulation.run()
    assert [item.phase for item in result.peers] == [Phase.STOPPED, Phase.FINISHED, Phase.FINISHED]
    stopped = [line for line in result.lines if isinstance(line.fact, PeerStopped)]
    assert [(line.peer, line.time) for line in stopped] == [(result.peers[0].peer, 1.5)]
    assert all(line.time <= 1.5 for line in result.lines if line.peer == result.peers[0].peer)


def boast(content: Content) -> Content:
    if isinstance(content, ModelOffer):
        score = Score(accuracy=1.0, loss=0.0, rows=content.record.score.rows)
        return msgspec.structs.replace(content, record=msgspec.structs.replace(content.record, score=score))
    return content


def test_a_liar_costs_the_others_only_attempts(
    terms: Callable[..., Manifest], peer: Callable[..., SimulatedPeer], simulate: Callable[..., Simulation], tested: Tested
) -> None:
    manifest = terms()
    honest = [peer(number) for number in range(5)]
    upside_down = np.array(peer(8).rows)
    upside_down[:, -1] = 1.0 - upside_down[:, -1]
    liar = SimulatedPeer(name="liar", rows=upside_down, settings=honest[0].settings, says=boast)
    with simulate(manifest, [*honest, liar]) as simulation:
        result = simulation.run()
    assert result.finished
    false = result.peers[-1]
    claims = [
        entry.announcement.content.record.score.accuracy
        for entry in result.peers[0].board
        if entry.announcement.author == false.peer and isinstance(entry.announcement.content, ModelOffer)
    ]
    assert claims == [1.0]
    tried = [line.fact for line in result.lines if isinstance(line.fact, CycleEnded) and false.peer in line.fact.partners]
    assert {Cycle.AVERAGE, Cycle.ADOPT} <= {fact.kind for fact in tried}
    assert all(fact.tried.accuracy > fact.before.accuracy for fact in tried if fact.kept and fact.tried and fact.before)
    accuracy = tested(result, manifest)
    assert accuracy.pop("liar") < 60.0
    assert min(accuracy.values()) > 74.0


def test_noise_and_a_clone_on_the_ledger(
    terms: Callable[..., Manifest], peer: Callable[..., SimulatedPeer], simulate: Callable[..., Simulation]
) -> None:
    manifest, ledger = terms(), MemoryLedger()
    session = session_id(manifest)
    copied = Identity.from_seed(seed_bytes(7, "peer/peer-00"))
    ahead = copied.sign(Announcement(PROTOCOL, session, copied.peer, 10**6, Presence(Role.FULL, False, None, ())))
    with simulate(manifest, [peer(number) for number in range(3)], seed=7, ledger=ledger) as simulation:
        simulation.run(until_s=2.0)
        ledger.post("stranger", "0" * 64, b"noise")
        simulation.run(until_s=3.0)
        ledger.post("stranger", "0" * 64, encode_message(ahead, Seal(session, None)))
        result = simulation.run()
    ignored = [line.fact for line in result.lines if isinstance(line.fact, MessageIgnored)]
    assert [fact.bytes for fact in ignored] == [5, 5, 5]
    assert [item.phase for item in result.peers] == [Phase.STOPPED, Phase.FINISHED, Phase.FINISHED]
    assert any(isinstance(line.fact, Notice) and "signs with this peer's key" in line.fact.text for line in result.lines)


@pytest.mark.parametrize(
    ("policy", "judge", "min_gain"),
    [
        pytest.param(Averaging.SOUP, Judge.ACCURACY, 0.0, id="soup"),
        pytest.param(Averaging.PAIRWISE, Judge.LOSS, 1e-4, id="loss"),
        pytest.param(Averaging.SOUP, Judge.LOSS, 1e-4, id="soup by loss"),
    ],
)
def test_policies(
    terms: Callable[..., Manifest],
    peer: Callable[..., SimulatedPeer],
    settings: Callable[..., Any],
    simulate: Callable[..., Simulation],
    policy: Averaging,
    judge: Judge,
    min_gain: float,
) -> None:
    manifest = terms(judge=judge, min_gain=min_gain)
    peers = [peer(number, settings=settings(policy=policy)) for number in range(6)]
    with simulate(manifest, peers, loss=0.1) as simulation:
        result = simulation.run(at_most_s=2_000.0)
    assert result.finished
    folds = [line.fact for line in result.lines if isinstance(line.fact, CycleEnded) and line.fact.kind is not Cycle.TRAIN]
    assert any(fact.kept for fact in folds)
    most = max(len(fact.partners) for fact in folds)
    assert (1 < most <= 4) if policy is Averaging.SOUP else most == 1
    for item in result.peers:
        own = [line.fact for line in result.lines if line.peer == item.peer and isinstance(line.fact, CycleEnded)]
        for fact, following in pairwise(own):
            if fact.kind is not Cycle.TRAIN and fact.kept and fact.before and following.before:
                assert merit(judge, following.before) > merit(judge, fact.before) + min_gain


def test_who_expects_peers_that_never_come_does_not_finish(
    terms: Callable[..., Manifest],
    peer: Callable[..., SimulatedPeer],
    settings: Callable[..., Any],
    simulate: Callable[..., Simulation],
) -> None:
    peers = [peer(number, settings=settings(expect_peers=2)) for number in range(2)]
    with simulate(terms(), peers) as simulation:
        result = simulation.run(at_most_s=300.0)
    assert not result.finished
    assert result.seconds == 300.0
    assert {item.phase for item in result.peers} == {Phase.IDLE}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({"offline": (Interval(2.0, 1.0),)}, "must rise", id="backwards"),
        pytest.param({"crashes": (Interval(1.0, 3.0), Interval(2.0, 4.0))}, "must rise", id="overlapping"),
        pytest.param({"joins_s": 5.0, "crashes": (Interval(1.0, 3.0),)}, "must rise", id="dead before it lives"),
        pytest.param({"joins_s": 5.0, "leaves_s": 4.0}, "after it runs", id="leaves before it joins"),
        pytest.param({"joins_s": -1.0}, "0 or later", id="before the start"),
    ],
)
def test_lives_that_cannot_be(peer: Callable[..., SimulatedPeer], fields: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        peer(0, **fields)


def test_sessions_that_cannot_be(
    terms: Callable[..., Manifest],
    peer: Callable[..., SimulatedPeer],
    settings: Callable[..., Any],
    simulate: Callable[..., Simulation],
) -> None:
    with pytest.raises(UsageError, match="name of its own"):
        simulate(terms(), [peer(0), peer(0)])
    with pytest.raises(UsageError, match="name of its own"):
        simulate(terms(), [])
    with pytest.raises(UsageError, match="secret_check"):
        simulate(terms(), [peer(0)], secret=b"nobody asked for a secret")
    with pytest.raises(UsageError, match="rows are shared"):
        simulate(terms(), [peer(0, settings=settings(Role.FEEDER))])
    with pytest.raises(UsageError, match="has no rows"):
        simulate(terms(sharing=True), [SimulatedPeer(name="rowless")])
    with pytest.raises(UsageError, match="loss"):
        simulate(terms(), [peer(0)], loss=1.5)
    with pytest.raises(UsageError, match="rows_per_s"):
        Computer(rows_per_s=0.0)
