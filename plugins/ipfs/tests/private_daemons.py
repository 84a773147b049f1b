"""Private daemons for tests: opened as the plugin opens them, on loopback, and surely ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
from learnae_ipfs.daemon.private import PrivateDaemon
from learnae_ipfs.daemon.process import Record, is_alive, read_record
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.settings import IpfsSettings

T = TypeVar("T")
KEY = "5a" * 32


@dataclass
class Clock:
    """Monotonic seconds that pass when the test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Home:
    """A plugin's folder, and those who use its daemon.

    Attributes:
        program: The program to run.
        folder: The plugin's folder.
        key: The swarm key's material.
        settings: Those that differ from how daemons live on loopback.
        told: What the operator was told.
    """

    program: Path
    folder: Path
    key: str | None = KEY
    settings: dict[str, Any] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def access(self, **settings: Any) -> PrivateDaemon:
        """Open access; whoever does, closes it."""
        usual = {"program": str(self.program), "listen": "127.0.0.1", "local_network": False}
        chosen = IpfsSettings(**{**usual, **self.settings, **settings})
        return PrivateDaemon(chosen, self.folder, self.key, self.told.append, clock=self.clock)

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    @property
    def record(self) -> Record:
        """What is written down of the daemon."""
        record = read_record(self.folder / "daemon.json")
        assert record is not None
        return record

    @property
    def process(self) -> psutil.Process:
        """The daemon's process."""
        return psutil.Process(self.record.pid)

    def runs(self) -> bool:
        """Say whether the daemon runs."""
        return is_alive(self.record, self.repo)

    def use(self, work: Callable[[Kubo], Awaitable[T]], **settings: Any) -> T:
        """Do something with the daemon, and let it go."""

        async def run() -> T:
            access = self.access(**settings)
            try:
                return await work(await access.kubo())
            finally:
                await access.aclose()

        return asyncio.run(run())


def processes_of(folder: Path) -> list[psutil.Process]:
    """Find all daemons whose repository is somewhere in a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            repository = process.environ().get("IPFS_PATH", "")
            if repository.startswith(str(folder) + os.sep) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_all(folder: Path) -> None:
    """End all daemons whose repository is somewhere in a folder."""
    for process in processes_of(folder):
        with contextlib.suppress(psutil.Error):
            process.kill()
            process.wait(10)
