"""The hooks of LEARNAE: what a plugin may implement.

Hooks register or announce; none does work per message or per file. A plugin is a module, or an object, named by an entry point
of the group ``learnae``, in which functions of these names carry ``@hookimpl``. A hook may take fewer arguments than its
specification lists: it gets those that it names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import typer

    from learnae.interfaces.commands import PeerCommands
    from learnae.interfaces.framework import ModelFramework
    from learnae.interfaces.provider import Provider
    from learnae.interfaces.sensors import SensorSource
    from learnae.interfaces.storage import Storage
    from learnae.interfaces.transport import Transport
    from learnae.values.announcements import ModelRecord
    from learnae.values.ids import PeerId
    from learnae.values.journal import PhaseChanged

PROJECT = "learnae"
"""The name under which pluggy knows the project; also the group of entry points."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def learnae_transports() -> Iterable[Provider[Transport]]:  # type: ignore[empty-body]  # a specification has no body
    """Return the transports that this plugin provides.

    Called once, when plugins are discovered. It must cost nothing: heavy imports belong into ``open``.

    A plugin to paste::

        from learnae import Context, Provider, Transport, hookimpl


        def open_pigeons(context: Context) -> Transport:
            from pigeons import Loft  # imported when the operator asks for it, not before

            return Loft(context.rendezvous, context.owner)


        @hookimpl
        def learnae_transports() -> list[Provider[Transport]]:
            return [Provider("pigeons", "Messages on the legs of birds.", open_pigeons)]
    """


@hookspec
def learnae_storages() -> Iterable[Provider[Storage]]:  # type: ignore[empty-body]  # a specification has no body
    """Return the storages that this plugin provides.

    Called once, when plugins are discovered. It must cost nothing: heavy imports belong into ``open``.

    A plugin to paste::

        from learnae import Context, Option, Provider, Storage, hookimpl


        def open_cellar(context: Context) -> Storage:
            from cellar import Shelf  # imported when the operator asks for it, not before

            return Shelf(context.options["depth"])


        @hookimpl
        def learnae_storages() -> list[Provider[Storage]]:
            return [Provider("cellar", "Files on a shelf.", open_cellar, (Option("depth", 3, "How far down."),))]
    """


@hookspec
def learnae_sensor_sources() -> Iterable[Provider[SensorSource]]:  # type: ignore[empty-body]  # a specification has no body
    """Return the sources of sensor readings that this plugin provides.

    Called once, when plugins are discovered. It must cost nothing: heavy imports belong into ``open``.

    A plugin to paste::

        from learnae import Context, Provider, SensorSource, hookimpl


        def open_barometer(context: Context) -> SensorSource:
            from barometer import Stream  # imported when the operator asks for it, not before

            return Stream(context.rendezvous)


        @hookimpl
        def learnae_sensor_sources() -> list[Provider[SensorSource]]:
            return [Provider("barometer", "Readings of a barometer.", open_barometer)]
    """


@hookspec
def learnae_frameworks() -> Iterable[Provider[ModelFramework]]:  # type: ignore[empty-body]  # a specification has no body
    """Return the model frameworks that this plugin provides.

    Called once, when plugins are discovered. It must cost nothing: heavy imports belong into ``open``.

    A plugin to paste::

        from learnae import Context, ModelFramework, Provider, hookimpl


        def open_abacus(context: Context) -> ModelFramework:
            from abacus import Trainer  # imported when the operator asks for it, not before

            return Trainer(context.manifest, **context.training)


        @hookimpl
        def learnae_frameworks() -> list[Provider[ModelFramework]]:
            return [Provider("abacus", "Gradients by hand.", open_abacus)]
    """


@hookspec
def learnae_transition(peer: PeerId, change: PhaseChanged) -> None:
    """Hear that a peer's machine went from one phase to another.

    Called after every change of phase, in the peer's event loop: be quick, and do not block. What it raises is logged and changes
    nothing. Return nothing.

    A plugin to paste::

        import logging

        from learnae import PeerId, PhaseChanged, hookimpl


        @hookimpl
        def learnae_transition(peer: PeerId, change: PhaseChanged) -> None:
            logging.getLogger(__name__).info("%s: %s -> %s", peer[:8], change.before, change.after)
    """


@hookspec
def learnae_best_model(peer: PeerId, record: ModelRecord) -> None:
    """Hear that a peer has a model that scores better than any it had before.

    Called after the model was made durable, in the peer's event loop: be quick, and do not block. What it raises is logged and
    changes nothing. Return nothing.

    A plugin to paste::

        import logging

        from learnae import ModelRecord, PeerId, hookimpl


        @hookimpl
        def learnae_best_model(peer: PeerId, record: ModelRecord) -> None:
            logging.getLogger(__name__).info("%s: accuracy %.2f %%", peer[:8], 100 * record.score.accuracy)
    """


@hookspec
def learnae_commands(app: typer.Typer, commands: PeerCommands) -> None:
    """Add commands to the command line.

    Called once, when ``learnae`` starts, after its own commands were added. It must cost little: import inside the commands.
    What it raises is a failure of this plugin, which ``learnae plugins`` shows; the command line goes on. Return nothing.
    Commands that are about no peer need no ``commands``.

    A plugin to paste::

        import typer

        from learnae import DescribedPeer, PeerCommands, hookimpl


        @hookimpl
        def learnae_commands(app: typer.Typer, commands: PeerCommands) -> None:
            @app.command()
            @commands.for_peer("localfs")
            def greet(peer: DescribedPeer, name: str) -> None:
                \"\"\"Greet somebody from the peer that the options of `learnae run` describe.\"\"\"
                folder = peer.context.options["folder"]
                typer.echo(f"Hello {name}, I {'am' if peer.runs else 'was'} in {folder}")
    """
