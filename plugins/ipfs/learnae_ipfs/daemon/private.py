"""The private daemon of a peer: there when it is needed, shared by all who use the peer's folder, ended with the last of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from learnae.errors import ConfigError, LearnaeError, UnavailableError
from learnae_ipfs.access import Access
from learnae_ipfs.daemon.foreign import ForeignDaemon
from learnae_ipfs.daemon.leases import Lease, start_lock
from learnae_ipfs.daemon.log import shorten
from learnae_ipfs.daemon.process import is_alive
from learnae_ipfs.daemon.program import path_of_program
from learnae_ipfs.daemon.starting import START_S, Joined, Starter
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.layout import REPOSITORY
from learnae_ipfs.remembered import read_daemon_address
from learnae_ipfs.settings import IpfsSettings

ALIVE_S = 10.0
"""How long a daemon that is suspected to be gone has to say that it is not."""

HUNG_S = 60.0
"""A daemon that runs and has not answered for so long is ended by force, and started again."""

SOON_S = 60.0
"""A daemon that lived no longer is not started again at once, so that one which crashes does not keep the machine busy."""

MAX_BACKOFF_S = 60.0

LOG_S = 60.0
"""How often the daemon's log is looked at, lest it grow for ever."""

_JOIN_LOCK_S = START_S + 30.0
_LEAVE_LOCK_S, _LEAVE_JOIN_S = 0.7, 0.7
_ENDING = "the private IPFS daemon is not used any more: the peer is ending"


