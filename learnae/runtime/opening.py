"""From settings to a peer that is ready to run: everything is looked at before anything is announced."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from learnae.codec.identity import Identity
from learnae.codec.manifests import read_manifest, session_id
from learnae.codec.seal import Seal, read_secret, secret_check
from learnae.config.settings import PeerSettings, state_folder
from learnae.errors import ConfigError
from learnae.interfaces.framework import ModelFramework
from learnae.interfaces.provider import Capability, Context, OptionValue
from learnae.interfaces.sensors import SensorSource
from learnae.performing.ledgers import Ledgers
from learnae.performing.opening import is_sharing
from learnae.plugins.facade import Plugins
from learnae.runtime.closing import close_provider
from learnae.runtime.state import StateFolder
from learnae.values.choices import Role
from learnae.values.ids import PeerId, SessionId
from learnae.values.journal import AnyFact, Notice
from learnae.values.manifest import Custom, Manifest


@dataclass(frozen=True, slots=True)
class Terms:
    """The session as its manifest and secret define it."""

    manifest: Manifest
    id: SessionId
    seal: Seal


@dataclass(frozen=True, slots=True)
class Providers:
    """The opened capabilities of a peer; sensor sources by name."""

    framework: ModelFramework
    ledgers: Ledgers
    sensors: tuple[tuple[str, SensorSource], ...]


def read_terms(settings: PeerSettings) -> Terms:
    """Read the manifest and the secret that the settings name.

    Raises:
        ConfigError: A file that is missing or wrong, a secret that is missing, wrong, or not wanted.
    """
    manifest = read_manifest(settings.peer.session)
    session = session_id(manifest)
    secret_file = settings.peer.secret_file
    if manifest.secret_check is None:
        if secret_file is not None:
            raise ConfigError(f"secret_file = {secret_file}: this session has no secret; leave the setting out")
        return Terms(manifest, session, Seal(session, None))
    if secret_file is None:
        raise ConfigError("this session has a secret: name its file with --secret-file; whoever invited you has it")
    secret = read_secret(secret_file)
    if secret_check(secret) != manifest.secret_check:
        raise ConfigError(f"{secret_file}: is the secret of another session")
    return Terms(manifest, session, Seal(session, secret))


def check_settings(settings: PeerSettings, manifest: Manifest) -> None:
    """Refuse settings that contradict each other or the manifest.

    Raises:
        ConfigError: They do.
    """
    role, data = settings.peer.role, settings.peer.data
    if role is Role.TRAINER and data is not None:
        raise ConfigError(f"data = {data}: a trainer has no rows of its own; leave it out, or choose --role full")
    if role is not Role.TRAINER and data is None and not (role is Role.FEEDER and settings.network.sensors):
        raise ConfigError(f"role = {role}: name your rows with --data FILE, or choose --role trainer")
    if role is not Role.FULL and not is_sharing(settings, manifest):
        why = "--private was given" if manifest.sharing else "the session's manifest does not allow sharing"
        raise ConfigError(f"role = {role}: needs a session in which rows are shared, but {why}")
    if isinstance(manifest.architecture, Custom) and settings.training.model is None and role is not Role.FEEDER:
        raise ConfigError(
            f"the session trains a model of its own, {manifest.architecture.label!r}: name it with --model module:function"
        )


def open_state(settings: PeerSettings, session: SessionId) -> StateFolder:
    """Open the state folder that the settings name.

    Raises:
        StateError: It cannot be used, or another process uses it.
    """
    return StateFolder.open(state_folder(settings, session))


def open_identity(state: StateFolder) -> tuple[Identity, bool]:
    """Read the key file, or make one; say whether it was made.

    Raises:
        StateError: It cannot be used.
    """
    return Identity.load_or_create(state.identity)


def context_for(
    settings: PeerSettings, terms: Terms, peer: PeerId, folder: Path, name: str, *, tell: Callable[[str], None] = lambda _: None
) -> Context:
    """Say what a provider is told when it is opened."""
    given: Mapping[str, object] = settings.plugins.get(name, {})
    options: dict[str, OptionValue | None] = {
        key: value for key, value in given.items() if isinstance(value, str | int | float | bool)
    }
    return Context(
        manifest=terms.manifest,
        session=terms.id,
        rendezvous=terms.seal.rendezvous,
        peer=peer,
        owner=terms.seal.owner(peer),
        state=folder,
        options=options,
        model=settings.training.model,
        training=settings.training.for_framework(),
        network_key=terms.seal.network_key,
        secret_file=settings.peer.secret_file,
        tell=tell,
    )


def storage_name(settings: PeerSettings, plugins: Plugins) -> str:
    """Return the name of the storage: the operator's, or the one that comes with the transport.

    Raises:
        ProviderError: There is no such transport, or it has no storage of its name.
    """
    plugins.get(Capability.TRANSPORT, settings.network.transport)
    return settings.network.storage or plugins.storage_for(settings.network.transport)


def open_providers(
    settings: PeerSettings,
    terms: Terms,
    peer: PeerId,
    state: StateFolder,
    plugins: Plugins,
    *,
    stack: AsyncExitStack,
    note: Callable[[AnyFact], None],
) -> Providers:
    """Open what the settings name.

    Args:
        settings: What the operator chose.
        terms: The session's.
        peer: The own id.
        state: Has folders for the providers.
        plugins: What is installed.
        stack: Closes whatever was opened, also where something else could not be.
        note: Is told what providers have to say, and what could not be closed.

    Raises:
        ProviderError: It is not installed, or cannot be opened.
        ConfigError: One of its options is wrong.
    """
    network = settings.network
    plugins.check_sections(settings.plugins)
    loop = asyncio.get_running_loop()

    def tell(text: str) -> None:
        with contextlib.suppress(RuntimeError):  # a thread that speaks after the peer has ended
            loop.call_soon_threadsafe(note, Notice(text))

    def context(name: str) -> Context:
        return context_for(settings, terms, peer, state.folder(f"plugin-{name}"), name, tell=tell)

    def closing(name: str, aclose: Callable[[], Awaitable[None]]) -> None:
        stack.push_async_callback(close_provider, name, aclose, note)

    framework = plugins.open(Capability.FRAMEWORK, settings.training.framework, context(settings.training.framework))
    transport = plugins.open(Capability.TRANSPORT, network.transport, context(network.transport))
    closing(f"transport {network.transport}", transport.aclose)
    name = storage_name(settings, plugins)
    storage = plugins.open(Capability.STORAGE, name, context(name))
    closing(f"storage {name}", storage.aclose)
    sensors: list[tuple[str, SensorSource]] = []
    for each in network.sensors:
        source = plugins.open(Capability.SENSORS, each, context(each))
        closing(f"source of sensors {each}", source.aclose)
        sensors.append((each, source))
    ledgers = Ledgers(transport=transport, storages=(storage,), transport_name=network.transport, storage_name=name)
    return Providers(framework, ledgers, tuple(sensors))
