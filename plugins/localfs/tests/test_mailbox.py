"""The mailbox finds what is new, once, whatever the file system tells it."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from learnae_localfs.frames import HEADER_BYTES, read_frame, write_frame

from learnae.errors import UnavailableError

ALICE, BOB, MALLORY = "a1" * 32, "b2" * 32, "e5" * 32
SLOT, OTHER = "0" * 64, "1" * 64


def test_a_frame_is_read_only_if_it_is_whole() -> None:
    frame = write_frame(b"hello")
    assert read_frame(frame) == b"hello"
    assert read_frame(write_frame(b"")) == b""
    for cut in range(len(frame)):
        assert read_frame(frame[:cut]) is None
    for at in range(len(frame)):
        assert read_frame(frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]) is None
    assert read_frame(frame + b"!") is None
    assert len(frame) == HEADER_BYTES + 5


def test_messages_come_once(shared: Any) -> None:
    assert shared.look() == []
    shared.write(ALICE, SLOT, b"one")
    shared.write(MALLORY, SLOT, b"two")
    assert shared.look() == [b"one", b"two"]
    for _ in range(5):
        shared.clock.now += 4
        assert shared.look() == []


def test_a_replaced_message_comes(shared: Any) -> None:
    shared.write(ALICE, SLOT, b"one")
    assert shared.look() == [b"one"]
    shared.write(ALICE, SLOT, b"longer")
    assert shared.look() == [b"longer"]


def test_a_change_that_no_time_stamp_shows_comes_at_the_next_full_look(shared: Any) -> None:
    path = shared.write(ALICE, SLOT, b"one")
    assert shared.look() == [b"one"]
    before = path.stat()
    path.write_bytes(write_frame(b"two"))  # in place: same size, same inode
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    shared.clock.now += 3.5
    assert shared.look() == [b"two"]


def test_a_settled_folder_is_not_listed_until_the_next_full_look(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.write(ALICE, SLOT, b"one")
    shared.look()
    for _ in range(3):
        shared.clock.now += 3.5
        shared.look()
    folder = shared.folder(ALICE)
    stamp = folder.stat()
    shared.write(ALICE, OTHER, b"two")
    os.utime(folder, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # a mount that keeps time stamps
    shared.clock.now += 0.1
    assert shared.look() == []
    shared.clock.now += 3.5
    assert shared.look() == [b"two"]


def test_a_half_synchronised_message_comes_when_it_is_whole(shared: Any) -> None:
    frame = write_frame(b"hello")
    path = shared.folder(ALICE) / SLOT
    path.write_bytes(frame[:20])
    assert shared.look() == []
    path.write_bytes(frame)
    assert shared.look() == [b"hello"]


def test_a_hole_that_is_filled_without_a_trace_is_noticed(shared: Any) -> None:
    frame = write_frame(b"hello")
    path = shared.folder(ALICE) / SLOT
    path.write_bytes(bytes(len(frame)))
    stamp = path.stat()
    assert shared.look() == []
    path.write_bytes(frame)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    shared.clock.now += 3.5
    assert shared.look() == [b"hello"]


def test_an_undecodable_file_is_read_ever_more_rarely(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (shared.folder(ALICE) / SLOT).write_bytes(b"garbage")
    reads: list[float] = []
    real = shared.mailbox._read

    def read(folder: int, name: str) -> bytes | None:
        reads.append(shared.clock.now)
        return real(folder, name)

    monkeypatch.setattr(shared.mailbox, "_read", read)
    for _ in range(4000):
        shared.look()
        shared.clock.now += 0.1
    assert len(reads) < 25
    assert reads[-1] - reads[-2] > 25


def test_conflict_copies_are_read_and_duplicates_are_not_hidden(shared: Any) -> None:
    shared.write(ALICE, SLOT, b"one")
    shared.write(ALICE, f"{SLOT}.sync-conflict-20240101-120000-ABCDEFG", b"two")
    shared.write(ALICE, f"{SLOT} (Alice's conflicted copy 2024-01-01)", b"one")
    assert shared.look() == [b"one", b"one", b"two"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(f".{SLOT}", id="hidden"),
        pytest.param(f".syncthing.{SLOT}.tmp", id="syncthing"),
        pytest.param("readme.txt", id="no-slot"),
        pytest.param(SLOT[:-1], id="short"),
        pytest.param(f"{SLOT}\n", id="line-feed"),
        pytest.param(f"{SLOT}\u202e", id="odd-character"),
        pytest.param(f"{SLOT}" + "x" * 180, id="long"),
    ],
)
def test_other_names_are_not_read(shared: Any, name: str) -> None:
    shared.write(ALICE, name, b"one")
    assert shared.look() == []


@pytest.mark.parametrize("owner", [".alice", "alice", "A1" * 32, ALICE + "\n", "a1" * 31])
def test_other_owners_are_not_read(shared: Any, owner: str) -> None:
    shared.write(owner, SLOT, b"one")
    assert shared.look() == []


def test_own_messages_come_unless_just_posted(shared: Any) -> None:
    shared.write(BOB, SLOT, b"of an earlier life")
    shared.write(BOB, OTHER, b"mine")
    shared.mailbox.posted(OTHER, b"mine")
    assert shared.look() == [b"of an earlier life"]
    shared.write(BOB, OTHER, b"by a clone of mine")
    assert shared.look() == [b"by a clone of mine"]


def test_what_vanishes_may_come_back(shared: Any) -> None:
    shared.write(ALICE, SLOT, b"one").unlink()
    path = shared.write(ALICE, OTHER, b"two")
    assert shared.look() == [b"two"]
    path.unlink()
    assert shared.look() == []
    shared.folder(ALICE).rmdir()
    assert shared.look() == []
    shared.write(ALICE, OTHER, b"two")
    assert shared.look() == [b"two"]


def test_much_comes_in_batches(shared: Any) -> None:
    expected = []
    for number in range(600):
        expected.append(b"%03d" % number)
        shared.write(ALICE, f"{number:064x}", expected[-1])
    batch, done = shared.mailbox.next_batch()
    assert (len(batch), done) == (256, False)
    assert sorted(batch + shared.look()) == expected


def test_a_missing_root_says_so_and_is_found_again(shared: Any, tmp_path: Path) -> None:
    shared.write(ALICE, SLOT, b"one")
    away = tmp_path.with_name("away")
    tmp_path.rename(away)
    with pytest.raises(UnavailableError, match="is it mounted"):
        shared.mailbox.next_batch()
    away.rename(tmp_path)
    assert shared.look() == [b"one"]


def test_what_was_found_before_the_folder_went_away_still_comes(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.write(ALICE, SLOT, b"one")
    shared.write(MALLORY, SLOT, b"two")
    real, opened = os.open, []

    def refuse(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if path == shared.place.root:
            opened.append(path)
            if len(opened) > 2:
                raise OSError(errno.EIO, "Input/output error")
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    batch, done = shared.mailbox.next_batch()
    assert (len(batch), done) == (1, False)
    with pytest.raises(UnavailableError, match="Input/output error"):
        shared.mailbox.next_batch()
    monkeypatch.undo()
    assert sorted(batch + shared.look()) == [b"one", b"two"]


def test_an_owner_who_shuts_others_out_harms_nobody(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.write(ALICE, SLOT, b"one")
    shared.write(MALLORY, SLOT, b"two")
    real = os.open

    def refuse(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if path == MALLORY:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    assert shared.look() == [b"one"]


def test_names_beyond_the_bound_are_not_looked_at(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learnae_localfs.mailbox.MAX_NAMES", 10)
    monkeypatch.setattr("learnae_localfs.mailbox.MAX_KNOWN", 15)
    for number in range(30):
        shared.write(ALICE, f"{number:064x}", b"A%02d" % number)
    assert len(shared.look()) == 10
    for number in range(30):
        shared.write(MALLORY, f"{number:064x}", b"M%02d" % number)
    assert len(shared.look()) == 5
    shared.clock.now += 4
    assert shared.look() == []
