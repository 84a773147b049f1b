"""Numbers are exact on a history written by hand."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from learnae.errors import OperatorError, UsageError
from learnae.report.history import History, Naming
from learnae.report.reading import read_histories
from learnae.report.series import Span, points, spans
from learnae.report.spreadsheets import peers_csv, series_csv
from learnae.report.summarising import summarise
from learnae.report.summary import Attempts, Cycles, SliceSummary, Spread, Standing, Summary
from learnae.report.tables import as_table, as_text, show
from learnae.report.writing import Format, write_report
from learnae.values.choices import Averaging, Cycle, Judge, Phase, Role
from learnae.values.ids import Digest, PeerId, SensorId, SessionId
from learnae.values.journal import (
    AnnouncementSent,
    AnyFact,
    ContentRefused,
    CycleEnded,
    FetchFailed,
    FileFetched,
    FileStored,
    JournalLine,
    MessageIgnored,
    ModelPublished,
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
)
from learnae.values.scores import Score

A, B = PeerId("a" * 64), PeerId("b" * 64)
S, M = Digest("5" * 64), Digest("d" * 64)
SESSION = SessionId("e" * 64)
START, TRAINED, AVERAGED = Score(0.5, 0.7, 10), Score(0.7, 0.5, 10), Score(0.8, 0.4, 10)


def started(*, resumed: bool = False) -> PeerStarted:
    return PeerStarted(SESSION, Role.FULL, "numpy", "localfs", "localfs", True, Averaging.PAIRWISE, Judge.ACCURACY, resumed, 0)


def tell(peer: PeerId, name: str, *facts: tuple[float, AnyFact]) -> History:
    return History(peer, name, tuple(JournalLine(time=time, peer=peer, fact=fact) for time, fact in facts))


def written_by_hand() -> tuple[History, History]:
    first = tell(
        A,
        "anna",
        (100.0, started()),
        (100.0, SlicesQueued(1, 3, 40, 0, A)),
        (100.5, PhaseChanged(Phase.NEW, Phase.SCORING, 0)),
        (101.0, ModelScored(M, START)),
        (101.0, PhaseChanged(Phase.SCORING, Phase.TRAINING, 0)),
        (101.0, SliceUsed(S, 1, 1)),
        (103.0, CycleEnded(Cycle.TRAIN, 1, START, TRAINED, True, M, 1, (), S, 2.0)),
        (103.0, FileStored("model", M, 1000)),
        (103.0, AnnouncementSent("model", 1, 300)),
        (103.0, ModelPublished(M, 1, 1000)),
        (103.0, PhaseChanged(Phase.TRAINING, Phase.AVERAGING, 1)),
        (103.5, PeerSeen(B, 1)),
        (103.6, FileFetched("model", M, B, 1000)),
        (104.0, CycleEnded(Cycle.AVERAGE, 2, TRAINED, AVERAGED, True, M, 2, (B,), None, 1.0)),
        # Killed here: the counter of its next use was durable, its line was lost.
        (110.0, started(resumed=True)),
        (110.0, PhaseChanged(Phase.NEW, Phase.AVERAGING, 2)),
        (110.5, SliceUsed(S, 3, 3)),
        (111.0, CycleEnded(Cycle.AVERAGE, 3, AVERAGED, TRAINED, False, M, 2, (B, B), None, 0.5)),
        (111.5, CycleEnded(Cycle.EXPLORE, 4, AVERAGED, None, False, M, 2, (), None, 0.5)),
        (112.0, AnnouncementSent("presence", 2, 200)),
        (112.0, PhaseChanged(Phase.AVERAGING, Phase.IDLE, 4)),
        (113.0, PhaseChanged(Phase.IDLE, Phase.STOPPED, 4)),
        (113.0, PeerStopped("asked to", 4, AVERAGED)),
    )
    second = tell(
        B,
        "bert",
        (102.0, started()),
        (102.5, ModelScored(M, START)),
        (103.0, SliceUsed(S, 1, 1)),
        (105.0, CycleEnded(Cycle.ADOPT, 1, START, TRAINED, True, M, 1, (A,), None, 0.25)),
        (105.0, FetchFailed("model", M, A, "gone")),
        (105.0, ContentRefused("model", M, A, "NaN", 1)),
        (105.0, PeerQuarantined(A)),
        (105.0, MessageIgnored("forged", 99)),
        (105.0, SliceSkipped(S, 4)),
        (105.0, ReadingsReceived(SensorId("s"), 7, 2)),
        (105.0, Notice("careful")),
        (106.0, Notice("still here")),
    )
    return first, second


def test_every_number_of_a_small_run() -> None:
    summary = summarise(written_by_hand(), threshold=3)
    anna, bert = summary.peers
    assert (anna.peer, anna.name, anna.session, anna.role, anna.framework) == (A, "anna", SESSION, Role.FULL, "numpy")
    assert (anna.transport, anna.storage, anna.phase, anna.stopped) == ("localfs", "localfs", Phase.STOPPED, "asked to")
    assert anna.cycles == Cycles(train=1, average=2, explore=1, adopt=0)
    assert anna.cycles.total == 4
    assert (anna.averaging, anna.exploring, anna.adopting) == (Attempts(2, 1), Attempts(1, 0), Attempts(0, 0))
    assert anna.start == Standing(50.0, 0.7, 10)
    assert anna.best == anna.current == Standing(80.0, 0.4, 10)
    assert (anna.partners, anna.maturity, anna.published, anna.peers_seen) == (3, 2, 1, 1)
    assert (anna.announcements, anna.announcement_bytes, anna.files, anna.file_bytes) == (2, 500, 1, 1000)
    assert (anna.sent_bytes, anna.received_files, anna.received_bytes) == (1500, 1, 1000)
    assert (anna.slices, anna.uses, anna.overshoot) == (1, 3, 1)
    assert (anna.seconds, anna.cycle_seconds, anna.restarts, anna.lines) == (7.0, 4.0, 1, 23)
    assert bert.current == Standing(70.0, 0.5, 10)
    assert (bert.adopting, bert.unfetched, bert.refused, bert.quarantined, bert.ignored) == (Attempts(1, 1), 1, 1, 1, 1)
    assert (bert.uses, bert.overshoot, bert.skipped_passes) == (1, 0, 1)
    assert (bert.readings, bert.bad_readings, bert.notices, bert.stopped, bert.phase) == (7, 2, 2, None, None)
    assert summary.current == Spread(peers=2, mean=75.0, lowest=70.0, highest=80.0, spread=10.0)
    assert summary.start == Spread(peers=2, mean=50.0, lowest=50.0, highest=50.0, spread=0.0)
    assert summary.slices == (SliceSummary(slice=S, uses=4, users=2, overshoot=1),)
    assert (summary.uses, summary.overshoot, summary.threshold) == (4, 1, 3)
    assert (summary.sent_bytes, summary.received_bytes, summary.seconds) == (1500, 1000, 13.0)
    assert summary.sessions == (SESSION,)
    assert summary.cycles == Cycles(train=1, average=2, explore=1, adopt=1)


def test_without_a_threshold_no_overshoot_is_told() -> None:
    summary = summarise(written_by_hand())
    assert summary.overshoot is summary.threshold is summary.peers[0].overshoot is summary.slices[0].overshoot is None


def test_one_peer_alone_tells_what_it_knew_of_the_network() -> None:
    summary = summarise(written_by_hand()[1:], threshold=3)
    assert summary.slices == (SliceSummary(slice=S, uses=4, users=1, overshoot=1),)


def test_a_feeder_has_no_score() -> None:
    summary = summarise([tell(A, "anna", (1.0, started()))])
    assert summary.current is summary.peers[0].current is None
    assert "0 peer" not in as_text(summary)


@pytest.mark.parametrize("threshold", [0, -1])
def test_misuse_is_refused(threshold: int) -> None:
    with pytest.raises(UsageError, match=f"not {threshold}"):
        summarise(written_by_hand(), threshold=threshold)
    with pytest.raises(UsageError, match="at least one"):
        summarise([])


def test_points_follow_the_current_model() -> None:
    course = points(written_by_hand()[0])
    assert [point.event for point in course] == ["scored", "train", "average", "average", "explore", "stopped"]
    assert [point.score for point in course] == [START, TRAINED, AVERAGED, AVERAGED, AVERAGED, AVERAGED]
    assert [point.kept for point in course] == [None, True, True, False, False, None]


def test_spans_stop_where_a_process_was_killed() -> None:
    assert spans(written_by_hand()[0]) == (
        Span(100.0, 100.5, Phase.NEW),
        Span(100.5, 101.0, Phase.SCORING),
        Span(101.0, 103.0, Phase.TRAINING),
        Span(103.0, 104.0, Phase.AVERAGING),
        Span(110.0, 112.0, Phase.AVERAGING),
        Span(112.0, 113.0, Phase.IDLE),
    )


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    history = tell(
        A,
        "anna",
        (100.0, started()),
        (100.0, PhaseChanged(Phase.NEW, Phase.IDLE, 0)),
        (50.0, PhaseChanged(Phase.IDLE, Phase.FINISHED, 0)),
        (60.0, Notice("x")),
    )
    assert spans(history) == (Span(50.0, 60.0, Phase.FINISHED),)
    assert summarise([history]).peers[0].seconds == 0.0


def test_csv_has_a_row_per_peer_and_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(peers_csv(summarise(written_by_hand(), threshold=3)))))
    assert [row["name"] for row in rows] == ["anna", "bert"]
    assert [float(row["current_accuracy"]) for row in rows] == [80.0, 70.0]
    assert (rows[0]["averaging_attempts"], rows[0]["averaging_successes"], rows[1]["phase"]) == ("2", "1", "")
    assert {"role", "cycles_train", "sent_bytes", "overshoot", "best_loss", "restarts"} <= set(rows[0])


def test_the_columns_are_the_same_whatever_is_known() -> None:
    bare = peers_csv(summarise([tell(A, "anna", (1.0, Notice("x")))]))
    assert bare.splitlines()[0] == peers_csv(summarise(written_by_hand())).splitlines()[0]


def test_series_csv_is_in_the_order_of_time() -> None:
    rows = list(csv.DictReader(io.StringIO(series_csv(written_by_hand()))))
    scores = ["time", "peer", "name", "event", "accuracy", "loss", "maturity"]
    assert list(rows[0]) == [*scores, "holders", "sent_bytes", "received_bytes", "served_blocks", "neighbours"]
    assert [float(row["time"]) for row in rows] == [1.0, 2.5, 3.0, 4.0, 5.0, 11.0, 11.5, 13.0]
    assert [row["event"] for row in rows][:5] == ["scored", "scored", "train", "average", "adopt"]
    assert (rows[2]["peer"], rows[2]["accuracy"], rows[2]["loss"], rows[2]["maturity"]) == (A, "70.0", "0.5", "1")


def test_text_shows_what_was_tried_and_kept() -> None:
    text = as_text(summarise(written_by_hand(), threshold=3))
    anna = next(row for row in text.splitlines() if row.startswith("anna"))
    assert {"full", "numpy", "50.00", "80.00", "0.400", "1/2", "0/1", "1.5", "kB", "7.0"} <= set(anna.split())
    assert "mean 75.00 %, spread 10.00 points (70.00 to 80.00) over 2 peer(s)" in text
    assert "used 4 times in the whole network, one at most 4 times; threshold 3, overshoot 1." in text
    assert text.isascii()


def test_peers_of_two_sessions_and_damage_are_pointed_out() -> None:
    first, second = written_by_hand()
    other = msgspec.structs.replace(second.lines[0].fact, session=SessionId("f" * 64))
    moved = History(B, "bert", (JournalLine(time=1.0, peer=B, fact=other),), damaged=2)
    text = as_text(summarise([first, moved]))
    assert "2 different sessions" in text
    assert "2 damaged line(s)" in text


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_on_a_terminal_the_table_fits_its_width(width: int) -> None:
    screen = io.StringIO()
    show(summarise(written_by_hand(), threshold=3), Console(file=screen, width=width, force_terminal=True, color_system=None))
    table = screen.getvalue().split("\n\n")[0]
    assert max(map(len, table.splitlines())) <= width
    assert "80.00" in table
    assert "…" not in table


def test_off_a_terminal_the_text_is_whole() -> None:
    screen = io.StringIO()
    summary = summarise(written_by_hand(), threshold=3)
    show(summary, Console(file=screen, width=20, force_terminal=False))
    assert screen.getvalue() == as_text(summary)


def test_a_name_is_no_markup() -> None:
    screen = io.StringIO()
    summary = summarise([tell(A, "[red]", (1.0, Notice("x")))])
    Console(file=screen, width=200).print(as_table(summary))
    assert "[red]" in screen.getvalue()


def test_a_report_is_written_whole(tmp_path: Path, run_folder: Callable[..., Path]) -> None:
    histories = read_histories([run_folder(3)], naming=Naming.FOLDER)
    out = tmp_path / "deep" / "out"
    paths = write_report(histories, out, formats={"json", "csv", Format.TXT}, threshold=2)
    assert [path.name for path in paths] == ["report.txt", "peers.csv", "series.csv", "report.json"]
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in paths)
    assert msgspec.json.decode((out / "report.json").read_bytes(), type=Summary) == summarise(histories, threshold=2)
    assert json.loads((out / "report.json").read_text())["peers"][1]["restarts"] == 1
    assert write_report(histories, out, formats={"txt"}) == [out / "report.txt"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match=r"cannot write .*choose another folder"):
        write_report(written_by_hand(), tmp_path / "file" / "out", formats={"txt"})
    with pytest.raises(UsageError, match="no report format 'pdf'; there are: txt, csv, png, json"):
        write_report(written_by_hand(), tmp_path, formats={"pdf"})
