"""Runs a program for a short errand, in bounded time and memory; nothing that it started stays."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from learnae.errors import UnavailableError

MAX_OUTPUT_BYTES = 65_536
"""Of what a program says, so many bytes are kept: the last ones."""

_LOOK_S, _END_S = 0.05, 2.0


@dataclass(frozen=True, slots=True)
class Done:
    """How an errand ended.

    Attributes:
        status: 0 if it went well, as the program says.
        output: The last of what it said.
    """

    status: int
    output: bytes


def run_errand(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    patience_s: float,
    is_closing: Callable[[], bool],
    folder: Path | None = None,
    complaints: bool = False,
) -> Done:
    """Run a program to its end, with files that only their owner may read.

    It has a session of its own, all of whose processes are ended by force when this returns, for whatever reason.

    Args:
        command: Program and arguments.
        environment: All of its environment.
        patience_s: How long it may take.
        is_closing: Says whether nobody waits for it any more; asked in this thread, several times a second.
        folder: Its working directory; ``None`` for that of this process.
        complaints: Whether its standard error counts as output; else that is dropped.

    Raises:
        TimeoutError: It takes longer.
        OSError: It cannot be started.
        UnavailableError: Nobody waits for it any more.
    """
    process = subprocess.Popen(
        list(command),
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if complaints else subprocess.DEVNULL,
        start_new_session=True,
        umask=0o077,
    )
    try:
        output = _listen(process, time.monotonic() + patience_s, is_closing)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
        if process.stdout is not None:
            process.stdout.close()
    return Done(process.returncode, output)


def _listen(process: subprocess.Popen[bytes], deadline: float, is_closing: Callable[[], bool]) -> bytes:
    """Return the last of what a program says until it ends; what its own children say later does not count."""
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        if process.stdout is not None:
            selector.register(process.stdout, selectors.EVENT_READ)

        def read(patience_s: float) -> None:
            for key, _ in selector.select(patience_s):
                piece = os.read(key.fd, MAX_OUTPUT_BYTES)
                output.extend(piece)
                del output[:-MAX_OUTPUT_BYTES]
                if not piece:
                    selector.unregister(key.fileobj)

        while process.poll() is None:
            if is_closing():
                raise UnavailableError("the peer is ending")
            if time.monotonic() >= deadline:
                raise TimeoutError
            if selector.get_map():
                read(_LOOK_S)
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_S)
        if selector.get_map():
            read(0)  # a pipe holds no more than one reading takes
    return bytes(output)
