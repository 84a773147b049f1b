"""What this plugin registers: the transport and the storage ``ipfs``, and how each is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from learnae import hookimpl
from learnae.errors import ConfigError
from learnae.interfaces.provider import Context, Finding, Provider
from learnae_ipfs.layout import ADDRESSES, LETTERS
from learnae_ipfs.settings import OPTIONS

if TYPE_CHECKING:
    import typer

    from learnae.interfaces.commands import PeerCommands
    from learnae.interfaces.storage import Storage
    from learnae.interfaces.transport import Transport


def open_transport(context: Context) -> Transport:
    """Open the messages of a session; no daemon is contacted or started yet.

    Raises:
        ConfigError: An option cannot be used.
        ProviderError: There is no daemon, and no program to start one.
    """
    from learnae_ipfs.daemon.private import open_access  # noqa: PLC0415  # a provider imports when it is opened
    from learnae_ipfs.reading import read_settings  # noqa: PLC0415  # the same
    from learnae_ipfs.transport.transport import IpfsTransport  # noqa: PLC0415  # the same

    settings = read_settings(context.options, context.tell)
    return IpfsTransport(
        open_access(settings, context.state, context.network_key, context.tell),
        rendezvous=context.rendezvous,
        owner=context.owner,
        settings=settings,
        tell=context.tell,
        addresses=context.state / ADDRESSES,
        letters=context.state / LETTERS,
        has_secret=context.network_key is not None,
    )


def open_storage(context: Context) -> Storage:
    """Open the files of a session; no daemon is contacted or started yet.

    Raises:
        ConfigError: An option cannot be used.
        ProviderError: There is no daemon, and no program to start one.
    """
    from learnae_ipfs.daemon.private import open_access  # noqa: PLC0415  # a provider imports when it is opened
    from learnae_ipfs.reading import read_settings  # noqa: PLC0415  # the same
    from learnae_ipfs.storage.storage import IpfsStorage  # noqa: PLC0415  # the same

    settings = read_settings(context.options)  # what there is to say, the transport or `learnae check` says
    return IpfsStorage(
        open_access(settings, context.state, context.network_key, context.tell),
        rendezvous=context.rendezvous,
        owner=context.owner,
        tell=context.tell,
        relaying=settings.pubsub,
    )


def check(context: Context) -> Sequence[Finding]:
    """Look whether a daemon is there, or could be, and who could reach it."""
    from learnae_ipfs.commands.checks import look  # noqa: PLC0415  # a provider imports when it is opened
    from learnae_ipfs.reading import read_settings  # noqa: PLC0415  # the same

    said: list[Finding] = []
    try:
        settings = read_settings(context.options, lambda text: said.append(Finding(True, text)))
    except ConfigError as exc:
        return [Finding(False, str(exc), "learnae run --help, under Plugins")]
    return [*said, *look(settings, context)]


@hookimpl
def learnae_transports() -> list[Provider[Transport]]:
    """Provide messages through PubSub and IPNS."""
    summary = "Messages through the PubSub of IPFS daemons, and more slowly without it."
    return [Provider("ipfs", summary, open_transport, OPTIONS, check)]


@hookimpl
def learnae_storages() -> list[Provider[Storage]]:
    """Provide files by content id."""
    summary = "Files by content id, held and found by IPFS daemons."
    return [Provider("ipfs", summary, open_storage, OPTIONS, check)]


@hookimpl
def learnae_commands(app: typer.Typer, commands: PeerCommands) -> None:
    """Add `learnae ipfs`."""
    from learnae_ipfs.commands.cli import add_commands  # noqa: PLC0415  # who embeds a peer needs no command line

    add_commands(app, commands)
