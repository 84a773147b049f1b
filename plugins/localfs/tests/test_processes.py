"""Many processes share one folder, and some of them are killed."""

import asyncio
import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

from learnae_localfs.frames import read_frame
from learnae_localfs.layout import HEX64, Place
from learnae_localfs.storage import FolderStorage
from learnae_localfs.transport import FolderTransport

from learnae.values.ids import Locator

RENDEZVOUS = "7" * 64
READER = "b2" * 32

WRITER = """
import asyncio, json, sys, time
from pathlib import Path
from learnae_localfs.layout import Place
from learnae_localfs.storage import FolderStorage
from learnae_localfs.transport import FolderTransport

folder, owner, task = sys.argv[1:]
place = Place(Path(folder), "7" * 64)
transport, storage = FolderTransport(place, owner, watch=False), FolderStorage(place, owner)


def say(value):
    print(json.dumps(value), flush=True)


async def write_much():
    for number in range(50):
        message = f"{owner} {number}".encode()
        await transport.publish(f"{number % 10:064x}", message)
        say(await storage.put(message * 100))
    await transport.aclose()
    await storage.aclose()


async def write_for_ever():
    number = 0
    while True:
        number += 1
        data = (b"%09d" % number) * 30_000
        await asyncio.gather(transport.publish("0" * 64, data), storage.put(data))
        say(number)


async def write_the_time():
    sys.stdin.readline()
    for number in range(10):
        await transport.publish(f"{number:064x}", str(time.time_ns()).encode())
        await asyncio.sleep(0.05)
    await transport.aclose()


asyncio.run({"much": write_much, "for-ever": write_for_ever, "time": write_the_time}[task]())
"""


def start(folder: Path, owner: str, task: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), owner, task]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_four_writers_and_a_reader(tmp_path: Path) -> None:
    owners = [character * 64 for character in "1234"]
    latest = {f"{owner} {number}".encode() for owner in owners for number in range(40, 50)}
    possible = {f"{owner} {number}".encode() for owner in owners for number in range(50)}

    async def receive_latest() -> set[bytes]:
        reader = FolderTransport(Place(tmp_path, RENDEZVOUS), READER, watch=False)
        seen: set[bytes] = set()
        async with asyncio.timeout(60):
            while not seen >= latest:
                seen.add(await reader.receive())
        await reader.aclose()
        return seen

    async def fetch(locators: list[Locator]) -> list[bytes]:
        storage = FolderStorage(Place(tmp_path, RENDEZVOUS), READER)
        files = [await storage.get(locator, max_bytes=10_000) for locator in locators]
        await storage.aclose()
        return files

    writers = [start(tmp_path, owner, "much") for owner in owners]
    assert asyncio.run(receive_latest()) <= possible
    for owner, writer in zip(owners, writers, strict=True):
        output, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        locators = [Locator(json.loads(line)) for line in output.splitlines()]
        assert asyncio.run(fetch(locators)) == [f"{owner} {number}".encode() * 100 for number in range(50)]


def test_a_killed_writer_leaves_nothing_half(tmp_path: Path) -> None:
    owner = "1" * 64
    draw = random.Random(5)
    base = tmp_path / "learnae" / "v1" / RENDEZVOUS
    for _ in range(6):
        writer = start(tmp_path, owner, "for-ever")
        assert writer.stdout is not None
        for _ in range(draw.randint(1, 8)):
            said = int(writer.stdout.readline())
        writer.kill()
        writer.communicate()
        message = read_frame((base / "messages" / owner / ("0" * 64)).read_bytes())
        assert message is not None
        assert int(message[:9]) >= said, "what publish had returned from was lost"
        for path in (base / "files" / owner).iterdir():
            if not path.name.startswith("."):
                assert HEX64.match(path.name)
                assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    writer = start(tmp_path, owner, "much")
    writer.communicate(timeout=60)
    assert not [path for kind in ("messages", "files") for path in (base / kind / owner).iterdir() if path.name.startswith(".")]


def test_messages_are_seen_by_another_process_without_notifications(tmp_path: Path) -> None:
    async def receive() -> list[int]:
        writer = start(tmp_path, "1" * 64, "time")
        reader = FolderTransport(Place(tmp_path, RENDEZVOUS), READER, watch=False)
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
        async with asyncio.timeout(60):
            published = [int(await reader.receive()) for _ in range(10)]
        await reader.aclose()
        await asyncio.to_thread(writer.communicate)
        return published

    published = asyncio.run(receive())
    assert len(published) == 10
    assert all(moment > 0 for moment in published)
