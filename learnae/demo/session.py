"""The demo's session and its peers' folders: from rows to what ``learnae run`` is told."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from learnae.codec.manifests import session_id, write_manifest
from learnae.config.resolve import load_settings
from learnae.config.template import commented_toml
from learnae.demo.rows import DemoRows, write_table
from learnae.errors import ConfigError, StateError
from learnae.founding.session import found_session
from learnae.interfaces.provider import Capability, Context
from learnae.values.ids import PeerId

if TYPE_CHECKING:
    from learnae.demo.plan import DemoPlan
    from learnae.plugins.facade import Plugins
    from learnae.values.manifest import Manifest

MANIFEST, LEDGER, TEST_ROWS, ALONE_LOG = "session.json", "ledger", "test-rows.csv", "alone.txt"
PICTURE, REPORT = "comparison.png", "report.png"
SLICE_SIZE = 80
"""Small, so that a few hundred rows make several work cycles, between which there is something to exchange."""

QUIET_PERIOD_S = 1.0
ALONE_QUIET_PERIOD_S = 0.2
"""Nobody can send news to a peer that is alone; zero would end it before it has cut its rows."""

SPARE_S = 120.0
"""A peer ends by itself so long after the demo should have stopped it, if the demo is gone and the system does not say so."""

_FREE = ("peer.session", "peer.data", "peer.state", "peer.role", "peer.until", "network.expect_peers")
_NOBODY = PeerId("0" * 64)


@dataclass(frozen=True, slots=True)
class PeerFiles:
    """Where one peer's things are.

    Attributes:
        name: Such as ``peer-1``.
        folder: Everything of this peer's.
    """

    name: str
    folder: Path

    @property
    def rows(self) -> Path:
        """Its rows."""
        return self.folder / "rows.csv"

    def config(self, *, alone: bool) -> Path:
        """Return the file with its settings."""
        return self.folder / ("alone.toml" if alone else "learnae.toml")

    def state(self, *, alone: bool) -> Path:
        """Return its state folder."""
        return self.folder / ("alone" if alone else "state")

    @property
    def log(self) -> Path:
        """The file that takes what its process says."""
        return self.folder / "log.txt"

    def journal(self, *, alone: bool) -> Path:
        """Return its journal."""
        return self.state(alone=alone) / "events.jsonl"


def peer_files(plan: DemoPlan, folder: Path) -> tuple[PeerFiles, ...]:
    """Name the peers and their folders."""
    return tuple(PeerFiles(f"peer-{number}", folder / f"peer-{number}") for number in range(1, plan.peers + 1))


def made_names(plan: DemoPlan) -> list[str]:
    """List what a demo makes directly in its folder."""
    peers = [f"peer-{number}" for number in range(1, plan.peers + 1)]
    return [MANIFEST, LEDGER, TEST_ROWS, ALONE_LOG, PICTURE, REPORT, *peers]


def write_session(plan: DemoPlan, rows: DemoRows, peers: tuple[PeerFiles, ...], folder: Path) -> Manifest:
    """Write every peer's rows, the test's rows and the manifest.

    Classes and scaling come from what the peers have, never from the test's rows.

    Raises:
        OperatorError: A target that cannot be predicted, or a folder that cannot be written.
    """
    header = (rows.label, *rows.features)
    try:
        for files, own in zip(peers, rows.peers, strict=True):
            files.folder.mkdir()
            write_table(files.rows, header, [own])
        write_table(folder / TEST_ROWS, header, [rows.test])
        (folder / LEDGER).mkdir()
        with TemporaryDirectory(prefix="learnae-") as temporary:
            everybody = write_table(Path(temporary) / "rows.csv", header, rows.peers)
            manifest = found_session(
                everybody,
                label=rows.label,
                task=rows.task,
                # Two demos on one public ledger must not meet.
                name=f"demo {secrets.token_hex(4)}",
                features=rows.features,
                hidden=plan.hidden,
                slice_size=SLICE_SIZE,
                passes=plan.passes,
                judge=plan.judge,
                seed=plan.seed,
                publish_scaling=True,
            )
        write_manifest(folder / MANIFEST, manifest)
    except OSError as exc:
        raise StateError(f"{folder}: cannot be written: {exc.strerror or exc}") from exc
    return manifest


def choose_framework(plan: DemoPlan, manifest: Manifest, folder: Path, plugins: Plugins) -> tuple[str, str]:
    """Return the framework, and a sentence where it is not the one that the operator may expect.

    Raises:
        ProviderError: There is none of the name that was asked for.
    """
    if plan.framework is not None:
        plugins.get(Capability.FRAMEWORK, plan.framework)
        return plan.framework, ""
    session = session_id(manifest)
    context = Context(manifest=manifest, session=session, rendezvous=session, peer=_NOBODY, owner=_NOBODY, state=folder)
    findings = plugins.check(Capability.FRAMEWORK, "jax", context)
    missing = next((finding for finding in findings if not finding.ok), None)
    if missing is None:
        return "jax", ""
    return "numpy", f"training with NumPy, because {missing.text}; to train with JAX, type: {missing.advice}"


def write_settings(plan: DemoPlan, files: PeerFiles, framework: str, *, alone: bool, plugins: Plugins) -> None:
    """Write what a peer is told.

    Alone and together a peer has the same rows, the same number of gradient steps, and its current model is its final one; alone
    it has a ledger that ends with its process.

    Raises:
        ConfigError: A setting cannot be used.
        ProviderError: No such transport or storage.
    """
    transport, storage = plan.transport, plan.storage or plugins.storage_for(plan.transport)
    plugins.get(Capability.TRANSPORT, transport)
    plugins.get(Capability.STORAGE, storage)
    given: dict[str, object] = {
        "training.framework": framework,
        "training.epochs": plan.epochs,
        "averaging.policy": plan.averaging.value,
        "network.transport": transport,
        "network.storage": storage,
        "network.quiet_period_s": QUIET_PERIOD_S,
        "network.presence_interval_s": 0.5,
        "network.retry_s": 0.5,
    }
    if "localfs" in {transport, storage}:
        given |= {"plugins.localfs.folder": str(files.folder.parent / LEDGER), "plugins.localfs.poll_interval_s": 0.05}
    if taken := next((key for key in _FREE if key in plan.overrides), None):
        raise ConfigError(f"--set {taken}: the demo sets it for each peer")
    given |= dict(plan.overrides)
    given |= {
        "peer.session": str(files.folder.parent / MANIFEST),
        "peer.data": str(files.rows),
        "peer.state": str(files.state(alone=alone)),
        "peer.until": "converged" if alone else f"{plan.limit_s + SPARE_S:.0f}s",
        "network.expect_peers": 0 if alone else plan.peers - 1,
    }
    if alone:
        given |= {
            "network.transport": "memory",
            "network.storage": "memory",
            "network.quiet_period_s": ALONE_QUIET_PERIOD_S,
        }
    settings = load_settings(None, given).settings
    plugins.check_sections(settings.plugins)
    try:
        files.config(alone=alone).write_text(commented_toml(settings, plugins.options()), encoding="utf-8")
    except OSError as exc:
        raise StateError(f"{files.config(alone=alone)}: cannot be written: {exc.strerror or exc}") from exc
