"""Be a peer: ``run_peer`` puts everything together and runs it. The command line is a thin shell around it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from contextlib import closing

from learnae.codec.manifests import write_manifest
from learnae.config.settings import PeerSettings
from learnae.errors import ClonedIdentityError
from learnae.machine import events
from learnae.machine.machine import Machine
from learnae.machine.memory import CORE
from learnae.performing.core import HaltedError, Observer, PeerCore
from learnae.performing.ingestion import Ingestion
from learnae.performing.journal import Journal, Listener
from learnae.performing.opening import is_sharing, make_rules, peer_started, resume_model
from learnae.performing.performer import Performer, Session
from learnae.performing.shelf import FolderShelf
from learnae.performing.store import Store
from learnae.performing.workshop import Workshop
from learnae.plugins.facade import Plugins
from learnae.runtime.opening import (
    Terms,
    check_settings,
    open_identity,
    open_providers,
    open_state,
    read_terms,
    storage_name,
)
from learnae.runtime.pace import ThreadPace
from learnae.runtime.peer import Outcome, Peer
from learnae.runtime.rows import OwnRows, cut_own_rows
from learnae.runtime.state import StateFolder
from learnae.values.announcements import ModelRecord
from learnae.values.choices import Role
from learnae.values.ids import PeerId
from learnae.values.journal import Notice, PhaseChanged

SENSOR_POLL_S = 1.0
"""How often sensors are looked at, and how long to wait before listening again after a failure."""


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

    SIGINT and SIGTERM stop it in an orderly way, if this runs in the main thread. Running it again goes on where it ended,
    however it ended.

    Args:
        settings: What the operator chose.
        plugins: What is installed.
        listeners: Called with every line of the journal, in the event loop.

    Raises:
        OperatorError: Something that the operator has to put right; the message says what.
    """
    terms = read_terms(settings)
    check_settings(settings, terms.manifest)
    with open_state(settings, terms.id) as state:
        identity, is_new_key = open_identity(state)
        write_manifest(state.manifest, terms.manifest)
        with (
            closing(Store.open(state.store, terms.id)) as store,
            closing(Journal(identity.peer, time.time, state.events, tuple(listeners))) as journal,
        ):
            memory = store.load()
            is_fresh = CORE not in memory.core
            providers = open_providers(settings, terms, identity.peer, state, plugins)
            pace = ThreadPace(settings.network.fetch_timeout_s)
            shelf = FolderShelf(state.slices)
            for digest in shelf.digests():
                if digest not in memory.slices:
                    shelf.drop(digest)
            workshop = Workshop(
                terms.manifest,
                terms.seal,
                providers.framework,
                shelf,
                epochs=settings.training.epochs,
                batch_size=settings.training.batch_size,
            )
            initial = workshop.start()
            machine = Machine(make_rules(settings, terms.manifest, terms.id, identity.peer, initial), memory, identity.sign)
            resume_model(workshop, store.model(), own=machine.own.model, initial=initial)
            journal.write(
                peer_started(
                    settings,
                    terms.manifest,
                    terms.id,
                    transport=settings.network.transport,
                    storage=storage_name(settings, plugins),
                    resumed=not is_fresh,
                    cycle=machine.cycle,
                    queued=machine.queued,
                )
            )
            rows = _own_rows(settings, terms, state, shelf, machine)
            first: list[events.Event] = [events.Started(recovering=is_fresh and not is_new_key)]
            if rows is not None:
                if rows.skipped:
                    journal.write(Notice(f"left out {rows.skipped} bad rows, the first: {rows.first_skipped}"))
                first.append(events.SlicesCut(rows.slices))
                if settings.peer.role is not Role.FEEDER:
                    first.append(events.ValidationGathered(*workshop.validate_on(rows.validation)))
            for line in _reservations(settings, terms):
                journal.write(Notice(line))
            session = Session(terms.id, terms.manifest, terms.seal, identity.peer)
            performer = Performer(
                session,
                transport=providers.transport,
                storages=providers.storages,
                workshop=workshop,
                shelf=shelf,
                pace=pace,
                note=journal.write,
                is_known=machine.is_known,
            )
            core = PeerCore(
                machine,
                peer=identity.peer,
                store=store,
                workshop=workshop,
                journal=journal,
                clock=time.monotonic,
                observer=PluginObserver(plugins),
            )
            sensors = store.sensors()
            peer = Peer(
                session,
                machine=machine,
                core=core,
                performer=performer,
                pace=pace,
                transport=providers.transport,
                storages=providers.storages,
                ingestions=tuple(
                    Ingestion(name, source, terms.manifest, seal=terms.seal, shelf=shelf, states=sensors)
                    for name, source in providers.sensors
                ),
                note=journal.write,
                stop_when_converged=settings.peer.until == "converged",
                poll_interval_s=SENSOR_POLL_S,
            )
            try:
                with _Signals(peer, settings.peer.stop_after_s):
                    return await peer.run(tuple(first))
            except HaltedError as exc:
                raise ClonedIdentityError(str(exc)) from exc
            finally:
                for _, source in providers.sensors:
                    await source.aclose()


def _own_rows(settings: PeerSettings, terms: Terms, state: StateFolder, shelf: FolderShelf, machine: Machine) -> OwnRows | None:
    if settings.peer.data is None:
        return None
    return cut_own_rows(
        settings.peer.data,
        terms.manifest,
        seal=terms.seal,
        shelf=shelf,
        known=machine.own_slices(),
        spool=state.folder("spool"),
        skip_bad_rows=settings.peer.skip_bad_rows,
        with_evaluation=is_sharing(settings, terms.manifest),
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


class _Signals:
    """Stops the peer at SIGINT, SIGTERM, or when its time is over."""

    def __init__(self, peer: Peer, stop_after_s: float | None) -> None:
        self._peer = peer
        self._stop_after_s = stop_after_s
        self._handled: list[signal.Signals] = []
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        if self._stop_after_s is not None:
            self._timer = loop.call_later(self._stop_after_s, self._peer.stop, "its time is over")
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._peer.stop, "interrupted")
            except (RuntimeError, ValueError, NotImplementedError):
                return  # Not the main thread: whoever embeds the peer cancels it.
            self._handled.append(number)

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        for number in self._handled:
            loop.remove_signal_handler(number)
