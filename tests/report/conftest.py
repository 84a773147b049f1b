"""A seeded generator of plausible journals."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from learnae.values.choices import Averaging, Cycle, Judge, Phase, Role
from learnae.values.ids import Digest, PeerId, SessionId
from learnae.values.journal import (
    AnnouncementSent,
    AnyFact,
    CycleEnded,
    FileFetched,
    FileStored,
    JournalLine,
    ModelPublished,
    ModelScored,
    PeerSeen,
    PeerStarted,
    PeerStopped,
    PhaseChanged,
    SlicesQueued,
    SliceUsed,
)
from learnae.values.scores import Score

SESSION = SessionId("5e" * 32)
PHASES = {
    Cycle.TRAIN: Phase.TRAINING,
    Cycle.AVERAGE: Phase.AVERAGING,
    Cycle.EXPLORE: Phase.EXPLORING,
    Cycle.ADOPT: Phase.ADOPTING,
}
SECONDS = {Cycle.TRAIN: 1.1, Cycle.AVERAGE: 0.5, Cycle.EXPLORE: 0.5, Cycle.ADOPT: 0.4}


def digest(*words: object) -> str:
    return hashlib.blake2b(repr(words).encode(), digest_size=32).hexdigest()


@dataclass
class Story:
    """One peer's journal in the making."""

    chance: random.Random
    number: int
    others: list[PeerId]
    time: float
    lines: list[JournalLine] = field(default_factory=list)
    phase: Phase = Phase.NEW
    cycle: int = 0
    maturity: int = 0
    sequence: int = 0
    uses: Counter[Digest] = field(default_factory=Counter)
    score: Score = field(default_factory=lambda: Score(0.5, 0.70, 80))

    @property
    def peer(self) -> PeerId:
        return self.others[self.number]

    def tell(self, fact: AnyFact, after: float = 0.0) -> None:
        self.time = round(self.time + after, 4)
        self.lines.append(JournalLine(time=self.time, peer=self.peer, fact=fact))

    def go(self, phase: Phase, after: float = 0.0) -> None:
        self.tell(PhaseChanged(before=self.phase, after=phase, cycle=self.cycle), after)
        self.phase = phase

    def start(self, *, resumed: bool) -> None:
        self.phase = Phase.NEW
        framework = "numpy" if self.number % 3 == 2 else "jax"
        self.tell(
            PeerStarted(
                SESSION,
                Role.FULL,
                framework,
                "localfs",
                "localfs",
                False,
                Averaging.PAIRWISE,
                Judge.ACCURACY,
                resumed,
                self.cycle,
            )
        )
        if not resumed:
            self.tell(SlicesQueued(slices=4, passes=12, rows=320, evaluation=1, author=self.peer))
        self.go(Phase.SCORING, 0.01)
        self.tell(ModelScored(Digest(digest(self.number, self.cycle)), self.score), 0.2)
        for other in self.others:
            if other != self.peer and not resumed:
                self.tell(PeerSeen(author=other, peers=len(self.others) - 1), 0.01)

    def work(self, kind: Cycle) -> None:
        self.go(PHASES[kind], self.chance.uniform(0.0, 0.05))
        self.cycle += 1
        chance, before = self.chance, self.score
        partners: tuple[PeerId, ...] = ()
        used = None
        if kind is Cycle.TRAIN:
            used = Digest(digest("slice", self.number, self.cycle % 4))
            self.uses[used] += 1
            self.tell(SliceUsed(slice=used, own=self.uses[used], network=self.uses[used]))
            goal = 0.77 + 0.03 * random.Random(self.number).random()
            accuracy = before.accuracy + (goal - before.accuracy) * 0.5 + chance.gauss(0.0, 0.006)
        else:
            others = [other for other in self.others if other != self.peer]
            partners = (chance.choice(others),) if others else ()
            accuracy = before.accuracy + 0.3 * (0.812 - before.accuracy) + chance.gauss(-0.008, 0.008)
            if partners:
                size = 17_012
                self.tell(FileFetched("model", Digest(digest(partners, self.cycle)), partners[0], size), 0.03)
        accuracy = min(0.84, round(accuracy * 320) / 320)
        tried = Score(accuracy, round(0.95 - 0.6 * accuracy, 5), 320)
        kept = kind is Cycle.TRAIN or accuracy > before.accuracy
        if kept:
            self.score, self.maturity = tried, self.maturity + 1
        lasted = SECONDS[kind] * chance.uniform(0.7, 1.4)
        model = Digest(digest("model", self.number, self.maturity))
        self.tell(CycleEnded(kind, self.cycle, before, tried, kept, model, self.maturity, partners, used, lasted), lasted)
        if kept:
            self.tell(FileStored("model", model, 17_012), 0.004)
            self.sequence += 1
            self.tell(AnnouncementSent("model", self.sequence, chance.randrange(640, 700)), 0.002)
            self.tell(ModelPublished(model, self.maturity, 17_012))

    def finish(self) -> None:
        self.go(Phase.IDLE)
        self.sequence += 1
        self.tell(AnnouncementSent("presence", self.sequence, 540), self.chance.uniform(1.0, 3.0))
        self.work(Cycle.ADOPT)
        self.go(Phase.FINISHED)
        self.go(Phase.STOPPED, 1.0)
        self.tell(PeerStopped("converged", self.cycle, self.score), 0.1)


def tell_story(number: int, others: list[PeerId], *, seed: int, cycles: int, epoch: float, killed: bool) -> list[JournalLine]:
    chance = random.Random(f"{seed}/{number}")
    story = Story(chance, number, others, epoch + chance.uniform(0.0, 1.5))
    story.start(resumed=False)
    for cycle in range(cycles):
        if killed and cycle == cycles // 2:
            story.time += 4.0
            story.start(resumed=True)
        kinds = (Cycle.TRAIN, Cycle.AVERAGE) if cycle < 0.7 * cycles else (Cycle.AVERAGE, Cycle.EXPLORE)
        story.work(chance.choice(kinds) if cycle else Cycle.TRAIN)
    story.finish()
    return story.lines


def make_run(peers: int, *, seed: int = 0, cycles: int = 24, epoch: float = 1.7e9) -> list[list[JournalLine]]:
    """Make the journals of a run: the same for the same arguments; every fifth peer, from the second, was killed and went on."""
    ids = [PeerId(digest("peer", seed, number)) for number in range(peers)]
    return [
        tell_story(number, ids, seed=seed, cycles=cycles + number % 3, epoch=epoch, killed=number % 5 == 1)
        for number in range(peers)
    ]


def dump(path: Path, lines: list[JournalLine]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


@pytest.fixture
def run_maker() -> Callable[..., list[list[JournalLine]]]:
    return make_run


@pytest.fixture
def dumper() -> Callable[[Path, list[JournalLine]], Path]:
    return dump


@pytest.fixture
def run_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write a run's journals to ``run/peer-N/events.jsonl``."""

    def write(peers: int, **options: object) -> Path:
        folder = tmp_path / "run"
        for number, lines in enumerate(make_run(peers, **options), start=1):  # type: ignore[arg-type]
            dump(folder / f"peer-{number}" / "events.jsonl", lines)
        return folder

    return write
