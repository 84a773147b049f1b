"""Be a peer: ``run_peer`` puts everything together and runs it. The command line is a thin shell around it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing

from learnae.codec.manifests import write_manifest
from learnae.config.settings import PeerSettings
from learnae.errors import ClonedIdentityError
from learnae.performing.assembling import Assembled, Means, assemble
from learnae.performing.core import HaltedError, Observer
from learnae.performing.ingestion import Ingestion
from learnae.performing.journal import Journal, Listener
from learnae.performing.performer import Session
from learnae.performing.rows import CutRows
from learnae.performing.shelf import FolderShelf
from learnae.performing.store import Store
from learnae.plugins.facade import Plugins
from learnae.runtime.opening import (
    Providers,
    Terms,
    check_settings,
    open_identity,
    open_providers,
    open_state,
    read_terms,
)
from learnae.runtime.pace import ThreadPace
from learnae.runtime.peer import Outcome, Peer
from learnae.runtime.rows import cut_own_rows
from learnae.runtime.signals import Signals
from learnae.runtime.state import StateFolder
from learnae.values.announcements import ModelRecord
from learnae.values.choices import Role
from learnae.values.ids import PeerId
from learnae.values.journal import Notice, PhaseChanged


class PluginObserver(Observer):
    """Tells plugins what happens."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def transition(self, peer: PeerId, change: PhaseChanged) -> None:
        """Announce a transition."""
        self._plugins.announce_transition(peer, change)

    def best_model(self, peer: PeerId, record: ModelRecord) -> None:
        """Announce a best model."""
        self._plugins.announce_best_model(peer, record)


async def run_peer(settings: PeerSettings, plugins: Plugins, *, listeners: Sequence[Listener] = ()) -> Outcome:
    """Be a peer until it has converged, its time is over, or it is interrupted, as ``settings.peer.until`` says.

    SIGINT and SIGTERM stop it in an orderly way, if this runs in the main thread; a second one does not wait for a training step
    under way. Running it again goes on where it ended, however it ended. Whatever was opened is closed, however it ends.

    Args:
        settings: What the operator chose.
        plugins: What is installed.
        listeners: Called with every line of the journal, in the event loop.

    Raises:
        OperatorError: Something that the operator has to put right; the message says what.
    """
    terms = read_terms(settings)
    check_settings(settings, terms.manifest)
    with open_state(settings, terms.id) as state, Signals() as signals:
        identity, is_new_key = open_identity(state)
        write_manifest(state.manifest, terms.manifest)
        with (
            closing(Store.open(state.store, terms.id, after_loss=not is_new_key)) as store,
            closing(Journal(identity.peer, time.time, state.events, tuple(listeners))) as journal,
        ):
            async with AsyncExitStack() as stack:
                pace = ThreadPace(settings.network.fetch_timeout_s, journal.write)
                stack.push_async_callback(pace.aclose)
                providers = open_providers(settings, terms, identity.peer, state, plugins, stack=stack, note=journal.write)
                means = Means(
                    framework=providers.framework,
                    store=store,
                    shelf=FolderShelf(state.slices),
                    journal=journal,
                    pace=pace,
                    sign=identity.sign,
                    clock=time.monotonic,
                    observer=PluginObserver(plugins),
                )
                session = Session(terms.id, terms.manifest, terms.seal, identity.peer)
                assembled = await pace.decode(lambda: assemble(session, settings, providers.ledgers, means))
                journal.write(assembled.started)
                rows = await _own_rows(assembled, pace, state, journal)
                recovering = assembled.is_fresh and store.is_after_loss
                first = await pace.decode(lambda: assembled.first_events(rows, recovering=recovering))
                for line in _reservations(settings, terms):
                    journal.write(Notice(line))
                peer = Peer(assembled, providers.ledgers, pace, _ingestions(assembled, providers, store), note=journal.write)
                signals.direct(peer, settings.peer.stop_after_s)
                await asyncio.sleep(0)  # a Ctrl-C until now cancels here: what the peer waits for first may swallow it
                try:
                    return await peer.run(first)
                except HaltedError as exc:
                    raise ClonedIdentityError(str(exc)) from exc


async def _own_rows(assembled: Assembled, pace: ThreadPace, state: StateFolder, journal: Journal) -> CutRows | None:
    peer = assembled.settings.peer
    if peer.data is None:
        return None
    rows = await cut_own_rows(peer.data, assembled, pace, spool=state.folder("spool"), skip_bad_rows=peer.skip_bad_rows)
    if rows.skipped:
        journal.write(Notice(f"left out {rows.skipped} bad rows, the first: {rows.first_skipped}"))
    return rows.cut


def _ingestions(assembled: Assembled, providers: Providers, store: Store) -> tuple[Ingestion, ...]:
    states = store.sensors()
    session, shelf = assembled.session, assembled.shelf
    return tuple(
        Ingestion(name, source, session.manifest, seal=session.seal, shelf=shelf, states=states)
        for name, source in providers.sensors
    )


def _reservations(settings: PeerSettings, terms: Terms) -> list[str]:
    """Say what this peer will not do, and why."""
    lines = []
    if not terms.manifest.sharing:
        lines.append("rows stay here: the session's manifest does not allow sharing")
    elif settings.peer.private:
        lines.append("rows stay here, and nothing is trained on other peers' rows: --private was given")
    if settings.peer.role is Role.FEEDER:
        lines.append("no training and no averaging: a feeder only shares its rows")
    return lines
