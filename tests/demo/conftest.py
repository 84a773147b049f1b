"""The demo as a person starts it, made small."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SMALL = ("--framework", "numpy", "--rows-per-peer", "100", "--hidden", "8", "--epochs", "1", "--passes", "1", "--plain")
FAST = ("--set", "plugins.localfs.fsync=false", "--set", "network.quiet_period_s=0.4")

Start = Callable[..., "subprocess.Popen[str]"]
Learnae = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def small() -> tuple[str, ...]:
    """Options that make a demo quick."""
    return (*SMALL, *FAST)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts the program in a new folder; what still runs in the end is killed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LEARNAE_")}
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str | Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "learnae", *map(str, arguments)],
            cwd=tmp_path,
            env={**environment, "COLUMNS": "120"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def learnae(start: Start) -> Learnae:
    """Return a function that runs the program to its end."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        process = start(*arguments)
        stdout, stderr = process.communicate(timeout=180)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run
