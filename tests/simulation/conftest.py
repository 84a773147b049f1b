"""Small seeded sessions for the virtual driver, on synthetic rows, with the NumPy framework."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from learnae.builtins import numpy_framework
from learnae.builtins.memory import MemoryLedger
from learnae.codec.manifests import session_id
from learnae.config.settings import AveragingSection, NetworkSection, PeerSection, PeerSettings
from learnae.config.training import TrainingSection
from learnae.data.rows import to_rows
from learnae.data.synthetic import synthetic_rows
from learnae.interfaces.framework import ModelFramework
from learnae.interfaces.provider import Capability, Context
from learnae.plugins.facade import Plugins
from learnae.simulation.peers import SimulatedPeer
from learnae.simulation.result import SimulationResult
from learnae.simulation.simulation import OpenFramework, Simulation
from learnae.testing.rows import toy_manifest
from learnae.values.arrays import Rows
from learnae.values.choices import Averaging, Role
from learnae.values.ids import PeerId
from learnae.values.manifest import Manifest

MakePeer = Callable[..., SimulatedPeer]
Simulate = Callable[..., Simulation]


def raw_rows(count: int, seed: int) -> NDArray[np.float32]:
    _, rows = synthetic_rows(count, seed)
    return np.ascontiguousarray(np.roll(rows, -1, axis=1))


def numpy_opener(manifest: Manifest) -> OpenFramework:
    session = session_id(manifest)

    def open_framework(training: TrainingSection) -> ModelFramework:
        context = Context(
            manifest=manifest,
            session=session,
            rendezvous=session,
            peer=PeerId(session),
            owner=session,
            state=Path(),
            training=training.for_framework(),
        )
        return Plugins.of(numpy_framework).open(Capability.FRAMEWORK, "numpy", context)

    return open_framework


def make_settings(role: Role = Role.FULL, *, policy: Averaging = Averaging.PAIRWISE, **network: Any) -> PeerSettings:
    return PeerSettings(
        peer=PeerSection(role=role),
        training=TrainingSection(framework="numpy", learning_rate=1e-2),
        averaging=AveragingSection(policy=policy),
        network=NetworkSection(**network),
    )


@pytest.fixture(scope="session")
def terms() -> Callable[..., Manifest]:
    """Make a manifest for synthetic rows."""

    def make(**fields: Any) -> Manifest:
        return toy_manifest(**{"features": 27, "hidden": (16,), "slice_size": 64, "passes": 3, **fields})

    return make


@pytest.fixture(scope="session")
def settings() -> Callable[..., PeerSettings]:
    """Make settings: role, averaging policy, and any key of the section ``[network]``."""
    return make_settings


@pytest.fixture(scope="session")
def peer() -> MakePeer:
    """Make a peer: its number seeds its rows; a trainer has none."""

    def make(number: int, *, rows: int = 250, settings: PeerSettings | None = None, **fields: Any) -> SimulatedPeer:
        chosen = settings or make_settings()
        own = None if chosen.peer.role is Role.TRAINER else raw_rows(rows, 100 + number)
        return SimulatedPeer(**{"name": f"peer-{number:02d}", "rows": own, "settings": chosen, **fields})

    return make


@pytest.fixture(scope="session")
def simulate() -> Simulate:
    """Make a simulation over a memory ledger of its own."""

    def make(manifest: Manifest, peers: Sequence[SimulatedPeer], **options: Any) -> Simulation:
        return Simulation(manifest, peers, **{"ledger": MemoryLedger(), "open_framework": numpy_opener(manifest), **options})

    return make


@pytest.fixture(scope="session")
def tested() -> Callable[[SimulationResult, Manifest], dict[str, float]]:
    """Score every peer's model on 4,000 rows that no peer has, in percent."""
    raw = raw_rows(4_000, 99_999)

    def test(result: SimulationResult, manifest: Manifest) -> dict[str, float]:
        rows: Rows = to_rows(raw, manifest)
        framework = numpy_opener(manifest)(make_settings().training)
        return {name: 100 * accuracy for name, accuracy in result.accuracies(framework, rows).items()}

    return test
