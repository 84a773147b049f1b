"""Record what the client sends to real daemons, and what they answer.

Run it with ``uv run python plugins/ipfs/tests/exchanges/record.py``; ``KUBO_BINARY`` and ``KUBO_OLDEST_BINARY`` name the
programs. It writes ``newest.json`` and ``oldest.json`` beside this file; look at what changed before you commit it, because that
is what Kubo or we changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from kubo_rig import Daemon, Daemons
from learnae_ipfs.kubo import Endpoint, Kubo, wire

from exchanges.cases import CASES, FILE, TEXT, TOPIC, WANTED, outcome
from exchanges.messages import read_message
from exchanges.replaying import FOLDER
from learnae.errors import NotFoundError

TOKEN = "recorded"
MOMENT_S = 0.3
"""What others do takes so long to be seen; see what is written to stderr."""

THEIRS = b"what the other daemon has"
EMPTY_FOLDER_NODE = b"\x0a\x02\x08\x01"


class Recorder:
    """A proxy before a daemon that keeps what passes.

    Attributes:
        exchanges: What passed since it was emptied.
    """

    def __init__(self, daemon: Daemon) -> None:
        _, _, host, _, port = daemon.api.split("/")
        self._daemon = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"/ip4/127.0.0.1/tcp/{self._listener.getsockname()[1]}"
        self.exchanges: list[dict[str, Any]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), socket.create_connection(self._daemon) as daemon:
            while (request := read_message(connection, daemon.sendall)) is not None:
                exchange: dict[str, Any] = {"request": request.as_request()}
                self.exchanges.append(exchange)
                if "pubsub/sub" in request.first:
                    threading.Thread(target=self._end_with, args=(connection, daemon), daemon=True).start()
                answer = read_message(daemon, _sending(connection))
                exchange["answer"] = None if answer is None else answer.as_answer()
                if answer is None or not answer.ended or answer.header("connection") == "close":
                    break

    @staticmethod
    def _end_with(connection: socket.socket, daemon: socket.socket) -> None:
        """End the daemon's side of a subscription when the subscriber leaves."""
        with contextlib.suppress(OSError):
            connection.recv(1)
        with contextlib.suppress(OSError):
            daemon.shutdown(socket.SHUT_RDWR)


def _sending(connection: socket.socket) -> Callable[[bytes], None]:
    """Send what comes; who has heard enough leaves, and the rest is still recorded."""

    def send(data: bytes) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(data)

    return send


async def record(daemon: Daemon, other: Daemon, stranger: str) -> dict[str, Any]:
    """Make all calls of a daemon, and return the recording."""
    recorder = Recorder(daemon)
    other.call("add", body=THEIRS, cid_version="1")
    daemon.call("block/put", body=EMPTY_FOLDER_NODE, cid_codec="dag-pb", mhtype="sha2-256")
    known = {"other": other.peer, "address": other.address, "stranger": stranger, "theirs": wire.raw_cid(THEIRS)}
    kubo, theirs = (Kubo(Endpoint(api, f"Bearer {TOKEN}")) for api in (recorder.address, other.api))
    cases: dict[str, list[dict[str, Any]]] = {}
    listener = Kubo(Endpoint(daemon.api, f"Bearer {TOKEN}"))
    for name, case in CASES.items():
        recorder.exchanges = []
        helping = asyncio.create_task(help_with(name, theirs, listener))
        await asyncio.sleep(MOMENT_S)
        found = await outcome(case, kubo, known)
        helping.cancel()
        await asyncio.wait([helping])
        sys.stderr.write(f"{name}: {str(found)[:150]}\n")
        cases[name] = recorder.exchanges
    for client in (kubo, theirs, listener):
        await client.aclose()
    while any("answer" not in exchange for case in cases.values() for exchange in case):
        await asyncio.sleep(MOMENT_S)
    return {"known": known, "cases": cases}


async def help_with(name: str, theirs: Kubo, listener: Kubo) -> None:
    """Do what others do meanwhile."""
    if name == "subscribe":
        while True:
            for message in (TEXT, FILE):
                await theirs.publish(TOPIC, message)
            await asyncio.sleep(0.1)
    if name == "wanted by":
        with contextlib.suppress(NotFoundError):
            await theirs.cat(WANTED, max_bytes=1)
    if name == "topics":
        subscription = listener.subscribe(TOPIC)
        try:
            await anext(subscription)
        finally:
            await subscription.aclose()


def main() -> None:
    """Record both versions."""
    for name, variable in (("newest", "KUBO_BINARY"), ("oldest", "KUBO_OLDEST_BINARY")):
        with tempfile.TemporaryDirectory() as folder, Daemons(Path(os.environ[variable]), Path(folder)) as daemons:
            daemon, other, stranger = (daemons.start(token=TOKEN) for _ in range(3))
            peer = stranger.peer
            stranger.end()
            found = asyncio.run(record(daemon, other, peer))
        (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
