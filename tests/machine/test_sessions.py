"""One to three machines in a model of the world that loses, repeats and reorders what they say, and crashes them at any time."""

from dataclasses import replace
from hashlib import blake2b
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from learnae.averaging.judging import is_better
from learnae.machine import effects, events
from learnae.machine.events import FileKind
from learnae.machine.transitions import TRANSITIONS
from learnae.values.announcements import HashlistOffer, ModelOffer, Presence, Retirement, SliceUse
from learnae.values.choices import Averaging, Judge, Phase, Role
from learnae.values.journal import CycleEnded, SliceUsed
from learnae.values.persistency import ALL, BEST, NONE, Persistency, Policy
from learnae.values.scores import Score

ROWS = 20
OF_FILES = (
    effects.StoreModel,
    effects.StoreSlices,
    effects.StoreHashlist,
    effects.StoreBoard,
    effects.Keep,
    effects.Release,
    effects.TakeInventory,
)
"""Orders that a storage carries out at one moment and answers at another, in any order."""
JOBS = (effects.Score, effects.Train, effects.Fold, effects.GatherValidation, effects.Fetch, *OF_FILES)
SETTLING_STEPS = 3_000
TIDYING_S = 300.0


def _score(model: str, validation: str) -> Score:
    """Score a model: a function of model and rows, coarse enough for ties."""
    drawn = blake2b(f"{model}/{validation}".encode(), digest_size=2).digest()
    return Score(accuracy=(drawn[0] % (ROWS + 1)) / ROWS, loss=(drawn[1] % 16) / 16, rows=ROWS)


