"""A peer's parts put together in the one right order: the same for both drivers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learnae.machine import events
from learnae.machine.machine import Machine
from learnae.machine.memory import CORE
from learnae.performing.core import Observer, PeerCore
from learnae.performing.ledgers import Ledgers, check_room
from learnae.performing.opening import is_sharing, make_rules, peer_started, resume_model
from learnae.performing.performer import Pace, Performer, Session
from learnae.performing.rows import CutRows, cut_rows
from learnae.performing.shelf import Shelf, sweep
from learnae.performing.workshop import Workshop
from learnae.values.choices import Role

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learnae.config.settings import PeerSettings
    from learnae.interfaces.framework import ModelFramework
    from learnae.machine.notebook import Sign
    from learnae.performing.journal import Journal
    from learnae.performing.store import Store
    from learnae.values.announcements import SignedAnnouncement
    from learnae.values.journal import PeerStarted


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a driver brings along.

    Attributes:
        framework: Computes.
        store: The durable state.
        shelf: Keeps dataslices.
        journal: Takes facts.
        pace: The driver's way of waiting.
        sign: Signs with the own key.
        clock: Monotonic, in seconds.
        observer: Is told of transitions and of the best model.
        is_known: Says whether exactly this announcement was verified before; ``None`` asks the machine's board.
    """

    framework: ModelFramework
    store: Store
    shelf: Shelf
    journal: Journal
    pace: Pace
    sign: Sign
    clock: Callable[[], float]
    observer: Observer
    is_known: Callable[[SignedAnnouncement], bool] | None = None


@dataclass(frozen=True, slots=True)
class Assembled:
    """A peer that is ready to begin.

    Attributes:
        started: For the journal, when it begins.
        is_fresh: Nothing was stored before.
    """

    session: Session
    settings: PeerSettings
    shelf: Shelf
    workshop: Workshop
    machine: Machine
    core: PeerCore
    performer: Performer
    started: PeerStarted
    is_fresh: bool

    def cut(self, chunks: Iterable[NDArray[np.float32]], *, spool: Path, go_on: Callable[[], None] = lambda: None) -> CutRows:
        """Put what is new in the peer's rows on the shelf: see ``cut_rows``. Blocking; before the peer begins.

        Raises:
            DataError: No rows for training or validation.
            StateError: The disk is full.
        """
        return cut_rows(
            chunks,
            self.session.manifest,
            seal=self.session.seal,
            shelf=self.shelf,
            known=self.machine.own_slices(),
            spool=spool,
            with_evaluation=is_sharing(self.settings, self.session.manifest),
            needs_training=not self.settings.network.sensors,
            go_on=go_on,
        )

    def first_events(self, rows: CutRows | None, *, recovering: bool = False) -> tuple[events.Event, ...]:
        """Say what the machine is told first, in order. Blocking: the validation rows are taken in.

        Args:
            rows: The own rows; ``None`` for a peer without.
            recovering: The key is there, but the state that belongs to it was lost.
        """
        first: list[events.Event] = [events.Started(recovering=recovering, inventory=self.performer.has_inventory)]
        if rows is not None:
            first.append(events.SlicesCut(rows.slices))
            if self.settings.peer.role is not Role.FEEDER:
                first.append(events.ValidationGathered(*self.workshop.validate_on(rows.validation)))
        return tuple(first)


def assemble(session: Session, settings: PeerSettings, ledgers: Ledgers, means: Means) -> Assembled:
    """Put a peer together from what is durable; nothing is announced, and nothing written but what is dropped from the shelf.

    Blocking: it reads the state and may take a while.

    Args:
        session: The session and the peer.
        settings: What the operator chose.
        ledgers: Where messages and files go.
        means: What the driver brings along.

    Raises:
        ConfigError: A ledger cannot carry what the manifest allows, or the framework's model is not the manifest's.
        StateError: The state is damaged, or the shelf cannot be tidied up.
    """
    manifest = session.manifest
    check_room(settings, session, ledgers)
    memory = means.store.load()
    is_fresh = CORE not in memory.core
    sweep(means.shelf, memory, session.peer)
    training = settings.training
    workshop = Workshop(
        manifest, session.seal, means.framework, means.shelf, epochs=training.epochs, batch_size=training.batch_size
    )
    initial = workshop.start()
    machine = Machine(make_rules(settings, manifest, session.id, session.peer, initial), memory, means.sign)
    resume_model(workshop, means.store.model(), own=machine.own.model, initial=initial)
    performer = Performer(
        session,
        transport=ledgers.transport,
        storages=ledgers.storages,
        workshop=workshop,
        shelf=means.shelf,
        pace=means.pace,
        note=means.journal.write,
        is_known=means.is_known or machine.is_known,
    )
    core = PeerCore(
        machine,
        peer=session.peer,
        store=means.store,
        workshop=workshop,
        journal=means.journal,
        clock=means.clock,
        observer=means.observer,
    )
    started = peer_started(
        settings,
        manifest,
        session.id,
        transport=ledgers.transport_name,
        storage=ledgers.storage_name,
        resumed=not is_fresh,
        cycle=machine.cycle,
        queued=machine.queued,
    )
    return Assembled(session, settings, means.shelf, workshop, machine, core, performer, started, is_fresh)
