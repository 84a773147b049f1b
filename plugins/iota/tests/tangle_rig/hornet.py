"""Starts HORNET 0.5.6 as a private tangle on loopback: one node, which is its own coordinator."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from learnae_iota.nodes.client import PlainClient
from learnae_iota.nodes.node import Node

from learnae.errors import LearnaeError

SEED = "PRIVATETANGLE".ljust(81, "9")
DEPTH = 10
INTERVAL_S = 1
"""A milestone a second: 2 ** 10 of them last 17 minutes."""

_COMMANDS = ["attachToTangle"]  # all others answer on loopback anyway; this one tells clients that the node works for them
SNAPSHOT = "A" * 81 + ";2779530283277761\n"


class Hornet:
    """A private tangle of one node. ``close`` ends it: with SIGTERM, because after a kill its coordinator refuses its database.

    Args:
        program: HORNET 0.5.6.
        folder: Its own.
        weight: The weight magnitude that it demands.
    """

    def __init__(self, program: Path, folder: Path, *, weight: int = 3) -> None:
        self.folder, self.weight = folder, weight
        self._environment = {**os.environ, "COO_SEED": SEED}
        api, gossip = free_ports(2)
        self.url = f"http://127.0.0.1:{api}"
        folder.mkdir(parents=True, exist_ok=True)
        config = _config(api, gossip, weight)
        (folder / "peering.json").write_text(json.dumps({"peers": [], "acceptAnyConnection": False, "maxPeers": 5}))
        (folder / "snapshot.csv").write_text(SNAPSHOT)
        (folder / "config.json").write_text(json.dumps(config))
        config["coordinator"]["address"] = self._merkle_root(program)
        (folder / "config.json").write_text(json.dumps(config))
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-c", "config", "--cooBootstrap", "--cooStartIndex", "0"],
                cwd=folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._await()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it; idempotent."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _merkle_root(self, program: Path) -> str:
        done = subprocess.run(
            [program, "-c", "config", "tool", "merkle"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        root = re.search(r"Merkle tree root: ([9A-Z]{81})", done.stdout + done.stderr)
        assert root, done.stdout + done.stderr
        return root[1]

    def _await(self) -> None:
        node = Node(PlainClient(self.url, timeout_s=5))
        deadline = time.monotonic() + 60
        try:
            while True:
                try:
                    if node.info().synced:
                        node.tips()
                        return
                except LearnaeError:
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        log = (self.folder / "log").read_text(errors="replace")
                        raise AssertionError(f"HORNET does not start:\n{log[-3000:]}") from None
                time.sleep(0.05)
        finally:
            node.close()


def free_ports(count: int) -> list[int]:
    """Return ports on loopback that nobody listens on."""
    lines = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [line.getsockname()[1] for line in lines]
    for line in lines:
        line.close()
    return ports


def _config(api: int, gossip: int, weight: int) -> dict[str, dict[str, object]]:
    return {
        "db": {"path": "db"},
        "httpAPI": {
            "bindAddress": f"127.0.0.1:{api}",
            "permitRemoteAccess": _COMMANDS,
            "permittedRoutes": ["healthz"],
            "limits": {"bodyLengthBytes": 1_000_000, "findTransactions": 1000, "getTrytes": 1000, "requestsList": 1000},
        },
        "snapshots": {
            "loadType": "global",
            "global": {"path": "snapshot.csv", "spentAddressesPaths": [], "index": 0},
            "local": {"intervalSynced": 50, "intervalUnsynced": 1000, "path": "snapshots/export.bin", "downloadURLs": []},
            "pruning": {"enabled": False, "delay": 60480},
        },
        "network": {"gossip": {"bindAddress": f"127.0.0.1:{gossip}", "reconnectAttemptIntervalSeconds": 60}},
        "coordinator": {
            "address": "",
            "securityLevel": 2,
            "merkleTreeDepth": DEPTH,
            "mwm": weight,
            "intervalSeconds": INTERVAL_S,
            "stateFilePath": "coordinator.state",
            "merkleTreeFilePath": "coordinator.tree",
            "checkpoints": {"maxTrackedTransactions": 10000},
        },
        "node": {
            "disablePlugins": ["Autopeering", "Dashboard", "Spammer", "ZMQ", "MQTT", "Prometheus", "Profiling"],
            "enablePlugins": ["Coordinator"],
        },
        "logger": {"level": "info", "disableCaller": True, "encoding": "console", "outputPaths": ["stdout"]},
    }
