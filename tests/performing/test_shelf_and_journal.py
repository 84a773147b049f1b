"""Dataslices on the shelf, facts in the journal."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from learnae.errors import NotFoundError, StateError
from learnae.machine.memory import KnownSlice, Memory, QueuedPass
from learnae.performing.journal import Journal
from learnae.performing.shelf import FolderShelf, MemoryShelf, Shelf, sweep
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import JournalLine, Notice

A, B = Digest("a" * 64), Digest("b" * 64)
ME, OTHER = PeerId("c" * 64), PeerId("d" * 64)


@pytest.fixture(params=["folder", "memory"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return FolderShelf(tmp_path / "slices") if request.param == "folder" else MemoryShelf()


def test_a_shelf_gives_back_what_it_was_given(shelf: Shelf) -> None:
    shelf.put(A, b"one")
    shelf.put(A, b"one")
    shelf.put(B, b"two")
    assert shelf.get(A) == b"one"
    assert set(shelf.digests()) == {A, B}
    shelf.drop(A)
    shelf.drop(A)
    with pytest.raises(NotFoundError):
        shelf.get(A)
    assert set(shelf.digests()) == {B}


def test_several_may_put_the_same_slice_at_once(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "slices")
    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(shelf.put, A, b"one") for _ in range(200)]:
            each.result()
    assert [path.name for path in (tmp_path / "slices").iterdir()] == [A]


def test_leftovers_of_a_crash_are_removed(tmp_path: Path) -> None:
    (tmp_path / "slices").mkdir()
    (tmp_path / "slices" / f"{A}.part").write_bytes(b"half")
    assert list(FolderShelf(tmp_path / "slices").digests()) == []
    assert list((tmp_path / "slices").iterdir()) == []


def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "slices").write_text("a file")
    with pytest.raises(StateError, match="cannot keep dataslices here"):
        FolderShelf(tmp_path / "slices")
    shelf = FolderShelf(tmp_path / "other")
    (tmp_path / "other").rmdir()
    with pytest.raises(StateError, match="cannot be written"):
        shelf.put(A, b"x")


def test_a_journal_ends_a_line_that_a_crash_cut(tmp_path: Path) -> None:
    path, heard = tmp_path / "events.jsonl", []
    path.write_bytes(b'{"time": 1, "pee')
    journal = Journal(PeerId("c" * 64), lambda: 2.5, path, (heard.append,))
    journal.write(Notice("again"))
    journal.close()
    cut, whole = path.read_bytes().splitlines()
    assert cut == b'{"time": 1, "pee'
    assert msgspec.json.decode(whole, type=JournalLine) == heard[0] == JournalLine(2.5, PeerId("c" * 64), Notice("again"))


def test_a_journal_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be written"):
        Journal(PeerId("c" * 64), lambda: 0.0, tmp_path)


def test_after_a_failure_only_listeners_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, heard = tmp_path / "events.jsonl", list[JournalLine]()
    journal = Journal(ME, lambda: 1.0, path, (heard.append,))
    journal.write(Notice("whole"))
    journal.close()
    monkeypatch.setattr(journal, "_file", HalfFile(path))
    with pytest.raises(StateError, match="cannot be written: No space left"):
        journal.write(Notice("cut"))
    journal.write(Notice("the end"))
    journal.close()
    assert [getattr(line.fact, "text", "") for line in heard] == ["whole", "the end"]
    whole, cut = path.read_bytes().split(b"\n")
    assert (b"whole" in whole, b"cut" in cut) == (True, False)


class HalfFile:
    """A file on a disk that is full after a few bytes."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)

    def write(self, data: bytes) -> int:
        with Path(self.name).open("ab") as file:
            return file.write(data[:10])

    def close(self) -> None:
        pass


def test_what_cannot_be_removed_or_listed_is_a_sentence(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "slices")
    (tmp_path / "slices" / A).mkdir()
    with pytest.raises(StateError, match="cannot be removed"):
        shelf.drop(A)
    (tmp_path / "slices" / A).rmdir()
    (tmp_path / "slices").rmdir()
    with pytest.raises(StateError, match="cannot be listed"):
        shelf.digests()


@pytest.mark.parametrize(
    ("item", "queued", "stays"),
    [
        pytest.param(None, False, False, id="unknown"),
        pytest.param(KnownSlice(A, ME, 1, evaluation=False, held=True), False, True, id="own"),
        pytest.param(KnownSlice(A, OTHER, 1, evaluation=False, held=True), True, True, id="foreign-queued"),
        pytest.param(KnownSlice(A, OTHER, 1, evaluation=True, held=True), False, True, id="foreign-evaluation"),
        pytest.param(KnownSlice(A, OTHER, 1, evaluation=False, held=True), False, False, id="foreign-done"),
        pytest.param(KnownSlice(A, OTHER, 1, evaluation=False, held=False), False, False, id="foreign-not-held"),
    ],
)
def test_a_sweep_drops_what_nobody_needs(shelf: Shelf, item: KnownSlice | None, *, queued: bool, stays: bool) -> None:
    memory = Memory()
    if item is not None:
        memory.slices[A] = item
    if queued:
        memory.queue[f"{A}/2"] = QueuedPass(A, 2)
    shelf.put(A, b"rows")
    sweep(shelf, memory, ME)
    assert (A in set(shelf.digests())) is stays
