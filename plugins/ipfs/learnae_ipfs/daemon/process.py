"""The process of a private daemon: started so that it outlives this one, found again, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from learnae_ipfs.daemon.log import open_log
from learnae_ipfs.private_files import read_private, write_private

_MAX_RECORD_BYTES = 65_536
_SAME_START_S = 2.0
"""By how much the time at which a process started may differ when it is asked for twice: clocks are set."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written down of a daemon that was started.

    Attributes:
        pid: Its process.
        created: When that began, in seconds since 1970, as the system tells it.
        program: The path of the program.
        version: Of Kubo.
        fingerprint: Of the configuration with which it was started.
    """

    pid: int
    created: float
    program: str
    version: str
    fingerprint: str


class _Detached(subprocess.Popen[bytes]):
    """A process that may go on after this one has ended, and after everybody here has forgotten it."""

    def __del__(self) -> None:
        """Do nothing: the usual finaliser warns of a child that still runs, and wants to wait for it."""


def spawn(command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> int:
    """Start a process in a session of its own, so that Ctrl-C here does not reach it; return its number.

    Args:
        command: Program and arguments.
        environment: All of its environment.
        folder: Its working directory.
        log: What it says is appended there.

    Raises:
        OSError: It cannot be started, or its log cannot be written.
    """
    descriptor = open_log(log)
    try:
        process = _Detached(
            list(command),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(descriptor)
    return process.pid


def record_of(pid: int, *, program: Path, version: str, fingerprint: str) -> Record | None:
    """Write down a process that was just started; ``None`` if it has ended already."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.Error:
        return None
    return Record(pid, created, str(program), version, fingerprint)


def read_record(file: Path) -> Record | None:
    """Read what was written down; ``None`` for nothing, and for anything else."""
    try:
        content = read_private(file, max_bytes=_MAX_RECORD_BYTES)
        return None if content is None else msgspec.json.decode(content, type=Record)
    except (OSError, ValueError, msgspec.DecodeError):
        return None


def write_record(file: Path, record: Record) -> None:
    """Write it down.

    Raises:
        OSError: It cannot be written.
    """
    write_private(file, msgspec.json.encode(record))


def is_alive(record: Record, repository: Path) -> bool:
    """Say whether the very process that was written down still runs, and not another that got its number.

    Args:
        record: What was written down.
        repository: Of the daemon: by it a process is recognised if the clock was set since.
    """
    if record.pid <= 1:
        return False
    try:
        process = psutil.Process(record.pid)
        is_same = abs(process.create_time() - record.created) < _SAME_START_S
        if process.status() == psutil.STATUS_ZOMBIE:
            return is_same and _lingers(process)
        return is_same or _works_on(process, repository)
    except psutil.Error:
        return False


def find_process(repository: Path) -> Record | None:
    """Look among all processes of this user for the daemon of a repository; nothing but where it runs is known of it then."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if "daemon" in command[1:2] and _works_on(process, repository):
                return Record(process.pid, process.create_time(), command[0], "", "")
        except (psutil.Error, OSError):
            continue
    return None


def interrupt(record: Record, repository: Path, *, force: bool) -> None:
    """Ask a process to end, or end it by force; does nothing if it has ended."""
    if is_alive(record, repository):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(record.pid, signal.SIGKILL if force else signal.SIGTERM)


def _works_on(process: psutil.Process, repository: Path) -> bool:
    """Say whether a process of this user's has that repository; root can look at those of strangers, who may pretend to."""
    return process.uids().effective == os.geteuid() and process.environ().get("IPFS_PATH") == str(repository)


def _lingers(process: psutil.Process) -> bool:
    """Say whether threads of a process that has ended still hold its files; take leave of it if it was a child of this one."""
    try:
        return os.waitpid(process.pid, os.WNOHANG)[0] == 0
    except OSError:  # somebody else's child, or one that was taken leave of just now
        return process.num_threads() > 1
