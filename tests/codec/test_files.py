import os
import stat
from pathlib import Path

import pytest

from learnae.codec.files import create, create_whole, read_small
from learnae.errors import TooLargeError

Creator = type(create)


def full_disk(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_no_more_than_allowed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_small(path, max_bytes=5) == b"12345"
    with pytest.raises(TooLargeError, match="more than the 4 bytes"):
        read_small(path, max_bytes=4)


def test_a_pipe_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        read_small(tmp_path / "pipe", max_bytes=5)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"no regular file|directory"):
        read_small(tmp_path, max_bytes=5)


@pytest.mark.parametrize("write", [create, create_whole])
def test_a_new_file_is_there_with_its_mode_and_nothing_else(tmp_path: Path, write: Creator) -> None:
    write(tmp_path / "file", b"data", mode=0o600)
    assert (tmp_path / "file").read_bytes() == b"data"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("write", [create, create_whole])
@pytest.mark.parametrize("there", ["file", "dangling link"])
def test_nothing_is_overwritten(tmp_path: Path, write: Creator, there: str) -> None:
    path = tmp_path / "file"
    if there == "file":
        path.write_bytes(b"old")
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        write(path, b"new", mode=0o600)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
    assert path.is_symlink() or path.read_bytes() == b"old"


@pytest.mark.parametrize("write", [create, create_whole])
def test_a_full_disk_leaves_nothing(tmp_path: Path, write: Creator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "file", b"data", mode=0o600)
    assert list(tmp_path.iterdir()) == []


def test_file_and_folder_are_made_durable_before_the_name_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, link = os.fsync, os.link

    def record_fsync(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def record_link(source: Path, target: Path) -> None:
        order.append("link")
        link(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "link", record_link)
    create_whole(tmp_path / "file", b"data", mode=0o600)
    assert order == ["file", "folder", "link", "folder"]
