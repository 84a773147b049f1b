"""The program as a person starts it: a process of its own, in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from learnae.cli.program import make_app
from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.founding import found_session, write_folder
from learnae.plugins.facade import Plugins
from learnae.values.manifest import Manifest

QUICK = (
    *("--folder", "shared", "--set", "plugins.localfs.fsync=false", "--set", "plugins.localfs.poll_interval_s=0.02"),
    *("--quiet-period", "0.4", "--presence-interval", "0.1", "--retry", "0.1", "--epochs", "1"),
)
"""Options that make a peer quick, and meet others in the folder ``shared``."""

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., "subprocess.Popen[str]"]


def environment(**more: str) -> dict[str, str]:
    """Make the environment of a process: nothing of the developer's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LEARNAE_", "_LEARNAE"))}
    return {**kept, "COLUMNS": "200", "PYTHONUNBUFFERED": "1", **more}


@pytest.fixture
def quick() -> tuple[str, ...]:
    return QUICK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with rows of two peers; processes start in it."""
    for peer, rows in (("mine", 120), ("theirs", 160)):
        write_csv(tmp_path / f"{peer}.csv", *synthetic_rows(rows, len(peer)))
    return tmp_path


@pytest.fixture
def session(folder: Path) -> Manifest:
    """A session that was founded in the folder, for the framework numpy."""
    manifest = found_session(folder / "mine.csv", label="label", name="hepmass", hidden=(8,), slice_size=40, passes=2)
    write_folder(folder, manifest, data=folder / "mine.csv", framework="numpy")
    return manifest


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start the program and go on: ``start("run", "--quiet", env={})``; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str | Path, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "learnae.cli", *map(str, arguments)],
            cwd=folder,
            env=environment(**(env or {})),
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
def learnae(start: Start) -> Run:
    """Run the program to its end: ``learnae("run", "--quiet")``."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, env=env)
        stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run


@pytest.fixture
def inside(folder: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program within this process: ``inside("plugins", "--json")``."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        command = [str(each) for each in arguments]
        monkeypatch.setattr(sys, "argv", ["learnae", *command])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            make_app(plugins)(command, prog_name="learnae", obj=plugins)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(command, int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return Plugins.discover()