class Peer:
    """A desk, the jobs that its driver has under way, and what may never happen to it."""

    def __init__(self, lab: Any, files: dict[str, Any], told: Any) -> None:
        self.lab, self.files = lab, files
        self.desk = lab.Desk(told)
        self.validation: str | None = None
        self.jobs: list[Any] = []
        self.answers: list[events.Event] = []
        self.offered: set[str] = set()
        """What the storage offers for this peer, by locator: it outlives a crash."""
        self.has_lost = False
        """Whether the storage lost files, and was not asked since."""
        self.outbox: list[Any] = []
        self.folded: set[tuple[str, str, float, str]] = set()
        self.interrupted: set[str] = set()
        self.training: tuple[str, ...] = ()
        self.finished_at: float | None = None

    @property
    def told(self) -> Any:
        return self.desk.rules

    def start(self, now_s: float) -> None:
        self.give(events.Started(inventory=True), now_s)
        if self.told.role is Role.FULL:
            self.gather("rows/0", now_s)

    def gather(self, rows: str, now_s: float) -> None:
        self.validation = self.lab.named(f"{self.told.peer}/{rows}")
        self.give(events.ValidationGathered(self.validation, ROWS), now_s)

    def crash(self, now_s: float, **changes: Any) -> None:
        """Lose everything but what was saved; the program starts again, perhaps with other settings."""
        self.jobs.clear()
        self.answers.clear()
        self.interrupted |= set(self.training)
        self.training = ()
        self.desk.restore(**changes)
        self.start(now_s)

    def known(self) -> set[str]:
        """Return where the files are that the tables say are offered, surely or perhaps."""
        memory = self.desk.memory
        files = [*memory.offered.values(), *memory.kept.values(), *(item for item in memory.slices.values() if item.shared)]
        return {locator for file in files for locator in file.locators}

    def check_files(self) -> None:
        """What is said to be offered is, unless it is to be stored anew once it is out, or a loss is not noticed yet."""
        if self.has_lost:
            return
        memory = self.desk.memory
        for file in memory.kept.values():
            assert not file.kept or set(file.locators) <= self.offered, "what is kept is there"
            assert self.told.sharing or file.kind is FileKind.MODEL or not file.kept, "a private peer offers no rows"
        going = [job.locators for job in self.jobs if isinstance(job, effects.Release)]
        going += [event.locators for event in self.answers if isinstance(event, events.FilesReleased | events.ReleaseFailed)]
        for file in memory.offered.values():
            is_current = not file.superseded and file.kind is not FileKind.BOARD
            assert not is_current or file.locators in going or set(file.locators) <= self.offered, "what is current is there"
        for item in memory.slices.values():
            assert not item.shared or set(item.locators) <= self.offered, "what is shared is there"

    def give(self, event: events.Event, now_s: float) -> None:
        desk = self.desk
        desk.now_s = now_s
        before, phase, version = desk.machine.own, desk.phase, self._uses()
        made = desk.give(event)
        self.has_lost = self.has_lost and not isinstance(event, events.InventoryTaken)
        self.check_files()
        assert desk.phase in TRANSITIONS[phase, type(event)]
        self._check_own_model(event, before)
        for order in self.lab.of(made, JOBS):
            match order:
                case effects.Train():
                    self._check_training(order, made, version)
                case effects.Fold():
                    self._check_folding(order)
                case _:
                    pass
            self.jobs.append(order)
        for announce in self.lab.of(made, effects.Announce):
            self._check_privacy(announce.signed.announcement.content)
            self.outbox.append(announce.signed)
        if not self.told.sharing:
            assert not self.lab.of(made, (effects.StoreSlices, effects.StoreHashlist))
        assert all(ended.kept or ended.current == before.model for ended in self.lab.of(made, CycleEnded))

    def _uses(self) -> dict[str, int]:
        """Count, from the tables alone, how often each slice is known to be used by those who count."""
        memory, told = self.desk.durable, self.told
        users: dict[str, dict[str, int]] = {}
        for signed in memory.board.values():
            charged = memory.charges.get(signed.announcement.author)
            match signed.announcement.content:
                case SliceUse(slice=digest, uses=uses) if charged is None or charged.count < told.limits.quarantine_after:
                    users.setdefault(digest, {})[signed.announcement.author] = uses
                case _:
                    pass
        for digest, own in memory.uses.items():
            counts = users.setdefault(digest, {})
            counts[told.peer] = max(own.begun, counts.get(told.peer, 0))
        return {digest: sum(min(uses, told.passes) for uses in counts.values()) for digest, counts in users.items()}

    def _check_own_model(self, event: events.Event, before: Any) -> None:
        own, told = self.desk.machine.own, self.told
        if own.score is not None:
            assert own.score == _score(own.model, own.validation), "the score is the model's, on those rows"
        match event:
            case events.ModelTrained():
                assert own.model == event.model
                assert own.maturity == before.maturity + 1
            case events.OwnScored():
                assert (own.model, own.maturity) == (before.model, before.maturity)
            case events.ModelFolded() | events.FoldFailed():
                if own != before:
                    assert own.validation == before.validation
                    assert is_better(told.judge, told.min_gain, own.score, before.score), "only what is better is kept"
            case _:
                assert own == before

    def _check_training(self, order: effects.Train, made: Any, known: dict[str, int]) -> None:
        assert self.told.role is not Role.FEEDER
        counted = {fact.slice for fact in self.lab.of(made, SliceUsed)}
        slices = self.desk.memory.slices
        for digest in order.slices:
            assert not slices[digest].evaluation, "nobody trains on evaluation slices"
            assert slices[digest].held
            if digest in counted:
                # The event at hand may have brought the news of further uses: what is known now, but for the own one, counts.
                assert self._uses()[digest] - 1 < self.told.overuse_threshold, "not started at its threshold"
            else:
                assert digest in self.interrupted, "only a pass that a crash interrupted begins without being counted"
                assert self._uses().get(digest, 0) >= known.get(digest, 0)
            self.interrupted.discard(digest)
        self.training = order.slices

    def _check_folding(self, order: effects.Fold) -> None:
        assert self.told.role is not Role.FEEDER
        assert order.remote.digest != self.desk.machine.own.model
        key = (order.base, order.remote.digest, order.remote_share, self.validation)
        assert key not in self.folded, "nothing is tried twice for nothing"

    def _check_privacy(self, content: Any) -> None:
        allowed = (ModelOffer, Presence)
        if self.told.sharing:
            allowed = (ModelOffer, Presence, HashlistOffer, SliceUse, Retirement)
        assert isinstance(content, allowed)

    def perform(self, job: Any, outcome: str, now_s: float, *, late: bool = False) -> None:
        """Carry a job out: well, badly, or as if the other side had lied; the answer may come later."""
        self.jobs.remove(job)
        event = self._outcome(job, outcome)
        if event is None:
            return
        if late and isinstance(job, OF_FILES):
            self.answers.append(event)
        else:
            self.give(event, now_s)

    def is_busy(self) -> bool:
        return bool(self.jobs or self.answers)

    def do_next(self, outcome: str, now_s: float) -> None:
        """Take in an answer, or carry a job out."""
        if self.answers:
            self.give(self.answers.pop(0), now_s)
        else:
            self.perform(self.jobs[0], outcome, now_s)

    def _outcome(self, job: Any, outcome: str) -> Any:  # noqa: C901 - one case for each order, nothing nested
        fails = outcome != "well"
        match job:
            case effects.Score(model=model):
                return events.OwnScored(model, self.validation, _score(model, self.validation))
            case effects.Train():
                self.training = ()
                if fails:
                    return events.TrainingFailed(outcome, job.slices if outcome == "badly" else ())
                model = self.lab.named(f"train/{job.model}/{job.slices}/{job.seed}")
                return events.ModelTrained(model, self.validation, _score(model, self.validation))
            case effects.Fold():
                return self._fold(job, outcome)
            case effects.GatherValidation(slices=slices):
                self.validation = self.lab.named("/".join(slices))
                return events.ValidationGathered(self.validation, ROWS)
            case effects.StoreModel(model=model):
                return self._stored(FileKind.MODEL, model, model, outcome)
            case effects.Release(locators=locators):
                if outcome != "badly":
                    self.offered.difference_update(locators)
                return events.ReleaseFailed(locators, outcome) if fails else events.FilesReleased(locators)
            case effects.Keep(kind=kind, digest=digest, locators=locators):
                if outcome != "badly":
                    self.offered.update(locators)
                return events.KeepFailed(kind, digest, outcome) if fails else events.Kept(kind, digest)
            case effects.TakeInventory():
                return events.InventoryFailed(outcome) if fails else events.InventoryTaken(tuple(sorted(self.offered)), ("mem",))
            case effects.StoreHashlist(entries=entries):
                return self._stored(FileKind.HASHLIST, self.lab.named(repr(entries)), entries, outcome)
            case effects.StoreBoard(entries=entries):
                ordered = sorted(entries, key=lambda signed: signed.signature)
                return self._stored(FileKind.BOARD, self.lab.named(repr(ordered)), entries, outcome)
            case effects.StoreSlices(slices=slices):
                held = self.desk.memory.slices
                if outcome != "badly":
                    self.offered.update(f"mem:{digest}" for digest, _ in slices if digest in held)
                if fails:
                    return events.StoreFailed(FileKind.SLICE, slices[0][0], outcome)
                entries = [(digest, held[digest].rows) for digest, _ in slices if digest in held]
                marks = dict(slices)
                made = tuple(replace_entry(self.lab, digest, rows, marks[digest]) for digest, rows in entries)
                self.files.update(entries)
                return events.SlicesStored(made) if made else events.StoreFailed(FileKind.SLICE, slices[0][0], "lost")
            case effects.Fetch():
                return self._fetch(job, outcome)

    def _stored(self, kind: FileKind, digest: str, content: Any, outcome: str) -> events.Event:
        """Store a file; what is said to have failed may have been done nevertheless."""
        if outcome != "badly":
            self.offered.add(f"mem:{digest}")
        if outcome != "well":
            return events.StoreFailed(kind, digest, "full")
        self.files[digest] = content
        return events.FileStored(kind, digest, (f"mem:{digest}",), 10)

    def _fold(self, job: effects.Fold, outcome: str) -> events.Event:
        remote = job.remote.digest
        if outcome != "well" or remote not in self.files:
            return events.FoldFailed(outcome, wrong=outcome == "a lie")
        model = remote if job.remote_share == 1.0 else self.lab.named(f"average/{job.base}/{remote}/{job.remote_share}")
        score = _score(model, self.validation)
        own = self.desk.machine.own
        if own.validation == self.validation and not is_better(
            self.told.judge, self.told.min_gain, score, _score(job.base, self.validation)
        ):
            self.folded.add((job.base, remote, job.remote_share, self.validation))
        return events.ModelFolded(model, self.validation, score, 10, f"mem:{remote}")

    def _fetch(self, job: effects.Fetch, outcome: str) -> events.Event:
        if outcome != "well" or job.digest not in self.files:
            return events.FetchFailed(job.kind, job.author, job.digest, outcome, wrong=outcome == "a lie")
        content = self.files[job.digest]
        match job.kind:
            case FileKind.BOARD:
                return events.BoardFetched(job.author, job.digest, content)
            case FileKind.HASHLIST:
                return events.HashlistFetched(job.author, job.digest, content, 10, f"mem:{job.digest}")
            case _:
                return events.SliceFetched(job.author, job.digest, content, 10, f"mem:{job.digest}")


