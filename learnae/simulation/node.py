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
from learnae.performing.assembling import Assembled, Means, assemble
from learnae.performing.core import HaltedError, Observer
from learnae.performing.journal import Journal, Listener
from learnae.performing.ledgers import Ledgers
from learnae.performing.performer import Session
from learnae.performing.rows import CutRows
from learnae.performing.shelf import MemoryShelf
from learnae.performing.store import Store
from learnae.simulation.carrying import InlinePace, carry_out
from learnae.simulation.clock import Plan, VirtualClock
from learnae.simulation.metering import MeteredFramework
from learnae.simulation.network import Arrived, Network
from learnae.simulation.peers import SimulatedPeer
from learnae.simulation.result import PeerResult
from learnae.values.announcements import Announcement, Presence, SignedAnnouncement
from learnae.values.choices import Phase
from learnae.values.ids import PeerId
from learnae.values.journal import MessageIgnored, PeerStopped, PhaseChanged


class _Watcher(Observer):
    """Says when a phase changed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def transition(self, peer: PeerId, change: PhaseChanged) -> None:  # noqa: ARG002 - an observer's signature
        """Pass it on."""
        self._changed()


class Verified:
    """Announcements that were signed in this process, the latest of each author and subject: an older one is verified again."""

    def __init__(self) -> None:
        self._latest: dict[tuple[PeerId, str], SignedAnnouncement] = {}

    def add(self, signed: SignedAnnouncement) -> None:
        """Take in what was just signed."""
        self._latest[signed.announcement.author, signed.announcement.subject] = signed

    def __contains__(self, signed: SignedAnnouncement) -> bool:
        """Say whether exactly this is the latest of its author and subject."""
        return self._latest.get((signed.announcement.author, signed.announcement.subject)) == signed


@dataclass(slots=True)
class _Life:
    """What a crash ends: all that is not durable."""

    parts: Assembled
    wake_s: float | None = None
    wake: Plan | None = None

    @property
    def machine(self) -> Machine:
        """What decides."""
        return self.parts.machine


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
        verified: Verified,
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
        ledgers = Ledgers(
            transport=self._connection, storages=(self._connection,), transport_name="memory", storage_name="memory"
        )
        means = Means(
            framework=self._framework,
            store=self._store,
            shelf=self._shelf,
            journal=self._journal,
            pace=InlinePace(),
            sign=self._sign,
            clock=self._clock.read,
            observer=_Watcher(self._changed),
            is_known=self._verified.__contains__,
        )
        life = self._life = _Life(assemble(session, settings, ledgers, means))
        self._journal.write(life.parts.started)
        for event in life.parts.first_events(self._cut_rows(life)):
            self._take(life, event)
        self._changed()

    def _cut_rows(self, life: _Life) -> CutRows | None:
        if self.peer.rows is None:
            return None
        with TemporaryDirectory(prefix="learnae-") as spool:
            return life.parts.cut([self.peer.rows], spool=Path(spool))

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
        if self._life is not None and self._life.wake is not None:
            self._clock.cancel(self._life.wake)
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
            orders = life.parts.core.step(event)
        except HaltedError:
            orders = []
        for order in orders:
            self._carry(life, order)
        self._plan_wake(life)

    def _carry(self, life: _Life, order: effects.Effect) -> None:
        computer, meter = self.peer.computer, self._framework
        self._connection.spent_s = 0.0
        worked, jobs = meter.worked, meter.jobs
        event = carry_out(life.parts.performer.perform(order))
        if event is not None:
            work_s = (meter.worked - worked) / computer.rows_per_s + (meter.jobs - jobs) * computer.cycle_s
            self._clock.after(self._connection.spent_s + work_s, partial(self._arrive, life, event))

    def _plan_wake(self, life: _Life) -> None:
        due_s = life.machine.wake_at(self._clock.now_s)
        if due_s != life.wake_s:
            life.wake_s = due_s
            if life.wake is not None:
                self._clock.cancel(life.wake)
            life.wake = None if due_s is None else self._clock.at(due_s, partial(self._wake, life))

    def _wake(self, life: _Life) -> None:
        life.wake_s = life.wake = None
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
        encoded = life.parts.workshop.encoded(life.machine.own.model) if life else None
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
