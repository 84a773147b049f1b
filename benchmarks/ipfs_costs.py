"""What IPFS costs: our storage beside the same RPC calls by a bare HTTP client, memory, and the time from announce to adopted.

    KUBO_BINARY=ipfs python benchmarks/ipfs_costs.py

Two private daemons on loopback. Both sides publish on one and fetch on the other; they take turns, each time with new bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from ipfs_faults import TRAINING, Scene
from swarms import find_program

from learnae import Context, PeerId, Plugins, SessionId
from learnae.interfaces.provider import Capability
from learnae.interfaces.storage import Storage
from learnae.report.reading import read_journal
from learnae.testing.rows import toy_manifest
from learnae.values.choices import Judge
from learnae.values.journal import CycleEnded, FileFetched, ModelPublished

SIZES = {"16 KB": 16_000, "1 MB": 1_000_000, "50 MB": 50_000_000}
SESSION = SessionId("5" * 64)


def context(folder: Path, owner: str, options: dict[str, str | int | float | bool | None], plugins: Plugins) -> Context:
    """Return what one side is opened with."""
    state = folder / owner[:4]
    state.mkdir(exist_ok=True)
    filled = {option.name: option.default for key, option in plugins.options().items() if key.startswith("plugins.ipfs.")}
    return Context(toy_manifest(), SESSION, "7" * 64, PeerId(owner), owner, state, {**filled, **options}, network_key="9" * 64)


class Bare:
    """The same calls without our code: ``http.client``, one connection."""

    def __init__(self, state: Path) -> None:
        self._token = (state / "token").read_text().strip()
        port = int((state / "repo" / "api").read_text().rsplit("/", 1)[-1])
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(self, path: str, data: bytes | None = None) -> bytes:
        """Make one call."""
        headers = {"Authorization": f"Bearer {self._token}"}
        body: bytes | None = None
        if data is not None:
            edge = uuid.uuid4().hex
            headers["Content-Type"] = f"multipart/form-data; boundary={edge}"
            head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
            body = b"".join(
                (head.encode(), b"Content-Type: application/octet-stream\r\n\r\n", data, f"\r\n--{edge}--\r\n".encode())
            )
        self._connection.request("POST", f"/api/v0/{path}", body, headers)
        answer = self._connection.getresponse()
        found = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path}: {answer.status} {found[:200]!r}")
        return found

    def put(self, data: bytes) -> str:
        """Add, pin, and refer to a file, as our storage does."""
        cid = str(json.loads(self.call("add?cid-version=1&raw-leaves=true&pin=true&quieter=true", data))["Hash"])
        self.call(f"files/cp?arg=/ipfs/{cid}&arg=/bare/{cid}&parents=true")
        return cid

    def get(self, cid: str) -> bytes:
        """Fetch a file."""
        return self.call(f"cat?arg={cid}")


def peak_mb() -> float:
    """Return the peak memory of this process in MB; ``ru_maxrss`` would count what the process that started it needed."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1.024 / 1e3


async def compare(folder: Path, repeats: dict[str, int]) -> None:
    """Time both sides."""
    plugins = Plugins.discover()
    options: dict[str, str | int | float | bool | None] = {
        "program": str(find_program()), "listen": "127.0.0.1", "local_network": False,
    }  # fmt: skip
    opened: list[Storage] = []
    try:
        for owner in ("a1" * 32, "b2" * 32):
            opened.append(plugins.open(Capability.STORAGE, "ipfs", context(folder, owner, options, plugins)))
            await opened[-1].put(b"here")
        giver, taker = opened
        bare_giver, bare_taker = Bare(folder / "a1a1"), Bare(folder / "b2b2")
        bare_giver.call("files/mkdir?arg=/bare&parents=true")
        addresses = json.loads(bare_giver.call("id"))["Addresses"]
        bare_taker.call(f"swarm/connect?arg={addresses[0]}")
        print(f"{'':8}{'ours: put':>12}{'get':>9}{'bare: put':>12}{'get':>9}{'ratio of put + get':>22}")
        for name, size in SIZES.items():
            ours: list[tuple[float, float]] = []
            bare: list[tuple[float, float]] = []
            for _ in range(repeats[name]):
                data = os.urandom(size)
                moments = [time.perf_counter()]
                locator = await giver.put(data)
                moments.append(time.perf_counter())
                assert await taker.get(locator, max_bytes=size) == data
                moments.append(time.perf_counter())
                ours.append((moments[1] - moments[0], moments[2] - moments[1]))
                data = os.urandom(size)
                moments = [time.perf_counter()]
                cid = await asyncio.to_thread(bare_giver.put, data)
                moments.append(time.perf_counter())
                assert await asyncio.to_thread(bare_taker.get, cid) == data
                moments.append(time.perf_counter())
                bare.append((moments[1] - moments[0], moments[2] - moments[1]))
            row = [1e3 * statistics.median(each) for side in (ours, bare) for each in zip(*side, strict=True)]
            ratio = statistics.median(sum(one) / sum(other) for one, other in zip(ours, bare, strict=True))
            print(
                f"{name:8}{row[0]:9.1f} ms{row[1]:6.0f} ms{row[2]:9.1f} ms{row[3]:6.0f} ms{ratio:22.2f}   median of {len(ours)}",
                flush=True,
            )
    finally:
        for each in opened:
            await each.aclose()


