"""Kubo daemons on this machine's loopback, each with a repository in a temporary folder, that surely end.

Nothing here uses LEARNAE's plugin, so that a mistake of the plugin's is not made by its tests as well.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from learnae.demo import leash

START_S, END_S, CALL_S = 90.0, 20.0, 30.0
BETWEEN_LOOKS_S = 0.05
SETTINGS: Mapping[str, object] = {
    "Pubsub.Enabled": True,
    "Routing.Type": "dht",  # without it there are no provider records
    "Swarm.RelayClient.Enabled": False,
    "Swarm.RelayService.Enabled": False,
    "Swarm.EnableHolePunching": False,
    "Swarm.Transports.Network": {"QUIC": False, "WebTransport": False, "WebRTCDirect": False, "Websocket": False, "Relay": False},
    "AutoNAT.ServiceMode": "disabled",
    "HTTPRetrieval.Enabled": False,
    "Version.SwarmCheckEnabled": False,
}
"""How several daemons live on one machine, and on nothing else."""


def until(condition: Callable[[], object], what: str, *, within_s: float = 30.0) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: It was not within ``within_s`` seconds.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"after {within_s:.0f} seconds there was still no {what}"
        time.sleep(BETWEEN_LOOKS_S)


def new_swarm_key() -> str:
    """Return the contents of a new ``swarm.key``."""
    return f"/key/swarm/psk/1.0.0/\n/base16/\n{secrets.token_hex(32)}\n"


@dataclass
class Daemon:
    """One daemon; ``start`` it, and ``end`` it whatever happens (``Daemons`` does).

    Start daemons in a thread that lives as long as they may: Linux ends them with the thread that started them.

    Attributes:
        program: The program ``ipfs``; may be changed between two runs.
        folder: Its own: ``repo/`` (its ``IPFS_PATH``) and ``daemon.log``.
        swarm_key: The contents of ``swarm.key``, for a private swarm.
        token: A bearer token that its RPC interface asks for.
        settings: Keys of its configuration, dotted, and values; they win over ``SETTINGS``.
        unix_socket: Have the RPC interface on a unix socket in ``folder`` (of at most 100 characters) instead of a port.
        api: Once started: the multiaddress of its RPC interface.
        peer: Once started: its libp2p peer id.
        addresses: Once started: multiaddresses of it, with the peer id. They stay the same when it is started again.
    """

    program: Path
    folder: Path
    swarm_key: str | None = None
    token: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    unix_socket: bool = False
    api: str = ""
    peer: str = ""
    addresses: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    @property
    def authorization(self) -> str | None:
        """The HTTP header ``Authorization`` that it asks for."""
        return f"Bearer {self.token}" if self.token else None

    @property
    def address(self) -> str:
        """A multiaddress by which other daemons on this machine connect to it."""
        return next(address for address in self.addresses if "/tcp/" in address)

    def start(self, *arguments: str) -> Self:
        """Start it, and wait until it answers. ``arguments`` go to ``ipfs daemon``."""
        self.launch(*arguments)
        self.wait()
        return self

    def launch(self, *arguments: str) -> None:
        """Start it without waiting."""
        assert self.process is None, "it runs"
        if not (self.repo / "config").exists():
            self.make_repository()
        (self.repo / "api").unlink(missing_ok=True)
        command = [str(self.program), "daemon", *arguments]
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def make_repository(self) -> None:
        """Make its repository, without starting it."""
        self.repo.mkdir(parents=True, exist_ok=True)
        command = [str(self.program), "init", "--empty-repo", "--profile", "test"]
        subprocess.run(command, env=self.environment(), check=True, capture_output=True, timeout=CALL_S)
        settings: dict[str, object] = {**SETTINGS, **self.settings}
        if self.token:
            settings["API.Authorizations"] = {"test": {"AuthSecret": f"bearer:{self.token}", "AllowedPaths": ["/api/v0"]}}
        if self.unix_socket:
            settings["Addresses.API"] = f"/unix{self.folder / 'rpc.sock'}"
        self.configure(settings)
        if self.swarm_key:
            (self.repo / "swarm.key").write_text(self.swarm_key)

    def configure(self, settings: Mapping[str, object]) -> None:
        """Change its configuration; it must not be running."""
        config = json.loads((self.repo / "config").read_text())
        for name, value in settings.items():
            *path, last = name.split(".")
            section = config
            for key in path:
                section[key] = section.get(key) or {}
                section = section[key]
            section[last] = value
        (self.repo / "config").write_text(json.dumps(config, indent=2))

    def environment(self) -> dict[str, str]:
        """Return the environment of its process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("IPFS_", "LIBP2P_"))}
        private = {"LIBP2P_FORCE_PNET": "1"} if self.swarm_key else {}
        return kept | {"IPFS_PATH": str(self.repo), "IPFS_TELEMETRY": "off", "GOMEMLIMIT": "256MiB"} | private

    def wait(self) -> None:
        """Wait until it answers."""
        until(self._answers, f"daemon that answers; its log ends:\n{self.last_lines()}", within_s=START_S)
        said = self.call("id")
        self.peer, self.addresses = said["ID"], tuple(sorted(said["Addresses"] or ()))
        self.api = (self.repo / "api").read_text().strip()
        # Started again, it is where it was.
        listening = [address.partition("/p2p/")[0] for address in self.addresses if address.startswith("/ip")]
        self.configure(
            {"Addresses.Swarm": listening} if self.unix_socket else {"Addresses.Swarm": listening, "Addresses.API": self.api}
        )

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the daemon ended with {self.process.poll()}:\n{self.last_lines()}"
        try:
            self.call("version")
        except (OSError, http.client.HTTPException):
            return False
        return True

    def last_lines(self, count: int = 20) -> str:
        """Return the end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else "(none)"
        return "\n".join(text.splitlines()[-count:])

    def request(self, call: str, *arguments: str, body: bytes | None = None, timeout_s: float = CALL_S, **options: str) -> bytes:
        """Make a call of its RPC interface with a bare HTTP client: ``daemon.request("cat", cid, length="5")``.

        ``body`` becomes a file of a multipart form. ``_`` in the names of options stands for ``-``.

        Raises:
            OSError: It does not answer.
            AssertionError: It answered with an error.
        """
        query = [("arg", argument) for argument in arguments] + [
            (name.replace("_", "-"), value) for name, value in options.items()
        ]
        headers = {"Authorization": self.authorization} if self.authorization else {}
        if body is not None:
            mark = secrets.token_hex(16)
            head = (
                f"--{mark}\r\n"
                'Content-Disposition: form-data; name="file"; filename="f"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n"
            )
            body = head.encode() + body + f"\r\n--{mark}--\r\n".encode()
            headers["Content-Type"] = f"multipart/form-data; boundary={mark}"
        connection = self.connection(timeout_s)
        try:
            connection.request("POST", f"/api/v0/{call}?{urlencode(query)}", body, headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        assert response.status == 200, f"{call} {arguments}: {response.status} {answer[:500]!r}"
        return answer

    def call(self, call: str, *arguments: str, body: bytes | None = None, timeout_s: float = CALL_S, **options: str) -> Any:
        """Like ``request``, for an answer in JSON; of several lines the last counts, and nothing is ``None``."""
        lines = self.request(call, *arguments, body=body, timeout_s=timeout_s, **options).splitlines()
        return json.loads(lines[-1]) if lines else None

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """Make a bare connection to its RPC interface."""
        address = (self.repo / "api").read_text().strip()
        if not address.startswith("/unix"):
            _, _, host, _, port, *_ = address.split("/")
            return http.client.HTTPConnection(host, int(port), timeout=timeout_s)
        connection = http.client.HTTPConnection("localhost", timeout=timeout_s)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout_s)
        try:
            connection.sock.connect(address.removeprefix("/unix"))
        except OSError:
            connection.close()
            raise
        return connection

    def connect(self, other: Daemon) -> None:
        """Connect it to another one."""
        self.call("swarm/connect", other.address)

    def neighbours(self) -> set[str]:
        """Return the peer ids of who is connected."""
        return {peer["Peer"] for peer in self.call("swarm/peers")["Peers"] or ()}

    def kill(self) -> None:
        """End it as a power cut does; ``start`` starts it again on the same repository."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def end(self) -> None:
        """End it, without force if it can be; idempotent."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def connected(daemons: Sequence[Daemon]) -> None:
    """Connect everybody to everybody, and wait until all know it."""
    for number, one in enumerate(daemons):
        for other in daemons[:number]:
            if other.peer not in one.neighbours():
                one.connect(other)
    for one in daemons:
        others = {other.peer for other in daemons} - {one.peer}
        until(lambda one=one, others=others: others <= one.neighbours(), "whole swarm")


class Daemons:
    """Starts daemons, and ends all of them when the ``with`` block is left, however that comes."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._all: list[Daemon] = []
        self._shared: dict[Path, list[Daemon]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for daemon in self._all:
            if daemon.process is not None:
                with contextlib.suppress(OSError):
                    daemon.process.terminate()  # all at once, so that waiting for one is waiting for all
        for daemon in self._all:
            daemon.end()

    def new(
        self,
        program: Path | None = None,
        *,
        swarm_key: str | None = None,
        token: str | None = None,
        settings: Mapping[str, object] | None = None,
        unix_socket: bool = False,
    ) -> Daemon:
        """Make a daemon that is not started yet (see ``Daemon``)."""
        folder = self._folder / f"d{len(self._all)}"
        daemon = Daemon(program or self._program, folder, swarm_key, token, settings or {}, unix_socket)
        self._all.append(daemon)
        return daemon

    def start(
        self,
        program: Path | None = None,
        *,
        swarm_key: str | None = None,
        token: str | None = None,
        settings: Mapping[str, object] | None = None,
        unix_socket: bool = False,
    ) -> Daemon:
        """Start a daemon, which is connected to nobody."""
        return self.new(program, swarm_key=swarm_key, token=token, settings=settings, unix_socket=unix_socket).start()

    def swarm(
        self,
        count: int,
        program: Path | None = None,
        *,
        swarm_key: str | None = None,
        token: str | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> list[Daemon]:
        """Start several daemons at once, in a private swarm, connected with each other."""
        key = swarm_key or new_swarm_key()
        daemons = [self.new(program, swarm_key=key, token=token, settings=settings) for _ in range(count)]
        for daemon in daemons:
            daemon.launch()
        for daemon in daemons:
            daemon.wait()
        connected(daemons)
        return daemons

    def shared(self, count: int, program: Path | None = None) -> list[Daemon]:
        """Return the first so many daemons of one private swarm, which grows as needed and which nobody may change or end."""
        swarm = self._shared.setdefault(program or self._program, [])
        if len(swarm) < count:
            key = swarm[0].swarm_key if swarm else None
            swarm += self.swarm(count - len(swarm), program, swarm_key=key)
            connected(swarm)
        return swarm[:count]
