"""The peer's algorithm (architecture, section 5; paper, section 4): events in, effects out."""

from learnae.averaging.judging import is_better
from learnae.errors import IllegalTransitionError
from learnae.machine import events
from learnae.machine.board import Board, Offer
from learnae.machine.catching import CatchingUp
from learnae.machine.effects import BestImproved, Effect, Halt, KeepOnly, Score, Train
from learnae.machine.events import FileKind
from learnae.machine.files import Files
from learnae.machine.folding import Folding
from learnae.machine.hearing import CLONED, Hearing, Import
from learnae.machine.memory import KnownSlice, Memory, Own, QueuedPass
from learnae.machine.notebook import Notebook, Sign, board_key
from learnae.machine.resting import Resting
from learnae.machine.rules import Rules
from learnae.machine.slices import Slices
from learnae.machine.transitions import RESTING, TRANSITIONS
from learnae.values import scores
from learnae.values.announcements import ModelOffer, ModelRecord, SignedAnnouncement, matured
from learnae.values.choices import Cycle, Phase, Role
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import (
    CycleEnded,
    FetchFailed,
    FileFetched,
    ModelScored,
    Notice,
    PhaseChanged,
    ReadingsReceived,
)

RECOVERY_INTERVALS = 4
"""Presence intervals during which a peer that lost its state listens for what others remember of it."""
RECOVERY_GAP = 2**32
"""Numbers that it then leaves out: boards do not carry presence, so nobody may remember the highest that it used."""


