"""The configuration that docs/tangle.md gives: a coordinator and an API node apart from it, stopped and started again."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from learnae_iota.bundles.bundles import Posting
from learnae_iota.nodes.client import PlainClient
from learnae_iota.nodes.node import Node
from learnae_iota.tangle.tangle import open_tangle
from serving_rig import until
from tangle_rig import SNAPSHOT, free_ports

from learnae.errors import LearnaeError

MANUAL = Path(__file__).parents[3] / "docs" / "tangle.md"
BLOCK = re.compile(r"`(coordinator|node)/(config|peering)\.json`[^`]*```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
WEIGHT = 9
DEPTH = 8
PATIENCE_S = 120.0


def written() -> dict[str, dict[str, Any]]:
    """Return the files of the manual."""
    return {f"{folder}/{name}.json": json.loads(text) for folder, name, text in BLOCK.findall(MANUAL.read_text(encoding="utf-8"))}


@contextmanager
def running(
    program: Path, folder: Path, *options: str, environment: Mapping[str, str] | None = None, end: signal.Signals = signal.SIGTERM
) -> Iterator[None]:
    """Run a node, end it with a signal, and insist that it lived until then and ends."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [program, "-c", "config", *options],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
            assert process.poll() is None, (folder / "log").read_text(errors="replace")[-3000:]
            process.send_signal(end)
            process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()


def milestone(url: str) -> int:
    """Return the latest milestone of a node that is synchronised; -1 of one that is not, or does not answer."""
    node = Node(PlainClient(url, timeout_s=5))
    try:
        info = node.info()
        return info.milestone if info.synced else -1
    except LearnaeError:
        return -1
    finally:
        node.close()


def send_and_see_it_confirmed(url: str) -> None:
    tangle = open_tangle([url], weight=WEIGHT)
    sent = tangle.send([Posting("A" * 81, "HELLO")])
    until(lambda: tangle.is_confirmed([sent.tail]), PATIENCE_S)
    tangle.close()


@pytest.mark.slow
def test_the_manual_s_coordinator_and_node(hornet_program: Path, tmp_path: Path) -> None:
    files = written()
    assert sorted(files) == ["coordinator/config.json", "coordinator/peering.json", "node/config.json", "node/peering.json"]
    ports = dict(zip(["coordinator", "node", "coordinator gossip", "node gossip"], free_ports(4), strict=True))
    drawing = re.search(r"`(echo \"[^`]*)`", MANUAL.read_text(encoding="utf-8"))
    assert drawing
    drawn = subprocess.run(["bash", "-c", drawing[1]], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    assert re.fullmatch("[A-Z9]{80}9", drawn)
    seed = {"COO_SEED": drawn}
    for name, other in (("coordinator", "node"), ("node", "coordinator")):
        config = files[f"{name}/config.json"]
        config["httpAPI"]["bindAddress"] = f"127.0.0.1:{ports[name]}"
        config["network"]["gossip"]["bindAddress"] = f"127.0.0.1:{ports[f'{name} gossip']}"
        config["network"]["gossip"]["reconnectAttemptIntervalSeconds"] = 1
        config["coordinator"]["merkleTreeDepth"] = DEPTH
        files[f"{name}/peering.json"]["peers"][0]["identity"] = f"127.0.0.1:{ports[f'{other} gossip']}"
    files["coordinator/config.json"]["coordinator"]["intervalSeconds"] = 1
    folders = {name: tmp_path / name for name in ("coordinator", "node")}

    def write() -> None:
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(json.dumps(content))
            (tmp_path / path).with_name("snapshot.csv").write_text(SNAPSHOT)

    write()
    merkle = [hornet_program, "-c", "config", "tool", "merkle"]
    told = subprocess.run(
        merkle, cwd=folders["coordinator"], env={**os.environ, **seed}, capture_output=True, text=True, check=True, timeout=300
    )
    root = re.search(r"Merkle tree root: ([9A-Z]{81})", told.stdout + told.stderr)
    assert root
    for name in folders:
        files[f"{name}/config.json"]["coordinator"]["address"] = root[1]
    write()
    url = f"http://127.0.0.1:{ports['node']}"
    before = -1
    for first in (["--cooBootstrap", "--cooStartIndex", "0"], []):
        with running(hornet_program, folders["coordinator"], *first, environment=seed), running(hornet_program, folders["node"]):
            until(lambda before=before: milestone(url) > before + 1, PATIENCE_S)  # type: ignore[misc]
            send_and_see_it_confirmed(url)
            before = milestone(url)

    # "After the coordinator was killed"
    coordinator, url_of_it = folders["coordinator"], f"http://127.0.0.1:{ports['coordinator']}"
    with running(hornet_program, folders["node"]):
        with running(hornet_program, coordinator, environment=seed, end=signal.SIGKILL):
            until(lambda: milestone(url) > before + 1, PATIENCE_S)
        shutil.rmtree(coordinator / "db")
        (coordinator / "coordinator.state").rename(coordinator / "coordinator.state.old")
        files["coordinator/config.json"]["node"]["enablePlugins"] = []
        write()
        with running(hornet_program, coordinator):
            until(lambda: milestone(url_of_it) == milestone(url) > before, PATIENCE_S)
            before = milestone(url)
        files["coordinator/config.json"]["node"]["enablePlugins"] = ["Coordinator"]
        write()
        with running(hornet_program, coordinator, "--cooBootstrap", "--cooStartIndex", str(before + 1), environment=seed):
            until(lambda: milestone(url) > before + 1, PATIENCE_S)
            send_and_see_it_confirmed(url)