def replace_entry(lab: Any, digest: str, rows: int, evaluation: bool) -> Any:
    entry = lab.entry("any", evaluation=evaluation, rows=rows)
    return type(entry)(digest, rows, evaluation, (f"mem:{digest}",))


PEER = st.tuples(st.sampled_from(list(Role)), st.sampled_from([True, True, False]))
INDEX = st.integers(0, 11)
OUTCOME = st.sampled_from(["well", "well", "well", "badly", "a lie"])
FILES = st.sampled_from([NONE, Policy(last=1), Policy(last=2), ALL])
MODELS = st.sampled_from([NONE, Policy(last=1), Policy(last=2), BEST, ALL])
PERSISTENCY = st.builds(
    Persistency, own_models=MODELS, own_hashlists=FILES, foreign_models=MODELS, foreign_slices=FILES, foreign_hashlists=FILES
)


class World(RuleBasedStateMachine):
    """What may happen, in any order."""

    def __init__(self, lab: Any) -> None:
        super().__init__()
        self.lab = lab
        self.now_s = 0.0
        self.files: dict[str, Any] = {}
        self.peers: list[Peer] = []
        self.wire: dict[Any, None] = {}
        self.cuts = 0

    @initialize(
        peers=st.lists(PEER, min_size=1, max_size=3),
        judge=st.sampled_from(list(Judge)),
        averaging=st.sampled_from(list(Averaging)),
        sharing_allowed=st.sampled_from([True, True, True, False]),
        threshold=st.integers(1, 4),
        batch=st.integers(1, 2),
        spacing=st.sampled_from([0, 1, 3]),
        charges=st.integers(1, 3),
        persistency=PERSISTENCY,
    )
    def begin(
        self,
        peers: Any,
        judge: Any,
        averaging: Any,
        sharing_allowed: Any,
        threshold: Any,
        batch: Any,
        spacing: Any,
        charges: Any,
        persistency: Any,
    ) -> None:
        for number, (role, sharing) in enumerate(peers):
            told = self.lab.rules(
                peer=self.lab.named(f"peer/{number}"),
                role=role,
                judge=judge,
                min_gain=0.05 if judge is Judge.LOSS else 0.0,
                averaging=averaging,
                sharing_allowed=sharing_allowed,
                sharing=sharing_allowed and sharing,
                overuse_threshold=threshold,
                slices_per_cycle=batch,
                pass_spacing=spacing,
                pass_hold_s=4.1,
                seed=number,
                quiet_period_s=7.3,
                presence_interval_s=2.1,
                retry_s=1.7,
                retention_s=20.0,
                persistency=persistency,
                max_fetches=2,
            )
            told = replace(told, limits=type(told.limits)(quarantine_after=charges))
            peer = Peer(self.lab, self.files, told)
            self.peers.append(peer)
            peer.start(self.now_s)
        self._collect()

    def _peer(self, which: int) -> Peer:
        return self.peers[which % len(self.peers)]

    def _collect(self) -> None:
        for peer in self.peers:
            self.wire |= dict.fromkeys(peer.outbox)
            peer.outbox.clear()

    @rule(which=INDEX, job=INDEX, outcome=OUTCOME, late=st.booleans())
    def a_job_ends(self, which: int, job: int, outcome: str, late: bool) -> None:
        peer = self._peer(which)
        if peer.jobs:
            peer.perform(peer.jobs[job % len(peer.jobs)], outcome, self.now_s, late=late)
        self._collect()

    @rule(which=INDEX, answer=INDEX)
    def an_answer_comes(self, which: int, answer: int) -> None:
        peer = self._peer(which)
        if peer.answers:
            peer.give(peer.answers.pop(answer % len(peer.answers)), self.now_s)
        self._collect()

    @rule(which=INDEX)
    def all_jobs_end_well(self, which: int) -> None:
        peer = self._peer(which)
        for job in list(peer.jobs):
            peer.perform(job, "well", self.now_s)
        self._collect()

    @rule(which=INDEX, count=st.integers(1, 3), evaluation=st.booleans())
    def slices_are_cut(self, which: int, count: int, evaluation: bool) -> None:
        peer = self._peer(which)
        if peer.told.role is not Role.TRAINER:
            new = [
                events.CutSlice(self.lab.named(f"slice/{self.cuts + number}"), 10, evaluation and number == 0)
                for number in range(count)
            ]
            self.cuts += count
            peer.give(events.SlicesCut(tuple(new)), self.now_s)
        self._collect()

    @rule(which=INDEX, rows=st.sampled_from(["rows/0", "rows/1"]))
    def validation_rows_change(self, which: int, rows: str) -> None:
        peer = self._peer(which)
        if peer.told.role is Role.FULL:
            peer.gather(rows, self.now_s)
        self._collect()

    @rule(to=INDEX, what=st.integers(0, 200), keep=st.booleans())
    def a_message_arrives(self, to: int, what: int, keep: bool) -> None:
        """Any message, to anyone, its author included; perhaps again later; what never arrives is lost."""
        if self.wire:
            signed = list(self.wire)[what % len(self.wire)]
            if not keep:
                del self.wire[signed]
            self._peer(to).give(events.Heard(signed), self.now_s)
        self._collect()

    @rule(to=INDEX)
    def all_messages_arrive(self, to: int) -> None:
        for signed in list(self.wire):
            self._peer(to).give(events.Heard(signed), self.now_s)
        self._collect()

    @rule(which=INDEX)
    def readings_arrive(self, which: int) -> None:
        self._peer(which).give(events.ReadingsArrived("sensor", 1, 0), self.now_s)
        self._collect()

    @rule(seconds=st.sampled_from([0.1, 0.7, 2.1, 9.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds
        for peer in self.peers:
            due_s = peer.desk.machine.wake_at(peer.desk.now_s)
            if due_s is not None and due_s <= self.now_s:
                peer.give(events.TimePassed(), self.now_s)
        self._collect()

    @rule(which=INDEX)
    def it_crashes(self, which: int) -> None:
        self._peer(which).crash(self.now_s)
        self._collect()

    @rule(which=INDEX, persistency=PERSISTENCY)
    def it_crashes_and_keeps_other_files(self, which: int, persistency: Any) -> None:
        self._peer(which).crash(self.now_s, persistency=persistency)
        self._collect()

    @rule(which=INDEX, most=st.sampled_from([0, 1, 3]))
    def it_crashes_and_its_storage_loses_files(self, which: int, most: int) -> None:
        peer = self._peer(which)
        peer.offered = set(sorted(peer.offered)[:most])
        peer.has_lost = True
        peer.crash(self.now_s)
        self._collect()

    @rule(which=INDEX)
    def it_stops_and_starts(self, which: int) -> None:
        peer = self._peer(which)
        peer.give(events.StopRequested(), self.now_s)
        assert peer.desk.machine.wake_at(self.now_s) is None
        peer.crash(self.now_s)
        self._collect()

    @rule(outcome=st.sampled_from(["well", "badly", "a lie"]))
    def no_more_news_comes(self, outcome: str) -> None:
        """Whoever hears nothing more finishes, whatever becomes of its work."""
        for peer in self.peers:
            for _ in range(SETTLING_STEPS):
                if peer.desk.phase is Phase.FINISHED:
                    break
                if peer.is_busy():
                    peer.do_next(outcome, self.now_s)
                else:
                    due_s = peer.desk.machine.wake_at(self.now_s)
                    assert due_s is not None, "something is due as long as it has not finished"
                    assert due_s >= self.now_s
                    self.now_s = due_s
                    peer.give(events.TimePassed(), self.now_s)
            assert peer.desk.phase is Phase.FINISHED
            if peer.validation is not None and peer.told.role is not Role.FEEDER and outcome == "well":
                assert not peer.desk.memory.queue, "all passes are done"
        self._collect()

    @invariant()
    def a_feeder_only_feeds(self) -> None:
        for peer in self.peers:
            if peer.told.role is Role.FEEDER:
                assert peer.desk.phase in (Phase.IDLE, Phase.FINISHED)
                assert peer.desk.machine.cycle == 0

    @rule(rounds=st.integers(1, 5))
    def all_is_exchanged(self, rounds: int) -> None:
        for _ in range(rounds):
            for peer in self.peers:
                for job in list(peer.jobs):
                    peer.perform(job, "well", self.now_s)
            self._collect()
            for peer in self.peers:
                for signed in list(self.wire):
                    peer.give(events.Heard(signed), self.now_s)
            self._collect()

    def teardown(self) -> None:
        """In the end everybody hears everything, and all finish."""
        if self.peers:
            self.all_is_exchanged(3)
            self.no_more_news_comes("well")
            self.all_is_tidy()

    def all_is_tidy(self) -> None:
        """After a while nothing is offered that nobody remembers."""
        end_s = self.now_s + TIDYING_S
        for peer in self.peers:
            now_s: float | None = self.now_s
            while now_s is not None and now_s <= end_s:
                while peer.is_busy():
                    peer.do_next("well", now_s)
                now_s = peer.desk.machine.wake_at(now_s)
                if now_s is not None:
                    peer.give(events.TimePassed(), now_s)
            while peer.is_busy():
                peer.do_next("well", end_s + 100.0)
            assert peer.offered <= peer.known()


def test_whatever_happens_the_promises_hold(lab: Any) -> None:
    run_state_machine_as_test(
        lambda: World(lab),
        settings=settings(
            max_examples=80,
            stateful_step_count=50,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Stage.explicit, Stage.generate, Stage.shrink],
        ),
    )
