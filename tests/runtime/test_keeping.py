"""Real peers keep files of others on ledgers that can, and do without on those that cannot."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from learnae import offered_locators
from learnae.builtins import numpy_framework
from learnae.builtins.memory import MemoryLedger, MemoryStorage
from learnae.codec.manifests import session_id, write_manifest
from learnae.codec.seal import Seal
from learnae.config.settings import KeepingSection, NetworkSection, PeerSection, PeerSettings
from learnae.config.training import TrainingSection
from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.errors import UnavailableError
from learnae.hookspecs import hookimpl
from learnae.interfaces.provider import Provider
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.performing.store import Store
from learnae.plugins.facade import Plugins
from learnae.runtime.peer import Outcome
from learnae.runtime.running import run_peer
from learnae.testing.rows import toy_manifest
from learnae.values.ids import Locator
from learnae.values.journal import AnyFact, FileKept, FileLetGo, JournalLine, Notice
from learnae.values.manifest import Manifest

ALL = KeepingSection(own_models="all", foreign_models="all", foreign_slices="all", foreign_hashlists="all")


class OnMemory:
    """A plugin with one memory ledger, and storages on it that are made as told."""

    def __init__(self, ledger: MemoryLedger, storage: Callable[[MemoryLedger, str], Storage] = MemoryStorage) -> None:
        self._ledger = ledger
        self._storage = storage

    @hookimpl
    def learnae_transports(self) -> list[Provider[Transport]]:
        return [self._ledger.providers()[0]]

    @hookimpl
    def learnae_storages(self) -> list[Provider[Storage]]:
        return [Provider("memory", "A storage.", lambda context: self._storage(self._ledger, context.owner))]


class Hanging(MemoryStorage):
    """Keeps nothing and does not say what it offers: it never answers."""

    async def keep(self, locator: Locator, *, max_bytes: int) -> None:
        await asyncio.Event().wait()

    async def offered(self) -> Sequence[Locator]:
        await asyncio.Event().wait()
        return ()


class LateToAnswer(MemoryStorage):
    """Fails to say what it offers, at first."""

    def __init__(self, ledger: MemoryLedger, owner: str) -> None:
        super().__init__(ledger, owner)
        self._failures = 2

    async def offered(self) -> Sequence[Locator]:
        self._failures -= 1
        if self._failures >= 0:
            raise UnavailableError("not yet")
        return await super().offered()


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    made = toy_manifest(features=27, hidden=(8,), slice_size=40, passes=1, sharing=True, overuse_threshold=9)
    write_manifest(tmp_path / "session.json", made)
    return made


def _settings(folder: Path, name: str, *, keeping: KeepingSection = ALL, **network: Any) -> PeerSettings:
    columns, table = synthetic_rows(160, seed=ord(name[0]))
    write_csv(folder / f"{name}.csv", columns, table)
    given = {"transport": "memory", "quiet_period_s": 1.0, "presence_interval_s": 0.1, "retry_s": 0.1, "retention_s": 0.2}
    return PeerSettings(
        peer=PeerSection(session=folder / "session.json", state=folder / name, until="converged", data=folder / f"{name}.csv"),
        training=TrainingSection(framework="numpy", epochs=1, learning_rate=0.01),
        network=NetworkSection(**{**given, **network}),
        keeping=keeping,
        plugins={"localfs": {"folder": str(folder / "ledger"), "poll_interval_s": 0.02, "fsync": False}}
        if network.get("transport") == "localfs"
        else {},
    )


def _run(plugins: Plugins, *settings: PeerSettings) -> list[Outcome]:
    async def together() -> list[Outcome]:
        async with asyncio.timeout(120):
            return list(await asyncio.gather(*(run_peer(each, plugins) for each in settings)))

    return asyncio.run(together())


def _facts(folder: Path, name: str) -> list[AnyFact]:
    lines = (folder / name / "events.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=JournalLine).fact for line in lines]


def _owner(manifest: Manifest, outcome: Outcome) -> str:
    return Seal(session_id(manifest), None).owner(outcome.peer)


def test_what_others_offer_is_kept_and_what_a_killed_peer_left_is_released(tmp_path: Path, manifest: Manifest) -> None:
    ledger = MemoryLedger()
    plugins = Plugins.of(OnMemory(ledger), numpy_framework)
    names = ("anna", "bob")
    settings = [_settings(tmp_path, name, expect_peers=1) for name in names]
    outcomes = _run(plugins, *settings)
    for name, outcome in zip(names, outcomes, strict=True):
        kept = [fact for fact in _facts(tmp_path, name) if isinstance(fact, FileKept)]
        assert {fact.kind for fact in kept} == {"model", "slice", "hashlist"}
        assert {fact.author for fact in kept} == {other.peer for other in outcomes} - {outcome.peer}
        held = set(ledger.held(_owner(manifest, outcome)))
        assert len(held & set(offered_locators(tmp_path / name))) >= len(kept)
    author, other = (_owner(manifest, outcome) for outcome in outcomes)
    slices = [locator for locator in ledger.held(author) if locator in ledger.held(other)]
    for locator in ledger.held(author):
        ledger.drop(author, locator)
    assert slices
    assert all(ledger.load(locator, 10**6) for locator in slices), "with its author gone, others still have them"

    stray = ledger.store(other, b"stored by a run that was killed before it could commit")
    _run(plugins, settings[1])
    assert stray not in ledger.held(other)
    assert any("releasing files that are left over" in fact.text for fact in _facts(tmp_path, "bob") if isinstance(fact, Notice))


def test_other_settings_at_the_next_start_let_files_go(tmp_path: Path, manifest: Manifest) -> None:
    ledger = MemoryLedger()
    plugins = Plugins.of(OnMemory(ledger), numpy_framework)
    outcomes = _run(plugins, *(_settings(tmp_path, name, expect_peers=1) for name in ("anna", "bob")))
    bob = _owner(manifest, outcomes[1])
    store = Store.open(tmp_path / "bob" / "peer.sqlite", session_id(manifest))
    kept = {locator for file in store.load().kept.values() if file.kept for locator in file.locators}
    store.close()
    assert kept
    assert kept <= set(ledger.held(bob))
    none = KeepingSection(own_models="none", foreign_models="none", foreign_slices="none", foreign_hashlists="none")
    _run(plugins, _settings(tmp_path, "bob", keeping=none))
    assert not kept & set(ledger.held(bob))
    assert not kept & offered_locators(tmp_path / "bob")
    assert {fact.kind for fact in _facts(tmp_path, "bob") if isinstance(fact, FileLetGo)} >= {"model", "slice", "hashlist"}


def test_a_storage_that_never_answers_keeps_nobody_from_training(tmp_path: Path, manifest: Manifest) -> None:
    plugins = Plugins.of(OnMemory(MemoryLedger(), Hanging), numpy_framework)
    settings = [_settings(tmp_path, name, expect_peers=1, fetch_timeout_s=0.3) for name in ("anna", "bob")]
    assert [outcome.reason for outcome in _run(plugins, *settings)] == ["converged"] * 2
    facts = _facts(tmp_path, "anna")
    assert not [fact for fact in facts if isinstance(fact, FileKept)]
    told = [fact.text for fact in facts if isinstance(fact, Notice)]
    assert sum("cannot look for left-over files" in text for text in told) == 1
    assert sum("cannot keep" in text for text in told) == 1


def test_a_storage_that_answers_late_is_asked_again_while_the_peer_is_at_work(tmp_path: Path, manifest: Manifest) -> None:
    ledger = MemoryLedger()
    (outcome,) = _run(Plugins.of(OnMemory(ledger), numpy_framework), _settings(tmp_path, "anna"))
    stray = ledger.store(_owner(manifest, outcome), b"a stray")
    _run(Plugins.of(OnMemory(ledger, LateToAnswer), numpy_framework), _settings(tmp_path, "anna", quiet_period_s=2.0))
    assert stray not in ledger.held(_owner(manifest, outcome))


def test_a_folder_that_all_share_keeps_nothing_and_nothing_is_said(tmp_path: Path, manifest: Manifest) -> None:
    settings = [_settings(tmp_path, name, expect_peers=1, transport="localfs") for name in ("anna", "bob")]
    outcomes = _run(Plugins.discover(), *settings)
    assert [outcome.reason for outcome in outcomes] == ["converged"] * 2
    facts = _facts(tmp_path, "anna")
    assert not [fact for fact in facts if isinstance(fact, FileKept) or (isinstance(fact, Notice) and "keep" in fact.text)]
    owner = _owner(manifest, outcomes[0])
    there = {f"localfs:{owner}/{path.name}" for path in (tmp_path / "ledger").glob(f"learnae/v1/*/files/{owner}/*")}
    assert {locator for locator in offered_locators(tmp_path / "anna") if locator in there}
