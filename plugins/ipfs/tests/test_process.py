"""Processes are started to outlive this one, recognised, and ended; and what they said is understood."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import pytest
from kubo_rig import until
from learnae_ipfs.daemon.process import Record, find_process, interrupt, is_alive, read_record, record_of, spawn, write_record
from learnae_ipfs.daemon.troubles import explained, last_words, why_it_failed
from learnae_ipfs.kubo.answers import RefusedError

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
OBEDIENT = "import time; print('here', flush=True); time.sleep(600)"


@dataclass
class Started:
    pid: int
    record: Record
    repository: Path
    log: Path


@pytest.fixture
def start(tmp_path: Path) -> Iterator["Starter"]:
    started = Starter(tmp_path)
    yield started
    for pid in started.pids:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not _exists(pid), "end of a process")


class Starter:
    def __init__(self, folder: Path) -> None:
        self.folder, self.pids = folder, list[int]()

    def __call__(self, code: str) -> Started:
        repository, log = self.folder / "repo", self.folder / "daemon.log"
        environment = {**os.environ, "IPFS_PATH": str(repository)}
        command = [sys.executable, *([] if code == "daemon" else ["-c"]), code, "more"]
        pid = spawn(command, environment=environment, folder=self.folder, log=log)
        self.pids.append(pid)
        record = record_of(pid, program=Path(sys.executable), version="0.43.0", fingerprint="f")
        assert record is not None
        return Started(pid, record, repository, log)


def _exists(pid: int) -> bool:
    record = record_of(pid, program=Path(), version="", fingerprint="")
    return record is not None and is_alive(record, Path("/none"))


def test_it_has_a_session_and_a_log_of_its_own(start: Starter) -> None:
    one = start(OBEDIENT)
    until(lambda: one.log.read_text() == "here\n", "word of the process")
    assert os.getsid(one.pid) == one.pid
    assert one.log.stat().st_mode & 0o077 == 0
    process = psutil.Process(one.pid)
    assert process.cwd() == str(start.folder)
    assert {file.path for file in process.open_files()} <= {str(one.log)}


def test_it_is_recognised_by_when_it_started_or_where_it_works(start: Starter) -> None:
    one = start(OBEDIENT)
    until(lambda: one.log.exists() and one.log.read_text(), "word of the process")
    elsewhere = Path("/elsewhere")
    assert is_alive(one.record, one.repository)
    assert is_alive(one.record, elsewhere)
    later = msgspec.structs.replace(one.record, created=one.record.created + 1000)  # the clock was set
    assert is_alive(later, one.repository)
    assert not is_alive(later, elsewhere)  # another got its number
    assert not is_alive(msgspec.structs.replace(one.record, pid=0), one.repository)
    interrupt(later, elsewhere, force=True)
    assert is_alive(one.record, one.repository)


def test_it_is_asked_and_then_forced_to_end(start: Starter) -> None:
    one, other = start(OBEDIENT), start(STUBBORN)
    until(lambda: "deaf" in other.log.read_text(), "deaf process")
    for each in (one, other):
        interrupt(each.record, each.repository, force=False)
    until(lambda: not is_alive(one.record, one.repository), "end")
    assert is_alive(other.record, other.repository)
    interrupt(other.record, other.repository, force=True)
    until(lambda: not is_alive(other.record, other.repository), "end")
    interrupt(other.record, other.repository, force=True)
    assert not psutil.pid_exists(other.pid)


def test_one_of_which_nothing_is_known_is_found(start: Starter) -> None:
    assert find_process(start.folder / "repo") is None
    start(OBEDIENT)  # what it does there is not `ipfs daemon`
    (start.folder / "daemon").write_text(OBEDIENT)
    one = start("daemon")
    until(lambda: one.log.read_text() == "here\nhere\n", "words of both")
    assert find_process(start.folder / "other") is None
    found = find_process(start.folder / "repo")
    assert found is not None
    assert found.pid == one.pid
    assert is_alive(found, one.repository)
    interrupt(found, one.repository, force=False)
    until(lambda: find_process(start.folder / "repo") is None, "end")


def test_records_are_kept_and_doubted(start: Starter, tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    assert read_record(file) is None
    record = Record(1234, 5.5, "/usr/bin/ipfs", "0.43.0", "f")
    write_record(file, record)
    assert read_record(file) == record
    whole = file.read_bytes()
    for wrong in (b"", b"{}", b"[]", b"\xff", whole[:-2], json.dumps({**json.loads(whole), "odd": 1}).encode(), b" " * 70_000):
        file.write_bytes(wrong)
        assert read_record(file) is None
    assert record_of(2**22 + 1, program=file, version="", fingerprint="") is None


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("Error: write: No space left on device", "the disk is full: free some space, let [keeping] keep less"),
        ("Error: lock /r/repo.lock: someone else has the lock", "another program that is not LEARNAE uses its repository /r"),
        ("Error: failed to listen on any addresses: [bind: address already in use]", "its port is taken"),
        ("Error: datastore configuration of '{}' does not match what is on disk '{}'", "its repository /r is damaged"),
        ("Error: failed to configure private network: privnet: unsupported", "its swarm key /r/swarm.key is damaged"),
        ("Daemon is ready", None),
    ],
)
def test_last_words_are_understood(words: str, meaning: str | None) -> None:
    found = explained(["something else", words], Path("/r"))
    assert found is None if meaning is None else (found or "").startswith(meaning)


def test_what_a_daemon_says_of_a_full_disk_is_understood() -> None:
    refusal = RefusedError("the IPFS daemon at /x", "add", 500, "open /r/blocks/put-1: no space left on device")
    assert str(refusal).startswith("the IPFS daemon at /x refuses add: the disk is full: free some space")
    assert refusal.says("put-1")


def test_a_stranger_who_claims_the_repository_is_not_ours(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    (start.folder / "daemon").write_text(OBEDIENT)
    one = start("daemon")
    until(lambda: one.log.read_text() == "here\n", "word of the process")
    monkeypatch.setattr("os.geteuid", lambda: 4_000_000)
    assert find_process(one.repository) is None
    assert not is_alive(msgspec.structs.replace(one.record, created=one.record.created + 1000), one.repository)


def test_last_words_are_quoted_where_they_are_not(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    assert why_it_failed(log, 0, tmp_path) == f"it said nothing; its log is {log}"
    log.write_bytes(b"Error: old\n2026-11-23T03:05:51.353Z\tERROR\tcore \x1b[31mError: new\n\n\xff\nbye\n")
    assert last_words(log, len(b"Error: old\n")) == ["ERRORcore [31mError: new", "\ufffd", "bye"]
    assert why_it_failed(log, 11, tmp_path) == f"its last words: ERRORcore [31mError: new; its log is {log}"
    log.write_bytes(b"x" * 1000 + b"\n" + b"line\n" * 100_000)
    assert len(last_words(log, 0)) < 2000
    assert all(len(line) <= 300 for line in last_words(log, 0))
