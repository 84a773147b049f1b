"""A development node that the peers of one machine share, without anybody having to start it.

It is a process of its own. In a thread of the first peer it would stand still while that peer trains, and be gone when that peer
ends; the others would have to notice, agree on who is next, and repeat what was under way. As a process it serves all alike, and
it ends when the last of them has: everybody who uses it holds a shared lock on the file ``users``, which the system frees however
a process ends, and the node looks now and then whether it can have that lock for itself.

In the folder: ``ledger.sqlite``; ``node.json``, where the node is, locked by it as long as it runs; ``users``; ``starting``,
locked by whoever starts the node; ``node.log``, what the last one had to say.
"""

import contextlib
import fcntl
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec
import platformdirs

from learnae.errors import ConfigError, ProviderError, UnavailableError
from learnae_iota.serving.settings import NodeSettings

USERS, STARTING, NODE, LEDGER, LOG = "users", "starting", "node.json", "ledger.sqlite", "node.log"

START_TIMEOUT_S = 30.0

_POLL_S = 0.02
_MAX_BYTES = 10_000


class Whereabouts(msgspec.Struct, frozen=True):
    """What the node writes down: in ``node.json``, and to whoever started it.

    Attributes:
        url: Where it is; empty if it did not start.
        settings: What it was told.
        error: Why it could not start; empty also where another one was quicker.
    """

    url: str
    settings: NodeSettings
    error: str = ""


def shared_folder() -> Path:
    """Return the folder of the node that this user's peers share."""
    return platformdirs.user_state_path("learnae", appauthor=False) / "tangle"


class EmbeddedNode:
    """Uses the development node of a folder; starts it if none runs. Any thread may call; calls take turns.

    Args:
        folder: Where it keeps its ledger; made if it is not there. On a local disk.
        settings: What it is told if it has to be started; a running one must have been told the same weight magnitude. Without
            any it lets no web page ask, and does not count requests: all peers of a machine have one address.
    """

    def __init__(self, folder: Path, settings: NodeSettings | None = None) -> None:
        self._folder = folder
        self._settings = settings or NodeSettings(cors=False, max_requests_per_s=0)
        self._turn = threading.Lock()
        self._closing = threading.Event()
        self._users: int | None = None

    def url(self, timeout_s: float = START_TIMEOUT_S) -> str:
        """Return where the node is; it stays at least until ``close``, unless somebody kills it: then ask again.

        Blocks, at worst as long as it may, or until another thread calls ``close``.

        Raises:
            ConfigError: A node runs there whose weight magnitude is another one.
            ProviderError: The folder cannot be used, or the node cannot start.
            UnavailableError: It did not start in time, or before ``close``.
        """
        deadline = time.monotonic() + timeout_s
        with self._turn:
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if self._users is None:
                    self._users = self._lock(USERS, fcntl.LOCK_SH, deadline)
                starting = self._lock(STARTING, fcntl.LOCK_EX, deadline)
            except OSError as exc:
                message = f"{self._folder}: cannot be used for a node: {exc.strerror or exc}"
                raise ProviderError(message) from exc
            try:
                found = self._found(deadline)
            finally:
                os.close(starting)
        if found.settings.weight != self._settings.weight:
            message = (
                f"the node at {found.url} ({self._folder}) was started with a weight magnitude of {found.settings.weight}, "
                f"not {self._settings.weight}; stop the peers that use it, or name the same"
            )
            raise ConfigError(message)
        return found.url

    def close(self) -> None:
        """Use it no longer: it ends when nobody does. Idempotent."""
        self._closing.set()
        with self._turn:
            self._closing.clear()
            if self._users is not None:
                os.close(self._users)
                self._users = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _found(self, deadline: float) -> Whereabouts:
        while True:
            found = running_node(self._folder) or self._start(deadline)
            if found.url:
                return found
            self._pause()

    def _start(self, deadline: float) -> Whereabouts:
        """Start a node that is nobody's child: neither Ctrl-C nor the end of this process is its business."""
        detached = (sys.executable, "-S", "-P", str(Path(__file__).with_name("detached.py")))
        program = (sys.executable, "-P", "-m", "learnae_iota.serving")
        told = (str(self._folder.absolute()), msgspec.json.encode(self._settings).decode())
        try:
            with (
                (self._folder / LOG).open("wb") as log,
                subprocess.Popen(
                    [*detached, *program, *told],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=self._folder,
                    start_new_session=True,
                ) as first,
            ):
                said = self._line(first.stdout, deadline)
        except OSError as exc:
            message = f"{self._folder}: no node can be started: {exc.strerror or exc}"
            raise ProviderError(message) from exc
        try:
            found = msgspec.json.decode(said, type=Whereabouts)
        except msgspec.MsgspecError as exc:
            message = f"the node did not start within its time; it may have said why in {self._folder / LOG}"
            raise UnavailableError(message) from exc
        if found.error:
            raise ProviderError(f"the node cannot start: {found.error}")
        return found

    def _lock(self, name: str, how: int, deadline: float) -> int:
        path = self._folder / name
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(file, how | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        message = f"{path}: held by another process for too long"
                        raise UnavailableError(message) from None
                    self._pause()
                else:
                    return file
        except BaseException:
            os.close(file)
            raise

    def _line(self, stream: IO[bytes] | None, deadline: float) -> bytes:
        """Read what the node says when it is there, or nothing if it does not in time."""
        said = b""
        while stream is not None and not said.endswith(b"\n") and len(said) < _MAX_BYTES and time.monotonic() < deadline:
            ready, _, _ = select.select([stream], [], [], _POLL_S)
            if not ready:
                self._pause()
                continue
            part = os.read(stream.fileno(), _MAX_BYTES)
            if not part:
                break
            said += part
        return said

    def _pause(self) -> None:
        if self._closing.wait(_POLL_S):
            raise UnavailableError("the development node was given up before it had started")


def running_node(folder: Path) -> Whereabouts | None:
    """Return where the node of a folder is; ``None`` if none runs, or it has not yet said.

    Raises:
        OSError: The folder cannot be read.
    """
    try:
        file = os.open(folder / NODE, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(msgspec.MsgspecError):
            return msgspec.json.decode(os.pread(file, _MAX_BYTES, 0), type=Whereabouts)
    finally:
        os.close(file)
    return None
