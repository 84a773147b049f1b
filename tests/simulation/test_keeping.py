"""Files of others that are kept, in simulated sessions: for how long, and that nothing is left behind."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from learnae.builtins.memory import MemoryLedger
from learnae.codec.manifests import session_id
from learnae.codec.seal import Seal
from learnae.config.settings import KeepingSection
from learnae.machine.events import FileKind
from learnae.machine.memory import Memory
from learnae.simulation.peers import Interval, SimulatedPeer
from learnae.simulation.simulation import Simulation
from learnae.values.choices import Role
from learnae.values.journal import FileKept, Notice
from learnae.values.manifest import Manifest

Simulate = Callable[..., Simulation]
MakePeer = Callable[..., SimulatedPeer]
Settings = Callable[..., Any]


def _memory(simulation: Simulation, number: int) -> Memory:
    return simulation._nodes[number]._store.load()


def _known(simulation: Simulation, number: int) -> set[str]:
    """Return where the files are that a peer remembers to offer or to keep."""
    memory = _memory(simulation, number)
    files = [*memory.offered.values(), *memory.kept.values(), *(item for item in memory.slices.values() if item.shared)]
    return {locator for file in files for locator in file.locators}


def _with(settings: Any, **keeping: str) -> Any:
    return msgspec.structs.replace(settings, keeping=KeepingSection(**keeping))


@pytest.mark.parametrize("most", [0, 1, 3])
def test_as_many_are_kept_as_the_policy_says(
    terms: Callable[..., Manifest], peer: MakePeer, settings: Settings, simulate: Simulate, most: int
) -> None:
    policy = f"last {most}" if most else "none"
    chosen = _with(settings(), foreign_models=policy, foreign_slices=policy, foreign_hashlists=policy)
    peers = [peer(number, settings=chosen) for number in range(4)]
    with simulate(terms(sharing=True), peers, seed=1) as simulation:
        simulation.run(until_s=simulation.run().seconds + 60.0)
        for number in range(4):
            kept = _memory(simulation, number).kept.values()
            assert all(file.kept for file in kept)
            counts = Counter(file.kind for file in kept)
            assert [counts[kind] for kind in (FileKind.MODEL, FileKind.SLICE, FileKind.HASHLIST)] == [most] * 3


def test_a_model_outlasts_its_author(terms: Callable[..., Manifest], peer: MakePeer, simulate: Simulate) -> None:
    """Somebody else offers it too, and so whoever lists who has it finds more than one."""
    manifest, ledger = terms(), MemoryLedger()
    peers = [peer(number) for number in range(3)]
    with simulate(manifest, peers, ledger=ledger) as simulation:
        result = simulation.run()
        held = [set(_known(simulation, number)) for number in range(3)]
    models = {fact.digest for fact in (line.fact for line in result.lines) if isinstance(fact, FileKept) and fact.kind == "model"}
    assert models
    assert any(first & second for first in held for second in held if first is not second)


def test_what_a_crash_left_is_released_and_nothing_stays_that_nobody_remembers(
    terms: Callable[..., Manifest], peer: MakePeer, settings: Settings, simulate: Simulate
) -> None:
    manifest, ledger = terms(sharing=True), MemoryLedger()
    crashes = tuple(Interval(begin_s, begin_s + 0.2) for begin_s in (0.35, 1.1, 1.9, 2.6, 3.3, 4.7, 6.1))
    chosen = settings(Role.FULL, retention_s=5.0)
    peers = [peer(0, settings=chosen, crashes=crashes), peer(1, settings=chosen), peer(2, settings=chosen)]
    with simulate(manifest, peers, ledger=ledger, seed=5) as simulation:
        result = simulation.run()
        result = simulation.run(until_s=result.seconds + 100.0)
        seal = Seal(session_id(manifest), None)
        for number, item in enumerate(result.peers):
            assert set(ledger.held(seal.owner(item.peer))) <= _known(simulation, number)
    strays = [fact.text for fact in (line.fact for line in result.lines) if isinstance(fact, Notice) and "releasing" in fact.text]
    assert strays, "seldom is a file stored and its answer lost with the crash; this seed and these moments are such a case"


def test_equal_arguments_give_equal_lines(
    terms: Callable[..., Manifest], peer: MakePeer, settings: Settings, simulate: Simulate
) -> None:
    chosen = _with(settings(), own_models="last 2", foreign_models="best", foreign_slices="last 2", foreign_hashlists="all")
    lines = []
    for _ in range(2):
        peers = [peer(number, rows=150, settings=chosen, crashes=(Interval(2.0 + number, 3.5 + number),)) for number in range(3)]
        with simulate(terms(sharing=True), peers, loss=0.2) as simulation:
            lines.append([msgspec.json.encode(line) for line in simulation.run().lines])
    assert lines[0] == lines[1]
    assert any(b'"type":"kept"' in line for line in lines[0])
