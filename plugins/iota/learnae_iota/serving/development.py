"""A development node: a ledger, its API behind a listening socket, and its milestones."""

import asyncio
import contextlib
import logging
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import uvicorn

from learnae.errors import ConfigError
from learnae_iota.clock import milliseconds
from learnae_iota.serving.api import Api
from learnae_iota.serving.application import Application
from learnae_iota.serving.ledger import Ledger
from learnae_iota.serving.protocol import BoundedProtocol
from learnae_iota.serving.settings import LOOPBACK, PORT, NodeSettings
from learnae_iota.trinary.kernel import Kernel, choose_kernel

GRACE_S = 5
"""How long requests may go on after the end was asked for."""

KEEP_ALIVE_S = 5
BACKLOG = 128

_LAST_PORT = 65_535

_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the node."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing of the kind."""
        yield


class DevelopmentNode:
    """A node that listens from the moment it is made, and answers while ``serve`` runs.

    Attributes:
        host: The address where it listens.
        url: Where it is.
    """

    def __init__(
        self,
        ledger: Ledger,
        listener: socket.socket,
        settings: NodeSettings,
        kernel: Kernel,
        clock: Callable[[], int] = milliseconds,
    ) -> None:
        self.host, port = listener.getsockname()[:2]
        self.url = f"http://[{self.host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{self.host}:{port}"
        self._ledger = ledger
        self._listener = listener
        self._settings = settings
        self._kernel = kernel
        self._clock = clock
        self._server: uvicorn.Server | None = None
        self._asked = 0

    @classmethod
    def open(
        cls,
        path: Path | None,
        settings: NodeSettings,
        *,
        host: str = LOOPBACK,
        port: int = PORT,
        clock: Callable[[], int] = milliseconds,
        kernel: Kernel | None = None,
    ) -> Self:
        """Open the ledger and listen.

        Args:
            path: The ledger's file; ``None`` keeps it in memory.
            settings: What else the node is told.
            host: An address of this machine, or a name of one.
            port: 0 takes any that is free.
            clock: Milliseconds since 1970.
            kernel: Computes; the best that is there without one.

        Raises:
            ConfigError: Nobody can listen there.
            StateError: The ledger cannot be used.
        """
        kernel = kernel or choose_kernel()
        listener = _listen(host, port)
        try:
            ledger = Ledger.open(path, max_transactions=settings.max_transactions, kernel=kernel)
        except BaseException:
            listener.close()
            raise
        return cls(ledger, listener, settings, kernel, clock)

    async def serve(self) -> None:
        """Answer requests and set milestones until ``stop`` is called; then close everything.

        Requests that are under way get ``GRACE_S`` seconds; proof of work is broken off.
        """
        api = Api(self._ledger, self._settings, self._kernel, clock=self._clock)
        config = uvicorn.Config(
            Application(api, self._settings),
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = _Server(config)
        self._obey()
        milestones = asyncio.create_task(self._set_milestones())
        ending = asyncio.create_task(self._break_off(api))
        try:
            await self._server.serve(sockets=[self._listener])
        finally:
            for task in (milestones, ending):
                task.cancel()
            await asyncio.gather(milestones, ending, return_exceptions=True)
            await api.aclose()
            self.close()

    def stop(self) -> None:
        """Ask ``serve`` to end, from any thread; a second time: without waiting for anybody."""
        self._asked += 1
        self._obey()

    def close(self) -> None:
        """Close what ``open`` opened; ``serve`` does that itself. Idempotent."""
        self._listener.close()
        self._ledger.close()

    def _obey(self) -> None:
        if self._server is not None:
            self._server.should_exit = self._asked > 0
            self._server.force_exit = self._asked > 1

    async def _break_off(self, api: Api) -> None:
        """Break proof of work off when the end is asked for, so that nobody waits for it."""
        while not self._asked:
            await asyncio.sleep(0.1)
        api.end_work()

    async def _set_milestones(self) -> None:
        while True:
            await asyncio.sleep(self._settings.milestone_interval_s)
            try:
                is_more = True
                while is_more:  # what is ready need not wait for what somebody makes hard to judge
                    is_more = await asyncio.to_thread(self._ledger.judge)
                    await asyncio.to_thread(self._ledger.set_milestone, self._clock())
            except sqlite3.Error as exc:
                _log.warning("no milestone could be set: %s", exc)
            except Exception:
                _log.exception("no milestone could be set")


async def serve_until_signalled(node: DevelopmentNode) -> None:
    """Serve until SIGINT or SIGTERM; a second one does not wait for anybody. In the main thread."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, node.stop)
    await node.serve()


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _LAST_PORT:  # some systems would take the rest of a division
        message = f"a port of {port}: 0 to {_LAST_PORT} is accepted"
        raise ConfigError(message)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)  # named TCP, or asyncio would not send small answers at once
        with contextlib.ExitStack() as undo:
            undo.callback(listener.close)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            undo.pop_all()
    except (OSError, UnicodeError) as exc:
        why = getattr(exc, "strerror", None) or exc
        message = f"nobody can listen at {host}, port {port}: {why}; choose another with --host or --port"
        raise ConfigError(message) from exc
    return listener
