"""One event at a time: the machine decides, what it decides becomes durable, the rest is handed to the driver."""

from collections.abc import Callable, Iterable, Sequence

from learnae.errors import LearnaeError
from learnae.machine import effects
from learnae.machine.events import Event, Heard
from learnae.machine.machine import Machine
from learnae.performing.journal import Journal
from learnae.performing.store import SensorState, Store
from learnae.performing.workshop import Workshop
from learnae.values.announcements import ModelRecord
from learnae.values.choices import Phase
from learnae.values.ids import PeerId, SensorId
from learnae.values.journal import Notice, PhaseChanged


class HaltedError(LearnaeError):
    """The machine stopped for good; the text is for the operator."""


class Observer:
    """What a driver tells others: override what is of interest."""

    def transition(self, peer: PeerId, change: PhaseChanged) -> None:
        """The machine went from one phase to another."""

    def best_model(self, peer: PeerId, record: ModelRecord) -> None:
        """The own model is the best that this peer ever had."""


class PeerCore:
    """The same for both drivers."""

    def __init__(
        self,
        machine: Machine,
        *,
        peer: PeerId,
        store: Store,
        workshop: Workshop,
        journal: Journal,
        clock: Callable[[], float],
        observer: Observer,
    ) -> None:
        """Make a core.

        Args:
            machine: Decides.
            peer: The own id.
            store: Makes it durable.
            workshop: Has the weights.
            journal: Where facts go.
            clock: Monotonic, in seconds.
            observer: Is told of transitions and of the best model.
        """
        self.machine = machine
        self._peer = peer
        self._store = store
        self._workshop = workshop
        self._journal = journal
        self._clock = clock
        self._observer = observer

    def step(self, event: Event, sensors: Iterable[tuple[SensorId, SensorState]] = ()) -> list[effects.Effect]:
        """Take an event in; return the orders to carry out, in order, once what must be durable is.

        Args:
            event: What happened.
            sensors: Positions in sensors' streams that become durable together with it.

        Raises:
            IllegalTransitionError: The phase does not allow this event.
            StateError: The state cannot be written; the peer must end, and goes on from its last state when started again.
            HaltedError: Another process signs with this peer's key.
        """
        return self._do(self.machine.handle(event, self._clock()), tuple(sensors))

    def hear(self, heard: Iterable[Heard]) -> list[effects.Effect]:
        """Take announcements in that came together, as ``step`` does, and make what they change durable at once.

        Raises:
            StateError: As for ``step``.
            HaltedError: As for ``step``.
        """
        made: list[effects.Effect] = []
        for event in heard:
            made += self.machine.handle(event, self._clock())
            if self.machine.phase is Phase.STOPPED:
                break
        return self._do(made, ())

    def _do(self, made: Sequence[effects.Effect], sensors: tuple[tuple[SensorId, SensorState], ...]) -> list[effects.Effect]:
        saves = [effect for effect in made if isinstance(effect, effects.Save)]
        model = next((effect.model for effect in made if isinstance(effect, effects.SaveModel)), None)
        if saves or model or sensors:
            self._store.commit(saves, self._workshop.own_model(model) if model else None, sensors)
        return [effect for effect in made if not self._is_done(effect)]

    def _is_done(self, effect: effects.Effect) -> bool:
        match effect:
            case effects.Save() | effects.SaveModel():
                pass
            case effects.Note(fact=fact):
                self._journal.write(fact)
                if isinstance(fact, PhaseChanged):
                    self._observer.transition(self._peer, fact)
            case effects.BestImproved(record=record):
                self._observer.best_model(self._peer, record)
            case effects.Halt(text=text):
                self._journal.write(Notice(text))
                raise HaltedError(text)
            case _:
                return False
        return True
