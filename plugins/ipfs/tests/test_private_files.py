"""Small files of our own are whole, and nothing else is read or written in their place."""

import os
from pathlib import Path

import pytest
from learnae_ipfs.daemon.leases import Lease
from learnae_ipfs.daemon.log import MAX_LOG_BYTES, open_log, shorten
from learnae_ipfs.private_files import read_private, write_private
from learnae_ipfs.telling import once

from learnae.errors import UnavailableError


def _odd(file: Path, kind: str) -> None:
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "link":
            (file.parent / "target").write_bytes(b"of somebody else")
            file.symlink_to("target")
        case "dangling link":
            file.symlink_to("nowhere")
        case "folder":
            file.mkdir()


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling link", "folder"])
def test_nothing_but_a_regular_file_is_read_or_appended_to(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file"
    _odd(file, kind)
    with pytest.raises(OSError, match="it is no regular file"):
        read_private(file, max_bytes=100)
    for change in (open_log, shorten):
        with pytest.raises(OSError, match=r"it is no regular file|Is a directory"):
            change(file)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling link"])
def test_what_lies_in_the_place_of_a_file_is_replaced(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file"
    _odd(file, kind)
    write_private(file, b"ours")
    assert read_private(file, max_bytes=4) == b"ours"
    assert not (tmp_path / "nowhere").exists()
    assert kind != "link" or (tmp_path / "target").read_bytes() == b"of somebody else"


def test_a_lock_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "lease").symlink_to("nowhere")
    with pytest.raises(UnavailableError, match="lease cannot be opened"):
        Lease(tmp_path).take()


def test_a_log_is_shortened_while_somebody_writes_to_it(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    assert shorten(log) == 0
    descriptor = open_log(log)
    os.write(descriptor, b"a" * MAX_LOG_BYTES)
    assert shorten(log) == MAX_LOG_BYTES
    os.write(descriptor, b"b")
    assert shorten(log) == 0
    os.write(descriptor, b"c")
    os.close(descriptor)
    assert log.read_bytes() == b"c"
    assert (tmp_path / "daemon.log.1").read_bytes() == b"a" * (MAX_LOG_BYTES - 1) + b"b"


def test_saying_a_sentence_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, told = list[int](), list[str]()
    monkeypatch.setattr("os.fsync", waits.append)
    for _ in range(2):
        once(tmp_path / "said.json", told.append)("a sentence")
    assert (told, waits) == (["a sentence"], [])