class PrivateDaemon:
    """Access to the private daemon of a folder (see ``Access``).

    Any number of them, in any number of processes, lead to one daemon: they find each other by the files and locks in the folder.
    """

    is_own = True

    def __init__(
        self,
        settings: IpfsSettings,
        folder: Path,
        network_key: str | None,
        tell: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make one; nothing is started or touched.

        Args:
            settings: What the operator chose.
            folder: The plugin's folder in the peer's state; it exists and is private.
            network_key: 64 hexadecimal digits that only the session's members know, for the swarm key; ``None`` without a secret.
            tell: Takes sentences for the operator.
            clock: Monotonic seconds.
        """
        folder = folder.absolute()  # the daemon has a working directory of its own
        self._folder, self._tell, self._clock = folder, tell, clock
        self._starter = Starter(settings, folder, network_key, tell, is_closing=lambda: self._closing)
        self._lease = Lease(folder)
        self._turn = asyncio.Lock()
        self._joined: Joined | None = None
        self._joining: asyncio.Task[Joined] | None = None
        self._closing = self._suspect = False
        self._since = self._log_due = 0.0
        self._silent_since: float | None = None
        self._lost_pid: int | None = None
        self._failures, self._not_before, self._reason = 0, 0.0, ""

    async def kubo(self) -> Kubo:
        """Return a client of the daemon; start, restart or adopt it first (see ``Access``)."""
        joined = self._joined
        if joined is not None and not self._suspect and not self._closing and self._lives(joined):
            await self._keep_log_small()
            return joined.kubo
        async with self._turn:
            if self._closing:
                raise UnavailableError(_ENDING)
            if self._joined is not None and await self._still_answers(self._joined):
                return self._joined.kubo
            return await self._join()

    async def failed(self) -> None:
        """Have the next ``kubo()`` look whether the daemon still lives."""
        self._suspect = True

    async def aclose(self) -> None:
        """Let the daemon go, and end it if nobody else uses it; takes less than 4 s."""
        if self._closing:
            return
        self._closing = True
        kubo = self._joined.kubo if self._joined else await self._abandoned()
        if not self._lease.is_held:
            return
        try:
            async with start_lock(self._folder, patience_s=_LEAVE_LOCK_S):
                if self._lease.give_up():
                    await self._starter.end()
        except UnavailableError:
            pass  # whoever starts it right now uses it, and ends it
        finally:
            self._lease.close()
            if kubo is not None:
                await kubo.aclose()

    async def _abandoned(self) -> Kubo | None:
        """Wait a little for a start for which nobody waits any more, and return the client that it made."""
        task, self._joining = self._joining, None
        if task is None:
            return None
        await asyncio.wait({task}, timeout=_LEAVE_JOIN_S)
        task.cancel()
        try:
            return (await task).kubo
        except (LearnaeError, asyncio.CancelledError):
            return None

    async def _still_answers(self, joined: Joined) -> bool:
        """Say whether the daemon lives; ``False`` if it is to be started again.

        Raises:
            UnavailableError: It lives and does not answer.
        """
        if not self._lives(joined):
            return False
        if not self._suspect:
            return True
        try:
            async with asyncio.timeout(ALIVE_S):
                await joined.kubo.version()
        except (LearnaeError, TimeoutError) as exc:
            now = self._clock()
            self._silent_since = self._silent_since or now
            if now - self._silent_since > HUNG_S:
                return False
            raise UnavailableError(f"the private IPFS daemon does not answer now; its log is {self._starter.log}") from exc
        self._suspect, self._silent_since = False, None
        return True

    def _lives(self, joined: Joined) -> bool:
        """Say whether the daemon's process is there: nobody else who got its port is spoken to."""
        return is_alive(joined.record, self._folder / REPOSITORY)

    async def _keep_log_small(self) -> None:
        now = self._clock()
        if now >= self._log_due:
            self._log_due = now + LOG_S
            with contextlib.suppress(OSError):
                await asyncio.to_thread(shorten, self._starter.log)

    async def _join(self) -> Kubo:
        """Join the daemon in a task of its own: whoever stops waiting for it does not leave it half-started."""
        lost = self._joined
        if lost is not None:
            self._joined, self._lost_pid = None, lost.record.pid
            await lost.kubo.aclose()
            lived_s = self._clock() - self._since
            self._fail_after(lived_s, f"the private IPFS daemon ended by itself after {lived_s:.0f} s")
        if self._joining is None:
            wait_s = self._not_before - self._clock()
            if wait_s > 0:
                raise UnavailableError(f"{self._reason}; it is tried again in {wait_s:.0f} s")
            self._joining = asyncio.create_task(self._find_or_start())
        task = self._joining
        try:
            joined = await asyncio.shield(task)
        except LearnaeError as exc:
            self._joining = None
            self._fail_after(0.0, str(exc))
            raise
        except asyncio.CancelledError:
            if self._closing and task.cancelled():  # that was ``aclose``, not whoever cancels the caller
                raise UnavailableError(_ENDING) from None
            raise
        except Exception:  # a bug: whoever asks next begins anew, and does not meet the same task again
            self._joining = None
            raise
        self._joining, self._joined = None, joined
        self._since, self._suspect, self._silent_since = self._clock(), False, None
        lost_pid, self._lost_pid = self._lost_pid, None
        if joined.started and lost_pid is not None:
            self._tell(
                f"the private IPFS daemon (process {lost_pid}) had ended by itself and was started again; its log is "
                f"{self._starter.log}"
            )
        return joined.kubo

    async def _find_or_start(self) -> Joined:
        async with start_lock(self._folder, patience_s=_JOIN_LOCK_S):
            return await self._starter.join(alone=self._lease.take())

    def _fail_after(self, lived_s: float, reason: str) -> None:
        """Note that a daemon ended, or did not start: the next start is put off if that was soon."""
        self._failures = self._failures + 1 if lived_s < SOON_S else 0
        delay_s = min(MAX_BACKOFF_S, 2.0 ** (self._failures - 1)) if self._failures else 0.0
        self._not_before, self._reason = self._clock() + delay_s, reason


def open_access(
    settings: IpfsSettings, state: Path, network_key: str | None = None, tell: Callable[[str], None] = lambda _: None
) -> Access:
    """Return the way to the daemon that the settings name: somebody else's, or a private one in the plugin's folder.

    Nothing is contacted or started yet.

    Args:
        settings: What the operator chose.
        state: The plugin's folder in the peer's state; it exists and is private.
        network_key: 64 hexadecimal digits that only the session's members know, for the swarm key; ``None`` without a secret.
        tell: Takes sentences for the operator, in any thread.

    Raises:
        ConfigError: An address cannot be used.
        ProviderError: There is no program to run a private daemon with; the message says how to get it.
    """
    state = state.absolute()  # the daemon works in another folder than this process
    for address in settings.bootstrap:
        if read_daemon_address(address) is None:
            raise ConfigError(f"plugins.ipfs.bootstrap: {address!r} is no address of a daemon; `learnae ipfs address` prints one")
    if settings.api is not None:
        return ForeignDaemon(settings, state, tell)
    path_of_program(settings.program)
    return PrivateDaemon(settings, state, network_key, tell)
