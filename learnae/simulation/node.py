"""One simulated peer at work: events go to its machine, orders are carried out at once, what comes of them arrives later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from learnae.codec.identity import Identity
from learnae.codec.weights import decode_weights
from learnae.errors import ForgedError
from learnae.interfaces.framework import ModelFramework
from learnae.machine import effects, events
from learnae.machine.machine import Machine
from learnae.machine.memory import CORE
from learnae.performing.core import HaltedError, Observer, PeerCore
from learnae.performing.journal import Journal, Listener
from learnae.performing.opening import is_sharing, make_rules, peer_started, resume_model
from learnae.performing.performer import Performer, Session
from learnae.performing.rows import cut_rows
from learnae.performing.shelf import MemoryShelf
from learnae.performing.store import Store
from learnae.performing.workshop import Workshop
from learnae.simulation.carrying import InlinePace, carry_out
from learnae.simulation.clock import VirtualClock
from learnae.simulation.metering import MeteredFramework
from learnae.simulation.network import Arrived, Network
from learnae.simulation.peers import SimulatedPeer
from learnae.simulation.result import PeerResult
from learnae.values.announcements import Announcement, Presence, SignedAnnouncement
from learnae.values.choices import Phase, Role
from learnae.values.ids import PeerId
from learnae.values.journal import MessageIgnored, PeerStopped, PhaseChanged


class _Watcher(Observer):
    """Says when a phase changed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def transition(self, peer: PeerId, change: PhaseChanged) -> None:  # noqa: ARG002 - an observer's signature
        """Pass it on."""
        self._changed()


@dataclass(slots=True)
class _Life:
    """What a crash ends: all that is not durable."""

    machine: Machine
    core: PeerCore
    performer: Performer
    workshop: Workshop
    wake_s: float | None = None


