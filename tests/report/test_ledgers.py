"""Resilience and traffic in the report: exact over restarts, shown where somebody could tell, unhurt by wild journals."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from learnae.errors import OperatorError
from learnae.report.history import History
from learnae.report.ledger import Carried, Held, carried, held
from learnae.report.lines import sample
from learnae.report.overview import render_overview
from learnae.report.panels import _spread
from learnae.report.reading import read_histories
from learnae.report.spreadsheets import peers_csv, series_csv
from learnae.report.summarising import summarise
from learnae.report.summary import LedgerTraffic, Resilience, Summary
from learnae.report.tables import as_text
from learnae.report.writing import write_report
from learnae.values.choices import Averaging, Judge, Role
from learnae.values.ids import Digest, PeerId, SessionId
from learnae.values.journal import AnyFact, FileKept, FileLetGo, HoldersCounted, JournalLine, Notice, PeerStarted, TrafficMeasured

Maker = Callable[..., list[list[JournalLine]]]
Dumper = Callable[[Path, list[JournalLine]], Path]

A, B, C = (PeerId(letter * 64) for letter in "abc")
M = Digest("d" * 64)
STARTED = PeerStarted(
    SessionId("e" * 64), Role.FULL, "numpy", "swarm", "swarm", True, Averaging.PAIRWISE, Judge.ACCURACY, False, 0
)
MOST = 2**63 - 1


def tell(peer: PeerId, name: str, *facts: tuple[float, AnyFact]) -> History:
    return History(peer, name, tuple(JournalLine(time=time, peer=peer, fact=fact) for time, fact in facts))


def traffic(sent: int, *, ledger: str = "swarm", neighbours: int = 2) -> TrafficMeasured:
    return TrafficMeasured(ledger, sent, 10 * sent, sent // 10, neighbours)


def written_by_hand() -> tuple[History, History, History]:
    first = tell(
        A,
        "anna",
        (100.0, STARTED),
        (110.0, traffic(1000, neighbours=1)),
        (110.0, HoldersCounted("model", M, 1)),
        (115.0, traffic(50, ledger="post")),
        (120.0, traffic(3000, neighbours=3)),
        (120.0, HoldersCounted("model", M, 3)),
        # Killed; its next run begins at 0 again.
        (130.0, STARTED),
        (140.0, traffic(500)),
        (140.0, HoldersCounted("model", M, 5)),
        (141.0, HoldersCounted("board", M, 50)),
        (150.0, traffic(400)),  # a ledger that went back is wrong
        (160.0, traffic(700)),
        (160.0, FileKept("model", M, B)),
        (161.0, FileKept("slice", M, B)),
        (162.0, FileLetGo("model", M)),
    )
    second = tell(B, "bert", (100.0, STARTED), (190.0, traffic(10)), (195.0, HoldersCounted("model", M, 2)), (200.0, Notice("x")))
    third = tell(C, "carl", (100.0, STARTED), (130.0, Notice("nobody can tell")))
    return first, second, third


def test_every_number_is_exact_over_restarts() -> None:
    summary = summarise(written_by_hand())
    anna, bert, carl = summary.peers
    assert anna.resilience == Resilience(counts=3, mean=3.0, lowest=1, highest=5, last=5)
    assert anna.ledger == LedgerTraffic(6, sent_bytes=3750, received_bytes=37500, served_blocks=375, neighbours=2.0)
    assert (anna.kept_files, anna.let_go_files) == (2, 1)
    assert bert.resilience == Resilience(1, 2.0, 2, 2, 2)
    assert carl.resilience is carl.ledger is None
    assert summary.resilience == Resilience(counts=4, mean=2.5, lowest=1, highest=5, last=3.5)
    assert summary.ledger == LedgerTraffic(7, 3760, 37600, 376, neighbours=2.0)


def test_courses_are_added_up_over_ledgers_and_runs() -> None:
    anna = written_by_hand()[0]
    assert [each.sent_bytes for each in carried(anna)] == [1000, 1050, 3050, 3550, 3550, 3750]
    assert carried(anna)[2] == Carried(120.0, 3050, 30500, 305, 3)
    assert held(anna) == (Held(110.0, 1), Held(120.0, 3), Held(140.0, 5))


@given(st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.integers(0, MOST)), max_size=40))
def test_whatever_ledgers_say_what_they_carried_never_falls(said: list[tuple[str, int]]) -> None:
    facts: list[AnyFact] = [traffic(sent // 10, ledger=ledger) if ledger else STARTED for ledger, sent in said]
    history = tell(A, "anna", (0.0, Notice("x")), *((float(number), fact) for number, fact in enumerate(facts)))
    course = [each.sent_bytes for each in carried(history)]
    assert course == sorted(course)
    tops: list[dict[str, int]] = [{}]
    for fact in facts:
        if isinstance(fact, TrafficMeasured):
            tops[-1][fact.ledger] = max(fact.sent_bytes, tops[-1].get(fact.ledger, 0))
        else:
            tops.append({})
    assert (course or [0])[-1] == sum(sum(top.values()) for top in tops)


def test_the_table_and_the_sentences_tell_it() -> None:
    text = as_text(summarise(written_by_hand()))
    header, _, anna, _, carl, *_ = text.splitlines()
    assert [title for title in ("resilience", "ledger sent", "ledger received", "blocks served", "neighbours") if title in header]
    assert "3.0, last 5" in anna
    assert {"3.8", "kB", "37.5", "375", "2.0"} <= set(anna.split())
    assert carl.split().count("-") > 5
    assert "a peer's model could be had from 2.5 peers on average (1 to 5), from 3.5 when last counted." in text
    assert "protocol and all: sent 3.8 kB, received 37.6 kB." in text
    assert text.isascii()


def test_where_nobody_could_tell_nothing_is_shown() -> None:
    text = as_text(summarise(written_by_hand()[2:]))
    assert "resilience" not in text.casefold()
    assert "ledger" not in text


def test_csv_and_json_hold_the_same(tmp_path: Path) -> None:
    histories = written_by_hand()
    summary = summarise(histories)
    write_report(histories, tmp_path, formats={"json"})
    assert msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Summary) == summary
    told = json.loads((tmp_path / "report.json").read_text())
    rows = list(csv.DictReader(io.StringIO(peers_csv(summary))))
    for row, peer in zip(rows, told["peers"], strict=True):
        for part in ("resilience", "ledger"):
            fields = {key.removeprefix(f"{part}_"): value for key, value in row.items() if key.startswith(f"{part}_")}
            if peer[part] is None:
                assert set(fields.values()) == {""}
            else:
                assert {key: float(value) for key, value in fields.items()} == peer[part]


def test_series_have_a_row_for_every_measurement() -> None:
    rows = list(csv.DictReader(io.StringIO(series_csv(written_by_hand()))))
    assert [float(row["time"]) for row in rows] == sorted(float(row["time"]) for row in rows)
    counts = [(row["time"], row["name"], row["holders"]) for row in rows if row["event"] == "holders"]
    assert counts == [
        ("10.000000", "anna", "1"),
        ("20.000000", "anna", "3"),
        ("40.000000", "anna", "5"),
        ("95.000000", "bert", "2"),
    ]
    loads = [row for row in rows if row["event"] == "traffic" and row["name"] == "anna"]
    last = ("60.000000", "3750", "37500", "375", "2", "", "")
    keys = ("time", "sent_bytes", "received_bytes", "served_blocks", "neighbours", "holders", "accuracy")
    assert tuple(loads[-1][key] for key in keys) == last


def line(fact: str, time: str = "2") -> bytes:
    return f'{{"time":{time},"peer":"{A}","fact":{fact}}}\n'.encode()


HOLDERS = '{"type":"holders","kind":"model","digest":"d","holders":%s}'
TRAFFIC = '{"type":"traffic","ledger":"x","sent_bytes":%s,"received_bytes":1,"served_blocks":1,"neighbours":1}'
STORED = '{"type":"stored","kind":"model","digest":"d","bytes":%s}'


@pytest.mark.parametrize("fact", [HOLDERS, TRAFFIC, STORED], ids=["holders", "traffic", "stored"])
@pytest.mark.parametrize("number", ["-1", "NaN", "1e999", "9" * 30, "9" * 400, "9" * 5000, "1.5", "null", '"3"'])
def test_a_number_that_no_ledger_can_mean_is_a_damaged_line(tmp_path: Path, fact: str, number: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line('{"type":"notice","text":"x"}') + line(fact % number) + line('{"type":"notice","text":"y"}'))
    with pytest.raises(OperatorError, match="line 2: no "):
        read_histories([path])
    (history,) = read_histories([path], skip_damaged=True)
    assert (len(history.lines), history.damaged) == (2, 1)


@pytest.mark.parametrize("number", [0, 1, 10**15, MOST])
def test_the_largest_and_the_smallest_numbers_are_reported(tmp_path: Path, number: int) -> None:
    path = tmp_path / "events.jsonl"
    wild = [line(fact % number, time) for time in ("2", "5") for fact in (HOLDERS, TRAFFIC, STORED)]
    path.write_bytes(line('{"type":"notice","text":"x"}') + b"".join(wild))
    histories = read_histories([path])
    files = write_report(histories, tmp_path / "out")
    assert len(files) == 5
    assert msgspec.json.decode((tmp_path / "out" / "report.json").read_bytes(), type=Summary) == summarise(histories)
    assert max(map(len, (tmp_path / "out" / "report.txt").read_text().splitlines())) < 300


def test_many_ledgers_with_strange_names_cost_no_more_than_one() -> None:
    facts = [(float(number), traffic(7, ledger=f"$\x1b{number}")) for number in range(20_000)]
    assert carried(tell(A, "anna", *facts))[-1].sent_bytes == 140_000


def colours_in(png: bytes) -> set[tuple[int, ...]]:
    image = (imread(io.BytesIO(png)) * 255).round().astype(np.uint8)[..., :3]
    packed = image.astype(np.uint32) @ np.array([65536, 256, 1], dtype=np.uint32)
    return {tuple(int(colour).to_bytes(3, "big")) for colour in np.unique(packed)}


def height_of(png: bytes) -> int:
    return int(imread(io.BytesIO(png)).shape[0])


def draw(histories: list[History]) -> bytes:
    return render_overview(histories, summarise(histories))


def with_facts(histories: list[History], *, holders: bool, loads: bool) -> list[History]:
    """Add a measurement at every tenth line."""
    found = []
    for history in histories:
        lines = []
        for number, each in enumerate(history.lines):
            lines.append(each)
            if number % 10 == 0 and holders:
                lines.append(msgspec.structs.replace(each, fact=HoldersCounted("model", M, 1 + number // 30)))
            if number % 10 == 5 and loads:
                lines.append(msgspec.structs.replace(each, fact=traffic(1000 * number)))
        found.append(History(history.peer, history.name, tuple(lines)))
    return found


@pytest.mark.parametrize("peers", [1, 12])
def test_the_picture_grows_only_where_somebody_could_tell(run_maker: Maker, peers: int) -> None:
    plain = [History(lines[0].peer, f"peer-{number}", tuple(lines)) for number, lines in enumerate(run_maker(peers))]
    both = draw(with_facts(plain, holders=True, loads=True))
    assert height_of(both) > height_of(draw(plain)) + 300
    assert both != draw(with_facts(plain, holders=True, loads=False)) != draw(with_facts(plain, holders=False, loads=True))
    assert {(0x00, 0x72, 0xB2), (0x56, 0xB4, 0xE9)} <= colours_in(both)


@pytest.mark.parametrize(
    "histories",
    [
        pytest.param([tell(A, "anna", (5.0, HoldersCounted("model", M, 0)))], id="one line"),
        pytest.param([tell(A, "anna", (5.0, traffic(0)))], id="nothing sent"),
        pytest.param([tell(A, "anna", (9.0, traffic(1)), (5.0, HoldersCounted("model", M, 2)))], id="clock set back"),
        pytest.param(
            [
                tell(A, "anna", (0.0, STARTED), (1.00001, HoldersCounted("model", M, 2))),
                tell(B, "b" * 40, (0.0, STARTED), (5000.0, traffic(MOST))),
            ],
            id="between two moments",
        ),
        pytest.param([tell(A, "anna", (1.0, HoldersCounted("model", M, MOST)), (2.0, traffic(MOST)))], id="huge"),
        pytest.param(
            [tell(PeerId(f"{n:064x}"), f"p{n}", (float(n), HoldersCounted("model", M, n)), (99.0, STARTED)) for n in range(75)],
            id="many",
        ),
    ],
)
def test_strange_measurements_are_drawn_too(histories: list[History]) -> None:
    assert len(colours_in(draw(histories))) > 10


def test_a_line_ends_with_its_peer_and_shows_its_last_number() -> None:
    short = tell(A, "anna", (0.0, HoldersCounted("model", M, 1)), (1.1, HoldersCounted("model", M, 2)), (1.2, Notice("x")))
    long = tell(B, "bert", (0.0, STARTED), (4.0, HoldersCounted("model", M, 3)))

    def known(history: History) -> list[tuple[float, float]]:
        return [(each.time, float(each.holders)) for each in held(history)]

    nan = float("nan")
    ended = sample([short, long], known, moments=5, outlives=False)
    np.testing.assert_array_equal(ended.values, [[1, 1, 2, nan, nan], [nan, nan, nan, nan, 3]])
    going_on = sample([short, long], known, moments=5)
    np.testing.assert_array_equal(going_on.values, [[1, 1, 2, 2, 2], [nan, nan, nan, nan, 3]])


def test_there_is_no_mean_of_a_few() -> None:
    nan = float("nan")
    values = np.array([[1.0, 2.0, 2.0, nan], [nan, 4.0, nan, nan], [nan, 3.0, 5.0, 5.0], [nan, nan, nan, nan]])
    low, high, mean = _spread(values)
    np.testing.assert_array_equal(low, [1, 2, 2, 5])
    np.testing.assert_array_equal(high, [1, 4, 5, 5])
    np.testing.assert_array_equal(mean, [nan, 3, 3.5, nan])