async def fetch_once(folder: Path, size: int) -> None:
    """Publish and fetch once in this process, and print by how much that raised its peak memory, for the parent to read."""
    plugins = Plugins.discover()
    options: dict[str, str | int | float | bool | None] = {
        "program": str(find_program()), "listen": "127.0.0.1", "local_network": False,
    }  # fmt: skip
    storage = plugins.open(Capability.STORAGE, "ipfs", context(folder, "c3" * 32, options, plugins))
    try:
        await storage.get(await storage.put(b"warm"), max_bytes=10)
        before = peak_mb()
        data = os.urandom(size)
        locator = await storage.put(data)
        put = peak_mb()
        del data
        assert len(await storage.get(locator, max_bytes=size)) == size
        print(json.dumps({"put": put - before, "get": peak_mb() - before}))
    finally:
        await storage.aclose()


def from_announced_to_adopted(options: argparse.Namespace) -> None:
    """Let ann train and bob average; time from ann's journal to bob's: published, fetched, judged, and perhaps adopted."""
    options.data = None
    slowly = {**TRAINING, "learning_rate": 1e-5}  # so that every model of ann's is better than the one before
    with Scene(["ann", "bob"], options, judge=Judge.LOSS, training=slowly) as scene:
        scene.session.extra["bob"] = {"averaging.train_probability": 0.0}
        scene.start_all()
        scene.wait(lambda: len(_travels(scene)) >= options.models, f"{options.models} models travelled", 300.0)
        travels = _travels(scene)
    fetched, judged = ([1e3 * each[index] for each in travels] for index in (0, 1))
    print(
        f"{len(travels)} models: published -> fetched by another {statistics.median(fetched):.0f} ms, -> adopted "
        f"{statistics.median(judged):.0f} ms (medians; the slowest {max(judged):.0f} ms)"
    )


def _travels(scene: Scene) -> list[tuple[float, float]]:
    """Return, for each of ann's models that bob adopted, the seconds until it had it and until the cycle with it ended."""
    published: dict[str, float] = {}
    for line in read_journal(scene.session.folder / "ann" / "events.jsonl").lines:
        if isinstance(line.fact, ModelPublished):
            published.setdefault(line.fact.model, line.time)
    travels: list[tuple[float, float]] = []
    fetched: tuple[str, float] | None = None
    journal = scene.session.folder / "bob" / "events.jsonl"
    for line in read_journal(journal).lines if journal.exists() else ():
        match line.fact:
            case FileFetched(kind="model", digest=digest) if digest in published:
                fetched = digest, line.time
            case CycleEnded(partners=partners, kept=kept) if partners and fetched is not None:
                since_s = published[fetched[0]]
                if kept:
                    travels.append((fetched[1] - since_s, line.time - since_s))
                fetched = None
            case _:
                pass
    return travels


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--models", type=int, default=30, help="how many models are followed from peer to peer")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--framework", default="numpy")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="learnae-benchmark-") as name:
        if options.memory_of:
            asyncio.run(fetch_once(Path(name), options.memory_of))
            return
        asyncio.run(
            compare(Path(name), {"16 KB": options.repeats, "1 MB": options.repeats, "50 MB": max(3, options.repeats // 3)})
        )
    for size_name, size in SIZES.items():
        command = [sys.executable, __file__, "--memory-of", str(size)]
        grown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout)
        print(
            f"{size_name:8} peak memory of the process grows by {grown['put']:.0f} MB to publish it, {grown['get']:.0f} MB in all"
        )
    from_announced_to_adopted(options)


if __name__ == "__main__":
    main()
