"""Sessions over IPFS for the benchmarks: each peer a process with a private Kubo daemon, all in one private swarm on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from hosts import Host
from sessions import RunningSession

from learnae.codec.seal import write_secret
from learnae.demo.children import peer_environment
from learnae.report.reading import read_journal
from learnae.values.journal import AnyFact
from learnae.values.manifest import Manifest


def find_program() -> Path:
    """Return the Kubo program: ``KUBO_BINARY``, or ``ipfs`` on the path; without one there is no benchmark."""
    found = os.environ.get("KUBO_BINARY") or shutil.which("ipfs")
    if found is None or not Path(found).exists():
        sys.exit("no Kubo: set KUBO_BINARY to the program ipfs")
    return Path(found).absolute()


class SwarmSession(RunningSession):
    """Peers over IPFS; the first one to be introduced is everybody's bootstrap."""

    def __init__(self, folder: Path, manifest: Manifest, secret: bytes | None, *, slow_interval_s: float = 2.0) -> None:
        super().__init__(folder, manifest)
        self.program = find_program()
        self.slow_interval_s = slow_interval_s
        self.bootstrap: list[str] = []
        self.extra: dict[str, dict[str, object]] = {}
        """Further settings of single peers, by name."""
        self.hosts: dict[str, Host] = {}
        """On which host a peer runs, by its name; this one, on loopback, if it is not named."""
        self.secret_file = None
        if secret is not None:
            self.secret_file = folder / "secret"
            write_secret(self.secret_file, secret)

    def network(self, name: str, ledger: str) -> dict[str, object]:
        """Return the settings by which a peer finds the others; peers on other ledgers than ``ledger`` get no bootstrap."""
        found: dict[str, object] = {
            "network.transport": "ipfs",
            "plugins.ipfs.program": self.program,
            "plugins.ipfs.listen": "0.0.0.0" if name in self.hosts else "127.0.0.1",  # noqa: S104 - a host of our own making
            "plugins.ipfs.local_network": False,
            "plugins.ipfs.slow_interval_s": self.slow_interval_s,
        }
        if self.secret_file is not None:
            found["peer.secret_file"] = self.secret_file
        if self.bootstrap and ledger == "ledger":
            found["plugins.ipfs.bootstrap"] = ",".join(self.bootstrap)
        return found | self.extra.get(name, {})

    def command(self, name: str, config: Path) -> list[str]:
        """Return the command that is this peer, on its host; where cores are few, its training waits for the rest."""
        return self._there(name, ["nice", "-n", "10", *super().command(name, config)])

    def _there(self, name: str, command: list[str]) -> list[str]:
        return self.hosts[name].command(command) if name in self.hosts else command

    def addresses(self, name: str) -> list[str]:
        """Return the addresses of a peer's daemon that a friend would get, as ``learnae ipfs address`` prints them.

        The peer must have been started before.
        """
        config = self.folder / f"{name}.toml"
        command = [sys.executable, "-m", "learnae", "ipfs", "address", "--config", str(config), "--json"]
        done = subprocess.run(
            self._there(name, command), capture_output=True, text=True, timeout=120, check=False, env=peer_environment(os.environ)
        )
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
        return [str(each["address"]) for each in json.loads(done.stdout)["addresses"]]

    def address(self, name: str) -> str:
        """Return the first of them."""
        return self.addresses(name)[0]

    def board(self, name: str) -> dict[str, int]:
        """Return the sequence numbers on a peer's board, also while it runs: by place, such as ``AUTHOR/model``."""
        path = self.folder / name / "peer.sqlite"
        if not path.exists():
            return {}
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            if connection.execute("PRAGMA user_version").fetchone() == (0,):
                return {}  # it was just made
            found = connection.execute("SELECT key, value FROM record WHERE tab = 'board'").fetchall()
        return {key: json.loads(value)["announcement"]["sequence"] for key, value in found}

    def peer_id(self, name: str) -> str:
        """Return a peer's id, as its journal tells it; empty before it has one."""
        path = self.folder / name / "events.jsonl"
        lines = read_journal(path).lines if path.exists() else ()
        return str(lines[0].peer) if lines else ""

    def facts(self, name: str) -> list[AnyFact]:
        """Return what a peer's journal says."""
        path = self.folder / name / "events.jsonl"
        return [line.fact for line in read_journal(path).lines] if path.exists() else []

    def daemon(self, name: str) -> psutil.Process | None:
        """Return the process of a peer's private daemon, if it runs."""
        return next(self._daemons(self.folder / name), None)

    def stop(self) -> None:
        """Stop every peer, and whatever daemon one left behind, also of those that were killed on the way."""
        super().stop()
        for left in self._daemons(self.folder):
            left.send_signal(signal.SIGKILL)

    @staticmethod
    def _daemons(folder: Path) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                if process.name().startswith("ipfs") and folder in Path(process.environ().get("IPFS_PATH", "/")).parents:
                    yield process
            except psutil.Error:
                continue

    def wait_for(self, condition: Any, what: str, deadline_s: float = 120.0) -> float:
        """Wait until a condition holds, and return the seconds that took.

        Raises:
            RuntimeError: It takes too long, or a peer failed meanwhile.
        """
        began_s = time.monotonic()
        while not condition():
            for name, process in self.processes.items():
                if process.poll() not in (None, 0, -signal.SIGKILL):
                    raise RuntimeError(f"{name}: {(self.folder / f'{name}.log').read_text()[-2000:]}")
            if time.monotonic() - began_s > deadline_s:
                raise RuntimeError(f"not within {deadline_s:g} s: {what}")
            time.sleep(0.1)
        return time.monotonic() - began_s


def each_fact(session: SwarmSession, name: str, kind: type[Any]) -> Iterator[Any]:
    """Return the facts of one kind in a peer's journal."""
    return (fact for fact in session.facts(name) if isinstance(fact, kind))
