"""Journals are read in bounds, merged, and damage is named."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.errors import OperatorError
from learnae.report.history import Journal, Naming, merge
from learnae.report.reading import read_histories, read_journal
from learnae.values.ids import PeerId
from learnae.values.journal import JournalLine, Notice

Maker = Callable[..., list[list[JournalLine]]]
Dumper = Callable[[Path, list[JournalLine]], Path]
Folder = Callable[..., Path]


def line(time: float = 1.0, text: str = "x", peer: str = "a" * 64) -> JournalLine:
    return JournalLine(time=time, peer=PeerId(peer), fact=Notice(text))


def test_a_folder_is_searched_and_every_peer_has_one_history(run_folder: Folder, run_maker: Maker) -> None:
    histories = read_histories([run_folder(12)], naming=Naming.FOLDER)
    assert [history.name for history in histories] == [f"peer-{number}" for number in range(1, 13)]
    assert [list(history.lines) for history in histories] == run_maker(12)


def test_short_ids_name_peers_and_grow_where_they_clash() -> None:
    first, second = "a" * 8 + "0" * 56, "a" * 8 + "1" * 56
    journal = Journal(Path("x"), (line(peer=first), line(peer=second)))
    assert [history.name for history in merge([journal])] == ["a" * 8 + "0", "a" * 8 + "1"]
    assert merge([Journal(Path("x"), (line(),))])[0].name == "aaaaaaaa"


def test_folders_of_one_name_stay_distinct(tmp_path: Path, dumper: Dumper) -> None:
    dumper(tmp_path / "a" / "state" / "events.jsonl", [line(peer="a" * 64)])
    dumper(tmp_path / "b" / "state" / "events.jsonl", [line(peer="b" * 64)])
    names = [history.name for history in read_histories([tmp_path], naming=Naming.FOLDER)]
    assert names == ["state aaaaaaaa", "state bbbbbbbb"]


def test_given_names_come_first_and_are_made_printable() -> None:
    journal = Journal(Path("x"), (line(),))
    assert merge([journal], names={PeerId("a" * 64): "the\x1b[31m one"})[0].name == "the?[31m one"


def test_one_journal_may_hold_many_peers(tmp_path: Path, dumper: Dumper, run_maker: Maker) -> None:
    stories = run_maker(3)
    mixed = sorted((each for story in stories for each in story), key=lambda each: each.time)
    path = dumper(tmp_path / "sim" / "events.jsonl", mixed)
    histories = read_histories([path], naming=Naming.FOLDER)
    assert sorted(len(history.lines) for history in histories) == sorted(map(len, stories))
    assert {history.name for history in histories} == {story[0].peer[:8] for story in stories}


def test_pieces_of_a_journal_are_merged_and_copies_count_once(tmp_path: Path, dumper: Dumper, run_maker: Maker) -> None:
    (story,) = run_maker(1)
    dumper(tmp_path / "1" / "events.jsonl", story[:30])
    dumper(tmp_path / "2" / "events.jsonl", story[20:])
    (history,) = read_histories([tmp_path])
    assert list(history.lines) == story
    assert len(history.files) == 2


def test_equal_lines_within_one_journal_are_two_events(tmp_path: Path, dumper: Dumper) -> None:
    dumper(tmp_path / "1" / "events.jsonl", [line(), line()])
    dumper(tmp_path / "2" / "events.jsonl", [line()])
    (history,) = read_histories([tmp_path])
    assert len(history.lines) == 2


def test_a_file_that_is_found_twice_is_read_once(tmp_path: Path, dumper: Dumper) -> None:
    path = dumper(tmp_path / "p" / "events.jsonl", [line()])
    (history,) = read_histories([path, tmp_path, path.parent])
    assert len(history.lines) == 1


def test_restarts_cut_a_history_into_runs(run_folder: Folder) -> None:
    histories = read_histories([run_folder(2)], naming=Naming.FOLDER)
    assert [len(history.runs()) for history in histories] == [1, 2]
    assert [each for run in histories[1].runs() for each in run] == list(histories[1].lines)


@given(data=st.data())
def test_a_journal_cut_anywhere_gives_the_whole_lines_before(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = [line(float(number), "é\n" * number) for number in range(4)]
    whole = b"".join(msgspec.json.encode(each) + b"\n" for each in lines)
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("cut") / "events.jsonl"
    path.write_bytes(whole[:cut])
    journal = read_journal(path)
    # A last line that lacks nothing but its line feed is whole.
    assert list(journal.lines) == lines[: (whole[:cut] + b"\n").count(b"}}\n")]
    assert journal.damaged == 0


def test_the_line_that_a_running_peer_writes_right_now_is_left_for_later(tmp_path: Path) -> None:
    whole = [msgspec.json.encode(line(float(number))) + b"\n" for number in range(3)]

    class GrowingFile(io.BytesIO):
        """A file in which the next piece appears whenever its end was seen."""

        pieces: ClassVar[list[bytes]] = [whole[0] + whole[1][:9], whole[1][9:], whole[2]]

        def readline(self, size: int | None = -1, /) -> bytes:
            if not (found := super().readline(size)).endswith(b"\n") and self.pieces:
                place = self.tell()
                self.write(self.pieces.pop(0))
                self.seek(place)
            return found

    class GrowingPath(type(tmp_path)):  # type: ignore[misc] - the class depends on the system
        def open(self, *_: object, **__: object) -> io.BytesIO:
            return GrowingFile(GrowingFile.pieces.pop(0))

    journal = read_journal(GrowingPath(tmp_path / "events.jsonl"))
    assert [each.time for each in journal.lines] == [0.0]
    assert (journal.damaged, journal.cut) == (0, 1)


def test_a_half_line_that_a_restart_follows_is_ignored(tmp_path: Path, run_maker: Maker) -> None:
    story = run_maker(2)[1]
    start = next(n for n, each in enumerate(story) if n and each.fact.__struct_config__.tag == "started")
    rows = [msgspec.json.encode(each) for each in story]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([*rows[:start], rows[3][:40], *rows[start:]]) + b"\n")
    journal = read_journal(path)
    assert list(journal.lines) == story
    assert (journal.cut, journal.damaged) == (1, 0)


DAMAGE = [
    pytest.param(b'{"time": 1.0, "pee', "no whole line of JSON", id="half"),
    pytest.param(b"\x00" * 50, "no whole line of JSON", id="zeros"),
    pytest.param(b"\xff\xfe{}", "no whole line of JSON", id="no UTF-8"),
    pytest.param(b'{"fact": {"x": ' + b"[" * 100_000, "no whole line of JSON", id="deep"),
    pytest.param(b'{"time":1,"peer":"a","fact":{"type":"party"}}', "no event that this version knows", id="unknown"),
    pytest.param(b'{"time":1,"peer":"a","fact":{"type":"notice","text":"x","y":1}}', "no event that", id="field"),
    pytest.param(b'{"time":-1,"peer":"a","fact":{"type":"notice","text":"x"}}', "its time -1.0", id="early"),
    pytest.param(b'{"time":1e300,"peer":"a","fact":{"type":"notice","text":"x"}}', "its time 1e+300", id="late"),
    pytest.param(b'{"time":1,"peer":"a","fact":{"type":"notice","text":"' + b"x" * 2**20 + b'"}}', "longer than", id="long"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGE)
def test_a_damaged_line_is_named_or_skipped_and_counted(tmp_path: Path, damage: bytes, reason: str) -> None:
    good = msgspec.json.encode(line())
    path = tmp_path / "events.jsonl"
    path.write_bytes(good + b"\n" + damage + b"\n" + good + b"\n")
    with pytest.raises(OperatorError) as caught:
        read_histories([tmp_path])
    assert str(caught.value).startswith(f"{path}, line 2: {reason}")
    assert "--skip-damaged" in str(caught.value)
    (history,) = read_histories([tmp_path], skip_damaged=True)
    assert (len(history.lines), history.damaged) == (2, 1)


def test_of_several_damaged_lines_at_the_end_only_the_last_can_be_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(msgspec.json.encode(line()) + b'\n{"time\n{"ti\n')
    with pytest.raises(OperatorError, match="line 2"):
        read_journal(path)
    journal = read_journal(path, skip_damaged=True)
    assert (journal.damaged, journal.cut) == (1, 1)


def test_a_last_line_of_another_schema_is_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(msgspec.json.encode(line()) + b'\n{"time":1,"peer":"a","fact":{"type":"party"}}')
    with pytest.raises(OperatorError, match="line 2: no event that this version knows"):
        read_journal(path)


def test_empty_lines_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n\n" + msgspec.json.encode(line()) + b"\n\n")
    assert len(read_journal(path).lines) == 1


def test_too_many_lines_are_refused(tmp_path: Path, dumper: Dumper) -> None:
    dumper(tmp_path / "1" / "events.jsonl", [line()] * 3)
    dumper(tmp_path / "2" / "events.jsonl", [line()] * 3)
    with pytest.raises(OperatorError, match="more than the 2 lines"):
        read_histories([tmp_path], max_lines=5)
    assert read_histories([tmp_path], max_lines=6)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(lambda folder: None, "nothing to report: no events.jsonl", id="no journal"),
        pytest.param(lambda folder: (folder / "events.jsonl").touch(), "all without a whole line", id="empty journal"),
    ],
)
def test_nothing_there_is_a_sentence(tmp_path: Path, make: Callable[[Path], None], sentence: str) -> None:
    make(tmp_path)
    with pytest.raises(OperatorError) as caught:
        read_histories([tmp_path])
    assert sentence in str(caught.value)
    assert "name the folder of a peer that has run" in str(caught.value)


def test_no_path_or_a_wrong_one_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no path was given"):
        read_histories([])
    with pytest.raises(OperatorError, match="there is no such file or folder"):
        read_histories([tmp_path / "nowhere"])
    with pytest.raises(OperatorError, match="cannot read"):
        read_journal(tmp_path)
