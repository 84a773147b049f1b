"""What providers are told when they are opened, and what they have to say."""

import asyncio
import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from learnae.builtins import numpy_framework
from learnae.builtins.memory import MemoryLedger
from learnae.codec.manifests import write_manifest
from learnae.codec.seal import Seal, secret_check, write_secret
from learnae.config.settings import NetworkSection, PeerSection, PeerSettings
from learnae.config.training import TrainingSection
from learnae.hookspecs import hookimpl
from learnae.interfaces.provider import Context, Provider
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.plugins.facade import Plugins
from learnae.runtime.opening import open_identity, open_providers, open_state, read_terms
from learnae.testing.rows import toy_manifest
from learnae.values.journal import AnyFact, Notice


@dataclass
class Talkative:
    """A plugin whose transport says something in a thread of its own while it is opened, as one that starts a daemon does."""

    contexts: list[Context] = field(default_factory=list)

    def open_transport(self, context: Context) -> Transport:
        self.contexts.append(context)
        thread = threading.Thread(target=context.tell, args=("the daemon was started again",))
        thread.start()
        thread.join(60)
        return MemoryLedger().transport(context.owner)

    def open_storage(self, context: Context) -> Storage:
        self.contexts.append(context)
        return MemoryLedger().storage(context.owner)

    @hookimpl
    def learnae_transports(self) -> list[Provider[Transport]]:
        return [Provider("talkative", "A transport.", self.open_transport)]

    @hookimpl
    def learnae_storages(self) -> list[Provider[Storage]]:
        return [Provider("talkative", "A storage.", self.open_storage)]


def settings(folder: Path, secret: bytes | None = None) -> PeerSettings:
    """Write a session, and the settings of a peer in it."""
    check = None if secret is None else secret_check(secret)
    write_manifest(folder / "session.json", msgspec.structs.replace(toy_manifest(), secret_check=check))
    if secret is not None:
        write_secret(folder / "session.secret", secret)
    return PeerSettings(
        peer=PeerSection(
            session=folder / "session.json",
            state=folder / "state",
            secret_file=None if secret is None else folder / "session.secret",
        ),
        training=TrainingSection(framework="numpy"),
        network=NetworkSection(transport="talkative"),
    )


def open_with(plugin: Talkative, given: PeerSettings) -> list[tuple[AnyFact, str]]:
    """Open everything, and close it again; return what was noted, and in which threads."""
    noted: list[tuple[AnyFact, str]] = []
    said = asyncio.Event()

    def note(fact: AnyFact) -> None:
        noted.append((fact, threading.current_thread().name))
        said.set()

    async def run() -> None:
        terms = read_terms(given)
        with open_state(given, terms.id) as state:
            identity, _ = open_identity(state)
            async with AsyncExitStack() as stack, asyncio.timeout(60):
                plugins = Plugins.of(plugin, numpy_framework)
                open_providers(given, terms, identity.peer, state, plugins, stack=stack, note=note)
                assert noted == []  # nothing is written from another thread, or in the middle of something else
                await said.wait()

    asyncio.run(run())
    return noted


def test_what_a_provider_says_in_any_thread_is_noted_in_the_event_loop(tmp_path: Path) -> None:
    noted = open_with(Talkative(), settings(tmp_path))
    assert noted == [(Notice("the daemon was started again"), threading.current_thread().name)]


def test_who_speaks_after_the_peer_has_ended_is_not_heard_and_not_hurt(tmp_path: Path) -> None:
    plugin = Talkative()
    noted = open_with(plugin, settings(tmp_path))
    plugin.contexts[0].tell("too late")
    assert len(noted) == 1


@pytest.mark.parametrize("secret", [pytest.param(None, id="open"), pytest.param(bytes(range(32)), id="sealed")])
def test_providers_get_the_key_of_a_network_where_there_is_a_secret(tmp_path: Path, secret: bytes | None) -> None:
    plugin = Talkative()
    given = settings(tmp_path, secret)
    open_with(plugin, given)
    terms = read_terms(given)
    assert {context.network_key for context in both_contexts(plugin)} == {Seal(terms.id, secret).network_key}
    assert (terms.seal.network_key is None) == (secret is None)


def both_contexts(plugin: Talkative) -> list[Context]:
    """Return both contexts, which share a folder and an owner."""
    transport, storage = plugin.contexts
    assert (transport.state, transport.owner, transport.rendezvous) == (storage.state, storage.owner, storage.rendezvous)
    return [transport, storage]
