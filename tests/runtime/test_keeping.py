"""Real peers keep files of others on ledgers that can, and do without on those that cannot."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
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
from learnae.values.ids import Locator, PeerId
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


def _settings(
    folder: Path, name: str, *, keeping: KeepingSection = ALL, until: str = "converged", **network: Any
) -> PeerSettings:
    columns, table = synthetic_rows(160, seed=ord(name[0]))
    write_csv(folder / f"{name}.csv", columns, table)
    given = {"transport": "memory", "quiet_period_s": 1.0, "presence_interval_s": 0.1, "retry_s": 0.1, "retention_s": 0.2}
    return PeerSettings(
        peer=PeerSection(session=folder / "session.json", state=folder / name, until=until, data=folder / f"{name}.csv"),
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


def _run_until(is_done: Callable[[], bool], plugins: Plugins, *settings: PeerSettings) -> None:
    """Run peers until something is so: a peer may converge and stop before the last of its files is kept, or let go."""

    async def together() -> None:
        peers = [asyncio.create_task(run_peer(each, plugins)) for each in settings]
        async with asyncio.timeout(120):
            while not (is_done() or any(peer.done() for peer in peers)):
                await asyncio.sleep(0.02)
        for peer in peers:
            peer.cancel()
        ended = await asyncio.gather(*peers, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended

    asyncio.run(together())


def _lines(folder: Path, name: str) -> list[JournalLine]:
    path = folder / name / "events.jsonl"
    return [msgspec.json.decode(line, type=JournalLine) for line in path.read_bytes().splitlines()] if path.exists() else []


def _facts(folder: Path, name: str) -> list[AnyFact]:
    return [line.fact for line in _lines(folder, name)]


def _peer(folder: Path, name: str) -> PeerId:
    return _lines(folder, name)[0].peer


def _owner(manifest: Manifest, peer: PeerId) -> str:
    return Seal(session_id(manifest), None).owner(peer)


def _kept(folder: Path, name: str) -> list[FileKept]:
    return [fact for fact in _facts(folder, name) if isinstance(fact, FileKept)]


def _has_kept_every_kind(folder: Path, *names: str) -> bool:
    return all({fact.kind for fact in _kept(folder, name)} == {"model", "slice", "hashlist"} for name in names)


def test_what_others_offer_is_kept_and_what_a_killed_peer_left_is_released(tmp_path: Path, manifest: Manifest) -> None:
    ledger = MemoryLedger()
    plugins = Plugins.of(OnMemory(ledger), numpy_framework)
    names = ("anna", "bob")
    settings = [_settings(tmp_path, name, until="forever") for name in names]
    _run_until(lambda: _has_kept_every_kind(tmp_path, *names), plugins, *settings)
    author, other = (_owner(manifest, _peer(tmp_path, name)) for name in names)
    for name, friend in zip(names, reversed(names), strict=True):
        kept = _kept(tmp_path, name)
        assert {fact.author for fact in kept} == {_peer(tmp_path, friend)}
        held = set(ledger.held(_owner(manifest, _peer(tmp_path, name))))
        assert len(held & set(offered_locators(tmp_path / name))) >= len({(fact.kind, fact.digest) for fact in kept})
    slices = [locator for locator in ledger.held(author) if locator in ledger.held(other)]
    for locator in ledger.held(author):
        ledger.drop(author, locator)
    assert slices
    assert all(ledger.load(locator, 10**6) for locator in slices), "with its author gone, others still have them"

    stray = ledger.store(other, b"stored by a run that was killed before it could commit")
    _run_until(lambda: stray not in ledger.held(other), plugins, settings[1])
    assert any("releasing files that are left over" in fact.text for fact in _facts(tmp_path, "bob") if isinstance(fact, Notice))


def test_other_settings_at_the_next_start_let_files_go(tmp_path: Path, manifest: Manifest) -> None:
    ledger = MemoryLedger()
    plugins = Plugins.of(OnMemory(ledger), numpy_framework)
    names = ("anna", "bob")
    _run_until(
        lambda: _has_kept_every_kind(tmp_path, "bob"), plugins, *(_settings(tmp_path, name, until="forever") for name in names)
    )
    bob = _owner(manifest, _peer(tmp_path, "bob"))
    with closing(Store.open(tmp_path / "bob" / "peer.sqlite", session_id(manifest))) as store:
        kept = {locator for file in store.load().kept.values() if file.kept for locator in file.locators}
    assert kept
    assert kept <= set(ledger.held(bob))

    def are_let_go() -> bool:
        return not kept & (set(ledger.held(bob)) | offered_locators(tmp_path / "bob"))

    none = KeepingSection(own_models="none", foreign_models="none", foreign_slices="none", foreign_hashlists="none")
    _run_until(are_let_go, plugins, _settings(tmp_path, "bob", keeping=none, until="forever"))
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
    anna = _owner(manifest, outcome.peer)
    stray = ledger.store(anna, b"a stray")
    late = Plugins.of(OnMemory(ledger, LateToAnswer), numpy_framework)
    _run_until(lambda: stray not in ledger.held(anna), late, _settings(tmp_path, "anna", until="forever"))


def test_a_folder_that_all_share_keeps_nothing_and_nothing_is_said(tmp_path: Path, manifest: Manifest) -> None:
    settings = [_settings(tmp_path, name, expect_peers=1, transport="localfs") for name in ("anna", "bob")]
    outcomes = _run(Plugins.discover(), *settings)
    assert [outcome.reason for outcome in outcomes] == ["converged"] * 2
    facts = _facts(tmp_path, "anna")
    assert not [fact for fact in facts if isinstance(fact, FileKept) or (isinstance(fact, Notice) and "keep" in fact.text)]
    owner = _owner(manifest, outcomes[0].peer)
    there = {f"localfs:{owner}/{path.name}" for path in (tmp_path / "ledger").glob(f"learnae/v1/*/files/{owner}/*")}
    assert {locator for locator in offered_locators(tmp_path / "anna") if locator in there}
