"""The live view: what it draws, and that a real terminal is left as it was."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from learnae.cli.live import LiveView, draw
from learnae.cli.progress import MOST_MESSAGES, Progress, advance
from learnae.cli.wording import Metric
from learnae.errors import ProviderError
from learnae.values.choices import Averaging, Cycle, Judge, Phase, Role, Task
from learnae.values.ids import Digest, PeerId, SensorId, SessionId
from learnae.values.journal import (
    AnnouncementSent,
    AnyFact,
    ContentRefused,
    CycleEnded,
    FileFetched,
    FileStored,
    HoldersCounted,
    JournalLine,
    MessageIgnored,
    ModelScored,
    Notice,
    PeerQuarantined,
    PeerSeen,
    PeerStarted,
    PeerStopped,
    PhaseChanged,
    ReadingsReceived,
    SliceSkipped,
    SlicesQueued,
    SliceUsed,
    TrafficMeasured,
)
from learnae.values.scores import Score

ME, OTHER, MODEL = PeerId("a" * 64), PeerId("b" * 64), Digest("c" * 64)
LOW, HIGH = Score(0.5, 0.7, 40), Score(0.75, 0.5, 40)


def begun(role: Role = Role.FULL, *, resumed: bool = False, queued: int = 0) -> PeerStarted:
    return PeerStarted(
        SessionId("d" * 64), role, "numpy", "localfs", "localfs", False, Averaging.PAIRWISE, Judge.ACCURACY, resumed, 7 * resumed,
        queued,
    )  # fmt: skip


def cycle(kind: Cycle, number: int, tried: Score | None, *, kept: bool, partners: tuple[PeerId, ...] = ()) -> CycleEnded:
    return CycleEnded(kind, number, LOW, tried, kept, MODEL, number, partners)


STORY: tuple[AnyFact, ...] = (
    begun(),
    Notice("rows stay here: the session's manifest does not allow sharing"),
    SlicesQueued(3, 6, 120, 0, ME),
    PhaseChanged(Phase.NEW, Phase.SCORING, 0),
    ModelScored(MODEL, LOW),
    SliceUsed(MODEL, 1, 1),
    PhaseChanged(Phase.SCORING, Phase.TRAINING, 0),
    cycle(Cycle.TRAIN, 1, LOW, kept=True),
    PeerSeen(OTHER, 2),
    FileFetched("model", MODEL, OTHER, 1500),
    cycle(Cycle.EXPLORE, 2, LOW, kept=False, partners=(OTHER,)),
    cycle(Cycle.AVERAGE, 3, HIGH, kept=True, partners=(OTHER,)),
    SliceSkipped(MODEL, 20),
    FileStored("model", MODEL, 2_500_000),
    AnnouncementSent("model", 3, 300),
    PhaseChanged(Phase.TRAINING, Phase.IDLE, 3),
)


def told(*facts: AnyFact, task: Task = Task.BINARY) -> Progress:
    progress = Progress(Metric(task))
    for time, fact in enumerate(facts, start=1_000):
        progress = advance(progress, JournalLine(float(time), ME, fact))
    return progress


def drawn(progress: Progress, *, now: float = 1_090.0, width: int = 100, most_lines: int = 12, blocks: bool = True) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, highlight=False)
    console.print(draw(progress, "hepmass", now, most_lines=most_lines, blocks=blocks))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_it_shows_what_an_operator_wants_to_know() -> None:
    shown = drawn(told(*STORY))
    for words in (
        "hepmass / aaaaaaaa / full / numpy over localfs / 1 min 30 s",
        "75.00 % accuracy on 40 own rows, loss 0.5",
        "▁▁█",
        "nothing to do now, listening for news  1 min 15 s",
        "3, 1 trained, 1 of 1 averaged, 0 of 1 explored",
        "4 passes over dataslices wait",
        "1 other peer met so far",
        "averaged with bbbbbbbb: accuracy 50.00 % -> 75.00 %  1 min 19 s ago",
        "sent 1 announcements and 1 files (2.5 MB), fetched 1 files (1.5 kB)",
        "rows stay here: the session's manifest does not allow sharing",
        "cycle 2 explored, average with bbbbbbbb not kept: accuracy 50.00 % -> 50.00 %",
        "Ctrl-C stops; the same command goes on",
    ):
        assert words in shown, words


def test_what_ledgers_tell_of_themselves_is_shown_where_they_do() -> None:
    assert "in all: sent" not in drawn(told(*STORY))
    measured = (TrafficMeasured("swarm", 1_000, 10, 1, 1), TrafficMeasured("swarm", 2_500_000, 1_200, 7, 3))
    shown = drawn(told(*STORY, *measured, HoldersCounted("model", MODEL, 4)))
    assert "1 other peer met so far, 3 neighbours now, 4 can give the own model" in shown
    assert "swarm in all: sent 2.5 MB, received 1.2 kB" in shown
    assert "nobody new met yet, 1 neighbour now" in drawn(told(begun(), measured[0]))


def test_before_anything_happened() -> None:
    shown = drawn(Progress(Metric(Task.BINARY)))
    for words in ("not scored yet", "beginning", "nobody new met yet", "nothing taken from others yet", "empty"):
        assert words in shown


def test_one_that_goes_on_learns_its_score_from_the_first_cycle_and_says_what_waited_before() -> None:
    progress = told(
        begun(resumed=True, queued=5), SlicesQueued(1, 2, 40, 0, ME), cycle(Cycle.AVERAGE, 8, LOW, kept=False, partners=(OTHER,))
    )
    assert progress.score == LOW
    assert progress.queued == 7
    assert "7 passes over dataslices" in drawn(progress)


def test_a_feeder_has_no_score() -> None:
    shown = drawn(told(begun(Role.FEEDER), PhaseChanged(Phase.NEW, Phase.IDLE, 0)))
    assert "a feeder has no model to score" in shown
    assert "serving its rows to others" in shown


def test_regression_is_told_as_r_squared() -> None:
    shown = drawn(told(begun(), ModelScored(MODEL, Score(0.8125, 0.1, 9)), task=Task.REGRESSION))
    assert "0.8125 R² on 9 own rows" in shown


def test_the_best_is_remembered() -> None:
    shown = drawn(told(begun(), ModelScored(MODEL, HIGH), cycle(Cycle.TRAIN, 1, LOW, kept=True)))
    assert "50.00 % accuracy on 40 own rows, loss 0.7, best 75.00 %" in shown


def test_where_it_stopped_it_does_not_speak_of_ctrl_c() -> None:
    assert "Ctrl-C" not in drawn(told(*STORY, PhaseChanged(Phase.IDLE, Phase.STOPPED, 3), PeerStopped("converged", 3, HIGH)))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_fits(width: int) -> None:
    lines = drawn(told(*STORY, Notice("long " * 60)), width=width).splitlines()
    assert {len(line) for line in lines} == {width}


def test_it_needs_nothing_but_ascii() -> None:
    drawn(told(*STORY, Notice("more")), blocks=False).encode("ascii")


@pytest.mark.parametrize("most", [0, 1, 5, 100])
def test_lines_are_bounded(most: int) -> None:
    progress = told(*STORY, *(Notice(f"note {number}") for number in range(30)))
    assert len(progress.messages) == MOST_MESSAGES
    without = len(drawn(progress, most_lines=0).splitlines())
    assert len(drawn(progress, most_lines=most).splitlines()) <= without + most + 2


def test_every_fact_can_be_taken_in() -> None:
    facts: tuple[AnyFact, ...] = (
        PeerQuarantined(OTHER),
        ContentRefused("model", MODEL, OTHER, "of another shape", 1),
        MessageIgnored("forged", 3),
        ReadingsReceived(SensorId("roof"), 5, 1),
        cycle(Cycle.ADOPT, 4, None, kept=False, partners=(OTHER,)),
        cycle(Cycle.ADOPT, 5, HIGH, kept=True, partners=(OTHER,)),
        PhaseChanged(Phase.IDLE, Phase.FINISHED, 5),
        PhaseChanged(Phase.FINISHED, Phase.AVERAGING, 5),
    )
    shown = drawn(told(begun(), *facts), most_lines=20)
    for words in (
        "peer bbbbbbbb sent wrong content too often and is ignored from now on",
        "refused a model of peer bbbbbbbb: of another shape",
        "5 readings of sensor roof, 1 refused",
        "cycle 4 model of bbbbbbbb could not be had",
        "cycle 5 adopted the model of bbbbbbbb: accuracy 50.00 % -> 75.00 %",
        "finished: nothing more to gain for now; news wakes this peer",
        "woken by news",
    ):
        assert words in shown, words
    assert "forged" not in shown


def test_a_view_draws_the_last_line_before_it_ends() -> None:
    console = Console(file=io.StringIO(), width=80, height=30, force_terminal=True)
    with LiveView("hepmass", Metric(Task.BINARY), clock=lambda: 1_090.0, console=console) as view:
        for fact in STORY:
            view.take(JournalLine(1_000.0, ME, fact))
    assert isinstance(console.file, io.StringIO)
    assert "75.00 %" in console.file.getvalue()


@pytest.mark.usefixtures("session")
def test_on_a_real_terminal_it_draws_and_gives_the_terminal_back(folder: Path, quick: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        before = termios.tcgetattr(theirs)
        peer = subprocess.Popen(
            [sys.executable, "-m", "learnae.cli", "run", *quick, "--state", "a"],
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        screen = _read(ours, peer, lambda screen: "finished, until news comes" in screen)
        peer.send_signal(signal.SIGINT)
        screen += _read(ours, peer, lambda _: False)
        assert peer.wait(60) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)
    words = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    assert "hepmass / " in words
    assert "accuracy on" in words
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") == 1, "the cursor is hidden once and shown again"
    after = screen.rpartition("\x1b[?25h")[2]
    assert "interrupted after " in after
    assert "Everything is kept. To go on: learnae run" in after
    assert "Traceback" not in screen


def _read(terminal: int, process: "subprocess.Popen[bytes]", enough: Callable[[str], bool]) -> str:
    """Read what is written to a terminal, until it is enough or the process has ended."""
    data = b""
    while not enough(data.decode(errors="replace")):
        ready, _, _ = select.select([terminal], [], [], 0.1)
        if ready:
            data += os.read(terminal, 65_536)
        elif process.poll() is not None:
            break
    return data.decode(errors="replace")


@pytest.mark.parametrize("has_started", [False, True])
def test_a_refusal_before_there_was_anything_to_see_leaves_no_picture(has_started: bool) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=40)

    def refused() -> None:
        with LiveView("hepmass", Metric(Task.BINARY), console=console) as view:
            if has_started:
                view.take(JournalLine(1.0, ME, begun()))
            raise ProviderError("there is no program")

    with pytest.raises(ProviderError):
        refused()
    after = stream.getvalue().rpartition("\N{BOX DRAWINGS LIGHT ARC UP AND LEFT}")[2]
    assert ("\x1b[1A\x1b[2K" in after) is not has_started, "it is wiped out"
