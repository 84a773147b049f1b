"""Figures are drawn, for few peers and many, and say more than white."""

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from learnae.errors import ConfigError, UsageError
from learnae.report.accuracy import courses
from learnae.report.canvas import lettered, spaced
from learnae.report.comparison import draw_comparison
from learnae.report.history import History, Naming
from learnae.report.overview import render_overview
from learnae.report.reading import read_histories
from learnae.report.summarising import summarise
from learnae.report.units import show_bytes, show_seconds
from learnae.report.writing import write_report
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import JournalLine, ModelScored, Notice
from learnae.values.scores import Score

Folder = Callable[..., Path]
ROWS = [("anna", 78.0, 80.0), ("bert", 76.5, 79.0), ("carl", 80.5, 80.0)]


def colours_in(path: Path) -> set[tuple[int, ...]]:
    image = (imread(path) * 255).round().astype(np.uint8)[..., :3]
    assert image.shape[0] > 500
    assert image.shape[1] > 1000
    white = (image == 255).all(axis=-1).mean()
    assert 0.3 < white < 0.985
    packed = image.astype(np.uint32) @ np.array([65536, 256, 1], dtype=np.uint32)
    return {tuple(int(colour).to_bytes(3, "big")) for colour in np.unique(packed)}


def scored(accuracy: float, *, name: str = "anna", time: float = 1.0) -> History:
    peer = PeerId(name[:1] * 64)
    lines = (
        JournalLine(time=0.0, peer=peer, fact=Notice("x")),
        JournalLine(time=time, peer=peer, fact=ModelScored(Digest("d" * 64), Score(accuracy, 1.0, 10))),
    )
    return History(peer, name, lines)


@pytest.mark.parametrize("peers", [1, 3, 30])
def test_the_picture_of_a_run(run_folder: Folder, tmp_path: Path, peers: int) -> None:
    histories = read_histories([run_folder(peers)], naming=Naming.FOLDER)
    (path,) = write_report(histories, tmp_path, formats={"png"}, threshold=3, title="A $run$ of 100 $")
    # Training, averaging, and what was sent: all are there in their colours.
    assert {(0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00), (0x56, 0xB4, 0xE9)} <= colours_in(path)


def test_equal_histories_give_equal_pictures(run_folder: Folder) -> None:
    histories = read_histories([run_folder(2)])
    summary = summarise(histories)
    assert render_overview(histories, summary) == render_overview(histories, summary)


@pytest.mark.parametrize(
    "histories",
    [
        pytest.param([History(PeerId("a" * 64), "anna", (JournalLine(5.0, PeerId("a" * 64), Notice("x")),))], id="one line"),
        pytest.param([scored(-1e30), scored(0.8, name="bert")], id="a broken model"),
        pytest.param([scored(-1e30)], id="nothing but a broken model"),
        pytest.param([scored(0.5, name="日本 $x^{ \\frac"), scored(0.5, name="b" * 40)], id="names"),
        pytest.param([scored(0.5, name=f"{chr(97 + n % 26)}{n}", time=1e7) for n in range(75)], id="months and many"),
    ],
)
def test_strange_histories_are_drawn_too(tmp_path: Path, histories: list[History]) -> None:
    (path,) = write_report(histories, tmp_path, formats={"png"})
    colours_in(path)


@pytest.mark.parametrize("peers", [0, 3, 12])
def test_the_comparison(run_folder: Folder, tmp_path: Path, peers: int) -> None:
    histories = read_histories([run_folder(peers)]) if peers else None
    path = draw_comparison(
        tmp_path / "new" / "demo.png", ROWS, title="Alone, together", subtitle="synthetic", histories=histories
    )
    # Gains in blue and losses in vermilion.
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours_in(path)
    assert [entry.name for entry in path.parent.iterdir()] == ["demo.png"]


@pytest.mark.parametrize("rows", [pytest.param([("x", 50.0, 50.0)], id="one"), pytest.param(ROWS * 20, id="many")])
def test_the_comparison_of_one_and_of_many(tmp_path: Path, rows: list[tuple[str, float, float]]) -> None:
    colours_in(draw_comparison(tmp_path / "demo.png", rows, title="t"))


@pytest.mark.parametrize("rows", [pytest.param([], id="none"), pytest.param([("x", 1.0, float("nan"))], id="NaN")])
def test_the_comparison_of_nothing_is_refused(tmp_path: Path, rows: list[tuple[str, float, float]]) -> None:
    with pytest.raises(UsageError):
        draw_comparison(tmp_path / "demo.png", rows, title="t")


def test_without_matplotlib_it_says_what_to_type_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(ConfigError, match=r"pip install 'learnae\[figures\]'"):
        write_report([scored(0.5)], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"pip install 'learnae\[figures\]'"):
        draw_comparison(tmp_path / "demo.png", ROWS, title="t")
    assert list(tmp_path.iterdir()) == []


def test_accuracy_holds_from_one_event_to_the_next() -> None:
    late = scored(0.9, name="bert", time=4.0)
    sampled = courses([scored(0.5, time=1.0), late], moments=5)
    assert sampled.times.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    nan = float("nan")
    np.testing.assert_array_equal(sampled.values, [[nan, 50, 50, 50, 50], [nan, nan, nan, nan, 90]])


@given(st.lists(st.floats(0, 10), max_size=30), st.floats(0.01, 3))
def test_labels_keep_their_distance_and_their_order(places: list[float], gap: float) -> None:
    moved = spaced(places, gap, 0.0, 10.0)
    room = min(gap, 10.0 / max(1, len(places) - 1))
    order = sorted(range(len(places)), key=lambda index: places[index])
    assert all(-1e-6 <= place <= 10 + 1e-6 for place in moved)
    assert all(moved[after] - moved[before] >= room - 1e-6 for before, after in pairwise(order))


def test_labels_with_room_stay_where_they_are() -> None:
    assert spaced([5.0, 1.0, 9.0], 1.0, 0.0, 10.0) == [5.0, 1.0, 9.0]


def test_names_are_letters_and_no_formulas() -> None:
    assert lettered("peer $1$") == r"peer \$1\$"
    assert lettered("日本-1") == "??-1"
    assert lettered("ä" * 20) == "ä" * 15 + "…"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param(show_bytes(0), "0 B"),
        pytest.param(show_bytes(999), "999 B"),
        pytest.param(show_bytes(1000), "1.0 kB"),
        pytest.param(show_bytes(2.5e9), "2.5 GB"),
        pytest.param(show_seconds(42), "42.0 s"),
        pytest.param(show_seconds(600), "10.0 min"),
        pytest.param(show_seconds(4 * 3600), "4.0 h"),
        pytest.param(show_seconds(30 * 86400), "30.0 days"),
    ],
)
def test_units(shown: str, expected: str) -> None:
    assert shown == expected
