"""The peers' processes: each in a process group of its own, and none outlives the demo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from learnae.demo.plan import PeerFailedError
from learnae.errors import StateError

STOP_TIMEOUT_S = 10.0
"""How long peers get to stop in an orderly way before they are killed."""

_LOG_LINES = 20
_LOG_BYTES = 8_192
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Command:
    """A process to start.

    Attributes:
        name: Such as ``peer-1``.
        module: Which Python module it runs.
        arguments: What that is told.
        log: Where what it says goes.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    log: Path


class Children:
    """Processes that are stopped when the ``with`` block ends, however it ends.

    If this process is killed, Linux tells each child to stop (see ``learnae.demo.leash``); elsewhere children end by themselves
    when the time is over that their configuration gives them.
    """

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, Path] = {}

    def start(self, commands: Sequence[Command]) -> None:
        """Start processes.

        Raises:
            StateError: A process cannot be started.
        """
        environment = peer_environment(os.environ)
        for command in commands:
            try:
                with command.log.open("ab") as log:
                    self._running[command.name] = subprocess.Popen(
                        [*_leash(), sys.executable, "-m", command.module, *command.arguments],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=environment,
                        # Ctrl-C reaches the demo alone, which then stops everybody in an orderly way.
                        process_group=0,
                    )
            except OSError as exc:
                raise StateError(f"{command.name} cannot be started: {exc}") from exc
            self._logs[command.name] = command.log

    def running(self) -> int:
        """Count the processes that have not ended; those that ended did so in good order.

        Raises:
            PeerFailedError: One ended in any other way; the message holds the end of its log.
        """
        codes = {name: process.poll() for name, process in self._running.items()}
        for name, code in codes.items():
            if code not in {None, 0}:
                raise self.failure(name)
        return sum(code is None for code in codes.values())

    def failure(self, name: str) -> PeerFailedError:
        """Say how a process ended, with the end of its log."""
        code = self._running[name].returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit status {code}"
        return PeerFailedError(f"{name} {how}; its log {self._logs[name]} ends:\n{_end_of(self._logs[name])}")

    def stop(self) -> None:
        """Stop everybody: in an orderly way, then by force; idempotent."""
        for process in self._running.values():
            _signal(process, signal.SIGINT)
        deadline_s = time.monotonic() + STOP_TIMEOUT_S
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.stop()
        except BaseException:
            # A second Ctrl-C means that orderly takes too long.
            for process in self._running.values():
                _signal(process, signal.SIGKILL)
            for process in self._running.values():
                process.wait()
            raise


def _leash() -> list[str]:
    """Return what comes before a command to tie its process to this one, where the system can do that."""
    if sys.platform != "linux":
        return []
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("leash.py")), str(os.getpid())]


def peer_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a peer: its settings come from its file alone, and several peers share this machine."""
    kept = {key: value for key, value in environment.items() if not key.startswith("LEARNAE_")}
    # By default the first process with JAX takes three quarters of an accelerator's memory.
    shared = {**dict.fromkeys(_ONE_THREAD, "1"), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return {**shared, **kept, "PYTHONUNBUFFERED": "1"}


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_BYTES))
            text = file.read(_LOG_BYTES).decode("utf-8", "replace")
    except OSError as exc:
        return f"(it cannot be read: {exc.strerror or exc})"
    return "\n".join(text.splitlines()[-_LOG_LINES:]) or "(it is empty)"
