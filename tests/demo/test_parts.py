"""The parts of a demo by themselves: the lot, the folder, the view."""

import io
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from learnae.cli.demo_view import LiveDemo, PlainDemo
from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.demo.children import peer_environment
from learnae.demo.folder import MARKER, DemoFolder
from learnae.demo.plan import DemoPlan, DemoResult, PeerResult, PeerView
from learnae.demo.rows import deal_rows
from learnae.demo.watching import JournalTail
from learnae.errors import DataError, OperatorError, StateError
from learnae.values.choices import Cycle, Phase, Task
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import CycleEnded, JournalLine, PhaseChanged
from learnae.values.scores import Score


def _table(path: Path, rows: int, copies: int = 1) -> Path:
    columns, raw = synthetic_rows(rows, 3)
    write_csv(path, columns, np.concatenate([raw] * copies))
    return path


def test_the_lot_depends_on_the_rows_and_the_seed_alone(tmp_path: Path) -> None:
    path = _table(tmp_path / "rows.csv", 500)
    plan = DemoPlan(out=tmp_path, data=path, label="label", peers=3, rows_per_peer=100)
    dealt = deal_rows(plan)
    assert [len(peer) for peer in dealt.peers] == [100, 100, 100]
    assert len(dealt.test) == 200
    header, *lines = path.read_text().splitlines()
    (tmp_path / "turned.csv").write_text("\n".join([header, *reversed(lines)]) + "\n")
    turned = deal_rows(replace(plan, data=tmp_path / "turned.csv"))
    np.testing.assert_array_equal(turned.test.features, dealt.test.features)
    np.testing.assert_array_equal(turned.peers[2].features, dealt.peers[2].features)
    other = deal_rows(replace(plan, seed=1))
    assert not np.array_equal(other.test.features, dealt.test.features)


def test_no_row_is_dealt_twice_and_too_few_are_refused(tmp_path: Path) -> None:
    path = _table(tmp_path / "rows.csv", 300, copies=4)
    dealt = deal_rows(DemoPlan(out=tmp_path, data=path, label="label", peers=2, rows_per_peer=100))
    rows = np.concatenate([dealt.test.features, *(peer.features for peer in dealt.peers)])
    assert len(np.unique(rows, axis=0)) == len(rows) == 300
    with pytest.raises(DataError, match="300 different usable rows; 3 peers with 100 rows each and 100 test rows need 400"):
        deal_rows(DemoPlan(out=tmp_path, data=path, label="label", peers=3, rows_per_peer=100))


def test_memory_is_bounded_by_the_lot(tmp_path: Path) -> None:
    path = _table(tmp_path / "rows.csv", 6_000)
    dealt = deal_rows(DemoPlan(out=tmp_path, data=path, label="label", peers=2, rows_per_peer=20))
    assert len(dealt.test) == 4_000


def test_a_folder_is_claimed_before_anything_is_removed(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("mine")
    with DemoFolder.open(out, ["peer-1", "peer-2", "session.json"]) as folder:
        (folder.path / "peer-1").mkdir()
        (folder.path / "session.json").write_text("{}")
        (folder.path / "peer-2").symlink_to(elsewhere)
        with pytest.raises(OperatorError, match="another demo"):
            DemoFolder.open(out, ["peer-1"])
    (out / "mine.txt").write_text("mine")
    with DemoFolder.open(out, ["peer-1"]):
        assert sorted(path.name for path in out.iterdir()) == [MARKER, "mine.txt"]
    assert (elsewhere / "precious").read_text() == "mine"
    (out / "comparison.png").write_text("mine")
    with pytest.raises(OperatorError, match=r"comparison\.png is there and no demo made it"):
        DemoFolder.open(out, ["comparison.png"])


@pytest.mark.parametrize(
    "made", ['{"made": ["../elsewhere"]}', '{"made": [".."]}', '{"made": 3}', "[", '{"made": ["a/b"]}', "[" * 9999]
)
def test_a_marker_that_no_demo_wrote_removes_nothing(tmp_path: Path, made: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARKER).write_text(made)
    with pytest.raises(StateError, match="not what a demo wrote"):
        DemoFolder.open(tmp_path / "out", ["peer-1"])
    assert (tmp_path / "elsewhere").is_dir()


def test_a_marker_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARKER).symlink_to(tmp_path / "victim")
    with pytest.raises(OperatorError, match="cannot be used"):
        DemoFolder.open(tmp_path / "out", ["peer-1"])
    assert not os.path.lexists(tmp_path / "victim")


def _line(fact: PhaseChanged | CycleEnded) -> bytes:
    return msgspec.json.encode(JournalLine(1.0, PeerId("a" * 64), fact)) + b"\n"


def test_a_journal_is_followed_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = JournalTail("peer-1", path)
    assert tail.read() == PeerView("peer-1")
    model = Digest("b" * 64)
    lines = [
        _line(PhaseChanged(Phase.NEW, Phase.TRAINING, 0)),
        b"no JSON at all\n",
        _line(CycleEnded(Cycle.TRAIN, 1, None, Score(0.5, 0.7, 10), True, model, 1)),
        _line(CycleEnded(Cycle.AVERAGE, 2, Score(0.5, 0.7, 10), Score(0.4, 0.8, 10), False, model, 1)),
        _line(PhaseChanged(Phase.AVERAGING, Phase.FINISHED, 2)),
    ]
    written = b"".join(lines)
    for size in range(0, len(written), 37):
        path.write_bytes(written[:size])
        tail.read()
    path.write_bytes(written)
    assert tail.read() == PeerView("peer-1", Phase.FINISHED, 2, 1, 50.0)


def test_plain_lines_are_few() -> None:
    now = [0.0]
    view = PlainDemo(clock=lambda: now[0])
    for second in range(12):
        now[0] = float(second)
        view.seen((PeerView("peer-1", Phase.TRAINING, second, 0, 80.0),))
    assert view._told == (PeerView("peer-1", Phase.TRAINING, 10, 0, 80.0),)


def test_a_live_view_draws_a_line_for_each_peer() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=24, color_system=None)
    with LiveDemo(clock=lambda: 0.0, console=console) as view:
        view.said("together: [all] of them")
        view.seen((PeerView("peer-1", Phase.NEW), PeerView("peer-2", Phase.FINISHED, 12, 3, 81.25)))
        view._live.refresh()
    shown = stream.getvalue()
    assert "together: [all] of them" in shown
    assert "peer-1  starting" in shown
    assert "peer-2  finished" in shown
    assert "81.25 %  cycle 12" in shown


def test_a_peer_gets_its_settings_from_its_file_alone() -> None:
    found = peer_environment({"LEARNAE_PEER__STATE": "/elsewhere", "PATH": "/bin", "OMP_NUM_THREADS": "3"})
    assert "LEARNAE_PEER__STATE" not in found
    assert (found["PATH"], found["OMP_NUM_THREADS"], found["OPENBLAS_NUM_THREADS"]) == ("/bin", "3", "1")


def test_mean_and_spread(tmp_path: Path) -> None:
    peers = (PeerResult("peer-1", 70.0, 80.0), PeerResult("peer-2", 76.0, 81.0))
    result = DemoResult(
        peers=peers,
        task=Task.BINARY,
        test_rows=10,
        data="synthetic",
        framework="numpy",
        seconds=1.0,
        folder=tmp_path,
        pictures=(),
        complete=True,
    )
    assert (result.mean_alone, result.mean_together, result.spread_alone, result.spread_together) == (73.0, 80.5, 6.0, 1.0)
    assert result.metric == "accuracy"