class Node:
    """A peer and what it keeps through crashes: its key, its store, its shelf."""

    def __init__(
        self,
        peer: SimulatedPeer,
        session: Session,
        identity: Identity,
        *,
        framework: ModelFramework,
        clock: VirtualClock,
        network: Network,
        verified: set[SignedAnnouncement],
        listener: Listener,
        changed: Callable[[], None],
    ) -> None:
        """Make a node; nothing happens until it is started.

        Args:
            peer: What it is like.
            session: With its id.
            identity: Its key.
            framework: May be shared with others.
            clock: The simulation's.
            network: The simulation's.
            verified: Announcements whose signatures need no look, because they were made in this process; shared by all.
            listener: Gets every line of its journal.
            changed: Called when its phase changed.
        """
        self.peer = peer
        self.events = 0
        self._session = session
        self._identity = identity
        self._framework = MeteredFramework(framework)
        self._clock = clock
        self._connection = network.connect(session.seal.owner(identity.peer), peer, self._hear)
        self._verified = verified
        self._journal = Journal(identity.peer, clock.read, None, (listener,))
        self._changed = changed
        self._store = Store.open(None, session.id)
        self._shelf = MemoryShelf()
        self._life: _Life | None = None

    @property
    def phase(self) -> Phase:
        """Where its machine stands; ``new`` if there is none."""
        return self._life.machine.phase if self._life else Phase.NEW

    def start(self) -> None:
        """Begin, or begin again from what is durable.

        Raises:
            ConfigError: The framework's model is not the manifest's.
            DataError: Its rows do not suffice.
        """
        session, settings = self._session, self.peer.settings
        memory = self._store.load()
        resumed = CORE in memory.core
        for digest in self._shelf.digests():
            if digest not in memory.slices:
                self._shelf.drop(digest)
        training = settings.training
        workshop = Workshop(
            session.manifest,
            session.seal,
            self._framework,
            self._shelf,
            epochs=training.epochs,
            batch_size=training.batch_size,
        )
        initial = workshop.start()
        machine = Machine(make_rules(settings, session.manifest, session.id, session.peer, initial), memory, self._sign)
        resume_model(workshop, self._store.model(), own=machine.own.model, initial=initial)
        self._journal.write(
            peer_started(
                settings,
                session.manifest,
                session.id,
                transport="memory",
                storage="memory",
                resumed=resumed,
                cycle=machine.cycle,
                queued=machine.queued,
            )
        )
        performer = Performer(
            session,
            transport=self._connection,
            storages=(self._connection,),
            workshop=workshop,
            shelf=self._shelf,
            pace=InlinePace(),
            note=self._journal.write,
            is_known=self._verified.__contains__,
        )
        core = PeerCore(
            machine,
            peer=session.peer,
            store=self._store,
            workshop=workshop,
            journal=self._journal,
            clock=self._clock.read,
            observer=_Watcher(self._changed),
        )
        self._life = _Life(machine, core, performer, workshop)
        for event in (events.Started(), *self._own_rows(self._life)):
            self._take(self._life, event)
        self._changed()

    def _own_rows(self, life: _Life) -> tuple[events.Event, ...]:
        if self.peer.rows is None:
            return ()
        settings, manifest = self.peer.settings, self._session.manifest
        with TemporaryDirectory(prefix="learnae-") as spool:
            rows = cut_rows(
                [self.peer.rows],
                manifest,
                seal=self._session.seal,
                shelf=self._shelf,
                known=life.machine.own_slices(),
                spool=Path(spool),
                with_evaluation=is_sharing(settings, manifest),
            )
        cut = events.SlicesCut(rows.slices)
        if settings.peer.role is Role.FEEDER:
            return (cut,)
        return cut, events.ValidationGathered(*life.workshop.validate_on(rows.validation))

    def _sign(self, announcement: Announcement) -> SignedAnnouncement:
        if self.peer.says is not None:
            announcement = Announcement(
                announcement.protocol,
                announcement.session,
                announcement.author,
                announcement.sequence,
                self.peer.says(announcement.content),
            )
        signed = self._identity.sign(announcement)
        self._verified.add(signed)
        return signed

    def crash(self) -> None:
        """Die: whatever was under way, and all that is not durable, is lost."""
        self._life = None

    def stop(self) -> None:
        """Stop in an orderly way."""
        if (life := self._life) is not None and life.machine.phase is not Phase.STOPPED:
            self._take(life, events.StopRequested("left"))
            self._journal.write(PeerStopped("left", life.machine.cycle, life.machine.own.score))

    def _hear(self, arrived: Arrived, size: int) -> None:
        if (life := self._life) is None or life.machine.phase is Phase.STOPPED:
            return
        if isinstance(arrived, ForgedError):
            self._journal.write(MessageIgnored(str(arrived), size))
        else:
            self._take(life, events.Heard(arrived))

    def _arrive(self, life: _Life, event: events.Event) -> None:
        """Take in what came of an order, unless a crash or the end came first."""
        if self._life is life and life.machine.phase is not Phase.STOPPED:
            self._take(life, event)

    def _take(self, life: _Life, event: events.Event) -> None:
        self.events += 1
        try:
            orders = life.core.step(event)
        except HaltedError:
            orders = []
        for order in orders:
            self._carry(life, order)
        self._plan_wake(life)

    def _carry(self, life: _Life, order: effects.Effect) -> None:
        computer, meter = self.peer.computer, self._framework
        self._connection.spent_s = 0.0
        worked, jobs = meter.worked, meter.jobs
        event = carry_out(life.performer.perform(order))
        if event is not None:
            work_s = (meter.worked - worked) / computer.rows_per_s + (meter.jobs - jobs) * computer.cycle_s
            self._clock.after(self._connection.spent_s + work_s, partial(self._arrive, life, event))

    def _plan_wake(self, life: _Life) -> None:
        due_s = life.machine.wake_at(self._clock.now_s)
        if due_s != life.wake_s:
            life.wake_s = due_s
            if due_s is not None:
                self._clock.at(due_s, partial(self._wake, life, due_s))

    def _wake(self, life: _Life, due_s: float) -> None:
        """Let time pass, unless the machine wants to be woken at another moment by now."""
        if self._life is life and life.wake_s == due_s:
            life.wake_s = None
            self._arrive(life, events.TimePassed())

    def result(self) -> PeerResult:
        """Return how it stands."""
        memory = self._store.load()
        board = sorted(
            (signed for signed in memory.board.values() if not isinstance(signed.announcement.content, Presence)),
            key=lambda signed: (signed.announcement.author, signed.announcement.subject),
        )
        core = memory.core.get(CORE)
        life = self._life
        encoded = life.workshop.encoded(life.machine.own.model) if life else None
        return PeerResult(
            name=self.peer.name,
            peer=self._identity.peer,
            role=self.peer.settings.peer.role,
            phase=self.phase,
            cycle=core.cycle if core else 0,
            model=core.own.model if core else None,
            maturity=core.own.maturity if core else 0,
            score=core.own.score if core else None,
            weights=decode_weights(encoded, self._session.manifest) if encoded else None,
            board=tuple(board),
        )

    def close(self) -> None:
        """Let its store go; idempotent."""
        self._store.close()