class Machine:
    """One peer's decisions. It knows no clock, no file, no network: time comes with each event, bytes never do.

    Not thread-safe. After an exception other than ``IllegalTransitionError`` it must not be used any more.
    """

    def __init__(self, rules: Rules, memory: Memory, sign: Sign) -> None:
        """Make a machine, or go on with one from what its ``Save`` effects made durable.

        Args:
            rules: What it is told once.
            memory: Empty for a new peer; the machine owns it from now on.
            sign: Signs an announcement with the peer's key.
        """
        self._notebook = Notebook(rules, memory, sign)
        self._board = Board(self._notebook)
        self._slices = Slices(self._notebook, self._board)
        self._folding = Folding(self._notebook, self._board)
        self._files = Files(self._notebook, self._board, self._slices)
        self._catching = CatchingUp(self._notebook, self._board, self._files.offering)
        self._hearing = Hearing(
            self._notebook,
            self._board,
            slices=self._slices,
            folding=self._folding,
            catching=self._catching,
        )
        self._resting = Resting(
            self._notebook,
            self._board,
            spacing=self._slices.spacing,
            folding=self._folding,
            offering=self._files.offering,
            sharing=self._files.sharing,
        )
        self._phase = Phase.NEW
        self._has_inventory = False
        self._validation: Digest | None = None
        self._training: tuple[QueuedPass, ...] = ()
        self._cycle_began_s = 0.0
        self._recovers_until_s = 0.0

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        return self._phase

    @property
    def own(self) -> Own:
        """The own model."""
        return self._notebook.own

    @property
    def announced_model(self) -> ModelOffer | None:
        """The own model as others know it; ``None`` before one was announced."""
        signed = self._notebook.memory.board.get(f"{self._notebook.rules.peer}/model")
        content = None if signed is None else signed.announcement.content
        return content if isinstance(content, ModelOffer) else None

    @property
    def cycle(self) -> int:
        """How many work cycles ended."""
        return self._notebook.core.cycle

    @property
    def peers(self) -> int:
        """How many peers were ever heard of, this one included."""
        return self._board.peers

    @property
    def queued(self) -> int:
        """How many passes over dataslices are queued."""
        return len(self._notebook.memory.queue)

    def is_known(self, signed: SignedAnnouncement) -> bool:
        """Say whether exactly this announcement is on the board."""
        return self._notebook.memory.board.get(board_key(signed.announcement)) == signed

    def own_slices(self) -> tuple[KnownSlice, ...]:
        """Return the slices that this peer cut."""
        return self._slices.own()

    def network_uses(self, digest: Digest) -> int:
        """Count the uses of a slice by everybody, as far as this peer knows."""
        return self._board.network_uses(digest)

    def handle(self, event: events.Event, now_s: float) -> tuple[Effect, ...]:
        """Take an event in and say what is to be done.

        Args:
            event: What happened.
            now_s: When, in seconds on a monotonic clock of the driver's; never less than before.

        Returns:
            Effects. Those that save come first and are to be made durable together before any other is carried out.

        Raises:
            IllegalTransitionError: The phase does not allow this event; nothing was changed.
        """
        if (self._phase, type(event)) not in TRANSITIONS:
            raise IllegalTransitionError(f"{type(event).__name__} cannot happen while {self._phase}")
        self._notebook.now_s = now_s
        before = self._phase
        self._take_in(event)
        if self._phase is not Phase.STOPPED:
            # Whatever came, what is due is done: wake_at looks only ahead, so a moment that passed unused would be lost.
            self._pass_time()
        if self._phase in RESTING and self._resting.is_over(event):
            self._decide()
            self._resting.decided(self._phase)
        if self._phase is not before:
            self._notebook.note(PhaseChanged(before, self._phase, self.cycle))
        return self._files.pass_on(self._notebook.take())

    def wake_at(self, now_s: float) -> float | None:
        """Return the moment, now or later, at which ``TimePassed`` is due; ``None`` if only events can change anything.

        What was due when the last event came is done; what fell due since is due now.
        """
        if self._phase in (Phase.NEW, Phase.STOPPED):
            return None
        seen_s = self._notebook.now_s
        due = [
            self._files.next_due_s(seen_s),
            self._slices.next_due_s(seen_s),
            self._slices.spacing.held_until_s,
            self._folding.next_due_s(seen_s),
            self._catching.next_due_s(seen_s),
            self._recovers_until_s if self._notebook.core.recovering else None,
            self._resting.quiet_at_s if self._phase in (Phase.IDLE, Phase.WAITING) else None,
        ]
        next_s = min((due_s for due_s in due if due_s is not None and due_s > seen_s), default=None)
        return None if next_s is None else max(next_s, now_s)

    def _take_in(self, event: events.Event) -> None:  # noqa: C901, PLR0912 - one line for each event, nothing nested
        match event:
            case events.Started():
                self._start(event)
            case events.StopRequested():
                self._files.offering.leave()
                self._phase = Phase.STOPPED
            case events.TimePassed():
                pass
            case events.ValidationGathered():
                self._validation = event.validation
                self._resting.news()
            case events.OwnScored():
                self._own_scored(event)
            case events.ModelTrained():
                self._trained(event)
            case events.TrainingFailed():
                self._training_failed(event)
            case events.ModelFolded():
                self._folded(event)
            case events.FoldFailed():
                self._fold_failed(event)
            case events.Heard():
                self._heard(self._hearing.merge((event.signed,)))
            case events.BoardFetched():
                self._heard(self._hearing.board_fetched(event))
            case events.FetchFailed():
                self._hearing.fetch_failed(event)
            case events.ReadingsArrived():
                if event.accepted or event.rejected:
                    self._notebook.note(ReadingsReceived(event.sensor, event.accepted, event.rejected))
                if event.accepted:
                    self._slices.spacing.more_came()
                self._resting.news()
            case events.SlicesCut() | events.SlicesLost() | events.HashlistFetched() | events.SliceFetched():
                self._slices_changed(event)
            case _:
                self._files.take_in(event)

    def _start(self, event: events.Started) -> None:
        now_s = self._notebook.now_s
        rules = self._notebook.rules
        self._slices.spacing.more_came()
        self._resting.news()
        self._has_inventory = event.inventory
        if event.recovering:
            self._notebook.change_core(recovering=True)
        self._recovers_until_s = now_s + RECOVERY_INTERVALS * rules.presence_interval_s
        if not self._notebook.core.recovering:
            self._appear(stock_after_s=0.0)
        self._phase = Phase.IDLE

    def _appear(self, *, stock_after_s: float) -> None:
        if self._has_inventory:
            self._files.take_stock(stock_after_s)
        self._files.appear()
        self._slices.gather_validation()

    def _pass_time(self) -> None:
        if self._notebook.core.recovering and self._notebook.now_s >= self._recovers_until_s:
            self._recover()
        if not self._notebook.core.recovering:
            self._files.pass_time()
        self._catching.pass_time()
        self._slices.fetch()

    def _recover(self) -> None:
        """End the silence: until now nothing was signed or trained, so that no number and no pass is used twice."""
        self._notebook.change_core(recovering=False, sequence=self._notebook.core.sequence + RECOVERY_GAP)
        self._resting.news()
        self._files.sharing.overtaken()
        # What was offered before the loss, others may be fetching; and much of it will be offered again, and so be known.
        self._appear(stock_after_s=self._notebook.rules.retention_s)

    def _slices_changed(self, event: events.SlicesCut | events.SlicesLost | events.HashlistFetched | events.SliceFetched) -> None:
        is_news = True
        match event:
            case events.SlicesCut(slices=cut):
                is_news = self._slices.cut(cut)
                self._files.sharing.changed()
            case events.SlicesLost(slices=lost):
                self._slices.lose(lost)
                self._slices.gather_validation()
                is_news = False
            case events.HashlistFetched(author=author, digest=digest, entries=entries):
                self._notebook.note(FileFetched("hashlist", digest, author, event.size))
                is_news = self._slices.hashlist_fetched(author, digest, entries)
                self._files.keeping.fetched(FileKind.HASHLIST, author, digest, event.locator)
            case _:
                self._notebook.note(FileFetched("slice", event.digest, event.author, event.size))
                if self._slices.slice_fetched(event.author, event.digest, event.rows):
                    self._files.keeping.fetched(FileKind.SLICE, event.author, event.digest, event.locator)
        if is_news:
            self._resting.news()

    def _heard(self, heard: Import) -> None:
        if heard is Import.CLONE:
            self._notebook.order(Halt(CLONED))
            self._phase = Phase.STOPPED
        elif heard is Import.NEWS:
            self._resting.news()

    def _own_scored(self, event: events.OwnScored) -> None:
        # A score on other rows cannot be compared with the best one so far.
        best = self._notebook.core.best if event.validation == self.own.validation else None
        own = Own(event.model, self.own.maturity, event.score, event.validation)
        self._notebook.change_core(own=own, best=best)
        self._notebook.note(ModelScored(event.model, event.score))
        self._note_best()
        self._files.offering.publish_model()
        self._phase = Phase.IDLE

    def _trained(self, event: events.ModelTrained) -> None:
        before = self.own
        self._notebook.save_model(Own(event.model, matured(before.maturity), event.score, event.validation))
        self._slices.complete(self._training)
        self._end_cycle(Cycle.TRAIN, before, event.score, (), self._training[0].slice)

    def _training_failed(self, event: events.TrainingFailed) -> None:
        self._notebook.note(Notice(f"training made no model: {event.reason}"))
        slice_ = self._training[0].slice
        self._slices.lose(event.lost)
        if not event.lost:
            self._slices.complete(self._training)
        self._end_cycle(Cycle.TRAIN, self.own, None, (), slice_)

    def _folded(self, event: events.ModelFolded) -> None:
        offer = self._folding.current().now
        author, record = offer.author, offer.content.record
        if event.size:
            self._notebook.note(FileFetched("model", record.digest, author, event.size))
        self._files.keeping.fetched(FileKind.MODEL, author, record.digest, event.locator, record.score)
        if not self._folding.folded(event.model, event.validation, event.score):
            self._end_fold()

    def _fold_failed(self, event: events.FoldFailed) -> None:
        attempt = self._folding.attempt
        if attempt is not None and not event.wrong:
            self._notebook.note(FetchFailed("model", attempt.now.content.record.digest, attempt.now.author, event.reason))
        if not self._folding.failed(event.reason, wrong=event.wrong):
            self._end_fold()

    def _end_fold(self) -> None:
        attempt = self._folding.end()
        before = self.own
        if attempt.base != before:
            self._notebook.save_model(attempt.base)
        self._end_cycle(
            attempt.kind, before, attempt.base.score if attempt.folded else attempt.tried, tuple(attempt.partners), None
        )

    def _end_cycle(
        self, kind: Cycle, before: Own, tried: scores.Score | None, partners: tuple[PeerId, ...], slice_: Digest | None
    ) -> None:
        own = self.own
        kept = own != before
        self._notebook.change_core(cycle=self.cycle + 1)
        seconds = self._notebook.now_s - self._cycle_began_s
        self._notebook.note(
            CycleEnded(kind, self.cycle, before.score, tried, kept, own.model, own.maturity, partners, slice_, seconds)
        )
        if kept:
            self._note_best()
            self._files.offering.publish_model()
        self._notebook.order(KeepOnly(own.model))
        self._training = ()
        self._phase = Phase.IDLE

    def _note_best(self) -> None:
        own, rules, best = self.own, self._notebook.rules, self._notebook.core.best
        if own.score is not None and (best is None or is_better(rules.judge, rules.min_gain, own.score, best.score)):
            record = ModelRecord(own.model, own.score, own.maturity)
            self._notebook.change_core(best=record)
            self._notebook.order(BestImproved(record))

    def _decide(self) -> None:
        """Choose the next work cycle, or rest (paper, section 4.3; architecture, section 5, points 3 and 4)."""
        self._cycle_began_s = self._notebook.now_s
        if self._notebook.core.recovering:
            seconds = RECOVERY_INTERVALS * self._notebook.rules.presence_interval_s
            self._phase = self._resting.wait(f"the state was lost: listening for {seconds:g} s for what others remember of it")
            return
        if self._notebook.rules.role is Role.FEEDER or self._validation is None:
            self._settle()
            return
        if self.own.validation != self._validation:
            self._phase = Phase.SCORING
            self._notebook.order(Score(self.own.model))
            return
        self._slices.drop_overused()
        can_train = self._slices.is_anything_to_begin()
        if not can_train:
            self._slices.spacing.tell()
        better, eligible = self._folding.eligible()
        if can_train and better:
            can_train = self._notebook.chance() < self._notebook.rules.train_probability
        if can_train:
            self._begin_training()
        elif better:
            self._begin_fold(Cycle.AVERAGE, Phase.AVERAGING, better)
        elif eligible:
            self._begin_fold(Cycle.EXPLORE, Phase.EXPLORING, eligible)
        else:
            self._settle()

    def _begin_training(self) -> None:
        self._resting.work_begins()
        self._phase = Phase.TRAINING
        self._training = self._slices.begin()
        self._notebook.order(Train(self.own.model, tuple(queued.slice for queued in self._training), self._notebook.seed()))

    def _begin_fold(self, kind: Cycle, phase: Phase, offers: list[Offer]) -> None:
        self._resting.work_begins()
        self._phase = phase
        self._folding.begin(kind, offers)

    def _settle(self) -> None:
        self._phase, offer = self._resting.settle(self._phase, has_rows=self._validation is not None)
        if offer is not None:
            self._folding.begin_adoption(offer)
